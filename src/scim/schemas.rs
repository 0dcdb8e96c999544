//! What the target's schemas (RFC 7643 §7) and resource types (§6) say of what we would send. Whatever is missing or odd in
//! them is passed over: they are read to warn, and decide nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::found::get;
use super::wire::{GROUP, USER, extension, is_manager};
use super::{Dialect, ManagerForm};
use crate::model::{AttributePath, ResourceType};
use crate::plan::changes;

/// Attributes that every resource has and no schema has to list (RFC 7643 §3.1).
const OF_EVERY_RESOURCE: &[&str] = &["id", "externalId", "meta", "schemas"];

/// What the target says of its resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schemas {
    /// Attributes by schema, its name in small letters.
    attributes: BTreeMap<String, Vec<Attribute>>,
    /// Nothing of the list of schemas is missing.
    whole: bool,
    /// Schemas that a resource must carry besides its own.
    demanded: Vec<(ResourceType, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    name: String,
    required: bool,
    mutability: Mutability,
    /// Canonical values; empty for any.
    values: Vec<String>,
    parts: Vec<Attribute>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutability {
    Usual,
    Immutable,
    ReadOnly,
}

impl Schemas {
    /// Reads the answers of `/Schemas` and `/ResourceTypes`, as far as they are there.
    pub(super) fn read(schemas: Option<&Json>, resource_types: Option<&Json>) -> Self {
        let (listed, whole) = schemas.map(listed).unwrap_or_default();
        let mut attributes = BTreeMap::new();
        for object in listed {
            let own: Vec<Attribute> = named(object, "attributes").filter_map(Attribute::read).collect();
            if let (Some(id), false) = (get(object, "id").and_then(Json::as_str), own.is_empty()) {
                attributes.insert(id.to_ascii_lowercase(), own);
            }
        }
        let mut demanded = Vec::new();
        for object in resource_types.map(|json| listed_objects(json)).unwrap_or_default() {
            let schema = get(object, "schema").and_then(Json::as_str).unwrap_or_default();
            let core = [(ResourceType::User, USER), (ResourceType::Group, GROUP)];
            let Some((resource_type, _)) = core.into_iter().find(|(_, core)| core.eq_ignore_ascii_case(schema)) else { continue };
            for extension in named(object, "schemaExtensions") {
                let is_required = get(extension, "required").is_some_and(is_true);
                if let Some(schema) = get(extension, "schema").and_then(Json::as_str).filter(|_| is_required) {
                    demanded.push((resource_type, schema.to_owned()));
                }
            }
        }
        Self { attributes, whole, demanded }
    }

    /// What of that which would be sent the target would not take, or misses. `mapped`: paths of users that rules give;
    /// groups are spoken of where there are some.
    pub fn surprises(&self, mapped: &[AttributePath], groups: bool, dialect: &Dialect) -> Vec<String> {
        let capabilities = &dialect.capabilities;
        let part_of = |list: &[AttributePath], path: &AttributePath| list.iter().any(|whole| covers(whole, path));
        let mut users: Vec<AttributePath> = mapped
            .iter()
            .filter(|path| capabilities.only.is_empty() || part_of(&capabilities.only, path))
            .filter(|path| !part_of(&capabilities.never, path))
            .filter(|path| dialect.knobs.manager != ManagerForm::Off || !is_manager(path))
            .cloned()
            .collect();
        users.push(AttributePath::known("active"));
        let mut warnings = self.of(ResourceType::User, USER, &users, dialect);
        if groups {
            let mut sent = vec![AttributePath::known("displayName"), AttributePath::known("members")];
            if capabilities.group_external_id {
                sent.push(AttributePath::known("externalId"));
            }
            warnings.extend(self.of(ResourceType::Group, GROUP, &sent, dialect));
        }
        warnings
    }

    fn of(&self, resource_type: ResourceType, core: &str, sent: &[AttributePath], dialect: &Dialect) -> Vec<String> {
        // A list without the resource's own schema tells nothing about it.
        if !self.attributes.contains_key(&core.to_ascii_lowercase()) {
            return Vec::new();
        }
        let kind = resource_type.as_str();
        let mut said = BTreeSet::new();
        let mut warnings = Vec::new();
        let mut say = |warning: String| {
            if said.insert(warning.clone()) {
                warnings.push(warning);
            }
        };
        for path in sent {
            match self.place(core, path) {
                Place::Unsaid => {}
                Place::Unknown(what) => say(format!(
                    "The schema of a {kind} at the target has no {what}: what is mapped to it may be refused, or dropped."
                )),
                Place::At(attribute, part) => {
                    let mutability = [Some(attribute), part].into_iter().flatten().map(|found| found.mutability);
                    let mutability = mutability.reduce(Mutability::stricter).unwrap_or(Mutability::Usual);
                    match mutability {
                        Mutability::ReadOnly => {
                            say(format!("{path} of a {kind} is read-only at the target: what is mapped to it may be refused."))
                        }
                        Mutability::Immutable if changes(&dialect.capabilities, resource_type, path) => say(format!(
                            "{path} of a {kind} is immutable at the target: later changes will be refused; to leave them \
                             out, write dialect: {{ {kind}_immutable: {path} }}."
                        )),
                        Mutability::Immutable | Mutability::Usual => {}
                    }
                    if let Some(warning) = unusual_type(path, attribute) {
                        say(warning);
                    }
                }
            }
        }
        for missing in self.missing(resource_type, core, sent) {
            say(format!("The target requires {missing} of a {kind}, and nothing is mapped to it: creates may be refused."));
        }
        warnings
    }

    /// Where a path leads in the schemas.
    fn place(&self, core: &str, path: &AttributePath) -> Place<'_> {
        let schema = extension(path).unwrap_or(core);
        let Some(attributes) = self.attributes.get(&schema.to_ascii_lowercase()) else {
            return if self.whole { Place::Unknown(format!("extension {schema}")) } else { Place::Unsaid };
        };
        let Some(attribute) = attributes.iter().find(|attribute| attribute.is(path.name())) else {
            let common = OF_EVERY_RESOURCE.iter().any(|name| name.eq_ignore_ascii_case(path.name()));
            return if common { Place::Unsaid } else { Place::Unknown(whole_name(path)) };
        };
        let Some(sub) = path.sub_attribute().filter(|_| !attribute.parts.is_empty()) else { return Place::At(attribute, None) };
        match attribute.parts.iter().find(|part| part.is(sub)) {
            Some(part) => Place::At(attribute, Some(part)),
            None => Place::Unknown(format!("{}.{sub}", whole_name(path))),
        }
    }

    /// What is required and not sent: attributes, parts of attributes that are sent, and schemas.
    fn missing(&self, resource_type: ResourceType, core: &str, sent: &[AttributePath]) -> Vec<String> {
        let mut missing = Vec::new();
        for (schema, attributes) in &self.attributes {
            let of_schema = |path: &&AttributePath| extension(path).unwrap_or(core).eq_ignore_ascii_case(schema);
            let of_schema: Vec<&AttributePath> = sent.iter().filter(of_schema).collect();
            let demanded = self.demanded.iter().any(|(of, name)| *of == resource_type && name.eq_ignore_ascii_case(schema));
            if of_schema.is_empty() && !demanded {
                continue;
            }
            let prefix = if schema.eq_ignore_ascii_case(core) { String::new() } else { format!("{schema}:") };
            for attribute in attributes.iter().filter(|attribute| attribute.mutability != Mutability::ReadOnly) {
                let given: Vec<&&AttributePath> = of_schema.iter().filter(|path| attribute.is(path.name())).collect();
                let common = OF_EVERY_RESOURCE.iter().any(|name| attribute.is(name));
                if given.is_empty() && attribute.required && !common {
                    missing.push(format!("{prefix}{}", attribute.name));
                }
                let whole = given.iter().any(|path| path.sub_attribute().is_none());
                for part in attribute.parts.iter().filter(|part| part.required && part.mutability != Mutability::ReadOnly) {
                    let is_given = |path: &&&AttributePath| path.sub_attribute().is_some_and(|sub| part.is(sub));
                    // The type stands in the brackets.
                    if !given.is_empty() && !whole && !part.is("type") && !given.iter().any(is_given) {
                        missing.push(format!("{prefix}{}.{}", attribute.name, part.name));
                    }
                }
            }
        }
        missing
    }
}

