//! `auth` of a target: how we prove who we are.

use crate::scim;

use super::reader::Section;
use super::secret::secret;

/// Reads the one kind of credentials that is written.
pub(super) fn auth(section: Section<'_>) -> Option<scim::Auth> {
    let bearer = section.required("bearer").and_then(|field| secret(&field));
    section.finish_discreetly();
    bearer.map(scim::Auth::Bearer)
}
