//! Seats on the disk: one transaction, nothing written twice, nothing kept for ever.

use ldap2scim::model::{Alias, LinkedCounts, Moment, Seat, Seats, Settlement, Watermark};
use ldap2scim::store::{HearingStatus, TrackingStatus};

use super::super::roster::{all, ask, dn, everybody, names, person, settle, settlement, standing, team};
use super::*;
use ldap2scim::cycle::SeatQuestion;

/// A look at the tables themselves.
fn beside(directory: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file(directory)).unwrap()
}

const TABLES: [&str; 8] = ["roster", "seat", "roster_name", "seat_name", "seat_member", "seat_reference", "container", "pending"];

fn rows(directory: &Path) -> Vec<i64> {
    let connection = beside(directory);
    let count = |table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    TABLES.into_iter().map(count).collect()
}

fn some_seats() -> Vec<Seat> {
    let mut ada = Seat { aliases: vec![Alias::new("uid", "ada")], ..person("ada", "cn=ada") };
    ada.references.insert(dn("cn=boss").key().clone());
    vec![ada, person("boss", "cn=boss"), team("g", "cn=g", "cn=ada uid:ada cn=unknown")]
}

#[tokio::test]
async fn a_settlement_that_fails_leaves_everything_as_it_was() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    settle(&store, cycle, settlement("w1", all(some_seats()))).await;
    let (before, seats) = (standing(&store).await, everybody(&store).await);
    // The very last thing that a settlement writes is refused.
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON pending BEGIN SELECT raise(ABORT, 'refused'); END";
    beside(subject.path()).execute_batch(trigger).unwrap();
    let containers = BTreeMap::from([(EntryId::new("ou"), dn("ou=x"))]);
    for seats in
        [Seats::All(vec![person("new", "cn=new")], containers), Seats::Changed(vec![person("new", "cn=new")], set("ada"))]
    {
        let settlement = Settlement {
            pending: set("x"),
            counted: Some((LinkedCounts { users: 1, ..LinkedCounts::default() }, 1, 1)),
            ..settlement("w2", seats)
        };
        let error = store.settle(cycle, Some(settlement)).await.unwrap_err().to_string();
        assert!(error.contains("refused"), "{error}");
    }
    assert_eq!(standing(&store).await, before);
    assert_eq!(everybody(&store).await, seats);
    assert!(store.containers(&ChannelName::new("c")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_settlement_is_on_the_disk_when_it_is_answered_watermark_and_seats_together() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    settle(&store, cycle, settlement("w1", all(some_seats()))).await;
    settle(&store, cycle, settlement("w2", Seats::Changed(vec![person("new", "cn=new")], set("boss")))).await;
    let copy = killed(subject.path());
    let reopened = Sqlite::open(copy.path()).unwrap();
    assert_eq!(standing(&reopened).await.unwrap().watermark, Watermark::new("w2"));
    assert_eq!(everybody(&reopened).await.into_keys().collect::<BTreeSet<_>>(), set("ada g new"));
}

#[tokio::test]
async fn a_status_becomes_due_when_its_time_comes() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let at = Moment((1_700_000_000 + 60) * 1000);
    settle(&store, cycle, settlement("w", all(vec![Seat { status_until: Some(at), ..person("a", "cn=a") }]))).await;
    subject.advance(Duration::from_secs(59));
    assert_eq!(standing(&store).await.unwrap().due, set(""));
    subject.advance(Duration::from_secs(1));
    assert_eq!(standing(&store).await.unwrap().due, set("a"));
    let plan: Vec<String> = beside(subject.path())
        .prepare("EXPLAIN QUERY PLAN SELECT entry_id FROM seat WHERE roster = ?1 AND status_until <= ?2")
        .unwrap()
        .query_map([1, 1], |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(plan[0].contains("seat_by_status_until"), "{plan:?}");
}

#[tokio::test]
async fn what_is_equal_is_not_written_again_and_what_is_gone_leaves_nothing() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let everybody: String = (0..2000).map(|number| format!("cn=m{number} ")).collect();
    let mut seats: Vec<Seat> = (0..2000).map(|number| person(&format!("m{number}"), &format!("cn=m{number}"))).collect();
    seats.push(team("g", "cn=g", &everybody));
    let containers = || BTreeMap::from([(EntryId::new("ou"), dn("ou=x"))]);
    let settled = async |seats: &[Seat]| {
        let connection = beside(subject.path());
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let size = || std::fs::metadata(subject.path().join("state.sqlite-wal")).unwrap().len();
        let before = size();
        let seats = Seats::All(seats.to_vec(), containers());
        settle(&store, cycle, Settlement { pending: set("p"), ..settlement("w", seats) }).await;
        size() - before
    };
    assert!(settled(&seats).await > 200_000);
    assert!(settled(&seats).await < 10_000, "one row of its own");
    seats[2000] = team("g", "cn=g", everybody.trim_start_matches("cn=m0 "));
    assert!(settled(&seats).await < 60_000, "one member of two thousand");
    assert_eq!(rows(subject.path()), [1, 2001, 2001, 2001, 1999, 0, 1, 1]);
    assert_eq!(ask(&store, SeatQuestion::Above(names("cn=m0"))).await.len(), 0);
    assert_eq!(ask(&store, SeatQuestion::Above(names("cn=m1"))).await.len(), 1);
    settled(&some_seats()).await;
    assert_eq!(rows(subject.path()), [1, 3, 5, 4, 3, 1, 1, 1], "names that nobody has any more go with the last tie");
    settle(&store, cycle, settlement("w", Seats::Changed(vec![], set("ada boss g")))).await;
    assert_eq!(rows(subject.path()), [1, 0, 0, 0, 0, 0, 1, 0]);
    store.settle(cycle, None).await.unwrap();
    assert_eq!(rows(subject.path()), [0; 8]);
}

