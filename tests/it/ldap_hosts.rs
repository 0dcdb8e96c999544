//! Several servers of one source: one that fails in the middle of a reading gives way to the next, where the reading begins
//! again, and nothing of the first half is kept.

use std::collections::BTreeSet;
use std::time::Duration;

use ldap2scim::cycle::{CycleEnd, Source, SourceError};
use ldap2scim::ldap::{Bind, Directory, Settings, Tracking};
use ldap2scim::model::{Coverage, Dn, Entry, Selection, Wanted};
use ldap2scim::secret::Secret;
use tokio::sync::mpsc;

use crate::support::bridge::Bridge;
use crate::support::ldap_proxy::Proxy;
use crate::support::ldap_proxy::faults::Fault;
use crate::support::provider::Personality;
use crate::support::site::{person, team};
use crate::support::slapd::{BIND_DN, SUFFIX, Setup, Slapd};

struct Host {
    slapd: Slapd,
    proxy: Proxy,
}

fn unit(name: &str) -> String {
    format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

/// A server with five users of its own and a group of them.
async fn host(letter: &str) -> Host {
    let members = names(letter);
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let people: String = members.iter().map(|name| person(name)).collect();
    let ldif = [unit("People"), unit("Groups"), people, team("staff", &members)].concat();
    let slapd = Slapd::with(Setup { ldif, overlays: vec![], ..Setup::default() });
    let proxy = Proxy::start(slapd.port()).await;
    Host { slapd, proxy }
}

fn names(letter: &str) -> BTreeSet<String> {
    (1..=5).map(|number| format!("{letter}{number}")).collect()
}

fn settings(hosts: &[&Host]) -> Settings {
    let urls = hosts.iter().map(|host| host.proxy.url()).collect();
    let mut settings = Settings { urls, page_size: 2, tracking: Tracking::Full, ..hosts[0].slapd.settings() };
    // In a file that each server has; they are equal.
    settings.bind = Bind::Simple { dn: BIND_DN.to_owned(), password: Secret::Inline("sync".into()) };
    settings
}

async fn read(directory: &Directory) -> (BTreeSet<String>, Result<Coverage, SourceError>) {
    let below = |base: &str| Selection { base_dns: vec![Dn::parse(&format!("ou={base},{SUFFIX}")).unwrap()], filter: None };
    let wanted = Wanted {
        users: below("People"),
        user_attributes: vec![],
        groups: Some(below("Groups")),
        group_attributes: vec![],
        membership: true,
        scope_groups: vec![],
    };
    let (sender, mut receiver) = mpsc::channel(16);
    let taking = tokio::spawn(async move {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    });
    let coverage = directory.read(&wanted, sender).await.map(|reading| reading.coverage);
    let entries = taking.await.unwrap();
    let name = |entry: &Entry| entry.dn.as_str().split(['=', ',']).nth(1).unwrap().to_owned();
    (entries.iter().map(name).filter(|name| name != "staff").collect(), coverage)
}

#[tokio::test]
async fn a_reading_begins_again_on_the_next_server_and_never_mixes_two() {
    let (a, b) = (host("a").await, host("b").await);
    let directory = Directory::new(settings(&[&a]));
    read(&directory).await.1.unwrap();
    let asked = a.proxy.record();
    assert!(asked.iter().any(|asked| asked.name.starts_with("page 3 below ou=people")), "{asked:?}");
    for (number, asked) in asked.iter().enumerate() {
        let most: usize = asked.answer.iter().sum();
        for fault in [Fault::Cut(most - 1), Fault::Result(51, 1), Fault::Result(52, 0), Fault::Stall(1)] {
            let mut settings = settings(&[&a, &b]);
            settings.vendor = Some(ldap2scim::model::Vendor::OpenLdap);
            settings.operation_timeout = match fault {
                Fault::Stall(messages) if messages >= asked.answer.len() => continue,
                Fault::Stall(_) => Duration::from_millis(500),
                _ => Duration::from_secs(60),
            };
            let bridge = Bridge::start(Personality::default()).await;
            a.proxy.strike(number, fault.clone());
            let report = bridge.sync_from(Directory::new(settings)).await;
            let context = format!("{fault:?} at {}: {:?}", asked.name, report.error);
            assert!(a.proxy.has_struck(), "{context}");
            // A machine under load may be silent for longer than the limit: then nobody was read, but never both.
            if matches!(fault, Fault::Stall(_)) && report.end != CycleEnd::Done {
                let servers: BTreeSet<_> = bridge.active().iter().map(|name| name.chars().next()).collect();
                assert!(servers.len() < 2, "{context}");
                continue;
            }
            assert_eq!(report.end, CycleEnd::Done, "{context}");
            assert_eq!(BTreeSet::from_iter(bridge.active()), names("b"), "{context}");
            assert_eq!(BTreeSet::from_iter(bridge.members("staff")), names("b"), "{context}");
        }
    }
}

#[tokio::test]
async fn a_server_that_failed_in_a_reading_is_tried_last_and_a_limit_is_no_failure() {
    let (a, b) = (host("a").await, host("b").await);
    let directory = Directory::new(settings(&[&a, &b]));
    a.proxy.strike_named("page 2 below ou=people", Fault::Result(4, 1));
    let (read_of_a, coverage) = read(&directory).await;
    assert!(matches!(&coverage, Ok(Coverage::Partial(causes)) if causes[0].contains("sizeLimitExceeded (4)")), "{coverage:?}");
    assert_eq!((read_of_a.len(), b.proxy.connections()), (3, 0), "the next server has the same limit");
    a.proxy.strike_named("page 2 below ou=people", Fault::Result(51, 1));
    let (_, coverage) = read(&directory).await;
    assert!(matches!(&coverage, Err(SourceError::Interrupted { message, .. }) if message.contains("busy (51)")), "{coverage:?}");
    let before = a.proxy.connections();
    for _ in 0..2 {
        let (read_of_b, coverage) = read(&directory).await;
        assert_eq!((read_of_b, coverage.unwrap()), (names("b"), Coverage::Full));
    }
    assert_eq!(a.proxy.connections(), before);
    b.proxy.strike_named("page 2 below ou=people", Fault::Cut(0));
    let (some, coverage) = read(&directory).await;
    assert!(matches!(coverage, Ok(Coverage::Partial(_))), "no server is left that did not fail: {coverage:?}");
    assert!(some.is_subset(&names("b")) && !some.is_empty());
    assert_eq!(read(&directory).await.0, names("a"), "the one that failed longest ago");
}

#[tokio::test]
async fn where_there_is_one_server_what_was_read_before_it_failed_counts() {
    let a = host("a").await;
    let directory = Directory::new(settings(&[&a]));
    for fault in [Fault::Cut(5), Fault::Result(52, 1)] {
        a.proxy.strike_named("page 2 below ou=people", fault);
        let (some, coverage) = read(&directory).await;
        assert!(matches!(coverage, Ok(Coverage::Partial(_))), "{coverage:?}");
        assert!(!some.is_empty());
        read(&directory).await.1.unwrap();
    }
}

#[tokio::test]
async fn servers_that_all_fail_in_the_middle_end_the_cycle_or_leave_a_partial_one() {
    let hosts = [host("a").await, host("b").await, host("c").await];
    let bridge = Bridge::start(Personality::default()).await;
    for host in &hosts {
        host.proxy.strike_named("page 2 below ou=people", Fault::Cut(3));
    }
    let report = bridge.sync_from(Directory::new(settings(&hosts.each_ref()))).await;
    assert_eq!(report.end, CycleEnd::DoneWithHeld, "{:?}", report.error);
    assert!(bridge.active().iter().all(|name| name.starts_with('c')), "{:?}", bridge.active());
    assert_eq!(hosts.each_ref().map(|host| host.proxy.has_struck()), [true; 3]);
}

#[tokio::test]
async fn a_server_that_cannot_say_what_it_is_gives_way_to_the_next() {
    let (a, b) = (host("a").await, host("b").await);
    for code in [1, 2, 3, 10, 11, 51, 52, 53, 80] {
        a.proxy.strike_named("root DSE", Fault::Result(code, 0));
        let (read_of_b, coverage) = read(&Directory::new(settings(&[&a, &b]))).await;
        assert_eq!((read_of_b, coverage.unwrap()), (names("b"), Coverage::Full), "{code}");
        a.proxy.strike_named("root DSE", Fault::Result(code, 0));
        let (_, coverage) = read(&Directory::new(settings(&[&a]))).await;
        assert!(matches!(&coverage, Err(SourceError::Unreachable(_))), "{code}: {coverage:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_it_is_bound_or_encrypted_is_told() {
    let a = host("a").await;
    for (start_tls, name) in [(false, "bind"), (true, "extended")] {
        for fault in [
            Fault::Cut(0),
            Fault::Cut(1),
            Fault::Reset(3),
            Fault::Stall(0),
            Fault::Result(52, 0),
            Fault::Octets(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ] {
            let mut settings = Settings { start_tls, ca_file: Some(a.slapd.ca_file()), ..settings(&[&a]) };
            if matches!(fault, Fault::Stall(_)) {
                (settings.operation_timeout, settings.connect_timeout) = (Duration::from_millis(200), Duration::from_millis(200));
            }
            a.proxy.strike_named(name, fault.clone());
            let (nobody, coverage) = read(&Directory::new(settings)).await;
            assert!(matches!(&coverage, Err(SourceError::Unreachable(causes)) if causes.len() == 1), "{fault:?}: {coverage:?}");
            assert!(nobody.is_empty() && a.proxy.has_struck(), "{fault:?}");
        }
    }
}

/// Every code of RFC 4511 and of IANA's list that is not success, one that nobody knows, and one beyond an octet.
const CODES: [(u32, &str); 57] = [
    (1, "operationsError"),
    (2, "protocolError"),
    (3, "timeLimitExceeded"),
    (4, "sizeLimitExceeded"),
    (5, "compareFalse"),
    (6, "compareTrue"),
    (7, "authMethodNotSupported"),
    (8, "strongerAuthRequired"),
    (9, "partialResults"),
    (10, "referral"),
    (11, "adminLimitExceeded"),
    (12, "unavailableCriticalExtension"),
    (13, "confidentialityRequired"),
    (14, "saslBindInProgress"),
    (16, "noSuchAttribute"),
    (17, "undefinedAttributeType"),
    (18, "inappropriateMatching"),
    (19, "constraintViolation"),
    (20, "attributeOrValueExists"),
    (21, "invalidAttributeSyntax"),
    (32, "noSuchObject"),
    (33, "aliasProblem"),
    (34, "invalidDNSyntax"),
    (35, "isLeaf"),
    (36, "aliasDereferencingProblem"),
    (48, "inappropriateAuthentication"),
    (49, "invalidCredentials"),
    (50, "insufficientAccessRights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwillingToPerform"),
    (54, "loopDetect"),
    (60, "sortControlMissing"),
    (61, "offsetRangeError"),
    (64, "namingViolation"),
    (65, "objectClassViolation"),
    (66, "notAllowedOnNonLeaf"),
    (67, "notAllowedOnRDN"),
    (68, "entryAlreadyExists"),
    (69, "objectClassModsProhibited"),
    (71, "affectsMultipleDSAs"),
    (76, "virtualListViewError"),
    (80, "other"),
    (99, "result code"),
    (113, "lcupResourcesExhausted"),
    (114, "lcupSecurityViolation"),
    (115, "lcupInvalidData"),
    (116, "lcupUnsupportedScheme"),
    (117, "lcupReloadRequired"),
    (118, "canceled"),
    (119, "noSuchOperation"),
    (120, "tooLate"),
    (121, "cannotCancel"),
    (122, "assertionFailed"),
    (123, "authorizationDenied"),
    (4096, "e-syncRefreshRequired"),
    (16654, "noOperation"),
];

#[tokio::test]
async fn every_result_but_success_makes_the_reading_partial_and_is_named() {
    let a = host("a").await;
    let directory = Directory::new(settings(&[&a]));
    for (code, name) in CODES {
        a.proxy.strike_named("page 2 below ou=people", Fault::Result(code, 1));
        let (some, coverage) = read(&directory).await;
        let Ok(Coverage::Partial(causes)) = coverage else { panic!("{code}: {coverage:?}") };
        assert!(causes[0].contains(&format!("{name} ({code})")), "{causes:?}");
        assert!(!some.is_empty() && some.len() < 5, "{code}: {some:?}");
        assert!(a.proxy.has_struck(), "{code}");
    }
}

#[tokio::test]
async fn no_octet_of_a_page_is_a_good_place_to_end() {
    let a = host("a").await;
    let directory = Directory::new(settings(&[&a]));
    read(&directory).await.1.unwrap();
    let asked = a.proxy.record();
    let page = asked.iter().find(|asked| asked.name.starts_with("page 2 below ou=people")).unwrap();
    for octets in 0..page.answer.iter().sum() {
        a.proxy.strike_named("page 2 below ou=people", Fault::Cut(octets));
        let (some, coverage) = read(&directory).await;
        assert!(matches!(coverage, Ok(Coverage::Partial(_))), "{octets}: {coverage:?}");
        assert!(some.len() < 5, "{octets}: {some:?}");
    }
}
