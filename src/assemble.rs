//! Settings → live parts. The only place where real parts are put together: one directory per source and one
//! provider per target, each shared by its channels.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::certificate::{Reminders, Stage};
use crate::config::{Mode, Schedule, Settings};
use crate::cycle::{Channel, CycleError, Extent, ProgressSender, Report, Store, TargetError, Trigger};
use crate::ldap::{self, Directory};
use crate::model::{ChannelName, TargetName};
use crate::scim::{self, Provider};

/// What is kept of the targets over a reload of the configuration.
#[derive(Default)]
pub struct Kept {
    /// Whose turn it is: cycles of channels that share a target run one after the other.
    turns: BTreeMap<TargetName, Arc<tokio::sync::Mutex<()>>>,
    targets: BTreeMap<TargetName, Known>,
}

/// A target with its pace, its pauses, its rest after failures, and the secret that it refused: as long as its settings
/// stay, a reload is no reason to begin all that anew.
#[derive(Clone)]
struct Known {
    digest: Option<[u8; 32]>,
    provider: Arc<Provider>,
    reminders: Arc<Reminders>,
}

impl Known {
    fn new(settings: scim::Settings, digest: Option<[u8; 32]>) -> Result<Self, TargetError> {
        let reminders = Arc::new(settings.reminders());
        Ok(Self { digest, provider: Arc::new(Provider::new(settings)?), reminders })
    }
}

/// A channel of real parts, with when and how it runs.
pub struct Live {
    /// What a cycle works with.
    pub channel: Channel<Directory, Provider>,
    /// Key of the source.
    pub source: String,
    /// Whether cycles write to the target.
    pub mode: Mode,
    /// When it runs by itself; `None`: never.
    pub schedule: Option<Schedule>,
    /// It runs when something changes too, after so long a quiet.
    pub hears: Option<Duration>,
    /// Of its target, then of its source.
    reminders: [Arc<Reminders>; 2],
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Everything that one configuration makes.
pub struct Assembled {
    /// Where the state database lies.
    pub state_dir: PathBuf,
    /// Channels in the file's order.
    pub channels: Vec<Arc<Live>>,
}

/// Why the parts could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AssembleError {
    /// A target's settings cannot be used.
    #[error("target {name}: {error}")]
    Target {
        /// Which.
        name: TargetName,
        /// Why.
        error: TargetError,
    },
    /// A channel names a source or target that the settings do not hold.
    #[error("channel {channel} names a {what} that is not configured")]
    Dangling {
        /// The channel.
        channel: ChannelName,
        /// `source` or `target`.
        what: &'static str,
    },
}

/// Makes the parts. Nothing is connected yet.
pub fn assemble(settings: Settings, kept: &mut Kept) -> Result<Assembled, AssembleError> {
    let source = |settings: ldap::Settings| (Arc::new(settings.reminders()), Arc::new(Directory::new(settings)));
    let sources: BTreeMap<String, _> = settings.sources.into_iter().map(|(name, settings)| (name, source(settings))).collect();
    let mut targets: BTreeMap<TargetName, Known> = BTreeMap::new();
    for (name, settings) in settings.targets {
        let digest = settings.digest();
        let same = kept.targets.get(&name).filter(|known| digest.is_some() && known.digest == digest);
        let known = match same {
            Some(known) => known.clone(),
            None => Known::new(settings, digest).map_err(|error| AssembleError::Target { name: name.clone(), error })?,
        };
        targets.insert(name, known);
    }
    let mut channels = Vec::new();
    for channel in settings.channels {
        let missing = |what| AssembleError::Dangling { channel: channel.name.clone(), what };
        let (of_source, source) = sources.get(&channel.source).ok_or_else(|| missing("source"))?;
        let target = targets.get(&channel.target).ok_or_else(|| missing("target"))?;
        let turn = kept.turns.entry(channel.target.clone()).or_default();
        channels.push(Arc::new(Live {
            channel: Channel {
                rules: Arc::new(channel.rules),
                target_name: channel.target,
                source: Arc::clone(source),
                target: Arc::clone(&target.provider),
                workers: channel.workers,
                full_every: channel.full_every,
            },
            source: channel.source,
            mode: channel.mode,
            schedule: channel.schedule,
            // A preview compares everything: it is made at its scheduled times.
            hears: channel.live.filter(|_| channel.mode == Mode::Live),
            reminders: [Arc::clone(&target.reminders), Arc::clone(of_source)],
            turn: Arc::clone(turn),
        }));
    }
    kept.targets = targets;
    Ok(Assembled { state_dir: settings.state_dir, channels })
}