enum Place<'a> {
    /// Nothing is said of it.
    Unsaid,
    /// It is not there: what.
    Unknown(String),
    /// An attribute, or a part of it.
    At(&'a Attribute, Option<&'a Attribute>),
}

impl Attribute {
    fn read(object: &Map<String, Json>) -> Option<Self> {
        let mutability = get(object, "mutability").and_then(Json::as_str).unwrap_or_default();
        let values = get(object, "canonicalValues").and_then(Json::as_array);
        Some(Self {
            name: get(object, "name")?.as_str()?.to_owned(),
            required: get(object, "required").is_some_and(is_true),
            mutability: match mutability.to_ascii_lowercase().as_str() {
                "readonly" => Mutability::ReadOnly,
                "immutable" => Mutability::Immutable,
                _ => Mutability::Usual,
            },
            values: values.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect(),
            parts: named(object, "subAttributes").filter_map(Self::read_part).collect(),
        })
    }

    /// Parts have no parts (RFC 7643 §2.3.8).
    fn read_part(object: &Map<String, Json>) -> Option<Self> {
        get(object, "name")?;
        let mut flat = object.clone();
        flat.retain(|key, _| !key.eq_ignore_ascii_case("subAttributes"));
        Self::read(&flat)
    }

    /// Names have no case (RFC 7643 §2.1).
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Mutability {
    fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::ReadOnly, _) | (_, Self::ReadOnly) => Self::ReadOnly,
            (Self::Immutable, _) | (_, Self::Immutable) => Self::Immutable,
            (Self::Usual, Self::Usual) => Self::Usual,
        }
    }
}

