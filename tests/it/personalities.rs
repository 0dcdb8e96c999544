//! Each kind of provider × a history of the directory × a crash or a lost answer at a request: nobody is doubled, no
//! foreign account is touched, no resource has two writes in flight, revocations go first, at most three cycles later
//! the target holds what the directory says or the entry is held with a reason, and then nothing is sent any more.

use std::collections::{BTreeMap, BTreeSet};

use ldap2scim::cycle::Report;
use ldap2scim::model::Status;
use serde_json::{Value as Json, json};

use crate::support::bridge::Bridge;
use crate::support::personalities::{KINDS, Kind, may_be_held};
use crate::support::provider::{Fault, Recorded};

/// Requests of a history that meet a fault, for each kind of provider and each fault: one in each part of the history,
/// and from kind to kind and fault to fault another one of that part, so that together they are all requests.
const PLACES: usize = 6;

/// What the directory says, kept beside it: the oracle.
#[derive(Clone, Default)]
struct Person {
    uid: String,
    enabled: bool,
    title: Option<&'static str>,
    manager: Option<usize>,
}

struct History {
    kind: &'static Kind,
    bridge: Bridge,
    people: BTreeMap<usize, Person>,
    /// By the name that they had first: the name, and the members.
    groups: BTreeMap<&'static str, (&'static str, BTreeSet<usize>)>,
    foreign: Vec<Json>,
    /// Nothing goes wrong but what the provider does by itself, and that is not the weather.
    calm: bool,
    /// Entries that were held for a reason of their kind.
    once_held: BTreeSet<String>,
    log: Vec<String>,
}

impl History {
    async fn start(kind: &'static Kind) -> Self {
        let bridge = kind.bridge().await;
        let stranger = bridge.provider.add_user("stranger", json!({ "active": true, "title": "not ours", "externalId": "id-x" }));
        bridge.provider.add_user("sleeper", json!({ "active": false }));
        bridge.provider.add_group("strangers", json!({ "members": [{ "value": stranger }] }));
        let mut history = Self {
            kind,
            bridge,
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            foreign: Vec::new(),
            calm: (kind.personality)().weather.is_none(),
            once_held: BTreeSet::new(),
            log: Vec::new(),
        };
        history.foreign = history.not_ours();
        history
    }

    /// Whatever does not carry an id of ours.
    fn not_ours(&self) -> Vec<Json> {
        let all = self.bridge.provider.users().into_iter().chain(self.bridge.provider.groups());
        all.filter(|one| !["userName", "displayName"].iter().any(|name| ours(&one[name])))
            .filter(|one| one["externalId"].as_str().is_none_or(|id| id == "id-x"))
            .collect()
    }

