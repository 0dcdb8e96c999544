//! `auth`, `client_certificate` and `proxy` of a target: what comes of them, and what is refused.

use super::surroundings::{directory, parsed, spoilt, told, warned};
use crate::scim::{Auth, ClientProof, OAuth, Proxy, Settings};
use crate::secret::Secret;

const AUTH: &str = "    auth: { bearer: { file: secret } }\n";
const OAUTH: &str = "    auth: { oauth: { token_url: https://idp.example.com/token?tenant=1, client_id: us, client_secret: { file: secret } } }\n";
const KEY: &str =
    "    auth: { oauth: { token_url: https://idp.example.com/t, client_id: us, private_key: { file: client.key } } }\n";

/// The target with these lines in place of its `auth`.
fn with(lines: &str) -> Settings {
    let directory = directory();
    let settings = parsed(directory.path(), &spoilt(&[(AUTH, lines)])).unwrap_or_else(|problems| panic!("{problems}"));
    settings.targets.into_values().next().unwrap()
}

fn oauth(lines: &str) -> OAuth {
    match with(lines).auth {
        Auth::OAuth(oauth) => *oauth,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_credentials_is_read() {
    let settings = with("    auth: { basic: { user: sync, password: { file: secret } }, expires_on: 2027-01-31 }\n");
    assert!(matches!(&settings.auth, Auth::Basic { user, password: Secret::File(_) } if user == "sync"));
    assert_eq!(settings.expires_on.unwrap().to_string(), "2027-01-31");
    let settings = with("    auth: { header: { name: X-Api-Key, value: { env: PATH } } }\n");
    assert!(matches!(&settings.auth, Auth::Header { name, value: Secret::Env(_) } if name == "X-Api-Key"));
    assert!(settings.expires_on.is_none() && settings.client_certificate.is_none());
    assert!(matches!(settings.proxy, Proxy::Environment));
}

#[test]
fn oauth_is_read_with_all_its_keys() {
    let plain = oauth(OAUTH);
    assert_eq!(plain.token_url.as_str(), "https://idp.example.com/token?tenant=1");
    assert!(matches!(plain.proof, ClientProof::Basic(_)) && plain.scope.is_none());
    let more = "client_secret: { file: secret }, method: client_secret_post, scope: a b, audience: x, resource: y";
    let more = oauth(&OAUTH.replace("client_secret: { file: secret }", more));
    assert!(matches!(more.proof, ClientProof::Post(_)));
    assert_eq!([more.scope, more.audience, more.resource].map(Option::unwrap), ["a b", "x", "y"]);
    assert!(matches!(oauth(KEY).proof, ClientProof::PrivateKey { key_id: None, audience: None, .. }));
    let full = KEY.replace("us,", "us, method: private_key_jwt, key_id: k7, assertion_audience: https://issuer,");
    let ClientProof::PrivateKey { key: Secret::File(_), key_id, audience } = oauth(&full).proof else { panic!() };
    assert_eq!([key_id, audience].map(Option::unwrap), ["k7", "https://issuer"]);
}

#[test]
fn a_client_certificate_may_stand_alone_or_beside_other_credentials() {
    let alone = "    client_certificate: { certificate: client.pem, key: client.key }\n";
    let settings = with(alone);
    let certificate = settings.client_certificate.unwrap();
    assert!(matches!(settings.auth, Auth::None) && certificate.certificate.is_absolute());
    assert!(matches!(certificate.key, Secret::File(path) if path.is_absolute()));
    let beside = with(&format!("{AUTH}{}", alone.replace("client.key", "{ file: client.key }")));
    assert!(beside.client_certificate.is_some() && matches!(beside.auth, Auth::Bearer(_)));
    let directory = directory();
    assert_eq!(warned(directory.path(), &spoilt(&[(AUTH, alone)])), Vec::<String>::new(), "this is how we prove who we are");
}

#[test]
fn the_way_is_the_environments_none_or_a_proxy() {
    let way = |written: &str| with(&format!("{AUTH}    proxy: {written}\n")).proxy;
    assert!(matches!(way("none"), Proxy::None));
    let Proxy::Through(plain) = way("http://proxy.example.com:3128") else { panic!() };
    assert!(plain.login.is_none() && plain.no_proxy.is_empty() && plain.url.port() == Some(3128));
    let full = "{ url: 'https://proxy.example.com', user: me, password: { file: secret }, no_proxy: [.example.com, 10.0.0.0/8] }";
    let Proxy::Through(full) = way(full) else { panic!() };
    assert_eq!((full.login.unwrap().0.as_str(), full.no_proxy), ("me", vec![".example.com".to_owned(), "10.0.0.0/8".to_owned()]));
}

#[test]
fn what_cannot_be_credentials_is_refused_where_it_stands() {
    const ONE: &str = "name exactly one of bearer, basic, header and oauth";
    const CLEAR: &str = "[use https://, or allow_cleartext: true if you must]";
    let directory = directory();
    for (lines, expected) in [
        ("    auth: {}\n", format!("10:11: targets.cie.auth: {ONE}")),
        ("    auth: { expires_on: 2027-01-31 }\n", format!("10:11: targets.cie.auth: {ONE}")),
        (
            "    auth:\n      bearer: { file: secret }\n      basic: { user: a, password: { file: secret } }\n",
            format!("12:7: targets.cie.auth.basic: {ONE}"),
        ),
        (
            "    auth: { bearer: { file: secret }, expires_on: soon }\n",
            "10:51: targets.cie.auth.expires_on: expected a date such as 2027-01-31".to_owned(),
        ),
        (
            "    auth: { bearer: { file: secret }, expires_on: 2027-02-30 }\n",
            "10:51: targets.cie.auth.expires_on: expected a date such as 2027-01-31".to_owned(),
        ),
        ("    auth: { basic: { user: a } }\n", "10:13: targets.cie.auth.basic.password: is missing".to_owned()),
        (
            "    auth: { basic: { user: 'a:b', password: { file: secret } } }\n",
            "10:28: targets.cie.auth.basic.user: a user name here must not hold a colon".to_owned(),
        ),
        (
            "    auth: { header: { name: 'X Key', value: { file: secret } } }\n",
            "10:29: targets.cie.auth.header.name: is no name of an HTTP header".to_owned(),
        ),
        (
            "    auth: { header: { name: Host, value: { file: secret } } }\n",
            "10:29: targets.cie.auth.header.name: is a header that requests need for something else".to_owned(),
        ),
        (
            &OAUTH.replace("https:", "http:"),
            format!("10:33: targets.cie.auth.oauth.token_url: the client's proof and the token would travel in clear text {CLEAR}"),
        ),
        (
            &OAUTH.replace("us,", "us, scop: a,"),
            "10:88: targets.cie.auth.oauth.scop: unknown key [did you mean scope?]".to_owned(),
        ),
        (
            &OAUTH.replace(", client_secret: { file: secret }", ""),
            "10:20: targets.cie.auth.oauth: name exactly one of client_secret and private_key".to_owned(),
        ),
        (
            &OAUTH.replace("us,", "us, private_key: { file: client.key },"),
            "10:20: targets.cie.auth.oauth: name exactly one of client_secret and private_key".to_owned(),
        ),
        (
            &OAUTH.replace("us,", "us, method: private_key_jwt,"),
            "10:113: targets.cie.auth.oauth.client_secret: private_key_jwt needs private_key instead".to_owned(),
        ),
        (
            &OAUTH.replace("us,", "us, key_id: k,"),
            "10:88: targets.cie.auth.oauth.key_id: goes with private_key only".to_owned(),
        ),
        (
            &KEY.replace("us,", "us, method: client_secret_post,"),
            "10:103: targets.cie.auth.oauth.private_key: goes with private_key_jwt only".to_owned(),
        ),
        (
            &KEY.replace("client.key", "secret"),
            "10:88: targets.cie.auth.oauth.private_key: the file secret holds no private key in PEM form that is not encrypted".to_owned(),
        ),
        (
            "    client_certificate: { certificate: client.pem, key: other.key }\n",
            "10:57: targets.cie.client_certificate.key: the file other.key is not the key of the certificate client.pem".to_owned(),
        ),
        (
            "    client_certificate: { certificate: ca.pem, key: client.key }\n",
            "10:40: targets.cie.client_certificate.certificate: ca.pem: it holds no certificate in PEM form".to_owned(),
        ),
        (
            "    client_certificate: { certificate: client.pem, key: open }\n",
            "10:57: targets.cie.client_certificate.key: open is a secret that others may use (mode 604) [chmod 600 open]".to_owned(),
        ),
        (
            "    client_certificate: { certificate: client.pem, key: '-----BEGIN PRIVATE KEY-----' }\n",
            "10:57: targets.cie.client_certificate.key: expected the path of a file, found a key".to_owned(),
        ),
        ("    proxy: socks5://h\n", "10:12: targets.cie.proxy: the URL must begin with http:// or https://".to_owned()),
        (
            "    proxy: http://me:hunter2@h:3128\n",
            "10:12: targets.cie.proxy: the URL must not hold a user name or password".to_owned(),
        ),
        (
            "    proxy: { url: 'http://h', user: a, password: { file: secret } }\n",
            format!("10:19: targets.cie.proxy.url: the proxy's password would travel in clear text {CLEAR}"),
        ),
        ("    proxy: { url: 'https://h', user: a }\n", "10:12: targets.cie.proxy: user and password go together".to_owned()),
        (
            "    proxy: { url: 'https://h', no_proxy: 'a, b' }\n",
            "10:42: targets.cie.proxy.no_proxy: expected a host, a domain, an address or a network, one for each item of the list".to_owned(),
        ),
    ] {
        // A target without auth draws a warning, which is not told where there are problems.
        let text = spoilt(&[(AUTH, lines)]);
        assert_eq!(told(directory.path(), &text), [format!("c.yaml:{expected}")], "{lines}");
        let shown = parsed(directory.path(), &text).err().unwrap().to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("PRIVATE"), "{shown}");
    }
}

#[test]
fn requests_to_this_machine_that_leave_it_by_a_proxy_are_judged_as_if_to_another() {
    let directory = directory();
    let local = |proxy: &str| {
        let auth = format!("{AUTH}    proxy: {proxy}\n");
        told(directory.path(), &spoilt(&[("https://scim.example.com", "http://localhost"), (AUTH, &auth)]))
    };
    assert_eq!(local("http://127.0.0.1:3128"), Vec::<String>::new());
    assert!(local("http://proxy.example.com:3128")[0].contains("would travel in clear text"));
}
