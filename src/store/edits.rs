//! What is left of edits without an answer once later ones are certain.

use crate::plan::Edit;

/// What `edits` hold of paths and members that `later` does not speak of.
pub(super) fn not_covered(edits: &[Edit], later: &[Edit]) -> Vec<Edit> {
    edits.iter().filter_map(|edit| rest(edit, later)).collect()
}

fn rest(edit: &Edit, later: &[Edit]) -> Option<Edit> {
    match edit {
        Edit::Attribute { path, .. } => {
            let covered = later.iter().any(|other| match other {
                Edit::Attribute { path: other, .. } => other == path,
                Edit::Members { .. } | Edit::Foreign { .. } => false,
            });
            (!covered).then(|| edit.clone())
        }
        Edit::Members { add, remove } => {
            let (mut add, mut remove) = (add.clone(), remove.clone());
            for other in later {
                match other {
                    Edit::Attribute { .. } | Edit::Foreign { .. } => {}
                    Edit::Members { add: added, remove: removed } => {
                        add.retain(|member| !added.contains(member) && !removed.contains(member));
                        remove.retain(|member| !added.contains(member) && !removed.contains(member));
                    }
                }
            }
            (!add.is_empty() || !remove.is_empty()).then_some(Edit::Members { add, remove })
        }
        // What is nobody's of ours is not remembered: a full comparison finds it again.
        Edit::Foreign { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{AttributePath, EntryId, Value};

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