    fn join(&mut self, number: usize, enabled: bool, manager: Option<usize>) {
        self.people.insert(number, Person { uid: format!("p{number}"), enabled, title: None, manager });
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut Person)) {
        change(self.people.get_mut(&number).unwrap());
    }

    /// What happens before each cycle; five people play the parts, shifted by the turn.
    fn step(&mut self, step: usize, turn: usize) {
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|part: usize| if part == 5 { 5 } else { (part + turn) % 5 });
        match step {
            0 => {
                [a, b, c, d].into_iter().for_each(|number| self.join(number, true, None));
                self.join(e, false, None);
                self.change(a, |person| person.manager = Some(b));
                self.groups.insert("staff", ("staff", [a, b, c, e].into()));
                self.groups.insert("makers", ("Makers Guild", [c, d].into()));
            }
            1 => {
                self.change(a, |person| person.uid.push('x'));
                let (first, second) = (self.people[&b].uid.clone(), self.people[&c].uid.clone());
                self.change(b, |person| person.uid = second);
                self.change(c, |person| person.uid = first);
                self.change(d, |person| (person.title, person.enabled) = (Some("Smith"), false));
                self.groups.insert("staff", ("crew", [a, c, d, e].into()));
                self.groups.insert("makers", ("Makers Guild", [b, d].into()));
            }
            2 => {
                self.change(d, |person| person.enabled = true);
                self.people.remove(&c);
                self.join(f, true, Some(a));
                self.groups.remove("makers");
                self.groups.insert("board", ("board", [a, f].into()));
            }
            _ => {
                // Who returns comes under a name that nobody has taken since.
                self.join(c, true, None);
                self.change(c, |person| person.uid.push('r'));
                self.change(a, |person| person.title = Some("Chair"));
                self.change(e, |person| person.enabled = true);
                self.change(b, |person| person.enabled = false);
            }
        }
        self.write();
    }

    /// The directory as the oracle has it.
    fn write(&self) {
        let directory = &self.bridge.directory;
        directory.clear();
        for (number, person) in &self.people {
            let name = format!("p{number}");
            directory.add_user(&name);
            directory.set(&name, "uid", &person.uid);
            directory.set_status(&name, if person.enabled { Status::Enabled } else { Status::Disabled });
            if let Some(title) = person.title {
                directory.set(&name, "title", title);
            }
            if let Some(manager) = person.manager {
                directory.set_manager(&name, &format!("p{manager}"));
            }
        }
        for (id, (name, members)) in &self.groups {
            let members: Vec<String> = members.iter().map(|number| format!("p{number}")).collect();
            directory.put_group(id, &members.iter().map(String::as_str).collect::<Vec<_>>());
            directory.change(&format!("id-g-{id}"), |entry| {
                entry.attributes.insert(ldap2scim::model::AttributeName::new("cn"), vec![(*name).into()]);
            });
        }
    }

    /// One cycle, or what there was of it before the crash.
    async fn cycle(&mut self) -> Option<Report> {
        self.bridge.provider.forget_requests();
        let report = tokio::select! {
            report = self.bridge.sync() => Some(report),
            () = self.bridge.provider.stalled() => None,
        };
        let requests: Vec<Recorded> = self.bridge.provider.requests().iter().flat_map(Recorded::alone).collect();
        self.log.push(match &report {
            Some(report) => format!("cycle: {:?} {:?} held {:?}", report.end, report.error, report.held),
            None => "cycle: crashed".to_owned(),
        });
        self.log.extend(requests.iter().map(|request| format!("  {} {}", request.line(), request.body)));
        self.check_revocations(&requests);
        report
    }

    fn story(&self) -> String {
        format!("{}\n{}", self.kind.name, self.log.join("\n"))
    }

    /// Whoever is switched off is so before anybody is created.
    fn check_revocations(&self, requests: &[Recorded]) {
        let mut seen = BTreeSet::new();
        let first_create = requests
            .iter()
            .position(|request| request.method == "POST" && (request.path == "/Users" || request.path == "/Groups"));
        for (place, request) in requests.iter().enumerate() {
            let operations = request.body["Operations"].as_array().cloned().unwrap_or_default();
            let off = |json: &Json| *json == json!(false) || *json == json!("False");
            let revokes = request.method == "DELETE"
                || request.method == "PUT" && request.path.starts_with("/Users/") && off(&request.body["active"])
                || operations.iter().any(|one| one["path"] == "active" && off(&one["value"]) || off(&one["value"]["active"]));
            if revokes && request.path.starts_with("/Users/") && seen.insert(&request.path) {
                assert!(
                    first_create.is_none_or(|create| place < create),
                    "{} comes after a create\n{}",
                    request.line(),
                    self.story()
                );
            }
        }
    }

    /// What must hold at any moment.
    fn check_always(&self) {
        let mut names = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for (one, at) in self
            .bridge
            .provider
            .users()
            .iter()
            .map(|user| (user, "userName"))
            .chain(self.bridge.provider.groups().iter().map(|group| (group, "displayName")))
        {
            assert!(names.insert((at, one[at].as_str().unwrap().to_lowercase())), "{} twice\n{}", one[at], self.story());
            if let Some(id) = one["externalId"].as_str() {
                assert!(ids.insert((at, id.to_owned())), "two resources for {id}\n{}", self.story());
            }
        }
        assert_eq!(self.not_ours(), self.foreign, "what is not ours was changed\n{}", self.story());
        assert!(self.bridge.provider.most_in_flight() <= 1, "two writes in flight\n{}", self.story());
        assert_eq!(self.bridge.provider.violations(), Vec::<String>::new(), "{}", self.story());
    }

    /// What the target holds otherwise than the directory says: whose it is, and what.
    fn differences(&self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let users = self.bridge.provider.users();
        let by_entry = |number: usize| users.iter().find(|user| user["externalId"] == format!("id-p{number}"));
        for number in 0..6 {
            let entry = format!("id-p{number}");
            let user = by_entry(number);
            let on = user.is_some_and(|user| user["active"] == true);
            let person = self.people.get(&number);
            if on != person.is_some_and(|person| person.enabled) {
                wrong.push((entry.clone(), format!("is {}", if on { "on" } else { "off" })));
            }
            let (Some(person), Some(user)) = (person, user) else { continue };
            let held = |at: &str, value: Option<&str>| {
                let there = user[at].as_str().unwrap_or_default();
                self.kind.frozen.contains(&at) || there.eq_ignore_ascii_case(value.unwrap_or_default())
            };
            if !held("userName", Some(&person.uid)) || !held("title", person.title) {
                wrong.push((entry, format!("has {} {}", user["userName"], user["title"])));
            }
        }
        wrong.extend(self.group_differences(&users));
        wrong
    }

    fn group_differences(&self, users: &[Json]) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let groups = self.bridge.provider.groups();
        for id in ["staff", "makers", "board"] {
            let entry = format!("id-g-{id}");
            let there = groups.iter().find(|group| group["externalId"] == entry.as_str());
            match (self.groups.get(id), there) {
                (None, None) => {}
                (None, Some(_)) | (Some(_), None) => wrong.push((entry, "is there or not".to_owned())),
                (Some((name, members)), Some(group)) => {
                    let own = group["displayName"].as_str().unwrap();
                    if !own.eq_ignore_ascii_case(name) && own != name.to_lowercase().replace(' ', "-") {
                        wrong.push((entry.clone(), format!("is called {own}")));
                    }
                    let ids: BTreeSet<&str> =
                        group["members"].as_array().into_iter().flatten().filter_map(|member| member["value"].as_str()).collect();
                    for number in 0..6 {
                        let member = users.iter().find(|user| user["externalId"] == format!("id-p{number}"));
                        let is = member.is_some_and(|user| ids.contains(user["id"].as_str().unwrap()));
                        let should = members.contains(&number) && self.people.contains_key(&number) && member.is_some();
                        if is != should {
                            wrong.push((entry.clone(), format!("p{number} is {}in {own}", if is { "" } else { "not " })));
                        }
                    }
                }
            }
        }
        wrong
    }

    /// One step, the cycles after it, and a quiet one.
    async fn play(&mut self, step: usize, turn: usize) {
        self.log.push(format!("step {step}"));
        self.step(step, turn);
        let mut left = self.after(step).await;
        if self.calm {
            assert_eq!(self.still_on(), Vec::<String>::new(), "not switched off by the first cycle\n{}", self.story());
        }
        for _ in 0..3 {
            if left.is_empty() {
                break;
            }
            left = self.after(step).await;
        }
        assert!(left.is_empty(), "after three more cycles: {left:?}\n{}", self.story());
        // What was held because an answer was lost is settled by the cycles that follow.
        for _ in 0..3 {
            if self.cycle().await.is_some_and(|report| report.held.is_empty()) {
                break;
            }
        }
        let before = (self.bridge.provider.users(), self.bridge.provider.groups());
        let report = self.cycle().await;
        self.check_always();
        let after = (self.bridge.provider.users(), self.bridge.provider.groups());
        assert_eq!(before, after, "a cycle with nothing to do changed something\n{}", self.story());
        let Some(report) = report else { return };
        for held in &report.held {
            assert!(may_be_held(self.kind.name, &held.why), "held for good: {held:?}\n{}", self.story());
        }
        if report.held.is_empty() {
            let sent = self.bridge.provider.requests();
            let discovery = ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes"];
            let lines: Vec<String> =
                sent.iter().filter(|request| !discovery.contains(&request.path.as_str())).map(Recorded::line).collect();
            assert!(lines.is_empty(), "a cycle with nothing to do sent {lines:?}\n{}", self.story());
        }
    }

    /// Who is on at the target and neither enabled nor there in the directory.
    fn still_on(&self) -> Vec<String> {
        let off = |number: &usize| self.people.get(number).is_none_or(|person| !person.enabled);
        let off: BTreeSet<String> = (0..6).filter(off).map(|number| format!("id-p{number}")).collect();
        let users = self.bridge.provider.users();
        let on = users.iter().filter(|user| user["active"] == true).filter_map(|user| user["externalId"].as_str());
        on.filter(|id| off.contains(*id)).map(str::to_owned).collect()
    }

    /// A full comparison when all is well finds nothing to do. What reads do not show yet may be sent once more.
    async fn compare(&mut self) {
        if (self.kind.personality)().lifecycle.stale_reads > 0 {
            self.bridge.resync().await;
        }
        let before = (self.bridge.provider.users(), self.bridge.provider.groups());
        self.bridge.provider.forget_requests();
        let report = self.bridge.resync().await;
        self.log.push(format!("resync: {:?} {:?} held {:?}", report.end, report.error, report.held));
        self.log.extend(self.bridge.provider.requests().iter().map(|request| format!("  {} {}", request.line(), request.body)));
        self.check_always();
        let after = (self.bridge.provider.users(), self.bridge.provider.groups());
        assert_eq!(before, after, "a comparison with nothing to do changed something\n{}", self.story());
        let writes: Vec<String> = self.bridge.provider.writes().iter().map(Recorded::line).collect();
        assert!(!report.held.is_empty() || writes.is_empty(), "it sent {writes:?}\n{}", self.story());
    }

    /// A cycle; what is wrong after it without being held for a reason of its kind.
    async fn after(&mut self, step: usize) -> Vec<(String, String)> {
        let report = self.cycle().await;
        self.check_always();
        let all = report.iter().flat_map(|report| &report.held);
        assert!(all.clone().all(|held| !held.why.is_empty()), "held without a reason in step {step}\n{}", self.story());
        let held: BTreeSet<String> =
            all.filter(|held| may_be_held(self.kind.name, &held.why)).map(|held| held.entry_id.to_string()).collect();
        let mut wrong = self.differences();
        self.once_held.extend(held.iter().cloned());
        // Who is held without a resource is no member either, and a group that could not be found cannot be removed.
        let is_held = |entry: &str, what: &str| {
            held.contains(entry)
                || what == "is there or not" && self.once_held.contains(entry)
                || what.split_once(" is not in ").is_some_and(|(member, _)| held.contains(&format!("id-{member}")))
        };
        wrong.retain(|(entry, what)| report.is_none() || !is_held(entry, what));
        wrong
    }
}

