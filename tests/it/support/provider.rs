//! A SCIM provider in the test process that keeps state, judges each request by RFC 7643 and 7644, and can be told
//! to misbehave. It runs in a thread of its own, so that tests may block, and stops when it is dropped.
//!
//! ```ignore
//! let provider = Provider::start(Personality { page_cap: 10, ..Personality::default() }).await;
//! let target = provider.target();                      // a ready ldap2scim::scim::Provider with short waits
//! let settings = provider.settings();                  // or its settings, to be changed first
//! provider.base_url(); provider.token(); provider.set_token("rotated");
//! let id = provider.add_user("ada", json!({"title": "Countess"}));   // behind the client's back
//! provider.edit(&id, |user| user["active"] = json!(false)); provider.remove(&id);
//! provider.users(); provider.user("ada"); provider.groups(); provider.group("Eng"); provider.member_ids("Eng");
//! provider.fail_next(Fault::LostAnswer);               // the next request, whatever it is
//! provider.fail_times(3, Fault::too_many("0"));
//! provider.fail_when("POST", "/Users", 1, Fault::LostAnswer);        // method (or *) and a part of path?query
//! provider.fail_after("*", "/", 10, 1000, Fault::status(401));       // ten requests pass, the next 1000 fail
//! provider.requests(); provider.writes(); provider.forget_requests(); provider.most_in_flight();
//! provider.assert_clean();                             // panics with every rule that a request broke
//! ```

mod answers;
pub mod bulk;
pub mod documents;
mod lifecycle;
mod line;
mod lists;
mod manners;
mod membership;
mod patch;
mod rules;
pub mod schemas;
mod served;
mod shown;
mod state;
mod updates;
mod weather;

pub use lifecycle::{Deactivated, Lifecycle, Names};
pub use membership::Membership;
pub use shown::Spelling;
pub use updates::{Pathless, Put, Updates};
pub use weather::Weather;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use ldap2scim::scim;
use ldap2scim::secret::Secret;

use state::State;

/// What kind of provider this is. The default keeps to the RFCs.
#[derive(Debug, Clone)]
pub struct Personality {
    /// Filters.
    pub filter: Filter,
    /// The answer to a create.
    pub create: Create,
    /// PATCH is answered with 204 and no body.
    pub patch_without_body: bool,
    /// A filtered replace that finds nothing is answered with 200, and nothing happens.
    pub silent_no_target: bool,
    /// Pages.
    pub paging: Paging,
    /// Resources in a page at most.
    pub page_cap: usize,
    /// 409 carries `scimType: uniqueness`.
    pub conflict_has_scim_type: bool,
    /// Conflicts are 400 with scimType uniqueness instead of 409.
    pub conflict_is_400: bool,
    /// Names that exist and are never shown.
    pub hidden: Vec<String>,
    /// Two groups may not have one displayName.
    pub unique_group_names: bool,
    /// Forms of member removal that are understood.
    pub member_remove: MemberRemove,
    /// Adding a member that is there is 409.
    pub readd_is_conflict: bool,
    /// The answer to an unknown member: 0 takes it, 200 passes it over, else this status.
    pub unknown_member: u16,
    /// Members are never shown.
    pub members_hidden: bool,
    /// Members taken in one PATCH at most; more is 400.
    pub members_per_request: usize,
    /// Answers are spelled oddly: numeric ids, `"True"`, lower-case `resources`, no schemas, dotted name, null
    /// members, a byte order mark, odd case of names.
    pub odd_answers: bool,
    /// Requests may use title-case ops, string booleans and `application/json`.
    pub entra_requests: bool,
    /// The manager is a plain string (as paloalto-cie has it) instead of an object.
    pub manager_is_text: bool,
    /// How long each request takes.
    pub latency: Duration,
    /// ServiceProviderConfig says that PATCH is not supported, and there is none.
    pub no_patch: bool,
    /// Groups are to be listed without their members.
    pub group_lists_exclude_members: bool,
    /// Users can be filtered by `groups.value`.
    pub filters_by_group: bool,
    /// What `/Bulk` does, where it is.
    pub bulk: Option<bulk::Bulk>,
    /// What it says of itself.
    pub documents: documents::Documents,
    /// How resources are changed.
    pub updates: Updates,
    /// What groups do with members.
    pub membership: Membership,
    /// What becomes of resources.
    pub lifecycle: Lifecycle,
    /// How answers are spelled.
    pub spelling: Spelling,
    /// What befalls requests again and again.
    pub weather: Option<Weather>,
    /// Others than us are served too: only the RFCs are kept, not what we promise beyond them.
    pub any_client: bool,
}

