//! A planned change as lines for people, and the pieces of one entry's change put together again.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::EntryId;
use crate::plan::{Action, Change, Edit, Held, Plan, Reason, Stage};

use super::text::{self, Names};

/// How many names a list shows where not all are wanted.
const SHOWN: usize = 20;

/// How much of long lists is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// The beginning.
    Short,
    /// Everything.
    Whole,
}

impl Lists {
    /// By how often `-v` was given.
    pub fn of(verbose: u8) -> Self {
        if verbose == 0 { Self::Short } else { Self::Whole }
    }

    /// How many of a list are shown.
    pub fn limit(self) -> usize {
        match self {
            Self::Short => SHOWN,
            Self::Whole => usize::MAX,
        }
    }
}

/// The changes of a plan in order. An update that goes out in several stages is shown once, where it begins; a name that
/// is given up for a moment is a line of its own.
pub fn whole(plan: &Plan) -> Vec<(Stage, Change)> {
    let mut changes: Vec<(Stage, Change)> = Vec::new();
    let mut places: BTreeMap<EntryId, usize> = BTreeMap::new();
    for planned in &plan.changes {
        let change = &planned.change;
        let Action::Update { edits, .. } = &change.action else {
            changes.push((planned.stage, change.clone()));
            continue;
        };
        if change.reason == Reason::Parked {
            changes.push((planned.stage, change.clone()));
            continue;
        }
        let place = *places.entry(change.entry_id.clone()).or_insert(changes.len());
        match changes.get_mut(place) {
            None => changes.push((planned.stage, change.clone())),
            Some((_, first)) => {
                if let Action::Update { edits: before, .. } = &mut first.action {
                    join(before, edits);
                }
            }
        }
    }
    changes
}

fn join(edits: &mut Vec<Edit>, more: &[Edit]) {
    for edit in more {
        let Edit::Members { add, remove } = edit else {
            edits.push(edit.clone());
            continue;
        };
        let known = edits.iter_mut().find_map(|edit| match edit {
            Edit::Members { add, remove } => Some((add, remove)),
            Edit::Attribute { .. } | Edit::Foreign { .. } => None,
        });
        match known {
            Some((all, none)) => {
                all.extend(add.iter().cloned());
                none.extend(remove.iter().cloned());
            }
            None => edits.push(edit.clone()),
        }
    }
}

/// A change: a line with its mark, then its details, indented.
pub fn lines(change: &Change, names: &Names, lists: Lists) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {} {}{} ({})",
        text::mark(&change.action),
        change.resource_type.as_str(),
        text::word(&change.name),
        nothing_sent(&change.action),
        text::because(&change.reason)
    )];
    match &change.action {
        Action::Create(resource) => {
            lines.extend(resource.attributes.iter().map(|(path, value)| format!("    {path} = {}", text::value(value, names))));
            lines.extend(members(&resource.members, &BTreeSet::new(), names, lists));
        }
        Action::Adopt { resource_id, edits, .. } => {
            lines.push(format!(
                "    links resource {resource_id}{}",
                if edits.is_empty() { ", which needs no change" } else { "" }
            ));
            lines.extend(edits.iter().flat_map(|edit| edit_lines(edit, names, lists)));
        }
        Action::Relink { resource_id, from, edits } => {
            lines.push(format!("    takes resource {resource_id} over from entry {from}"));
            lines.extend(edits.iter().flat_map(|edit| edit_lines(edit, names, lists)));
        }
        Action::Update { edits, .. } => lines.extend(edits.iter().flat_map(|edit| edit_lines(edit, names, lists))),
        Action::Delete { resource_id } => lines.push(format!("    deletes resource {resource_id}")),
        Action::Claim { .. } | Action::Release | Action::Forget => {}
    }
    lines
}

fn nothing_sent(action: &Action) -> &'static str {
    match action {
        Action::Claim { .. } => ": claimed by this channel too, nothing is sent",
        Action::Release => ": given up by this channel, nothing is sent",
        Action::Forget => ": link forgotten, the resource stays as it is",
        Action::Create(_) | Action::Adopt { .. } | Action::Relink { .. } | Action::Update { .. } | Action::Delete { .. } => "",
    }
}

fn edit_lines(edit: &Edit, names: &Names, lists: Lists) -> Vec<String> {
    match edit {
        Edit::Attribute { path, before, after } => vec![format!(
            "    {path}: {} -> {}",
            text::value_or_none(before.as_ref(), names),
            text::value_or_none(after.as_ref(), names)
        )],
        Edit::Members { add, remove } => members(add, remove, names, lists).into_iter().collect(),
        Edit::Foreign { remove } => {
            let mut words: Vec<String> = remove.iter().take(lists.limit()).map(|id| format!("-{id}")).collect();
            let rest = remove.len().saturating_sub(lists.limit());
            words.extend((rest > 0).then(|| format!("(-{rest} more)")));
            vec![format!("    members that are nobody of ours: {}", words.join(" "))]
        }
    }
}