#[tokio::test]
async fn a_channel_without_cycles_for_as_long_as_history_is_kept_loses_its_seats() {
    let subject = OnDisk::new();
    let store = subject.open();
    let (removed, quiet) = (begin(&store, "removed").await, begin(&store, "quiet").await);
    for cycle in [removed, quiet] {
        let seats = Seats::All(some_seats(), [(EntryId::new("ou"), dn("ou=x"))].into());
        settle(&store, cycle, Settlement { pending: set("x"), ..settlement("w", seats) }).await;
        store.finish(cycle, &summary(CycleEnd::Done)).await.unwrap();
    }
    let run = async |channel: &str, until: i64| {
        loop {
            let cycle = begin(&store, channel).await;
            store.finish(cycle, &summary(CycleEnd::Done)).await.unwrap();
            if cycle.0 % until == 0 {
                return;
            }
        }
    };
    subject.advance(DAY * 89);
    run("quiet", 50).await;
    assert_eq!(rows(subject.path())[0], 2);
    subject.advance(DAY * 2);
    run("other", 100).await;
    assert_eq!(rows(subject.path())[..2], [1, 3], "one that has cycles stays, though it settled nothing");
    assert!(store.standing(&ChannelName::new("quiet")).await.unwrap().is_some());
    assert!(store.standing(&ChannelName::new("removed")).await.unwrap().is_none());
    assert_eq!(rows(subject.path())[6..], [1, 1]);
}

#[tokio::test]
async fn status_tells_how_changes_are_heard_until_nobody_hears() {
    let subject = OnDisk::new();
    let store = subject.open();
    begin(&store, "c").await;
    let hearing = || subject.view().channels().unwrap().remove(0).hearing;
    assert_eq!(hearing(), None);
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    for (hears, why, signed) in [(false, None, 1), (false, Some("it is down".to_owned()), 2), (true, None, 3)] {
        let told = HearingStatus { hears, why, since: at(0), signed_at: at(signed) };
        store.sign(&ChannelName::new("c"), told.clone()).await.unwrap();
        assert_eq!(hearing(), Some(told));
    }
    store.unsign().await.unwrap();
    assert_eq!(hearing(), None);
}

