//! Small servers for what surrounds SCIM: an HTTP or HTTPS server that records and answers, and an HTTP proxy.
//!
//! ```ignore
//! let authority = Authority::new();                        // issues certificates
//! let server = Server::start(None, |seen| (200, "{}".into())).await;
//! let secure = Server::start(Some(authority.server("localhost")), answer).await;
//! server.url("/scim"); server.seen();                      // every request with headers and body
//! let proxy = Proxy::start(Some(secure.port())).await;     // every tunnel leads there
//! proxy.url(); proxy.seen();                               // the heads it was sent
//! ```

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A value of the form in the body.
    pub fn field(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.body.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// Records every request and answers each with status and body.
pub struct Server {
    port: u16,
    secure: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Runs in the runtime of the test.
    pub async fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Seen) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = seen.clone();
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let (shared, answer) = (shared.clone(), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let seen = Seen {
                    method: head.method.to_string(),
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                // Others get a turn between request and answer, as in a network.
                tokio::task::yield_now().await;
                let (status, body) = answer(&seen);
                shared.lock().unwrap().push(seen);
                let kind = [("content-type", "application/json")];
                (StatusCode::from_u16(status).unwrap(), kind, body)
            }
        });
        let secure = tls.is_some();
        match tls {
            None => drop(tokio::spawn(async move { axum::serve(listener, router).await })),
            Some(tls) => {
                let listener = Secure { listener, acceptor: TlsAcceptor::from(tls) };
                drop(tokio::spawn(async move { axum::serve(listener, router).await }));
            }
        }
        Self { port, secure, seen }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, path: &str) -> url::Url {
        let scheme = if self.secure { "https" } else { "http" };
        url::Url::parse(&format!("{scheme}://localhost:{}{path}", self.port)).unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests below a path.
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path.starts_with(path)).collect()
    }
}

struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A certificate authority.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap(), key)
    }

    pub fn client(&self, name: &str) -> Pair {
        let (certificate, key) = self.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Asks nobody for a certificate.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let (chain, key) = self.identity(name);
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }

    /// Wants a certificate of this authority.
    pub fn strict_server(&self, name: &str) -> Arc<ServerConfig> {
        let (chain, key) = self.identity(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap())
    }

    fn identity(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let (certificate, key) = self.issue(name, ExtendedKeyUsagePurpose::ServerAuth);
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

/// An HTTP proxy. Tunnels lead to one port of this machine whatever they ask for; other requests it answers itself.
pub struct Proxy {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Runs in a thread of its own, so that tests may block.
    pub fn start(tunnels_lead_to: u16, answer: &'static str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(carry(stream, shared.clone(), tunnels_lead_to, answer));
                }
            });
        });
        Self { port, seen }
    }

    pub fn url(&self) -> url::Url {
        url::Url::parse(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }

    /// The heads of the requests.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn carry(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, port: u16, answer: &'static str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let tunnel = head.starts_with("CONNECT ");
    seen.lock().unwrap().push(head);
    if tunnel {
        let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
    } else {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        let _ = stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).as_bytes()).await;
    }
}