/// A type that is not among the canonical ones, where there are such (RFC 7643 §7 canonicalValues).
fn unusual_type(path: &AttributePath, attribute: &Attribute) -> Option<String> {
    let selector = path.selector().filter(|selector| selector.attribute.eq_ignore_ascii_case("type"))?;
    let values = &attribute.parts.iter().find(|part| part.is("type"))?.values;
    if values.is_empty() || values.iter().any(|value| value.eq_ignore_ascii_case(&selector.value)) {
        return None;
    }
    let (name, sent) = (&attribute.name, &selector.value);
    Some(format!("{name} of type {sent} are mapped, and the target's schema knows the types {}.", values.join(", ")))
}

/// The attribute without what chooses a part of it.
fn whole_name(path: &AttributePath) -> String {
    extension(path).map_or_else(|| path.name().to_owned(), |schema| format!("{schema}:{}", path.name()))
}

/// True if `path` is `whole` or a part of it.
fn covers(whole: &AttributePath, path: &AttributePath) -> bool {
    let all = whole.selector().is_none() && whole.sub_attribute().is_none();
    whole == path || (all && whole.name() == path.name() && extension(whole) == extension(path))
}

fn is_true(json: &Json) -> bool {
    json == &Json::Bool(true) || json.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// The objects of a list under a name.
fn named<'a>(object: &'a Map<String, Json>, name: &str) -> impl Iterator<Item = &'a Map<String, Json>> {
    get(object, name).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object)
}

fn listed_objects(json: &Json) -> Vec<&Map<String, Json>> {
    listed(json).0
}

