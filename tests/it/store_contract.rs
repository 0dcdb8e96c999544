//! The checks that every store passes, then those of the SQLite store alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ldap2scim::cycle::{
    CycleEnd, CycleId, CycleStart, CycleSummary, Intent, IntentId, Record, Recorded, Store, StoreError, Trigger,
};
use ldap2scim::model::{
    AttributePath, ChannelName, EntryId, Fact, Knowledge, Leaver, LinkedCounts, Origin, Resource, ResourceId, ResourceType,
    Snapshot, TargetName, Uncertain, Value, Witness,
};
use ldap2scim::plan::{Action, Change, ClaimAfter, Edit, Reason, Tally};

mod roster;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A store that can be opened again and again on the same state, with a clock that the test moves.
trait Subject {
    type Store: Store;
    fn new() -> Self;
    fn open(&self) -> Self::Store;
    fn advance(&self, time: Duration);
}

fn set(ids: &str) -> BTreeSet<EntryId> {
    ids.split_whitespace().map(EntryId::new).collect()
}

fn path(text: &str) -> AttributePath {
    AttributePath::parse(text).unwrap()
}

fn paths(texts: &str) -> BTreeSet<AttributePath> {
    texts.split_whitespace().map(path).collect()
}

fn user(name: &str) -> Resource {
    let mut user = Resource::empty(ResourceType::User);
    user.attributes.insert(path("userName"), name.into());
    user.attributes.insert(path("active"), Value::Flag(true));
    user
}

fn group(name: &str, members: &str) -> Resource {
    let mut group = Resource::empty(ResourceType::Group);
    group.attributes.insert(path("displayName"), name.into());
    group.members = set(members);
    group
}

fn attribute(at: &str, after: Option<&str>) -> Edit {
    Edit::Attribute { path: path(at), before: None, after: after.map(Value::from) }
}

fn members(add: &str, remove: &str) -> Edit {
    Edit::Members { add: set(add), remove: set(remove) }
}

fn update(entry: &str, edits: Vec<Edit>) -> Intent {
    intent(
        entry,
        ResourceType::User,
        Action::Update { resource_id: ResourceId::new(&format!("r-{entry}")), edits },
        Tally::default(),
    )
}

fn delete(entry: &str, tally: Tally) -> Intent {
    intent(entry, ResourceType::User, Action::Delete { resource_id: ResourceId::new(&format!("r-{entry}")) }, tally)
}

fn create(entry: &str) -> Intent {
    intent(entry, ResourceType::User, Action::Create(user(entry)), Tally::default())
}

fn intent(entry: &str, resource_type: ResourceType, action: Action, tally: Tally) -> Intent {
    let change = Change {
        entry_id: EntryId::new(entry),
        resource_type,
        name: entry.to_owned(),
        action,
        reason: Reason::AttributesDiffer,
        claim: ClaimAfter::Held,
        tally,
    };
    Intent { change, tally }
}

fn record(intent: Option<IntentId>, entry: &str, result: Recorded, claim: Option<bool>) -> Record {
    Record { intent, entry_id: EntryId::new(entry), resource_type: ResourceType::User, result, claim }
}

fn linked(entry: &str, acknowledged: Resource) -> Recorded {
    Recorded::Linked { resource_id: ResourceId::new(&format!("r-{entry}")), origin: Origin::Created, acknowledged }
}

fn edited(entry: &str, edits: Vec<Edit>) -> Recorded {
    Recorded::Edited { resource_id: ResourceId::new(&format!("r-{entry}")), edits }
}

fn summary(end: CycleEnd) -> CycleSummary {
    CycleSummary { end, messages: Vec::new(), counts: Vec::new(), held: None, judged: None, quarantine: None }
}

async fn begin(store: &impl Store, channel: &str) -> CycleId {
    begin_with(store, channel, Trigger::Sync, LinkedCounts::default()).await
}

async fn begin_with(store: &impl Store, channel: &str, trigger: Trigger, linked: LinkedCounts) -> CycleId {
    let (channel, target) = (ChannelName::new(channel), TargetName::new("t"));
    store.begin(&CycleStart { channel, target, trigger, linked }).await.unwrap()
}

async fn load(store: &impl Store) -> Snapshot {
    load_as(store, "c").await
}

async fn load_as(store: &impl Store, channel: &str) -> Snapshot {
    store.load(&TargetName::new("t"), &ChannelName::new(channel), DAY).await.unwrap()
}

async fn intend(store: &impl Store, cycle: CycleId, intent: Intent) -> IntentId {
    store.intend(cycle, vec![intent]).await.unwrap()[0]
}

/// Links entries as users, each in a record of its own.
async fn link(store: &impl Store, cycle: CycleId, entries: &str) {
    let records = entries.split_whitespace().map(|entry| record(None, entry, linked(entry, user(entry)), Some(true)));
    store.record(cycle, records.collect()).await.unwrap();
}

fn uncertain(snapshot: &Snapshot, entry: &str) -> Uncertain {
    snapshot.links[&EntryId::new(entry)].uncertain.clone()
}

/// What every store does.
mod contract {
    use super::*;

    pub async fn a_fresh_store_remembers_nothing<S: Subject>() {
        let subject = S::new();
        let snapshot = load(&subject.open()).await;
        assert_eq!(snapshot, Snapshot { first: true, ..Snapshot::default() });
    }

