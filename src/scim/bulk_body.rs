//! The JSON of a bulk request (RFC 7644 §3.7), and which part of its answer belongs to which change.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json, json};

use super::answer::Answer;
use super::found::get;
use super::request::{Method, Request};
use crate::model::ResourceType;

/// One change. `number` makes its bulkId, which a create must have (§3.7) and others need not.
pub(super) fn operation(request: &Request, number: usize) -> Json {
    let mut operation =
        Map::from_iter([("method".to_owned(), json!(request.method.as_str())), ("path".to_owned(), json!(request.path))]);
    if request.method == Method::Post {
        operation.insert("bulkId".to_owned(), json!(bulk_id(number)));
    }
    if let Some(data) = &request.body {
        operation.insert("data".to_owned(), data.clone());
    }
    Json::Object(operation)
}

/// The body. `failOnErrors` is left out: then a provider goes on to the end (§3.7).
pub(super) fn body(operations: &[Json]) -> Json {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

/// The request that carries changes.
pub(super) fn request(changes: &[&Request]) -> Request {
    let operations: Vec<Json> = changes.iter().enumerate().map(|(number, change)| operation(change, number)).collect();
    Request {
        method: Method::Post,
        resource_type: changes.first().map_or(ResourceType::User, |change| change.resource_type),
        path: "/Bulk".to_owned(),
        query: String::new(),
        body: Some(body(&operations)),
        if_match: None,
    }
}

/// As wide as any number of a load, so that the length of an operation does not hang on its place.
fn bulk_id(number: usize) -> String {
    format!("c{number:08}")
}

/// The answers to changes, in their order; `None` where the answer does not speak of one.
///
/// A create is known by its bulkId, others by method and location. What tells neither is taken by its place, if there
/// are as many answers as changes.
pub(super) fn answers(changes: &[&Request], answer: &Answer) -> Vec<Option<Answer>> {
    let json = answer.json().unwrap_or_default();
    let operations = json.as_object().and_then(|object| get(object, "Operations")).and_then(Json::as_array);
    let mut parts: Vec<Option<Part>> = operations.into_iter().flatten().map(Part::of).collect();
    let by_place = parts.len() == changes.len();
    let mut found: Vec<Option<Answer>> = Vec::new();
    for (number, change) in changes.iter().enumerate() {
        let place = parts.iter().position(|part| part.as_ref().is_some_and(|part| part.names(change, number)));
        let place = place.or_else(|| {
            let same = |part: &Part| part.may_be(change);
            (by_place && parts.get(number)?.as_ref().is_some_and(same)).then_some(number)
        });
        found.push(place.and_then(|place| parts.get_mut(place)?.take()).map(Part::answer));
    }
    found
}

/// One part of a bulk answer.
struct Part {
    method: Option<String>,
    bulk_id: Option<String>,
    location: Option<String>,
    status: u16,
    response: Vec<u8>,
}

impl Part {
    /// `None` without a status: nothing is known then.
    fn of(json: &Json) -> Option<Self> {
        let object = json.as_object()?;
        let text = |name: &str| get(object, name).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let status = match get(object, "status")? {
            Json::Number(number) => number.as_u64()?.try_into().ok()?,
            Json::String(text) => text.trim().parse().ok()?,
            // As SCIM 1.1 had it.
            Json::Object(inner) => get(inner, "code").and_then(|code| match code {
                Json::String(text) => text.trim().parse().ok(),
                Json::Number(number) => number.as_u64()?.try_into().ok(),
                _ => None,
            })?,
            _ => return None,
        };
        let response = get(object, "response").filter(|response| !response.is_null());
        Some(Self {
            method: text("method"),
            bulk_id: text("bulkId"),
            location: text("location"),
            status,
            response: response.map(|response| response.to_string().into_bytes()).unwrap_or_default(),
        })
    }

    fn names(&self, change: &Request, number: usize) -> bool {
        if change.method == Method::Post {
            return self.bulk_id.as_deref() == Some(bulk_id(number).as_str());
        }
        self.method.as_ref().is_some_and(|method| method.eq_ignore_ascii_case(change.method.as_str()))
            && self.location.as_deref().is_some_and(|location| place(location) == place(&change.path))
    }

    /// True if its place is all that it can be known by. The location of something new is news.
    fn may_be(&self, change: &Request) -> bool {
        let same_method = self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(change.method.as_str()));
        same_method && self.bulk_id.is_none() && (self.location.is_none() || change.method == Method::Post)
    }

    fn answer(self) -> Answer {
        Answer { status: self.status, location: self.location, etag: None, body: self.response }
    }
}

