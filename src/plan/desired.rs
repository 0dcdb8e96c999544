//! A reading judged: every entry in or out of scope, enabled or not, and mapped. Entries are taken as they arrive;
//! what needs the whole reading (membership, references) is settled at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{Mapped, Mapping, MappingError};
use crate::model::{
    AttributePath, AttributeValue, Capabilities, Coverage, Dn, DnKey, Entry, EntryId, Resource, ResourceType, Seat, Status, Value,
};

use super::doubt::{Doubt, Doubts};
use super::membership::{Graph, Node, Reach};
use super::scope::{self, Scope};
use super::taken::{self, Around, Taken};
use super::{Nesting, Rules, fitting};

/// One entry of a reading, judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The entry.
    pub entry_id: EntryId,
    /// Where it is.
    pub dn: Dn,
    /// User or group.
    pub resource_type: ResourceType,
    /// Its name for people: userName or displayName, else the DN.
    pub name: String,
    /// In or out.
    pub scope: Scope,
    /// Enabled or not.
    pub status: Status,
    /// What its resource should be, without `active`; members of groups are users and groups in scope.
    pub mapped: Result<Resource, MappingError>,
    /// References to entries that are not in the reading: left out of `mapped`.
    pub open_references: BTreeSet<AttributePath>,
    /// Groups: true if every member was read, so that whoever is not among them has left.
    pub members_whole: bool,
    /// Groups: those who may be members, which cannot be told: they are neither added nor removed.
    pub in_doubt: Doubt,
}

/// A whole reading, judged.
#[derive(Debug, Clone)]
pub struct Desired {
    /// Every entry read that could matter.
    pub entries: BTreeMap<EntryId, Judged>,
    /// How much was read.
    pub coverage: Coverage,
    /// Direct or nested members of groups that are nobody in scope.
    pub members_left_out: u64,
    /// References to entries that are not in the reading.
    pub references_outside: u64,
    /// Which entry each scope group is, by the DN of the configuration.
    pub scope_groups: BTreeMap<DnKey, EntryId>,
    /// Attributes that are mapped and that the target is not sent.
    pub not_sent: BTreeSet<AttributePath>,
    /// Entries that are certainly not there any more, in a look at some.
    pub gone: BTreeSet<EntryId>,
    /// Users and groups in scope besides those of `entries`, in a look at some.
    pub beside: (u64, u64),
    /// What to remember of the reading.
    pub seats: Vec<Seat>,
}

impl Desired {
    /// True if the directory shows that there is no such entry.
    pub fn is_gone(&self, entry_id: &EntryId) -> bool {
        match self.coverage {
            Coverage::Full => !self.entries.contains_key(entry_id),
            Coverage::Changes | Coverage::Partial(_) => self.gone.contains(entry_id),
        }
    }
}

/// Takes a reading entry by entry.
pub struct Judge<'a> {
    rules: &'a Rules,
    mapping: &'a Mapping,
    capabilities: &'a Capabilities,
    before: &'a BTreeMap<DnKey, EntryId>,
    graph: Graph,
    groups: Vec<Taken>,
    users: Vec<Taken>,
    around: Around,
    seen: BTreeSet<EntryId>,
    not_sent: BTreeSet<AttributePath>,
}

impl<'a> Judge<'a> {
    /// A judge who has seen nothing. `before` tells which entries the scope groups were when they were first read.
    pub fn new(
        rules: &'a Rules,
        mapping: &'a Mapping,
        capabilities: &'a Capabilities,
        before: &'a BTreeMap<DnKey, EntryId>,
    ) -> Self {
        Self {
            rules,
            mapping,
            capabilities,
            before,
            graph: Graph::default(),
            groups: Vec::new(),
            users: Vec::new(),
            around: Around::default(),
            seen: BTreeSet::new(),
            not_sent: BTreeSet::new(),
        }
    }

    /// Takes an entry. One that was seen before is passed over.
    pub fn take(&mut self, entry: &Entry) {
        if !self.seen.insert(entry.id.clone()) {
            return;
        }
        let mapped = match entry.resource_type {
            ResourceType::User => self.mapping.evaluate(entry),
            ResourceType::Group => self.group_resource(entry).map(|resource| Mapped { resource, references: Vec::new() }),
        };
        let mapped = mapped.and_then(|mapped| self.fitted(mapped));
        let seat = Taken {
            id: entry.id.clone(),
            dn: entry.dn.clone(),
            selected: entry.selected,
            status: entry.status,
            status_until: entry.status_until,
            aliases: entry.aliases.clone(),
            mapped,
        };
        match entry.resource_type {
            ResourceType::User => {
                self.graph.carry(&entry.aliases, entry.dn.key());
                self.users.push(seat);
            }
            ResourceType::Group => {
                let members = entry.members.as_ref().map(|members| members.iter().map(|dn| dn.key().clone()).collect());
                let aliases = entry.member_aliases.clone();
                self.graph.insert(Node { entry_id: entry.id.clone(), dn: entry.dn.clone(), members, aliases });
                self.groups.push(seat);
            }
        }
    }

