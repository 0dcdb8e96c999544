//! Content synchronization (RFC 4533) with real OpenLDAP servers, as a service account without size limits: what
//! changed is told, wherever it happened, and what cannot be told is said to be lost.

use std::collections::BTreeSet;

use ldap2scim::cycle::Source;
use ldap2scim::ldap::{Directory, Settings, Tracking};
use ldap2scim::model::{Changes, Delta, Dn, EntryId, Kind, Selection, Wanted, Watermark};
use tokio::sync::mpsc;

use crate::support::slapd::{SUFFIX, Setup, Slapd};

const UNLIMITED: &str = "size=unlimited time=unlimited";

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

/// Users below `ou=People`, groups below `ou=Groups`.
pub fn wanted() -> Wanted {
    let below = |unit: &str| Selection { base_dns: vec![dn(&format!("ou={unit},{SUFFIX}"))], filter: None };
    Wanted {
        users: below("People"),
        user_attributes: Vec::new(),
        groups: Some(below("Groups")),
        group_attributes: Vec::new(),
        membership: true,
        scope_groups: Vec::new(),
    }
}

pub fn unit(name: &str) -> String {
    format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

pub fn user(uid: &str) -> String {
    format!("dn: uid={uid},ou=People,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid} Example\nsn: Example\n\n")
}

fn group(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|uid| format!("member: uid={uid},ou=People,{SUFFIX}\n")).collect();
    format!("dn: cn={name},ou=Groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
}

/// Three units, the users ada, bob and eve, and ada and bob as staff.
pub fn content() -> String {
    let units = [unit("People"), unit("Groups"), unit("Elsewhere")];
    [units.concat(), user("ada"), user("bob"), user("eve"), group("staff", &["ada", "bob"])].concat()
}

fn person(uid: &str) -> String {
    format!("uid={uid},ou=People,{SUFFIX}")
}

fn modified(uid: &str, title: &str) -> String {
    format!("dn: {}\nchangetype: modify\nreplace: title\ntitle: {title}\n\n", person(uid))
}

fn moved(from: &str, rdn: &str, superior: &str) -> String {
    format!("dn: {from}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {superior}\n\n")
}

fn provider(session_log: Option<u32>) -> Slapd {
    Slapd::with(Setup {
        ldif: content(),
        overlays: vec!["memberof", "refint", "syncprov"],
        session_log,
        limits: UNLIMITED,
        ..Setup::default()
    })
}

pub fn directory(slapd: &Slapd, tracking: Tracking) -> Directory {
    Directory::new(Settings { tracking, ..slapd.settings() })
}

pub fn id(slapd: &Slapd, dn: &str) -> EntryId {
    let found = slapd.ldapsearch(dn, "(objectClass=*)", &["entryUUID", "-s", "base"]);
    let line = found.lines().find_map(|line| line.strip_prefix("entryUUID: ")).unwrap();
    EntryId::new(line)
}

/// Reads everything and says where the directory stood before.
pub async fn mark(directory: &Directory) -> Watermark {
    let (sender, mut entries) = mpsc::channel(16);
    let taking = tokio::spawn(async move { while entries.recv().await.is_some() {} });
    let reading = directory.read(&wanted(), sender).await.unwrap();
    taking.await.unwrap();
    assert!(reading.coverage.is_full(), "{:?}", reading.coverage);
    reading.watermark.unwrap()
}

pub async fn since(directory: &Directory, mark: &Watermark) -> Delta {
    match directory.changes(&wanted(), mark).await.unwrap() {
        Changes::Since(delta) => delta,
        Changes::Lost(why) => panic!("{why}"),
    }
}

async fn lost(directory: &Directory, mark: &Watermark) -> String {
    match directory.changes(&wanted(), mark).await.unwrap() {
        Changes::Lost(why) => why,
        Changes::Since(delta) => panic!("{delta:?}"),
    }
}

/// What was touched, as `kind DN`.
pub fn touched(delta: &Delta) -> BTreeSet<String> {
    delta.touched.values().map(|touched| format!("{:?} {}", touched.kind, touched.dn.key().as_str())).collect()
}

pub fn set<T: Ord>(of: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    of.into_iter().collect()
}

#[tokio::test]
async fn where_nothing_changed_nothing_is_told_and_the_mark_stays() {
    for session_log in [None, Some(100)] {
        let slapd = provider(session_log);
        let directory = directory(&slapd, Tracking::Syncrepl);
        let mark = mark(&directory).await;
        let delta = since(&directory, &mark).await;
        assert!(delta.touched.is_empty() && delta.gone.is_empty() && delta.present.is_none(), "{delta:?}");
        assert_eq!(delta.watermark, mark);
    }
}

#[tokio::test]
async fn what_is_made_changed_renamed_moved_and_deleted_is_told_wherever_it_is() {
    let slapd = provider(Some(100));
    let directory = directory(&slapd, Tracking::Syncrepl);
    let mark = mark(&directory).await;
    let (ada, bob, eve) = (id(&slapd, &person("ada")), id(&slapd, &person("bob")), id(&slapd, &person("eve")));
    slapd.ldapmodify(&modified("ada", "one"));
    slapd.ldapadd(&user("new"));
    slapd.ldapmodify(&moved(&person("bob"), "uid=bob", &format!("ou=Elsewhere,{SUFFIX}")));
    slapd.ldapmodify(&moved(&format!("ou=Groups,{SUFFIX}"), "ou=Teams", SUFFIX));
    slapd.ldapdelete(&[&person("eve")]);
    let delta = since(&directory, &mark).await;
    let expected = set([
        "User uid=ada,ou=people,dc=example,dc=com".to_owned(),
        "User uid=new,ou=people,dc=example,dc=com".to_owned(),
        "User uid=bob,ou=elsewhere,dc=example,dc=com".to_owned(),
        "Container ou=teams,dc=example,dc=com".to_owned(),
    ]);
    assert_eq!(touched(&delta), expected);
    assert!(delta.touched.contains_key(&ada) && delta.touched.contains_key(&bob));
    assert_eq!((delta.gone, delta.present), (set([eve]), None));
    let next = since(&directory, &delta.watermark).await;
    assert!(next.touched.is_empty() && next.gone.is_empty() && next.present.is_none(), "{next:?}");
}

#[tokio::test]
async fn a_member_that_is_added_touches_the_group_and_one_that_is_deleted_does_not() {
    let slapd = provider(Some(100));
    let directory = directory(&slapd, Tracking::Syncrepl);
    let mark = mark(&directory).await;
    let staff = format!("cn=staff,ou=Groups,{SUFFIX}");
    slapd.ldapmodify(&format!("dn: {staff}\nchangetype: modify\nadd: member\nmember: {}\n\n", person("eve")));
    let delta = since(&directory, &mark).await;
    assert_eq!(touched(&delta), set(["Group cn=staff,ou=groups,dc=example,dc=com".to_owned()]));
    let bob = id(&slapd, &person("bob"));
    slapd.ldapdelete(&[&person("bob")]);
    let delta = since(&directory, &delta.watermark).await;
    assert!(delta.touched.is_empty(), "refint rewrites groups without a word: {delta:?}");
    assert_eq!(delta.gone, set([bob]));
}

#[tokio::test]
async fn without_a_session_log_what_is_there_is_told_instead_of_what_is_gone() {
    for restart in [false, true] {
        let mut slapd = provider(restart.then_some(100));
        let directory = directory(&slapd, Tracking::Syncrepl);
        let mark = mark(&directory).await;
        let (ada, eve) = (id(&slapd, &person("ada")), id(&slapd, &person("eve")));
        slapd.ldapdelete(&[&person("eve")]);
        slapd.ldapmodify(&modified("bob", "one"));
        if restart {
            slapd.restart();
        }
        let delta = since(&directory, &mark).await;
        assert_eq!(touched(&delta), set(["User uid=bob,ou=people,dc=example,dc=com".to_owned()]), "{restart}");
        let present = delta.present.unwrap();
        assert!(present.contains(&ada) && present.contains(&id(&slapd, &person("bob"))) && !present.contains(&eve));
        let next = since(&directory, &delta.watermark).await;
        assert!(next.touched.is_empty() && next.gone.is_empty() && next.present.is_none(), "{next:?}");
    }
}

#[tokio::test]
async fn a_server_that_stands_before_the_mark_cannot_tell() {
    let slapd = provider(Some(100));
    let directory = directory(&slapd, Tracking::Syncrepl);
    let text = mark(&directory).await.as_str().to_owned();
    let at = text.find("csn=").unwrap() + 4;
    let newer = format!("{}2999{}", &text[..at], &text[at + 4..]);
    let why = lost(&directory, &Watermark::new(&newer)).await;
    assert!(why.contains("restored backup") && why.contains("(53)"), "{why}");
}

#[tokio::test]
async fn a_mark_of_a_server_that_nobody_knows_is_lost() {
    let slapd = provider(Some(100));
    let directory = directory(&slapd, Tracking::Syncrepl);
    let mark = mark(&directory).await;
    let changed = mark.as_str().replace("#000000#000#000000", "#000000#0ff#000000");
    assert_ne!(changed, mark.as_str());
    slapd.ldapmodify(&modified("ada", "one"));
    let why = lost(&directory, &Watermark::new(&changed)).await;
    assert!(why.contains("does not know any more"), "{why}");
}

#[tokio::test]
async fn a_mark_from_before_all_that_the_server_remembers_misses_nobody() {
    let slapd = provider(Some(100));
    let directory = directory(&slapd, Tracking::Syncrepl);
    let mark = mark(&directory).await;
    let eve = id(&slapd, &person("eve"));
    let at = mark.as_str().find("csn=").unwrap() + 4;
    let old = format!("{}1999{}", &mark.as_str()[..at], &mark.as_str()[at + 4..]);
    slapd.ldapdelete(&[&person("eve")]);
    let delta = since(&directory, &Watermark::new(&old)).await;
    assert!(touched(&delta).contains("User uid=ada,ou=people,dc=example,dc=com"));
    let present = delta.present.unwrap();
    assert!(present.contains(&id(&slapd, &person("ada"))) && !present.contains(&eve));
}

#[tokio::test]
async fn another_directory_under_the_same_name_is_noticed() {
    let slapd = provider(Some(100));
    let first = mark(&directory(&slapd, Tracking::Syncrepl)).await;
    let other = provider(Some(100));
    let why = lost(&directory(&other, Tracking::Syncrepl), &first).await;
    assert!(why.contains("another directory"), "{why}");
}

#[tokio::test]
async fn an_account_with_a_size_limit_is_told_what_it_lacks() {
    let many: String = (0..600).map(|number| user(&format!("u{number}"))).collect();
    let slapd = Slapd::with(Setup {
        ldif: content() + &many,
        overlays: vec!["memberof", "refint", "syncprov"],
        session_log: Some(2000),
        ..Setup::default()
    });
    let automatic = mark(&directory(&slapd, Tracking::Auto)).await;
    assert!(automatic.as_str().contains(r#""way":"timestamp""#), "{automatic:?}");
    let unlimited = Settings { tracking: Tracking::Syncrepl, bind: slapd.root_bind(), ..slapd.settings() };
    let mark = mark(&Directory::new(unlimited)).await;
    let directory = directory(&slapd, Tracking::Syncrepl);
    slapd.ldapmodify(&(0..600).map(|number| modified(&format!("u{number}"), "one")).collect::<String>());
    let why = lost(&directory, &mark).await;
    assert!(why.contains("sizeLimitExceeded (4)") && why.contains("size=unlimited"), "{why}");
}

#[tokio::test]
async fn a_server_without_the_overlay_is_not_taken_for_one_that_synchronizes() {
    let slapd = Slapd::with(Setup { ldif: content(), more: "moduleload syncprov", ..Setup::default() });
    let automatic = mark(&directory(&slapd, Tracking::Auto)).await;
    assert!(automatic.as_str().contains(r#""way":"timestamp""#), "{automatic:?}");
    let slapd = provider(None);
    let automatic = mark(&directory(&slapd, Tracking::Auto)).await;
    assert!(automatic.as_str().contains(r#""way":"syncrepl""#), "{automatic:?}");
}

/// Listens until every one of these was heard of, and returns the last watermark.
async fn hear(heard: &mut mpsc::Receiver<Option<Delta>>, mut awaited: BTreeSet<EntryId>) -> Delta {
    loop {
        let delta = heard.recv().await.unwrap().unwrap();
        for id in delta.touched.keys().chain(&delta.gone) {
            awaited.remove(id);
        }
        if awaited.is_empty() {
            return delta;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_changes_is_heard_without_loss() {
    let many: String = (0..2000).map(|number| user(&format!("u{number}"))).collect();
    let slapd = Slapd::with(Setup {
        ldif: content() + &many,
        overlays: vec!["memberof", "refint", "syncprov"],
        session_log: Some(5000),
        limits: UNLIMITED,
        ..Setup::default()
    });
    let listener = directory(&slapd, Tracking::Syncrepl);
    let mark = mark(&listener).await;
    slapd.ldapmodify(&modified("eve", "before we listen"));
    let (sender, mut heard) = mpsc::channel(4);
    let own = mark.clone();
    let watching = tokio::spawn(async move { listener.watch(&wanted(), &own, sender).await });
    assert_eq!(heard.recv().await, Some(None));
    hear(&mut heard, set([id(&slapd, &person("eve"))])).await;
    let ids = slapd.ldapsearch(SUFFIX, "(uid=u*)", &["entryUUID"]);
    let awaited: BTreeSet<EntryId> = ids.lines().filter_map(|line| line.strip_prefix("entryUUID: ")).map(EntryId::new).collect();
    assert_eq!(awaited.len(), 2000);
    let changes: String = (0..2000).map(|number| modified(&format!("u{number}"), "new")).collect();
    let (delta, ()) =
        tokio::join!(hear(&mut heard, awaited), async { tokio::task::block_in_place(|| slapd.ldapmodify(&changes)) });
    watching.abort();
    slapd.ldapdelete(&[&person("ada")]);
    // The mark of what was heard leads on without a gap.
    let ada_is_gone = since(&directory(&slapd, Tracking::Syncrepl), &delta.watermark).await;
    assert_eq!(ada_is_gone.gone.len(), 1);
    assert!(ada_is_gone.touched.values().all(|touched| touched.kind == Kind::User));
}

#[tokio::test]
async fn a_listener_learns_that_the_server_is_gone() {
    let slapd = provider(None);
    let listener = directory(&slapd, Tracking::Syncrepl);
    let mark = mark(&listener).await;
    let (sender, mut heard) = mpsc::channel(4);
    let watching = tokio::spawn(async move { listener.watch(&wanted(), &mark, sender).await });
    assert_eq!(heard.recv().await, Some(None));
    drop(slapd);
    let why = watching.await.unwrap().to_string();
    assert!(why.contains("the server closed the connection") || why.contains("the connection was lost"), "{why}");
}
