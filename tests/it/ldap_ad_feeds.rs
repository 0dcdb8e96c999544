//! What Active Directory tells of changes, on Samba: by update sequence numbers, by DirSync, and at once.

use std::collections::BTreeSet;
use std::time::Duration;

use ldap2scim::cycle::Source;
use ldap2scim::ldap::{Directory, Tracking};
use ldap2scim::model::{
    AttributeName, Changes, Delta, Dn, Entry, EntryId, Kind, Moment, Reading, Selection, Status, Touched, Wanted, Watermark,
};
use tokio::sync::mpsc;

use crate::support::samba::{Account, SUFFIX, Samba};

/// A unit in which the admin's users are, and a person and a group in it.
const CONTENT: &str = "\
dn: OU=Staff,DC=ad,DC=test
objectClass: organizationalUnit

dn: OU=Away,DC=ad,DC=test
objectClass: organizationalUnit

dn: CN=Ada,OU=Staff,DC=ad,DC=test
objectClass: user
sAMAccountName: ada
userAccountControl: 544

dn: CN=Bob,OU=Staff,DC=ad,DC=test
objectClass: user
sAMAccountName: bob
userAccountControl: 544

dn: CN=Team,OU=Staff,DC=ad,DC=test
objectClass: group
sAMAccountName: team
member: CN=Ada,OU=Staff,DC=ad,DC=test
";

/// The users of a narrow base by a narrow filter: a feed takes notice of neither.
fn staff() -> Wanted {
    let base = Dn::parse(&format!("OU=Staff,{SUFFIX}")).unwrap();
    Wanted {
        users: Selection { base_dns: vec![base], filter: Some("(sAMAccountName=*)".to_owned()) },
        user_attributes: vec![AttributeName::new("sAMAccountName")],
        groups: None,
        group_attributes: vec![],
        membership: false,
        scope_groups: vec![],
    }
}

/// Somebody who follows the changes of a domain.
struct Follower {
    directory: Directory,
    mark: Watermark,
}

impl Follower {
    async fn new(samba: &Samba, account: Account, tracking: Tracking) -> Self {
        let mut settings = samba.settings(account);
        settings.tracking = tracking;
        let directory = Directory::new(settings);
        let (reading, _) = read(&directory).await;
        Self { directory, mark: reading.watermark.expect("changes are tracked") }
    }

    /// What changed since the last time.
    async fn delta(&mut self) -> Delta {
        match self.directory.changes(&staff(), &self.mark).await.unwrap() {
            Changes::Since(delta) => {
                self.mark = delta.watermark.clone();
                delta
            }
            Changes::Lost(why) => panic!("lost: {why}"),
        }
    }

    async fn lost(&self) -> String {
        match self.directory.changes(&staff(), &self.mark).await.unwrap() {
            Changes::Lost(why) => why,
            Changes::Since(delta) => panic!("not lost: {delta:?}"),
        }
    }

    /// Changes what the watermark says of how far the changes were told.
    fn rewrite(&mut self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut text: serde_json::Value = serde_json::from_str(self.mark.as_str()).unwrap();
        change(&mut text["at"]);
        self.mark = Watermark::new(&text.to_string());
    }
}

async fn read(directory: &Directory) -> (Reading, Vec<Entry>) {
    let (sender, mut receiver) = mpsc::channel(16);
    let taking = tokio::spawn(async move {
        let mut entries = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    });
    let reading = directory.read(&staff(), sender).await.unwrap();
    assert!(reading.coverage.is_full(), "{reading:?}");
    (reading, taking.await.unwrap())
}

/// What was told, one line each: the kind and the first two RDNs. Bookkeeping of the domain itself is left out, such as
/// the time of the administrator's last logon.
fn told(delta: &Delta) -> Vec<String> {
    let line = |touched: &Touched| {
        let dn = touched.dn.as_str().trim_end_matches(SUFFIX).trim_end_matches(',').to_owned();
        format!("{:?} {dn}", touched.kind)
    };
    let mut lines: Vec<String> = delta.touched.values().map(line).filter(|line| !line.contains("CN=Users")).collect();
    lines.sort();
    lines
}

/// The id of an entry as an independent decoder prints it.
fn id(samba: &Samba, name: &str) -> EntryId {
    let text = samba.ldbsearch(SUFFIX, &format!("(sAMAccountName={name})"), &["objectGUID"]);
    let guid = text.lines().find_map(|line| line.strip_prefix("objectGUID: ")).unwrap_or_else(|| panic!("no {name}: {text}"));
    EntryId::new(guid)
}

