//! A small world to plan in: entries by short names, links, rules; a plan as lines of text.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::mapping::{self, Preset};
use crate::model::{
    AttributeName, AttributePath, AttributeValue, Capabilities, ChannelName, Coverage, Dn, Entry, EntryId, Leaver, Link,
    LinkedCounts, Origin, Resource, ResourceId, ResourceType, Selection, Snapshot, Status, Uncertain, Value, Vendor,
};
use crate::plan::{
    Action, Change, Desired, Edit, Existing, Found, GroupRemoval, GroupRules, GroupScope, GuardSettings, Judge, Known, Limit,
    MappingChoice, Members, Nesting, Plan, Recreated, Rules, SameName, Situation, UserRemoval, UserRules, drift, plan,
};

pub const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

pub fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

pub fn id(text: &str) -> EntryId {
    EntryId::new(text)
}

pub fn user(name: &str) -> Entry {
    Entry {
        id: id(name),
        dn: dn(&format!("uid={name},ou=people,dc=x")),
        resource_type: ResourceType::User,
        selected: true,
        status: Status::Enabled,
        status_until: None,
        aliases: Vec::new(),
        members: None,
        member_aliases: Vec::new(),
        attributes: BTreeMap::from([(AttributeName::new("uid"), vec![AttributeValue::from(name)])]),
    }
}

/// A group; members are user names, or group names after an `@`.
pub fn group(name: &str, members: &[&str]) -> Entry {
    let member = |member: &&str| match member.strip_prefix('@') {
        Some(group) => dn(&format!("cn={group},ou=groups,dc=x")),
        None => dn(&format!("uid={member},ou=people,dc=x")),
    };
    Entry {
        id: id(&format!("g-{name}")),
        dn: dn(&format!("cn={name},ou=groups,dc=x")),
        resource_type: ResourceType::Group,
        selected: true,
        status: Status::Enabled,
        status_until: None,
        aliases: Vec::new(),
        members: Some(members.iter().map(member).collect()),
        member_aliases: Vec::new(),
        attributes: BTreeMap::from([(AttributeName::new("cn"), vec![AttributeValue::from(name)])]),
    }
}

pub fn with(mut entry: Entry, attribute: &str, value: &str) -> Entry {
    entry.attributes.insert(AttributeName::new(attribute), vec![AttributeValue::from(value)]);
    entry
}

pub fn without(mut entry: Entry, attribute: &str) -> Entry {
    entry.attributes.remove(&AttributeName::new(attribute));
    entry
}

pub fn status(mut entry: Entry, status: Status) -> Entry {
    entry.status = status;
    entry
}

pub fn managed_by(entry: Entry, manager: &str) -> Entry {
    with(entry, "manager", &format!("uid={manager},ou=people,dc=x"))
}

/// What is remembered of a user: linked, active, claimed by the channel `here`.
pub fn linked_user(name: &str) -> (Link, &'static [&'static str]) {
    let attributes = BTreeMap::from([
        (AttributePath::known("userName"), Value::from(name)),
        (AttributePath::known("active"), Value::Flag(true)),
    ]);
    (link(name, name, ResourceType::User, attributes, &[]), &["here"])
}

pub fn inactive(mut linked: (Link, &'static [&'static str])) -> (Link, &'static [&'static str]) {
    linked.0.acknowledged.attributes.insert(AttributePath::known("active"), Value::Flag(false));
    linked
}

pub fn linked_group(name: &str, members: &[&str]) -> (Link, &'static [&'static str]) {
    let attributes = BTreeMap::from([(AttributePath::known("displayName"), Value::from(name))]);
    (link(&format!("g-{name}"), &format!("G{name}"), ResourceType::Group, attributes, members), &["here"])
}

/// The same link of a resource that was there before us.
pub fn adopted(mut linked: (Link, &'static [&'static str])) -> (Link, &'static [&'static str]) {
    linked.0.origin = Origin::Adopted;
    linked
}

/// The same link without claims.
pub fn unclaimed((link, _): (Link, &'static [&'static str])) -> (Link, &'static [&'static str]) {
    (link, &[])
}

