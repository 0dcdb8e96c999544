//! The plain reader: a loop over the LDAP library that reads the same entries and attributes, in pages as large as the
//! program's, and throws them away. It runs as a process of its own, as the program does.

use std::path::Path;
use std::process::Command;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{LdapConnAsync, Scope, drive};

use super::measure::{Measured, measure};
use super::server::{SEARCHES, Slapd};

/// First argument by which the bench becomes the plain reader.
pub const AS_READER: &str = "__read";

/// Entries in a page, as the program's default has it.
const PAGE: i32 = 500;

/// Runs the plain reader as a child and measures it; it must read so many entries.
pub fn measure_child(slapd: &Slapd, entries: usize, output: &Path) -> Measured {
    let this = std::env::current_exe().unwrap();
    let arguments = [AS_READER, &slapd.url, &slapd.bind_dn, &slapd.bind_password];
    let measured = measure(Command::new(this).args(arguments), output);
    let said = std::fs::read_to_string(output).unwrap_or_default();
    assert!(measured.succeeded && said.trim() == entries.to_string(), "the plain reader failed: {said}");
    measured
}

/// The plain reader: URL, bind DN, password. Prints how many entries came.
pub fn run(arguments: &[String]) {
    let [url, dn, password] = arguments else { panic!("URL, bind DN, password") };
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let (connection, mut ldap) = LdapConnAsync::new(url).await.unwrap();
        drive!(connection);
        ldap.simple_bind(dn, password).await.unwrap().success().unwrap();
        let mut entries = 0;
        for (base, filter, attributes) in SEARCHES {
            let attributes: Vec<&str> = attributes.split_whitespace().collect();
            let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
            let mut search = ldap.streaming_search_with(adapters, base, Scope::Subtree, filter, attributes).await.unwrap();
            while let Some(entry) = search.next().await.unwrap() {
                drop(entry);
                entries += 1;
            }
            search.finish().await.success().unwrap();
        }
        println!("{entries}");
    });
}
