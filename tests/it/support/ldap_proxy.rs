//! A proxy between our client and a real directory server: it knows LDAP, keeps a record of what is asked, enforces limits
//! that the server lacks, and does harm to one chosen request.
//!
//! ```ignore
//! let proxy = Proxy::start(slapd.port()).await;
//! proxy.limit(Limits { page: Some(1000), values: Some(1500) });     // as Active Directory
//! let asked = proxy.record();                                       // since the last call: names, lengths of answers
//! proxy.strike(4, Fault::Cut(17));                                  // the fifth request from now on
//! proxy.strike_named("page 2 below ou=people", Fault::Stall(1));    // the first one of this name
//! proxy.has_struck(); proxy.heal();
//! ```
//!
//! Requests that have answers are counted over all connections: `bind`, `extended`, `root DSE`, `page N below BASE`,
//! `range from N of BASE`, `entry BASE`, with the base in lower case.

pub mod faults;
pub mod limits;
pub mod message;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

use faults::Fault;
use limits::{Limits, Range};
use message::{Frames, Message, Page, operation, parts, primitive, text};

/// See the module.
#[derive(Clone)]
pub struct Proxy {
    port: u16,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    limits: Limits,
    planned: Option<Planned>,
    struck: bool,
    connections: usize,
    asked: Vec<Asked>,
}

struct Planned {
    at: At,
    fault: Fault,
}

enum At {
    /// So many requests pass before.
    After(usize),
    Name(String),
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What was asked.
    pub name: String,
    /// Octets of each message of the answer.
    pub answer: Vec<usize>,
}

impl Asked {
    /// True for a page of a search below a base.
    pub fn is_page(&self) -> bool {
        self.name.starts_with("page")
    }
}

