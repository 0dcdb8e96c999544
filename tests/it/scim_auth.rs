//! How we prove to a target who we are: what is sent, when it is renewed, what is never sent, and the way it goes.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::pem::PemObject;
use serde_json::{Value as Json, json};

use ldap2scim::certificate::{ClientCertificate, Stage};
use ldap2scim::cycle::TargetError;
use ldap2scim::ldap;
use ldap2scim::model::ResourceType;
use ldap2scim::scim::{self, Auth, ClientProof, OAuth, Proxy as Way, ProxyAddress};
use ldap2scim::secret::Secret;

use crate::scim_server::find;
use crate::support::https::{Authority, Proxy, Seen, Server};

const NOBODY: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}"#;

fn kept(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn inline(text: &str) -> Secret {
    Secret::Inline(text.into())
}

fn settings(base_url: url::Url, auth: Auth) -> scim::Settings {
    let mut settings = scim::Settings::new("sp", base_url, auth, scim::preset("generic").unwrap());
    settings.dialect.rates = scim::Rates::per_second(10_000.0, 100);
    settings.retry.base = Duration::from_millis(1);
    settings.retry.max = Duration::from_millis(20);
    settings
}

async fn ask(target: &scim::Provider) -> Result<(), TargetError> {
    find(target, ResourceType::User, "userName", "nobody").await.map(|found| assert!(found.is_empty()))
}

/// A token endpoint at `/token`, and users for whoever holds a token that it issued.
#[derive(Default)]
struct Office {
    issued: usize,
    works: BTreeSet<String>,
    /// What stands in an answer beside the token.
    beside: Option<Json>,
    /// Answers of the token endpoint before it issues tokens again.
    instead: Vec<(u16, Json)>,
    /// No token works.
    closed: bool,
}

impl Office {
    fn answer(&mut self, seen: &Seen) -> (u16, String) {
        if seen.path == "/token" {
            if let Some((status, body)) = (!self.instead.is_empty()).then(|| self.instead.remove(0)) {
                return (status, body.to_string());
            }
            self.issued += 1;
            let token = format!("token-{}", self.issued);
            self.works.insert(format!("Bearer {token}"));
            let mut body = json!({ "access_token": token, "token_type": "bearer" });
            let beside = self.beside.clone().unwrap_or(json!({ "expires_in": 3600 }));
            body.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
            return (200, body.to_string());
        }
        let works = !self.closed && seen.header("authorization").is_some_and(|value| self.works.contains(value));
        if works { (200, NOBODY.to_owned()) } else { (401, "{}".to_owned()) }
    }
}

async fn office() -> (Server, Arc<Mutex<Office>>) {
    let office = Arc::new(Mutex::new(Office::default()));
    let shared = office.clone();
    (Server::start(None, move |seen| shared.lock().unwrap().answer(seen)).await, office)
}

fn oauth(server: &Server, proof: ClientProof) -> OAuth {
    let token_url = server.url("/token");
    OAuth { token_url, client_id: "our client".to_owned(), proof, scope: None, audience: None, resource: None }
}

fn by_oauth(server: &Server, proof: ClientProof) -> scim::Provider {
    scim::Provider::new(settings(server.url("/scim"), Auth::OAuth(Box::new(oauth(server, proof))))).unwrap()
}

fn tokens(server: &Server) -> Vec<String> {
    server.seen_at("/scim").iter().map(|seen| seen.header("authorization").unwrap().replace("Bearer ", "")).collect()
}

async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn each_kind_sends_exactly_what_it_should() {
    for (auth, expected) in [
        (Auth::None, None),
        (Auth::Bearer(inline("t0ken")), Some(("authorization", "Bearer t0ken".to_owned()))),
        (
            Auth::Basic { user: "sync".to_owned(), password: inline("pä:ss") },
            Some(("authorization", format!("Basic {}", STANDARD.encode("sync:pä:ss")))),
        ),
        (Auth::Header { name: "X-Api-Key".to_owned(), value: inline("t0ken") }, Some(("x-api-key", "t0ken".to_owned()))),
        (
            Auth::Header { name: "Authorization".to_owned(), value: inline("Token token=t0ken") },
            Some(("authorization", "Token token=t0ken".to_owned())),
        ),
    ] {
        let server = Server::start(None, |_| (200, NOBODY.to_owned())).await;
        let target = scim::Provider::new(settings(server.url("/scim"), auth.clone())).unwrap();
        ask(&target).await.unwrap();
        let [seen] = &server.seen()[..] else { panic!("one request") };
        for name in ["authorization", "x-api-key", "proxy-authorization", "cookie"] {
            let value = expected.as_ref().filter(|(expected, _)| *expected == name).map(|(_, value)| value.as_str());
            assert_eq!(seen.header(name), value, "{auth:?}: {name}");
        }
        assert_eq!(seen.header("user-agent"), Some(concat!("ldap2scim/", env!("CARGO_PKG_VERSION"))));
    }
}

#[tokio::test]
async fn a_refused_secret_of_any_kind_is_sent_once_until_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = kept(folder.path(), "secret", "wrong");
    let secret = || Secret::File(file.clone());
    for (auth, right) in [
        (Auth::Bearer(secret()), "Bearer right".to_owned()),
        (Auth::Basic { user: "sync".to_owned(), password: secret() }, format!("Basic {}", STANDARD.encode("sync:right"))),
        (Auth::Header { name: "Authorization".to_owned(), value: secret() }, "right".to_owned()),
    ] {
        std::fs::write(&file, "wrong").unwrap();
        let server = Server::start(None, move |seen| {
            if seen.header("authorization") == Some(&right) { (200, NOBODY.to_owned()) } else { (401, String::new()) }
        })
        .await;
        let target = scim::Provider::new(settings(server.url("/scim"), auth)).unwrap();
        for _ in 0..3 {
            let error = ask(&target).await.unwrap_err();
            assert!(matches!(error, TargetError::Unauthorized(_)) && !error.to_string().contains("wrong"), "{error}");
        }
        assert_eq!(server.seen().len(), 1);
        std::fs::write(&file, "right").unwrap();
        ask(&target).await.unwrap();
        assert_eq!(server.seen().len(), 2);
    }
    // Not even while its file is out of reach.
    let (moved, away) = (file.clone(), folder.path().join("away"));
    let server = Server::start(None, move |_| {
        let _ = std::fs::rename(&moved, &away);
        (401, String::new())
    })
    .await;
    let target = scim::Provider::new(settings(server.url("/scim"), Auth::Bearer(secret()))).unwrap();
    for _ in 0..3 {
        assert!(matches!(ask(&target).await, Err(TargetError::Secret(_))));
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_secret_whose_file_changes_is_sent_from_the_next_request_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = kept(folder.path(), "secret", "token-1");
    let server = Server::start(None, |_| (200, NOBODY.to_owned())).await;
    let target = scim::Provider::new(settings(server.url("/scim"), Auth::Bearer(Secret::File(file.clone())))).unwrap();
    ask(&target).await.unwrap();
    // Replaced as careful programs do it, by another file of the same length.
    std::fs::rename(kept(folder.path(), "next", "token-2"), &file).unwrap();
    ask(&target).await.unwrap();
    // While it is being written it is no token, and the last one is used on.
    std::fs::write(&file, "").unwrap();
    ask(&target).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    ask(&target).await.unwrap();
    kept(folder.path(), "secret", "token-three");
    ask(&target).await.unwrap();
    assert_eq!(tokens(&server), ["token-1", "token-2", "token-2", "token-2", "token-three"]);
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_renewed_shortly_before_its_end() {
    for (beside, lasts, ends) in [
        (json!({ "expires_in": 3600 }), 3530, 20),
        (json!({ "expires_in": "300" }), 265, 10),
        (json!({ "expires_in": -1 }), 3530, 20),
        (json!({}), 3530, 20),
    ] {
        let (server, office) = office().await;
        office.lock().unwrap().beside = Some(beside.clone());
        let target = by_oauth(&server, ClientProof::Basic(inline("s3cret")));
        for _ in 0..20 {
            ask(&target).await.unwrap();
        }
        advance(lasts).await;
        ask(&target).await.unwrap();
        assert_eq!(server.seen_at("/token").len(), 1, "{beside}");
        advance(ends).await;
        ask(&target).await.unwrap();
        assert_eq!(server.seen_at("/token").len(), 2, "{beside}");
        assert_eq!((tokens(&server).len(), tokens(&server).last().unwrap().as_str()), (22, "token-2"), "{beside}");
    }
}

#[tokio::test]
async fn twenty_requests_at_once_ask_for_one_token() {
    let (server, _) = office().await;
    let target = by_oauth(&server, ClientProof::Basic(inline("s3cret")));
    let all = (0..20).map(|_| ask(&target));
    assert!(futures_util::future::join_all(all).await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!((server.seen_at("/token").len(), server.seen_at("/scim").len()), (1, 20));
    // And hear together that there is none.
    let (server, office) = self::office().await;
    office.lock().unwrap().instead = vec![(400, json!({ "error": "invalid_scope" })); 30];
    let target = by_oauth(&server, ClientProof::Basic(inline("s3cret")));
    let all = (0..20).map(|_| ask(&target));
    assert!(futures_util::future::join_all(all).await.into_iter().all(|outcome| outcome.is_err()));
    assert_eq!((server.seen_at("/token").len(), server.seen_at("/scim").len()), (1, 0));
}

#[tokio::test]
async fn the_client_proves_itself_by_header_or_form_as_configured() {
    let (server, _) = office().await;
    let mut asked = oauth(&server, ClientProof::Basic(inline("s&cret ü")));
    asked.scope = Some("scim.read scim.write".to_owned());
    asked.audience = Some("https://api".to_owned());
    asked.resource = Some("urn:r".to_owned());
    ask(&scim::Provider::new(settings(server.url("/scim"), Auth::OAuth(Box::new(asked)))).unwrap()).await.unwrap();
    ask(&by_oauth(&server, ClientProof::Post(inline("s&cret ü")))).await.unwrap();
    let seen = server.seen_at("/token");
    let [basic, post] = &seen[..] else { panic!("{seen:?}") };
    let login = format!("Basic {}", STANDARD.encode("our+client:s%26cret+%C3%BC"));
    assert_eq!(basic.header("authorization"), Some(login.as_str()));
    assert_eq!(
        basic.body,
        "grant_type=client_credentials&scope=scim.read+scim.write&audience=https%3A%2F%2Fapi&resource=urn%3Ar"
    );
    assert_eq!(basic.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(post.header("authorization"), None);
    assert_eq!(post.body, "grant_type=client_credentials&client_id=our+client&client_secret=s%26cret+%C3%BC");
    assert_eq!((basic.method.as_str(), post.method.as_str()), ("POST", "POST"));
}

/// Verified by other code than that which signed.
fn verified(assertion: &str, algorithm: &'static dyn ring::signature::VerificationAlgorithm, key: &[u8]) -> (Json, Json) {
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    ring::signature::UnparsedPublicKey::new(algorithm, key).verify(signed.as_bytes(), &decoded(signature)).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    (serde_json::from_slice(&decoded(header)).unwrap(), serde_json::from_slice(&decoded(claims)).unwrap())
}

#[tokio::test]
async fn an_assertion_is_signed_by_the_key_and_says_who_asks_whom_and_until_when() {
    const RSA: &str = include_str!("fixtures/rsa-key.pem");
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from_pem_slice(RSA.as_bytes()).unwrap();
    let rsa = ring::rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let curve = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
    let (p256, p384) = (curve(&rcgen::PKCS_ECDSA_P256_SHA256), curve(&rcgen::PKCS_ECDSA_P384_SHA384));
    let algorithms: [(&str, String, &dyn ring::signature::VerificationAlgorithm, Vec<u8>); 3] = [
        ("RS256", RSA.to_owned(), &ring::signature::RSA_PKCS1_2048_8192_SHA256, rsa.public().as_ref().to_vec()),
        ("ES256", p256.serialize_pem(), &ring::signature::ECDSA_P256_SHA256_FIXED, p256.public_key_raw().to_vec()),
        ("ES384", p384.serialize_pem(), &ring::signature::ECDSA_P384_SHA384_FIXED, p384.public_key_raw().to_vec()),
    ];
    for (name, pem, algorithm, public) in algorithms {
        let folder = tempfile::tempdir().unwrap();
        let file = Secret::File(kept(folder.path(), "key.pem", &pem));
        let (server, _) = office().await;
        let proof = |key_id: Option<&str>, audience: Option<&str>| ClientProof::PrivateKey {
            key: file.clone(),
            key_id: key_id.map(str::to_owned),
            audience: audience.map(str::to_owned),
        };
        ask(&by_oauth(&server, proof(None, None))).await.unwrap();
        ask(&by_oauth(&server, proof(Some("key-7"), Some("https://issuer")))).await.unwrap();
        let mut names = BTreeSet::new();
        let now = jiff::Timestamp::now().as_second();
        let url = server.url("/token").to_string();
        for (seen, kid, audience) in server
            .seen_at("/token")
            .iter()
            .zip([None, Some("key-7")])
            .zip([url.as_str(), "https://issuer"])
            .map(|((a, b), c)| (a, b, c))
        {
            assert_eq!(seen.header("authorization"), None);
            assert_eq!(seen.field("grant_type").as_deref(), Some("client_credentials"));
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            assert_eq!(seen.field("client_assertion_type").as_deref(), Some(kind));
            assert_eq!(seen.field("client_id").as_deref(), Some("our client"));
            let (header, claims) = verified(&seen.field("client_assertion").unwrap(), algorithm, &public);
            assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some(name), Some("JWT")));
            assert_eq!(header.get("kid").and_then(Json::as_str), kid);
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("our client"), &json!("our client")));
            assert_eq!(claims["aud"], audience);
            let (issued, ends) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
            assert!((now - 60..=now).contains(&issued) && ends == issued + 300, "{claims}");
            assert!(names.insert(claims["jti"].as_str().unwrap().to_owned()));
        }
        assert_eq!(names.len(), 2);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (server, office) = office().await;
    let target = by_oauth(&server, ClientProof::Basic(inline("s3cret")));
    ask(&target).await.unwrap();
    office.lock().unwrap().works.clear();
    ask(&target).await.unwrap();
    assert_eq!(tokens(&server), ["token-1", "token-1", "token-2"]);
    // Now none works: the token in use, one more, and then silence.
    advance(61).await;
    office.lock().unwrap().closed = true;
    let (scim, token) = (server.seen_at("/scim").len(), server.seen_at("/token").len());
    let all = futures_util::future::join_all((0..5).map(|_| ask(&target))).await;
    assert!(all.iter().all(|outcome| matches!(outcome, Err(TargetError::Unauthorized(_)))), "{all:?}");
    for _ in 0..20 {
        assert!(matches!(ask(&target).await, Err(TargetError::Unauthorized(_))));
    }
    assert!(server.seen_at("/scim").len() <= scim + 10, "each of five with the old token, and with the new one");
    assert_eq!(server.seen_at("/token").len(), token + 1);
    // A while later it may have been mended.
    advance(61).await;
    office.lock().unwrap().closed = false;
    ask(&target).await.unwrap();
    assert_eq!(server.seen_at("/token").len(), token + 2);
}

#[tokio::test]
async fn a_client_that_is_refused_does_not_ask_again_until_its_secret_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = kept(folder.path(), "secret", "wr0ng");
    for refusal in [
        (401, json!({ "error": "invalid_client", "error_description": "the secret wr0ng is not\u{7} right" })),
        (400, json!({ "error": "invalid_client" })),
        (401, json!({})),
    ] {
        std::fs::write(&file, "wr0ng").unwrap();
        let (server, office) = office().await;
        office.lock().unwrap().instead = vec![refusal.clone()];
        let target = by_oauth(&server, ClientProof::Post(Secret::File(file.clone())));
        for _ in 0..5 {
            advance(3600).await;
            let error = ask(&target).await.unwrap_err();
            assert!(matches!(error, TargetError::Unauthorized(_)), "{error}");
            assert!(!error.to_string().contains("wr0ng") || error.to_string().contains("secret …"), "{error}");
        }
        assert_eq!((server.seen_at("/token").len(), server.seen_at("/scim").len()), (1, 0), "{refusal:?}");
        std::fs::write(&file, "right").unwrap();
        ask(&target).await.unwrap();
        assert_eq!(server.seen_at("/token").len(), 2);
    }
}

