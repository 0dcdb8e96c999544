//! Cycles over what changed on real servers, in each way of being told: whoever leaves, in whatever way, is revoked in the
//! same cycle, whoever stays keeps everything, what the server does not tell is found, and a full reading finds nothing left
//! to do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use ldap2scim::cycle::{CycleEnd, Report, Source, SourceError};
use ldap2scim::ldap::{Directory, Settings, Tracking};
use ldap2scim::mapping::{self, Preset};
use ldap2scim::model::{Changes, Coverage, Delta, Entry, Looked, Place, Reading, Selection, Vendor, Wanted, Watermark};
use ldap2scim::plan::{MappingChoice, UserRemoval};
use tokio::sync::mpsc;

use crate::support::bridge::Bridge;
use crate::support::directory::dn;
use crate::support::provider::Personality;
use crate::support::samba::{self, Account, Samba};
use crate::support::slapd::{self, Slapd};

/// A real server.
enum Server {
    Slapd(Slapd),
    Samba(Samba),
}

/// How changes are told, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// By content synchronization: the server remembers so many operations.
    Syncrepl(Option<u32>),
    Timestamp,
    Usn(Account),
    DirSync(Account),
}

/// Who is at the target and in which group: the expected truth.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct World {
    active: BTreeSet<String>,
    groups: BTreeMap<&'static str, BTreeSet<String>>,
}

/// One thing that happens.
struct Step {
    name: &'static str,
    /// Only ids read now and then tell it where deletions are not told.
    deletes: bool,
    /// The directory says something that only a full reading answers.
    reads_everything: bool,
    /// What is changed in the directory, as LDIF.
    change: fn(&Site) -> String,
    /// A DN that groups list until the server has rewritten them, which some do in their own time.
    former: Option<&'static str>,
    /// The same in the expected truth.
    truth: fn(&mut World, Mode),
}

/// A directory whose watermark is so old that it is time to read all ids again.
struct Later(Directory);

impl Source for Later {
    async fn identify(&self) -> Result<Vendor, SourceError> {
        self.0.identify().await
    }

    async fn read(&self, wanted: &Wanted, entries: mpsc::Sender<Entry>) -> Result<Reading, SourceError> {
        self.0.read(wanted, entries).await
    }

    async fn changes(&self, wanted: &Wanted, since: &Watermark) -> Result<Changes, SourceError> {
        let mut text: serde_json::Value = serde_json::from_str(since.as_str()).unwrap();
        for name in ["listed", "ids"] {
            if text["at"].get(name).is_some() {
                text["at"][name] = 0.into();
            }
        }
        self.0.changes(wanted, &Watermark::new(&text.to_string())).await
    }

    async fn look(
        &self,
        wanted: &Wanted,
        places: Vec<Place>,
        since: &Watermark,
        entries: mpsc::Sender<Entry>,
    ) -> Result<Looked, SourceError> {
        self.0.look(wanted, places, since, entries).await
    }

    async fn watch(&self, wanted: &Wanted, since: &Watermark, heard: mpsc::Sender<Option<Delta>>) -> SourceError {
        self.0.watch(wanted, since, heard).await
    }
}

/// Members of the group that decides scope, but for those in groups nested in it. The first is the manager of another: a
/// reference to nobody is refused by some.
const DIRECT: [&str; 12] = ["nora", "ada", "bob", "del", "dis", "exp", "fil", "mov", "out", "ref", "ren", "way"];
/// Users below `ou=North`.
const NORTH: [&str; 1] = ["nora"];

struct Site {
    server: Server,
    mode: Mode,
    bridge: Bridge,
    /// When the account of `exp` ends.
    expiry: i64,
}

impl Mode {
    fn is_ad(self) -> bool {
        matches!(self, Self::Usn(_) | Self::DirSync(_))
    }

