//! Starts the third-party SCIM server scim2-server on loopback, stopped by process id.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use ldap2scim::scim;
use ldap2scim::secret::Secret;

const TOKEN: &str = "loopback-only";

/// A running server with nothing in it.
pub struct ScimServer {
    child: Child,
    port: u16,
    client: reqwest::Client,
    log: tempfile::NamedTempFile,
}

impl ScimServer {
    /// Starts it and waits until it answers.
    pub async fn start() -> Self {
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/scim2-server/bin/scim2-server");
        assert!(program.exists(), "{} is missing: run scripts/test, which installs it", program.display());
        // Another process may take the port between the two binds; then the server ends at once, and another is tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let log = tempfile::NamedTempFile::new().unwrap();
            let child = Command::new(&program)
                .args(["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", TOKEN])
                .stdin(Stdio::null())
                .stdout(log.reopen().unwrap())
                .stderr(log.reopen().unwrap())
                .spawn()
                .unwrap();
            let client = client();
            let mut server = Self { child, port, client, log };
            if server.wait().await {
                return server;
            }
        }
        panic!("scim2-server did not start five times over");
    }

    /// True once it answers; false if it ended.
    async fn wait(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.client.get(self.url("/ServiceProviderConfig")).send().await.is_err() {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "scim2-server does not answer: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.child.try_wait().unwrap().is_none()
    }

    pub fn base_url(&self) -> url::Url {
        url::Url::parse(&self.url("")).unwrap()
    }

    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Settings to reach it: generic dialect, no pace to speak of.
    pub fn settings(&self) -> scim::Settings {
        Self::settings_for(self.port)
    }

    fn settings_for(port: u16) -> scim::Settings {
        let auth = scim::Auth::Bearer(Secret::Inline(TOKEN.into()));
        let base = url::Url::parse(&format!("http://127.0.0.1:{port}/v2")).unwrap();
        let mut settings = scim::Settings::new("scim2-server", base, auth, scim::preset("generic").unwrap());
        settings.dialect.rates = scim::Rates::per_second(10_000.0, 100);
        settings
    }

    pub fn target(&self) -> scim::Provider {
        scim::Provider::new(self.settings()).unwrap()
    }

    pub async fn users(&self) -> Vec<Json> {
        self.all("/Users").await
    }

    pub async fn groups(&self) -> Vec<Json> {
        self.all("/Groups").await
    }

    /// One user by userName.
    pub async fn user(&self, name: &str) -> Option<Json> {
        self.users().await.into_iter().find(|user| user["userName"] == name)
    }

    /// One group by displayName.
    pub async fn group(&self, name: &str) -> Option<Json> {
        self.groups().await.into_iter().find(|group| group["displayName"] == name)
    }

    /// What it said on its output.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    async fn all(&self, collection: &str) -> Vec<Json> {
        let mut all: Vec<Json> = Vec::new();
        loop {
            let url = self.url(&format!("{collection}?startIndex={}&count=1000", all.len() + 1));
            let text = self.client.get(url).bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap();
            let page: Json = serde_json::from_str(&text).unwrap();
            let list = page["Resources"].as_array().cloned().unwrap_or_default();
            let more = !list.is_empty();
            all.extend(list);
            if !more || all.len() as u64 >= page["totalResults"].as_u64().unwrap() {
                return all;
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/v2{path}", self.port)
    }
}

/// A client of the tests' own.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Drop for ScimServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