fn ours(name: &Json) -> bool {
    let name = name.as_str().unwrap_or_default().to_lowercase();
    let numbered = name.strip_prefix('p').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
    numbered || ["staff", "crew", "makers guild", "makers-guild", "board"].contains(&name.as_str())
}

/// The whole history; how many requests it took.
async fn whole(kind: &'static Kind, turn: usize, fault: Option<(usize, Fault)>) -> usize {
    let mut history = History::start(kind).await;
    if let Some((place, fault)) = fault {
        history.log.push(format!("turn {turn}, request {place}: {fault:?}"));
        history.bridge.provider.fail_after("*", "", place, 1, fault);
        history.calm = false;
    }
    for step in 0..4 {
        history.play(step, turn).await;
    }
    let requests = history.log.iter().filter(|line| line.starts_with("  ")).count();
    if history.calm {
        history.compare().await;
    }
    requests
}

/// What meets a request.
const FAULTS: [Fault; 3] = [Fault::LostAnswer, Fault::Crash, Fault::CrashBefore];

/// Histories of one kind: without a fault, then with one at a time.
async fn some_faults(number: usize, kind: &'static Kind) {
    let requests = whole(kind, number, None).await;
    let part = requests.div_ceil(PLACES);
    for (shift, fault) in FAULTS.iter().enumerate() {
        for place in 0..PLACES {
            whole(kind, number, Some((place * part + (number + shift * 5) % part, fault.clone()))).await;
        }
    }
}

