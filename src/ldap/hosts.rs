//! The servers of a source: in which order they are tried, and which of them failed lately.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

/// How long a server that failed is tried last: longer than a server takes to come back, and short enough that the order
/// of the configuration holds again the same morning.
const AILING: Duration = Duration::from_secs(600);

/// Shared by everything that opens sessions of one source.
#[derive(Debug)]
pub struct Hosts {
    urls: Vec<Url>,
    failed: Mutex<HashMap<Url, Instant>>,
}

impl Hosts {
    /// All of them healthy.
    pub fn new(urls: Vec<Url>) -> Self {
        Self { urls, failed: Mutex::default() }
    }

    /// As configured, but those that failed lately last, and of these the one first that failed longest ago.
    pub fn in_order(&self) -> Vec<Url> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut urls = self.urls.clone();
        urls.sort_by_key(|url| failed.get(url).filter(|at| at.elapsed() < AILING).copied());
        urls
    }

    /// Notes that a server failed. True if there is another that did not fail lately.
    pub fn fail(&self, url: &Url) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.insert(url.clone(), Instant::now());
        self.urls.iter().any(|other| failed.get(other).is_none_or(|at| at.elapsed() >= AILING))
    }

    /// Notes that a server did all that it was asked for.
    pub fn succeed(&self, url: &Url) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_failed_is_tried_last_for_a_while() {
        let url = |name: &str| format!("ldap://{name}").parse::<Url>().unwrap();
        let (a, b, c) = (url("a"), url("b"), url("c"));
        let hosts = Hosts::new(vec![a.clone(), b.clone(), c.clone()]);
        assert_eq!(hosts.in_order(), [a.clone(), b.clone(), c.clone()]);
        assert!(hosts.fail(&a));
        assert_eq!(hosts.in_order(), [b.clone(), c.clone(), a.clone()]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(hosts.fail(&b));
        assert_eq!(hosts.in_order(), [c.clone(), a.clone(), b.clone()]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!hosts.fail(&c), "all of them failed");
        assert_eq!(hosts.in_order(), [a.clone(), b.clone(), c.clone()]);
        hosts.succeed(&b);
        assert_eq!(hosts.in_order(), [b.clone(), a.clone(), c.clone()]);
        tokio::time::advance(AILING).await;
        assert_eq!(hosts.in_order(), [a.clone(), b, c]);
        assert!(!Hosts::new(vec![a.clone()]).fail(&a), "there is no other");
    }
}