/// What is listed, in a `ListResponse` or in a bare array, and whether that is all of it.
fn listed(json: &Json) -> (Vec<&Map<String, Json>>, bool) {
    match json {
        Json::Array(list) => (list.iter().filter_map(Json::as_object).collect(), true),
        Json::Object(object) => {
            let list: Vec<&Map<String, Json>> = named(object, "Resources").collect();
            let total = get(object, "totalResults").and_then(Json::as_u64);
            let whole = total.is_some_and(|total| total == list.len() as u64);
            (list, whole)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => (Vec::new(), false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wire::ENTERPRISE;
    use super::*;
    use crate::scim::SaidBy;

    fn schemas() -> Json {
        json!([
            { "id": USER.to_uppercase(), "attributes": [
                { "name": "USERNAME", "required": true, "mutability": "immutable" },
                { "name": "active" },
                { "name": "displayName", "mutability": "readOnly" },
                { "name": "nickName", "required": true },
                { "name": "name", "subAttributes": [{ "name": "givenName" }, { "name": "familyName", "required": "true" }] },
                { "name": "emails", "multiValued": true, "subAttributes": [
                    { "name": "value" }, { "name": "primary" }, { "name": "type", "canonicalValues": ["Work", "home"] }] },
            ] },
            { "id": GROUP, "attributes": [{ "name": "displayName" }, { "name": "members", "mutability": "readOnly" }] },
            { "id": ENTERPRISE, "attributes": [{ "name": "department" }, { "name": "manager" }, { "name": "costCenter", "required": true }] },
            "odd",
        ])
    }

    fn paths(texts: &[&str]) -> Vec<AttributePath> {
        texts.iter().map(|text| AttributePath::parse(text).unwrap()).collect()
    }

    fn said(schemas: &Json, mapped: &[&str], dialect: &Dialect) -> Vec<String> {
        Schemas::read(Some(schemas), None).surprises(&paths(mapped), true, dialect)
    }

    fn dialect(knobs: &[(&str, &str)]) -> Dialect {
        let mut dialect = Dialect::default();
        for (knob, value) in knobs {
            dialect.set(knob, value, SaidBy::Configuration).unwrap();
        }
        dialect
    }

    #[test]
    fn what_the_schemas_do_not_know_do_not_take_or_miss_is_said() {
        let department = format!("{ENTERPRISE}:department");
        let foreign = "urn:x:y:thing";
        let mapped = [
            "userName",
            "externalId",
            "displayName",
            "name.givenName",
            "name.middleName",
            r#"emails[type eq "work"].value"#,
            r#"emails[type eq "other"].value"#,
            r#"phoneNumbers[type eq "work"].value"#,
            r#"phoneNumbers[type eq "fax"].value"#,
            &department,
            foreign,
        ];
        let expected = [
            "userName of a user is immutable",
            "displayName of a user is read-only",
            "has no name.middleName:",
            "emails of type other are mapped, and the target's schema knows the types Work, home.",
            "has no phoneNumbers:",
            "has no extension urn:x:y:",
            "requires nickName of a user",
            "requires name.familyName of a user",
            "enterprise:2.0:user:costCenter of a user",
            "members of a group is read-only",
        ];
        let mut told = said(&schemas(), &mapped, &Dialect::default());
        told.sort();
        for part in expected {
            let found = told.iter().position(|warning| warning.contains(part));
            told.remove(found.unwrap_or_else(|| panic!("{part} is not in {told:#?}")));
        }
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn what_the_dialect_leaves_out_is_not_spoken_of() {
        let dialect = dialect(&[("never", "displayName"), ("user_immutable", "userName"), ("only", "userName, displayName")]);
        let told = said(&schemas(), &["userName", "displayName", "title"], &dialect);
        assert_eq!(told.iter().filter(|warning| !warning.contains("of a group")).count(), 1, "{told:#?}");
        assert!(told[0].contains("requires nickName"), "{told:#?}");
    }

    #[test]
    fn whatever_is_odd_says_nothing() {
        let list = |schemas: Json, total: usize| json!({ "Resources": schemas, "totalResults": total });
        let only_user = json!([{ "id": USER, "attributes": [{ "name": "userName" }, { "name": "active" }] }]);
        for (json, expected) in [
            (json!(null), 0),
            (json!("<html>"), 0),
            (json!({ "Resources": "none" }), 0),
            (json!([{ "id": USER }, { "attributes": [{ "name": "x" }] }, 7]), 0),
            (json!([{ "id": ENTERPRISE, "attributes": [{ "name": "department" }] }]), 0),
            // A list that is not whole: of what is missing, nothing is known.
            (list(only_user.clone(), 3), 0),
            (list(only_user, 1), 1),
        ] {
            assert_eq!(
                said(&json, &["userName", &format!("{ENTERPRISE}:department")], &Dialect::default()).len(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn an_extension_that_a_user_must_carry_is_missed() {
        let types = json!({ "Resources": [
            { "schema": USER, "schemaExtensions": [{ "schema": ENTERPRISE, "required": true }] }, { "schema": "urn:other" }, 3,
        ] });
        let warnings = Schemas::read(Some(&schemas()), Some(&types)).surprises(&paths(&["nickName"]), false, &Dialect::default());
        assert!(warnings.iter().any(|warning| warning.contains("costCenter")), "{warnings:#?}");
    }
}
