//! A look at some entries of a real OpenLDAP server: it says of each what a full reading would say.

use std::collections::BTreeSet;

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::ldap::{Directory, Settings};
use ldap2scim::model::{
    AttributeName, Coverage, Dn, Entry, EntryId, Kind, Looked, Place, ResourceType, ScopeGroup, Selection, Wanted, Watermark,
};
use tokio::sync::mpsc;

use crate::support::slapd::{SUFFIX, Setup, Slapd};

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn wanted() -> Wanted {
    let below = |base: &str| Selection { base_dns: vec![dn(base)], filter: None };
    Wanted {
        users: below("ou=People,dc=example,dc=com"),
        user_attributes: vec![AttributeName::new("uid"), AttributeName::new("mail")],
        groups: Some(below("ou=Groups,dc=example,dc=com")),
        group_attributes: vec![AttributeName::new("cn")],
        membership: true,
        scope_groups: Vec::new(),
    }
}

/// The same, with filters of the admin's.
fn filtered() -> Wanted {
    let mut wanted = wanted();
    wanted.users.filter = Some("(&(objectClass=inetOrgPerson)(!(employeeType=left)))".to_owned());
    wanted.groups.as_mut().unwrap().filter = Some("(|(cn=app-*)(uid=ada))".to_owned());
    wanted
}

