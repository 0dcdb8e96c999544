//! Every key that the configuration knows. `*` stands for a name that the admin gives; `{secret}` for every place
//! that takes a secret. A test holds this list to what is really read.

/// Every key, with its path.
pub const KEYS: &[&str] = &[
    "state_dir",
    "sources",
    "sources.*.urls",
    "sources.*.vendor",
    "sources.*.start_tls",
    "sources.*.ca_file",
    "sources.*.allow_cleartext",
    "sources.*.in_chain",
    "sources.*.largest_entry_mib",
    "sources.*.page_size",
    "sources.*.tracking",
    "sources.*.bind",
    "sources.*.bind.dn",
    "sources.*.bind.external",
    "sources.*.bind.external.certificate",
    "sources.*.bind.external.key",
    "sources.*.bind.gssapi",
    "sources.*.bind.gssapi.principal",
    "sources.*.bind.password",
    "sources.*.timeouts",
    "sources.*.timeouts.connect",
    "sources.*.timeouts.idle",
    "sources.*.timeouts.operation",
    "targets",
    "targets.*.preset",
    "targets.*.dialect",
    "targets.*.base_url",
    "targets.*.auth",
    "targets.*.auth.bearer",
    "targets.*.auth.basic",
    "targets.*.auth.basic.user",
    "targets.*.auth.basic.password",
    "targets.*.auth.header",
    "targets.*.auth.header.name",
    "targets.*.auth.header.value",
    "targets.*.auth.oauth",
    "targets.*.auth.oauth.token_url",
    "targets.*.auth.oauth.client_id",
    "targets.*.auth.oauth.method",
    "targets.*.auth.oauth.client_secret",
    "targets.*.auth.oauth.private_key",
    "targets.*.auth.oauth.key_id",
    "targets.*.auth.oauth.assertion_audience",
    "targets.*.auth.oauth.scope",
    "targets.*.auth.oauth.audience",
    "targets.*.auth.oauth.resource",
    "targets.*.auth.expires_on",
    "targets.*.client_certificate",
    "targets.*.client_certificate.certificate",
    "targets.*.client_certificate.key",
    "targets.*.proxy",
    "targets.*.proxy.url",
    "targets.*.proxy.user",
    "targets.*.proxy.password",
    "targets.*.proxy.no_proxy",
    "targets.*.ca_file",
    "targets.*.allow_cleartext",
    "targets.*.rate",
    "targets.*.rate.per_second",
    "targets.*.rate.per_minute",
    "targets.*.rate.per_hour",
    "targets.*.rate.burst",
    "targets.*.rate.read",
    "targets.*.rate.read.per_second",
    "targets.*.rate.read.per_minute",
    "targets.*.rate.read.per_hour",
    "targets.*.rate.user_create",
    "targets.*.rate.user_create.per_second",
    "targets.*.rate.user_create.per_minute",
    "targets.*.rate.user_create.per_hour",
    "targets.*.rate.user_update",
    "targets.*.rate.user_update.per_second",
    "targets.*.rate.user_update.per_minute",
    "targets.*.rate.user_update.per_hour",
    "targets.*.rate.group_update",
    "targets.*.rate.group_update.per_second",
    "targets.*.rate.group_update.per_minute",
    "targets.*.rate.group_update.per_hour",
    "targets.*.timeouts",
    "targets.*.timeouts.connect",
    "targets.*.timeouts.request",
    "{secret}.file",
    "{secret}.env",
    "{secret}.credential",
    "channels",
    "channels.*.source",
    "channels.*.target",
    "channels.*.mode",
    "channels.*.schedule",
    "channels.*.live",
    "channels.*.quiet",
    "channels.*.full_reading",
    "channels.*.time_zone",
    "channels.*.workers",
    "channels.*.users",
    "channels.*.users.base_dn",
    "channels.*.users.filter",
    "channels.*.users.group_dn",
    "channels.*.users.nested",
    "channels.*.groups",
    "channels.*.groups.base_dn",
    "channels.*.groups.filter",
    "channels.*.groups.group_dn",
    "channels.*.groups.nested",
    "channels.*.groups.include_self",
    "channels.*.groups.name",
    "channels.*.groups.nesting",
    "channels.*.groups.members",
    "channels.*.groups.same_name",
    "channels.*.groups.recreated",
    "channels.*.mapping",
    "channels.*.mapping.users",
    "channels.*.mapping.users.preset",
    "channels.*.mapping.users.rules",
    "channels.*.provision_disabled",
    "channels.*.existing",
    "channels.*.removal",
    "channels.*.removal.users",
    "channels.*.removal.users.action",
    "channels.*.removal.users.after",
    "channels.*.removal.groups",
    "channels.*.removal.groups.action",
    "channels.*.removal.groups.delete_adopted",
    "channels.*.guard",
    "channels.*.guard.window",
    "channels.*.guard.users",
    "channels.*.guard.users.percent",
    "channels.*.guard.users.at_least",
    "channels.*.guard.users.at_most",
    "channels.*.guard.groups",
    "channels.*.guard.groups.percent",
    "channels.*.guard.groups.at_least",
    "channels.*.guard.groups.at_most",
    "channels.*.guard.memberships",
    "channels.*.guard.memberships.percent",
    "channels.*.guard.memberships.at_least",
    "channels.*.guard.memberships.at_most",
    "channels.*.guard.per_group",
    "channels.*.guard.per_group.percent",
    "channels.*.guard.per_group.at_least",
    "channels.*.guard.per_group.at_most",
    "channels.*.guard.identity",
    "channels.*.guard.identity.percent",
    "channels.*.guard.identity.at_least",
    "channels.*.guard.identity.at_most",
];

/// True if a key of this name is known anywhere.
pub(super) fn is_known_word(word: &str) -> bool {
    KEYS.iter().any(|key| key.rsplit('.').next() == Some(word))
}

/// The known word that comes nearest to a misspelt one, if any is near.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let one_slip = |word: &str| word.len() < 4 && strsim::damerau_levenshtein(&lower, word) == 1;
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word))
        .filter(|(likeness, word)| *likeness >= 0.75 || one_slip(word))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// `did you mean …?` for a misspelt word.
pub(super) fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, known).map(|word| format!("did you mean {word}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["base_dn", "group_dn", "filter", "nested"];
        for (written, expected) in
            [("basedn", Some("base_dn")), ("Filter", Some("filter")), ("fliter", Some("filter")), ("x", None), ("xyz", None)]
        {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
    }
}
