//! Thousands of spoilt answers, sent to the LDAP library through the guard: nothing panics, nothing hangs, nothing grows.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use ldap3::exop::WhoAmI;
use ldap3::{LdapConnAsync, LdapConnSettings, Scope, StdStream};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::*;
use crate::ldap::ber;
use crate::ldap::raw_entry::RawEntry;

/// Octets of the largest entry here.
const LONGEST: usize = 16 * 1024;

/// The library gives its first request this id.
const FIRST: u32 = 1;

fn sequence(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    ber::write(tag, &parts.concat())
}

fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    ber::write(0x04, text.as_ref())
}

fn message(operation: Vec<u8>, controls: &[Vec<u8>]) -> Vec<u8> {
    let controls = if controls.is_empty() { Vec::new() } else { sequence(0xa0, controls) };
    sequence(0x30, &[ber::write_unsigned(2, FIRST), operation, controls])
}

fn control(oid: &str, value: &[u8]) -> Vec<u8> {
    sequence(0x30, &[string(oid), vec![1, 1, 0xff], string(value)])
}

fn result(tag: u8, code: u32, rest: &[Vec<u8>]) -> Vec<u8> {
    sequence(tag, &[vec![ber::write_unsigned(0x0a, code), string("dc=x"), string("words")], rest.to_vec()].concat())
}

fn entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let attribute = |(name, values): &(&str, &[&[u8]])| {
        let values: Vec<Vec<u8>> = values.iter().map(string).collect();
        sequence(0x30, &[string(name), sequence(0x31, &values)])
    };
    sequence(0x64, &[string(dn), sequence(0x30, &attributes.iter().map(attribute).collect::<Vec<_>>())])
}

/// Answers to a search as servers give them.
fn answers_to_a_search() -> Vec<Vec<u8>> {
    let uuid: &[u8] = &[0xe0, 4, 0x25, 0x3f, 0x89, 0x4f, 0xd3, 0x11, 0x9a, 0xc, 3, 5, 0xe8, 0x2c, 0x33, 1];
    let state = sequence(0x30, &[vec![0x0a, 1, 1], string(uuid), string("rid=000,csn=20260101000000.000000Z#000000#000#000000")]);
    let paged = sequence(0x30, &[ber::write_unsigned(2, 0), string([1, 2, 3, 4])]);
    let id_set = sequence(0xa3, &[string("rid=000,csn=1"), vec![1, 1, 0xff], sequence(0x31, &[string(uuid), string(uuid)])]);
    let info = sequence(0x79, &[ber::write(0x80, b"1.3.6.1.4.1.4203.1.9.1.4"), ber::write(0x81, &id_set)]);
    let large = vec![b"uid=somebody,ou=people,dc=example,dc=com".as_slice(); 1000];
    vec![
        message(entry("", &[("supportedControl", &[b"1.2.840.113556.1.4.319", b"1.3.6.1.4.1.4203.1.9.1.1"])]), &[]),
        message(entry("uid=ada,dc=x", &[("objectGUID", &[uuid]), ("mail", &[]), ("cn;lang-de", &[b"Ada"])]), &[]),
        message(entry("CN=g,DC=x", &[("member;range=0-1", &[b"CN=a,DC=x", b"CN=b\\2C,DC=x"])]), &[]),
        message(entry("uid=eve,dc=x", &[("uid", &[b"eve"])]), &[control("1.3.6.1.4.1.4203.1.9.1.2", &state)]),
        message(entry("cn=large,dc=x", &[("member", &large)]), &[]),
        message(sequence(0x73, &[string("ldap://a/dc=x??sub"), string("ldap://b/dc=x")]), &[]),
        message(info, &[]),
        message(result(0x65, 0, &[]), &[control("1.2.840.113556.1.4.319", &paged)]),
        message(result(0x65, 10, &[sequence(0xa3, &[string("ldap://elsewhere/dc=x")])]), &[]),
        // The notice of disconnection as RFC 4511 §4.4.1 has it, and as Active Directory sends it.
        sequence(0x30, &[vec![2, 1, 0], result(0x78, 52, &[ber::write(0x8a, b"1.3.6.1.4.1.1466.20036")])]),
        sequence(0x30, &[vec![2, 1, 0], result(0x78, 52, &[]), ber::write(0x8a, b"1.3.6.1.4.1.1466.20036")]),
    ]
}

/// Spoils octets in one of the ways in which they go wrong, or are made to.
fn spoil(octets: &mut Vec<u8>, chance: &mut fastrand::Rng) {
    if octets.is_empty() {
        return;
    }
    let at = chance.usize(..octets.len());
    let end = (at + 1 + chance.usize(..8)).min(octets.len());
    match chance.u8(..8) {
        0 => octets[at] ^= 1 << chance.u8(..8),
        1 => octets[at] = chance.u8(..),
        // Tags, lengths and numbers at their edges.
        2 => octets[at] = [0, 1, 0x7f, 0x80, 0x81, 0x84, 0x88, 0xff, 0x30, 0x31, 0x04, 0xa0, 0x1f][chance.usize(..13)],
        3 => octets.truncate(at),
        4 => drop(octets.drain(at..end)),
        5 => octets.splice(at..at, (0..chance.usize(1..9)).map(|_| 0xff)).for_each(drop),
        6 => {
            let part = octets[at..end].to_vec();
            octets.splice(at..at, part.repeat(chance.usize(1..4))).for_each(drop);
        }
        _ => octets.swap(at, end - 1),
    }
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Search,
    Bind,
    Extended,
}