/// Every `shares`th kind, from a first one on; all are played, and all that failed are named.
async fn matrix(first: usize, shares: usize) {
    let mut failed = Vec::new();
    for (number, kind) in KINDS.iter().enumerate().skip(first).step_by(shares) {
        if tokio::spawn(some_faults(number, kind)).await.is_err() {
            failed.push(kind.name);
        }
    }
    assert!(failed.is_empty(), "see above: {failed:?}");
}

/// The kind that keeps to the RFCs, with a fault at each of its requests.
async fn each_request(fault: Fault) {
    let requests = whole(&KINDS[0], 0, None).await;
    for place in 0..requests {
        whole(&KINDS[0], place, Some((place, fault.clone()))).await;
    }
}

#[tokio::test]
async fn whatever_the_provider_is_and_whatever_is_lost_all_ends_well_first_quarter() {
    matrix(0, 4).await;
}

#[tokio::test]
async fn whatever_the_provider_is_and_whatever_is_lost_all_ends_well_second_quarter() {
    matrix(1, 4).await;
}

#[tokio::test]
async fn whatever_the_provider_is_and_whatever_is_lost_all_ends_well_third_quarter() {
    matrix(2, 4).await;
}

#[tokio::test]
async fn whatever_the_provider_is_and_whatever_is_lost_all_ends_well_last_quarter() {
    matrix(3, 4).await;
}

#[tokio::test]
async fn a_lost_answer_to_any_request_does_no_harm() {
    each_request(Fault::LostAnswer).await;
}

#[tokio::test]
async fn a_crash_after_any_request_does_no_harm() {
    each_request(Fault::Crash).await;
}

#[tokio::test]
async fn a_crash_before_any_request_does_no_harm() {
    each_request(Fault::CrashBefore).await;
}