fn members(add: &BTreeSet<EntryId>, remove: &BTreeSet<EntryId>, names: &Names, lists: Lists) -> Option<String> {
    let list = |sign: char, ids: &BTreeSet<EntryId>| {
        let mut sorted: Vec<&str> = ids.iter().map(|id| text::name(names, id)).collect();
        sorted.sort_unstable();
        let rest = sorted.len().saturating_sub(lists.limit());
        let mut words: Vec<String> =
            sorted.into_iter().take(lists.limit()).map(|name| format!("{sign}{}", text::word(name))).collect();
        if rest > 0 {
            words.push(format!("({sign}{rest} more)"));
        }
        words
    };
    let words: Vec<String> = list('+', add).into_iter().chain(list('-', remove)).collect();
    (!words.is_empty()).then(|| format!("    members: {}", words.join(" ")))
}

/// A held entry. Its id tells it from others of the same name, which is often why it is held.
pub fn held_line(held: &Held) -> String {
    format!("! {} {} ({}): {}", held.resource_type.as_str(), text::word(&held.name), held.entry_id, held.why)
}

/// The first of a list of held entries, with how many more there are.
pub fn held_lines(held: &[Held], lists: Lists) -> Vec<String> {
    let mut lines: Vec<String> = held.iter().take(lists.limit()).map(held_line).collect();
    let rest = held.len().saturating_sub(lists.limit());
    if rest > 0 {
        lines.push(format!("! {rest} more (-v shows all)"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttributePath, Resource, ResourceId, ResourceType, Value};
    use crate::plan::{ClaimAfter, Planned, Tally, Verdict};

    fn ids(ids: &[&str]) -> BTreeSet<EntryId> {
        ids.iter().map(|id| EntryId::new(id)).collect()
    }

    fn edit(path: &'static str, before: Option<Value>, after: Option<Value>) -> Edit {
        Edit::Attribute { path: AttributePath::known(path), before, after }
    }

    fn change(entry: &str, name: &str, resource_type: ResourceType, action: Action, reason: Reason) -> Change {
        let (entry_id, name) = (EntryId::new(entry), name.to_owned());
        Change { entry_id, resource_type, name, action, reason, claim: ClaimAfter::Held, tally: Tally::default() }
    }

    fn update(edits: Vec<Edit>) -> Action {
        Action::Update { resource_id: ResourceId::new("7"), edits }
    }

    fn plan(changes: Vec<Planned>) -> Plan {
        Plan {
            changes,
            held: vec![],
            verdict: Verdict::default(),
            removed_users: BTreeSet::new(),
            counts: crate::plan::Counts::default(),
            names: Names::new(),
            notes: vec![],
        }
    }

    fn shown(change: &Change) -> String {
        let names = [("g", "grace@example.com"), ("b", "bob"), ("x", "Lovelace, Ada")];
        let names = names.into_iter().map(|(id, name)| (EntryId::new(id), name.to_owned())).collect();
        lines(change, &names, Lists::Short).join("\n")
    }

    #[test]
    fn each_action_is_shown_with_its_mark_and_its_values() {
        use ResourceType::{Group, User};
        let mut ada = Resource::empty(User);
        ada.attributes.insert(AttributePath::known("userName"), Value::from("ada \"a\""));
        ada.attributes.insert(AttributePath::known("active"), Value::Flag(true));
        ada.attributes.insert(AttributePath::known("manager"), Value::Reference(EntryId::new("g")));
        let rows = [
            (
                change("a", "ada", User, Action::Create(ada), Reason::NotThere),
                "+ user ada (not at the target yet)\n    active = true\n    manager = <grace@example.com>\n    userName = \"ada \\\"a\\\"\"",
            ),
            (
                change(
                    "a",
                    "ada",
                    User,
                    update(vec![edit("active", Some(Value::Flag(true)), Some(Value::Flag(false)))]),
                    Reason::Disabled,
                ),
                "~ user ada (disabled in the directory)\n    active: true -> false",
            ),
            (
                change(
                    "a",
                    "ada",
                    User,
                    update(vec![
                        edit("title", Some("Clerk".into()), None),
                        edit("nickName", None, Some("Countess".into())),
                        edit("manager", None, Some(Value::Reference(EntryId::new("g")))),
                    ]),
                    Reason::AttributesDiffer,
                ),
                "~ user ada (attributes differ)\n    title: \"Clerk\" -> (none)\n    nickName: (none) -> \"Countess\"\n    manager: (none) -> <grace@example.com>",
            ),
            (
                change(
                    "s",
                    "All Sales",
                    Group,
                    update(vec![Edit::Members { add: ids(&["b", "x"]), remove: ids(&["q"]) }]),
                    Reason::MembersDiffer,
                ),
                "~ group \"All Sales\" (members differ)\n    members: +\"Lovelace, Ada\" +bob -q",
            ),
            (
                change(
                    "s",
                    "Sales",
                    Group,
                    Action::Adopt { resource_id: ResourceId::new("42"), found: Resource::empty(Group), edits: vec![] },
                    Reason::Matched(AttributePath::known("displayName")),
                ),
                "= group Sales (matches by displayName)\n    links resource 42, which needs no change",
            ),
            (
                change(
                    "s",
                    "Old",
                    Group,
                    Action::Delete { resource_id: ResourceId::new("42") },
                    Reason::OutOfScope("why".into()),
                ),
                "- group Old (out of scope: why)\n    deletes resource 42",
            ),
            (
                change("s", "bob", User, Action::Forget, Reason::Absent),
                ". user bob: link forgotten, the resource stays as it is (no longer read: deleted, moved or filtered out)",
            ),
            (
                change("s", "bob", User, Action::Release, Reason::StillClaimed),
                ". user bob: given up by this channel, nothing is sent (still in scope of another channel)",
            ),
            (
                change(
                    "n",
                    "Sales",
                    Group,
                    Action::Relink {
                        resource_id: ResourceId::new("42"),
                        from: EntryId::new("o"),
                        edits: vec![Edit::Members { add: ids(&["b"]), remove: ids(&[]) }],
                    },
                    Reason::Recreated(EntryId::new("o")),
                ),
                "= group Sales (made anew in the directory, in place of entry o)\n    takes resource 42 over from entry o\n    members: +bob",
            ),
            (
                change(
                    "a",
                    "ada",
                    User,
                    update(vec![edit("userName", Some("ada".into()), Some("ada.swap-0a1b2c".into()))]),
                    Reason::Parked,
                ),
                "~ user ada (gives its name up for a moment: names are exchanged in a ring)\n    userName: \"ada\" -> \"ada.swap-0a1b2c\"",
            ),
            (
                change(
                    "s",
                    "Sales",
                    Group,
                    update(vec![Edit::Foreign { remove: [ResourceId::new("7"), ResourceId::new("9")].into() }]),
                    Reason::MembersDiffer,
                ),
                "~ group Sales (members differ)\n    members that are nobody of ours: -7 -9",
            ),
            (
                change("a", "ada", User, Action::Delete { resource_id: ResourceId::new("42") }, Reason::GraceOver),
                "- user ada (switched off long enough ago)\n    deletes resource 42",
            ),
        ];
        for (change, expected) in rows {
            assert_eq!(shown(&change), expected);
        }
    }

    #[test]
    fn long_lists_of_members_are_cut_unless_all_are_wanted() {
        let many: BTreeSet<EntryId> = (0..25).map(|n| EntryId::new(&format!("u{n:02}"))).collect();
        let edits = vec![Edit::Members { add: many, remove: BTreeSet::new() }];
        let change = change("s", "Sales", ResourceType::Group, update(edits), Reason::MembersDiffer);
        let short = lines(&change, &Names::new(), Lists::Short).join("\n");
        assert!(short.ends_with("+u19 (+5 more)"), "{short}");
        assert!(lines(&change, &Names::new(), Lists::Whole).join("\n").ends_with("+u23 +u24"));
    }

    #[test]
    fn a_name_that_is_given_up_for_a_moment_stays_a_line_of_its_own() {
        let rename = |reason, from: &str, to: &str| {
            let edits = vec![edit("userName", Some(from.into()), Some(to.into()))];
            let change = change("a", "ada", ResourceType::User, update(edits), reason);
            Planned { stage: Stage::Users, after: vec![], change }
        };
        let changes =
            vec![rename(Reason::Parked, "ada", "ada.swap-0a1b2c"), rename(Reason::AttributesDiffer, "ada.swap-0a1b2c", "bob")];
        let mut plan = plan(changes);
        assert_eq!(whole(&plan).len(), 2);
        plan.changes.remove(0);
        assert_eq!(whole(&plan).len(), 1);
    }

    #[test]
    fn pieces_of_an_update_are_shown_once_where_it_begins() {
        let piece = |stage, add: &[&str], remove: &[&str]| {
            let edits = vec![Edit::Members { add: ids(add), remove: ids(remove) }];
            let change = change("s", "Sales", ResourceType::Group, update(edits), Reason::MembersDiffer);
            Planned { stage, after: vec![], change }
        };
        let plan =
            plan(vec![piece(Stage::Revoke, &[], &["a"]), piece(Stage::Members, &["b"], &[]), piece(Stage::Moves, &[], &["c"])]);
        let whole = whole(&plan);
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].0, Stage::Revoke);
        assert_eq!(shown(&whole[0].1), "~ group Sales (members differ)\n    members: +bob -a -c");
    }
}