impl Default for Personality {
    fn default() -> Self {
        Self {
            filter: Filter::Honoured,
            create: Create::Created,
            patch_without_body: false,
            silent_no_target: false,
            paging: Paging::Honest,
            page_cap: 100,
            conflict_has_scim_type: true,
            conflict_is_400: false,
            hidden: Vec::new(),
            unique_group_names: true,
            member_remove: MemberRemove::PathFilter,
            readd_is_conflict: false,
            unknown_member: 404,
            members_hidden: false,
            members_per_request: 100,
            odd_answers: false,
            entra_requests: false,
            manager_is_text: false,
            latency: Duration::ZERO,
            no_patch: false,
            group_lists_exclude_members: true,
            filters_by_group: false,
            bulk: None,
            documents: documents::Documents::default(),
            updates: Updates::default(),
            membership: Membership::default(),
            lifecycle: Lifecycle::default(),
            spelling: Spelling::default(),
            weather: None,
            any_client: false,
        }
    }
}

/// What a filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Honoured,
    /// Everybody is returned.
    Ignored,
    /// This status.
    Refused(u16),
    /// Nothing found is 404.
    NotFoundIfNone,
}

/// The answer to a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    Created,
    /// 200 instead of 201.
    Ok,
    /// No body, `Location`.
    EmptyWithLocation,
    /// No body, no `Location`.
    Empty,
}

/// How lists are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    Honest,
    /// `startIndex` is ignored.
    RepeatsFirst,
    /// No totalResults.
    NoTotal,
    /// totalResults is a string.
    TotalAsText,
    /// totalResults is this much too high.
    TotalTooHigh(usize),
    /// By cursor (RFC 9865), and nothing past the first page without one.
    Cursor,
}

/// Forms of member removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRemove {
    PathFilter,
    ValueArray,
    /// A filter or a value array.
    Either,
    /// A filter, or a value array of which the first counts.
    FirstOfValueArray,
    /// A filter; the value of a removal is not looked at, so that it removes all.
    ValueIgnored,
    /// A filter is 501, and the value of a removal is not looked at.
    AllOrNothing,
}

impl MemberRemove {
    /// True if a removal may have a value.
    pub fn has_value(self) -> bool {
        self != Self::PathFilter
    }

    /// True if a path may have a filter.
    pub fn has_filter(self) -> bool {
        matches!(self, Self::PathFilter | Self::Either | Self::FirstOfValueArray | Self::ValueIgnored)
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is done, then the connection is cut without a byte of an answer.
    LostAnswer,
    /// The connection is cut and nothing is done.
    LostRequest,
    /// This answer, and nothing is done.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// It is done, then answered with this status.
    AfterCommit(u16),
    /// It is done, and never answered.
    Stall,
    /// It is done and never answered, and `Provider::stalled` ends: the moment for a crash of ours.
    Crash,
    /// The same, and it is not done.
    CrashBefore,
    /// It is done, and answered with more than 64 MiB.
    Huge,
}

impl Fault {
    /// A status with a SCIM error body without scimType.
    pub fn status(status: u16) -> Self {
        let body =
            format!(r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"{status}","detail":"told to"}}"#);
        Self::Answer { status, headers: Vec::new(), body }
    }

    /// 429 with this `Retry-After`.
    pub fn too_many(retry_after: &str) -> Self {
        Self::Answer { status: 429, headers: vec![("retry-after", retry_after.to_owned())], body: "{}".to_owned() }
    }

    /// A page for people.
    pub fn html(status: u16) -> Self {
        let body = "<html><body>\u{7}Something\r\nbroke</body></html>".to_owned();
        Self::Answer { status, headers: vec![("content-type", "text/html".to_owned())], body }
    }

    /// 302.
    pub fn redirect(location: &str) -> Self {
        Self::Answer { status: 302, headers: vec![("location", location.to_owned())], body: String::new() }
    }