impl Live {
    /// The channel's name.
    pub fn name(&self) -> &ChannelName {
        self.channel.name()
    }

    /// Runs a cycle when the target is free. A channel in preview only ever previews.
    pub async fn cycle<St: Store>(
        &self,
        store: &St,
        trigger: Trigger,
        extent: Extent,
        stop: &CancellationToken,
        progress: &ProgressSender,
    ) -> Result<Report, CycleError> {
        let trigger = match self.mode {
            Mode::Live => trigger,
            Mode::Preview => Trigger::Preview,
        };
        let _turn = tokio::select! {
            turn = self.turn.lock() => turn,
            () = stop.cancelled() => return Err(CycleError::Stopped),
        };
        self.remind(Timestamp::now());
        crate::cycle::run(&self.channel, store, trigger, extent, stop, progress).await
    }

    /// Logs what ends soon or has ended, each stage once a day for target and source.
    fn remind(&self, now: Timestamp) {
        let target = &self.channel.target_name;
        for notice in self.reminders.iter().flat_map(|reminders| reminders.due(now)) {
            match notice.stage {
                Stage::Over => tracing::error!(target_name = %target, "{}", notice.text),
                Stage::Month | Stage::Week | Stage::Day => tracing::warn!(target_name = %target, "{}", notice.text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::config;

    const TEXT: &str = r#"state_dir: state
sources:
  corp: { urls: ["ldap://127.0.0.1:389"] }
targets:
  app:
    base_url: https://scim.example.com/v2
    auth: { header: { name: X-Key, value: hunter2 } }
    proxy: { url: "http://127.0.0.1:3128", user: me, password: { file: secret }, no_proxy: [a.example.com] }
channels:
  all: { source: corp, target: app, users: { base_dn: "dc=x" } }
"#;

    fn provider(directory: &Path, text: &str, kept: &mut Kept) -> Arc<Provider> {
        let path = directory.join("c.yaml");
        std::fs::write(&path, text).unwrap();
        let settings = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        Arc::clone(&assemble(settings, kept).unwrap_or_else(|error| panic!("{error}")).channels[0].channel.target)
    }

    fn write(directory: &Path, secret: &str) {
        let path = directory.join("secret");
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_reload_keeps_a_target_whose_settings_stay_and_makes_any_other_anew() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "one");
        let mut kept = Kept::default();
        let first = provider(directory.path(), TEXT, &mut kept);
        let with_a_schedule = TEXT.replace("target: app,", "target: app, schedule: '0 1 * * *',");
        let second = provider(directory.path(), &with_a_schedule, &mut kept);
        assert!(Arc::ptr_eq(&first, &second), "only a channel has changed");
        let mut former = second;
        for (from, to) in [
            ("hunter2", "hunter3"),
            ("/v2", "/v3"),
            ("a.example.com", "b.example.com"),
            ("    auth", "    rate: { per_second: 3 }\n    auth"),
            ("    auth", "    dialect: { etag: yes }\n    auth"),
            ("hunter2 }", "hunter2 }, expires_on: 2099-01-01"),
        ] {
            let changed = provider(directory.path(), &TEXT.replace(from, to), &mut kept);
            assert!(!Arc::ptr_eq(&former, &changed), "{from} became {to}");
            former = changed;
        }
        let before = provider(directory.path(), TEXT, &mut kept);
        write(directory.path(), "two");
        let after = provider(directory.path(), TEXT, &mut kept);
        assert!(!Arc::ptr_eq(&before, &after), "the password of the proxy has changed in its file");
        assert!(!Arc::ptr_eq(&after, &provider(directory.path(), TEXT, &mut Kept::default())));
    }
}