    pub async fn a_link_comes_back_as_it_was_recorded<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let mut ada = user("Ada \"𝒜\" \\ \u{0}\u{202e}Löwe");
        ada.attributes.insert(path("emails[type eq \"work\"].value"), "ada@example.com".into());
        let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
        ada.attributes.insert(path(manager), Value::Reference(EntryId::new("boss")));
        let team = group("Team, \"A\"", "ada nobody boss");
        let adopted =
            Recorded::Linked { resource_id: ResourceId::new("g/1 ü"), origin: Origin::Adopted, acknowledged: team.clone() };
        let records = vec![record(None, "ada", linked("ada", ada.clone()), Some(true)), record(None, "team", adopted, None)];
        store.record(cycle, records).await.unwrap();
        drop(store);
        let snapshot = load(&subject.open()).await;
        let link = &snapshot.links[&EntryId::new("ada")];
        assert_eq!((&link.acknowledged, link.origin, link.resource_id.as_str()), (&ada, Origin::Created, "r-ada"));
        assert!(link.uncertain.is_empty());
        let link = &snapshot.links[&EntryId::new("team")];
        assert_eq!((&link.acknowledged, link.origin, link.resource_id.as_str()), (&team, Origin::Adopted, "g/1 ü"));
        assert_eq!(snapshot.claims, BTreeMap::from([(EntryId::new("ada"), [ChannelName::new("c")].into())]));
        let elsewhere = subject.open();
        let other = elsewhere.load(&TargetName::new("other"), &ChannelName::new("c"), DAY).await.unwrap();
        assert!(other.links.is_empty());
    }

    pub async fn edits_change_what_is_acknowledged_and_may_change_the_id<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        store.record(cycle, vec![record(None, "g", linked("g", group("Old", "a b c")), Some(true))]).await.unwrap();
        let edits = vec![attribute("displayName", Some("New")), attribute("externalId", Some("g")), members("d e", "a zz")];
        let result = Recorded::Edited { resource_id: ResourceId::new("moved"), edits };
        store.record(cycle, vec![record(None, "g", result, None)]).await.unwrap();
        store.record(cycle, vec![record(None, "g", edited("moved", vec![attribute("externalId", None)]), None)]).await.unwrap();
        let link = load(&store).await.links.remove(&EntryId::new("g")).unwrap();
        assert_eq!(link.acknowledged, group("New", "b c d e"));
        assert_eq!(link.resource_id.as_str(), "r-moved");
    }

    pub async fn linking_again_and_correcting_replace_what_was_acknowledged<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        store.record(cycle, vec![record(None, "g", linked("g", group("One", "a b")), Some(true))]).await.unwrap();
        let again = Recorded::Linked {
            resource_id: ResourceId::new("second"),
            origin: Origin::Adopted,
            acknowledged: group("Two", "b c"),
        };
        store.record(cycle, vec![record(None, "g", again, None)]).await.unwrap();
        let snapshot = load(&store).await;
        let link = &snapshot.links[&EntryId::new("g")];
        assert_eq!((&link.acknowledged, link.resource_id.as_str()), (&group("Two", "b c"), "second"));
        assert!(snapshot.is_claimed_by(&EntryId::new("g"), &ChannelName::new("c")), "a new link keeps its claims");
        let corrected = Recorded::Corrected(group("Three", "x"));
        store.record(cycle, vec![record(None, "g", corrected, None)]).await.unwrap();
        assert_eq!(load(&store).await.links[&EntryId::new("g")].acknowledged, group("Three", "x"));
    }

    pub async fn an_update_without_an_answer_is_uncertain_after_a_crash<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a b").await;
        intend(&store, cycle, update("a", vec![attribute("title", Some("x")), members("m", "n")])).await;
        drop(store);
        let snapshot = load(&subject.open()).await;
        assert_eq!(uncertain(&snapshot, "a"), Uncertain { paths: paths("title"), members: set("m n") });
        assert!(uncertain(&snapshot, "b").is_empty());
        assert_eq!(snapshot.links[&EntryId::new("a")].acknowledged, user("a"), "nothing was acknowledged");
    }

    pub async fn a_create_without_an_answer_is_told_until_it_is_settled<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let refused = intend(&store, cycle, create("refused")).await;
        intend(&store, cycle, create("found")).await;
        intend(&store, cycle, create("gone")).await;
        intend(&store, cycle, create("open")).await;
        store.record(cycle, vec![record(Some(refused), "refused", Recorded::Refused("no".into()), None)]).await.unwrap();
        drop(store);
        let store = subject.open();
        let unanswered = load(&store).await.unanswered_creates;
        assert_eq!(unanswered.keys().cloned().collect::<BTreeSet<_>>(), set("found gone open"));
        assert!(unanswered.values().all(|kind| kind.resource_type == ResourceType::User));
        let cycle = begin(&store, "c").await;
        let found = record(None, "found", linked("found", user("found")), Some(true));
        store.record(cycle, vec![found, record(None, "gone", Recorded::Gone, None)]).await.unwrap();
        assert_eq!(load(&store).await.unanswered_creates.into_keys().collect::<BTreeSet<_>>(), set("open"));
    }

    pub async fn a_delete_without_an_answer_leaves_the_link<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        intend(&store, cycle, delete("a", Tally { users_absent: 1, ..Tally::default() })).await;
        drop(store);
        let snapshot = load(&subject.open()).await;
        assert!(uncertain(&snapshot, "a").is_empty());
        assert!(snapshot.is_claimed_by(&EntryId::new("a"), &ChannelName::new("c")));
    }

    pub async fn later_edits_settle_exactly_what_they_speak_of<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let edits = vec![attribute("title", Some("x")), attribute("nickName", None), members("m n", "o")];
        intend(&store, cycle, update("a", edits)).await;
        let steps = [
            (vec![attribute("title", Some("y"))], Uncertain { paths: paths("nickName"), members: set("m n o") }),
            (vec![members("o", "n")], Uncertain { paths: paths("nickName"), members: set("m") }),
            (vec![members("m", "")], Uncertain { paths: paths("nickName"), members: set("") }),
            (vec![attribute("nickName", Some("z"))], Uncertain::default()),
        ];
        for (edits, left) in steps {
            let id = intend(&store, cycle, update("a", edits.clone())).await;
            store.record(cycle, vec![record(Some(id), "a", edited("a", edits), None)]).await.unwrap();
            assert_eq!(uncertain(&load(&store).await, "a"), left);
        }
    }

    pub async fn a_refused_edit_settles_nothing<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        intend(&store, cycle, update("a", vec![attribute("title", Some("x"))])).await;
        let id = intend(&store, cycle, update("a", vec![attribute("title", Some("y"))])).await;
        store.record(cycle, vec![record(Some(id), "a", Recorded::Refused("400".into()), None)]).await.unwrap();
        assert_eq!(uncertain(&load(&store).await, "a").paths, paths("title"));
    }

    pub async fn a_record_settles_nothing_that_is_sent_after_it<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let both = vec![create("a"), update("a", vec![attribute("title", Some("x"))])];
        let ids = store.intend(cycle, both).await.unwrap();
        store.record(cycle, vec![record(Some(ids[0]), "a", linked("a", user("a")), Some(true))]).await.unwrap();
        assert_eq!(uncertain(&load(&store).await, "a").paths, paths("title"));
        store
            .record(cycle, vec![record(Some(ids[1]), "a", edited("a", vec![attribute("title", Some("x"))]), None)])
            .await
            .unwrap();
        assert!(uncertain(&load(&store).await, "a").is_empty());
    }

    pub async fn a_whole_comparison_settles_everything<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a b").await;
        for (entry, result) in [("a", Recorded::Corrected(user("a2"))), ("b", linked("b", user("b")))] {
            intend(&store, cycle, update(entry, vec![attribute("title", Some("x")), members("m", "")])).await;
            store.record(cycle, vec![record(None, entry, result, None)]).await.unwrap();
            assert!(uncertain(&load(&store).await, entry).is_empty());
        }
    }

    pub async fn a_record_for_an_intent_that_is_not_open_is_an_error<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let id = intend(&store, cycle, update("a", vec![attribute("title", Some("x"))])).await;
        let done = || vec![record(Some(id), "a", edited("a", vec![attribute("title", Some("x"))]), None)];
        store.record(cycle, done()).await.unwrap();
        assert!(store.record(cycle, done()).await.is_err());
        assert!(store.record(cycle, vec![record(Some(IntentId(999)), "a", Recorded::Unchanged, None)]).await.is_err());
        assert!(store.intend(CycleId(999), vec![create("z")]).await.is_err());
    }

    pub async fn a_claim_ends_in_three_ways<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let (c, d) = (begin(&store, "c").await, begin(&store, "d").await);
        link(&store, c, "forgotten shared off deleted").await;
        for entry in ["shared", "off", "deleted"] {
            store.record(d, vec![record(None, entry, Recorded::Unchanged, Some(true))]).await.unwrap();
        }
        let switch_off = vec![Edit::Attribute { path: path("active"), before: None, after: Some(Value::Flag(false)) }];
        let records = vec![
            record(None, "forgotten", Recorded::Gone, Some(false)),
            record(None, "shared", Recorded::Unchanged, Some(false)),
            record(None, "off", Recorded::Unchanged, Some(false)),
            record(None, "deleted", Recorded::Gone, Some(false)),
        ];
        store.record(c, records).await.unwrap();
        store.record(d, vec![record(None, "off", edited("off", switch_off), Some(false))]).await.unwrap();
        let snapshot = load(&store).await;
        assert_eq!(snapshot.links.keys().cloned().collect::<BTreeSet<_>>(), set("off shared"));
        assert_eq!(snapshot.claims, BTreeMap::from([(EntryId::new("shared"), [ChannelName::new("d")].into())]));
        assert_eq!(snapshot.links[&EntryId::new("off")].acknowledged.active(), Some(false));
    }

    pub async fn a_link_is_handed_on_with_all_that_belongs_to_it<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let (c, d) = (begin(&store, "c").await, begin(&store, "d").await);
        store.record(c, vec![record(None, "old", linked("old", group("staff", "a b")), Some(true))]).await.unwrap();
        store.record(d, vec![record(None, "old", Recorded::Unchanged, Some(true))]).await.unwrap();
        store.record(c, vec![record(None, "outer", linked("outer", group("outer", "old a")), Some(true))]).await.unwrap();
        intend(&store, c, update("old", vec![members("c", "a")])).await;
        let taken = Tally { memberships: 3, ..Tally::default() };
        let sent = intend(&store, c, Intent { tally: taken, ..update("old", vec![members("", "b")]) }).await;
        store.record(c, vec![record(Some(sent), "old", edited("old", vec![members("", "b")]), None)]).await.unwrap();
        intend(&store, c, create("new")).await;
        let relinked = Recorded::Relinked { from: EntryId::new("old"), tally: Tally::default() };
        store.record(c, vec![record(None, "new", relinked, Some(true))]).await.unwrap();
        let snapshot = load(&store).await;
        assert_eq!(snapshot.links.keys().cloned().collect::<BTreeSet<_>>(), set("new outer"));
        let link = &snapshot.links[&EntryId::new("new")];
        assert_eq!((link.resource_id.as_str(), &link.acknowledged.members), ("r-old", &set("a")));
        assert_eq!(link.uncertain.members, set("a c"), "what was open about the resource stays open");
        assert_eq!(snapshot.links[&EntryId::new("outer")].acknowledged.members, set("a new"));
        let both = BTreeSet::from([ChannelName::new("c"), ChannelName::new("d")]);
        assert_eq!(snapshot.claims[&EntryId::new("new")], both);
        assert_eq!(snapshot.tally.per_group, BTreeMap::from([(EntryId::new("new"), 3)]));
        assert!(snapshot.unanswered_creates.is_empty());
    }

    pub async fn a_link_is_not_handed_to_an_entry_that_has_one<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a b").await;
        let relinked = Recorded::Relinked { from: EntryId::new("a"), tally: Tally::default() };
        let error = store.record(cycle, vec![record(None, "b", relinked, Some(true))]).await.unwrap_err().to_string();
        assert!(error.contains("entry b") && error.contains("entry a"), "{error}");
        assert_eq!(load(&store).await.links.len(), 2);
    }

    pub async fn members_that_are_nobodys_are_neither_remembered_nor_uncertain<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        store.record(cycle, vec![record(None, "g", linked("g", group("staff", "a")), Some(true))]).await.unwrap();
        let before = load(&store).await.links;
        let foreign = || vec![Edit::Foreign { remove: [ResourceId::new("stranger")].into() }];
        intend(&store, cycle, update("g", foreign())).await;
        assert_eq!(load(&store).await.links, before);
        let sent = intend(&store, cycle, update("g", foreign())).await;
        store.record(cycle, vec![record(Some(sent), "g", edited("g", foreign()), None)]).await.unwrap();
        assert_eq!(load(&store).await.links, before);
    }

    pub async fn what_is_refused_is_remembered_until_something_is_acknowledged<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let declined = || Recorded::Declined { why: "no".to_owned(), digest: "d1".to_owned() };
        let hour = Duration::from_secs(3600);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let taken = Tally { identity: 1, ..Tally::default() };
            let sent = intend(&store, cycle, Intent { tally: taken, ..create("a") }).await;
            store.record(cycle, vec![record(Some(sent), "a", declined(), None)]).await.unwrap();
            let mut hours = 0;
            while !load(&store).await.refused[&EntryId::new("a")][0].due {
                subject.advance(hour);
                hours += 1;
            }
            waits.push(hours);
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 24, 24]);
        let snapshot = load(&store).await;
        assert_eq!(snapshot.refused[&EntryId::new("a")][0].why, "no");
        assert!(snapshot.unanswered_creates.is_empty() && snapshot.tally.identity == 0 && snapshot.links.is_empty());
        link(&store, cycle, "a").await;
        assert!(load(&store).await.refused.is_empty());
        let sent = intend(&store, cycle, update("a", vec![attribute("title", Some("x"))])).await;
        store.record(cycle, vec![record(Some(sent), "a", declined(), None)]).await.unwrap();
        assert_eq!(load(&store).await.refused.len(), 1);
        store.record(cycle, vec![record(None, "a", edited("a", vec![attribute("nickName", None)]), None)]).await.unwrap();
        assert!(load(&store).await.refused.is_empty());
    }

    pub async fn leavers_are_told_with_their_last_channel_and_since_when<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let (c, d) = (begin(&store, "c").await, begin(&store, "d").await);
        link(&store, c, "a b").await;
        store.record(d, vec![record(None, "a", Recorded::Unchanged, Some(true))]).await.unwrap();
        let give_up = |entry: &str| vec![record(None, entry, Recorded::Unchanged, Some(false))];
        store.record(c, give_up("a")).await.unwrap();
        assert!(load(&store).await.leavers.is_empty(), "somebody still claims it");
        store.record(d, give_up("a")).await.unwrap();
        subject.advance(DAY);
        store.record(c, give_up("a")).await.unwrap();
        let leaver = |channel: &str, ago| Leaver { channel: ChannelName::new(channel), ago };
        let leavers = load(&store).await.leavers;
        assert_eq!(leavers, BTreeMap::from([(EntryId::new("a"), leaver("d", DAY))]), "told once, and not put off");
        store.record(c, vec![record(None, "a", Recorded::Unchanged, Some(true))]).await.unwrap();
        assert!(load(&store).await.leavers.is_empty());
        store.record(c, give_up("a")).await.unwrap();
        assert_eq!(load(&store).await.leavers[&EntryId::new("a")], leaver("c", Duration::ZERO));
    }

    pub async fn whoever_is_dropped_is_nobodys_manager_or_member_any_more<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let managed = |name: &str, manager: &str| {
            let mut user = user(name);
            user.attributes.insert(path("manager"), Value::Reference(EntryId::new(manager)));
            user
        };
        link(&store, cycle, "boss other").await;
        let by = |manager: &str| Edit::Attribute {
            path: path("manager"),
            before: None,
            after: Some(Value::Reference(EntryId::new(manager))),
        };
        let records = vec![
            record(None, "linked", linked("linked", managed("linked", "boss")), Some(true)),
            record(None, "spared", linked("spared", managed("spared", "boss")), Some(true)),
            record(None, "spared", edited("spared", vec![by("other")]), None),
            record(None, "edited", linked("edited", user("edited")), Some(true)),
            record(None, "edited", edited("edited", vec![by("boss")]), None),
            record(None, "corrected", linked("corrected", user("corrected")), Some(true)),
            record(None, "corrected", Recorded::Corrected(managed("corrected", "boss")), None),
            record(None, "g", linked("g", group("staff", "boss other")), Some(true)),
            record(None, "boss", Recorded::Gone, Some(false)),
        ];
        store.record(cycle, records).await.unwrap();
        let links = load(&store).await.links;
        let manager = |entry: &str| links[&EntryId::new(entry)].acknowledged.attributes.get(&path("manager")).cloned();
        for entry in ["linked", "edited", "corrected"] {
            assert_eq!(manager(entry), None, "{entry}");
        }
        assert_eq!(manager("spared"), Some(Value::Reference(EntryId::new("other"))));
        assert_eq!(links[&EntryId::new("g")].acknowledged.members, set("other"));
    }

    pub async fn a_refusal_leaves_the_claim<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let id = intend(&store, cycle, delete("a", Tally::default())).await;
        store.record(cycle, vec![record(Some(id), "a", Recorded::Refused("403".into()), Some(false))]).await.unwrap();
        assert!(load(&store).await.is_claimed_by(&EntryId::new("a"), &ChannelName::new("c")));
    }

    pub async fn the_window_counts_what_was_taken_away_and_forgets_in_time<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let then = LinkedCounts { users: 10, groups: 2, memberships: 30 };
        let cycle = begin_with(&store, "c", Trigger::Sync, then).await;
        link(&store, cycle, "u v g h").await;
        subject.advance(DAY / 2);
        let take = |entry, tally| intent(entry, ResourceType::User, Action::Delete { resource_id: ResourceId::new("r") }, tally);
        let nothing = Tally::default();
        let intents = vec![
            take("u", Tally { users_absent: 1, identity: 2, ..nothing }),
            take("v", Tally { users_disabled: 1, ..nothing }),
            take("g", Tally { memberships: 5, ..nothing }),
            take("g", Tally { memberships: 2, groups: 1, ..nothing }),
            take("h", Tally { memberships: 1, ..nothing }),
        ];
        let ids = store.intend(cycle, intents).await.unwrap();
        let tally = load(&store).await.tally;
        assert_eq!((tally.users_absent, tally.users_disabled, tally.groups, tally.identity), (1, 1, 1, 2));
        assert_eq!(tally.memberships, 8);
        assert_eq!(tally.per_group, BTreeMap::from([(EntryId::new("g"), 7), (EntryId::new("h"), 1)]));
        assert_eq!(tally.linked_then, None, "no cycle is as old as the window");
        assert_eq!(load_as(&store, "d").await.tally, Default::default(), "a window belongs to a channel");
        let refused = record(Some(ids[3]), "g", Recorded::Refused("412".into()), None);
        store.record(cycle, vec![refused, record(Some(ids[0]), "u", Recorded::Gone, Some(false))]).await.unwrap();
        let tally = load(&store).await.tally;
        assert_eq!((tally.users_absent, tally.groups, tally.memberships), (1, 0, 6));
        subject.advance(DAY);
        let tally = load(&store).await.tally;
        assert_eq!((tally.users_absent, tally.memberships), (1, 6), "the window's first instant counts");
        assert_eq!(tally.linked_then, Some(then));
        subject.advance(Duration::from_secs(1));
        assert_eq!(load(&store).await.tally, ldap2scim::model::WindowTally { linked_then: Some(then), ..Default::default() });
    }

    pub async fn a_removal_that_is_sent_again_counts_once<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let tally = Tally { users_absent: 1, ..Tally::default() };
        intend(&store, cycle, delete("a", tally)).await;
        intend(&store, cycle, delete("a", tally)).await;
        assert_eq!(load(&store).await.tally.users_absent, 1, "two requests without an answer");
        let id = intend(&store, cycle, delete("a", tally)).await;
        store.record(cycle, vec![record(Some(id), "a", Recorded::Gone, Some(false))]).await.unwrap();
        assert_eq!(load(&store).await.tally.users_absent, 1, "answered at last");
        link(&store, cycle, "b").await;
        intend(&store, cycle, delete("b", tally)).await;
        store.record(cycle, vec![record(None, "b", Recorded::Gone, None)]).await.unwrap();
        assert_eq!(load(&store).await.tally.users_absent, 2, "found gone by a look: the loss was real");
    }

    pub async fn a_channel_is_at_its_first_load_until_a_cycle_ends_well<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let steps = [
            (Trigger::Sync, CycleEnd::Failed, true),
            (Trigger::Preview, CycleEnd::Done, true),
            (Trigger::Sync, CycleEnd::Quarantined, false),
            (Trigger::Sync, CycleEnd::Failed, false),
        ];
        for (trigger, end, first) in steps {
            let cycle = begin_with(&store, "c", trigger, LinkedCounts::default()).await;
            store.finish(cycle, &summary(end)).await.unwrap();
            assert_eq!(load(&store).await.first, first, "{trigger:?} {end:?}");
            assert!(load_as(&store, "d").await.first);
        }
    }

    pub async fn a_resource_is_never_linked_to_two_entries<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let stolen =
            || Recorded::Linked { resource_id: ResourceId::new("r-a"), origin: Origin::Adopted, acknowledged: user("b") };
        let thief = || vec![record(None, "x", linked("x", user("x")), None), record(None, "b", stolen(), Some(true))];
        let honest = || vec![record(None, "d", linked("d", user("d")), Some(true))];
        let (bad, good) = tokio::join!(store.record(cycle, thief()), store.record(cycle, honest()));
        let error = bad.unwrap_err().to_string();
        assert!(error.contains("user r-a at t is linked to entry a"), "{error}");
        good.unwrap();
        let links = load(&store).await.links;
        assert_eq!(links.into_keys().collect::<BTreeSet<_>>(), set("a d"), "the failed call left nothing behind");
        let same_id_as_group =
            Recorded::Linked { resource_id: ResourceId::new("r-a"), origin: Origin::Created, acknowledged: group("g", "") };
        store.record(cycle, vec![record(None, "g", same_id_as_group, None)]).await.unwrap();
    }

    pub async fn five_callers_at_once_are_all_stored<S: Subject>() {
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let send = async |caller: usize| {
            for number in 0..20 {
                let entry = format!("e{caller}-{number}");
                let id = intend(&store, cycle, create(&entry)).await;
                store.record(cycle, vec![record(Some(id), &entry, linked(&entry, user(&entry)), Some(true))]).await.unwrap();
            }
        };
        tokio::join!(send(0), send(1), send(2), send(3), send(4));
        let snapshot = load(&store).await;
        assert_eq!((snapshot.links.len(), snapshot.claims.len()), (100, 100));
        assert!(snapshot.unanswered_creates.is_empty());
    }
}

