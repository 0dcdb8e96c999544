//! Starts a third-party SCIM server on loopback, stopped by process id: scim2-server (Python), as it is or without PATCH,
//! or SCIMMY (JavaScript). Both keep everything in memory.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use ldap2scim::scim;
use ldap2scim::secret::Secret;

const TOKEN: &str = "loopback-only";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Scim2Server,
    /// The same; it answers 501 to PATCH.
    WithoutPatch,
    Scimmy,
}

/// A running server with nothing in it.
pub struct ScimServer {
    child: Child,
    base: String,
    client: reqwest::Client,
    log: tempfile::NamedTempFile,
}

fn in_root(path: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: run scripts/test, which installs it", path.display());
    path
}

impl Make {
    fn command(self, port: u16) -> Command {
        if self == Self::Scimmy {
            let mut command = Command::new("node");
            command.arg("app.mjs").current_dir(in_root("target/tools/scimmy"));
            command.env("PORT", port.to_string()).env("TOKEN", TOKEN);
            return command;
        }
        let mut command = Command::new(in_root("target/tools/scim2-server/bin/scim2-server"));
        command.args(["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", TOKEN]);
        if self == Self::WithoutPatch {
            command.arg("--service-provider-config").arg(in_root("scripts/lab/variants-no-patch.json"));
        }
        command
    }

    fn path(self) -> &'static str {
        if self == Self::Scimmy { "scim" } else { "v2" }
    }
}

impl ScimServer {
    /// Starts scim2-server and waits until it answers.
    pub async fn start() -> Self {
        Self::start_as(Make::Scim2Server).await
    }

    pub async fn start_as(make: Make) -> Self {
        // Another process may take the port between the two binds; then the server ends at once, and another is tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let log = tempfile::NamedTempFile::new().unwrap();
            let child = make
                .command(port)
                .stdin(Stdio::null())
                .stdout(log.reopen().unwrap())
                .stderr(log.reopen().unwrap())
                .spawn()
                .unwrap();
            let base = format!("http://127.0.0.1:{port}/{}", make.path());
            let mut server = Self { child, base, client: client(), log };
            if server.wait().await {
                return server;
            }
        }
        panic!("{make:?} did not start five times over");
    }

    /// True once it answers; false if it ended.
    async fn wait(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.client.get(self.url("/ServiceProviderConfig")).send().await.is_err() {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "it does not answer: {}", self.log());
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
        let auth = scim::Auth::Bearer(Secret::Inline(TOKEN.into()));
        let mut settings = scim::Settings::new("server", self.base_url(), auth, scim::preset("generic").unwrap());
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
        format!("{}{path}", self.base)
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
