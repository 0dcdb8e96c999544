//! What of a difference goes out: what the target can change, the rules want and the reading proves.

use std::collections::BTreeSet;

use crate::model::{EntryId, Link, Resource, ResourceId, Status};

use super::decide::{Decided, Known};
use super::desired::Judged;
use super::{Edit, Members, diff, fitting, names};

impl Known<'_> {
    /// What of a linked resource differs and can be changed.
    pub(super) fn differences(
        &self,
        judged: &Judged,
        link: &Link,
        exists: &impl Fn(&EntryId) -> bool,
        decided: &mut Decided,
    ) -> Vec<Edit> {
        let Some(resource) = self.resource(judged, exists) else { return Vec::new() };
        let mut edits = diff::edits(link, &resource);
        let strangers = self.comparison.and_then(|comparison| comparison.foreign.get(&link.entry_id)).cloned();
        edits.extend(self.foreign(judged, strangers.unwrap_or_default(), exists));
        let edits = self.possible(judged, link.acknowledged.name(), &resource, edits, decided);
        match edits.iter().find(|edit| diff::deactivates(edit)) {
            // Nothing else can be sent to an account that is gone.
            Some(edit) if self.capabilities.deactivate_is_delete => vec![edit.clone()],
            Some(_) | None => edits,
        }
    }

    /// Members that are nobody of ours are removed where the group is to hold nobody else. They stay while somebody who
    /// should be a member has no resource that we know: it may be one of them.
    pub(super) fn foreign(
        &self,
        judged: &Judged,
        strangers: BTreeSet<ResourceId>,
        exists: impl Fn(&EntryId) -> bool,
    ) -> Option<Edit> {
        let unknown =
            |id: &EntryId| !exists(id) && self.desired.entries.get(id).is_none_or(|member| member.status != Status::Disabled);
        let missing = judged.mapped.as_ref().map_or(true, |resource| resource.members.iter().any(unknown));
        let removes = self.members_rule() == Members::Exact && !strangers.is_empty() && !missing;
        removes.then_some(Edit::Foreign { remove: strangers })
    }

    /// Those of the edits that the target, the rules and the reading allow. `name` is what the resource is called.
    pub(super) fn possible(
        &self,
        judged: &Judged,
        name: Option<&str>,
        resource: &Resource,
        edits: Vec<Edit>,
        decided: &mut Decided,
    ) -> Vec<Edit> {
        let kind = judged.resource_type;
        let too_many = self.too_many(resource);
        let mut possible = Vec::with_capacity(edits.len());
        for edit in edits {
            match edit {
                Edit::Attribute { path, .. } if !fitting::takes(self.capabilities, kind, &path) => {}
                Edit::Attribute { path, .. } if !fitting::changes(self.capabilities, kind, &path) => {
                    if path == kind.name_path() && name.map(names::folded) != resource.name().map(names::folded) {
                        decided.why = Some(format!(
                            "its {path} differs, and the target changes that of no {}: rename it at the target, then \
                             `ldap2scim resync`",
                            kind.as_str()
                        ));
                    } else {
                        decided.unchangeable.insert(path);
                    }
                }
                Edit::Members { remove, .. } if too_many.is_some() => {
                    decided.why.clone_from(&too_many);
                    possible.push(Edit::Members { add: BTreeSet::new(), remove });
                }
                edit @ (Edit::Attribute { .. } | Edit::Members { .. } | Edit::Foreign { .. }) => possible.push(edit),
            }
        }
        if let Some(why) = judged.in_doubt.why() {
            decided.why.get_or_insert_with(|| why.to_owned());
        }
        for edit in &mut possible {
            match edit {
                Edit::Members { remove, .. } => remove.retain(|id| !judged.in_doubt.covers(id)),
                Edit::Attribute { .. } | Edit::Foreign { .. } => {}
            }
        }
        let keeps_members = !judged.members_whole || self.members_rule() == Members::AddOnly;
        if keeps_members { diff::without_losses(possible) } else { diff::without_nothing(possible) }
    }

    /// Why a group with so many members is held.
    pub(super) fn too_many(&self, resource: &Resource) -> Option<String> {
        let (size, most) = (resource.members.len(), self.capabilities.most_members?);
        (size > most).then(|| {
            format!(
                "it has {size} members, and the target takes {most} in a group: nobody is added; divide it into smaller groups"
            )
        })
    }
}
