//! How the source connects: who it proves to be, which connections it keeps, and what becomes of those that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ldap2scim::certificate::ClientCertificate;
use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::ldap::{Bind, Directory, Settings};
use ldap2scim::model::{AttributeName, Coverage, Dn, Selection, Wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::support::slapd::{SUFFIX, Setup, Slapd};

/// Whoever holds a certificate for `CN=<name>,O=machines` is the service account of that name.
const MAPPED: &str = "TLSVerifyClient try\nauthz-regexp \"^cn=([^,]+),o=machines$\" \"cn=$1,ou=Services,dc=example,dc=com\"";

fn people() -> String {
    let user = |uid: &str| format!("dn: uid={uid},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\n");
    ["ada", "bob"].map(user).concat()
}

fn wanted() -> Wanted {
    Wanted {
        users: Selection { base_dns: vec![Dn::parse(SUFFIX).unwrap()], filter: None },
        user_attributes: vec![AttributeName::new("uid")],
        groups: None,
        group_attributes: vec![],
        membership: false,
        scope_groups: vec![],
    }
}

/// How many entries came, in a reading that must be full.
async fn read(directory: &Directory) -> usize {
    let (sender, mut receiver) = mpsc::channel(16);
    let taking = tokio::spawn(async move {
        let mut count = 0;
        while receiver.recv().await.is_some() {
            count += 1;
        }
        count
    });
    let reading = directory.read(&wanted(), sender).await.unwrap();
    assert_eq!(reading.coverage, Coverage::Full);
    taking.await.unwrap()
}

fn mapped() -> Slapd {
    Slapd::with(Setup { ldif: people(), global: MAPPED, ..Setup::default() })
}

fn by_certificate(slapd: &Slapd, certificate: ClientCertificate) -> Settings {
    let mut settings = Settings::new("test", vec![slapd.tls_url()], Bind::External(certificate));
    settings.ca_file = Some(slapd.ca_file());
    settings
}

/// What the probe says of how we are bound.
async fn authentication(directory: &Directory) -> String {
    directory.probe(&wanted()).await.unwrap().authentication
}

#[tokio::test]
async fn a_client_certificate_is_the_bind_over_ldaps_and_after_start_tls() {
    let slapd = mapped();
    let certificate = slapd.issue("sync");
    let over_tls = by_certificate(&slapd, certificate);
    let url = format!("ldap://localhost:{}", slapd.port()).parse().unwrap();
    let after_start_tls = Settings { urls: vec![url], start_tls: true, ..over_tls.clone() };
    for settings in [over_tls, after_start_tls] {
        let directory = Directory::new(settings);
        assert_eq!(read(&directory).await, 2);
        let told = authentication(&directory).await;
        assert!(told.contains("client.pem (SASL EXTERNAL)"), "{told}");
        assert!(
            told.to_ascii_lowercase().ends_with("the server takes us for dn:cn=sync,ou=services,dc=example,dc=com"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_from_then_on() {
    let slapd = mapped();
    let directory = Directory::new(by_certificate(&slapd, slapd.issue("sync")));
    assert!(authentication(&directory).await.contains("dn:cn=sync,"));
    assert_eq!(read(&directory).await, 2, "and this connection is kept");
    slapd.issue("other");
    let told = authentication(&directory).await;
    assert!(told.contains("dn:cn=other,"), "{told}");
    let (sender, _receiver) = mpsc::channel(16);
    let coverage = directory.read(&wanted(), sender).await.map(|reading| reading.coverage);
    assert!(!coverage.is_ok_and(|coverage| coverage.is_full()), "this one may read nothing, and the kept connection could");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told_of_by_its_file() {
    let slapd = mapped();
    let certificate = slapd.issue("sync");
    let directory = Directory::new(by_certificate(&slapd, certificate.clone()));
    std::fs::write(&certificate.certificate, "nonsense").unwrap();
    let error = directory.identify().await.unwrap_err();
    assert!(matches!(&error, SourceError::Secret(why) if why.contains("client.pem")), "{error}");
    let slapd = mapped();
    let mut settings = by_certificate(&slapd, slapd.issue("sync"));
    settings.urls = vec![slapd.url()];
    let error = Directory::new(settings).identify().await.unwrap_err();
    assert!(error.to_string().contains("only on an encrypted connection"), "{error}");
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_gets_it_and_refuses_another_authoritys() {
    let global = "TLSVerifyClient demand\nauthz-regexp \"^cn=([^,]+),o=machines$\" \"cn=$1,ou=Services,dc=example,dc=com\"";
    let slapd = Slapd::with(Setup { ldif: people(), global, ..Setup::default() });
    assert_eq!(read(&Directory::new(by_certificate(&slapd, slapd.issue("sync")))).await, 2);
    let stranger = mapped();
    let error = Directory::new(by_certificate(&slapd, stranger.issue("sync"))).identify().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_password_bind_says_whom_the_server_takes_us_for() {
    let slapd = Slapd::start(&people());
    let told = authentication(&Directory::new(slapd.settings())).await;
    assert!(told.starts_with("bound as cn=sync,ou=Services,dc=example,dc=com by password"), "{told}");
    assert!(told.ends_with("the server takes us for dn:cn=sync,ou=Services,dc=example,dc=com"), "{told}");
    let settings = Settings::new("test", vec![slapd.url()], Bind::Anonymous);
    assert!(authentication(&Directory::new(settings)).await.contains("takes us for nobody (anonymous)"));
}

#[tokio::test]
async fn an_authority_that_is_replaced_is_trusted_from_the_next_connection_on() {
    let (slapd, other) = (Slapd::start(&people()), Slapd::start(""));
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::copy(other.ca_file(), &ca_file).unwrap();
    let mut settings = slapd.settings();
    settings.urls = vec![slapd.tls_url()];
    settings.ca_file = Some(ca_file.clone());
    let directory = Directory::new(settings);
    let error = directory.identify().await.unwrap_err();
    assert!(error.to_string().contains("TLS failed"), "{error}");
    std::fs::copy(slapd.ca_file(), &ca_file).unwrap();
    assert_eq!(read(&directory).await, 2);
}

/// Counts connections to a server and may stop carrying them.
struct Between {
    port: u16,
    opened: Arc<AtomicUsize>,
    /// Connections that the server closed.
    closed: watch::Receiver<usize>,
    carries: watch::Sender<bool>,
}

impl Between {
    async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let opened = Arc::new(AtomicUsize::new(0));
        let (closing, closed) = watch::channel(0);
        let (carries, carried) = watch::channel(true);
        let count = opened.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, carried.clone()));
                let closing = closing.clone();
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                    closing.send_modify(|count| *count += 1);
                });
            }
        });
        Self { port, opened, closed, carries }
    }

    fn settings(&self, slapd: &Slapd) -> Settings {
        Settings { urls: vec![format!("ldap://127.0.0.1:{}", self.port).parse().unwrap()], ..slapd.settings() }
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    async fn closed(&mut self, count: usize) {
        tokio::time::timeout(Duration::from_secs(30), self.closed.wait_for(|closed| *closed >= count)).await.unwrap().unwrap();
    }
}

/// Carries requests; what comes on a connection while nothing is carried is swallowed.
async fn carry<R, W>(mut from: R, mut to: W, carried: watch::Receiver<bool>)
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut octets = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut octets).await {
        if *carried.borrow() && to.write_all(&octets[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[tokio::test]
async fn calls_that_follow_each_other_share_one_connection() {
    let slapd = Slapd::start(&people());
    let between = Between::start(slapd.port()).await;
    let directory = Directory::new(between.settings(&slapd));
    for _ in 0..5 {
        directory.identify().await.unwrap();
        assert_eq!(read(&directory).await, 2);
    }
    assert_eq!(between.opened(), 1);
}

#[tokio::test]
async fn calls_at_the_same_time_have_a_connection_each() {
    let slapd = Slapd::start(&people());
    let between = Between::start(slapd.port()).await;
    let directory = Directory::new(between.settings(&slapd));
    for _ in 0..3 {
        assert_eq!(tokio::join!(read(&directory), read(&directory)), (2, 2));
    }
    assert_eq!(between.opened(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_replaced_and_nothing_is_lost() {
    let slapd = Slapd::with(Setup { ldif: people(), global: "idletimeout 1", ..Setup::default() });
    let mut between = Between::start(slapd.port()).await;
    let directory = Directory::new(between.settings(&slapd));
    for times in 1..=2 {
        assert_eq!(read(&directory).await, 2);
        assert_eq!(between.opened(), times);
        between.closed(times).await;
    }
}

#[tokio::test]
async fn a_connection_that_nobody_used_for_a_while_is_closed_by_us() {
    let slapd = Slapd::start(&people());
    let mut between = Between::start(slapd.port()).await;
    let mut settings = between.settings(&slapd);
    settings.idle_timeout = Duration::from_millis(100);
    let directory = Directory::new(settings);
    assert_eq!(read(&directory).await, 2);
    between.closed(1).await;
    assert_eq!(read(&directory).await, 2);
    assert_eq!(between.opened(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_is_dead_without_a_word_is_replaced_before_anything_is_asked() {
    let slapd = Slapd::start(&people());
    let between = Between::start(slapd.port()).await;
    let mut settings = between.settings(&slapd);
    settings.connect_timeout = Duration::from_millis(300);
    let directory = Directory::new(settings);
    assert_eq!(read(&directory).await, 2);
    between.carries.send(false).unwrap();
    // The kept connection is silent from now on; a new one is carried as soon as it is there.
    let carries = &between.carries;
    let opened = between.opened.clone();
    let revive = async {
        while opened.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        carries.send(true).unwrap();
    };
    let (count, ()) = tokio::join!(read(&directory), revive);
    assert_eq!((count, between.opened()), (2, 2));
}

#[tokio::test]
async fn a_password_that_was_changed_is_a_new_connection() {
    let slapd = Slapd::start(&people());
    let between = Between::start(slapd.port()).await;
    let directory = Directory::new(between.settings(&slapd));
    assert_eq!(read(&directory).await, 2);
    std::fs::write(slapd.password_file(), "wrong").unwrap();
    let error = directory.identify().await.unwrap_err();
    assert!(matches!(error, SourceError::Refused { .. }), "{error}");
    assert_eq!(between.opened(), 2);
}
