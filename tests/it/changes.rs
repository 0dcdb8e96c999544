//! Cycles over what changed: after each of them a full reading has nothing left to do.

use std::collections::BTreeSet;
use std::time::Duration;

use ldap2scim::cycle::CycleEnd;
use ldap2scim::model::{AttributeName, AttributeValue, EntryId, ResourceType, Status};
use ldap2scim::plan::{Existing, GroupScope, Limit, Nesting, Recreated};

use super::support::bridge::Bridge;
use super::support::directory::dn;
use super::support::provider::Personality;

/// A small generator of numbers, equal for equal seeds.
struct Dice(fastrand::Rng);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0.usize(0..sides)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[self.below(from.len())])
    }
}

struct Play {
    bridge: Bridge,
    dice: Dice,
    made: usize,
    /// What happened, to be told where something goes wrong.
    story: Vec<String>,
}

impl Play {
    fn users(&self) -> Vec<String> {
        self.bridge.directory.ids().into_iter().filter(|id| !id.starts_with("id-g-")).collect()
    }

    fn groups(&self) -> Vec<String> {
        self.bridge.directory.ids().into_iter().filter(|id| id.starts_with("id-g-")).collect()
    }

    /// One change of the directory.
    fn something_happens(&mut self) {
        let directory = self.bridge.directory.clone();
        let (users, groups) = (self.users(), self.groups());
        let user = self.dice.pick(&users).cloned();
        let group = self.dice.pick(&groups).cloned();
        self.made += 1;
        let what = self.dice.below(13);
        self.story.push(format!("{}: {what} {user:?} {group:?}", self.made));
        match (what, user, group) {
            (0, ..) => directory.add_user(&format!("u{}", self.made)),
            (1, Some(user), _) => directory.remove(&user),
            (2, Some(user), _) => directory.rename_user(&user, &format!("r{}", self.made)),
            (3, Some(user), _) => {
                let title = format!("t{}", self.made);
                directory.change(&user, |entry| {
                    let value = ldap2scim::model::AttributeValue::from(title.as_str());
                    entry.attributes.insert(ldap2scim::model::AttributeName::new("title"), vec![value]);
                });
            }
            (4, Some(user), _) => directory.change(&user, |entry| {
                entry.status = if entry.status == Status::Enabled { Status::Disabled } else { Status::Enabled };
            }),
            (5, Some(user), _) => directory.change(&user, |entry| entry.selected = !entry.selected),
            (6, Some(user), _) => {
                let manager = self.dice.pick(&users).cloned().unwrap();
                let place = directory.dn_of(&manager);
                directory.change(&user, |entry| {
                    let value = ldap2scim::model::AttributeValue::from(place.as_str());
                    entry.attributes.insert(ldap2scim::model::AttributeName::new("manager"), vec![value]);
                });
            }
            (7, ..) => directory.put_group(&format!("g{}", self.made), &[]),
            (8, _, Some(group)) if self.dice.below(3) == 0 => directory.remove(&group),
            (9, _, Some(group)) => directory.rename_group(&group, &format!("q{}", self.made)),
            (10, _, Some(group)) if self.dice.below(2) == 0 => directory.change(&group, |entry| entry.selected = !entry.selected),
            (_, Some(user), Some(group)) => {
                let nested = self.dice.below(4) == 0;
                let member = if nested { self.dice.pick(&groups).cloned().unwrap() } else { user };
                self.story.push(format!("toggles {member} in {group}"));
                let place = directory.dn_of(&member);
                directory.change(&group, |entry| {
                    let members = entry.members.as_mut().unwrap();
                    match members.iter().position(|member| *member == place) {
                        Some(at) => drop(members.remove(at)),
                        None => members.push(place.clone()),
                    }
                });
            }
            _ => {}
        }
    }

