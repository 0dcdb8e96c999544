//! Stands between the server and the LDAP library: hands over only messages of bounded length and nesting,
//! of the right shape, that answer a request which is open, no faster than they are read.
//!
//! The library panics on shapes that it does not expect, overflows the stack on deep nesting, and queues
//! without bound. A violation ends the connection; whoever waits on it learns why from [`Ending`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ber::Violation;
use super::credit::Credit;
use super::ending::Ending;
use super::frame::{FrameError, Frames};
use super::shape::{Message, operation};

/// References that one search may bring. Nobody's directory has more; none of them costs the server anything.
const MOST_REFERENCES: u32 = 100_000;

/// Octets that one request may bring, where it is not one that goes on for ever: over ten thousand for each of five
/// million entries.
const MOST_OCTETS: u64 = 64 * 1024 * 1024 * 1024;

/// Controls of searches that go on for ever: content synchronization (RFC 4533), Active Directory's notification
/// (MS-ADTS §3.1.1.3.4.1.9) and the persistent search.
const LASTING: [&str; 3] = [SYNC_REQUEST, "1.2.840.113556.1.4.528", "2.16.840.1.113730.3.4.3"];

/// The Sync Request control (RFC 4533 §2.2).
pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// What kind of request is open under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Search(Brought),
    Other,
}

/// What a search has brought so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Brought {
    references: u32,
    octets: u64,
    lasting: bool,
    /// It is told things between its entries (RFC 4533 §2.5).
    synchronizes: bool,
}

impl Brought {
    /// Counts an answer, which may be one too many.
    fn count(&mut self, tag: u8, octets: usize) -> Result<(), Violation> {
        self.references += u32::from(tag == operation::REFERENCE);
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        if !self.lasting && (self.references > MOST_REFERENCES || self.octets > MOST_OCTETS) {
            return Err(Violation::Endless);
        }
        Ok(())
    }
}

/// The requests that are open on one connection.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<Mutex<HashMap<i32, Open>>>);

impl Requests {
    /// True if every request was answered to its end.
    pub fn are_answered(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn opened(&self, message: &Message<'_>) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match message.operation.tag {
            operation::SEARCH_REQUEST => {
                let lasting = LASTING.iter().any(|oid| message.carries(oid));
                Open::Search(Brought { lasting, synchronizes: message.carries(SYNC_REQUEST), ..Brought::default() })
            }
            // Neither is answered (RFC 4511 §4.3, §4.11); what still comes for an abandoned search is dropped.
            operation::UNBIND_REQUEST => return,
            operation::ABANDON_REQUEST => {
                message.abandoned().map(|id| requests.remove(&id));
                return;
            }
            _ => Open::Other,
        };
        requests.insert(message.id, open);
    }

    /// Judges an answer: `Some(credit)` if it is handed over, with what it costs; `None` if it is dropped.
    fn judge(&self, message: &Message<'_>, octets: usize) -> Result<Option<Charge>, Violation> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = requests.get_mut(&message.id) else { return Ok(None) };
        let tag = message.operation.tag;
        let charge = match (open, tag) {
            (Open::Search(brought), operation::INTERMEDIATE) if brought.synchronizes => {
                brought.count(tag, octets)?;
                Charge::Octets
            }
            (Open::Search(brought), operation::ENTRY | operation::REFERENCE) => {
                brought.count(tag, octets)?;
                Charge::Octets
            }
            (Open::Search(_), operation::DONE) | (Open::Other, operation::BIND_RESPONSE | operation::EXTENDED_RESPONSE) => {
                requests.remove(&message.id);
                Charge::Nothing
            }
            (_, operation::INTERMEDIATE) => return Ok(None),
            _ => return Err(Violation::WrongReply { tag }),
        };
        message.check_answer()?;
        Ok(Some(charge))
    }
}

enum Charge {
    Nothing,
    Octets,
}

/// What a connection's guard shares with whoever uses the connection.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// How far the reader is behind.
    pub credit: Credit,
    /// Why it ended.
    pub ending: Ending,
    /// What is not answered yet.
    pub requests: Requests,
}

