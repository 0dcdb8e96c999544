//! What a judge has taken: entries, the seats around them, and what is remembered of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{Mapped, MappingError};
use crate::model::{Alias, Dn, DnKey, EntryId, MemberName, Moment, ResourceType, Seat, Status};

use super::desired::Judged;
use super::membership::{Graph, Node};
use super::scope::Scope;

/// An entry that was taken, until everything can be settled.
pub struct Taken {
    /// The entry.
    pub id: EntryId,
    /// Where it is.
    pub dn: Dn,
    /// True if a search of the channel selects it.
    pub selected: bool,
    /// Enabled or not.
    pub status: Status,
    /// When that changes by itself.
    pub status_until: Option<Moment>,
    /// Other names by which groups list it.
    pub aliases: Vec<Alias>,
    /// Its resource.
    pub mapped: Result<Mapped, MappingError>,
}

/// What is remembered of entries that were not taken, and whether they were in scope.
#[derive(Default)]
pub struct Around {
    /// Users.
    pub users: BTreeMap<DnKey, (EntryId, bool)>,
    /// Groups.
    pub groups: BTreeMap<DnKey, (EntryId, bool)>,
}

impl Around {
    /// Takes a seat, and what it says of membership into the graph.
    pub fn take(&mut self, seat: Seat, graph: &mut Graph) {
        let key = seat.dn.key().clone();
        match seat.resource_type {
            ResourceType::User => {
                if self.users.insert(key.clone(), (seat.id, seat.in_scope)).is_none() {
                    graph.carry(&seat.aliases, &key);
                }
            }
            ResourceType::Group => {
                let mut aliases = Vec::new();
                let mut of = |name: MemberName| match name {
                    MemberName::Dn(key) => Some(key),
                    MemberName::Alias(alias) => {
                        aliases.push(alias);
                        None
                    }
                };
                let members = seat.members.map(|members| members.into_iter().filter_map(&mut of).collect());
                graph.insert(Node { entry_id: seat.id.clone(), dn: seat.dn, members, aliases });
                self.groups.insert(key, (seat.id, seat.in_scope));
            }
        }
    }
}

/// What to remember of everything that was taken.
pub fn seats(users: &[Taken], groups: &[Taken], graph: &Graph, judged: &BTreeMap<EntryId, Judged>) -> Vec<Seat> {
    let in_scope = |id: &EntryId| judged.get(id).is_some_and(|judged| matches!(judged.scope, Scope::In(_) | Scope::Unknown(_)));
    let seat = |taken: &Taken, resource_type| Seat {
        id: taken.id.clone(),
        dn: taken.dn.clone(),
        resource_type,
        selected: taken.selected,
        in_scope: in_scope(&taken.id),
        status_until: taken.status_until,
        aliases: taken.aliases.clone(),
        members: None,
        references: BTreeSet::new(),
    };
    let users = users.iter().map(|taken| {
        let references = taken.mapped.iter().flat_map(|mapped| &mapped.references);
        Seat { references: references.map(|(_, dn)| dn.key().clone()).collect(), ..seat(taken, ResourceType::User) }
    });
    let groups = groups.iter().map(|taken| Seat { members: graph.listed(taken.dn.key()), ..seat(taken, ResourceType::Group) });
    users.chain(groups).collect()
}