    async fn start(seed: u64) -> Self {
        let mut bridge = Bridge::start(Personality::default()).await;
        let mut dice = Dice(fastrand::Rng::with_seed(seed));
        bridge.directory.track();
        if let Some(groups) = &mut bridge.rules.groups
            && dice.below(2) == 0
        {
            groups.nesting = Nesting::Keep;
        }
        for number in 0..8 {
            bridge.directory.add_user(&format!("s{number}"));
        }
        bridge.directory.put_group("a", &["s0", "s1"]);
        bridge.directory.put_group("b", &["s2", "@a"]);
        bridge.directory.put_group("root", &["s3", "@b"]);
        if dice.below(2) == 0 {
            let group_dns = vec![dn("cn=root,ou=groups,dc=example,dc=com")];
            bridge.rules.users.scope = GroupScope { group_dns, nested: dice.below(3) > 0 };
        }
        Self { bridge, dice, made: 0, story: Vec::new() }
    }
}

#[tokio::test]
async fn after_any_changes_a_full_reading_finds_nothing_left_to_do() {
    let mut everything = 0;
    let mut cycles = 0;
    for seed in 0..40 {
        let mut play = Play::start(seed).await;
        assert_eq!(play.bridge.sync().await.end, CycleEnd::Done, "seed {seed}");
        for round in 0..12 {
            for _ in 0..=play.dice.below(3) {
                // The group that decides scope stays where it is, or nothing could be said of anybody.
                play.something_happens();
            }
            let report = play.bridge.sync().await;
            assert!(report.error.is_none(), "seed {seed}, round {round}: {:?}", report.error);
            cycles += 1;
            everything += usize::from(report.notes.iter().any(|note| note.starts_with("everything was read")));
            let left = play.bridge.prepare().await.plan;
            let held: BTreeSet<EntryId> = report.held.iter().map(|held| held.entry_id.clone()).collect();
            let changes: Vec<_> = left.changes.iter().map(|planned| &planned.change).collect();
            let changes: Vec<_> = changes.into_iter().filter(|change| !held.contains(&change.entry_id)).collect();
            assert!(
                changes.is_empty(),
                "seed {seed}, round {round}: left {changes:#?}; notes {:?}; {:#?}",
                report.notes,
                play.story
            );
        }
    }
    // Most of them were no full readings.
    assert!(everything * 3 < cycles, "{everything} of {cycles} cycles read everything");
}

#[tokio::test]
async fn what_was_found_out_about_the_target_does_not_make_the_next_process_read_everything() {
    let bridge = Bridge::start(Personality { page_cap: 7, ..Personality::default() }).await;
    bridge.directory.track();
    bridge.directory.add_user("ada");
    bridge.synced().await;
    for round in 0..2 {
        bridge.directory.add_user(&format!("u{round}"));
        let report = bridge.sync().await;
        assert_eq!((report.end, report.notes), (CycleEnd::Done, Vec::new()), "round {round}");
    }
}

#[tokio::test]
async fn a_cycle_with_nothing_changed_asks_the_target_nothing_and_judges_nobody() {
    let bridge = Bridge::start(Personality::default()).await;
    bridge.directory.track();
    bridge.directory.add_user("ada");
    bridge.directory.put_group("all", &["ada"]);
    bridge.synced().await;
    bridge.provider.forget_requests();
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::Done);
    assert!(report.prepared.is_none() && bridge.provider.requests().is_empty());
}

#[tokio::test]
async fn who_leaves_is_revoked_in_the_same_cycle_in_each_way_of_leaving() {
    type Leave = fn(&super::support::directory::Directory);
    let ways: [(&str, Leave); 5] = [
        ("deleted", |directory| directory.remove("id-ada")),
        ("no longer selected", |directory| directory.change("id-ada", |entry| entry.selected = false)),
        ("disabled", |directory| directory.set_status("ada", Status::Disabled)),
        ("out of the scope group", |directory| directory.put_group("staff", &["bob", "@inner"])),
        ("out of the nested scope group", |directory| directory.put_group("inner", &["eve"])),
    ];
    for (way, leave) in ways {
        let mut bridge = Bridge::start(Personality::default()).await;
        bridge.directory.track();
        for name in ["ada", "bob", "eve"] {
            bridge.directory.add_user(name);
        }
        let nested = way == "out of the nested scope group";
        bridge.directory.put_group("inner", if nested { &["ada", "eve"] } else { &["eve"] });
        bridge.directory.put_group("staff", if nested { &["bob", "@inner"] } else { &["ada", "bob", "@inner"] });
        let group_dns = vec![dn("cn=staff,ou=groups,dc=example,dc=com")];
        bridge.rules.users.scope = GroupScope { group_dns, nested: true };
        bridge.synced().await;
        assert_eq!(bridge.active(), ["ada", "bob", "eve"], "{way}");
        leave(&bridge.directory);
        let report = bridge.sync().await;
        assert_eq!(report.end, CycleEnd::Done, "{way}: {:?}", report.held);
        assert!(!report.notes.iter().any(|note| note.starts_with("everything")), "{way}: {:?}", report.notes);
        assert_eq!(bridge.active(), ["bob", "eve"], "{way}");
        let judged: Vec<ResourceType> =
            report.prepared.iter().flat_map(|prepared| prepared.desired.entries.values().map(|one| one.resource_type)).collect();
        assert!(judged.len() < 5, "{way}: {judged:?}");
    }
}