    /// A SCIM error of some kind.
    pub fn scim(status: u16, scim_type: &str) -> Self {
        let body = format!(r#"{{"status":"{status}","scimType":"{scim_type}","detail":"told to"}}"#);
        Self::Answer { status, headers: Vec::new(), body }
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: String,
    /// Below the base URL, as sent.
    pub path: String,
    /// As sent, without the question mark.
    pub query: String,
    /// Null if there was none.
    pub body: Json,
    pub content_type: Option<String>,
    pub token: Option<String>,
    /// All of them, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub at: Instant,
}

impl Recorded {
    /// `GET /Users?count=1`
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    /// The same without `/Bulk`: each operation as if it had come alone.
    pub fn alone(&self) -> Vec<Self> {
        let Some(operations) = self.body["Operations"].as_array().filter(|_| self.path == "/Bulk") else {
            return vec![self.clone()];
        };
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        let one = |operation: &Json| Self {
            method: text(&operation["method"]),
            path: text(&operation["path"]),
            query: String::new(),
            body: operation.get("data").cloned().unwrap_or_default(),
            ..self.clone()
        };
        operations.iter().map(one).collect()
    }
}

/// The running provider.
pub struct Provider {
    state: Arc<Mutex<State>>,
    address: std::net::SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Provider {
    pub async fn start(personality: Personality) -> Self {
        Self::start_blocking(personality)
    }

    pub fn start_blocking(personality: Personality) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::new(personality, format!("http://{address}/scim/v2"))));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(answers::serve(listener, shared, stopped));
        });
        Self { state, address, stop: Some(stop), thread: Some(thread) }
    }

    pub fn base_url(&self) -> url::Url {
        url::Url::parse(&format!("http://{}/scim/v2", self.address)).unwrap()
    }

    pub fn token(&self) -> String {
        self.state().token.clone()
    }

    /// From now on this is the token; the old one is answered with 401.
    pub fn set_token(&self, token: &str) {
        self.state().token = token.to_owned();
    }

    /// Settings to reach it: generic dialect, no pace to speak of, short waits.
    pub fn settings(&self) -> scim::Settings {
        let auth = scim::Auth::Bearer(Secret::Inline(self.token().into()));
        let mut settings = scim::Settings::new("provider", self.base_url(), auth, scim::preset("generic").unwrap());
        settings.dialect.rates = scim::Rates::per_second(10_000.0, 100);
        settings.dialect.set("settle", "0", scim::SaidBy::Default).unwrap();
        settings.retry.base = Duration::from_millis(1);
        settings.retry.max = Duration::from_millis(20);
        settings
    }

    pub fn target(&self) -> scim::Provider {
        scim::Provider::new(self.settings()).unwrap()
    }

    pub fn users(&self) -> Vec<Json> {
        self.state().all("User")
    }

    pub fn groups(&self) -> Vec<Json> {
        self.state().all("Group")
    }

    /// By userName, without case.
    pub fn user(&self, name: &str) -> Option<Json> {
        self.users().into_iter().find(|user| state::same(&user["userName"], name))
    }

    /// By displayName, without case.
    pub fn group(&self, name: &str) -> Option<Json> {
        self.groups().into_iter().find(|group| state::same(&group["displayName"], name))
    }

    pub fn member_ids(&self, group: &str) -> BTreeSet<String> {
        let group = self.group(group).unwrap_or_else(|| panic!("no group {group}"));
        let members = group["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
    }

    /// Behind the client's back. `more` is merged in.
    pub fn add_user(&self, name: &str, more: Json) -> String {
        self.state().insert("User", "userName", name, more)
    }

    /// Behind the client's back. `more` is merged in.
    pub fn add_group(&self, name: &str, more: Json) -> String {
        self.state().insert("Group", "displayName", name, more)
    }

    /// Behind the client's back.
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Json)) {
        change(&mut self.state().resources.get_mut(id).unwrap().1);
    }

    /// Behind the client's back.
    pub fn remove(&self, id: &str) {
        self.state().resources.remove(id).unwrap();
    }

    pub fn change_personality(&self, change: impl FnOnce(&mut Personality)) {
        change(&mut self.state().personality);
    }

    pub fn fail_next(&self, fault: Fault) {
        self.fail_when("*", "", 1, fault);
    }

    pub fn fail_times(&self, times: usize, fault: Fault) {
        self.fail_when("*", "", times, fault);
    }

    pub fn fail_when(&self, method: &'static str, part: &str, times: usize, fault: Fault) {
        self.fail_after(method, part, 0, times, fault);
    }

    pub fn fail_after(&self, method: &'static str, part: &str, passes: usize, times: usize, fault: Fault) {
        self.state().faults.push(state::Rule { method, part: part.to_owned(), passes, times, fault });
    }

    /// Ends every fault that is left.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.clone()
    }

    /// Requests that are not reads.
    pub fn writes(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.method != "GET").collect()
    }

    pub fn forget_requests(&self) {
        self.state().requests.clear();
    }

    /// The most writes that were ever in flight for one resource.
    pub fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    /// Ends when a request met `Fault::Crash` or `Fault::CrashBefore`.
    pub async fn stalled(&self) {
        let stalled = self.state().stalled.clone();
        stalled.notified().await;
    }

    /// Rules that requests broke.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub fn assert_clean(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "requests broke rules:\n{}", violations.join("\n"));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
