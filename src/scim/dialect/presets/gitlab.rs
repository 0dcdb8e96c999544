//! GitLab, self-managed. Facts from the vendor's page on the internal SCIM API for the instance.

use super::known::Preset;

pub(super) const PRESET: Preset = Preset {
    name: "gitlab",
    knobs: &[
        // Creating a user takes externalId, userName, emails and name.
        ("required", "userName, externalId, emails, name"),
        // PATCH takes active and the external id; everything else of a user is changed elsewhere. The id in the address
        // is the external id, so it changes along.
        ("user_updates", "active, externalId"),
        // A group there only joins members to a SAML group link that exists; groups are not created.
        ("groups", "no"),
        // DELETE blocks the account.
        ("delete_is_deactivate", "yes"),
    ],
    after_first_load: None,
};