    fn tracking(self) -> Tracking {
        match self {
            Self::Syncrepl(_) => Tracking::Syncrepl,
            Self::Timestamp => Tracking::Timestamp,
            Self::Usn(_) => Tracking::Usn,
            Self::DirSync(_) => Tracking::DirSync,
        }
    }

    /// True if deletions are found by reading all ids now and then.
    fn reads_ids(self) -> bool {
        matches!(self, Self::Timestamp | Self::Usn(Account::Plain) | Self::DirSync(Account::MayReplicate))
    }

    fn suffix(self) -> &'static str {
        if self.is_ad() { samba::SUFFIX } else { slapd::SUFFIX }
    }

    fn unit(self, place: &str) -> String {
        let name = place.split(',').next().unwrap();
        format!("dn: ou={},{}\nobjectClass: organizationalUnit\nou: {name}\n\n", place.replace(',', ",ou="), self.suffix())
    }

    fn user_dn(self, name: &str) -> String {
        let place = if NORTH.contains(&name) { "ou=North,ou=People" } else { "ou=People" };
        format!("{}={name},{place},{}", if self.is_ad() { "CN" } else { "uid" }, self.suffix())
    }

    fn user(self, name: &str) -> String {
        let dn = self.user_dn(name);
        let kind = if self.is_ad() {
            format!("objectClass: user\nsAMAccountName: {name}\nuserPrincipalName: {name}@ad.test\nuserAccountControl: 544\n")
        } else {
            format!("objectClass: inetOrgPerson\nuid: {name}\ncn: {name}\n")
        };
        format!("dn: {dn}\n{kind}sn: Example\ngivenName: {name}\nmail: {name}@example.com\n\n")
    }

    fn group_dn(self, name: &str) -> String {
        let unit = if ["scope", "inner", "nested"].contains(&name) { "Far" } else { "Groups" };
        format!("cn={name},ou={unit},{}", self.suffix())
    }

    /// The DN of a member: `@` begins a group.
    fn member(self, name: &str) -> String {
        name.strip_prefix('@').map_or_else(|| self.user_dn(name), |group| self.group_dn(group))
    }

    fn group(self, name: &str, members: &[&str]) -> String {
        let members: String = members.iter().map(|member| format!("member: {}\n", self.member(member))).collect();
        let kind = if self.is_ad() { format!("group\nsAMAccountName: {name}") } else { format!("groupOfNames\ncn: {name}") };
        format!("dn: {}\nobjectClass: {kind}\n{members}\n", self.group_dn(name))
    }

    fn modify(self, dn: &str, how: &str, attribute: &str, value: &str) -> String {
        format!("dn: {dn}\nchangetype: modify\n{how}: {attribute}\n{attribute}: {value}\n\n")
    }

    fn removed(self, group: &str, member: &str) -> String {
        self.modify(&self.group_dn(group), "delete", "member", &self.member(member))
    }

    fn deleted(self, dn: &str) -> String {
        format!("dn: {dn}\nchangetype: delete\n\n")
    }

    fn moved(self, dn: &str, rdn: &str, superior: &str) -> String {
        format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {superior}{}\n\n", self.suffix())
    }

    /// Everything as it is in the beginning, last changed long ago where the server lets one say so.
    fn content(self) -> String {
        let everybody = DIRECT.iter().chain(&["inn", "inn2", "nes"]);
        let staff: Vec<&str> = everybody.clone().copied().filter(|name| *name != "ref").collect();
        let scope: Vec<&str> = DIRECT.iter().copied().chain(["@inner", "@nested"]).collect();
        let boss = format!("\nmanager: {}\n\n", self.user_dn("nora"));
        let ldif = [
            ["People", "North,People", "Groups", "Far", "Away"].map(|place| self.unit(place)).concat(),
            everybody
                .map(|name| self.user(name))
                .collect::<String>()
                .replace("mail: bob@example.com\n\n", &format!("mail: bob@example.com{boss}")),
            self.group("staff", &staff),
            self.group("quiet", &["ada", "ref"]),
            self.group("outer", &["bob", "@quiet"]),
            self.group("inner", &["ada", "inn", "inn2"]),
            self.group("nested", &["ada", "nes"]),
            self.group("scope", &scope),
        ]
        .concat();
        if self == Self::Timestamp {
            let long_ago = "\nmodifyTimestamp: 20200101000000Z\ncreateTimestamp: 20200101000000Z\nobjectClass:";
            return ldif.replace("\nobjectClass:", long_ago);
        }
        ldif
    }
}