/// Carries messages both ways until either side ends, then tells `ending` why. `longest` is the octets of the largest
/// entry that is handed over whole.
pub async fn stand<S, L>(server: S, library: L, longest: usize, shared: Shared)
where
    S: AsyncRead + AsyncWrite + Send,
    L: AsyncRead + AsyncWrite + Send,
{
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut from_library, mut to_library) = tokio::io::split(library);
    let Shared { credit, ending, requests } = shared;
    let why = tokio::select! {
        end = outwards(&mut from_library, &mut to_server, &requests) => match end {
            Ok(()) => "we closed the connection".to_owned(),
            Err(error) => format!("the connection was lost while sending: {error}"),
        },
        why = inwards(&mut from_server, &mut to_library, Frames::new(longest), &requests, &credit) => why,
    };
    ending.tell(why);
    let _ = to_server.shutdown().await;
}

async fn outwards<R, W>(library: &mut R, server: &mut W, requests: &Requests) -> Result<(), FrameError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut frames = Frames::default();
    while let Some(frame) = frames.next(library).await? {
        requests.opened(&Message::open(&frame)?);
        server.write_all(&frame).await?;
        server.flush().await?;
    }
    Ok(())
}

/// Returns why nothing more comes from the server.
async fn inwards<R, W>(server: &mut R, library: &mut W, mut frames: Frames, requests: &Requests, credit: &Credit) -> String
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut judged = Vec::new();
    loop {
        let why = handed_over(server, library, &mut frames, requests, credit, &mut judged).await;
        // What was good before the end is handed over as well.
        if let Err(error) = library.write_all(&judged).await {
            return format!("the connection was given up: {error}");
        }
        judged.clear();
        match why {
            Some(why) => return why,
            None => judged.shrink_to(2 * TOGETHER),
        }
    }
}

/// Octets of messages that are handed over together, where they came together.
const TOGETHER: usize = 64 * 1024;

/// Judges messages up to where the next one has to be waited for; returns why no more come, if so.
async fn handed_over<R, W>(
    server: &mut R,
    library: &mut W,
    frames: &mut Frames,
    requests: &Requests,
    credit: &Credit,
    good: &mut Vec<u8>,
) -> Option<String>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        let frame = match frames.next(server).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return Some("the server closed the connection".to_owned()),
            Err(FrameError::Violation(violation)) => return Some(breach(&violation)),
            Err(error) => return Some(format!("the connection was lost: {error}")),
        };
        let judged = Message::open(&frame).and_then(|message| match message.id {
            0 => Ok(Judged::Unasked(message.result_code().unwrap_or_default())),
            _ => requests.judge(&message, frame.len()).map(|charge| charge.map_or(Judged::Dropped, Judged::HandedOver)),
        });
        match judged {
            Ok(Judged::Dropped) => tracing::debug!("an answer to no open request was dropped"),
            // RFC 4511 §4.4.1: the notice of disconnection is the only unsolicited notification there is.
            Ok(Judged::Unasked(code)) => {
                return Some(format!("the server announced that it closes the connection (result {code})"));
            }
            Ok(Judged::HandedOver(charge)) => {
                let is_free = match charge {
                    Charge::Octets => credit.try_take(frame.len()),
                    Charge::Nothing => true,
                };
                if !is_free {
                    // What is kept here nobody can read, nor give credit back for.
                    if let Err(error) = library.write_all(good).await {
                        return Some(format!("the connection was given up: {error}"));
                    }
                    good.clear();
                    credit.take(frame.len()).await;
                }
                good.extend_from_slice(&frame);
            }
            Err(violation) => return Some(breach(&violation)),
        }
        if good.len() >= TOGETHER || !frames.has_next() {
            return None;
        }
    }
}

enum Judged {
    Dropped,
    Unasked(u32),
    HandedOver(Charge),
}

fn breach(violation: &Violation) -> String {
    format!("the server broke the protocol, so the connection was closed: {violation}")
}

#[cfg(test)]
mod tests;