/// What is at the target under a link's resource id; members by resource id.
pub fn there(linked: &(Link, &'static [&'static str]), members: &[&str]) -> Found {
    Found {
        resource_id: linked.0.resource_id.clone(),
        resource_type: linked.0.acknowledged.resource_type,
        attributes: linked.0.acknowledged.attributes.clone(),
        members: Some(members.iter().map(|id| ResourceId::new(id)).collect()),
    }
}

fn link(
    entry: &str,
    resource: &str,
    resource_type: ResourceType,
    attributes: BTreeMap<AttributePath, Value>,
    members: &[&str],
) -> Link {
    Link {
        entry_id: id(entry),
        resource_id: ResourceId::new(&format!("R{resource}")),
        origin: Origin::Created,
        acknowledged: Resource { resource_type, attributes, members: members.iter().map(|name| id(name)).collect() },
        uncertain: Uncertain::default(),
    }
}

pub struct World {
    pub rules: Rules,
    pub capabilities: Capabilities,
    pub snapshot: Snapshot,
    pub entries: Vec<Entry>,
    pub coverage: Coverage,
    pub situations: BTreeMap<EntryId, Situation>,
    pub comparison: Option<drift::Comparison>,
}

impl World {
    pub fn new(links: &[(Link, &'static [&'static str])], entries: Vec<Entry>) -> Self {
        let capabilities = capabilities();
        let own = [("userName", "uid"), ("title", "title"), (MANAGER, "manager")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let mapping = mapping::compile(Preset::None, &own, &capabilities).unwrap();
        let mut snapshot = Snapshot::default();
        for (link, claims) in links {
            snapshot.claims.insert(link.entry_id.clone(), claims.iter().map(|name| ChannelName::new(name)).collect());
            snapshot.links.insert(link.entry_id.clone(), link.clone());
        }
        snapshot.claims.retain(|_, claims: &mut BTreeSet<ChannelName>| !claims.is_empty());
        let wide = Limit { percent: 100.0, at_least: 1000, at_most: None };
        let base = |text| Selection { base_dns: vec![dn(text)], filter: None };
        Self {
            rules: Rules {
                channel: ChannelName::new("here"),
                channels_of_target: vec![ChannelName::new("first"), ChannelName::new("here"), ChannelName::new("last")],
                users: UserRules { selection: base("dc=x"), scope: GroupScope { group_dns: vec![], nested: true } },
                groups: Some(GroupRules {
                    selection: base("dc=x"),
                    scope: GroupScope { group_dns: vec![], nested: true },
                    include_self: false,
                    name: AttributeName::new("cn"),
                    nesting: Nesting::Flatten,
                    members: Members::Managed,
                    same_name: SameName::Hold,
                    recreated: Recreated::Relink,
                }),
                mapping: MappingChoice::Fixed(Box::new(mapping)),
                provision_disabled: true,
                existing: Existing::Overwrite,
                user_removal: UserRemoval::Deactivate,
                group_removal: GroupRemoval::Delete,
                delete_adopted_groups: false,
                guard: GuardSettings {
                    window: Duration::from_secs(86_400),
                    users: wide,
                    groups: wide,
                    memberships: wide,
                    per_group: wide,
                    identity: wide,
                },
            },
            capabilities,
            snapshot,
            entries,
            coverage: Coverage::Full,
            situations: BTreeMap::new(),
            comparison: None,
        }
    }

    pub fn partial(mut self) -> Self {
        self.coverage = Coverage::Partial(vec!["a page failed".into()]);
        self
    }

    pub fn found(mut self, entry: &str, attributes: &[(&'static str, &str)], members: &[&str]) -> Self {
        let resource_type = if entry.starts_with("g-") { ResourceType::Group } else { ResourceType::User };
        let found = Found {
            resource_id: ResourceId::new(&format!("F{entry}")),
            resource_type,
            attributes: attributes.iter().map(|(path, value)| (AttributePath::known(path), Value::from(*value))).collect(),
            members: Some(members.iter().map(|id| ResourceId::new(id)).collect()),
        };
        let mut found = found;
        if resource_type == ResourceType::User {
            found.attributes.insert(AttributePath::known("active"), Value::Flag(true));
        }
        self.situations.insert(id(entry), Situation::Unlinked(Box::new(found), resource_type.name_path()));
        self
    }

    /// An entry whose last claim was this channel's, and ended so many days ago.
    pub fn left(mut self, entry: &str, channel: &str, days: u64) -> Self {
        let ago = Duration::from_secs(days * 86_400);
        self.snapshot.leavers.insert(id(entry), Leaver { channel: ChannelName::new(channel), ago });
        self
    }

    pub fn groups(&mut self) -> &mut GroupRules {
        self.rules.groups.as_mut().unwrap()
    }

    pub fn linked_then(mut self, users: u64, groups: u64, memberships: u64) -> Self {
        self.snapshot.tally.linked_then = Some(LinkedCounts { users, groups, memberships });
        self
    }

    /// What the directory says.
    pub fn desired(&self) -> Desired {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| entry.resource_type != ResourceType::Group);
        let mut judge =
            Judge::new(&self.rules, self.rules.mapping.of(Vendor::Generic), &self.capabilities, &self.snapshot.scope_groups);
        for entry in &entries {
            judge.take(entry);
        }
        let mut desired = judge.finish(self.coverage.clone());
        desired.merge_namesakes(&self.rules, &self.snapshot);
        desired
    }

    pub fn plan(&self) -> Plan {
        let desired = self.desired();
        let known =
            Known::new(&self.rules, &self.capabilities, &self.snapshot, &desired, &self.situations, self.comparison.as_ref());
        plan(&known)
    }

    /// What a comparison with these resources finds is taken in, as a resync does.
    pub fn compared(mut self, found: &[Found]) -> Self {
        let comparison = drift::compare(&self.rules, &self.snapshot, &self.desired(), found);
        drift::correct(&mut self.snapshot, &comparison);
        self.comparison = Some(comparison);
        self
    }

    /// Checks the plan's lines: changes in order, then `!` held, then `#` stopped by the guard.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        assert_eq!(text(&self.plan()), lines);
        assert_eq!(self.plan(), self.plan(), "equal inputs give an equal plan");
    }
}

