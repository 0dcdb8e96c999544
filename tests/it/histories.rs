//! Histories drawn from a seed (hires, leavers, returns, disabled accounts, renames, names handed on, regrouping, nesting,
//! partial readings, lost answers, both policies of removal) played over the whole engine: nobody twice, nobody switched
//! off or put out without a reason, what is not ours as it was, and soon after the faults stop the target holds what the
//! directory says and nothing more is sent.

use std::collections::{BTreeMap, BTreeSet};

use ldap2scim::model::Status;
use ldap2scim::plan::UserRemoval;
use serde_json::{Value as Json, json};

use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, Personality};

const PEOPLE: usize = 8;
const GROUPS: [&str; 3] = ["staff", "makers", "board"];
const CYCLES: usize = 6;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
}

/// What the directory says, kept beside it: the oracle.
struct Person {
    uid: String,
    present: bool,
    enabled: bool,
    manager: Option<usize>,
}

struct History {
    bridge: Bridge,
    dice: Dice,
    people: Vec<Person>,
    groups: BTreeMap<&'static str, BTreeSet<usize>>,
    /// Since the last cycle whose every answer came, who had a reason to be off, or out of a group.
    may_be_off: BTreeSet<usize>,
    may_be_out: BTreeSet<(&'static str, usize)>,
    /// Staff holds the makers too.
    nested: bool,
    /// Names are handed on. A leaver's name is not given away, so everybody returns in the end.
    names_move: bool,
    renames: usize,
    /// Resources that were there before us and are nobody's here.
    foreign: Vec<Json>,
    log: Vec<String>,
}

impl History {
    async fn start(seed: u64) -> Self {
        let mut bridge = Bridge::start(Personality::default()).await;
        if seed.is_multiple_of(3) {
            bridge.rules.user_removal = UserRemoval::Delete;
        }
        let stranger = bridge.provider.add_user("stranger", json!({ "active": true, "externalId": "elsewhere" }));
        bridge.provider.add_user("sleeper", json!({ "active": false }));
        bridge.provider.add_group("strangers", json!({ "members": [{ "value": stranger }] }));
        let people = (0..PEOPLE).map(|n| Person { uid: format!("p{n}"), present: false, enabled: true, manager: None }).collect();
        let mut history = Self {
            foreign: bridge.provider.users().into_iter().chain(bridge.provider.groups()).collect(),
            bridge,
            dice: Dice(seed),
            people,
            groups: GROUPS.into_iter().map(|name| (name, BTreeSet::new())).collect(),
            may_be_off: (0..PEOPLE).collect(),
            may_be_out: BTreeSet::new(),
            nested: seed % 4 > 1,
            names_move: seed.is_multiple_of(2),
            renames: 0,
            log: vec![format!("seed {seed}")],
        };
        for number in 0..PEOPLE / 2 {
            history.people[number].present = true;
        }
        history.write();
        history
    }