fn read_everything(report: &ldap2scim::cycle::Report) -> bool {
    report.notes.iter().any(|note| note.starts_with("everything was read"))
}

#[tokio::test]
async fn a_stopped_removal_stays_stopped_whatever_else_changes_and_takes_no_membership_along() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.directory.track();
    bridge.rules.guard.window = Duration::from_secs(3600);
    bridge.rules.guard.users = Limit { percent: 100.0, at_least: 3, at_most: Some(3) };
    let names: Vec<String> = (0..9).map(|number| format!("u{number}")).collect();
    names.iter().for_each(|name| bridge.directory.add_user(name));
    let group = |names: &[String]| {
        bridge.directory.put_group("all", &names.iter().map(String::as_str).collect::<Vec<_>>());
    };
    group(&names);
    bridge.synced().await;
    names[..3].iter().for_each(|name| bridge.directory.remove(&format!("id-{name}")));
    bridge.synced().await;
    assert_eq!(bridge.active(), names[3..]);
    names[3..6].iter().for_each(|name| bridge.directory.remove(&format!("id-{name}")));
    assert_eq!(bridge.sync().await.end, CycleEnd::Quarantined);
    assert_eq!(bridge.active(), names[3..]);
    assert_eq!(bridge.members("all"), names[3..]);
    // The server takes them out of the group later, and somebody else leaves it.
    group(&names[7..]);
    let report = bridge.sync_heard().await;
    assert!(!read_everything(&report), "{:?}", report.notes);
    assert_eq!(bridge.active(), names[3..]);
    let stay: Vec<String> = names[3..6].iter().chain(&names[7..]).cloned().collect();
    assert_eq!(bridge.members("all"), stay, "who is only no longer a member leaves at once");
    assert_eq!(bridge.quarantine().await, ["users"], "it is told for as long as it lasts");
    // When the window is over they go, with their memberships, and nothing is quarantined any more.
    bridge.pass(Duration::from_secs(7200));
    let report = bridge.sync().await;
    assert_eq!((report.end, read_everything(&report)), (CycleEnd::Done, false));
    assert_eq!(bridge.active(), names[6..]);
    assert_eq!(bridge.members("all"), names[7..]);
    assert!(bridge.quarantine().await.is_empty());
    assert!(bridge.prepare().await.plan.changes.is_empty());
}

#[tokio::test]
async fn who_stays_held_does_not_make_every_cycle_read_everything() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.directory.track();
    bridge.rules.existing = Existing::Never;
    bridge.directory.add_user("ada");
    bridge.synced().await;
    bridge.provider.add_user("bob", serde_json::json!({}));
    bridge.directory.add_user("bob");
    for title in ["a", "b", "c"] {
        bridge.directory.set("ada", "title", title);
        let report = bridge.sync().await;
        assert_eq!((report.end, read_everything(&report)), (CycleEnd::DoneWithHeld, false), "{:?}", report.notes);
        assert_eq!(report.held.len(), 1);
    }
}

#[tokio::test]
async fn a_former_name_that_another_entry_has_taken_means_that_one() {
    for taken in [false, true] {
        let bridge = Bridge::start(Personality::default()).await;
        bridge.directory.track();
        bridge.directory.add_user("ada");
        bridge.directory.add_user("eve");
        bridge.directory.put_group("all", &["ada", "eve"]);
        bridge.synced().await;
        let was = bridge.directory.dn_of("id-ada");
        bridge.directory.change("id-ada", |entry| entry.dn = dn("uid=ada2,ou=people,dc=example,dc=com"));
        if taken {
            // Nobody whom the filter selects, but somebody.
            bridge.directory.add_user("new");
            bridge.directory.change("id-new", |entry| (entry.dn, entry.selected) = (was.clone(), false));
        }
        let report = bridge.sync().await;
        assert!(!read_everything(&report), "{:?}", report.notes);
        let expected: &[&str] = if taken { &["eve"] } else { &["ada", "eve"] };
        assert_eq!(bridge.members("all"), expected, "taken: {taken}");
    }
}

