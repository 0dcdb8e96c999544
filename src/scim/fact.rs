//! What may be found out about a target at all. Facts outlive the process, so whoever writes an answer, or the store, must
//! not be able to say more with them than that something has to be said otherwise, or in smaller pieces.

use super::Dialect;

/// True if a knob may be found out to stand so. No fact decides who is found, what counts as done, or what goes where.
pub(super) fn is_admissible(dialect: &Dialect, knob: &str, value: &str) -> bool {
    match knob {
        "unfilterable_users" | "unfilterable_groups" | "group_immutable" | "user_update" | "group_update" => true,
        // Whoever is to be switched off is.
        "user_immutable" => !value.split(',').any(|path| path.trim().eq_ignore_ascii_case("active")),
        "members_read" => value == "none",
        "member_remove" => matches!(value, "path_filter" | "value_array"),
        "patch_form" => value == "pathless",
        "op_case" => value == "title",
        "unset" => value == "empty",
        "manager" => value == "text",
        "pagination" => matches!(value, "cursor" | "index"),
        "bulk" => value == "no",
        // A number that is not lower than the one in force changes nothing for the better.
        "members_per_request" | "page_size" | "bulk_operations" | "bulk_payload" => {
            let number = |text: &str| text.parse::<usize>().ok();
            matches!((number(value), number(&dialect.value(knob))), (Some(new), Some(now)) if new < now)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::dialect::KNOBS;

    #[test]
    fn only_what_is_said_otherwise_or_in_smaller_pieces_can_be_found_out() {
        let dialect = Dialect::default();
        for (knob, value) in [
            ("bulk", "yes"),
            ("members_per_request", "1000000"),
            ("page_size", "1000000"),
            ("page_size", "many"),
            ("members_read", "group"),
            ("member_remove", "replace_all"),
            ("unset", "skip"),
            ("manager", "off"),
            ("user_immutable", "title, Active"),
        ] {
            assert!(!is_admissible(&dialect, knob, value), "{knob}={value}");
        }
        let never = "match_users match_groups required only never single longest user_updates group_updates most_members \
            group_external_id deactivate_is_delete delete_is_deactivate removes_first groups nesting user_removal group_removal \
            user_delete content_type headers discovery put_mode booleans member_type create_with_members filter scan_limit \
            excluded_attributes etag settle longest_body rate burst rate_read rate_user_create rate_user_update \
            rate_group_update workers tries longest_pause";
        for knob in never.split_whitespace() {
            assert!(KNOBS.iter().any(|known| known.name == knob), "{knob}");
            assert!(!is_admissible(&dialect, knob, &dialect.value(knob)), "{knob}");
        }
    }
}