/// Asks something through a guard whose server answers with these octets and closes. Returns how many entries came and
/// how many values of attributes they had.
async fn ask(asked: Asked, answer: Vec<u8>, longest: usize) -> (usize, usize) {
    let (inner, outer) = StdUnixStream::pair().unwrap();
    outer.set_nonblocking(true).unwrap();
    let (mut server, ours) = tokio::io::duplex(64 * 1024);
    let shared = Shared::default();
    let guard = tokio::spawn(stand(ours, UnixStream::from_std(outer).unwrap(), longest, shared.clone()));
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(inner));
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, "ldapi:///").await.unwrap();
    let driver = tokio::spawn(async move { connection.drive().await.is_ok() });
    let answering = tokio::spawn(async move {
        let _request = Frames::default().next(&mut server).await;
        let _ = server.write_all(&answer).await;
        let _ = server.shutdown().await;
    });
    let asking = tokio::spawn(async move {
        let (mut entries, mut values) = (0, 0);
        match asked {
            Asked::Search => {
                let mut stream = ldap.streaming_search("dc=x", Scope::Subtree, "(a=b)", vec!["cn"]).await.unwrap();
                while let Ok(Some(item)) = stream.next().await {
                    shared.credit.give_back();
                    entries += 1;
                    if !item.is_ref() && entries == 1 {
                        values += RawEntry::decode(item).map_or(0, |entry| entry.values("member").len());
                    }
                }
                let _ = stream.finish().await;
            }
            Asked::Bind => drop(ldap.simple_bind("cn=a", "b").await),
            Asked::Extended => drop(ldap.extended(WhoAmI).await),
        }
        (entries, values)
    });
    let came = asking.await.expect("the library does not panic on an answer");
    assert!(driver.await.is_ok(), "the library's driver does not panic");
    guard.await.expect("the guard does not panic");
    answering.await.expect("the server ends");
    came
}

async fn in_time(number: u64, asked: Asked, answer: Vec<u8>) -> usize {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, ask(asked, answer.clone(), LONGEST))
        .await
        .unwrap_or_else(|_| panic!("case {number} hangs: {answer:02x?}"))
        .0
}

#[tokio::test]
async fn a_group_of_a_million_members_comes_through_by_default() {
    let members: Vec<Vec<u8>> =
        (0..1_000_000).map(|n| format!("uid={n:0>60},ou=people,dc=example,dc=com").into_bytes()).collect();
    let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
    let group = message(entry("cn=all,dc=x", &[("member", &members)]), &[]);
    assert_eq!(ask(Asked::Search, group, crate::ldap::LARGEST_ENTRY).await, (1, 1_000_000));
}

#[tokio::test]
async fn spoilt_answers_to_a_search_neither_panic_nor_hang() {
    let answers = answers_to_a_search();
    for (number, answer) in answers.iter().enumerate() {
        let entries = in_time(number as u64, Asked::Search, answer.clone()).await;
        assert_eq!(entries, usize::from(number < 6), "unspoilt, {number} comes through or is dropped");
    }
    for number in 0..4000u64 {
        let mut chance = fastrand::Rng::with_seed(number);
        let mut sent = Vec::new();
        for _ in 0..chance.usize(1..4) {
            let mut answer = answers[chance.usize(..answers.len())].clone();
            for _ in 0..chance.usize(..4) {
                spoil(&mut answer, &mut chance);
            }
            sent.extend(answer);
        }
        in_time(number, Asked::Search, sent).await;
    }
}

#[tokio::test]
async fn spoilt_answers_to_a_bind_or_an_extended_request_neither_panic_nor_hang() {
    let bind =
        message(result(0x61, 14, &[ber::write(0x87, b"credentials")]), &[control("1.3.6.1.4.1.42.2.27.8.5.1", &[0x30, 0])]);
    let extended = message(result(0x78, 0, &[ber::write(0x8a, b"1.3.6.1.4.1.1466.20037"), ber::write(0x8b, b"dn:cn=a")]), &[]);
    for number in 0..2000u64 {
        let mut chance = fastrand::Rng::with_seed(number);
        let (asked, answer) = if chance.bool() { (Asked::Bind, &bind) } else { (Asked::Extended, &extended) };
        // Now and then the answer to something else.
        let mut answer = if chance.u8(..10) == 0 { [&bind, &extended][chance.usize(..2)].clone() } else { answer.clone() };
        for _ in 0..chance.usize(..4) {
            spoil(&mut answer, &mut chance);
        }
        in_time(number, asked, answer).await;
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(500))]
    #[test]
    fn octets_of_any_kind_neither_panic_nor_hang(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(in_time(0, Asked::Search, octets));
    }
}
