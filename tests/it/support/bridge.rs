//! A whole channel: an in-memory directory, a real store on a real file, the real target code over HTTP to a provider in
//! the test process. Cycles run one after the other; the clock is the test's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use ldap2scim::cycle::{self, Channel, CycleEnd, Depth, Prepared, Progress, Report, Source, Store, Trigger};
use ldap2scim::mapping::{self, Preset};
use ldap2scim::model::{AttributeName, ChannelName, Selection, Snapshot, TargetName};
use ldap2scim::plan::{
    Existing, GroupRemoval, GroupRules, GroupScope, GuardSettings, Limit, MappingChoice, Nesting, Rules, UserRemoval, UserRules,
};
use ldap2scim::scim;
use ldap2scim::store::Sqlite;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::directory::{Directory, dn};
use super::provider::{Personality, Provider};

/// Everything of one channel.
pub struct Bridge {
    pub directory: Arc<Directory>,
    pub provider: Provider,
    pub rules: Rules,
    pub workers: usize,
    pub state_dir: tempfile::TempDir,
    pub stop: CancellationToken,
    pub settings: scim::Settings,
    /// Between two readings of everything.
    pub full_every: Duration,
    now: Arc<AtomicI64>,
}

impl Bridge {
    pub async fn start(personality: Personality) -> Self {
        Self::start_as(personality, |_| {}).await
    }

    /// With settings of its own.
    pub async fn start_as(personality: Personality, change: impl FnOnce(&mut scim::Settings)) -> Self {
        let provider = Provider::start(personality).await;
        let mut settings = provider.settings();
        // What is new shows at once here.
        settings.dialect.set("settle", "0", scim::SaidBy::Default).unwrap();
        change(&mut settings);
        Self {
            directory: Arc::new(Directory::default()),
            rules: rules(&settings),
            settings,
            provider,
            workers: 4,
            state_dir: state_dir(),
            stop: CancellationToken::new(),
            full_every: Duration::from_secs(24 * 60 * 60),
            now: Arc::new(AtomicI64::new(1_780_000_000)),
        }
    }

    /// The same after a stop: nothing stops the next cycle.
    pub fn restarted(mut self) -> Self {
        self.stop = CancellationToken::new();
        self
    }

    /// Sets a knob of the target's dialect, as a configuration would.
    pub fn knob(&mut self, name: &str, value: &str) {
        assert_eq!(self.settings.dialect.set(name, value, scim::SaidBy::Configuration), Ok(true));
    }

    /// Sets the store's clock to the time of day.
    pub fn keep_time(&self) {
        self.now.store(Timestamp::now().as_second(), Ordering::SeqCst);
    }

    /// Lets time pass for the store.
    pub fn pass(&self, duration: Duration) {
        self.now.fetch_add(i64::try_from(duration.as_secs()).unwrap(), Ordering::SeqCst);
    }