    /// Takes what is remembered of entries that are not taken: whom groups list, and the groups above and below.
    pub fn surround(&mut self, seats: impl IntoIterator<Item = Seat>) {
        for seat in seats {
            if !self.seen.contains(&seat.id) {
                self.around.take(seat, &mut self.graph);
            }
        }
    }

    /// What is there at the DNs that taken entries refer to is needed too.
    pub fn references(&self) -> BTreeSet<DnKey> {
        let mapped = self.users.iter().filter_map(|user| user.mapped.as_ref().ok());
        mapped.flat_map(|mapped| mapped.references.iter().map(|(_, dn)| dn.key().clone())).collect()
    }

    /// What the target takes of a mapped resource.
    fn fitted(&mut self, mut mapped: Mapped) -> Result<Mapped, MappingError> {
        let (kind, not_sent) = (mapped.resource.resource_type, &mut self.not_sent);
        let mut sends = |path: &AttributePath| {
            let taken = fitting::takes(self.capabilities, kind, path);
            if !taken && !not_sent.contains(path) {
                not_sent.insert(path.clone());
            }
            taken
        };
        mapped.resource.attributes.retain(|path, _| sends(path));
        mapped.references.retain(|(path, _)| sends(path));
        fitting::fit(&mut mapped.resource, self.capabilities)?;
        Ok(mapped)
    }

    fn group_resource(&self, entry: &Entry) -> Result<Resource, MappingError> {
        let path = ResourceType::Group.name_path();
        let Some(rules) = &self.rules.groups else { return Ok(Resource::empty(ResourceType::Group)) };
        let name = if rules.name.as_str() == "dn" {
            Some(entry.dn.as_str())
        } else {
            let texts = entry.values(&rules.name).iter().filter_map(AttributeValue::text).map(str::trim);
            let texts: BTreeSet<&str> = texts.filter(|text| !text.is_empty()).collect();
            let by_dn = |text: &&&str| entry.dn.is_named(rules.name.as_str(), text);
            match texts.len() {
                0 | 1 => texts.first().copied(),
                count => match texts.iter().find(by_dn) {
                    Some(text) => Some(*text),
                    None => return Err(MappingError::Several { path, rule: rules.name.to_string(), count }),
                },
            }
        };
        let Some(name) = name else { return Err(MappingError::Empty { path, rule: rules.name.to_string() }) };
        let mut resource = Resource::empty(ResourceType::Group);
        resource.attributes.insert(path, Value::from(name));
        if self.capabilities.group_external_id {
            resource.attributes.insert(AttributePath::known("externalId"), Value::from(entry.id.as_str()));
        }
        Ok(resource)
    }

