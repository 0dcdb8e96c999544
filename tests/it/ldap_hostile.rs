//! The source against servers that break the protocol, lie, stall or hang up.
//!
//! [`Fake`] is a directory of one group and three users in the test process; a test replaces single answers.
//! Whatever a server does, a reading from which something is missing is never full, and the process lives on.

use std::sync::Arc;
use std::time::Duration;

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::ldap::{Bind, Directory, Settings};
use ldap2scim::model::{AttributeName, Coverage, Dn, Entry, ResourceType, Selection, Status, Wanted};
use ldap2scim::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const PAGED: &[u8] = b"1.2.840.113556.1.4.319";
const GROUP: &str = "cn=staff,dc=x";
const STRING: u8 = 0x04;

fn ber(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let mut octets = vec![tag];
    if content.len() < 0x80 {
        octets.push(content.len() as u8);
    } else {
        octets.push(0x84);
        octets.extend((content.len() as u32).to_be_bytes());
    }
    octets.extend(content);
    octets
}

fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    ber(STRING, &[text.as_ref().to_vec()])
}

fn number(id: u32) -> Vec<u8> {
    ber(2, &[id.to_be_bytes().to_vec()])
}

fn message(id: u32, operation: Vec<u8>) -> Vec<u8> {
    ber(0x30, &[number(id), operation])
}

fn result(tag: u8, code: u8) -> Vec<u8> {
    ber(tag, &[vec![0x0a, 1, code], string(""), string("")])
}

fn done_with(id: u32, code: u8, control_value: &[u8]) -> Vec<u8> {
    let control = ber(0x30, &[string(PAGED), string(control_value)]);
    ber(0x30, &[number(id), result(0x65, code), ber(0xa0, &[control])])
}

/// The last page, or the one before `cookie`.
fn done(id: u32, cookie: &str) -> Vec<u8> {
    done_with(id, 0, &ber(0x30, &[vec![2, 1, 0], string(cookie)]))
}

fn entry(id: u32, dn: &str, attributes: &[(&str, &[&str])]) -> Vec<u8> {
    let attributes = attributes.iter().map(|(name, values)| {
        let values: Vec<Vec<u8>> = values.iter().map(string).collect();
        ber(0x30, &[string(name), ber(0x31, &values)])
    });
    message(id, ber(0x64, &[string(dn), ber(0x30, &attributes.collect::<Vec<_>>())]))
}

fn user(id: u32, uid: &str) -> Vec<u8> {
    let uuid = format!("00000000-0000-0000-0000-{uid:0>12}");
    entry(id, &format!("uid={uid},dc=x"), &[("entryUUID", &[&uuid]), ("uid", &[uid])])
}

fn group(id: u32, member_attribute: &str, members: &[&str]) -> Vec<u8> {
    let uuid = "00000000-0000-0000-0000-00000000000f";
    entry(id, GROUP, &[("entryUUID", &[uuid]), ("objectClass", &["groupOfNames"]), (member_attribute, members)])
}

/// A request as far as a fake needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Request {
    RootDse,
    Groups,
    Users,
    Bind,
    /// A search by Active Directory's filters.
    Categories {
        people: bool,
        domain_scope: bool,
    },
    /// Base search for a range of members.
    Range {
        first: u64,
    },
    Other,
}

enum Act {
    Send(Vec<u8>),
    Close,
    Stall,
}

fn contains(octets: &[u8], part: &str) -> bool {
    octets.windows(part.len()).any(|window| window == part.as_bytes())
}

fn classify(frame: &[u8]) -> (u32, Request) {
    let header = if frame[1] < 0x80 { 2 } else { 2 + (frame[1] & 0x7f) as usize };
    let digits = frame[header + 1] as usize;
    let id = frame[header + 2..header + 2 + digits].iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet));
    let request = match frame[header + 2 + digits] {
        0x63 if contains(frame, "supportedControl") => Request::RootDse,
        0x63 if contains(frame, "member;range=") => {
            let at = frame.windows(13).position(|window| window == b"member;range=").unwrap() + 13;
            let digits = frame[at..].iter().take_while(|octet| octet.is_ascii_digit()).map(|octet| *octet as char);
            Request::Range { first: digits.collect::<String>().parse().unwrap() }
        }
        0x63 if contains(frame, "objectCategory") => {
            Request::Categories { people: contains(frame, "person"), domain_scope: contains(frame, "1.2.840.113556.1.4.1339") }
        }
        0x60 => Request::Bind,
        0x63 if contains(frame, "groupOfUniqueNames") => Request::Groups,
        0x63 if contains(frame, "inetOrgPerson") => Request::Users,
        _ => Request::Other,
    };
    (id, request)
}