#[tokio::test]
async fn status_tells_since_when_changes_are_followed_and_how_many_are_still_to_be_made() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let tracking = || subject.view().channels().unwrap().remove(0).tracking;
    assert_eq!(tracking(), None);
    settle(&store, cycle, Settlement { pending: set("x y"), ..settlement("w", all(some_seats())) }).await;
    let full_at = Timestamp::from_second(1_700_000_000).unwrap();
    assert_eq!(tracking(), Some(TrackingStatus { watermark: Watermark::new("w"), full_at, pending: 2 }));
    subject.advance(DAY);
    settle(&store, cycle, settlement("w", Seats::Changed(vec![], set("")))).await;
    assert_eq!(tracking(), Some(TrackingStatus { watermark: Watermark::new("w"), full_at, pending: 0 }));
    store.settle(cycle, None).await.unwrap();
    assert_eq!(tracking(), None);
}

#[tokio::test]
async fn a_view_tells_of_seats_what_the_writer_does() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    link(&store, cycle, "ada").await;
    settle(&store, cycle, settlement("w", Seats::All(some_seats(), [(EntryId::new("ou"), dn("ou=x"))].into()))).await;
    let (view, channel, target) = (subject.view(), ChannelName::new("c"), TargetName::new("t"));
    assert_eq!(view.standing(&channel).unwrap(), store.standing(&channel).await.unwrap());
    assert_eq!(view.seated(&channel).unwrap(), store.seated(&channel).await.unwrap());
    assert_eq!(view.containers(&channel).unwrap(), store.containers(&channel).await.unwrap());
    let question = || SeatQuestion::Below(set("g"));
    assert_eq!(view.seats(&channel, &question()).unwrap(), store.seats(&channel, question()).await.unwrap());
    let part = ldap2scim::cycle::Part { entries: set("ada"), ..Default::default() };
    assert_eq!(view.load_some(&target, &channel, DAY, &part).unwrap().links.len(), 1);
}

/// The name that each link is found by, and the one that its resource acknowledged.
async fn found_and_acknowledged(subject: &OnDisk, store: &Sqlite) -> [BTreeMap<String, Option<String>>; 2] {
    let found = beside(subject.path())
        .prepare("SELECT entry_id, name FROM link")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let links = load(store).await.links;
    [found, links.into_iter().map(|(id, link)| (id.to_string(), link.acknowledged.name().map(str::to_lowercase))).collect()]
}

#[tokio::test]
async fn a_link_is_found_by_the_name_that_its_resource_acknowledged_last() {
    let subject = OnDisk::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let moved = |id: &str, edits| Recorded::Edited { resource_id: ResourceId::new(id), edits };
    let partly = |edits| Recorded::Partly { resource_id: ResourceId::new("g2"), edits, tally: Tally::default() };
    let relinked = || Recorded::Relinked { from: EntryId::new("g"), tally: Tally::default() };
    let managed = Edit::Attribute { path: path("manager"), before: None, after: Some(Value::Reference(EntryId::new("boss"))) };
    let steps = [
        ("u", linked("u", user("ÄDA"))),
        ("g", linked("g", group("Team", "u"))),
        ("boss", linked("boss", user("Boss"))),
        ("u", edited("u", vec![attribute("userName", Some("Édith")), managed])),
        ("boss", Recorded::Gone),
        ("u", edited("u", vec![attribute("title", Some("x"))])),
        ("g", moved("g2", vec![attribute("displayName", Some("Other"))])),
        ("g", partly(vec![attribute("displayName", Some("Third")), members("x", "")])),
        ("new", relinked()),
        ("new", Recorded::Corrected(group("Corrected", ""))),
        ("new", edited("new", vec![attribute("displayName", None)])),
        ("u", Recorded::Linked { resource_id: ResourceId::new("again"), origin: Origin::Adopted, acknowledged: user("Again") }),
    ];
    for (number, (entry, result)) in steps.into_iter().enumerate() {
        store.record(cycle, vec![record(None, entry, result, Some(true))]).await.unwrap();
        let [found, acknowledged] = found_and_acknowledged(&subject, &store).await;
        assert_eq!(found, acknowledged, "step {number}");
    }
    let [found, _] = found_and_acknowledged(&subject, &store).await;
    assert_eq!(found, BTreeMap::from([("new".to_owned(), None), ("u".to_owned(), Some("again".to_owned()))]));
}