/// One test for each check of the contract.
macro_rules! passes {
    ($subject:ty, $from:ident: $($check:ident)+) => {
        $(
            #[tokio::test]
            async fn $check() {
                $from::$check::<$subject>().await;
            }
        )+
    };
}

mod sqlite {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;
    use ldap2scim::plan::Held;
    use ldap2scim::store::{Sqlite, Viewer};

    use super::*;

    struct OnDisk {
        directory: tempfile::TempDir,
        seconds: Arc<AtomicI64>,
    }

    impl OnDisk {
        fn path(&self) -> &Path {
            self.directory.path()
        }

        fn clock(&self) -> impl Fn() -> Timestamp + Send + use<> {
            let seconds = Arc::clone(&self.seconds);
            move || Timestamp::from_second(seconds.load(Ordering::Relaxed)).unwrap()
        }

        fn view(&self) -> Viewer {
            Viewer::open_in(self.path(), self.clock()).unwrap().unwrap()
        }
    }

    impl Subject for OnDisk {
        type Store = Sqlite;

        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self { directory, seconds: Arc::new(AtomicI64::new(1_700_000_000)) }
        }

        fn open(&self) -> Sqlite {
            Sqlite::open_in(self.path(), self.clock()).unwrap()
        }

        fn advance(&self, time: Duration) {
            self.seconds.fetch_add(i64::try_from(time.as_secs()).unwrap(), Ordering::Relaxed);
        }
    }

    mod seats;

    passes! { OnDisk, roster:
        a_channel_that_was_never_read_in_full_stands_nowhere
        seats_come_back_as_they_were_settled
        a_standing_tells_what_was_settled_and_how_long_ago_everything_was_read
        a_channel_that_forgets_where_it_stands_forgets_its_seats_and_no_other_does
        groups_are_found_above_and_below_through_circles_and_other_names
        questions_are_answered_as_a_walk_over_every_seat_would
        a_part_is_loaded_as_it_stands_in_the_whole
        nothing_of_a_settlement_stays_if_the_cycle_is_over
    }

    passes! { OnDisk, contract:
        a_fresh_store_remembers_nothing
        a_link_comes_back_as_it_was_recorded
        edits_change_what_is_acknowledged_and_may_change_the_id
        linking_again_and_correcting_replace_what_was_acknowledged
        an_update_without_an_answer_is_uncertain_after_a_crash
        a_create_without_an_answer_is_told_until_it_is_settled
        a_delete_without_an_answer_leaves_the_link
        later_edits_settle_exactly_what_they_speak_of
        a_refused_edit_settles_nothing
        a_record_settles_nothing_that_is_sent_after_it
        a_whole_comparison_settles_everything
        a_record_for_an_intent_that_is_not_open_is_an_error
        a_claim_ends_in_three_ways
        a_link_is_handed_on_with_all_that_belongs_to_it
        a_link_is_not_handed_to_an_entry_that_has_one
        members_that_are_nobodys_are_neither_remembered_nor_uncertain
        what_is_refused_is_remembered_until_something_is_acknowledged
        leavers_are_told_with_their_last_channel_and_since_when
        whoever_is_dropped_is_nobodys_manager_or_member_any_more
        a_refusal_leaves_the_claim
        the_window_counts_what_was_taken_away_and_forgets_in_time
        a_removal_that_is_sent_again_counts_once
        a_channel_is_at_its_first_load_until_a_cycle_ends_well
        a_resource_is_never_linked_to_two_entries
        five_callers_at_once_are_all_stored
    }

    fn file(directory: &Path) -> std::path::PathBuf {
        directory.join("state.sqlite")
    }

    fn names(directory: &Path) -> BTreeSet<String> {
        directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The files as a kill at this moment would leave them.
    fn killed(directory: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["state.sqlite", "state.sqlite-wal"] {
            std::fs::copy(directory.join(name), copy.path().join(name)).unwrap();
        }
        copy
    }

    #[tokio::test]
    async fn an_intent_is_on_the_disk_when_it_is_answered() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        intend(&store, cycle, update("a", vec![attribute("title", Some("x"))])).await;
        let copy = killed(subject.path());
        let reopened = Sqlite::open(copy.path()).unwrap();
        assert_eq!(uncertain(&load(&reopened).await, "a").paths, paths("title"));
    }

    #[tokio::test]
    async fn a_second_writer_is_refused_with_the_process_named() {
        let subject = OnDisk::new();
        let store = subject.open();
        match Sqlite::open(subject.path()).unwrap_err() {
            StoreError::Locked { path, process } => {
                assert_eq!(process, std::process::id().to_string());
                assert_eq!(path, subject.path().join("lock").display().to_string());
            }
            other => panic!("{other}"),
        }
        let clone = store.clone();
        store.close().await;
        assert!(clone.intend(CycleId(1), vec![]).await.is_err(), "closed for clones too");
        drop(subject.open());
        drop(subject.open());
    }

    #[tokio::test]
    async fn everything_in_the_directory_is_for_its_owner_alone() {
        let subject = OnDisk::new();
        std::fs::write(file(subject.path()), "").unwrap();
        std::fs::set_permissions(file(subject.path()), PermissionsExt::from_mode(0o644)).unwrap();
        let store = subject.open();
        begin(&store, "c").await;
        assert!(names(subject.path()).contains("state.sqlite-wal"));
        for name in names(subject.path()) {
            let mode = subject.path().join(&name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let nested = subject.path().join("made/here");
        drop(Sqlite::open(&nested).unwrap());
        assert_eq!(nested.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_place_where_others_could_put_their_own_files_is_refused() {
        for mode in [0o777, 0o1777, 0o775, 0o757, 0o702] {
            let subject = OnDisk::new();
            std::fs::set_permissions(subject.path(), PermissionsExt::from_mode(mode)).unwrap();
            let error = Sqlite::open(subject.path()).unwrap_err().to_string();
            assert!(error.contains("writable by others"), "{mode:o}: {error}");
            assert!(names(subject.path()).is_empty(), "{mode:o}");
        }
        let elsewhere = OnDisk::new();
        let victim = elsewhere.path().join("victim");
        std::fs::write(&victim, "").unwrap();
        std::fs::set_permissions(&victim, PermissionsExt::from_mode(0o644)).unwrap();
        for name in ["state.sqlite", "lock"] {
            let subject = OnDisk::new();
            std::os::unix::fs::symlink(&victim, subject.path().join(name)).unwrap();
            assert!(Sqlite::open(subject.path()).unwrap_err().to_string().contains("a symbolic link"), "{name}");
            let subject = OnDisk::new();
            std::fs::hard_link(&victim, subject.path().join(name)).unwrap();
            assert!(Sqlite::open(subject.path()).unwrap_err().to_string().contains("several names"), "{name}");
            assert_eq!(victim.metadata().unwrap().permissions().mode() & 0o777, 0o644);
            assert_eq!(std::fs::read(&victim).unwrap(), b"");
        }
    }

    #[tokio::test]
    async fn a_view_beside_a_writer_is_consistent_and_leaves_the_file() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a b").await;
        let before = std::fs::read(file(subject.path())).unwrap();
        let view = subject.view();
        let (target, channel) = (TargetName::new("t"), ChannelName::new("c"));
        assert_eq!(view.load(&target, &channel, DAY).unwrap(), load(&store).await);
        link(&store, cycle, "d").await;
        assert_eq!(view.load(&target, &channel, DAY).unwrap().links.len(), 3, "each question sees the last commit");
        assert_eq!(view.channels().unwrap()[0].linked.users, 3);
        assert_eq!(std::fs::read(file(subject.path())).unwrap(), before);
    }

    #[tokio::test]
    async fn a_view_without_a_writer_leaves_the_file_even_after_a_kill() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let killed = killed(subject.path());
        store.close().await;
        for directory in [killed.path(), subject.path()] {
            let before = std::fs::read(file(directory)).unwrap();
            let view = Viewer::open(directory).unwrap().unwrap();
            assert_eq!(view.load(&TargetName::new("t"), &ChannelName::new("c"), DAY).unwrap().links.len(), 1);
            drop(view);
            assert_eq!(std::fs::read(file(directory)).unwrap(), before);
            assert_eq!(load(&Sqlite::open(directory).unwrap()).await.links.len(), 1, "and the next writer is not disturbed");
        }
    }

    #[tokio::test]
    async fn a_view_of_nothing_is_none_and_creates_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Viewer::open(directory.path()).unwrap().is_none());
        assert!(Viewer::open(&directory.path().join("missing")).unwrap().is_none());
        assert!(names(directory.path()).is_empty());
        std::fs::write(file(directory.path()), "").unwrap();
        assert!(Viewer::open(directory.path()).unwrap().is_none());
    }

    #[tokio::test]
    async fn files_that_are_not_ours_are_refused_and_left_alone() {
        let foreign = tempfile::tempdir().unwrap();
        let connection = rusqlite::Connection::open(foreign.path().join("x")).unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        drop(connection);
        let cases = [
            (b"hello".to_vec(), "is not an SQLite database"),
            (b"garbage ".repeat(2000), "is not an SQLite database"),
            (std::fs::read(foreign.path().join("x")).unwrap(), "database of another program"),
        ];
        for (bytes, message) in cases {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(file(directory.path()), &bytes).unwrap();
            for error in [Sqlite::open(directory.path()).unwrap_err(), Viewer::open(directory.path()).unwrap_err()] {
                assert!(matches!(&error, StoreError::Unusable { .. }), "{error:?}");
                let error = error.to_string();
                assert!(error.contains(message) && error.contains("state.sqlite"), "{error}");
            }
            assert_eq!(std::fs::read(file(directory.path())).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let subject = OnDisk::new();
        subject.open().close().await;
        let connection = rusqlite::Connection::open(file(subject.path())).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        for error in [Sqlite::open(subject.path()).unwrap_err(), Viewer::open(subject.path()).unwrap_err()] {
            assert!(matches!(error, StoreError::Newer { found: 99, known: 3, .. }), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_state_directory_that_cannot_be_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("a-file");
        std::fs::write(&blocked, "x").unwrap();
        for state_dir in [blocked.clone(), blocked.join("below")] {
            let error = Sqlite::open(&state_dir).unwrap_err();
            assert!(matches!(&error, StoreError::Unusable { path, .. } if *path == state_dir.display().to_string()), "{error}");
        }
    }

    fn held(entry: &str, why: &str) -> Held {
        Held { entry_id: EntryId::new(entry), resource_type: ResourceType::User, name: entry.to_owned(), why: why.to_owned() }
    }

    #[tokio::test]
    async fn held_and_quarantine_remember_since_when() {
        let subject = OnDisk::new();
        let store = subject.open();
        let times: Vec<Timestamp> = (0..4).map(|hour| Timestamp::from_second(1_700_000_000 + hour * 3600).unwrap()).collect();
        let steps = [
            (Some(vec![held("a", "one"), held("b", "one")]), Some(vec![("users", "m".to_owned())])),
            (Some(vec![held("b", "two"), held("c", "one")]), Some(vec![("users", "n".to_owned()), ("groups", "m".to_owned())])),
            (None, None),
            (Some(vec![held("a", "back")]), Some(vec![])),
        ];
        let mut seen = Vec::new();
        for (held, quarantine) in steps {
            let cycle = begin(&store, "c").await;
            let messages = vec!["a sentence".to_owned()];
            let counts = vec![("update", 3), ("create", 1)];
            store
                .finish(cycle, &CycleSummary { end: CycleEnd::DoneWithHeld, messages, counts, held, judged: None, quarantine })
                .await
                .unwrap();
            let status = subject.view().channels().unwrap().remove(0);
            let held: Vec<_> = status.held.iter().map(|held| (held.name.clone(), held.why.clone(), held.since)).collect();
            let kinds: Vec<_> = status.quarantine.iter().map(|kind| (kind.kind.clone(), kind.since)).collect();
            seen.push((held, kinds));
            assert_eq!(status.last.counts, [("update".to_owned(), 3), ("create".to_owned(), 1)]);
            assert_eq!(status.last.messages, ["a sentence"]);
            subject.advance(Duration::from_secs(3600));
        }
        let text = |name: &str, why: &str, at: usize| (name.to_owned(), why.to_owned(), times[at]);
        let second = (
            vec![text("b", "two", 0), text("c", "one", 1)],
            vec![("groups".to_owned(), times[1]), ("users".to_owned(), times[0])],
        );
        assert_eq!(seen[0], (vec![text("a", "one", 0), text("b", "one", 0)], vec![("users".to_owned(), times[0])]));
        assert_eq!(seen[1], second);
        assert_eq!(seen[2], second);
        assert_eq!(seen[3], (vec![text("a", "back", 3)], vec![]));
    }

    #[tokio::test]
    async fn status_tells_the_last_cycle_the_last_success_and_open_requests() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a b").await;
        store.record(cycle, vec![record(None, "g", linked("g", group("g", "a b x")), Some(true))]).await.unwrap();
        intend(&store, cycle, create("lost")).await;
        subject.advance(Duration::from_secs(5));
        store.finish(cycle, &summary(CycleEnd::Done)).await.unwrap();
        subject.advance(Duration::from_secs(60));
        begin_with(&store, "c", Trigger::Resync, LinkedCounts::default()).await;
        begin(&store, "b").await;
        let channels = subject.view().channels().unwrap();
        assert_eq!(channels.iter().map(|status| status.channel.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        let status = &channels[1];
        assert_eq!((status.last.trigger, status.last.end, status.last.ended_at), (Trigger::Resync, None, None));
        assert_eq!(status.last_success, Some(Timestamp::from_second(1_700_000_005).unwrap()));
        assert_eq!(status.linked, LinkedCounts { users: 2, groups: 1, memberships: 3 });
        assert_eq!((status.target.as_str(), status.unanswered), ("t", 1));
        drop(store);
        drop(subject.open());
        let status = subject.view().channels().unwrap().remove(1);
        assert_eq!(status.last.end, Some(CycleEnd::Failed), "a cycle that was cut off has failed");
        assert!(status.last.messages[0].contains("stopped before"));
    }

    #[tokio::test]
    async fn status_tells_what_is_known_of_the_target_and_since_when() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let fact = |value: &str, witness| Fact { value: value.to_owned(), witness };
        let mut knowledge = Knowledge::from([("bulk".to_owned(), fact("true", Witness::Announced))]);
        store.learn(cycle, &knowledge).await.unwrap();
        subject.advance(DAY);
        knowledge.insert("user_update".to_owned(), fact("put", Witness::Learnt));
        store.learn(cycle, &knowledge).await.unwrap();
        let told = subject.view().channels().unwrap().remove(0).knowledge;
        let told: Vec<_> = told
            .iter()
            .map(|fact| (fact.knob.as_str(), fact.value.as_str(), fact.witness, fact.since.as_second() - 1_700_000_000))
            .collect();
        assert_eq!(told, [("bulk", "true", Witness::Announced, 0), ("user_update", "put", Witness::Learnt, 86_400)]);
    }

    #[tokio::test]
    async fn a_file_of_the_first_schema_keeps_its_leavers_and_its_references() {
        let subject = OnDisk::new();
        let connection = rusqlite::Connection::open(file(subject.path())).unwrap();
        connection.execute_batch(include_str!("../../src/store/migrations/001_first.sql")).unwrap();
        connection
            .execute_batch(
                r#"PRAGMA application_id = 0x6C327363;
                PRAGMA user_version = 1;
                INSERT INTO cycle (channel, target, started_by, started_at, ended_at, ended_as, linked_users, linked_groups, linked_memberships)
                    VALUES ('c', 't', 'sync', 1, 2, 'done', 0, 0, 0);
                INSERT INTO link (id, target, entry_id, resource_type, resource_id, origin, attributes, created_at, changed_at) VALUES
                    (1, 't', 'here', 'user', '1', 'created', '{"v":1,"attributes":{"userName":"h","manager":{"entry":"left"}}}', 1, 1),
                    (2, 't', 'left', 'user', '2', 'created', '{"v":1,"attributes":{"userName":"l","active":false}}', 1, 1);
                INSERT INTO claim (link_id, channel, since) VALUES (1, 'c', 1);"#,
            )
            .unwrap();
        std::fs::set_permissions(file(subject.path()), std::fs::Permissions::from_mode(0o600)).unwrap();
        drop(connection);
        let store = subject.open();
        let snapshot = load(&store).await;
        let leaver = &snapshot.leavers[&EntryId::new("left")];
        assert_eq!((snapshot.leavers.len(), leaver.channel.as_str()), (1, "c"));
        assert!(leaver.ago < DAY, "when they left is not known, so it counts from now");
        let cycle = begin(&store, "c").await;
        store.record(cycle, vec![record(None, "left", Recorded::Gone, Some(false))]).await.unwrap();
        let links = load(&store).await.links;
        assert_eq!(links[&EntryId::new("here")].acknowledged.attributes.get(&path("manager")), None);
    }

    #[tokio::test]
    async fn old_history_is_swept_and_what_is_needed_stays() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin_with(&store, "c", Trigger::Sync, LinkedCounts { users: 7, ..LinkedCounts::default() }).await;
        link(&store, cycle, "a").await;
        intend(&store, cycle, update("a", vec![attribute("title", Some("x"))])).await;
        store.finish(cycle, &summary(CycleEnd::Done)).await.unwrap();
        let count = |table: &str| {
            let connection = rusqlite::Connection::open(file(subject.path())).unwrap();
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        for _ in 0..48 {
            let cycle = begin(&store, "c").await;
            store.record(cycle, vec![record(None, "a", Recorded::Unchanged, Some(true))]).await.unwrap();
            store.finish(cycle, &summary(CycleEnd::Failed)).await.unwrap();
        }
        assert_eq!((count("cycle"), count("journal")), (49, 50));
        subject.advance(DAY * 100);
        let cycle = begin(&store, "c").await;
        assert_eq!(cycle, CycleId(50));
        store.finish(cycle, &summary(CycleEnd::Failed)).await.unwrap();
        assert_eq!(count("journal"), 1, "the open intent");
        assert_eq!(
            count("cycle"),
            3,
            "that of the open intent, which is also the last success; the last of its day; the new one"
        );
        let snapshot = load(&store).await;
        assert!(!snapshot.first);
        assert_eq!(uncertain(&snapshot, "a").paths, paths("title"));
        assert_eq!(snapshot.tally.linked_then, Some(LinkedCounts::default()));
    }

    #[tokio::test]
    async fn a_cycle_without_changes_writes_its_own_row_only() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        link(&store, cycle, "a").await;
        let still = CycleSummary {
            held: Some(vec![held("b", "why")]),
            quarantine: Some(vec![("users", "m".to_owned())]),
            ..summary(CycleEnd::Quarantined)
        };
        store.finish(cycle, &still).await.unwrap();
        let dump = || {
            let connection = rusqlite::Connection::open(file(subject.path())).unwrap();
            let tables = ["link", "membership", "claim", "journal", "guard_event", "held", "quarantine", "member"];
            let rows = tables.map(|table| {
                let query = format!("SELECT count(*), coalesce(max(id), 0) FROM {table}");
                connection.query_row(&query, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap()
            });
            let cycles: i64 = connection.query_row("SELECT count(*) FROM cycle", [], |row| row.get(0)).unwrap();
            (rows, cycles)
        };
        let (rows, cycles) = dump();
        let cycle = begin(&store, "c").await;
        store.finish(cycle, &still).await.unwrap();
        assert_eq!(dump(), (rows, cycles + 1));
    }

    #[tokio::test]
    async fn a_chunk_of_members_writes_as_many_rows_however_large_the_group() {
        let subject = OnDisk::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let everybody: String = (0..5000).map(|number| format!("m{number} ")).collect();
        store.record(cycle, vec![record(None, "g", linked("g", group("g", &everybody)), Some(true))]).await.unwrap();
        let size = || std::fs::metadata(subject.path().join("state.sqlite-wal")).unwrap().len();
        let connection = rusqlite::Connection::open(file(subject.path())).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let before = size();
        store.record(cycle, vec![record(None, "g", edited("g", vec![members("new1 new2", "m1")]), None)]).await.unwrap();
        assert!(size() - before < 100_000, "{} octets for three members", size() - before);
        assert_eq!(load(&store).await.links[&EntryId::new("g")].acknowledged.members.len(), 5001);
    }
}