/// What a well-behaved server of this directory answers.
fn good(id: u32, request: &Request) -> Vec<u8> {
    match request {
        Request::RootDse => {
            [entry(id, "", &[("supportedControl", &["1.2.840.113556.1.4.319"])]), message(id, result(0x65, 0))].concat()
        }
        Request::Groups => [group(id, "member", &["uid=1,dc=x"]), done(id, "")].concat(),
        Request::Users => [user(id, "1"), user(id, "2"), user(id, "3"), done(id, "")].concat(),
        Request::Bind => message(id, result(0x61, 0)),
        Request::Range { .. } | Request::Categories { .. } | Request::Other => message(id, result(0x65, 2)),
    }
}

/// A directory server whose answers are given by a function.
struct Fake {
    port: u16,
}

impl Fake {
    async fn start(answer: impl Fn(u32, &Request) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone()));
            }
        });
        Self { port }
    }

    /// Behaves, but for one request.
    async fn but_for(which: Request, answer: impl Fn(u32) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start(move |id, request| if *request == which { answer(id) } else { vec![Act::Send(good(id, request))] }).await
    }

    fn settings(&self) -> Settings {
        let url = format!("ldap://127.0.0.1:{}", self.port).parse().unwrap();
        let mut settings = Settings::new("fake", vec![url], Bind::Anonymous);
        settings.operation_timeout = Duration::from_secs(20);
        settings
    }

    async fn read(&self) -> (Vec<Entry>, Result<Coverage, SourceError>) {
        read(self.settings()).await
    }
}

