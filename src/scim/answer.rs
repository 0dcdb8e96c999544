//! An answer as it came, and what can be read from it however it is labelled.

use serde_json::Value as Json;

use super::found::get;
use crate::cycle::TargetError;

/// Characters of a provider's words that are kept.
const DETAIL: usize = 200;

/// Octets of an answer in which its words are looked for.
pub(super) const WORDS: usize = 64 * 1024;

/// Status, the headers we use, and the body.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Location`.
    pub(super) location: Option<String>,
    /// `ETag`.
    pub(super) etag: Option<String>,
    pub(super) body: Vec<u8>,
}

/// One page of a list (RFC 7644 §3.4.2).
pub(super) struct Page {
    pub(super) resources: Vec<Json>,
    /// `totalResults`, if it was said.
    pub(super) total: Option<u64>,
    /// `nextCursor`, if there is more (RFC 9865).
    pub(super) next: Option<String>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text().trim_ascii().is_empty()
    }

    /// The body without the byte order mark that some providers begin with.
    fn text(&self) -> &[u8] {
        self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)
    }

    /// The beginning of the body, where an error says what it is.
    fn words(&self) -> &[u8] {
        self.text().get(..WORDS).unwrap_or(self.text())
    }

    /// The body as JSON, whatever its content type says.
    pub(super) fn json(&self) -> Result<Json, TargetError> {
        serde_json::from_slice(self.text()).map_err(|_| {
            TargetError::Protocol(format!(
                "the answer with status {} is not JSON; is the base URL that of a SCIM service?",
                self.status
            ))
        })
    }

    pub(super) fn page(&self) -> Result<Page, TargetError> {
        let Json::Object(mut object) = self.json()? else {
            return Err(TargetError::Protocol("the answer to a list is not an object".to_owned()));
        };
        let total = match get(&object, "totalResults") {
            Some(Json::Number(number)) => number.as_u64(),
            Some(Json::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let next = get(&object, "nextCursor").and_then(Json::as_str).filter(|next| !next.is_empty()).map(str::to_owned);
        let key = object.keys().find(|key| key.eq_ignore_ascii_case("Resources")).cloned();
        let resources = match key.and_then(|key| object.remove(&key)) {
            Some(Json::Array(list)) => list,
            None | Some(Json::Null) if total.is_some() => Vec::new(),
            _ => return Err(TargetError::Protocol("the answer to a list has no Resources".to_owned())),
        };
        Ok(Page { resources, total, next })
    }

    /// `scimType` of an error (RFC 7644 §3.12), a bare word. Safe to log.
    pub(super) fn scim_type(&self) -> Option<String> {
        let json: Json = serde_json::from_slice(self.words()).ok()?;
        let word = get(json.as_object()?, "scimType")?.as_str()?;
        (word.len() <= 40 && word.chars().all(|c| c.is_ascii_alphanumeric())).then(|| word.to_owned())
    }

    /// The provider's words for an error. May hold attribute values, so it is never logged.
    pub(super) fn detail(&self) -> String {
        let text = String::from_utf8_lossy(self.words());
        let json: Option<Json> = serde_json::from_str(&text).ok();
        let said = json.as_ref().and_then(Json::as_object).and_then(|object| {
            ["detail", "message", "error_description", "error"].iter().find_map(|name| get(object, name)?.as_str())
        });
        let words = cut(said.unwrap_or(&text));
        match self.scim_type() {
            Some(kind) if words.is_empty() => kind,
            Some(kind) => format!("{kind}: {words}"),
            None if words.is_empty() => format!("status {}, no detail", self.status),
            None => words,
        }
    }

    /// True for a refusal because something like it is there already: 409 whatever the body says, and 400 that
    /// says so in its scimType or, for want of one, in its words.
    pub(super) fn is_conflict(&self) -> bool {
        let said = || {
            let words = self.detail().to_ascii_lowercase();
            ["already exist", "duplicate", "already taken", "must be unique"].iter().any(|known| words.contains(known))
        };
        match (self.status, self.scim_type()) {
            (409, _) => true,
            (400 | 422, Some(kind)) => kind.eq_ignore_ascii_case("uniqueness"),
            (400 | 422, None) => said(),
            _ => false,
        }
    }

    /// True for 400 or 422 with one of these scimTypes.
    pub(super) fn is_about(&self, kinds: &[&str]) -> bool {
        let said = || self.scim_type().is_some_and(|said| kinds.iter().any(|kind| said.eq_ignore_ascii_case(kind)));
        matches!(self.status, 400 | 422) && said()
    }

    /// True for noTarget: the path leads to nothing.
    pub(super) fn is_no_target(&self) -> bool {
        self.is_about(&["noTarget"])
    }

    /// The refusal as an error, for what nothing more particular is known of.
    pub(super) fn rejected(&self) -> TargetError {
        TargetError::Rejected { status: self.status, detail: self.detail() }
    }
}

/// Text fit to be shown: no control characters, no runs of space, not long.
pub(super) fn cut(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(DETAIL) {
        None => words,
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
    }
}
