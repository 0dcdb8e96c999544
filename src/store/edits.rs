//! What a resource is after edits. Doing the same edits again changes nothing.

use crate::model::Resource;
use crate::plan::Edit;

/// Applies edits in order.
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
                resource.members.extend(add.iter().cloned());
                resource.members.retain(|member| !remove.contains(member));
            }
        }
    }
}

/// What `edits` hold of paths and members that `later` does not speak of.
pub(super) fn not_covered(edits: &[Edit], later: &[Edit]) -> Vec<Edit> {
    edits.iter().filter_map(|edit| rest(edit, later)).collect()
}

fn rest(edit: &Edit, later: &[Edit]) -> Option<Edit> {
    match edit {
        Edit::Attribute { path, .. } => {
            let covered = later.iter().any(|other| match other {
                Edit::Attribute { path: other, .. } => other == path,
                Edit::Members { .. } => false,
            });
            (!covered).then(|| edit.clone())
        }
        Edit::Members { add, remove } => {
            let (mut add, mut remove) = (add.clone(), remove.clone());
            for other in later {
                match other {
                    Edit::Attribute { .. } => {}
                    Edit::Members { add: added, remove: removed } => {
                        add.retain(|member| !added.contains(member) && !removed.contains(member));
                        remove.retain(|member| !added.contains(member) && !removed.contains(member));
                    }
                }
            }
            (!add.is_empty() || !remove.is_empty()).then_some(Edit::Members { add, remove })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{AttributePath, EntryId, ResourceType, Value};

    fn set(ids: &str) -> BTreeSet<EntryId> {
        ids.split_whitespace().map(EntryId::new).collect()
    }

    fn members(add: &str, remove: &str) -> Edit {
        Edit::Members { add: set(add), remove: set(remove) }
    }

    fn attribute(path: &str, after: Option<&str>) -> Edit {
        Edit::Attribute { path: AttributePath::parse(path).unwrap(), before: None, after: after.map(Value::from) }
    }

    #[test]
    fn edits_done_twice_are_edits_done_once() {
        let edits = [attribute("title", Some("x")), attribute("nickName", None), members("a b", "c")];
        let mut once = Resource::empty(ResourceType::Group);
        once.members = set("c d");
        once.attributes.insert(AttributePath::known("nickName"), "old".into());
        apply(&mut once, &edits);
        let mut twice = once.clone();
        apply(&mut twice, &edits);
        assert_eq!(once, twice);
        assert_eq!(once.members, set("a b d"));
        assert_eq!(once.attributes.into_keys().collect::<Vec<_>>(), [AttributePath::known("title")]);
    }

    #[test]
    fn later_edits_cover_the_same_paths_and_members_only() {
        let cases = [
            (vec![attribute("title", Some("a"))], vec![attribute("title", None)], vec![]),
            (vec![attribute("title", Some("a"))], vec![attribute("nickName", None)], vec![attribute("title", Some("a"))]),
            (vec![members("a b", "c d")], vec![members("c", ""), members("", "a")], vec![members("b", "d")]),
            (vec![members("a", "")], vec![members("", "a")], vec![]),
        ];
        for (edits, later, left) in cases {
            assert_eq!(not_covered(&edits, &later), left);
        }
    }
}
