//! What works and is still worth a look, seen across sections.

use std::collections::BTreeSet;

use crate::model::Dn;

use super::Channel;
use super::reader::Field;

/// Warns of sources and targets that no channel uses. (Channels that could not be read are errors anyway.)
pub(super) fn unused(written: &[(&str, Field<'_>)], used: &BTreeSet<&str>, what: &str) {
    for (name, field) in written {
        if !used.contains(name) {
            field.reader.warning(field.finding_at_key(format!("no channel uses this {what}")));
        }
    }
}

/// Warns of two channels that surely claim the same users at one target: one reads at least what the other reads,
/// as far as base DNs, filters and groups tell. Channels told apart by groups or filters are not spoken of.
pub(super) fn overlaps(written: &[(&str, Field<'_>)], channels: &[Channel]) {
    for (index, second) in channels.iter().enumerate() {
        let field = written.iter().find(|(name, _)| *name == second.name.as_str()).map(|(_, field)| field);
        let first = channels.iter().take(index).find(|first| claims_the_same(first, second));
        if let (Some(first), Some(field)) = (first, field) {
            let message = format!("reads users that the channel {} provisions to {} as well", first.name, second.target);
            let hint = format!("allowed: {} stands first, so it decides their attributes", first.name);
            field.reader.warning(field.finding_at_key(message).hint(Some(hint)));
        }
    }
}

fn claims_the_same(first: &Channel, second: &Channel) -> bool {
    let (a, b) = (&first.rules.users, &second.rules.users);
    let filters = match (&a.selection.filter, &b.selection.filter) {
        (Some(a), Some(b)) => a == b,
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    };
    let groups = a.scope.group_dns.is_empty()
        || b.scope.group_dns.is_empty()
        || a.scope.group_dns.iter().any(|dn| b.scope.group_dns.contains(dn));
    let meet = |a: &Dn| b.selection.base_dns.iter().any(|b| a.is_within(b) || b.is_within(a));
    first.target == second.target && first.source == second.source && filters && groups && a.selection.base_dns.iter().any(meet)
}
