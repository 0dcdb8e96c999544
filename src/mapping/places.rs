//! Where a rule of a user may put its value: the attributes of RFC 7643 by table, extensions as they come.

use crate::model::{AttributePath, Selector};

use super::nearest::nearest;

/// The enterprise extension (RFC 7643 §4.3).
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// Single-valued attributes of a user (RFC 7643 §4.1.1).
const SIMPLE: [&str; 9] =
    ["userName", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone"];
const NAME: [&str; 6] = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const VALUED: &[&str] = &["value", "display", "primary"];
const ADDRESS: &[&str] = &["formatted", "streetAddress", "locality", "region", "postalCode", "country", "primary"];
const EXTENDED: [&str; 6] = ["employeeNumber", "costCenter", "organization", "division", "department", "manager"];

/// Multi-valued attributes (§4.1.2): name, sub-attributes without `type`, usual types.
const MULTI: [(&str, &[&str], &[&str]); 8] = [
    ("emails", VALUED, &["work", "home", "other"]),
    ("phoneNumbers", VALUED, &["work", "home", "mobile", "fax", "pager", "other"]),
    ("ims", VALUED, &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
    ("photos", VALUED, &["photo", "thumbnail"]),
    ("addresses", ADDRESS, &["work", "home", "other"]),
    ("entitlements", VALUED, &["work"]),
    ("roles", VALUED, &["work"]),
    ("x509Certificates", VALUED, &["work"]),
];

/// Attributes that no rule may give, and why.
const NOT_MAPPED: [(&str, &str, &str); 7] = [
    ("active", "follows the account's status in the directory", "leave the rule out"),
    ("id", "is given by the target", "leave the rule out; the directory's id travels as externalId: entry_id()"),
    ("meta", "is kept by the target", "leave the rule out"),
    ("schemas", "follows from the other attributes", "leave the rule out"),
    ("groups", "is read-only: it follows from the groups' members", "choose groups in the channel's section groups"),
    ("members", "is an attribute of groups", "choose groups in the channel's section groups"),
    ("password", "is never sent", "leave the rule out"),
];

/// What may stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A string.
    Text,
    /// A boolean.
    Flag,
    /// Another entry, by its DN.
    Reference,
    /// A string or a boolean: an extension whose schema we do not know.
    Any,
}

/// A place that a rule may fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// In canonical spelling.
    pub(super) path: AttributePath,
    /// What may stand there.
    pub(super) takes: Takes,
    /// True for `primary` and `display` of an element: sent only beside something they can belong to.
    pub(super) accessory: bool,
}

/// Why a path is refused: message and hint.
pub(super) type Refusal = (String, Option<String>);

impl Place {
    fn new(path: AttributePath) -> Self {
        let sub = path.sub_attribute();
        let accessory = path.selector().is_some() && matches!(sub, Some("primary" | "display"));
        let takes = match (path.schema(), sub) {
            (_, Some("primary")) if path.selector().is_some() => Takes::Flag,
            (Some(ENTERPRISE), _) if path.name() == "manager" => Takes::Reference,
            (None | Some(ENTERPRISE), _) => Takes::Text,
            (Some(_), _) => Takes::Any,
        };
        Self { path, takes, accessory }
    }

    /// Judges a path as it was written.
    pub(super) fn of(written: &str) -> Result<Self, Refusal> {
        let path = AttributePath::parse(written)
            .map_err(|error| (error.to_string(), element_form(written).or_else(|| meant(written))))?;
        match path.schema() {
            None => core(&path),
            Some(schema) if schema.eq_ignore_ascii_case(CORE) => core(&without_schema(&path)),
            Some(ENTERPRISE) => enterprise(&path),
            Some(schema) => foreign(&path, schema),
        }
    }
}

/// True if `path` is `whole`, an element of it or a part of it.
pub fn covers(whole: &AttributePath, path: &AttributePath) -> bool {
    whole == path
        || (whole.schema() == path.schema()
            && whole.name() == path.name()
            && whole.selector().is_none_or(|selector| path.selector() == Some(selector))
            && whole.sub_attribute().is_none_or(|sub| path.sub_attribute() == Some(sub)))
}

/// True if the two are parts of one element of a multi-valued attribute.
pub(super) fn same_element(one: &AttributePath, other: &AttributePath) -> bool {
    one.schema() == other.schema() && one.name() == other.name() && one.selector() == other.selector()
}

fn without_schema(path: &AttributePath) -> AttributePath {
    let sub = path.sub_attribute().map(str::to_owned);
    AttributePath::assemble(None, path.name().to_owned(), path.selector().cloned(), sub)
}

fn core(path: &AttributePath) -> Result<Place, Refusal> {
    let name = path.name();
    if let Some((_, why, hint)) = NOT_MAPPED.iter().find(|(refused, _, _)| name.eq_ignore_ascii_case(refused)) {
        return Err((format!("{name} cannot be mapped: it {why}"), Some((*hint).to_owned())));
    }
    if let Some((_, subs, types)) = MULTI.iter().find(|(multi, _, _)| *multi == name) {
        return element(path, subs, types);
    }
    let known = match (path.selector(), path.sub_attribute()) {
        (None, None) => name == "externalId" || SIMPLE.contains(&name),
        (None, Some(sub)) => name == "name" && NAME.contains(&sub),
        (Some(_), _) => false,
    };
    if known {
        return Ok(Place::new(path.clone()));
    }
    let message = match name {
        "name" => format!("{path} is no part of a user's name"),
        _ => format!("a SCIM user has no attribute {path}"),
    };
    Err((message, element_form(path.as_str()).or_else(|| meant(path.as_str()))))
}

