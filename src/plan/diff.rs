//! Edits between what a target acknowledged and what it should hold, and their application.

use std::collections::BTreeSet;

use crate::model::{AttributePath, EntryId, Link, Resource, Value};

use super::Edit;

/// What makes `link`'s resource into `desired`. What is uncertain is sent again, whatever it should be.
pub fn edits(link: &Link, desired: &Resource) -> Vec<Edit> {
    let acknowledged = &link.acknowledged;
    let is_certain = link.uncertain.paths.is_empty() && link.uncertain.members.is_empty();
    if is_certain && acknowledged.attributes == desired.attributes && acknowledged.members == desired.members {
        return Vec::new();
    }
    let paths: BTreeSet<&AttributePath> =
        acknowledged.attributes.keys().chain(desired.attributes.keys()).chain(&link.uncertain.paths).collect();
    let mut edits: Vec<Edit> = paths
        .into_iter()
        .filter_map(|path| {
            let unsure = link.uncertain.paths.contains(path);
            let before = acknowledged.attributes.get(path);
            let after = desired.attributes.get(path);
            (unsure || before != after).then(|| Edit::Attribute {
                path: path.clone(),
                before: before.cloned(),
                after: after.cloned(),
            })
        })
        .collect();
    let unsure = &link.uncertain.members;
    let add: BTreeSet<EntryId> =
        desired.members.iter().filter(|id| unsure.contains(*id) || !acknowledged.members.contains(*id)).cloned().collect();
    let remove: BTreeSet<EntryId> =
        acknowledged.members.iter().chain(unsure).filter(|id| !desired.members.contains(*id)).cloned().collect();
    if !add.is_empty() || !remove.is_empty() {
        edits.push(Edit::Members { add, remove });
    }
    edits
}

/// The edits of a group whose members were not all read: nobody is removed, not even where an answer was lost.
pub fn without_losses(mut edits: Vec<Edit>) -> Vec<Edit> {
    for edit in &mut edits {
        match edit {
            Edit::Members { remove, .. } => remove.clear(),
            Edit::Foreign { remove } => remove.clear(),
            Edit::Attribute { .. } => {}
        }
    }
    without_nothing(edits)
}

/// The edits without those that change nothing.
pub fn without_nothing(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.retain(|edit| match edit {
        Edit::Members { add, remove } => !add.is_empty() || !remove.is_empty(),
        Edit::Foreign { remove } => !remove.is_empty(),
        Edit::Attribute { .. } => true,
    });
    edits
}

/// What makes a resource that was found at the target into `desired`. Attributes that we do not manage and
/// members that `found` does not count as ours are left alone.
pub fn edits_of_found(found: &Resource, desired: &Resource) -> Vec<Edit> {
    let mut edits: Vec<Edit> = desired
        .attributes
        .iter()
        .filter(|(path, after)| found.attributes.get(*path) != Some(after))
        .map(|(path, after)| Edit::Attribute {
            path: path.clone(),
            before: found.attributes.get(path).cloned(),
            after: Some(after.clone()),
        })
        .collect();
    let add: BTreeSet<EntryId> = desired.members.difference(&found.members).cloned().collect();
    let remove: BTreeSet<EntryId> = found.members.difference(&desired.members).cloned().collect();
    if !add.is_empty() || !remove.is_empty() {
        edits.push(Edit::Members { add, remove });
    }
    edits
}

/// The resource after its edits. Applying twice is the same as applying once.
pub fn apply(resource: &mut Resource, edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::Attribute { path, after: Some(value), .. } => {
                resource.attributes.insert(path.clone(), value.clone());
            }
            Edit::Attribute { path, after: None, .. } => {
                resource.attributes.remove(path);
            }
            Edit::Members { add, remove } => {
                resource.members.retain(|id| !remove.contains(id));
                resource.members.extend(add.iter().cloned());
            }
            Edit::Foreign { .. } => {}
        }
    }
}

/// Memberships that an edit takes away.
pub fn losses(edit: &Edit) -> u64 {
    match edit {
        Edit::Attribute { .. } => 0,
        Edit::Members { remove, .. } => remove.len() as u64,
        Edit::Foreign { remove } => remove.len() as u64,
    }
}