#[tokio::test]
async fn what_a_token_endpoint_answers_is_told_without_secrets_and_tried_again_where_that_helps() {
    for (status, body, asked, expected) in [
        (
            400,
            json!({ "error": "invalid_scope", "error_description": "x".repeat(4000) }),
            1,
            "gives no token (400): invalid_scope: xxx",
        ),
        (400, json!({ "error": "invalid_request", "error_description": "got s3cret" }), 1, "invalid_request: got …"),
        (403, json!("no"), 1, "gives no token (403)"),
        (302, json!({}), 1, "redirects are not followed"),
        (200, json!({ "token_type": "bearer" }), 1, "without an access_token"),
        (200, json!({ "access_token": "t", "token_type": "mac" }), 1, "another type than Bearer"),
        (200, json!({ "access_token": "a\nb" }), 1, "characters that no header may have"),
        (200, json!({ "access_token": "t", "junk": "x".repeat(300_000) }), 1, "more than a token"),
        (503, json!({}), 5, "it answered 503"),
    ] {
        let (server, office) = office().await;
        office.lock().unwrap().instead = vec![(status, body); 10];
        let error = ask(&by_oauth(&server, ClientProof::Post(inline("s3cret")))).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("s3cret") && error.len() < 400, "{status}: {error}");
        assert_eq!((server.seen_at("/token").len(), server.seen_at("/scim").len()), (asked, 0), "{error}");
    }
    let (server, office) = office().await;
    let basic = STANDARD.encode("me:s%2Bcret");
    office.lock().unwrap().instead =
        vec![(400, json!({ "error": "invalid_request", "error_description": format!("got s%2Bcret, {basic}") }))];
    let mut asks = oauth(&server, ClientProof::Post(inline("s+cret")));
    asks.client_id = "me".to_owned();
    let target = scim::Provider::new(settings(server.url("/scim"), Auth::OAuth(Box::new(asks)))).unwrap();
    let error = ask(&target).await.unwrap_err().to_string();
    assert!(error.contains("got …, …"), "{error}");
    let (server, office) = self::office().await;
    office.lock().unwrap().instead = vec![(500, json!({})), (429, json!({})), (502, json!("<html>"))];
    ask(&by_oauth(&server, ClientProof::Post(inline("s3cret")))).await.unwrap();
    assert_eq!(server.seen_at("/token").len(), 4);
}

