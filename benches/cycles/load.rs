//! The plain load generator: posts users as fast as so many workers can, decides nothing and stores nothing. It runs
//! as a process of its own, as the program does.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::measure::{Measured, measure};
use super::{company, sink};

/// First argument by which the bench becomes the load generator.
pub const AS_LOAD_GENERATOR: &str = "__load";

/// First argument by which the bench becomes one that lists all users, page by page.
pub const AS_LISTER: &str = "__list";

/// Lists all users in pages of a hundred, as a child, and measures it.
pub fn measure_list(base_url: &str, output: &Path) -> Measured {
    let this = std::env::current_exe().unwrap();
    let measured = measure(Command::new(this).args([AS_LISTER, base_url]), output);
    assert!(measured.succeeded, "the lister failed: {}", std::fs::read_to_string(output).unwrap_or_default());
    measured
}

/// The lister: base URL.
pub fn list(arguments: &[String]) {
    let [base_url] = arguments else { panic!("base URL") };
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut start = 1;
        loop {
            let url = format!("{base_url}/Users?startIndex={start}&count=100");
            let answer = client.get(url).bearer_auth(sink::TOKEN).send().await.unwrap().bytes().await.unwrap();
            let page: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            let received = page["Resources"].as_array().unwrap().len() as u64;
            start += received;
            if received == 0 || start > page["totalResults"].as_u64().unwrap() {
                return;
            }
        }
    });
}

/// Runs the load generator as a child and measures it. `pause` lies between two requests of a worker; nothing: as fast as
/// it can.
pub fn measure_child(base_url: &str, requests: u64, workers: usize, pause: Duration, output: &Path) -> Measured {
    let this = std::env::current_exe().unwrap();
    let numbers = [requests.to_string(), workers.to_string(), pause.as_millis().to_string()];
    let arguments = [AS_LOAD_GENERATOR.to_owned(), base_url.to_owned()].into_iter().chain(numbers);
    let measured = measure(Command::new(this).args(arguments), output);
    assert!(measured.succeeded, "the load generator failed: {}", std::fs::read_to_string(output).unwrap_or_default());
    measured
}

/// The load generator: base URL, number of requests, workers, milliseconds between two requests of a worker.
pub fn run(arguments: &[String]) {
    let [base_url, requests, workers, pause] = arguments else { panic!("base URL, requests, workers, pause") };
    let (requests, workers): (u64, usize) = (requests.parse().unwrap(), workers.parse().unwrap());
    let pause: u64 = pause.parse().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url: Arc<str> = format!("{base_url}/Users").into();
    let next = Arc::new(AtomicU64::new(0));
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..workers {
            let (client, url, next) = (client.clone(), url.clone(), next.clone());
            tasks.spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_millis(pause.max(1)));
                loop {
                    if pause > 0 {
                        ticks.tick().await;
                    }
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        return;
                    }
                    let request = client.post(&*url).bearer_auth(sink::TOKEN).header("content-type", "application/scim+json");
                    let answer = request.body(body(number)).send().await.unwrap();
                    assert_eq!(answer.status(), 201);
                    answer.bytes().await.unwrap();
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    });
}

/// A user about as large as those that the program creates. The names do not clash with theirs.
fn body(number: u64) -> String {
    let login = company::login(usize::try_from(number).unwrap());
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": format!("00000000-0000-0000-0000-{number:012}"),
        "userName": format!("plain-{login}"),
        "active": true,
        "displayName": format!("Given{number} Family{number}"),
        "name": { "givenName": format!("Given{number}"), "familyName": format!("Family{number}"), "formatted": format!("Given{number} Family{number}") },
        "title": "Engineer 3",
        "preferredLanguage": "en",
        "emails": [{ "type": "work", "value": format!("{login}@example.com"), "primary": true }],
        "phoneNumbers": [{ "type": "work", "value": "+44 20 7946 0001" }],
        "addresses": [{ "type": "work", "streetAddress": format!("{number} High Street"), "locality": "London", "postalCode": "EC1 1AA" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": number.to_string(), "department": "Department 7", "manager": { "value": "12345" }
        }
    })
    .to_string()
}