/// Collection and id at the end of an address. They are taken apart before they are decoded: an id may hold slashes, and
/// some ids are names that people choose.
fn place(address: &str) -> Option<(&str, String)> {
    let (before, id) = address.split(['?', '#']).next()?.trim_end_matches('/').rsplit_once('/')?;
    let collection = before.rsplit('/').next()?;
    Some((collection, percent_decode_str(id).decode_utf8_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_looks_like_an_address_does_not_answer_for_another() {
        let changes = [change(Method::Patch, "/Users/1"), change(Method::Patch, "/Users/x%2FUsers%2F1")];
        let changes: Vec<&Request> = changes.iter().collect();
        let parts = json!([
            { "method": "PATCH", "location": "https://x/v2/Users/x%2FUsers%2F1", "status": "200" },
            { "method": "PATCH", "location": "https://x/v2/Users/1", "status": "403" },
        ]);
        let body = json!({ "Operations": parts }).to_string().into_bytes();
        let answers = answers(&changes, &Answer { status: 200, body, ..Answer::default() });
        let statuses: Vec<u16> = answers.into_iter().map(|answer| answer.map_or(0, |answer| answer.status)).collect();
        assert_eq!(statuses, [403, 200]);
    }

    fn change(method: Method, path: &str) -> Request {
        Request {
            method,
            resource_type: ResourceType::User,
            path: path.to_owned(),
            query: String::new(),
            body: Some(json!({ "x": 1 })),
            if_match: None,
        }
    }

    #[test]
    fn a_create_has_a_bulk_id_and_nothing_asks_to_stop_at_an_error() {
        let (create, edit) = (change(Method::Post, "/Users"), change(Method::Patch, "/Users/7"));
        assert_eq!(
            request(&[&create, &edit]).body.unwrap(),
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
                { "method": "POST", "bulkId": "c00000000", "path": "/Users", "data": { "x": 1 } },
                { "method": "PATCH", "path": "/Users/7", "data": { "x": 1 } },
            ] })
        );
    }

    #[test]
    fn each_part_of_an_answer_finds_its_change() {
        let changes = [
            change(Method::Post, "/Users"),
            change(Method::Patch, "/Users/a%2Fb"),
            change(Method::Delete, "/Users/1"),
            change(Method::Post, "/Users"),
        ];
        let changes: Vec<&Request> = changes.iter().collect();
        let statuses = |parts: Json| {
            let answer =
                Answer { status: 200, body: json!({ "Operations": parts }).to_string().into_bytes(), ..Answer::default() };
            answers(&changes, &answer).into_iter().map(|answer| answer.map_or(0, |answer| answer.status)).collect::<Vec<_>>()
        };
        // In another order, with statuses in every form.
        let mixed = json!([
            { "method": "DELETE", "location": "https://x/Users/11", "status": "404" },
            { "method": "DELETE", "location": "https://x/Users/1", "status": "204" },
            { "method": "POST", "bulkId": "c00000003", "status": { "code": "409" } },
            { "method": "patch", "location": "https://x/v2/Users/a%2Fb", "status": 200 },
        ]);
        assert_eq!(statuses(mixed), [0, 200, 204, 409], "the first create is not spoken of");
        // By place, where nothing else tells.
        let bare = json!([{ "status": 201 }, { "status": "200" }, { "status": 204 }, { "status": 500 }]);
        assert_eq!(statuses(bare), [201, 200, 204, 500]);
        let short = json!([{ "status": 201 }, { "status": "200" }]);
        assert_eq!(statuses(short), [0, 0, 0, 0], "fewer answers than changes: nobody knows whose they are");
        let silent = json!([{ "bulkId": "c00000000" }]);
        assert_eq!(statuses(silent), [0, 0, 0, 0], "an answer without a status says nothing");
    }
}