#[tokio::test]
async fn a_token_that_still_holds_is_used_while_there_is_no_new_one() {
    let (server, office) = office().await;
    let target = by_oauth(&server, ClientProof::Basic(inline("s3cret")));
    ask(&target).await.unwrap();
    office.lock().unwrap().instead = vec![(400, json!({ "error": "temporarily_unavailable" }))];
    advance(3550).await;
    ask(&target).await.unwrap();
    ask(&target).await.unwrap();
    assert_eq!((server.seen_at("/token").len(), tokens(&server)), (2, vec!["token-1".to_owned(); 3]));
    advance(30).await;
    ask(&target).await.unwrap();
    assert_eq!(tokens(&server).last().unwrap(), "token-2");
}

#[tokio::test]
async fn a_client_certificate_opens_a_door_that_is_closed_without() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = Server::start(Some(authority.strict_server("localhost")), |_| (200, NOBODY.to_owned())).await;
    let ca_file = kept(folder.path(), "ca.pem", &authority.pem());
    let pair = authority.client("sync");
    let certificate = ClientCertificate {
        certificate: kept(folder.path(), "client.pem", &pair.certificate),
        key: Secret::File(kept(folder.path(), "client.key", &pair.key)),
    };
    let mut settings = settings(server.url("/scim"), Auth::Bearer(inline("t0ken")));
    settings.ca_file = Some(ca_file);
    let error = ask(&scim::Provider::new(settings.clone()).unwrap()).await.unwrap_err();
    assert!(matches!(error, TargetError::Unavailable(_)) && error.to_string().contains("ertificate"), "{error}");
    assert_eq!(server.seen().len(), 0);
    settings.client_certificate = Some(certificate.clone());
    ask(&scim::Provider::new(settings.clone()).unwrap()).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer t0ken"));
    // A key of somebody else is refused before anything is sent.
    let other = authority.client("other");
    let key = Secret::File(kept(folder.path(), "other.key", &other.key));
    settings.client_certificate = Some(ClientCertificate { key, ..certificate });
    let Err(error) = scim::Provider::new(settings) else { panic!("a key that does not match") };
    assert!(
        error.to_string().contains("other.key is not the key of the certificate") && error.to_string().contains("client.pem")
    );
}

