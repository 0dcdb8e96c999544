//! Addresses: the base path is kept, exactly one slash joins, and everything that is a value is percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::{AttributePath, ResourceId, ResourceType};

/// All but the unreserved characters of RFC 3986 §2.3: a space is `%20`, a plus is `%2B`.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value as it stands in a path segment or a query.
pub(super) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, VALUE).to_string()
}

/// `/Users`, `/Groups`. Case matters, and no slash follows.
pub(super) fn collection(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::User => "/Users",
        ResourceType::Group => "/Groups",
    }
}

/// `/Users/id`. The ids `.` and `..` cannot be written in a path (RFC 3986 §5.2.4) and give `None`.
pub(super) fn resource(resource_type: ResourceType, id: &ResourceId) -> Option<String> {
    match id.as_str() {
        "" | "." | ".." => None,
        id => Some(format!("{}/{}", collection(resource_type), encoded(id))),
    }
}

/// `attribute eq "value"`, the value as a JSON string (RFC 7644 §3.4.2.2), one space on each side of `eq`.
pub(super) fn equals(path: &AttributePath, value: &str) -> String {
    format!("{path} eq {}", quoted(value))
}

/// A JSON string.
pub(super) fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// The base URL without a slash at its end, joined with a path that begins with one.
pub(super) fn joined(base: &url::Url, path: &str, query: &str) -> String {
    let base = base.as_str().trim_end_matches('/');
    if query.is_empty() { format!("{base}{path}") } else { format!("{base}{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_kept_and_one_slash_joins() {
        for base in ["https://x.example/scim/v2", "https://x.example/scim/v2/", "https://x.example/scim/v2//"] {
            assert_eq!(joined(&url::Url::parse(base).unwrap(), "/Users", ""), "https://x.example/scim/v2/Users");
        }
        let root = url::Url::parse("https://x.example").unwrap();
        assert_eq!(joined(&root, "/Users", "count=1"), "https://x.example/Users?count=1");
    }

    #[test]
    fn ids_are_encoded_and_cannot_leave_their_segment() {
        let path = |id: &str| resource(ResourceType::User, &ResourceId::new(id));
        assert_eq!(path("a/b?c#d e%").as_deref(), Some("/Users/a%2Fb%3Fc%23d%20e%25"));
        assert_eq!(path("jürgen@x").as_deref(), Some("/Users/j%C3%BCrgen%40x"));
        assert_eq!((path(".."), path("."), path("")), (None, None, None));
    }

    #[test]
    fn filters_are_json_inside_and_percent_outside() {
        for (value, filter) in [
            ("jdoe@example.com", "userName%20eq%20%22jdoe%40example.com%22"),
            ("a+b", "userName%20eq%20%22a%2Bb%22"),
            (r#"say "hi"\now"#, "userName%20eq%20%22say%20%5C%22hi%5C%22%5C%5Cnow%22"),
            ("a&b=c,d%", "userName%20eq%20%22a%26b%3Dc%2Cd%25%22"),
            ("Zoë", "userName%20eq%20%22Zo%C3%AB%22"),
        ] {
            assert_eq!(encoded(&equals(&AttributePath::known("userName"), value)), filter, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_value_comes_back_from_a_filter(value in ".*") {
            let sent = encoded(&equals(&AttributePath::known("userName"), &value));
            proptest::prop_assert!(sent.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"%-._~".contains(&octet)));
            let plain = percent_encoding::percent_decode_str(&sent).decode_utf8().unwrap();
            let back: String = serde_json::from_str(plain.strip_prefix("userName eq ").unwrap()).unwrap();
            proptest::prop_assert_eq!(back, value);
        }
    }
}