async fn serve<F: Fn(u32, &Request) -> Vec<Act>>(mut stream: TcpStream, answer: Arc<F>) {
    let mut buffer = Vec::new();
    loop {
        while let Some(length) = frame_length(&buffer) {
            let frame: Vec<u8> = buffer.drain(..length).collect();
            let (id, request) = classify(&frame);
            for act in answer(id, &request) {
                match act {
                    Act::Send(octets) => {
                        if stream.write_all(&octets).await.is_err() {
                            return;
                        }
                    }
                    Act::Close => return,
                    Act::Stall => std::future::pending().await,
                }
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn frame_length(buffer: &[u8]) -> Option<usize> {
    let first = *buffer.get(1)?;
    let length = if first < 0x80 {
        2 + first as usize
    } else {
        let count = (first & 0x7f) as usize;
        2 + count + buffer.get(2..2 + count)?.iter().fold(0, |sum, octet| sum << 8 | *octet as usize)
    };
    (buffer.len() >= length).then_some(length)
}

async fn read(settings: Settings) -> (Vec<Entry>, Result<Coverage, SourceError>) {
    read_with(settings, None).await
}

/// Reads with a filter of the admin's for groups.
async fn read_with(settings: Settings, groups: Option<&str>) -> (Vec<Entry>, Result<Coverage, SourceError>) {
    let all = Selection { base_dns: vec![Dn::parse("dc=x").unwrap()], filter: None };
    let wanted = Wanted {
        users: all.clone(),
        user_attributes: vec![AttributeName::new("uid")],
        groups: Some(Selection { filter: groups.map(str::to_owned), ..all }),
        group_attributes: vec![],
        membership: true,
        scope_groups: vec![],
    };
    let (sender, mut receiver) = mpsc::channel(16);
    let taking = tokio::spawn(async move {
        let mut entries = Vec::new();
        while let Some(entry) = receiver.recv().await {
            entries.push(entry);
        }
        entries
    });
    let coverage = Directory::new(settings).read(&wanted, sender).await;
    (taking.await.unwrap(), coverage.map(|reading| reading.coverage))
}

fn is_full(coverage: &Result<Coverage, SourceError>) -> bool {
    coverage.as_ref().is_ok_and(Coverage::is_full)
}

/// The sentences of a reading that is not full.
fn told(coverage: &Result<Coverage, SourceError>) -> String {
    match coverage {
        Ok(whole @ (Coverage::Full | Coverage::Changes)) => panic!("{whole:?}"),
        Ok(Coverage::Partial(causes)) => causes.join("; "),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_server_that_behaves_is_read_in_full() {
    let (entries, coverage) = Fake::start(|id, request| vec![Act::Send(good(id, request))]).await.read().await;
    assert!(is_full(&coverage), "{coverage:?}");
    assert_eq!(entries.len(), 4);
}

#[tokio::test]
async fn octets_against_the_protocol_end_the_reading_and_nothing_else() {
    let deep = |depth: usize| {
        let mut octets = Vec::with_capacity(depth * 6);
        for level in (0..depth).rev() {
            octets.push(0x30);
            octets.push(0x84);
            octets.extend(((level * 6) as u32).to_be_bytes());
        }
        octets
    };
    let control =
        |control: Vec<u8>| move |id: u32| ber(0x30, &[number(id), result(0x65, 0), ber(0xa0, std::slice::from_ref(&control))]);
    type Attack = Box<dyn Fn(u32) -> Vec<u8> + Send + Sync>;
    let attacks: Vec<(&str, Attack)> = vec![
        ("200,000 nested sequences", Box::new(move |_| deep(200_000))),
        ("nesting inside an entry", Box::new(move |id| message(id, ber(0x64, &[string("dc=x"), deep(1000)])))),
        ("a giant length", Box::new(|_| vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1])),
        ("a length of 2^64", Box::new(|_| vec![0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("an indefinite length", Box::new(|_| vec![0x30, 0x80, 2, 1, 1, 0, 0])),
        ("garbage", Box::new(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
        ("zeros", Box::new(|_| vec![0; 4096])),
        ("an unknown operation for a live search", Box::new(|id| message(id, ber(0x6a, &[string("x")])))),
        ("a bind response for a search", Box::new(|id| message(id, result(0x61, 0)))),
        ("an entry without attributes", Box::new(|id| message(id, ber(0x64, &[string("dc=x")])))),
        ("an entry that is a string", Box::new(|id| message(id, ber(0x44, &[string("dc=x")])))),
        ("an attribute that is a string", Box::new(|id| message(id, ber(0x64, &[string("dc=x"), ber(0x30, &[string("cn")])])))),
        ("a result without a code", Box::new(|id| message(id, ber(0x65, &[])))),
        ("a result that is not UTF-8", Box::new(|id| message(id, ber(0x65, &[vec![0x0a, 1, 0], string([0xff]), string("")])))),
        ("a control without a type", Box::new(control(ber(0x30, &[])))),
        ("a control with an empty criticality", Box::new(control(ber(0x30, &[string("1.2.3"), vec![1, 0]])))),
        ("a control that is a string", Box::new(control(string("x")))),
        ("a message without an operation", Box::new(|id| ber(0x30, &[number(id)]))),
        ("an empty message", Box::new(|_| vec![0x30, 0])),
        ("a paging control that is no sequence", Box::new(|id| done_with(id, 0, b"\x04\x01x"))),
        ("an empty paging control", Box::new(|id| done_with(id, 0, b""))),
        ("a paging control with a bad length", Box::new(|id| done_with(id, 0, b"\x30\x7f\x02\x01\x00"))),
        ("a notice of disconnection", Box::new(|_| message(0, result(0x78, 52)))),
    ];
    for (name, attack) in attacks {
        let attack = Arc::new(attack);
        for which in [Request::RootDse, Request::Groups, Request::Users] {
            // A root DSE that cannot be paged harms nobody: only searches ask for pages.
            if which == Request::RootDse && name.contains("paging control") {
                continue;
            }
            let attack = attack.clone();
            let fake = Fake::but_for(which.clone(), move |id| vec![Act::Send(user(id, "9")), Act::Send(attack(id))]).await;
            let (_, coverage) = fake.read().await;
            assert!(!is_full(&coverage), "{name} at {which:?}");
            assert!(!told(&coverage).is_empty());
        }
    }
}

#[tokio::test]
async fn a_conversation_cut_anywhere_is_never_full() {
    let whole: usize = [Request::RootDse, Request::Groups, Request::Users].iter().map(|request| good(1, request).len()).sum();
    for cut in (0..whole).step_by(3) {
        let sent = std::sync::atomic::AtomicUsize::new(0);
        let fake = Fake::start(move |id, request| {
            let answer = good(id, request);
            let before = sent.fetch_add(answer.len(), std::sync::atomic::Ordering::SeqCst);
            let left = cut.saturating_sub(before);
            if left >= answer.len() { vec![Act::Send(answer)] } else { vec![Act::Send(answer[..left].to_vec()), Act::Close] }
        })
        .await;
        let (entries, coverage) = fake.read().await;
        assert!(!is_full(&coverage), "cut after {cut} of {whole} octets");
        assert_eq!(coverage.is_ok(), !entries.is_empty(), "cut after {cut}: {coverage:?}");
    }
}

#[tokio::test]
async fn no_result_but_success_is_full() {
    for code in 1..=127 {
        for which in [Request::Groups, Request::Users] {
            let fake = Fake::but_for(which.clone(), move |id| {
                vec![Act::Send([user(id, "9"), message(id, result(0x65, code))].concat())]
            })
            .await;
            let (_, coverage) = fake.read().await;
            let told = told(&coverage);
            assert!(told.contains(&format!("({code})")), "{code} at {which:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
    for which in [Request::RootDse, Request::Groups, Request::Users] {
        for sends in [vec![], user(2, "9")] {
            let fake = Fake::but_for(which.clone(), move |_| vec![Act::Send(sends.clone()), Act::Stall]).await;
            let mut settings = fake.settings();
            settings.operation_timeout = Duration::from_millis(100);
            let (_, coverage) = read(settings).await;
            assert!(told(&coverage).contains("no reply within 100ms"), "{which:?}: {coverage:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_never_speaks_tls_is_given_up() {
    let fake = Fake::start(|_, _| vec![Act::Stall]).await;
    for (scheme, start_tls) in [("ldaps", false), ("ldap", true)] {
        let mut settings = fake.settings();
        settings.urls = vec![format!("{scheme}://127.0.0.1:{}", fake.port).parse().unwrap()];
        settings.start_tls = start_tls;
        settings.connect_timeout = Duration::from_millis(100);
        let (_, coverage) = read(settings).await;
        assert!(matches!(coverage, Err(SourceError::Unreachable(_))), "{coverage:?}");
    }
}

#[tokio::test]
async fn clear_text_behind_the_answer_to_start_tls_is_refused() {
    let answers = |id: u32| [message(id, result(0x78, 0)), message(2, result(0x61, 0))].concat();
    let fake = Fake::start(move |id, _| vec![Act::Send(answers(id))]).await;
    let mut settings = fake.settings();
    settings.start_tls = true;
    let (_, coverage) = read(settings).await;
    assert!(told(&coverage).contains("clear text followed"), "{coverage:?}");
}

#[tokio::test]
async fn a_refused_start_tls_is_not_gone_without() {
    let fake = Fake::start(|id, _| vec![Act::Send(message(id, result(0x78, 2)))]).await;
    let mut settings = fake.settings();
    settings.start_tls = true;
    let (_, coverage) = read(settings).await;
    assert!(told(&coverage).contains("refused StartTLS: protocolError (2)"), "{coverage:?}");
}

#[tokio::test]
async fn pages_are_followed_and_the_last_must_come() {
    for broken in [false, true] {
        let page = std::sync::atomic::AtomicUsize::new(0);
        let fake = Fake::but_for(Request::Users, move |id| {
            let page = page.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            match page {
                0 => vec![Act::Send([user(id, "1"), done(id, "one")].concat())],
                1 => vec![Act::Send(done(id, "two"))],
                2 if broken => vec![Act::Send([user(id, "2"), message(id, result(0x65, 53))].concat())],
                _ => vec![Act::Send([user(id, "2"), done(id, "")].concat())],
            }
        })
        .await;
        let (entries, coverage) = fake.read().await;
        assert_eq!((entries.len(), is_full(&coverage)), (3, !broken), "{coverage:?}");
    }
}

#[tokio::test]
async fn empty_pages_without_end_are_given_up() {
    let fake = Fake::but_for(Request::Users, |id| vec![Act::Send(done(id, "more"))]).await;
    assert!(told(&fake.read().await.1).contains("one empty page after another"));
}

#[tokio::test]
async fn a_full_page_without_word_on_more_is_not_full() {
    let page = |id| [user(id, "1"), user(id, "2"), user(id, "3"), message(id, result(0x65, 0))].concat();
    // A server that names the control among those that it knows answers with it (RFC 2696 §3).
    let fake = Fake::but_for(Request::Users, move |id| vec![Act::Send(page(id))]).await;
    assert!(told(&fake.read().await.1).contains("without word on whether more follow"));
    let silent = Fake::start(move |id, request| {
        vec![Act::Send(match request {
            Request::RootDse => message(id, result(0x65, 0)),
            Request::Users => page(id),
            other => good(id, other),
        })]
    })
    .await;
    let mut settings = silent.settings();
    assert!(is_full(&read(settings.clone()).await.1), "three entries are no page of 500");
    settings.page_size = 3;
    assert!(told(&read(settings).await.1).contains("without word on whether more follow"));
}

#[tokio::test]
async fn the_same_entry_comes_once() {
    let twice = |id| [user(id, "1"), user(id, "1"), group(id, "member", &[]), user(id, "2"), done(id, "")].concat();
    let fake = Fake::but_for(Request::Users, move |id| vec![Act::Send(twice(id))]).await;
    let (entries, coverage) = fake.read().await;
    assert!(is_full(&coverage), "{coverage:?}");
    assert_eq!(entries.len(), 3);
}

#[tokio::test]
async fn a_dn_that_is_not_utf_8_is_left_out_and_told() {
    let odd = |id| message(id, ber(0x64, &[string([0xff]), ber(0x30, &[])]));
    let fake = Fake::but_for(Request::Users, move |id| vec![Act::Send([odd(id), user(id, "1"), done(id, "")].concat())]).await;
    let (entries, coverage) = fake.read().await;
    assert!(told(&coverage).contains("not UTF-8"));
    assert_eq!(entries.len(), 2);
}

fn members(count: u64) -> Vec<String> {
    (0..count).map(|n| format!("uid={n},dc=x")).collect()
}

/// A group of five members that comes two at a time; `rest` answers from the third on.
async fn ranged(rest: impl Fn(u32, u64) -> Vec<u8> + Send + Sync + 'static) -> (Vec<Entry>, Result<Coverage, SourceError>) {
    let fake = Fake::start(move |id, request| {
        vec![Act::Send(match request {
            Request::Groups => {
                let first = members(2);
                let first: Vec<&str> = first.iter().map(String::as_str).collect();
                [group(id, "member;range=0-1", &first), done(id, "")].concat()
            }
            Request::Range { first } => rest(id, *first),
            other => good(id, other),
        })]
    })
    .await;
    fake.read().await
}

fn group_members(entries: &[Entry]) -> Option<usize> {
    let groups: Vec<&Entry> = entries.iter().filter(|entry| entry.resource_type == ResourceType::Group).collect();
    assert_eq!(groups.len(), 1);
    groups[0].members.as_ref().map(Vec::len)
}

#[tokio::test]
async fn ranges_are_read_to_their_end() {
    let (entries, coverage) = ranged(|id, first| {
        let all = members(5);
        let part: Vec<&str> = all.iter().skip(first as usize).take(2).map(String::as_str).collect();
        let name = if first < 4 { format!("member;range={first}-{}", first + 1) } else { format!("member;range={first}-*") };
        [group(id, &name, &part), done(id, "")].concat()
    })
    .await;
    assert!(is_full(&coverage), "{coverage:?}");
    assert_eq!(group_members(&entries), Some(5));
}

#[tokio::test]
async fn a_range_that_fails_leaves_the_members_unknown() {
    type Answer = fn(u32, u64) -> Vec<u8>;
    let answers: [(&str, Answer); 5] = [
        ("an error", |id, _| message(id, result(0x65, 1))),
        ("no entry", |id, _| done(id, "")),
        ("no values", |id, first| [group(id, &format!("member;range={first}-*"), &[]), done(id, "")].concat()),
        ("another range", |id, _| [group(id, "member;range=0-1", &["uid=0,dc=x"]), done(id, "")].concat()),
        ("no range", |id, _| [group(id, "member", &["uid=2,dc=x"]), done(id, "")].concat()),
    ];
    for (name, answer) in answers {
        let (entries, coverage) = ranged(answer).await;
        assert!(told(&coverage).contains("not all values of member of cn=staff,dc=x"), "{name}: {coverage:?}");
        assert_eq!(group_members(&entries), None, "{name}");
        assert_eq!(entries.len(), 4, "{name}: everything else is read");
    }
}

#[tokio::test]
async fn several_entries_for_one_dn_end_the_reading() {
    let (_, coverage) = ranged(|id, _| [user(id, "1"), user(id, "2"), done(id, "")].concat()).await;
    assert!(told(&coverage).contains("for one entry with several"), "{coverage:?}");
}

#[tokio::test]
async fn ranges_without_end_are_given_up() {
    let (entries, coverage) =
        ranged(|id, first| [group(id, &format!("member;range={first}-{first}"), &["uid=0,dc=x"]), done(id, "")].concat()).await;
    assert!(told(&coverage).contains("ranges without end"), "{coverage:?}");
    assert_eq!(group_members(&entries), None);
}

#[tokio::test]
async fn a_flood_waits_for_its_reader() {
    // 40 MB of one search, no paging: all of it arrives, though little of it may lie between server and reader.
    let fake = Fake::but_for(Request::Users, |id| {
        let big = "x".repeat(100_000);
        let uuid = |n: usize| format!("00000000-0000-0000-0000-{n:012}");
        let mut acts: Vec<Act> = (10..410)
            .map(|n| Act::Send(entry(id, &format!("uid={n},dc=x"), &[("entryUUID", &[&uuid(n)]), ("uid", &[&big])])))
            .collect();
        acts.push(Act::Send(done(id, "")));
        acts
    })
    .await;
    let (entries, coverage) = fake.read().await;
    assert!(is_full(&coverage), "{coverage:?}");
    assert_eq!(entries.len(), 401);
}

/// Settings that bind with a password.
fn with_password(mut settings: Settings) -> Settings {
    settings.bind = Bind::Simple { dn: "cn=sync".to_owned(), password: Secret::Inline("secret".into()) };
    settings
}

#[tokio::test]
async fn a_bad_answer_to_the_bind_is_an_error_and_a_refusal_is_told_apart() {
    type Answer = fn(u32) -> Vec<u8>;
    let answers: [(&str, Answer); 5] = [
        ("garbage", |_| b"HTTP/1.1 400 Bad Request".to_vec()),
        ("an entry", |id| user(id, "9")),
        ("a search result", |id| message(id, result(0x65, 0))),
        ("an empty result", |id| message(id, ber(0x61, &[]))),
        ("busy", |id| message(id, result(0x61, 51))),
    ];
    for (name, answer) in answers {
        let fake = Fake::but_for(Request::Bind, move |id| vec![Act::Send(answer(id))]).await;
        let (_, coverage) = read(with_password(fake.settings())).await;
        assert!(matches!(coverage, Err(SourceError::Unreachable(_))), "{name}: {coverage:?}");
    }
    for code in [19, 32, 48, 49, 50, 53] {
        let fake = Fake::but_for(Request::Bind, move |id| vec![Act::Send(message(id, result(0x61, code)))]).await;
        let (_, coverage) = read(with_password(fake.settings())).await;
        assert!(matches!(coverage, Err(SourceError::Refused { .. })), "{code}: {coverage:?}");
    }
}

#[tokio::test]
async fn active_directory_is_read_by_its_own_facts() {
    let guid = [0xe0, 0x04, 0x25, 0x3f, 0x89, 0x4f, 0xd3, 0x11, 0x9a, 0x0c, 0x03, 0x05, 0xe8, 0x2c, 0x33, 0x01];
    let account = move |id: u32, name: &str, last: u8, control: Option<&str>| {
        let attribute = |name: &str, value: &[u8]| ber(0x30, &[string(name), ber(0x31, &[string(value)])]);
        let mut octets = guid;
        octets[15] = last;
        let control = control.map(|control| attribute("userAccountControl", control.as_bytes()));
        let attributes = [vec![attribute("objectGUID", &octets)], control.into_iter().collect()].concat();
        message(id, ber(0x64, &[string(format!("CN={name},dc=x")), ber(0x30, &attributes)]))
    };
    let own = "ldap://ad.test/CN=Configuration,DC=x";
    let fake = Fake::start(move |id, request| {
        let reference = message(id, ber(0x73, &[string(own)]));
        vec![Act::Send(match request {
            Request::RootDse => {
                [entry(id, "", &[("supportedCapabilities", &["1.2.840.113556.1.4.800"])]), message(id, result(0x65, 0))].concat()
            }
            Request::Categories { people: false, domain_scope: true } => [reference, done(id, "")].concat(),
            Request::Categories { people: true, domain_scope: true } => [
                account(id, "on", 1, Some("512")),
                account(id, "off", 2, Some("514")),
                account(id, "hidden", 3, None),
                reference,
                done(id, ""),
            ]
            .concat(),
            other => good(id, other),
        })]
    })
    .await;
    let (entries, coverage) = fake.read().await;
    assert!(is_full(&coverage), "{coverage:?}");
    let seen: Vec<(&str, Status)> = entries.iter().map(|entry| (entry.id.as_str(), entry.status)).collect();
    let expected = [
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", Status::Enabled),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3302", Status::Disabled),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3303", Status::Unknown),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_group_is_not_called_unselected_where_the_filter_that_would_tell_was_cut_short() {
    // The admin's filter is none that the fake knows; the search by it ends early, and then the search by the
    // vendor's filter finds the group.
    for code in [0, 4] {
        let fake = Fake::start(move |id, request| {
            vec![Act::Send(match request {
                Request::Other => done_with(id, code, b"\x30\x05\x02\x01\x00\x04\x00"),
                other => good(id, other),
            })]
        })
        .await;
        let (entries, coverage) = read_with(fake.settings(), Some("(businessCategory=scim)")).await;
        let unselected = entries.iter().filter(|entry| entry.resource_type == ResourceType::Group && !entry.selected).count();
        assert_eq!((is_full(&coverage), unselected), if code == 0 { (true, 1) } else { (false, 0) }, "{coverage:?}");
    }
}

#[tokio::test]
async fn two_entries_of_one_id_or_of_one_name_are_not_taken_for_one() {
    let twin = |id: u32, dn: &str, uuid: &str| entry(id, dn, &[("entryUUID", &[uuid]), ("uid", &["9"])]);
    for (dn, uuid, word) in [
        ("uid=9,dc=x", "00000000-0000-0000-0000-000000000001", "same lasting id"),
        ("uid=\u{ff11},dc=x", "00000000-0000-0000-0000-000000000009", "means the same"),
        ("UID=1 , DC=x", "00000000-0000-0000-0000-000000000009", "means the same"),
    ] {
        let fake = Fake::but_for(Request::Users, move |id| {
            vec![Act::Send([user(id, "1"), twin(id, dn, uuid), user(id, "2"), done(id, "")].concat())]
        })
        .await;
        let (entries, coverage) = fake.read().await;
        assert!(told(&coverage).contains(word), "{dn}: {coverage:?}");
        assert_eq!(entries.len(), if word == "means the same" { 4 } else { 3 }, "{dn}");
    }
}

#[tokio::test]
async fn a_server_that_sends_the_same_page_for_ever_is_left() {
    let fake = Fake::but_for(Request::Users, |id| vec![Act::Send([user(id, "1"), done(id, "more")].concat())]).await;
    let (entries, coverage) = tokio::time::timeout(Duration::from_secs(60), fake.read()).await.expect("it ends");
    assert!(told(&coverage).contains("again and again"));
    assert_eq!(entries.len(), 2);
}

#[tokio::test]
async fn a_range_that_does_not_begin_at_the_first_value_is_no_whole_group() {
    let fake = Fake::start(|id, request| {
        vec![Act::Send(match request {
            Request::Groups => [group(id, "member;range=1-*", &["uid=2,dc=x"]), done(id, "")].concat(),
            Request::Range { first: 0 } => {
                [group(id, "member;range=0-*", &["uid=1,dc=x", "uid=2,dc=x"]), message(id, result(0x65, 0))].concat()
            }
            other => good(id, other),
        })]
    })
    .await;
    let (entries, coverage) = fake.read().await;
    assert!(is_full(&coverage), "{coverage:?}");
    assert_eq!(entries[0].members.as_ref().map(Vec::len), Some(2));
}

#[tokio::test]
async fn control_characters_of_a_server_do_not_reach_the_admin() {
    let fake = Fake::but_for(Request::Users, |id| {
        let reference = message(id, ber(0x73, &[string("ldap://x/\u{1b}[2J\n\u{7}y")]));
        vec![Act::Send([user(id, "1"), reference, done(id, "")].concat())]
    })
    .await;
    let (_, coverage) = fake.read().await;
    assert!(!told(&coverage).contains(char::is_control), "{coverage:?}");
}

/// A group with this many members, as one message.
fn big_group(id: u32, members: usize) -> Vec<u8> {
    let names: Vec<String> = (0..members).map(|n| format!("uid={n:0>190},ou=people,dc=x")).collect();
    group(id, "member", &names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_left_out_by_name_and_the_rest_is_read() {
    let fake = Fake::but_for(Request::Groups, |id| {
        let small = entry(
            id,
            "cn=small,dc=x",
            &[("entryUUID", &["00000000-0000-0000-0000-0000000000aa"]), ("objectClass", &["groupOfNames"])],
        );
        vec![Act::Send([big_group(id, 6_000), small, done(id, "")].concat())]
    })
    .await;
    let mut settings = fake.settings();
    settings.largest_entry = 1024 * 1024;
    let (entries, coverage) = read(settings.clone()).await;
    assert!(told(&coverage).contains("cn=staff,dc=x was left out because it is larger than 1 MiB"), "{coverage:?}");
    assert_eq!(entries.len(), 4, "one group and three users are read");
    settings.largest_entry = 2 * 1024 * 1024;
    let (entries, coverage) = read(settings).await;
    assert!(is_full(&coverage), "{coverage:?}");
    assert_eq!(entries.len(), 5);
}

#[tokio::test]
async fn an_entry_of_more_values_than_are_accepted_is_left_out_by_name() {
    let fake = Fake::but_for(Request::Users, |id| {
        let values = ber(0x31, &[string("").repeat(2_100_000)]);
        let flood = message(id, ber(0x64, &[string("uid=flood,dc=x"), ber(0x30, &[ber(0x30, &[string("uid"), values])])]));
        vec![Act::Send([flood, user(id, "1"), done(id, "")].concat())]
    })
    .await;
    let (entries, coverage) = fake.read().await;
    assert!(told(&coverage).contains("uid=flood,dc=x was left out"), "{coverage:?}");
    assert_eq!(entries.len(), 2);
}

#[tokio::test]
async fn an_entry_too_large_that_stops_halfway_ends_the_reading() {
    for act in [|| Act::Close, || Act::Stall] {
        let fake = Fake::but_for(Request::Users, move |id| {
            let whole = entry(id, "uid=long,dc=x", &[("uid", &[&"x".repeat(3 * 1024 * 1024)])]);
            vec![Act::Send([user(id, "1"), whole[..2 * 1024 * 1024].to_vec()].concat()), act()]
        })
        .await;
        let mut settings = fake.settings();
        settings.largest_entry = 1024 * 1024;
        settings.operation_timeout = Duration::from_millis(500);
        let (entries, coverage) = read(settings).await;
        assert!(!is_full(&coverage));
        assert_eq!(entries.len(), 2);
    }
}

#[tokio::test]
async fn references_without_end_are_given_up() {
    let fake = Fake::but_for(Request::Users, |id| {
        let reference = message(id, ber(0x73, &[string("ldap://elsewhere/dc=y")]));
        vec![Act::Send([user(id, "1"), reference.repeat(100_100), done(id, "")].concat())]
    })
    .await;
    let (_, coverage) = fake.read().await;
    assert!(told(&coverage).contains("more answers to one search than any directory has"), "{coverage:?}");
}

/// Carries a conversation with a server and spoils octets of what it says.
async fn spoiler(server: u16, seed: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut next = chance.usize(..600);
        let mut octets = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut octets).await {
            let said = &mut octets[..count];
            while next < count {
                said[next] = if chance.bool() { chance.u8(..) } else { said[next] ^ (1 << chance.u8(..8)) };
                next += 1 + chance.usize(..400);
            }
            next -= count;
            if to_client.write_all(said).await.is_err() {
                return;
            }
        }
    });
    port
}

#[tokio::test]
async fn a_real_conversation_with_spoilt_octets_ends_and_never_fails_the_library() {
    let users: String = (0..20)
        .map(|n| format!("dn: uid=u{n},dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: u{n}\ncn: u\nsn: u\n\n"))
        .collect();
    let slapd = crate::support::slapd::Slapd::start(&users);
    let mut settings = slapd.settings();
    settings.operation_timeout = Duration::from_millis(500);
    let mut full = 0;
    for seed in 0..300 {
        settings.urls = vec![format!("ldap://127.0.0.1:{}", spoiler(slapd.port(), seed).await).parse().unwrap()];
        let (_, coverage) = tokio::time::timeout(Duration::from_secs(30), read(settings.clone())).await.expect("it ends");
        if is_full(&coverage) {
            full += 1;
        } else {
            assert!(!told(&coverage).contains("library failed"), "{seed}: {coverage:?}");
        }
    }
    assert!(full < 300, "something was spoilt");
}