fn ids(all: &[&EntryId]) -> BTreeSet<EntryId> {
    all.iter().map(|id| (*id).clone()).collect()
}

/// What both feeds tell alike, to an account with every right.
async fn follows_every_change(tracking: Tracking) {
    let samba = Samba::start(CONTENT);
    let (ada, bob, team) = (id(&samba, "ada"), id(&samba, "bob"), id(&samba, "team"));
    let mut follower = Follower::new(&samba, Account::SeesDeletedAndMayReplicate, tracking).await;
    // The administrator's first logon is written down once.
    samba.ldapsearch(SUFFIX, "(objectClass=domainDNS)", &["1.1"]);
    follower.delta().await;

    let nothing = follower.delta().await;
    assert_eq!((told(&nothing), nothing.gone.len(), nothing.present), (vec![], 0, None), "nothing changed");

    samba.ldapadd(&format!("dn: CN=Cid,OU=Staff,{SUFFIX}\nobjectClass: user\nsAMAccountName: cid\n"));
    let made = follower.delta().await;
    assert_eq!(told(&made), ["User CN=Cid,OU=Staff"]);
    assert_eq!(made.touched.keys().collect::<Vec<_>>(), [&id(&samba, "cid")]);

    samba.ldapmodify(&format!(
        "dn: CN=Ada,OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 546\n"
    ));
    let disabled = follower.delta().await;
    assert_eq!((told(&disabled), disabled.touched.contains_key(&ada)), (vec!["User CN=Ada,OU=Staff".to_owned()], true));

    samba.ldapmodify(&format!(
        "dn: CN=Team,OU=Staff,{SUFFIX}\nchangetype: modify\nadd: member\nmember: CN=Bob,OU=Staff,{SUFFIX}\n"
    ));
    assert_eq!(told(&follower.delta().await), ["Group CN=Team,OU=Staff"]);
    samba.ldapmodify(&format!(
        "dn: CN=Team,OU=Staff,{SUFFIX}\nchangetype: modify\ndelete: member\nmember: CN=Ada,OU=Staff,{SUFFIX}\n"
    ));
    assert_eq!(told(&follower.delta().await), ["Group CN=Team,OU=Staff"]);

    samba.ldapmodify(&format!("dn: CN=Ada,OU=Staff,{SUFFIX}\nchangetype: modrdn\nnewrdn: CN=Ada King\ndeleteoldrdn: 1\n"));
    let renamed = follower.delta().await;
    assert_eq!((told(&renamed), renamed.touched.contains_key(&ada)), (vec!["User CN=Ada King,OU=Staff".to_owned()], true));

    // Out of the admin's base.
    samba.ldapmodify(&format!(
        "dn: CN=Ada King,OU=Staff,{SUFFIX}\nchangetype: modrdn\nnewrdn: CN=Ada King\ndeleteoldrdn: 1\nnewsuperior: OU=Away,{SUFFIX}\n"
    ));
    let moved = follower.delta().await;
    assert_eq!((told(&moved), moved.touched.contains_key(&ada)), (vec!["User CN=Ada King,OU=Away".to_owned()], true));

    // Nothing is told of those below.
    samba.ldapmodify(&format!("dn: OU=Away,{SUFFIX}\nchangetype: modrdn\nnewrdn: OU=Far\ndeleteoldrdn: 1\n"));
    assert_eq!(told(&follower.delta().await), ["Container OU=Far"]);

    samba.ldapdelete(&[&format!("CN=Bob,OU=Staff,{SUFFIX}"), &format!("CN=Team,OU=Staff,{SUFFIX}")]);
    let deleted = follower.delta().await;
    assert_eq!(deleted.gone, ids(&[&bob, &team]));
    assert_eq!(told(&deleted), Vec::<String>::new());

    let tombstone = format!("CN=Bob\\0ADEL:{bob},CN=Deleted Objects,{SUFFIX}");
    samba.ldapmodify_deleted(&format!(
        "dn: {tombstone}\nchangetype: modify\ndelete: isDeleted\n-\nreplace: distinguishedName\ndistinguishedName: CN=Bob,OU=Staff,{SUFFIX}\n"
    ));
    let restored = follower.delta().await;
    assert_eq!(
        (restored.gone.len(), restored.touched.get(&bob).map(|touched| touched.kind)),
        (0, Some(Kind::User)),
        "{restored:?}"
    );
    assert_eq!(told(&restored), ["User CN=Bob,OU=Staff"]);

    // Several at once, and a made one that is gone again.
    samba.ldapadd(&format!("dn: CN=Dan,OU=Far,{SUFFIX}\nobjectClass: user\nsAMAccountName: dan\n\ndn: CN=Eva,OU=Far,{SUFFIX}\nobjectClass: user\nsAMAccountName: eva\n"));
    let eva = id(&samba, "eva");
    samba.ldapdelete(&[&format!("CN=Eva,OU=Far,{SUFFIX}")]);
    let both = follower.delta().await;
    assert_eq!((told(&both), both.gone), (vec!["User CN=Dan,OU=Far".to_owned()], ids(&[&eva])));
    let nothing = follower.delta().await;
    assert_eq!((told(&nothing), nothing.gone.len()), (vec![], 0), "nothing changed");
}