#[tokio::test]
async fn a_leaver_comes_into_no_group_while_nobody_can_tell_who_is_in_scope() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.directory.track();
    ["ada", "bob", "eve"].iter().for_each(|name| bridge.directory.add_user(name));
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    bridge.directory.put_group("all", &["ada"]);
    bridge.rules.users.scope = GroupScope { group_dns: vec![dn("cn=staff,ou=groups,dc=example,dc=com")], nested: true };
    bridge.synced().await;
    bridge.directory.put_group("staff", &["ada", "eve"]);
    bridge.synced().await;
    assert_eq!(bridge.active(), ["ada", "eve"]);
    bridge.directory.change("id-g-staff", |entry| entry.members = None);
    bridge.pass(Duration::from_secs(25 * 3600));
    bridge.sync().await;
    bridge.directory.put_group("all", &["ada", "bob", "eve"]);
    bridge.sync().await;
    assert_eq!(bridge.members("all"), ["ada", "eve"]);
    assert_eq!(bridge.active(), ["ada", "eve"]);
}

#[tokio::test]
async fn what_a_cycle_could_not_see_is_told_again_to_the_next() {
    let bridge = Bridge::start(Personality::default()).await;
    bridge.directory.track();
    bridge.directory.add_user("ada");
    bridge.directory.add_user("bob");
    bridge.synced().await;
    bridge.directory.remove("id-ada");
    bridge.directory.set_partial(&["a page is missing"]);
    let report = bridge.sync().await;
    assert!(report.error.is_none() && !report.is_whole());
    bridge.directory.set_partial(&[]);
    let report = bridge.sync().await;
    assert!(report.is_whole() && !read_everything(&report));
    assert_eq!(bridge.active(), ["bob"]);
}

#[tokio::test]
async fn a_change_that_only_a_full_reading_can_make_does_not_make_one_in_every_cycle() {
    let mut bridge = Bridge::start(Personality::default()).await;
    bridge.directory.track();
    bridge.rules.groups.as_mut().unwrap().recreated = Recreated::Hold;
    bridge.directory.add_user("ada");
    bridge.directory.put_group("a", &["ada"]);
    bridge.synced().await;
    // A group made anew: both wait for the admin.
    bridge.directory.remove("id-g-a");
    bridge.directory.put_group("b", &["ada"]);
    bridge.directory.change("id-g-b", |entry| {
        entry.attributes.insert(AttributeName::new("cn"), vec![AttributeValue::from("a")]);
    });
    let mut full = Vec::new();
    for minute in 0..7 {
        bridge.directory.set("ada", "title", &format!("t{minute}"));
        let report = bridge.sync().await;
        assert!(report.error.is_none(), "minute {minute}: {:?}", report.error);
        full.push(read_everything(&report));
        assert_eq!(bridge.provider.user("ada").unwrap()["title"], format!("t{minute}"));
    }
    assert_eq!(full, [true, false, false, false, false, true, false]);
}

#[test]
fn rules_are_printed_alike_in_every_process() {
    let settings = ldap2scim::scim::Settings::new(
        "nobody",
        "http://127.0.0.1".parse().unwrap(),
        ldap2scim::scim::Auth::Bearer(ldap2scim::secret::Secret::Inline("token".into())),
        ldap2scim::scim::preset("generic").unwrap(),
    );
    let rule = ("displayName".to_owned(), "lower(trim(cn))".to_owned());
    let preset = ldap2scim::mapping::Preset::InetOrgPerson;
    let mapping = ldap2scim::mapping::compile(preset, &[rule], &settings.dialect.capabilities).unwrap();
    let printed = format!("{mapping:?} {:?}", settings.dialect.capabilities);
    assert!(printed.contains("lower") && !printed.contains("0x"), "{printed}");
}
