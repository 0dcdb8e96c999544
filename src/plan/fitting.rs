//! What a target takes: a resource cut down to the attributes and lengths that it holds, and which of them it changes.

use std::collections::BTreeSet;

use crate::mapping::{MappingError, covers};
use crate::model::{AttributePath, Capabilities, Resource, ResourceType, Selector, Value};

use super::Edit;

/// True if an attribute is sent at all. The name and `active` always are: without them there is no resource and no
/// revocation.
pub fn takes(capabilities: &Capabilities, resource_type: ResourceType, path: &AttributePath) -> bool {
    if *path == resource_type.name_path() || path.as_str() == "active" {
        return true;
    }
    let among = |paths: &[AttributePath]| paths.iter().any(|whole| covers(whole, path));
    let wanted = match resource_type {
        ResourceType::User => capabilities.only.is_empty() || among(&capabilities.only),
        ResourceType::Group => true,
    };
    wanted && !among(&capabilities.never)
}

/// True if an attribute of a resource that exists can be changed. `active` always can, whatever a list says: access
/// is taken away by it.
pub fn changes(capabilities: &Capabilities, resource_type: ResourceType, path: &AttributePath) -> bool {
    let updates = capabilities.updates(resource_type);
    let among = |paths: &[AttributePath]| paths.iter().any(|whole| covers(whole, path));
    path.as_str() == "active" || ((updates.only.is_empty() || among(&updates.only)) && !among(&updates.never))
}

/// True if an edit of a resource that exists is sent at all and can be made there.
pub fn is_changeable(capabilities: &Capabilities, resource_type: ResourceType, edit: &Edit) -> bool {
    match edit {
        Edit::Attribute { path, .. } => takes(capabilities, resource_type, path) && changes(capabilities, resource_type, path),
        Edit::Members { .. } | Edit::Foreign { .. } => true,
    }
}

/// Characters that a name may have at most.
pub fn longest_name(capabilities: &Capabilities, resource_type: ResourceType) -> Option<usize> {
    let name = resource_type.name_path();
    capabilities.longest.iter().filter(|(path, _)| covers(path, &name)).map(|(_, longest)| *longest).min()
}

/// Leaves one element of each attribute that holds one value, and refuses what is too long.
pub fn fit(resource: &mut Resource, capabilities: &Capabilities) -> Result<(), MappingError> {
    for whole in &capabilities.single {
        let Some(kept) = element(resource, whole) else { continue };
        resource.attributes.retain(|path, _| !covers(whole, path) || path.selector().is_none_or(|selector| *selector == kept));
    }
    for (whole, longest) in &capabilities.longest {
        let too_long = resource
            .attributes
            .iter()
            .find(|(path, value)| covers(whole, path) && matches!(value, Value::Text(text) if text.chars().count() > *longest));
        if let Some((path, _)) = too_long {
            return Err(MappingError::TooLong { path: path.clone(), longest: *longest });
        }
    }
    Ok(())
}

/// The element that stays: the one for work, else the first.
fn element(resource: &Resource, whole: &AttributePath) -> Option<Selector> {
    let elements: BTreeSet<&Selector> =
        resource.attributes.keys().filter(|path| covers(whole, path)).filter_map(AttributePath::selector).collect();
    let work = |selector: &&&Selector| selector.value.eq_ignore_ascii_case("work");
    elements.iter().find(work).or_else(|| elements.first()).map(|selector| (*selector).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AttributePath {
        AttributePath::parse(text).unwrap()
    }

    fn fitted(attributes: &[(&str, &str)], capabilities: &Capabilities) -> Result<String, String> {
        let mut resource = Resource::empty(ResourceType::User);
        resource.attributes.extend(attributes.iter().map(|(text, value)| (path(text), Value::from(*value))));
        fit(&mut resource, capabilities).map_err(|error| error.to_string())?;
        Ok(resource.attributes.keys().map(AttributePath::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn of_an_attribute_with_one_value_the_one_for_work_stays_else_the_first() {
        let single = Capabilities { single: vec![path("emails")], ..Capabilities::default() };
        let (home, other, work) =
            ("emails[type eq \"home\"].value", "emails[type eq \"other\"].value", "emails[type eq \"work\"].value");
        let display = "emails[type eq \"work\"].display";
        let phone = "phoneNumbers[type eq \"work\"].value";
        for (given, kept) in [
            (vec![home, other, work, display, phone], vec![display, work, phone]),
            (vec![home, other], vec![home]),
            (vec![phone], vec![phone]),
        ] {
            let given: Vec<_> = given.into_iter().map(|path| (path, "x")).collect();
            assert_eq!(fitted(&given, &single), Ok(kept.join(" ")));
        }
    }

    #[test]
    fn what_is_too_long_is_told_with_its_path_and_limit_and_without_its_value() {
        let short = Capabilities { longest: vec![(path("userName"), 4), (path("name"), 3)], ..Capabilities::default() };
        assert_eq!(fitted(&[("userName", "ädaa"), ("title", "longer")], &short), Ok("title userName".into()));
        let told = fitted(&[("userName", "ada"), ("name.givenName", "Augusta")], &short).unwrap_err();
        assert!(told.contains("name.givenName") && told.contains('3') && !told.contains("Augusta"), "{told}");
    }

    #[test]
    fn lists_of_attributes_cover_their_parts_and_never_the_name_or_active() {
        let mut capabilities =
            Capabilities { only: vec![path("emails")], never: vec![path("active")], ..Capabilities::default() };
        capabilities.user_updates.only = vec![path("name")];
        capabilities.user_updates.never = vec![path("name.familyName"), path("active")];
        let user = ResourceType::User;
        for (text, taken, changed) in [
            ("userName", true, false),
            ("active", true, true),
            ("emails[type eq \"work\"].value", true, false),
            ("name.givenName", false, true),
            ("name.familyName", false, false),
        ] {
            assert_eq!(takes(&capabilities, user, &path(text)), taken, "{text}");
            assert_eq!(changes(&capabilities, user, &path(text)), changed, "{text}");
        }
    }
}
