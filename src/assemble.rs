//! Settings → live parts. The only place where real parts are put together: one directory per source and one
//! provider per target, each shared by its channels.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config::{Mode, Schedule, Settings};
use crate::cycle::{Channel, CycleError, ProgressSender, Report, Store, TargetError, Trigger};
use crate::ldap::Directory;
use crate::model::{ChannelName, TargetName};
use crate::scim::{Provider, Reminders, Stage};

/// Whose turn it is at each target: cycles of channels that share one run one after the other. Kept over a reload of
/// the configuration.
#[derive(Debug, Clone, Default)]
pub struct Turns(BTreeMap<TargetName, Arc<tokio::sync::Mutex<()>>>);

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
    reminders: Arc<Reminders>,
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
pub fn assemble(settings: Settings, turns: &mut Turns) -> Result<Assembled, AssembleError> {
    let sources: BTreeMap<String, Arc<Directory>> =
        settings.sources.into_iter().map(|(name, settings)| (name, Arc::new(Directory::new(settings)))).collect();
    let mut targets: BTreeMap<TargetName, (Arc<Provider>, Arc<Reminders>)> = BTreeMap::new();
    for (name, settings) in settings.targets {
        let reminders = Arc::new(Reminders::new(&settings));
        let provider = Provider::new(settings).map_err(|error| AssembleError::Target { name: name.clone(), error })?;
        targets.insert(name, (Arc::new(provider), reminders));
    }
    let mut channels = Vec::new();
    for channel in settings.channels {
        let missing = |what| AssembleError::Dangling { channel: channel.name.clone(), what };
        let source = sources.get(&channel.source).ok_or_else(|| missing("source"))?;
        let (target, reminders) = targets.get(&channel.target).ok_or_else(|| missing("target"))?;
        let turn = turns.0.entry(channel.target.clone()).or_default();
        channels.push(Arc::new(Live {
            channel: Channel {
                rules: Arc::new(channel.rules),
                target_name: channel.target,
                source: Arc::clone(source),
                target: Arc::clone(target),
                workers: channel.workers,
            },
            source: channel.source,
            mode: channel.mode,
            schedule: channel.schedule,
            reminders: Arc::clone(reminders),
            turn: Arc::clone(turn),
        }));
    }
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
        crate::cycle::run(&self.channel, store, trigger, stop, progress).await
    }

    /// Logs what ends soon or has ended, each stage once a day and target.
    fn remind(&self, now: Timestamp) {
        let target = &self.channel.target_name;
        for notice in self.reminders.due(now) {
            match notice.stage {
                Stage::Over => tracing::error!(target_name = %target, "{}", notice.text),
                Stage::Month | Stage::Week | Stage::Day => tracing::warn!(target_name = %target, "{}", notice.text),
            }
        }
    }
}