#[tokio::test]
async fn samba_tells_every_change_by_update_sequence_numbers() {
    follows_every_change(Tracking::Usn).await;
}

#[tokio::test]
async fn samba_tells_every_change_by_dirsync() {
    follows_every_change(Tracking::DirSync).await;
}

#[tokio::test]
async fn samba_tells_what_changed_during_the_full_reading_again() {
    let samba = Samba::start(CONTENT);
    for tracking in [Tracking::Usn, Tracking::DirSync] {
        let mut settings = samba.settings(Account::SeesDeletedAndMayReplicate);
        settings.tracking = tracking;
        let directory = Directory::new(settings);
        // One place in the channel: the reading waits for its reader when the first users come.
        let (sender, mut receiver) = mpsc::channel(1);
        let wanted = staff();
        let reading = directory.read(&wanted, sender);
        let meanwhile = async {
            receiver.recv().await.unwrap();
            samba.ldapmodify(&format!(
                "dn: CN=Ada,OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: mail\nmail: {tracking:?}@example.com\n"
            ));
            while receiver.recv().await.is_some() {}
        };
        let (reading, ()) = tokio::join!(reading, meanwhile);
        let mut follower = Follower { directory, mark: reading.unwrap().watermark.unwrap() };
        assert!(told(&follower.delta().await).contains(&"User CN=Ada,OU=Staff".to_owned()), "{tracking:?}");
    }
}

#[tokio::test]
async fn samba_shows_an_account_without_rights_who_is_there_every_ten_minutes() {
    let samba = Samba::start(CONTENT);
    let (ada, bob, team) = (id(&samba, "ada"), id(&samba, "bob"), id(&samba, "team"));
    let mut followers = [
        Follower::new(&samba, Account::Plain, Tracking::Usn).await,
        Follower::new(&samba, Account::MayReplicate, Tracking::DirSync).await,
    ];
    samba.ldapdelete(&[&format!("CN=Bob,OU=Staff,{SUFFIX}")]);
    for follower in &mut followers {
        let delta = follower.delta().await;
        assert_eq!((delta.gone.len(), delta.present), (0, None), "it sees no tombstone, and the full reading is fresh");

        follower.rewrite(|at| at["ids"] = 0.into());
        let delta = follower.delta().await;
        let present = delta.present.expect("ten minutes have passed");
        assert!(present.contains(&ada) && present.contains(&team) && !present.contains(&bob), "{present:?}");
        assert_eq!(follower.delta().await.present, None, "and begin anew");
    }
}

#[tokio::test]
async fn samba_shows_an_account_that_sees_deleted_entries_nobody_but_them() {
    let samba = Samba::start(CONTENT);
    let bob = id(&samba, "bob");
    let mut followers = [
        Follower::new(&samba, Account::SeesDeleted, Tracking::Usn).await,
        Follower::new(&samba, Account::SeesDeletedAndMayReplicate, Tracking::DirSync).await,
    ];
    samba.ldapdelete(&[&format!("CN=Bob,OU=Staff,{SUFFIX}")]);
    for follower in &mut followers {
        follower.rewrite(|at| at["ids"] = 0.into());
        let delta = follower.delta().await;
        assert_eq!((delta.gone, delta.present), (ids(&[&bob]), None), "it sees that it sees tombstones");
    }
}

#[tokio::test]
async fn samba_tells_by_dirsync_only_who_may_replicate() {
    let samba = Samba::start(CONTENT);
    let watermark = |account, tracking| {
        let mut settings = samba.settings(account);
        settings.tracking = tracking;
        async move { read(&Directory::new(settings)).await.0.watermark }
    };
    assert_eq!(watermark(Account::Plain, Tracking::DirSync).await, None);
    assert_eq!(watermark(Account::SeesDeleted, Tracking::DirSync).await, None);
    assert!(watermark(Account::MayReplicate, Tracking::DirSync).await.is_some());
    assert!(watermark(Account::Plain, Tracking::Usn).await.is_some());
}