    pub fn store(&self) -> Sqlite {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let now = self.now.clone();
            let clock = move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap();
            match Sqlite::open_in(self.state_dir.path(), clock) {
                Ok(store) => return store,
                // After a crash in this process the thread of the store that was dropped lets go of the file in its own time.
                Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
            }
            std::thread::yield_now();
        }
    }

    pub fn channel(&self) -> Channel<Directory, scim::Provider> {
        self.channel_from(self.directory.clone())
    }

    fn channel_from<S>(&self, source: Arc<S>) -> Channel<S, scim::Provider> {
        Channel {
            rules: Arc::new(self.rules.clone()),
            target_name: TargetName::new("provider"),
            source,
            target: Arc::new(scim::Provider::new(self.settings.clone()).unwrap()),
            workers: self.workers,
            full_every: self.full_every,
        }
    }

    async fn run(&self, trigger: Trigger) -> Report {
        self.run_from(self.directory.clone(), trigger).await
    }

    async fn run_from<S: Source>(&self, source: Arc<S>, trigger: Trigger) -> Report {
        self.run_over(source, trigger, changes()).await
    }

    async fn run_over<S: Source>(&self, source: Arc<S>, trigger: Trigger, extent: cycle::Extent) -> Report {
        let store = self.store();
        let (progress, _) = watch::channel(Progress::default());
        let report = cycle::run(&self.channel_from(source), &store, trigger, extent, &self.stop, &progress).await.unwrap();
        store.close().await;
        self.pass(Duration::from_secs(60));
        report
    }

    pub async fn sync(&self) -> Report {
        self.run(Trigger::Sync).await
    }

    /// A cycle of a live channel that heard of something.
    pub async fn sync_heard(&self) -> Report {
        let extent = cycle::Extent::Changes { heard: None, pending: false };
        self.run_over(self.directory.clone(), Trigger::Sync, extent).await
    }

    /// A cycle that reads another directory than the one in memory.
    pub async fn sync_from<S: Source>(&self, source: S) -> Report {
        self.run_from(Arc::new(source), Trigger::Sync).await
    }

    pub async fn resync(&self) -> Report {
        self.run(Trigger::Resync).await
    }

    pub async fn preview(&self) -> Report {
        self.run(Trigger::Preview).await
    }

    /// Prepares without applying or recording, like `dry-run`.
    pub async fn prepare(&self) -> Prepared {
        let snapshot = self.snapshot().await;
        let (progress, _) = watch::channel(Progress::default());
        cycle::prepare(&self.channel(), snapshot, Depth::Usual, None, &progress).await.unwrap()
    }

    pub async fn snapshot(&self) -> Snapshot {
        let store = self.store();
        let window = self.rules.guard.window;
        let snapshot = store.load(&TargetName::new("provider"), &self.rules.channel, window).await.unwrap();
        store.close().await;
        snapshot
    }

    /// A cycle that must do everything.
    #[track_caller]
    pub fn synced(&self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let report = self.sync().await;
            assert_eq!(report.end, CycleEnd::Done, "{place}: {:?} {:?}", report.error, report.held);
        }
    }

    /// The next cycle must send nothing at all.
    pub async fn assert_silent(&self) {
        self.provider.forget_requests();
        let report = self.sync().await;
        let lines: Vec<String> = self.provider.requests().iter().map(super::provider::Recorded::line).collect();
        assert!(lines.is_empty(), "a cycle with nothing to do sent {lines:?}; held {:?}", report.held);
    }

    /// What the guard stopped, as `status` shows it.
    pub async fn quarantine(&self) -> Vec<String> {
        let channels = ldap2scim::store::Viewer::open(self.state_dir.path()).unwrap().unwrap().channels().unwrap();
        channels.into_iter().flat_map(|channel| channel.quarantine).map(|kind| kind.kind).collect()
    }

    /// Names of active users at the target, sorted.
    pub fn active(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .provider
            .users()
            .iter()
            .filter(|user| user["active"] == true)
            .map(|user| user["userName"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Names of the members of a group at the target, sorted.
    pub fn members(&self, group: &str) -> Vec<String> {
        let ids = self.provider.member_ids(group);
        let name = |id: &String| {
            let user = self.provider.users().into_iter().find(|user| user["id"] == id.as_str());
            user.map_or(id.clone(), |user| user["userName"].as_str().unwrap().to_owned())
        };
        let mut names: Vec<String> = ids.iter().map(name).collect();
        names.sort();
        names
    }

    /// Panics if a name occurs twice at the target.
    pub fn assert_no_duplicates(&self) {
        for (all, path) in [(self.provider.users(), "userName"), (self.provider.groups(), "displayName")] {
            let mut names: Vec<String> = all.iter().map(|one| one[path].as_str().unwrap().to_lowercase()).collect();
            names.sort();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "duplicates: {names:?}");
        }
    }
}

/// In memory where there is such a place: what is crashed here is the program and never the machine, and waiting for the
/// disk is most of what a small cycle takes.
fn state_dir() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
}

/// Limits that nothing in a small test reaches.
pub fn wide() -> Limit {
    Limit { percent: 100.0, at_least: 10_000, at_most: None }
}

/// Rules of a channel that provisions everybody below two bases.
pub fn rules(settings: &scim::Settings) -> Rules {
    let capabilities = &settings.dialect.capabilities;
    let base = |text| Selection { base_dns: vec![dn(text)], filter: None };
    let everybody = || GroupScope { group_dns: vec![], nested: true };
    Rules {
        channel: ChannelName::new("main"),
        channels_of_target: vec![ChannelName::new("main")],
        users: UserRules { selection: base("ou=people,dc=example,dc=com"), scope: everybody() },
        groups: Some(GroupRules {
            selection: base("ou=groups,dc=example,dc=com"),
            scope: everybody(),
            include_self: false,
            name: AttributeName::new("cn"),
            nesting: Nesting::Flatten,
            members: Default::default(),
            same_name: Default::default(),
            recreated: Default::default(),
        }),
        mapping: MappingChoice::Fixed(Box::new(mapping::compile(Preset::InetOrgPerson, &[], capabilities).unwrap())),
        provision_disabled: true,
        existing: Existing::Overwrite,
        user_removal: UserRemoval::Deactivate,
        group_removal: GroupRemoval::Delete,
        delete_adopted_groups: false,
        guard: GuardSettings {
            window: Duration::from_secs(86_400),
            users: wide(),
            groups: wide(),
            memberships: wide(),
            per_group: wide(),
            identity: wide(),
        },
    }
}

/// What a scheduled cycle looks at.
pub fn changes() -> cycle::Extent {
    cycle::Extent::Changes { heard: None, pending: true }
}