/// A path of a multi-valued attribute: `emails[type eq "work"].value`.
fn element(path: &AttributePath, subs: &[&str], types: &[&str]) -> Result<Place, Refusal> {
    let name = path.name();
    let right = || element_form(path.as_str());
    let Some(selector) = path.selector() else {
        return Err((format!("{name} has several values: a rule names one by its type"), right()));
    };
    if selector.attribute != "type" {
        return Err((format!("a rule chooses a value of {name} by its type only"), right()));
    }
    match path.sub_attribute() {
        None => return Err((format!("{path} is a whole value of several parts: a rule gives one part"), right())),
        Some("type") => return Err(("the type is what the brackets say".to_owned(), right())),
        Some(sub) if !subs.contains(&sub) => return Err((format!("{name} has no part {sub}"), right())),
        Some(_) => {}
    }
    match types.iter().find(|usual| selector.value.eq_ignore_ascii_case(usual)) {
        Some(usual) if *usual != selector.value => Err((format!("the type of {name} is spelled {usual}"), right())),
        Some(_) | None if selector.value.trim().is_empty() => Err(("the type is empty".to_owned(), right())),
        Some(_) | None => Ok(Place::new(path.clone())),
    }
}

fn enterprise(path: &AttributePath) -> Result<Place, Refusal> {
    match (path.name(), path.selector(), path.sub_attribute()) {
        ("manager", None, None | Some("value")) => {
            Ok(Place::new(AttributePath::assemble(Some(ENTERPRISE.to_owned()), "manager".to_owned(), None, None)))
        }
        ("manager", ..) => Err((
            format!("{path} cannot be mapped: only the reference itself is sent"),
            Some(format!("write {ENTERPRISE}:manager")),
        )),
        (name, None, None) if EXTENDED.contains(&name) => Ok(Place::new(path.clone())),
        (name, ..) => Err((format!("the enterprise extension has no attribute {name}"), meant(path.as_str()))),
    }
}

/// A path below a schema that we do not know: allowed, unless it is a slip of one that we know.
fn foreign(path: &AttributePath, schema: &str) -> Result<Place, Refusal> {
    if schema.to_ascii_lowercase().starts_with("urn:ietf:params:scim:schemas:extension:enterprise") {
        return Err((
            format!("{schema} is not the enterprise extension's name"),
            Some(format!("did you mean {ENTERPRISE}:{}?", path.name())),
        ));
    }
    if schema.to_ascii_lowercase().starts_with("urn:ietf:params:scim:schemas:core") {
        return Err((
            format!("{schema} is not a user's schema"),
            meant(path.name()).or(Some("write the attribute's bare name".to_owned())),
        ));
    }
    if path.selector().is_some() && path.sub_attribute().is_none() {
        return Err((
            format!("{path} is a whole value of several parts: a rule gives one part"),
            Some(format!("write {path}.value")),
        ));
    }
    Ok(Place::new(path.clone()))
}

/// The right form of a path whose attribute is, or nearly is, a multi-valued one.
fn element_form(written: &str) -> Option<String> {
    let written = written.trim();
    let head = written.split(['[', '.', ':']).next().unwrap_or(written);
    let multi = MULTI.iter().map(|(multi, _, _)| *multi);
    let name = match head.to_ascii_lowercase().as_str() {
        "email" | "mail" => "emails",
        "phone" | "phones" | "mobile" | "fax" => "phoneNumbers",
        "role" => "roles",
        _ => nearest(head, multi)?,
    };
    let (_, subs, types) = MULTI.iter().find(|(multi, _, _)| *multi == name)?;
    let path = AttributePath::parse(written).ok();
    let path = path.as_ref();
    let chosen = path
        .and_then(AttributePath::selector)
        .filter(|selector| selector.attribute == "type" && !selector.value.trim().is_empty());
    let usual = types.first().copied().unwrap_or("work");
    let kind = match chosen {
        Some(Selector { value, .. }) => types.iter().copied().find(|known| known.eq_ignore_ascii_case(value)).unwrap_or(value),
        None => usual,
    };
    let sub = path.and_then(AttributePath::sub_attribute).and_then(|sub| nearest(sub, subs.iter().copied()));
    let sub = sub.or(subs.first().copied()).unwrap_or("value");
    Some(format!("write {name}[type eq \"{kind}\"].{sub}"))
}

/// The known path that was probably meant, found by its whole text or by its last name.
fn meant(written: &str) -> Option<String> {
    let known = || {
        let simple = SIMPLE.iter().map(|name| ((*name).to_owned(), *name));
        let id = std::iter::once(("externalId".to_owned(), "externalId"));
        let name = NAME.iter().map(|sub| (format!("name.{sub}"), *sub));
        let extended = EXTENDED.iter().map(|name| (format!("{ENTERPRISE}:{name}"), *name));
        let parts = ADDRESS.iter().filter(|sub| **sub != "primary" && **sub != "formatted");
        let address = parts.map(|sub| (format!("addresses[type eq \"work\"].{sub}"), *sub));
        simple.chain(id).chain(name).chain(extended).chain(address)
    };
    let paths: Vec<(String, &str)> = known().collect();
    let whole = nearest(written, paths.iter().map(|(path, _)| path.as_str())).map(str::to_owned);
    let by_last_name = || {
        let last = written.rsplit([':', '.']).next().unwrap_or(written);
        let name = nearest(last, paths.iter().map(|(_, name)| *name))?;
        paths.iter().find(|(_, known)| *known == name).map(|(path, _)| path.clone())
    };
    let by_first_name = || nearest(written.split('.').next().unwrap_or(written), SIMPLE).map(str::to_owned);
    whole.or_else(by_last_name).or_else(by_first_name).map(|path| format!("did you mean {path}?"))
}