impl Proxy {
    /// A proxy before the server at a port of this machine. Its server may come and go.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), inside: Arc::default() };
        let inside = proxy.inside.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                inside.lock().unwrap().connections += 1;
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                tokio::spawn(carry(client, server, inside.clone()));
            }
        });
        proxy
    }

    /// `ldap://127.0.0.1:PORT`
    pub fn url(&self) -> url::Url {
        format!("ldap://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// Enforces limits.
    pub fn limit(&self, limits: Limits) {
        self.inside.lock().unwrap().limits = limits;
    }

    /// Plans a fault for the request after so many others from now on.
    pub fn strike(&self, after: usize, fault: Fault) {
        self.plan(At::After(after), fault);
    }

    /// Plans a fault for the next request whose name begins like this.
    pub fn strike_named(&self, name: &str, fault: Fault) {
        self.plan(At::Name(name.to_owned()), fault);
    }

    fn plan(&self, at: At, fault: Fault) {
        let mut inside = self.inside.lock().unwrap();
        inside.planned = Some(Planned { at, fault });
        inside.struck = false;
    }

    /// True if the planned fault changed anything.
    pub fn has_struck(&self) -> bool {
        self.inside.lock().unwrap().struck
    }

    /// Plans nothing.
    pub fn heal(&self) {
        self.inside.lock().unwrap().planned = None;
    }

    /// What was asked since the last call.
    pub fn record(&self) -> Vec<Asked> {
        std::mem::take(&mut self.inside.lock().unwrap().asked)
    }

    /// Connections that were made so far.
    pub fn connections(&self) -> usize {
        self.inside.lock().unwrap().connections
    }
}

impl Inside {
    /// Records a request; its number, and the fault that is planned for it.
    fn note(&mut self, name: &str) -> (usize, Option<Fault>) {
        self.asked.push(Asked { name: name.to_owned(), answer: Vec::new() });
        let fault = match &mut self.planned {
            Some(Planned { at: At::After(0), .. }) => self.planned.take().map(|planned| planned.fault),
            Some(Planned { at: At::Name(wanted), .. }) if name.starts_with(wanted.as_str()) => {
                self.planned.take().map(|planned| planned.fault)
            }
            Some(Planned { at: At::After(others), .. }) => {
                *others -= 1;
                None
            }
            Some(Planned { at: At::Name(_), .. }) | None => None,
        };
        (self.asked.len() - 1, fault)
    }
}

/// A request whose answer is awaited.
struct Open {
    request: Message,
    number: usize,
    fault: Option<Fault>,
    range: Option<Range>,
    /// Entries, messages and octets of the answer that were passed on.
    entries: usize,
    messages: usize,
    octets: usize,
    /// What was passed on, to be said again.
    page: Vec<Message>,
    /// The answer was ended by the proxy.
    ended: bool,
}

/// Ends the connection.
struct Hangup {
    reset: bool,
}

/// What one search got so far.
#[derive(Default)]
struct Pages {
    number: usize,
    last: Vec<Message>,
    cookie: Vec<u8>,
}

struct Connection {
    inside: Arc<Mutex<Inside>>,
    client: OwnedWriteHalf,
    server: OwnedWriteHalf,
    open: HashMap<u32, Open>,
    pages: HashMap<Vec<u8>, Pages>,
}

async fn carry(client: TcpStream, server: TcpStream, inside: Arc<Mutex<Inside>>) {
    // Messages go out one by one and must not wait for each other's acknowledgement.
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (mut requests, mut answers) = (Frames::new(from_client), Frames::new(from_server));
    let (open, pages) = (HashMap::new(), HashMap::new());
    let mut connection = Connection { inside, client: to_client, server: to_server, open, pages };
    let end = loop {
        let passed = tokio::select! {
            request = requests.next() => match request {
                Some(frame) => connection.ask(frame).await,
                None => break Hangup { reset: false },
            },
            answer = answers.next() => match answer {
                Some(frame) => connection.answer(frame).await,
                None => break Hangup { reset: false },
            },
        };
        if let Err(end) = passed {
            break end;
        }
    };
    if end.reset {
        let _ = SockRef::from(connection.client.as_ref()).set_linger(Some(std::time::Duration::ZERO));
    }
}

/// Which search a page belongs to.
fn search_of(request: &Message) -> Vec<u8> {
    let parts = parts(&request.operation);
    [message::encode(&parts[0]), message::encode(&parts[6])].concat()
}

impl Connection {
    fn strike(&self) {
        self.inside.lock().unwrap().struck = true;
    }

    async fn send(&mut self, octets: &[u8]) -> Result<(), Hangup> {
        self.client.write_all(octets).await.map_err(|_| Hangup { reset: false })
    }

    /// Passes a request on.
    async fn ask(&mut self, frame: Vec<u8>) -> Result<(), Hangup> {
        let mut request = Message::decode(&frame);
        let known = [operation::BIND, operation::SEARCH, operation::EXTENDED];
        if !known.contains(&request.operation.id) {
            return self.server.write_all(&frame).await.map_err(|_| Hangup { reset: false });
        }
        let limits = self.inside.lock().unwrap().limits;
        let mut range = None;
        let mut frame = frame;
        if request.operation.id == operation::SEARCH {
            range = limits.take_range(&mut request);
            limits.cut_page(&mut request);
            frame = request.encode();
        }
        let name = self.name(&mut request, range.as_ref());
        let (number, fault) = self.inside.lock().unwrap().note(&name);
        let id = request.id;
        let mut open = Open { request, number, fault, range, entries: 0, messages: 0, octets: 0, page: Vec::new(), ended: false };
        match open.fault.clone() {
            Some(Fault::Delay(time)) => {
                self.strike();
                tokio::time::sleep(time).await;
            }
            Some(Fault::Octets(octets)) => {
                self.strike();
                self.send(&octets).await?;
            }
            Some(Fault::PageAgain) if name.starts_with("page") => {
                open.fault = None;
                let again = self.pages.get(&search_of(&open.request)).map(|pages| pages.last.clone()).unwrap_or_default();
                if !again.is_empty() {
                    self.strike();
                    for message in again {
                        self.send(&Message { id, ..message }.encode()).await?;
                    }
                    return Ok(());
                }
            }
            _ => {}
        }
        self.open.insert(id, open);
        self.server.write_all(&frame).await.map_err(|_| Hangup { reset: false })
    }

    fn name(&mut self, request: &mut Message, range: Option<&Range>) -> String {
        if request.operation.id != operation::SEARCH {
            return if request.operation.id == operation::BIND { "bind" } else { "extended" }.to_owned();
        }
        let (base, is_base) =
            (text(&parts(&request.operation)[0]).to_lowercase(), primitive(&parts(&request.operation)[1]) == [0]);
        match (range, is_base) {
            (Some(range), _) => format!("range from {} of {base}", range.first),
            (None, true) if base.is_empty() => "root DSE".to_owned(),
            (None, true) => format!("entry {base}"),
            (None, false) => {
                let is_first = request.page().is_none_or(|page| page.cookie.is_empty());
                let pages = self.pages.entry(search_of(request)).or_default();
                pages.number = if is_first { 1 } else { pages.number + 1 };
                format!("page {} below {base}", pages.number)
            }
        }
    }

    /// Passes a message of an answer on.
    async fn answer(&mut self, frame: Vec<u8>) -> Result<(), Hangup> {
        let mut message = Message::decode(&frame);
        let Some(mut open) = self.open.remove(&message.id) else {
            return self.send(&frame).await;
        };
        let is_entry = message.operation.id == operation::ENTRY;
        let is_end = !is_entry && message.operation.id != operation::REFERENCE;
        let limits = self.inside.lock().unwrap().limits;
        if is_entry {
            limits.cut_values(&mut message, open.range.as_ref());
        }
        if !open.ended {
            if is_entry && limits.is_reached(&mut open.request, open.entries) {
                let end = Message::result(message.id, operation::DONE, 4, &[]);
                self.pass(&mut open, end).await?;
                open.ended = true;
            } else {
                self.harm(&mut open, message).await?;
            }
        }
        if !is_end {
            self.open.insert(open.request.id, open);
        } else if let Some(pages) = self.pages.get_mut(&search_key(&open)) {
            if let Some(page) = open.page.last_mut().and_then(Message::page) {
                pages.cookie = page.cookie;
            }
            pages.last = open.page;
        }
        Ok(())
    }

    /// Passes a message on, or does what is planned.
    async fn harm(&mut self, open: &mut Open, mut message: Message) -> Result<(), Hangup> {
        let is_entry = message.operation.id == operation::ENTRY;
        let is_end = !is_entry && message.operation.id != operation::REFERENCE;
        match open.fault.clone() {
            Some(Fault::Stall(messages)) if open.messages >= messages => {
                self.strike();
                std::future::pending::<()>().await;
            }
            Some(Fault::Result(code, entries)) if open.entries >= entries || is_end => {
                return self.end(open, message.operation.id, code, &[]).await;
            }
            Some(Fault::Referral(entries)) if open.entries >= entries || is_end => {
                return self.end(open, message.operation.id, 10, &["ldap://elsewhere.example.com/dc=example,dc=com"]).await;
            }
            Some(Fault::Reference) if is_end && message.operation.id == operation::DONE => {
                self.strike();
                let reference = Message::reference(message.id, "ldap://elsewhere.example.com/ou=People,dc=example,dc=com");
                self.pass(open, reference).await?;
            }
            Some(Fault::NoPagingControl) if message.page().is_some() => {
                self.strike();
                message.controls = None;
            }
            Some(Fault::OtherCookie) => {
                if let Some(page) = message.page() {
                    self.strike();
                    message.set_page(&Page { cookie: vec![0x5a; 8], ..page });
                }
            }
            Some(Fault::OldCookie) => {
                let old = self.pages.get(&search_key(open)).map(|pages| pages.cookie.clone()).unwrap_or_default();
                if let Some(page) = message.page().filter(|page| !old.is_empty() && !page.cookie.is_empty()) {
                    self.strike();
                    message.set_page(&Page { cookie: old, ..page });
                }
            }
            Some(Fault::Twice) if is_entry && is_subtree(open) => {
                self.strike();
                self.pass(open, message.clone()).await?;
            }
            _ => {}
        }
        self.pass(open, message).await
    }

    /// Ends an answer with a result of ours.
    async fn end(&mut self, open: &mut Open, answer: u64, code: u32, referral: &[&str]) -> Result<(), Hangup> {
        self.strike();
        open.ended = true;
        let answer = if open.request.operation.id == operation::SEARCH { operation::DONE } else { answer };
        let end = Message::result(open.request.id, answer, code, referral);
        self.pass(open, end).await
    }

    /// Sends a message, or as much of it as may be sent before the connection is cut.
    async fn pass(&mut self, open: &mut Open, message: Message) -> Result<(), Hangup> {
        let frame = message.encode();
        let most = match &open.fault {
            Some(Fault::Cut(octets) | Fault::Reset(octets)) => Some(*octets),
            _ => None,
        };
        let left = most.map_or(frame.len(), |most| frame.len().min(most - open.octets));
        self.send(&frame[..left]).await?;
        if let Some(asked) = self.inside.lock().unwrap().asked.get_mut(open.number) {
            asked.answer.push(frame.len());
        }
        open.octets += left;
        open.messages += 1;
        open.entries += usize::from(message.operation.id == operation::ENTRY);
        if most.is_some_and(|most| open.octets >= most) {
            self.strike();
            return Err(Hangup { reset: matches!(open.fault, Some(Fault::Reset(_))) });
        }
        open.page.push(message);
        Ok(())
    }
}

fn is_subtree(open: &Open) -> bool {
    open.request.operation.id == operation::SEARCH && primitive(&parts(&open.request.operation)[1]) != [0]
}

fn search_key(open: &Open) -> Vec<u8> {
    if is_subtree(open) { search_of(&open.request) } else { Vec::new() }
}