#[tokio::test]
async fn links_of_the_second_schema_are_found_by_their_names() {
    let subject = OnDisk::new();
    let connection = beside(subject.path());
    connection.execute_batch(include_str!("../../../../src/store/migrations/001_first.sql")).unwrap();
    connection.execute_batch(include_str!("../../../../src/store/migrations/002_knowledge.sql")).unwrap();
    connection
        .execute_batch(
            r#"PRAGMA application_id = 0x6C327363;
            PRAGMA user_version = 2;
            INSERT INTO link (id, target, entry_id, resource_type, resource_id, origin, attributes, created_at, changed_at) VALUES
                (1, 't', 'u', 'user', '1', 'created', '{"v":1,"attributes":{"userName":"ÄDA","displayName":"No"}}', 1, 1),
                (2, 't', 'g', 'group', '2', 'created', '{"v":1,"attributes":{"displayName":"Team"}}', 1, 1),
                (3, 't', 'none', 'user', '3', 'created', '{"v":1,"attributes":{}}', 1, 1);"#,
        )
        .unwrap();
    std::fs::set_permissions(file(subject.path()), std::fs::Permissions::from_mode(0o600)).unwrap();
    drop(connection);
    let store = subject.open();
    let [found, acknowledged] = found_and_acknowledged(&subject, &store).await;
    assert_eq!(found, acknowledged);
    assert_eq!((found.len(), found["u"].as_deref()), (3, Some("äda")));
    let names = [(ResourceType::User, "äda".to_owned()), (ResourceType::Group, "TEAM".to_owned())].into();
    let part = ldap2scim::cycle::Part { names, ..Default::default() };
    let some = store.load_some(&TargetName::new("t"), &ChannelName::new("c"), DAY, &part).await.unwrap();
    assert_eq!(some.links.into_keys().collect::<BTreeSet<_>>(), set("u g"));
}

#[tokio::test]
async fn a_cycle_over_changes_replaces_what_is_held_of_those_it_judged() {
    let subject = OnDisk::new();
    let store = subject.open();
    let finish = async |who: Vec<Held>, judged: Option<&str>| {
        let cycle = begin(&store, "c").await;
        let summary = CycleSummary { held: Some(who), judged: judged.map(set), ..summary(CycleEnd::DoneWithHeld) };
        store.finish(cycle, &summary).await.unwrap();
        subject.advance(Duration::from_secs(1));
        let held = subject.view().channels().unwrap().remove(0).held;
        held.into_iter()
            .map(|held| format!("{} {} {}", held.name, held.why, held.since.as_second() - 1_700_000_000))
            .collect::<Vec<_>>()
    };
    assert_eq!(finish(vec![held("a", "one"), held("b", "one"), held("c", "one")], None).await, ["a one 0", "b one 0", "c one 0"]);
    assert_eq!(
        finish(vec![held("b", "two"), held("d", "new")], Some("a b d x")).await,
        ["b two 0", "c one 0", "d new 1"],
        "a was judged and is fine, nobody looked at c"
    );
    assert_eq!(finish(vec![], Some("")).await, ["b two 0", "c one 0", "d new 1"]);
    assert_eq!(finish(vec![], None).await, Vec::<String>::new());
}