impl Site {
    async fn open(mode: Mode) -> Self {
        let server = match mode {
            Mode::Usn(_) | Mode::DirSync(_) => Server::Samba(Samba::start(&mode.content())),
            Mode::Syncrepl(_) | Mode::Timestamp => {
                let mut overlays = vec!["memberof", "refint", "ppolicy"];
                overlays.extend(matches!(mode, Mode::Syncrepl(_)).then_some("syncprov"));
                let session_log = if let Mode::Syncrepl(log) = mode { log } else { None };
                let limits = "size=unlimited time=unlimited";
                let setup = slapd::Setup { ldif: mode.content(), overlays, session_log, limits, ..slapd::Setup::default() };
                Server::Slapd(Slapd::with(setup))
            }
        };
        let mut bridge = Bridge::start(Personality::default()).await;
        bridge.keep_time();
        let below = |unit: &str, filter: Option<&str>| Selection {
            base_dns: vec![dn(&format!("ou={unit},{}", mode.suffix()))],
            filter: filter.map(str::to_owned),
        };
        let stays = if mode.is_ad() {
            "(&(objectCategory=person)(objectClass=user)(!(employeeType=left)))"
        } else {
            "(&(objectClass=inetOrgPerson)(!(employeeType=left)))"
        };
        if mode.is_ad() {
            let capabilities = &bridge.settings.dialect.capabilities;
            let mapping = mapping::compile(Preset::ActiveDirectory, &[], capabilities).unwrap();
            bridge.rules.mapping = MappingChoice::Fixed(Box::new(mapping));
        }
        bridge.rules.users.selection = below("People", Some(stays));
        bridge.rules.users.scope.group_dns = vec![dn(&mode.group_dn("scope"))];
        bridge.rules.groups.as_mut().unwrap().selection = below("Groups", None);
        bridge.rules.user_removal = UserRemoval::Delete;
        let site = Self { server, mode, bridge, expiry: 0 };
        let report = site.bridge.sync_from(site.directory()).await;
        assert_eq!(report.end, CycleEnd::Done, "{mode:?}: {}", words(&report));
        site
    }

    fn settings(&self) -> Settings {
        let settings = match (&self.server, self.mode) {
            (Server::Samba(samba), Mode::Usn(account) | Mode::DirSync(account)) => samba.settings(account),
            (Server::Slapd(slapd), _) => slapd.settings(),
            (Server::Samba(_), _) => unreachable!(),
        };
        Settings { tracking: self.mode.tracking(), ..settings }
    }

    fn directory(&self) -> Directory {
        Directory::new(self.settings())
    }

    fn change(&self, ldif: &str) {
        match &self.server {
            Server::Slapd(slapd) => slapd.ldapmodify(ldif),
            Server::Samba(samba) => samba.ldapmodify(ldif),
        }
    }

    fn printed(&self, filter: &str, attribute: &str) -> String {
        match &self.server {
            Server::Slapd(slapd) => slapd.ldapsearch(slapd::SUFFIX, filter, &[attribute]),
            Server::Samba(samba) => samba.ldapsearch(samba::SUFFIX, filter, &[attribute]),
        }
    }

