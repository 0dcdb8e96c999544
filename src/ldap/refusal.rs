//! What a server means when it refuses a bind, for the admin who must mend it.

use super::root_dse::{result_name, words};

/// Results of a bind that count against the account: constraintViolation, inappropriateAuthentication, invalidCredentials.
const COUNTED: [u32; 3] = [19, 48, 49];

/// True if another try with the same password could lock the account. Active Directory tells where the password is not
/// the trouble: such an account is tried again, for it works as soon as somebody has mended it.
pub fn counts(code: u32, text: &str) -> bool {
    COUNTED.contains(&code) && matches!(data(&words(text)), None | Some(WRONG))
}

/// ERROR_LOGON_FAILURE
const WRONG: &str = "52e";

/// The result's name, what it means where that is known, and the server's words.
pub fn told(code: u32, text: &str) -> String {
    let (name, said) = (result_name(code), words(text));
    match meaning(code, &said) {
        Some(meaning) => format!("{name}: {meaning} ({said})"),
        None => [name, said].join(" ").trim().to_owned(),
    }
}

fn meaning(code: u32, said: &str) -> Option<&'static str> {
    match code {
        // RFC 4513 §5.1.3; Active Directory where "LDAP server signing requirements" is on, and Samba unless told otherwise.
        8 | 13 => Some("this server takes passwords over TLS only: use ldaps://, or start_tls: true"),
        49 => active_directory(said),
        _ => None,
    }
}

/// Active Directory tells the Windows error (MS-ERREF §2.2) in its words, as `data 52e`.
fn data(said: &str) -> Option<&str> {
    said.split_once(", data ")?.1.split([',', ' ']).next()
}

fn active_directory(said: &str) -> Option<&'static str> {
    match data(said)? {
        "525" => Some("there is no such account"),
        WRONG => Some("the name or the password is wrong"),
        "530" => Some("the account may not log on at this time"),
        "531" => Some("the account may not log on from here"),
        "532" => Some("the password has expired"),
        "533" => Some("the account is disabled"),
        "701" => Some("the account has expired"),
        "773" => Some("the password must be changed first"),
        "775" => Some("the account is locked"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{counts, told};

    #[test]
    fn a_refusal_is_told_by_name_meaning_and_the_servers_words() {
        let of_windows =
            |data: &str| format!("80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {data}, v3839");
        for (code, text, expected) in [
            (
                8,
                "BindSimple: Transport encryption required.",
                "strongerAuthRequired (8): this server takes passwords over TLS only",
            ),
            (13, "confidentiality required", "confidentialityRequired (13): this server takes passwords over TLS only"),
            (49, of_windows("52e").as_str(), "invalidCredentials (49): the name or the password is wrong (80090308: LdapErr"),
            (49, &of_windows("533"), "the account is disabled"),
            (49, &of_windows("775"), "the account is locked"),
            (49, &of_windows("999"), "invalidCredentials (49) 80090308"),
            (49, "", "invalidCredentials (49)"),
            (53, "no", "unwillingToPerform (53) no"),
        ] {
            let told = told(code, text);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn only_what_could_lock_the_account_counts() {
        for (code, data, expected) in
            [(49, "52e", true), (49, "533", false), (49, "775", false), (48, "", true), (53, "52e", false)]
        {
            let text = format!("80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {data}, v3839");
            assert_eq!(counts(code, if data.is_empty() { "" } else { &text }), expected, "{code} {data}");
        }
    }
}
