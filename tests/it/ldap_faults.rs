//! Whole cycles over a directory server that fails at every request in every way that we know: nobody loses access and no
//! membership goes but on explicit evidence (invariant 2 of ARCHITECTURE.md), and the next clean cycle is right.
//!
//! The [`Office`] has two pages or more of everything, ranges, a group outside the bases and one that decides scope, so each
//! kind of search occurs. In every turn somebody leaves and somebody joins.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ldap2scim::cycle::{CycleEnd, Report};
use ldap2scim::ldap::{Directory, Settings, Tracking};
use ldap2scim::model::Coverage;
use ldap2scim::plan::UserRemoval;

use crate::support::bridge::Bridge;
use crate::support::directory::dn;
use crate::support::ldap_proxy::faults::{self, Fault, Told};
use crate::support::ldap_proxy::limits::Limits;
use crate::support::ldap_proxy::{Asked, Proxy};
use crate::support::provider::Personality;
use crate::support::site::{person, team};
use crate::support::slapd::{SUFFIX, Setup, Slapd};

/// A reply takes this long only if a fault keeps it back.
const LONG: Duration = Duration::from_secs(60);

type Truth = (BTreeSet<String>, BTreeMap<&'static str, BTreeSet<String>>);

struct Office {
    slapd: Slapd,
    proxy: Proxy,
    bridge: Bridge,
    tracking: Tracking,
    /// Turns so far: the newest user is named by it.
    turns: usize,
}

fn unit(name: &str) -> String {
    format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

fn names<T: AsRef<str>>(names: &[T]) -> BTreeSet<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}

impl Office {
    /// Opened and synchronised once; everything is read in each cycle.
    async fn open() -> Self {
        Self::open_with(Tracking::Full).await
    }

    async fn open_with(tracking: Tracking) -> Self {
        let far = |team: String| team.replace("ou=Groups", "ou=Far").replace("uid=@inner,ou=People", "cn=inner,ou=Far");
        let ldif = [
            unit("People"),
            unit("Groups"),
            unit("Far"),
            ["ada", "bob", "eve", "dan", "u0"].map(person).concat(),
            team("tiny", &["ada"]),
            team("staff", &["ada", "bob", "u0", "@inner"]).replace("uid=@inner,ou=People", "cn=inner,ou=Far"),
            team("all", &["ada", "bob", "dan", "eve", "u0"]),
            far(team("inner", &["ada", "dan", "eve"])),
            far(team("scope", &["@inner", "bob", "u0"])),
        ]
        .concat();
        // No overlay: what they do to groups is done in their own time.
        let setup = match tracking {
            Tracking::Syncrepl => {
                let limits = "size=unlimited time=unlimited";
                Setup { ldif, overlays: vec!["syncprov"], session_log: Some(1000), limits, ..Setup::default() }
            }
            _ => Setup { ldif, overlays: vec![], ..Setup::default() },
        };
        let slapd = Slapd::with(setup);
        let proxy = Proxy::start(slapd.port()).await;
        // Content synchronization knows no pages.
        let page = (tracking != Tracking::Syncrepl).then_some(2);
        proxy.limit(Limits { page, values: Some(2) });
        let mut bridge = Bridge::start(Personality::default()).await;
        bridge.rules.users.scope.group_dns = vec![dn("cn=scope,ou=Far,dc=example,dc=com")];
        bridge.rules.user_removal = UserRemoval::Delete;
        let office = Self { slapd, proxy, bridge, tracking, turns: 0 };
        office.assert_clean("the first load").await;
        office
    }

    fn settings(&self) -> Settings {
        // More than the server gives, so that its own limit counts.
        Settings {
            urls: vec![self.proxy.url()],
            page_size: 10,
            operation_timeout: LONG,
            tracking: self.tracking,
            ..self.slapd.settings()
        }
    }

    /// Somebody leaves, somebody joins.
    fn turn(&mut self) {
        let (leaver, joiner) = (format!("u{}", self.turns), format!("u{}", self.turns + 1));
        self.turns += 1;
        let mut ldif = person(&joiner).replace("\nobjectClass", "\nchangetype: add\nobjectClass");
        for group in ["cn=staff,ou=Groups", "cn=all,ou=Groups", "cn=scope,ou=Far"] {
            let member = |name: &str| format!("member: uid={name},ou=People,{SUFFIX}\n");
            let (gone, new) = (member(&leaver), member(&joiner));
            ldif.push_str(&format!("dn: {group},{SUFFIX}\nchangetype: modify\ndelete: member\n{gone}-\nadd: member\n{new}-\n\n"));
        }
        ldif.push_str(&format!("dn: uid={leaver},ou=People,{SUFFIX}\nchangetype: delete\n\n"));
        self.slapd.ldapmodify(&ldif);
    }

    /// What the target should be.
    fn truth(&self) -> Truth {
        let newest = format!("u{}", self.turns);
        let everybody = names(&["ada", "bob", "dan", "eve", &newest]);
        let groups = [("all", everybody.clone()), ("staff", everybody.clone()), ("tiny", names(&["ada"]))];
        (everybody, groups.into())
    }

    fn target(&self) -> Truth {
        let members = |group| (group, names(&self.bridge.members(group)));
        (names(&self.bridge.active()), ["all", "staff", "tiny"].map(members).into())
    }

    async fn assert_clean(&self, context: &str) {
        self.proxy.heal();
        let report = self.bridge.sync_from(Directory::new(self.settings())).await;
        assert_eq!(report.end, CycleEnd::Done, "{context}, then a clean cycle: {}", words(&report));
        assert_eq!(self.target(), self.truth(), "{context}, then a clean cycle");
    }

    /// What is asked in a cycle, with the answers' lengths.
    async fn requests(&mut self) -> Vec<Asked> {
        self.turn();
        self.proxy.record();
        self.assert_clean("a cycle that is recorded").await;
        self.proxy.record()
    }

    /// A turn, and a cycle in which a request fares ill; then a clean one.
    async fn suffer(&mut self, number: usize, asked: &Asked, fault: &Fault, told: Told, limit: Duration) {
        self.turn();
        self.proxy.strike(number, fault.clone());
        let ((active, groups), (stays, truth)) = (self.target(), self.truth());
        let settings = Settings { operation_timeout: limit, ..self.settings() };
        let report = self.bridge.sync_from(Directory::new(settings)).await;
        let context = format!("{fault:?} at request {number}, {}", asked.name);
        if is_full(&report) {
            assert_eq!(self.target(), self.truth(), "{context}: a full reading tells the truth; {}", words(&report));
        } else if self.tracking != Tracking::Full {
            let (still_active, still_members) = self.target();
            let all = active.intersection(&stays).all(|name| still_active.contains(name));
            assert!(all, "{context}: {active:?} became {still_active:?}; {}", words(&report));
            for (group, members) in groups {
                let all = members.intersection(&truth[group]).all(|name| still_members[group].contains(name));
                assert!(all, "{context}: {group} of {members:?} became {:?}; {}", still_members[group], words(&report));
            }
        } else {
            let (still_active, still_members) = self.target();
            assert!(still_active.is_superset(&active), "{context}: {active:?} became {still_active:?}");
            for (group, members) in groups {
                assert!(still_members[group].is_superset(&members), "{context}: {group} of {members:?} became {still_members:?}");
            }
        }
        let must_tell = match told {
            // What changed is looked at again, or everything is read in the same cycle: it may well be whole.
            _ if self.tracking != Tracking::Full => false,
            Told::Nowhere => false,
            Told::BelowBases => asked.is_page(),
            // A connection that is kept and does not answer the question whether it is alive is made anew, and that is all.
            Told::Everywhere => number < 2 || asked.name != "root DSE",
        };
        if must_tell && self.proxy.has_struck() {
            assert!(!is_full(&report), "{context}: the reading is called full");
            assert!(report.end != CycleEnd::Done, "{context}: {}", words(&report));
        }
        self.assert_clean(&context).await;
    }
}

/// What a cycle says of itself.
fn words(report: &Report) -> String {
    let coverage = report.prepared.as_ref().map(|prepared| &prepared.desired.coverage);
    let tripped = report.prepared.as_ref().map(|prepared| &prepared.plan.verdict.tripped);
    format!("{:?}: {coverage:?} {:?} {:?} {tripped:?}", report.end, report.error, report.held)
}

fn is_full(report: &Report) -> bool {
    report.prepared.as_ref().is_some_and(|prepared| prepared.desired.coverage.is_full())
}

#[tokio::test]
async fn every_kind_of_search_occurs_in_a_cycle() {
    let asked = Office::open().await.requests().await;
    for kind in [
        "bind",
        "root DSE",
        "page 2 below ou=groups",
        "page 3 below ou=people",
        "range from 2 of cn=staff",
        "range from 4 of cn=all",
        "range from 2 of cn=inner",
        "page 1 below dc=example",
        "entry cn=inner",
    ] {
        assert!(asked.iter().any(|asked| asked.name.starts_with(kind)), "{kind}: {asked:?}");
    }
}

#[tokio::test]
async fn nobody_loses_anything_wherever_the_connection_is_cut() {
    let mut office = Office::open().await;
    for (number, asked) in office.requests().await.iter().enumerate() {
        let total: usize = asked.answer.iter().sum();
        for octets in faults::cuts(&asked.answer, asked.is_page()) {
            let told = if octets < total { Told::Everywhere } else { Told::Nowhere };
            let fault = if octets % 2 == 0 { Fault::Cut(octets) } else { Fault::Reset(octets) };
            office.suffer(number, asked, &fault, told, LONG).await;
        }
    }
}

#[tokio::test]
async fn nobody_loses_anything_whatever_result_comes_instead() {
    let mut office = Office::open().await;
    for (number, asked) in office.requests().await.iter().enumerate() {
        for (fault, told) in faults::results(number, asked.is_page()) {
            office.suffer(number, asked, &fault, told, LONG).await;
        }
    }
}

#[tokio::test]
async fn nobody_loses_anything_by_an_odd_answer() {
    let mut office = Office::open().await;
    for (number, asked) in office.requests().await.iter().enumerate() {
        for (fault, told) in faults::oddities(asked.is_page()) {
            let told = match fault {
                // A member that another server holds is nobody of ours: its group is told without it.
                Fault::Referral(_) if asked.name.starts_with("entry cn=inner") => continue,
                // The group that decides scope is looked for by its id, everywhere: it is found, so nothing is missing.
                Fault::Reference if asked.name.ends_with("below dc=example,dc=com") => Told::Nowhere,
                _ => told,
            };
            office.suffer(number, asked, &fault, told, LONG).await;
        }
    }
}

#[tokio::test]
async fn nobody_loses_anything_where_the_server_falls_silent() {
    let mut office = Office::open().await;
    for (number, asked) in office.requests().await.iter().enumerate() {
        let last = asked.answer.len() - 1;
        for messages in if asked.is_page() { vec![0, last] } else { vec![last] } {
            office.suffer(number, asked, &Fault::Stall(messages), Told::Everywhere, Duration::from_millis(500)).await;
        }
    }
}

/// What befalls the requests of a cycle over what changed. Each suffers a third of the faults, its neighbours the others.
async fn nobody_loses_anything_in_cycles_over_changes(tracking: Tracking) {
    let mut office = Office::open_with(tracking).await;
    let asked = office.requests().await;
    office.turn();
    let report = office.bridge.sync_from(Directory::new(office.settings())).await;
    let coverage = report.prepared.as_ref().map(|prepared| &prepared.desired.coverage);
    assert!(coverage == Some(&Coverage::Changes), "it is no cycle over changes: {}", words(&report));
    let mut struck = 0;
    for (number, asked) in asked.iter().enumerate() {
        let total: usize = asked.answer.iter().sum();
        let last = asked.answer.len() - 1;
        let faults = [
            Fault::Cut(0),
            Fault::Result(4, last.min(1)),
            Fault::Stall(last),
            Fault::Reset(total / 2),
            Fault::Result(51, 0),
            Fault::Referral(0),
            Fault::Cut(total.saturating_sub(1)),
            Fault::Result(53, last.min(1)),
            Fault::Reference,
            Fault::OtherCookie,
            Fault::Twice,
            Fault::Octets(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ];
        for (_, fault) in faults.iter().enumerate().filter(|(index, _)| (index + number) % 3 == 0) {
            let limit = if matches!(fault, Fault::Stall(_)) { Duration::from_millis(300) } else { LONG };
            office.suffer(number, asked, fault, Told::Nowhere, limit).await;
            struck += usize::from(office.proxy.has_struck());
        }
    }
    assert!(struck > asked.len(), "{struck} faults at {} requests", asked.len());
    println!("{} requests, {struck} faults", asked.len());
}

#[tokio::test]
async fn nobody_loses_anything_whatever_befalls_a_cycle_over_changes_by_timestamp() {
    nobody_loses_anything_in_cycles_over_changes(Tracking::Timestamp).await;
}

#[tokio::test]
async fn nobody_loses_anything_whatever_befalls_a_cycle_over_changes_by_syncrepl() {
    nobody_loses_anything_in_cycles_over_changes(Tracking::Syncrepl).await;
}