    /// Waits until no group lists the former DN any more.
    async fn until_rewritten(&self, step: &Step) {
        let Some(former) = step.former else { return };
        let line = format!("member: {}", self.mode.user_dn(former).replace(",ou=Away,ou=People", ",ou=Away"));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while self.printed("(member=*)", "member").lines().any(|member| member.eq_ignore_ascii_case(&line)) {
            assert!(std::time::Instant::now() < deadline, "{line} is still there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What is at the target. Users who are off are in no group here.
    fn target(&self) -> World {
        let short = |name: String| name.split('@').next().unwrap().to_owned();
        let active: BTreeSet<String> = self.bridge.active().into_iter().map(short).collect();
        let groups = self.bridge.provider.groups();
        let groups = groups.iter().map(|group| {
            let name = group["displayName"].as_str().unwrap();
            let known = ["staff", "quiet", "outer"].into_iter().find(|known| *known == name).unwrap();
            let members = self.bridge.members(name).into_iter().map(short).filter(|name| active.contains(name));
            (known, members.collect())
        });
        World { groups: groups.collect(), active: active.clone() }
    }

    /// The manager of a user by name.
    fn manager(&self, name: &str) -> Option<String> {
        let users = self.bridge.provider.users();
        let user = users.iter().find(|user| user["userName"].as_str().unwrap().split('@').next() == Some(name))?;
        let enterprise = &user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"];
        let id = enterprise.get("value").unwrap_or(enterprise).as_str()?.to_owned();
        let manager = users.iter().find(|user| user["id"] == id.as_str())?;
        Some(manager["userName"].as_str().unwrap().split('@').next().unwrap().to_owned())
    }
}

fn beginning() -> World {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let active: BTreeSet<String> = names(&[&DIRECT[..], &["inn", "inn2", "nes"]].concat());
    let staff = active.iter().filter(|name| *name != "ref").cloned().collect();
    World {
        active,
        groups: [("staff", staff), ("quiet", names(&["ada", "ref"])), ("outer", names(&["ada", "bob", "ref"]))].into(),
    }
}

impl World {
    fn leaves(&mut self, name: &str) {
        assert!(self.active.remove(name));
        self.groups.values_mut().for_each(|members| members.retain(|member| member != name));
    }

    /// Into the scope and among the staff.
    fn comes(&mut self, name: &str) {
        assert!(self.active.insert(name.to_owned()));
        self.groups.get_mut("staff").unwrap().insert(name.to_owned());
    }

    fn is_now(&mut self, name: &str, new: &str) {
        for names in self.groups.values_mut().chain([&mut self.active]) {
            if names.remove(name) {
                names.insert(new.to_owned());
            }
        }
    }

    /// True if nobody who should be there is missing, and nobody is missing in a group.
    fn is_within(&self, other: &Self) -> bool {
        self.active.is_subset(&other.active)
            && self.groups.iter().all(|(name, members)| other.groups.get(name).is_some_and(|others| members.is_subset(others)))
    }
}

/// What a cycle says of itself.
fn words(report: &Report) -> String {
    let coverage = report.prepared.as_ref().map(|prepared| &prepared.desired.coverage);
    format!("{:?}: {coverage:?} {:?} {:?} {:?}", report.end, report.error, report.held, report.notes)
}

/// True if only what changed was looked at.
fn is_of_changes(report: &Report) -> bool {
    report.prepared.as_ref().is_none_or(|prepared| prepared.desired.coverage == Coverage::Changes)
        && !report.notes.iter().any(|note| note.starts_with("everything was read"))
}

fn step(name: &'static str, change: fn(&Site) -> String, truth: fn(&mut World, Mode)) -> Step {
    Step { name, deletes: false, reads_everything: false, former: None, change, truth }
}

fn deletion(name: &'static str, change: fn(&Site) -> String, truth: fn(&mut World, Mode)) -> Step {
    Step { deletes: true, ..step(name, change, truth) }
}

/// Everything that happens, one after the other.
fn steps() -> Vec<Step> {
    vec![
        deletion("deleted", |site| site.mode.deleted(&site.mode.user_dn("del")), |world, _| world.leaves("del")),
        Step {
            former: Some("mov"),
            ..step(
                "moved out of the base",
                |site| {
                    let rdn = if site.mode.is_ad() { "CN=mov" } else { "uid=mov" };
                    site.mode.moved(&site.mode.user_dn("mov"), rdn, "ou=Away,")
                },
                |world, _| world.leaves("mov"),
            )
        },
        Step {
            former: Some("mov,ou=Away"),
            ..step(
                "moved into the base",
                |site| {
                    let (rdn, away) = if site.mode.is_ad() { ("CN=mov", "ou=Away") } else { ("uid=mov", "ou=Away") };
                    site.mode.moved(&format!("{rdn},{away},{}", site.mode.suffix()), rdn, "ou=People,")
                },
                |world, _| world.comes("mov"),
            )
        },
        step(
            "hired",
            |site| {
                let mode = site.mode;
                let user = mode.user("new").replacen('\n', "\nchangetype: add\n", 1);
                let joins =
                    ["scope", "staff"].map(|group| mode.modify(&mode.group_dn(group), "add", "member", &mode.user_dn("new")));
                user + &joins.concat()
            },
            |world, _| world.comes("new"),
        ),
        step(
            "changed so that the filter no longer matches",
            |site| site.mode.modify(&site.mode.user_dn("fil"), "replace", "employeeType", "left"),
            |world, _| world.leaves("fil"),
        ),
        step(
            "disabled",
            |site| {
                let (name, value) = match site.mode.is_ad() {
                    true => ("userAccountControl", "546"),
                    false => ("pwdAccountLockedTime", "000001010000Z"),
                };
                site.mode.modify(&site.mode.user_dn("dis"), "replace", name, value)
            },
            |world, _| world.leaves("dis"),
        ),
        step("removed from the scope group", |site| site.mode.removed("scope", "out"), |world, _| world.leaves("out")),
        step("removed from a nested scope group", |site| site.mode.removed("inner", "inn"), |world, _| world.leaves("inn")),
        step(
            "the nested group removed from the scope group",
            |site| site.mode.removed("scope", "@inner"),
            |world, _| world.leaves("inn2"),
        ),
        deletion(
            "the nested group deleted",
            |site| site.mode.deleted(&site.mode.group_dn("nested")),
            |world, _| world.leaves("nes"),
        ),
        Step {
            former: Some("ren"),
            ..step(
                "renamed",
                |site| {
                    let mode = site.mode;
                    let (old, new) = (mode.user_dn("ren"), mode.user_dn("rena"));
                    if mode.is_ad() {
                        mode.moved(&old, "CN=rena", "ou=People,")
                            + &mode.modify(&new, "replace", "userPrincipalName", "rena@ad.test")
                            + &mode.modify(&new, "replace", "sAMAccountName", "rena")
                    } else {
                        mode.moved(&old, "uid=rena", "ou=People,")
                    }
                },
                |world, _| world.is_now("ren", "rena"),
            )
        },
        Step {
            former: Some("ref"),
            ..step(
                "a member renamed, and groups rewritten silently",
                |site| {
                    let rdn = if site.mode.is_ad() { "CN=refer" } else { "uid=refer" };
                    site.mode.moved(&site.mode.user_dn("ref"), rdn, "ou=People,")
                },
                // The principal name of Active Directory stays.
                |world, mode| world.is_now("ref", if mode.is_ad() { "ref" } else { "refer" }),
            )
        },
        Step {
            reads_everything: true,
            former: Some("nora"),
            ..step(
                "the unit above renamed",
                |site| site.mode.moved(&format!("ou=North,ou=People,{}", site.mode.suffix()), "ou=South", "ou=People,"),
                |_, _| {},
            )
        },
        step(
            "out of a group that decides nothing",
            |site| site.mode.removed("staff", "way"),
            |world, _| world.groups.get_mut("staff").unwrap().retain(|member| member != "way"),
        ),
    ]
}

/// All of it in one way of being told.
async fn everything_is_seen_at_once(mode: Mode) {
    let mut site = Site::open(mode).await;
    let mut world = beginning();
    assert_eq!(site.target(), world, "{mode:?}");
    assert_eq!(site.manager("bob").as_deref(), Some("nora"), "{mode:?}");
    for step in steps() {
        let context = format!("{mode:?}: {}", step.name);
        let resource = |name: &str| {
            let users = site.bridge.provider.users();
            let user = users.iter().find(|user| user["userName"].as_str().unwrap().split('@').next() == Some(name));
            user.map(|user| user["id"].clone())
        };
        let renamed = resource("ren");
        site.change(&(step.change)(&site));
        if step.reads_everything || step.name == "moved into the base" {
            // Before that the directory itself says that nobody of that name is there.
            site.until_rewritten(&step).await;
        }
        (step.truth)(&mut world, mode);
        let mut report = site.bridge.sync_from(site.directory()).await;
        if step.deletes && mode.reads_ids() {
            assert_eq!(report.end, CycleEnd::Done, "{context}, before the ids are read: {:?} {:?}", report.error, report.held);
            assert!(world.is_within(&site.target()), "{context}, before the ids are read: {:?}", site.target());
            report = site.bridge.sync_from(Later(site.directory())).await;
        }
        assert_eq!(report.end, CycleEnd::Done, "{context}: {:?} {:?} {:?}", report.error, report.held, report.notes);
        assert_eq!(is_of_changes(&report), !step.reads_everything, "{context}: {:?}", report.notes);
        assert_eq!(site.target(), world, "{context}; {}", words(&report));
        assert_eq!(site.manager("bob").as_deref(), Some("nora"), "{context}");
        if step.name == "renamed" {
            assert!(renamed.is_some() && resource("rena") == renamed, "{context}: one resource under a new name");
        }
        site.until_rewritten(&step).await;
        site.nothing_is_left(&context).await;
    }
    site.expires(&mut world).await;
}

impl Site {
    /// A cycle for which everything is due to be read.
    async fn full(&mut self) -> Report {
        let every = std::mem::replace(&mut self.bridge.full_every, Duration::ZERO);
        let report = self.bridge.sync_from(self.directory()).await;
        self.bridge.full_every = every;
        assert!(report.prepared.as_ref().is_some_and(|prepared| prepared.desired.coverage.is_full()), "{}", words(&report));
        report
    }

    /// Reading everything finds nothing to do, and nothing of which nobody had told.
    async fn nothing_is_left(&mut self, context: &str) {
        self.bridge.provider.forget_requests();
        let report = self.full().await;
        assert_eq!(report.end, CycleEnd::Done, "{context}, then everything: {}", words(&report));
        assert_eq!(report.notes, Vec::<String>::new(), "{context}, then everything");
        let writes: Vec<String> = self.bridge.provider.writes().iter().map(|write| write.line()).collect();
        assert!(writes.is_empty(), "{context}: a full reading left {writes:?}");
    }

    /// The end of an account passes though nothing changes in the directory.
    async fn expires(&mut self, world: &mut World) {
        let context = format!("{:?}: expired", self.mode);
        self.expiry = Timestamp::now().as_second() + 3;
        let user = self.mode.user_dn("exp");
        self.change(&if self.mode.is_ad() {
            // Tenths of microseconds since 1601.
            let units = (self.expiry + 11_644_473_600) * 10_000_000;
            self.mode.modify(&user, "replace", "accountExpires", &units.to_string())
        } else {
            let text = Timestamp::from_second(self.expiry).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
            self.mode.modify(&user, "replace", "pwdEndTime", &text)
        });
        let report = self.bridge.sync_from(self.directory()).await;
        assert_eq!(report.end, CycleEnd::Done, "{context}, before: {:?} {:?}", report.error, report.held);
        assert!(Timestamp::now().as_second() < self.expiry, "{context}: this machine is too slow for the test");
        assert_eq!(self.target(), *world, "{context}, before");
        while Timestamp::now().as_second() <= self.expiry {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let report = self.bridge.sync_from(self.directory()).await;
        assert_eq!(report.end, CycleEnd::Done, "{context}: {:?} {:?}", report.error, report.held);
        assert!(is_of_changes(&report), "{context}: {:?}", report.notes);
        world.leaves("exp");
        assert_eq!(self.target(), *world, "{context}");
        self.nothing_is_left(&context).await;
    }
}

#[tokio::test]
async fn leaving_is_seen_at_once_by_syncrepl_with_a_session_log() {
    everything_is_seen_at_once(Mode::Syncrepl(Some(1000))).await;
}

#[tokio::test]
async fn leaving_is_seen_at_once_by_syncrepl_without_a_session_log() {
    everything_is_seen_at_once(Mode::Syncrepl(None)).await;
}

#[tokio::test]
async fn leaving_is_seen_at_once_by_timestamp_and_deletions_when_ids_are_read() {
    everything_is_seen_at_once(Mode::Timestamp).await;
}

#[tokio::test]
async fn leaving_is_seen_at_once_by_usn_where_deletions_are_shown() {
    everything_is_seen_at_once(Mode::Usn(Account::SeesDeleted)).await;
}

#[tokio::test]
async fn leaving_is_seen_at_once_by_usn_and_deletions_when_ids_are_read() {
    everything_is_seen_at_once(Mode::Usn(Account::Plain)).await;
}

#[tokio::test]
async fn leaving_is_seen_at_once_by_dirsync() {
    everything_is_seen_at_once(Mode::DirSync(Account::SeesDeletedAndMayReplicate)).await;
}

#[tokio::test]
async fn a_full_reading_finds_what_nobody_told_and_says_so() {
    for mode in [Mode::Timestamp, Mode::Usn(Account::Plain)] {
        let mut site = Site::open(mode).await;
        let mut world = beginning();
        site.change(&site.mode.deleted(&site.mode.user_dn("way")));
        let report = site.full().await;
        world.leaves("way");
        assert_eq!(site.target(), world, "{mode:?}: {}", words(&report));
        let says = |note: &String| note.contains("of which nothing had been told") && note.contains("=way,");
        assert!(report.notes.iter().any(says), "{mode:?}: {:?}", report.notes);
        site.nothing_is_left(&format!("{mode:?}: what nobody told")).await;
    }
}

#[tokio::test]
async fn another_domain_controller_is_noticed_and_answered_by_reading_everything() {
    for mode in [Mode::Usn(Account::SeesDeleted), Mode::DirSync(Account::SeesDeletedAndMayReplicate)] {
        let mut site = Site::open(mode).await;
        let mut world = beginning();
        let Server::Samba(first) = &mut site.server else { unreachable!() };
        first.stop();
        let second = first.start_copy_with_new_invocation_id();
        site.server = Server::Samba(second);
        // Nobody told of what happened here before we came.
        site.change(&site.mode.removed("scope", "out"));
        site.change(&site.mode.deleted(&site.mode.user_dn("del")));
        let report = site.bridge.sync_from(site.directory()).await;
        assert_eq!(report.end, CycleEnd::Done, "{mode:?}: {:?} {:?}", report.error, report.held);
        let why = report.notes.iter().find(|note| note.starts_with("everything was read")).expect("it says why");
        assert!(why.contains("invocationId"), "{mode:?}: {why}");
        world.leaves("out");
        world.leaves("del");
        assert_eq!(site.target(), world, "{mode:?}");
        // From there on changes are told again.
        site.change(&site.mode.removed("inner", "inn"));
        let report = site.bridge.sync_from(site.directory()).await;
        assert!(is_of_changes(&report), "{mode:?}: {:?}", report.notes);
        world.leaves("inn");
        assert_eq!(site.target(), world, "{mode:?}");
        site.nothing_is_left(&format!("{mode:?}: another domain controller")).await;
    }
}
