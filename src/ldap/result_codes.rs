//! What a server's result codes mean, in words.

/// Names by RFC 4511 appendix A and IANA's list of result codes, and those of older drafts that servers still send
/// (9, 35, 60, 61, 76).
const NAMES: [(u32, &str); 57] = [
    (0, "success"),
    (1, "operationsError"),
    (2, "protocolError"),
    (3, "timeLimitExceeded"),
    (4, "sizeLimitExceeded"),
    (5, "compareFalse"),
    (6, "compareTrue"),
    (7, "authMethodNotSupported"),
    (8, "strongerAuthRequired"),
    (9, "partialResults"),
    (10, "referral"),
    (11, "adminLimitExceeded"),
    (12, "unavailableCriticalExtension"),
    (13, "confidentialityRequired"),
    (14, "saslBindInProgress"),
    (16, "noSuchAttribute"),
    (17, "undefinedAttributeType"),
    (18, "inappropriateMatching"),
    (19, "constraintViolation"),
    (20, "attributeOrValueExists"),
    (21, "invalidAttributeSyntax"),
    (32, "noSuchObject"),
    (33, "aliasProblem"),
    (34, "invalidDNSyntax"),
    (35, "isLeaf"),
    (36, "aliasDereferencingProblem"),
    (48, "inappropriateAuthentication"),
    (49, "invalidCredentials"),
    (50, "insufficientAccessRights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwillingToPerform"),
    (54, "loopDetect"),
    (60, "sortControlMissing"),
    (61, "offsetRangeError"),
    (64, "namingViolation"),
    (65, "objectClassViolation"),
    (66, "notAllowedOnNonLeaf"),
    (67, "notAllowedOnRDN"),
    (68, "entryAlreadyExists"),
    (69, "objectClassModsProhibited"),
    (71, "affectsMultipleDSAs"),
    (76, "virtualListViewError"),
    (80, "other"),
    (113, "lcupResourcesExhausted"),
    (114, "lcupSecurityViolation"),
    (115, "lcupInvalidData"),
    (116, "lcupUnsupportedScheme"),
    (117, "lcupReloadRequired"),
    (118, "canceled"),
    (119, "noSuchOperation"),
    (120, "tooLate"),
    (121, "cannotCancel"),
    (122, "assertionFailed"),
    (123, "authorizationDenied"),
    (4096, "e-syncRefreshRequired"),
    (16654, "noOperation"),
];

/// A result code with its name, as `sizeLimitExceeded (4)`.
pub fn result_name(code: u32) -> String {
    let name = NAMES.iter().find(|(known, _)| *known == code).map_or("result code", |(_, name)| name);
    format!("{name} ({code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        assert_eq!(result_name(4), "sizeLimitExceeded (4)");
        assert_eq!(result_name(4096), "e-syncRefreshRequired (4096)");
        assert_eq!(result_name(15), "result code (15)");
        assert!(NAMES.is_sorted_by(|one, next| one.0 < next.0));
    }
}