/// True if an edit switches a user off.
pub fn deactivates(edit: &Edit) -> bool {
    matches!(edit, Edit::Attribute { path, after: Some(Value::Flag(false)), .. } if path.as_str() == "active")
}

/// True if an edit switches a user on.
pub fn activates(edit: &Edit) -> bool {
    matches!(edit, Edit::Attribute { path, after: Some(Value::Flag(true)), .. } if path.as_str() == "active")
}

/// True if an edit speaks of a name: userName or displayName.
pub fn renames(edit: &Edit) -> bool {
    matches!(edit, Edit::Attribute { path, .. } if matches!(path.as_str(), "userName" | "displayName"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Origin, ResourceId, ResourceType, Uncertain};

    fn resource(attributes: &[(&str, &str)], members: &[&str]) -> Resource {
        Resource {
            resource_type: ResourceType::Group,
            attributes: attributes
                .iter()
                .map(|(path, value)| (AttributePath::parse(path).unwrap(), Value::from(*value)))
                .collect(),
            members: members.iter().map(|id| EntryId::new(id)).collect(),
        }
    }

    fn link(acknowledged: Resource) -> Link {
        Link {
            entry_id: EntryId::new("g"),
            resource_id: ResourceId::new("1"),
            origin: Origin::Created,
            acknowledged,
            uncertain: Uncertain::default(),
        }
    }

    /// Some attributes, some members.
    fn any() -> impl Strategy<Value = Resource> {
        let paths = ["displayName", "externalId", "title", r#"emails[type eq "work"].value"#];
        let attributes = vec(option::of("[a-c]?"), paths.len());
        (attributes, btree_set("[1-6]", 0..5)).prop_map(move |(values, members)| {
            let held = paths.into_iter().zip(&values).filter_map(|(path, value)| Some((path, value.as_deref()?)));
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            resource(&held.collect::<Vec<_>>(), &members)
        })
    }

    proptest::proptest! {
        #[test]
        fn edits_applied_to_before_give_after(before in any(), after in any(), unsure in any()) {
            let mut link = link(before.clone());
            let sure = edits(&link, &after);
            prop_assert_eq!(sure.is_empty(), before == after, "nothing is sent if and only if nothing differs");
            apply(&mut link.acknowledged, &sure);
            prop_assert_eq!(&link.acknowledged, &after);
            apply(&mut link.acknowledged, &sure);
            prop_assert_eq!(&link.acknowledged, &after, "twice is once");
            // Whatever was done of what is uncertain, more is sent and it ends the same.
            link.acknowledged = before;
            link.uncertain.paths.extend(unsure.attributes.keys().cloned());
            link.uncertain.members.extend(unsure.members.iter().cloned());
            let sent = edits(&link, &after);
            for (path, value) in unsure.attributes {
                link.acknowledged.attributes.insert(path, value);
            }
            link.acknowledged.members.extend(unsure.members);
            apply(&mut link.acknowledged, &sent);
            prop_assert_eq!(&link.acknowledged, &after);
        }
    }

    #[test]
    fn what_is_uncertain_is_sent_again_even_if_it_looks_right() {
        let mut link = link(resource(&[("displayName", "a")], &["1"]));
        link.uncertain.paths.insert(AttributePath::known("displayName"));
        link.uncertain.members.extend([EntryId::new("1"), EntryId::new("2")]);
        let edits = edits(&link, &resource(&[("displayName", "a")], &["1"]));
        assert_eq!(edits.len(), 2);
        let Edit::Members { add, remove } = &edits[1] else { panic!("members come last") };
        assert_eq!((add.len(), remove.len()), (1, 1), "1 is added again, 2 is removed");
    }

    #[test]
    fn attributes_that_we_do_not_manage_stay_on_a_found_resource() {
        let found = resource(&[("displayName", "a"), ("title", "t")], &["9"]);
        let edits = edits_of_found(&found, &resource(&[("displayName", "a")], &["1"]));
        assert_eq!(edits, vec![Edit::Members { add: [EntryId::new("1")].into(), remove: [EntryId::new("9")].into() }]);
    }
}