    /// The directory as the oracle has it.
    fn write(&self) {
        let directory = &self.bridge.directory;
        directory.clear();
        for (number, person) in self.people.iter().enumerate().filter(|(_, person)| person.present) {
            let name = format!("p{number}");
            directory.add_user(&name);
            directory.set(&name, "uid", &person.uid);
            directory.set_status(&name, if person.enabled { Status::Enabled } else { Status::Disabled });
            if let Some(manager) = person.manager {
                directory.set_manager(&name, &format!("p{manager}"));
            }
        }
        for (group, members) in &self.groups {
            let mut names: Vec<String> = members.iter().map(|number| format!("p{number}")).collect();
            names.extend((self.nested && *group == "staff").then(|| "@makers".to_owned()));
            directory.put_group(group, &names.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    fn is_member(&self, group: &str, number: usize) -> bool {
        self.groups[group].contains(&number) || (self.nested && group == "staff" && self.groups["makers"].contains(&number))
    }

    fn something_happens(&mut self) {
        let number = self.dice.below(PEOPLE);
        let group = GROUPS[self.dice.below(GROUPS.len())];
        let event = self.dice.below(6);
        self.log.push(format!("event {event} p{number} {group}"));
        match event {
            0 => self.people[number].present ^= true,
            1 => self.people[number].enabled ^= true,
            2 => {
                self.renames += 1;
                let new = format!("p{number}r{}", self.renames);
                let old = std::mem::replace(&mut self.people[number].uid, new);
                let heir = self.dice.below(PEOPLE);
                if self.names_move && heir != number {
                    self.people[heir].uid = old;
                }
            }
            3 => self.people[number].manager = Some(self.dice.below(PEOPLE)).filter(|manager| *manager != number),
            _ => {
                let members = self.groups.get_mut(group).unwrap();
                if !members.remove(&number) {
                    members.insert(number);
                }
            }
        }
        if self.people.iter().all(|person| !person.present) {
            self.people[number].present = true;
        }
    }

    fn note_reasons(&mut self) {
        for (number, person) in self.people.iter().enumerate() {
            if !person.present || !person.enabled {
                self.may_be_off.insert(number);
            }
            for group in GROUPS {
                if !person.present || !self.is_member(group, number) {
                    self.may_be_out.insert((group, number));
                }
            }
        }
    }

    /// Who is active, and who is in which group, by the id that each resource carries. What is not ours is as it was.
    fn at_target(&self) -> (BTreeMap<usize, bool>, BTreeSet<(&'static str, usize)>) {
        let mut active = BTreeMap::new();
        let mut by_resource = BTreeMap::new();
        let all = self.bridge.provider.users().into_iter().chain(self.bridge.provider.groups());
        let is_ours = |one: &Json| one["externalId"].as_str().is_some_and(|id| id.starts_with("id-"));
        let foreign: Vec<Json> = all.filter(|one| !is_ours(one)).collect();
        assert_eq!(foreign, self.foreign, "what is not ours was changed\n{}", self.log.join("\n"));
        for user in self.bridge.provider.users().into_iter().filter(is_ours) {
            let number: usize = user["externalId"].as_str().unwrap().trim_start_matches("id-p").parse().unwrap();
            assert!(active.insert(number, user["active"] == true).is_none(), "p{number} is there twice\n{}", self.log.join("\n"));
            by_resource.insert(user["id"].as_str().unwrap().to_owned(), number);
        }
        let mut members = BTreeSet::new();
        for group in GROUPS {
            if self.bridge.provider.group(group).is_some() {
                members.extend(self.bridge.provider.member_ids(group).iter().map(|id| (group, by_resource[id])));
            }
        }
        (active, members)
    }

    async fn cycle(&mut self, number: usize) {
        for _ in 0..self.dice.below(5) {
            self.something_happens();
        }
        self.write();
        self.note_reasons();
        let partial = self.dice.one_in(4);
        let mut hidden = BTreeSet::new();
        if partial {
            for person in 0..PEOPLE {
                if self.people[person].present && self.dice.one_in(2) {
                    self.bridge.directory.remove(&format!("id-p{person}"));
                    hidden.insert(person);
                }
            }
            for group in GROUPS {
                if self.dice.one_in(2) {
                    self.bridge.directory.put_group(group, &[]);
                }
            }
        }
        self.bridge.directory.set_partial(if partial { &["a page failed"] } else { &[] });
        self.bridge.provider.heal();
        let faults = [
            Fault::LostAnswer,
            Fault::LostRequest,
            Fault::AfterCommit(502),
            Fault::status(500),
            Fault::status(400),
            Fault::status(401),
        ];
        let fault = faults[self.dice.below(faults.len())].clone();
        if self.dice.one_in(2) {
            let (after, times) = (self.dice.below(8), 1 + self.dice.below(4));
            self.log.push(format!("cycle {number}: {fault:?} after {after}, {times} times"));
            self.bridge.provider.fail_after("*", "/", after, times, fault);
        }
        let (active_before, members_before) = self.at_target();
        let resync = self.dice.one_in(4);
        self.log.push(format!("cycle {number}: partial {partial} hidden {hidden:?} resync {resync}"));
        let report = if resync { self.bridge.resync().await } else { self.bridge.sync().await };
        self.log.push(format!("cycle {number}: {:?} {:?} {:?}", report.end, report.error, report.held));
        let (active, members) = self.at_target();
        for (person, was) in active_before {
            let explicit = !self.people[person].enabled && !hidden.contains(&person);
            let off = was && active.get(&person) != Some(&true);
            assert!(
                !off || if partial { explicit } else { self.may_be_off.contains(&person) },
                "p{person} was switched off without a reason\n{}",
                self.log.join("\n")
            );
        }
        for lost in members_before.difference(&members) {
            assert!(!partial, "{lost:?} was lost to a partial reading\n{}", self.log.join("\n"));
            assert!(self.may_be_out.contains(lost), "{lost:?} was put out without a reason\n{}", self.log.join("\n"));
        }
        if !partial {
            self.may_be_off.clear();
            self.may_be_out.clear();
            self.note_reasons();
        }
    }

    async fn ends_well(mut self) {
        if self.names_move {
            self.people.iter_mut().for_each(|person| person.present = true);
        }
        self.write();
        self.bridge.directory.set_partial(&[]);
        self.bridge.provider.heal();
        for _ in 0..3 {
            let report = self.bridge.sync().await;
            self.log.push(format!("healed: {:?} {:?} {:?}", report.end, report.error, report.held));
        }
        let log = self.log.join("\n");
        self.bridge.assert_no_duplicates();
        let (active, members) = self.at_target();
        let wanted: BTreeSet<usize> = (0..PEOPLE).filter(|n| self.people[*n].present && self.people[*n].enabled).collect();
        let really: BTreeSet<usize> = active.iter().filter(|(_, active)| **active).map(|(number, _)| *number).collect();
        assert_eq!(really, wanted, "active\n{log}");
        let wanted: BTreeSet<(&str, usize)> = GROUPS
            .into_iter()
            .flat_map(|group| (0..PEOPLE).map(move |number| (group, number)))
            .filter(|(group, number)| self.people[*number].present && self.is_member(group, *number))
            .collect();
        assert_eq!(members, wanted, "members\n{log}");
        for (number, person) in self.people.iter().enumerate().filter(|(_, person)| person.present) {
            assert!(self.bridge.provider.user(&person.uid).is_some(), "p{number} is not called {}\n{log}", person.uid);
        }
        self.bridge.assert_silent().await;
    }
}

async fn play(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut history = History::start(seed).await;
        for number in 0..CYCLES {
            history.cycle(number).await;
        }
        history.ends_well().await;
    }
}

#[tokio::test]
async fn whatever_happens_nobody_is_doubled_or_wrongly_put_out_and_all_ends_well() {
    play(0..24).await;
}