fn capabilities() -> Capabilities {
    Capabilities { required: Vec::new(), group_external_id: false, ..Capabilities::default() }
}

pub fn text(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> =
        plan.changes.iter().map(|planned| format!("{:?} {}", planned.stage, of_change(&planned.change))).collect();
    lines.extend(plan.held.iter().map(|held| format!("! {}", held.entry_id)));
    lines.extend(plan.verdict.stopped.iter().map(|change| format!("# {}", of_change(change))));
    lines
}

fn of_change(change: &Change) -> String {
    let name = &change.entry_id;
    match &change.action {
        Action::Create(resource) => format!("+ {name}{}{}", values(resource), members(&resource.members, "+")),
        Action::Adopt { edits, .. } => format!("= {name}{}", of_edits(edits)),
        Action::Relink { from, edits, .. } => format!("= {name} from {from}{}", of_edits(edits)),
        Action::Update { edits, .. } => format!("~ {name}{}", of_edits(edits)),
        Action::Delete { .. } => format!("- {name}"),
        Action::Claim { .. } => format!("claim {name}"),
        Action::Release => format!("release {name}"),
        Action::Forget => format!("forget {name}"),
    }
}

fn values(resource: &Resource) -> String {
    let all = resource.attributes.iter().filter(|(path, _)| !matches!(path.as_str(), "userName" | "displayName"));
    all.filter(|(_, value)| **value != Value::Flag(true))
        .map(|(path, value)| format!(" {}={}", short(path), show(value)))
        .collect()
}

fn members(ids: &BTreeSet<EntryId>, sign: &str) -> String {
    ids.iter().map(|id| format!(" {sign}{id}")).collect()
}

fn of_edits(edits: &[Edit]) -> String {
    edits
        .iter()
        .map(|edit| match edit {
            Edit::Attribute { path, after: Some(value), .. } => format!(" {}={}", short(path), show(value)),
            Edit::Attribute { path, after: None, .. } => format!(" {}-", short(path)),
            Edit::Members { add, remove } => format!("{}{}", members(add, "+"), members(remove, "-")),
            Edit::Foreign { remove } => remove.iter().map(|id| format!(" -foreign:{id}")).collect(),
        })
        .collect()
}

fn short(path: &AttributePath) -> &str {
    path.name()
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
        Value::Reference(id) => format!("@{id}"),
    }
}