fn unit(name: &str) -> String {
    format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

fn user_at(place: &str, uid: &str) -> String {
    format!(
        "dn: uid={uid},ou={place},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: x\nmail: {uid}@example.com\n\n"
    )
}

fn user(uid: &str) -> String {
    user_at("People", uid)
}

fn group(dn: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
    let name = dn.split(['=', ',']).nth(1).unwrap();
    format!("dn: {dn},{SUFFIX}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
}

const ADA: &str = "uid=ada,ou=People,dc=example,dc=com";
const BOB: &str = "uid=bob,ou=People,dc=example,dc=com";

fn small() -> String {
    [
        unit("People"),
        unit("Groups"),
        unit("Away"),
        user("ada"),
        user("bob"),
        user_at("Away", "eve"),
        group("cn=app-x,ou=Groups", &[ADA, "cn=far,ou=Away,dc=example,dc=com"]),
        group("cn=staff,ou=Groups", &[BOB]),
        group("cn=far,ou=Away", &[BOB]),
    ]
    .concat()
}

/// What a watermark of this server looks like.
fn mark(settings: &Settings) -> Watermark {
    Watermark::new(&format!(r#"{{"url":"{}","way":"timestamp","server":"","at":null}}"#, settings.urls[0]))
}

struct Seen {
    entries: Vec<Entry>,
    looked: Result<Looked, SourceError>,
}

impl Seen {
    fn whole(self) -> Self {
        assert!(matches!(&self.looked, Ok(looked) if looked.coverage == Coverage::Changes), "{:?}", self.looked);
        self
    }

    fn absent(&self) -> BTreeSet<EntryId> {
        self.looked.as_ref().unwrap().absent.clone()
    }

    fn causes(&self) -> String {
        match &self.looked {
            Ok(Looked { coverage: Coverage::Partial(causes), .. }) => causes.join("\n"),
            other => panic!("not partial: {other:?}"),
        }
    }

    fn only(&self) -> &Entry {
        assert_eq!(self.entries.len(), 1, "{:?}", self.entries);
        &self.entries[0]
    }
}

async fn taken<T>(work: impl Future<Output = T>, mut receiver: mpsc::Receiver<Entry>) -> (T, Vec<Entry>) {
    let taking = async {
        let mut entries = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    };
    tokio::join!(work, taking)
}

async fn look(settings: &Settings, wanted: &Wanted, places: Vec<Place>) -> Seen {
    let (sender, receiver) = mpsc::channel(16);
    let directory = Directory::new(settings.clone());
    let since = mark(settings);
    let (looked, entries) = taken(directory.look(wanted, places, &since, sender), receiver).await;
    Seen { entries, looked }
}

async fn read(settings: &Settings, wanted: &Wanted) -> (Vec<Entry>, Coverage) {
    let (sender, receiver) = mpsc::channel(16);
    let directory = Directory::new(settings.clone());
    let (reading, entries) = taken(directory.read(wanted, sender), receiver).await;
    (entries, reading.unwrap().coverage)
}

/// The lasting id of what stands at a DN.
fn id(slapd: &Slapd, dn: &str) -> EntryId {
    let text = slapd.ldapsearch(dn, "(objectClass=*)", &["entryUUID"]);
    let own = text.split("\n\n").find(|entry| entry.starts_with(&format!("dn: {dn}\n"))).unwrap();
    EntryId::new(own.lines().find_map(|line| line.strip_prefix("entryUUID: ")).unwrap())
}

fn place(id: &EntryId, at: &str, kind: Kind) -> Place {
    Place { id: Some(id.clone()), dn: Some(dn(at)), kind }
}

fn somebody(at: &str) -> Place {
    Place { id: None, dn: Some(dn(at)), kind: Kind::Any }
}

/// All there is to entries, for comparison.
fn told(mut entries: Vec<Entry>) -> Vec<String> {
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    entries.iter().map(|entry| format!("{entry:?}")).collect()
}

/// Every entry of the directory with its DN.
fn everybody(slapd: &Slapd) -> Vec<(EntryId, String)> {
    let text = slapd.ldapsearch(SUFFIX, "(objectClass=*)", &["entryUUID"]);
    let line = |entry: &str, start: &str| entry.lines().find_map(|line| line.strip_prefix(start).map(str::to_owned));
    text.split("\n\n").filter_map(|entry| Some((EntryId::new(&line(entry, "entryUUID: ")?), line(entry, "dn: ")?))).collect()
}

#[tokio::test]
async fn a_look_at_every_entry_says_what_a_full_reading_says() {
    let slapd = Slapd::start(&small());
    let settings = slapd.settings();
    let deciding = |id| {
        let mut wanted = filtered();
        wanted.scope_groups = vec![ScopeGroup { dn: dn("cn=far,ou=Away,dc=example,dc=com"), id }];
        wanted
    };
    let mut overlapping = wanted();
    overlapping.users.base_dns = vec![dn("dc=example,dc=com"), dn("ou=People,dc=example,dc=com")];
    overlapping.users.filter = Some("(|(objectClass=inetOrgPerson)(cn=staff))".to_owned());
    let mut users_only = wanted();
    users_only.groups = None;
    users_only.membership = false;
    let far = id(&slapd, "cn=far,ou=Away,dc=example,dc=com");
    for wanted in [wanted(), filtered(), deciding(None), deciding(Some(far)), overlapping, users_only] {
        let (entries, coverage) = read(&settings, &wanted).await;
        assert!(coverage.is_full());
        let sent: BTreeSet<EntryId> = entries.iter().map(|entry| entry.id.clone()).collect();
        let entries = told(entries);
        for places in [
            everybody(&slapd).iter().map(|(id, at)| place(id, at, Kind::Any)).collect::<Vec<_>>(),
            everybody(&slapd).iter().map(|(id, _)| Place { id: Some(id.clone()), dn: None, kind: Kind::Any }).collect(),
            everybody(&slapd).iter().map(|(id, _)| place(id, "cn=nobody,dc=example,dc=com", Kind::Any)).collect(),
            everybody(&slapd).iter().map(|(_, at)| somebody(at)).collect(),
        ] {
            let by_id = places[0].id.is_some();
            let seen = look(&settings, &wanted, places).await.whole();
            let absent = seen.absent();
            assert_eq!(told(seen.entries), entries, "{wanted:?}");
            for (id, at) in everybody(&slapd) {
                assert_eq!(absent.contains(&id), by_id && !sent.contains(&id), "{at}");
            }
        }
    }
}

#[tokio::test]
async fn who_is_not_selected_any_more_is_absent() {
    let slapd = Slapd::start(&small());
    let settings = slapd.settings();
    let [ada, bob, app] = [ADA, BOB, "cn=app-x,ou=Groups,dc=example,dc=com"].map(|at| (id(&slapd, at), at));
    let look_at = |who: &(EntryId, &str), kind| {
        let place = place(&who.0, who.1, kind);
        let settings = settings.clone();
        async move { look(&settings, &filtered(), vec![place]).await.whole() }
    };
    assert_eq!(look_at(&ada, Kind::User).await.only().dn, dn(ADA));
    // The filter does not match any more.
    slapd.ldapmodify(&format!("dn: {ADA}\nchangetype: modify\nreplace: employeeType\nemployeeType: left\n"));
    let seen = look_at(&ada, Kind::User).await;
    assert_eq!((seen.entries.len(), seen.absent()), (0, BTreeSet::from([ada.0.clone()])));
    slapd.ldapmodify(&format!("dn: {ADA}\nchangetype: modify\nreplace: employeeType\nemployeeType: back\n"));
    assert_eq!(look_at(&ada, Kind::User).await.entries.len(), 1);
    // Moved out of the base, and back under another name.
    let rename = |from: &str, rdn: &str, to: &str| {
        slapd.ldapmodify(&format!("dn: {from}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 0\nnewsuperior: {to}\n"));
    };
    rename(ADA, "uid=ada", "ou=Away,dc=example,dc=com");
    assert_eq!(look_at(&ada, Kind::Any).await.absent(), BTreeSet::from([ada.0.clone()]));
    rename("uid=ada,ou=Away,dc=example,dc=com", "uid=lovelace", "ou=People,dc=example,dc=com");
    let seen = look_at(&ada, Kind::User).await;
    assert_eq!((&seen.only().id, seen.only().dn.as_str()), (&ada.0, "uid=lovelace,ou=People,dc=example,dc=com"));
    assert_eq!(seen.absent(), BTreeSet::new());
    // Another entry stands where it stood.
    slapd.ldapadd(&user("ada"));
    let seen = look_at(&ada, Kind::User).await;
    assert_eq!(&seen.only().id, &ada.0, "the one that was looked for, not the one at its old DN");
    let newcomer = look(&settings, &filtered(), vec![somebody(ADA)]).await.whole();
    assert_eq!(newcomer.only().id, id(&slapd, ADA));
    slapd.ldapdelete(&["uid=lovelace,ou=People,dc=example,dc=com"]);
    let seen = look_at(&ada, Kind::User).await;
    assert_eq!((seen.entries.len(), seen.absent()), (0, BTreeSet::from([ada.0.clone()])), "the newcomer is not it");
    // Deleted.
    slapd.ldapdelete(&[BOB]);
    assert_eq!(look_at(&bob, Kind::User).await.absent(), BTreeSet::from([bob.0.clone()]));
    // A group leaves the filter: still a group, not selected; then it is deleted.
    assert!(look_at(&app, Kind::Group).await.only().selected);
    rename(app.1, "cn=other", "ou=Groups,dc=example,dc=com");
    slapd.ldapmodify("dn: cn=other,ou=Groups,dc=example,dc=com\nchangetype: modify\nreplace: cn\ncn: other\n");
    let seen = look_at(&app, Kind::Group).await;
    assert_eq!((seen.only().selected, seen.absent()), (false, BTreeSet::new()));
    slapd.ldapdelete(&["cn=other,ou=Groups,dc=example,dc=com"]);
    assert_eq!(look_at(&app, Kind::Group).await.absent(), BTreeSet::from([app.0.clone()]));
}

#[tokio::test]
async fn groups_are_sent_wherever_they_are_and_selected_below_the_bases_only() {
    let slapd = Slapd::start(&small());
    let settings = slapd.settings();
    for (at, of_all, of_filter) in
        [("cn=staff,ou=Groups", true, false), ("cn=app-x,ou=Groups", true, true), ("cn=far,ou=Away", false, false)]
    {
        let at = format!("{at},{SUFFIX}");
        for (wanted, selected) in [(wanted(), of_all), (filtered(), of_filter)] {
            for place in [place(&id(&slapd, &at), &at, Kind::Group), somebody(&at)] {
                let seen = look(&settings, &wanted, vec![place]).await.whole();
                assert_eq!((seen.only().selected, seen.only().resource_type), (selected, ResourceType::Group), "{at}");
            }
        }
    }
    let nobody =
        look(&settings, &wanted(), vec![somebody("uid=eve,ou=Away,dc=example,dc=com"), somebody("cn=none,dc=x")]).await.whole();
    assert_eq!((nobody.entries.len(), nobody.absent().len()), (0, 0));
}

#[tokio::test]
async fn a_group_that_decides_scope_is_never_absent() {
    let slapd = Slapd::start(&small());
    let settings = slapd.settings();
    let far = (id(&slapd, "cn=far,ou=Away,dc=example,dc=com"), "cn=far,ou=Away,dc=example,dc=com");
    slapd.ldapdelete(&[far.1]);
    for known in [None, Some(far.0.clone())] {
        let mut wanted = wanted();
        wanted.scope_groups = vec![ScopeGroup { dn: dn(far.1), id: known }];
        let seen = look(&settings, &wanted, vec![place(&far.0, far.1, Kind::Group)]).await;
        assert!(seen.causes().contains("decides scope and does not exist"), "{}", seen.causes());
        assert_eq!(seen.absent(), BTreeSet::new());
    }
}

#[tokio::test]
async fn two_thousand_entries_are_looked_at_in_one_go_and_a_huge_group_comes_whole() {
    let users: String = (0..2000).map(|n| user(&format!("u{n}"))).collect();
    let members: Vec<String> = (0..3000).map(|n| format!("uid=u{n},ou=People,dc=example,dc=com")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let slapd = Slapd::start(&[unit("People"), unit("Groups"), users, group("cn=all,ou=Groups", &members)].concat());
    let all = everybody(&slapd);
    let places = all.iter().map(|(id, at)| place(id, at, Kind::Any)).collect();
    let begun = std::time::Instant::now();
    let seen = look(&slapd.settings(), &wanted(), places).await.whole();
    println!("a look at {} entries took {:?}", all.len(), begun.elapsed());
    assert_eq!(seen.entries.len(), 2001);
    let group = seen.entries.iter().find(|entry| entry.resource_type == ResourceType::Group).unwrap();
    assert_eq!(group.members.as_ref().unwrap().len(), 3000);
    // Every one of them is out of sight, and looked for by its id.
    let mut none = wanted();
    none.users.filter = Some("(uid=none)".to_owned());
    let places = all.iter().map(|(id, at)| place(id, at, Kind::User)).collect();
    let begun = std::time::Instant::now();
    let seen = look(&slapd.settings(), &none, places).await.whole();
    println!("a look for {} entries that are gone took {:?}", all.len(), begun.elapsed());
    assert_eq!(seen.absent().len(), all.len() - 1);
}

#[tokio::test]
async fn what_cannot_be_searched_makes_the_look_partial_and_nobody_absent() {
    let slapd = Slapd::start(&small());
    let settings = slapd.settings();
    let ada = place(&id(&slapd, ADA), ADA, Kind::User);
    let gone = place(&EntryId::new("00000000-0000-1000-8000-000000000000"), BOB, Kind::User);
    let mut wanted = wanted();
    wanted.users.base_dns.push(dn("ou=Gone,dc=example,dc=com"));
    let seen = look(&settings, &wanted, vec![ada.clone(), gone.clone()]).await;
    assert!(seen.causes().contains("noSuchObject (32)"), "{}", seen.causes());
    assert_eq!((seen.entries.len(), seen.absent().len()), (1, 0), "who was found is sent, of the other nothing is said");
    // A watermark that another server gave.
    let other = Watermark::new(r#"{"url":"ldap://other","way":"timestamp","server":"","at":null}"#);
    for since in [other, Watermark::new("of another version")] {
        let (sender, receiver) = mpsc::channel(16);
        let directory = Directory::new(settings.clone());
        let (looked, entries) = taken(directory.look(&wanted, vec![ada.clone(), gone.clone()], &since, sender), receiver).await;
        let Ok(Looked { coverage: Coverage::Partial(_), absent }) = looked else { panic!("{looked:?}") };
        assert_eq!((entries.len(), absent.len()), (0, 0));
    }
}

#[tokio::test]
async fn a_group_that_hides_its_members_is_sent_without_and_hides_nobody_else() {
    let access = "access to dn.base=\"cn=staff,ou=Groups,dc=example,dc=com\" attrs=member by * none";
    let slapd = Slapd::with(Setup { ldif: small(), access, ..Setup::default() });
    let staff = "cn=staff,ou=Groups,dc=example,dc=com";
    let gone = EntryId::new("00000000-0000-1000-8000-000000000000");
    let mut wanted = wanted();
    wanted.groups.as_mut().unwrap().filter = Some("(cn=none)".to_owned());
    let seen =
        look(&slapd.settings(), &wanted, vec![place(&id(&slapd, staff), staff, Kind::Group), place(&gone, BOB, Kind::User)])
            .await;
    assert!(seen.causes().contains("the members of the group cn=staff"), "{}", seen.causes());
    assert_eq!((seen.only().members.clone(), seen.absent()), (None, BTreeSet::from([gone])));
}

#[tokio::test]
async fn a_suffix_that_may_not_be_seen_leaves_users_certain_and_groups_not() {
    let access = "access to dn.base=\"dc=example,dc=com\" by * none";
    let slapd = Slapd::with(Setup { ldif: small(), access, ..Setup::default() });
    let gone = EntryId::new("00000000-0000-1000-8000-000000000000");
    for (kind, certain) in [(Kind::User, true), (Kind::Any, true), (Kind::Group, false)] {
        let places = vec![place(&id(&slapd, ADA), ADA, Kind::User), place(&gone, BOB, kind)];
        let seen = look(&slapd.settings(), &wanted(), places).await;
        assert_eq!(seen.only().dn, dn(ADA));
        assert_eq!(seen.absent().contains(&gone), certain, "{kind:?}");
        let looked = seen.looked.unwrap();
        assert_eq!(looked.coverage.is_whole(), certain, "{:?}", looked.coverage);
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_stops_the_look() {
    let slapd = Slapd::start(&small());
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let settings = slapd.settings();
    let places = vec![place(&id(&slapd, ADA), ADA, Kind::User)];
    let looked = Directory::new(settings.clone()).look(&wanted(), places, &mark(&settings), sender).await.unwrap();
    assert!(matches!(looked.coverage, Coverage::Partial(_)) && looked.absent.is_empty(), "{looked:?}");
}

#[tokio::test]
async fn a_busy_server_makes_the_look_partial_and_nobody_absent() {
    let more =
        "moduleload retcode\noverlay retcode\nretcode-parent \"ou=RetCodes,dc=example,dc=com\"\nretcode-item \"cn=busy\" 0x33";
    let slapd = Slapd::with(Setup { ldif: small(), more, ..Setup::default() });
    let busy = "cn=busy,ou=RetCodes,dc=example,dc=com";
    let ada = place(&id(&slapd, ADA), ADA, Kind::User);
    let mut wanted = wanted();
    let seen = look(&slapd.settings(), &wanted, vec![ada.clone(), somebody(busy)]).await;
    assert!(seen.causes().contains("busy (51)"), "{}", seen.causes());
    assert_eq!(seen.only().dn, dn(ADA));
    // Where it was does not answer; by its id it is certainly not there.
    let gone = EntryId::new("00000000-0000-1000-8000-000000000000");
    let seen = look(&slapd.settings(), &wanted, vec![place(&gone, busy, Kind::User)]).await.whole();
    assert_eq!(seen.absent(), BTreeSet::from([gone.clone()]));
    wanted.users.base_dns.push(dn(busy));
    let seen = look(&slapd.settings(), &wanted, vec![ada, place(&gone, BOB, Kind::User)]).await;
    assert!(seen.causes().contains("busy (51)"), "{}", seen.causes());
    assert_eq!((seen.only().dn.clone(), seen.absent()), (dn(ADA), BTreeSet::new()));
}
