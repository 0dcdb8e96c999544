//! What the target says of itself in `/ServiceProviderConfig` (RFC 7643 §5, RFC 9865 §4). It is missing or wrong at many
//! providers, so it is a hint: it narrows what we do where nobody who counts more has spoken, and never widens it.

use serde_json::{Map, Value as Json};

use super::found::get;
use super::request::Request;
use super::target::Provider;
use super::{Dialect, Discovery, SaidBy, UpdateBy};
use crate::cycle::TargetError;

/// Where it stands (RFC 7644 §4), unless the dialect says otherwise.
const PLACE: &str = "/ServiceProviderConfig";

/// Knobs that an announcement may set.
#[cfg(test)]
pub(super) const ANNOUNCED: &[&str] =
    &["user_update", "group_update", "pagination", "page_size", "bulk", "bulk_operations", "bulk_payload"];

/// `/ServiceProviderConfig`, as it was answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Announcement(Map<String, Json>);

impl Announcement {
    /// A JSON object, else nothing that could be read.
    pub(super) fn of(json: Json) -> Option<Self> {
        match json {
            Json::Object(object) => Some(Self(object)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
        }
    }

    fn part(&self, feature: &str, key: &str) -> Option<&Json> {
        get(get(&self.0, feature)?.as_object()?, key)
    }

    fn flag(&self, feature: &str, key: &str) -> Option<bool> {
        match self.part(feature, key)? {
            Json::Bool(flag) => Some(*flag),
            Json::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Json::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A number above zero: zero is what is said by those who have nothing to say.
    fn number(&self, feature: &str, key: &str) -> Option<usize> {
        let number = match self.part(feature, key)? {
            Json::Number(number) => number.as_u64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        usize::try_from(number?).ok().filter(|number| *number > 0)
    }

    /// What follows from it for a dialect that stands otherwise.
    fn facts(&self, dialect: &Dialect) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if self.flag("patch", "supported") == Some(false) {
            facts.extend(["user_update", "group_update"].map(|knob| (knob, "put".to_owned())));
        }
        match (self.flag("pagination", "cursor"), self.flag("pagination", "index")) {
            (Some(true), Some(false)) => facts.push(("pagination", "cursor".to_owned())),
            (Some(false), Some(true)) => facts.push(("pagination", "index".to_owned())),
            _ => {}
        }
        let mut lower = |knob, announced: Option<usize>, now: usize| {
            if let Some(announced) = announced.filter(|announced| *announced < now) {
                facts.push((knob, announced.to_string()));
            }
        };
        let pages = [self.number("filter", "maxResults"), self.number("pagination", "maxPageSize")];
        lower("page_size", pages.into_iter().flatten().min(), dialect.capabilities.page_size);
        lower("bulk_operations", self.number("bulk", "maxOperations"), dialect.bulk_operations);
        lower("bulk_payload", self.number("bulk", "maxPayloadSize"), dialect.knobs.bulk_payload);
        if self.flag("bulk", "supported") == Some(false) && dialect.knobs.bulk {
            facts.push(("bulk", "no".to_owned()));
        }
        facts
    }

    /// Where the dialect as it was configured, and as it is now, disagree with it.
    fn contradictions(&self, configured: &Dialect, now: &Dialect) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.flag("patch", "supported") == Some(false) {
            let announced = |knob| now.said_by(knob) == SaidBy::Announced;
            if announced("user_update") || announced("group_update") {
                warnings.push(
                    "The target announces that it has no PATCH, so resources are changed by PUT; if it has, write dialect: \
                     { user_update: patch, group_update: patch }."
                        .to_owned(),
                );
            } else if now.knobs.user_update == UpdateBy::Patch || now.knobs.group_update == UpdateBy::Patch {
                warnings.push("The target announces that it has no PATCH, and its dialect says that it has.".to_owned());
            }
        }
        if self.flag("bulk", "supported") == Some(false) {
            if configured.knobs.bulk {
                warnings.push(
                    "The dialect allows bulk, and the target announces that it has none: changes travel one by one.".to_owned(),
                );
            }
        } else if now.knobs.bulk {
            for (knob, limit, value) in [
                ("bulk_operations", self.number("bulk", "maxOperations"), now.bulk_operations),
                ("bulk_payload", self.number("bulk", "maxPayloadSize"), now.knobs.bulk_payload),
            ] {
                if let Some(limit) = limit.filter(|limit| *limit < value) {
                    warnings.push(format!("The target announces {limit} as its limit for {knob}, and its dialect says {value}."));
                }
            }
        }
        warnings
    }
}

impl Provider {
    /// Asks, and heeds the answer. Without an answer worth the name, nothing changes.
    pub(super) async fn heed(&self) -> Result<Vec<String>, TargetError> {
        let place = match &self.dialect().knobs.discovery {
            Discovery::Off => return Ok(Vec::new()),
            Discovery::Auto => PLACE.to_owned(),
            Discovery::At(path) => path.clone(),
        };
        let answer = self.transport.send(&Request::about(&place)).await?;
        let json = if answer.is_success() { answer.json().ok() } else { None };
        let Some(announcement) = json.and_then(Announcement::of) else { return Ok(Vec::new()) };
        // What was announced before is no longer said: only what is in force without it counts.
        self.announce(|dialect| announcement.facts(dialect));
        Ok(announcement.contradictions(self.configured(), &self.dialect()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::preset;

    /// What changes in a dialect by what is announced: `knob=value (by)`.
    fn heeded(mut dialect: Dialect, announced: Json) -> Vec<String> {
        let before = dialect.rows();
        for (knob, value) in Announcement::of(announced).unwrap().facts(&dialect) {
            assert!(ANNOUNCED.contains(&knob), "{knob}");
            dialect.set(knob, &value, SaidBy::Announced).unwrap();
        }
        let changed = dialect.rows().into_iter().filter(|row| !before.contains(row));
        changed.map(|row| format!("{}={} ({})", row.name, row.value, row.from)).collect()
    }

    fn configured(preset_name: &str, knobs: &[(&str, &str)]) -> Dialect {
        let mut dialect = preset(preset_name).unwrap();
        for (knob, value) in knobs {
            dialect.set(knob, value, SaidBy::Configuration).unwrap();
        }
        dialect
    }

    #[test]
    fn an_announcement_narrows_and_never_widens() {
        let nothing: &[&str] = &[];
        for (announced, expected) in [
            (json!({}), nothing),
            (json!({ "patch": { "supported": true }, "bulk": { "supported": true, "maxOperations": 5000 } }), nothing),
            (json!({ "filter": { "supported": false, "maxResults": 0 }, "etag": { "supported": true } }), nothing),
            (json!({ "filter": { "maxResults": 500 }, "pagination": { "maxPageSize": 250 } }), nothing),
            (json!({ "patch": null, "bulk": [], "pagination": { "cursor": "?", "index": 1 } }), nothing),
            (json!({ "Patch": { "Supported": "False" } }), &["user_update=put (announced)", "group_update=put (announced)"]),
            (json!({ "filter": { "maxResults": 50 }, "pagination": { "maxPageSize": "20" } }), &["page_size=20 (announced)"]),
            (json!({ "pagination": { "cursor": true, "index": false } }), &["pagination=cursor (announced)"]),
            (json!({ "pagination": { "cursor": false, "index": true } }), &["pagination=index (announced)"]),
            (json!({ "pagination": { "cursor": true, "index": true, "defaultPageSize": 10 } }), nothing),
            (
                json!({ "bulk": { "supported": true, "maxOperations": 50, "maxPayloadSize": 4096 } }),
                &["bulk_operations=50 (announced)", "bulk_payload=4096 (announced)"],
            ),
        ] {
            assert_eq!(heeded(Dialect::default(), announced.clone()), expected, "{announced}");
        }
    }

    #[test]
    fn who_counts_more_is_not_overruled_by_an_announcement() {
        let fifty = json!({ "filter": { "maxResults": 50 } });
        let no_patch = json!({ "patch": { "supported": false } });
        let nothing: &[&str] = &[];
        for (dialect, announced, expected) in [
            (configured("generic", &[]), &fifty, &["page_size=50 (announced)"][..]),
            (configured("aws-iam-identity-center", &[]), &fifty, nothing),
            (configured("generic", &[("page_size", "80")]), &fifty, nothing),
            (configured("vcenter", &[]), &no_patch, nothing),
            (configured("okta-style", &[]), &no_patch, &["group_update=put (announced)"]),
            (configured("generic", &[("user_update", "patch")]), &no_patch, &["group_update=put (announced)"]),
        ] {
            assert_eq!(heeded(dialect, announced.clone()), expected, "{announced}");
        }
    }

    #[test]
    fn bulk_that_the_target_does_not_have_is_off_whoever_allowed_it() {
        let none = json!({ "bulk": { "supported": false } });
        let allowed = configured("generic", &[("bulk", "yes")]);
        assert_eq!(allowed.capabilities.changes_per_request, 100);
        assert_eq!(heeded(allowed, none.clone()), ["bulk=no (announced)"]);
        assert_eq!(heeded(Dialect::default(), none), Vec::<String>::new());
        let offered = json!({ "bulk": { "supported": true } });
        assert_eq!(heeded(Dialect::default(), offered), Vec::<String>::new(), "an offer is no permission");
    }
}