#[tokio::test]
async fn a_server_that_knows_nothing_newer_than_tls_1_1_hears_no_request() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0; 5];
        stream.read_exact(&mut header).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        // ServerHello: TLS 1.1, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
        let body = [&[3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
        let message = [&[2, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
        stream.write_all(&[&[22, 3, 2, 0, u8::try_from(message.len()).unwrap()][..], &message].concat()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    });
    let mut settings = settings(format!("https://localhost:{port}/scim").parse().unwrap(), Auth::Bearer(inline("t0ken")));
    settings.retry.tries = 1;
    let error = ask(&scim::Provider::new(settings).unwrap()).await.unwrap_err();
    assert!(matches!(error, TargetError::Unavailable(_)), "{error}");
    // An alert (21) that is fatal (2): protocol_version (70).
    let answer = server.await.unwrap();
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]));
}

fn through(proxy: &Proxy, no_proxy: &[&str]) -> Way {
    let no_proxy = no_proxy.iter().map(|host| (*host).to_owned()).collect();
    Way::Through(Box::new(ProxyAddress { url: proxy.url(), login: None, no_proxy }))
}

#[tokio::test]
async fn a_proxy_sees_where_requests_go_and_nothing_of_what_they_say() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = Server::start(Some(authority.server("scim.invalid")), |seen| match &*seen.path {
        "/token" => (200, json!({ "access_token": "t0ken" }).to_string()),
        _ => (200, NOBODY.to_owned()),
    })
    .await;
    let proxy = Proxy::start(server.port(), "");
    let mut asked = oauth(&server, ClientProof::Basic(inline("s3cret")));
    asked.token_url = "https://scim.invalid/token".parse().unwrap();
    let mut settings = settings("https://scim.invalid/scim".parse().unwrap(), Auth::OAuth(Box::new(asked)));
    settings.ca_file = Some(kept(folder.path(), "ca.pem", &authority.pem()));
    settings.proxy = Way::Through(Box::new(ProxyAddress {
        url: proxy.url(),
        login: Some(("me".to_owned(), inline("pr0xy"))),
        no_proxy: vec!["elsewhere.invalid".to_owned()],
    }));
    ask(&scim::Provider::new(settings).unwrap()).await.unwrap();
    let seen = proxy.seen();
    assert_eq!(seen.len(), 2, "the token endpoint and the target: {seen:?}");
    for head in seen {
        assert!(head.starts_with("CONNECT scim.invalid:443 HTTP/1.1\r\n"), "{head}");
        let login = format!("Basic {}", STANDARD.encode("me:pr0xy"));
        assert!(head.to_lowercase().contains(&format!("proxy-authorization: {login}").to_lowercase()), "{head}");
        assert!(!head.contains("t0ken") && !head.contains("s3cret"), "{head}");
    }
    assert_eq!(server.seen_at("/scim")[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn this_machine_is_reached_through_a_proxy_only_if_that_is_configured_and_not_excepted() {
    let server = Server::start(None, |_| (200, NOBODY.to_owned())).await;
    let proxy = Proxy::start(server.port(), NOBODY);
    for (way, expected) in [
        (Way::Environment, 0),
        (Way::None, 0),
        (through(&proxy, &["localhost"]), 0),
        (through(&proxy, &["*"]), 0),
        (through(&proxy, &["example.com", "10.0.0.0/8"]), 1),
    ] {
        let before = (server.seen().len(), proxy.seen().len());
        let mut settings = settings(server.url("/scim"), Auth::Bearer(inline("t0ken")));
        settings.proxy = way.clone();
        ask(&scim::Provider::new(settings).unwrap()).await.unwrap();
        assert_eq!(proxy.seen().len() - before.1, expected, "{way:?}");
        assert_eq!(server.seen().len() - before.0, 1 - expected, "{way:?}");
    }
    let url = server.url("/scim/Users");
    assert!(proxy.seen()[0].starts_with(&format!("GET {url}?")), "{:?}", proxy.seen());
}

#[tokio::test]
async fn the_environment_names_the_proxy_and_who_goes_past_it() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = Server::start(Some(authority.server("scim.invalid")), |_| (200, NOBODY.to_owned())).await;
    kept(folder.path(), "ca.pem", &authority.pem());
    let run = |way: &str, url: &str, proxy: &Proxy, no_proxy: &str| {
        let text = format!(
            "state_dir: state\nsources:\n  s: {{ urls: 'ldap://127.0.0.1:1' }}\ntargets:\n  t:\n    base_url: {url}\n    \
             auth: {{ bearer: {{ env: TOKEN }} }}\n    ca_file: ca.pem\n{way}channels:\n  \
             c: {{ source: s, target: t, users: {{ base_dn: dc=x }} }}\n"
        );
        let config = kept(folder.path(), &format!("{}.yaml", proxy.url().port().unwrap()), &text);
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
        for name in ["HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            command.env_remove(name);
        }
        command.args(["--config", config.to_str().unwrap(), "check"]);
        command.env("TOKEN", "t0ken").env("HTTPS_PROXY", proxy.url().as_str()).env("NO_PROXY", no_proxy).output()
    };
    let remote = "https://scim.invalid/scim";
    let local = server.url("/scim").to_string();
    let cases = [
        ("", remote, "", true),
        ("", local.as_str(), "", false),
        ("", remote, "localhost, .invalid", false),
        ("    proxy: none\n", remote, "", false),
    ];
    futures_util::future::join_all(cases.map(async |(way, url, no_proxy, tunnels)| {
        let proxy = Proxy::start(server.port(), "");
        let output = run(way, url, &proxy, no_proxy).await.unwrap();
        assert_eq!(!proxy.seen().is_empty(), tunnels, "{way}{url} {no_proxy}: {output:?}");
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(told.contains("target t: works"), tunnels, "{told}");
        assert!(!told.contains("t0ken"), "{told}");
    }))
    .await;
}

#[test]
fn nothing_secret_goes_out_in_the_clear_unless_that_is_allowed() {
    let url = |text: &str| text.parse::<url::Url>().unwrap();
    let proxy = |text: &str, login: bool| {
        let login = login.then(|| ("me".to_owned(), inline("pr0xy")));
        Way::Through(Box::new(ProxyAddress { url: url(text), login, no_proxy: Vec::new() }))
    };
    let asked = |token_url: &str| {
        Auth::OAuth(Box::new(OAuth {
            token_url: url(token_url),
            client_id: "c".to_owned(),
            proof: ClientProof::Basic(inline("s3cret")),
            scope: None,
            audience: None,
            resource: None,
        }))
    };
    let bearer = || Auth::Bearer(inline("t0ken"));
    let (safe, local) = ("https://scim.example.com/v2", "http://127.0.0.1:1/v2");
    for (base_url, auth, way, refused) in [
        ("http://scim.example.com/v2", bearer(), Way::None, Some("the base URL is not encrypted")),
        (local, bearer(), Way::None, None),
        (safe, asked("http://idp.example.com/token"), Way::None, Some("the token URL is not encrypted")),
        (safe, asked("http://localhost/token"), Way::None, None),
        (safe, asked("https://u:p@idp.example.com/token"), Way::None, Some("the token URL may not hold")),
        (safe, bearer(), proxy("http://proxy.example.com:3128", true), Some("the proxy's password would travel")),
        (safe, bearer(), proxy("http://proxy.example.com:3128", false), None),
        (safe, bearer(), proxy("https://proxy.example.com:3128", true), None),
        (safe, bearer(), proxy("http://127.0.0.1:3128", true), None),
        (local, bearer(), proxy("https://proxy.example.com:3128", false), Some("the base URL is not encrypted")),
    ] {
        let mut settings = settings(url(base_url), auth);
        settings.proxy = way;
        let told = scim::Provider::new(settings.clone()).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(told.contains(refused.unwrap_or_default()), refused.is_some() || told.is_empty(), "{base_url}: {told}");
        assert_eq!(told.is_empty(), refused.is_none(), "{settings:?}: {told}");
        let shown = format!("{settings:?}{told}");
        assert!(!["t0ken", "s3cret", "pr0xy"].iter().any(|secret| shown.contains(secret)), "{shown}");
        settings.allow_cleartext = true;
        let allowed = scim::Provider::new(settings).is_ok();
        assert!(allowed || refused == Some("the token URL may not hold"));
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_line_of_the_log_holds_a_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let filter = tracing_subscriber::EnvFilter::new("off,ldap2scim=trace");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (server, office) = office().await;
    let target = by_oauth(&server, ClientProof::Post(inline("s3cret")));
    ask(&target).await.unwrap();
    office.lock().unwrap().instead = vec![(400, json!({ "error": "s3cret", "error_description": "no s3cret token-1" }))];
    advance(3550).await;
    ask(&target).await.unwrap();
    office.lock().unwrap().works.clear();
    ask(&target).await.unwrap();
    for auth in [
        Auth::Basic { user: "me".to_owned(), password: inline("s3cret") },
        Auth::Header { name: "X-Api-Key".to_owned(), value: inline("s3cret") },
        Auth::Bearer(inline("s3cret")),
    ] {
        assert!(ask(&scim::Provider::new(settings(server.url("/scim"), auth)).unwrap()).await.is_err());
    }
    let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(told.contains("token request") && told.contains("SCIM request") && told.contains("used on"), "{told}");
    for secret in ["s3cret", "Bearer", "Basic", &STANDARD.encode("me:s3cret")] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

#[test]
fn an_end_is_spoken_of_thirty_and_seven_days_and_one_day_before_and_after_it() {
    let mut settings = settings("https://scim.example.com".parse().unwrap(), Auth::Bearer(inline("t0ken")));
    settings.expires_on = Some("2027-01-31".parse().unwrap());
    let reminders = settings.reminders();
    for (now, expected) in [
        ("2026-12-31T23:59:59Z", None),
        ("2027-01-01T00:00:00Z", Some((Stage::Month, "ends in 30 days, on 2027-01-31"))),
        ("2027-01-23T12:00:00Z", Some((Stage::Month, "ends in 8 days"))),
        ("2027-01-24T00:00:00Z", Some((Stage::Week, "ends in 7 days"))),
        ("2027-01-29T23:00:00Z", Some((Stage::Week, "ends in 2 days"))),
        ("2027-01-30T00:00:00Z", Some((Stage::Day, "ends tomorrow"))),
        ("2027-01-31T23:59:59Z", Some((Stage::Day, "ends today"))),
        ("2027-02-01T00:00:00Z", Some((Stage::Over, "ended on 2027-01-31"))),
        ("2029-01-01T00:00:00Z", Some((Stage::Over, "ended on 2027-01-31"))),
    ] {
        let notices = reminders.notices(now.parse().unwrap());
        assert_eq!(notices.first().map(|notice| notice.stage), expected.map(|(stage, _)| stage), "{now}");
        let text = notices.first().map(|notice| notice.text.clone()).unwrap_or_default();
        assert!(text.contains(expected.map_or("", |(_, words)| words)), "{now}: {text}");
    }
    // Each stage once a day.
    let due = |now: &str| reminders.due(now.parse().unwrap()).len();
    let times =
        ["2027-01-23T00:10:00Z", "2027-01-23T23:10:00Z", "2027-01-24T00:10:00Z", "2027-01-24T00:15:00Z", "2027-02-01T09:00:00Z"];
    assert_eq!(times.map(due), [1, 0, 1, 0, 1]);
    settings.expires_on = None;
    assert!(settings.reminders().notices("2040-01-01T00:00:00Z".parse().unwrap()).is_empty());
}

#[tokio::test]
async fn the_program_reminds_in_check_status_and_the_log_of_a_cycle() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(None, |_| (200, NOBODY.to_owned())).await;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    for (days, mark, stage) in [(-3, "error", "over"), (5, "warning", "week")] {
        let on = today.saturating_add(jiff::Span::new().days(days));
        let text = format!(
            "state_dir: state\nsources:\n  s: {{ urls: 'ldap://127.0.0.1:1' }}\ntargets:\n  t:\n    base_url: {}\n    \
             auth: {{ bearer: t0ken, expires_on: {on} }}\n\
             channels:\n  c: {{ source: s, target: t, users: {{ base_dn: dc=x }} }}\n",
            server.url("/scim")
        );
        let config = kept(folder.path(), "config.yaml", &text);
        let run = async |arguments: &[&str]| {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ldap2scim"));
            let output = command.args(["--config", config.to_str().unwrap()]).args(arguments).output().await.unwrap();
            let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
            (text(output.stdout), text(output.stderr))
        };
        let words = format!("the secret under auth of the target t end{}", if days < 0 { "ed on" } else { "s in 5 days, on" });
        let line = format!("{mark}: {words} {on}");
        for command in ["check", "status"] {
            let (out, _) = run(&[command]).await;
            assert_eq!(out.matches(&line).count(), 1, "{command}: {out}");
            let (out, _) = run(&[command, "--format", "json"]).await;
            let document: Json = serde_json::from_str(&out).unwrap();
            assert_eq!((&document["reminders"][0]["target"], &document["reminders"][0]["stage"]), (&json!("t"), &json!(stage)));
            assert!(document["reminders"][0]["text"].as_str().unwrap().starts_with(&words));
        }
        let (_, log) = run(&["sync"]).await;
        let level = if days < 0 { "ERROR" } else { "WARN" };
        let told: Vec<&str> = log.lines().filter(|line| line.contains(&words)).collect();
        assert!(matches!(told[..], [one] if one.contains(level)), "{log}");
    }
}

#[test]
fn the_end_of_a_client_certificate_is_read_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["sync".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(2027, 1, 31);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = kept(folder.path(), "client.pem", &parameters.self_signed(&key).unwrap().pem());
    let mut settings = settings("https://scim.example.com".parse().unwrap(), Auth::None);
    settings.client_certificate = Some(ClientCertificate { certificate, key: inline("unused") });
    let reminders = settings.reminders();
    let stage = |now: &str| reminders.notices(now.parse().unwrap()).first().map(|notice| notice.stage);
    assert_eq!(stage("2026-12-01T00:00:00Z"), None);
    assert_eq!(stage("2027-01-20T00:00:00Z"), Some(Stage::Month));
    assert_eq!(stage("2027-01-30T12:00:00Z"), Some(Stage::Day));
    assert_eq!(stage("2027-01-31T00:00:00Z"), Some(Stage::Over), "the moment counts, not the day");
    assert!(
        reminders.notices("2027-01-30T12:00:00Z".parse().unwrap())[0].text.contains("client.pem of the target sp ends tomorrow")
    );
}

#[test]
fn the_end_of_a_sources_client_certificate_is_that_of_the_file_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let issue = |year: i32| {
        let mut parameters = rcgen::CertificateParams::new(vec!["sync".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 1, 31);
        kept(folder.path(), "client.pem", &parameters.self_signed(&key).unwrap().pem())
    };
    let bind = ldap::Bind::External(ClientCertificate { certificate: issue(2027), key: inline("unused") });
    let reminders = ldap::Settings::new("corp", Vec::new(), bind).reminders();
    let now = "2027-01-30T12:00:00Z".parse().unwrap();
    let notices = reminders.notices(now);
    assert!(notices[0].text.contains("client.pem of the source corp ends tomorrow, 2027-01-31"), "{notices:?}");
    issue(2028);
    assert!(reminders.notices(now).is_empty(), "the new one needs no reload");
}