#[tokio::test]
async fn samba_as_another_domain_controller_or_put_back_tells_nothing_rather_than_a_gap() {
    let samba = Samba::start(CONTENT);
    let copy = samba.start_copy_with_new_invocation_id();
    for tracking in [Tracking::Usn, Tracking::DirSync] {
        let mut follower = Follower::new(&samba, Account::SeesDeletedAndMayReplicate, tracking).await;
        let mut settings = copy.settings(Account::SeesDeletedAndMayReplicate);
        settings.tracking = tracking;
        let there = Follower { directory: Directory::new(settings), mark: follower.mark.clone() };
        let why = there.lost().await;
        assert!(why.contains("dc1.ad.test") && why.contains("invocationId"), "{why}");

        follower.delta().await;
        follower.rewrite(|at| at["usn"] = 1_000_000.into());
        let why = follower.lost().await;
        assert!(why.contains("1000000") && why.contains("put back"), "{why}");

        follower.rewrite(|at| *at = "junk".into());
        follower.lost().await;
    }
    let mut follower = Follower::new(&samba, Account::MayReplicate, Tracking::DirSync).await;
    follower.rewrite(|at| at["cookies"][SUFFIX] = "anVuaw==".into());
    let why = follower.lost().await;
    assert!(why.contains("DirSync"), "a cookie that the server does not take: {why}");
}

#[tokio::test]
async fn samba_says_within_a_second_that_something_changed() {
    let samba = Samba::start(CONTENT);
    for tracking in [Tracking::Usn, Tracking::DirSync] {
        let mut follower = Follower::new(&samba, Account::SeesDeletedAndMayReplicate, tracking).await;
        // The administrator's logon is a change too.
        samba.ldapsearch(SUFFIX, "(objectClass=domainDNS)", &["1.1"]);
        follower.delta().await;
        let (sender, mut heard) = mpsc::channel(1);
        let mut settings = samba.settings(Account::SeesDeletedAndMayReplicate);
        settings.tracking = tracking;
        let (mark, watching) = (follower.mark.clone(), Directory::new(settings));
        let watching = tokio::spawn(async move { watching.watch(&staff(), &mark, sender).await });
        let hear =
            async |heard: &mut mpsc::Receiver<Option<Delta>>| tokio::time::timeout(Duration::from_secs(5), heard.recv()).await;
        assert_eq!(hear(&mut heard).await, Ok(Some(None)), "it listens");
        for (number, dn) in ["CN=Ada,OU=Staff", "OU=Away", "CN=Ada,OU=Staff"].into_iter().enumerate() {
            samba.ldapmodify(&format!(
                "dn: {dn},{SUFFIX}\nchangetype: modify\nreplace: description\ndescription: {tracking:?} {number}\n"
            ));
            let changed = std::time::Instant::now();
            assert_eq!(hear(&mut heard).await, Ok(Some(None)), "{dn}");
            assert!(changed.elapsed() < Duration::from_secs(1), "{:?}", changed.elapsed());
            let lines = told(&follower.delta().await);
            assert!(lines.len() == 1 && lines[0].ends_with(dn), "{lines:?}");
        }
        watching.abort();
    }
}

#[tokio::test]
async fn samba_ends_the_watch_with_an_error_when_it_goes() {
    let mut samba = Samba::start(CONTENT);
    let follower = Follower::new(&samba, Account::Plain, Tracking::Usn).await;
    let (sender, mut heard) = mpsc::channel(1);
    let watching = tokio::spawn(async move { follower.directory.watch(&staff(), &follower.mark, sender).await });
    assert_eq!(heard.recv().await, Some(None));
    samba.stop();
    let error = watching.await.unwrap().to_string();
    assert!(error.contains("tell of changes"), "{error}");
}

#[tokio::test]
async fn an_account_of_samba_that_expires_is_disabled_then_and_not_before() {
    let samba = Samba::start(CONTENT);
    let expires = |name: &str, at: &str| {
        samba.ldapmodify(&format!(
            "dn: CN={name},OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: accountExpires\naccountExpires: {at}\n"
        ));
    };
    // 2020-01-01 and 2100-01-01.
    expires("Ada", "132223104000000000");
    expires("Bob", "157469184000000000");
    let (_, entries) = read(&Directory::new(samba.settings(Account::Plain))).await;
    let status = |name: &str| {
        let entry = entries.iter().find(|entry| entry.id == id(&samba, name)).unwrap();
        (entry.status, entry.status_until)
    };
    assert_eq!(status("ada"), (Status::Disabled, None));
    assert_eq!(status("bob"), (Status::Enabled, Some(Moment(4_102_444_800_000))));
}