    /// Settles membership, scope and references.
    pub fn finish(mut self, coverage: Coverage) -> Desired {
        let twins = self.twins();
        let coverage = without_twins(coverage, &twins);
        twins.iter().for_each(|key| self.graph.doubt(key));
        let scopes = scope::Judgement::new(self.rules, &self.graph, coverage.is_whole(), self.before);
        let scope_of =
            |seat: &Taken, scope: Scope| if twins.contains(seat.dn.key()) { Scope::Unknown(TWIN.into()) } else { scope };
        let seats = self.users.iter().chain(&self.groups).filter(|seat| !twins.contains(seat.dn.key()));
        let around = self.around.users.iter().chain(&self.around.groups).map(|(key, (id, _))| (key, id));
        let by_dn: BTreeMap<&DnKey, &EntryId> = around.chain(seats.map(|seat| (seat.dn.key(), &seat.id))).collect();
        let mut references_outside = 0;
        let mut entries = BTreeMap::new();
        for seat in &self.users {
            let mut open_references = BTreeSet::new();
            let mapped = seat.mapped.clone().map(|mapped| {
                let mut resource = mapped.resource;
                for (path, dn) in mapped.references {
                    match by_dn.get(dn.key()) {
                        Some(id) => {
                            resource.attributes.insert(path, Value::Reference((*id).clone()));
                        }
                        None => {
                            open_references.insert(path);
                        }
                    }
                }
                resource
            });
            references_outside += open_references.len() as u64;
            let judged = judged(seat, ResourceType::User, scope_of(seat, scopes.of_user(&seat.dn)), mapped);
            entries.insert(seat.id.clone(), Judged { open_references, ..judged });
        }
        let remembered = |in_scope: bool| if in_scope { Scope::In(String::new()) } else { Scope::Out(String::new()) };
        let group_scopes: BTreeMap<&DnKey, Scope> = self
            .around
            .groups
            .iter()
            .map(|(key, (_, in_scope))| (key, remembered(*in_scope)))
            .chain(self.groups.iter().map(|seat| (seat.dn.key(), scope_of(seat, scopes.of_group(&seat.dn, seat.selected)))))
            .collect();
        let mut members_left_out = 0;
        let mut doubts = Doubts::default();
        for seat in &self.groups {
            let scope = group_scopes.get(seat.dn.key()).cloned().unwrap_or(Scope::Out(String::new()));
            let mut mapped = seat.mapped.clone().map(|mapped| mapped.resource);
            let mut members_whole = coverage.is_whole() && scopes.is_whole();
            let mut in_doubt = Doubt::default();
            if let (Scope::In(_) | Scope::Unknown(_), Ok(resource)) = (&scope, &mut mapped) {
                let reach = self.members(&seat.dn, &group_scopes);
                members_whole &= reach.complete;
                members_left_out += reach.unknown;
                in_doubt = doubts.of(&reach, &by_dn);
                for member in reach.members() {
                    let nested = group_scopes.get(member);
                    let keeps = |id: &&EntryId| match nested {
                        Some(Scope::In(_)) => self.keeps_nesting(),
                        Some(_) => false,
                        None => match entries.get(*id) {
                            Some(user) => matches!(user.scope, Scope::In(_) | Scope::Unknown(_)),
                            None => self.around.users.get(member).is_some_and(|(_, in_scope)| *in_scope),
                        },
                    };
                    match by_dn.get(member).copied().filter(keeps) {
                        Some(id) if *id != seat.id => {
                            resource.members.insert(id.clone());
                        }
                        Some(_) => {}
                        None if nested.is_some() => {}
                        None => members_left_out += 1,
                    }
                }
            }
            let judged = judged(seat, ResourceType::Group, scope, mapped);
            entries.insert(seat.id.clone(), Judged { members_whole, in_doubt, ..judged });
        }
        let scope_groups = self.scope_groups();
        let seats = taken::seats(&self.users, &self.groups, &self.graph, &entries);
        Desired {
            entries,
            coverage,
            members_left_out,
            references_outside,
            scope_groups,
            not_sent: self.not_sent,
            gone: BTreeSet::new(),
            beside: (0, 0),
            seats,
        }
    }

    /// DNs that more than one entry has, as far as we compare: a directory may tell names apart that mean the same to
    /// us. Which of the entries a group or a report names is then not to be told.
    fn twins(&self) -> BTreeSet<DnKey> {
        let mut ids: BTreeMap<&DnKey, &EntryId> = BTreeMap::new();
        let seats = self.users.iter().chain(&self.groups);
        seats
            .filter(|seat| ids.insert(seat.dn.key(), &seat.id).is_some_and(|other| *other != seat.id))
            .map(|seat| seat.dn.key().clone())
            .collect()
    }

    fn scope_groups(&self) -> BTreeMap<DnKey, EntryId> {
        let of_groups = self.rules.groups.iter().flat_map(|groups| &groups.scope.group_dns);
        self.rules
            .users
            .scope
            .group_dns
            .iter()
            .chain(of_groups)
            .filter_map(|dn| Some((dn.key().clone(), self.graph.find(dn, self.before.get(dn.key()))?.entry_id.clone())))
            .collect()
    }

    fn keeps_nesting(&self) -> bool {
        self.rules.groups.as_ref().is_some_and(|groups| groups.nesting == Nesting::Keep)
    }

    /// Who is in a group. Where nesting is kept, groups in scope stand for themselves.
    fn members(&self, dn: &Dn, scopes: &BTreeMap<&DnKey, Scope>) -> Reach {
        let keeps = self.keeps_nesting();
        self.graph.reach([dn.key()], true, |group| keeps && matches!(scopes.get(group.dn.key()), Some(Scope::In(_))))
    }
}

const TWIN: &str = "another entry has a DN that means the same";

/// A reading with twins does not show everything.
fn without_twins(coverage: Coverage, twins: &BTreeSet<DnKey>) -> Coverage {
    let told =
        twins.iter().take(5).map(|key| format!("several entries have a DN that means {}: rename one of them", key.as_str()));
    match coverage {
        _ if twins.is_empty() => coverage,
        Coverage::Full | Coverage::Changes => Coverage::Partial(told.collect()),
        Coverage::Partial(causes) => Coverage::Partial(causes.into_iter().chain(told).collect()),
    }
}

fn judged(seat: &Taken, resource_type: ResourceType, scope: Scope, mapped: Result<Resource, MappingError>) -> Judged {
    let name = mapped.as_ref().ok().and_then(Resource::name).unwrap_or(seat.dn.as_str()).to_owned();
    let (entry_id, dn) = (seat.id.clone(), seat.dn.clone());
    let open_references = BTreeSet::new();
    Judged {
        entry_id,
        dn,
        resource_type,
        name,
        scope,
        status: seat.status,
        mapped,
        open_references,
        members_whole: true,
        in_doubt: Doubt::default(),
    }
}
