//! Stands between the server and the LDAP library: hands over only messages of bounded length and nesting,
//! of the right shape, that answer a request which is open, no faster than they are read.
//!
//! The library panics on shapes that it does not expect, overflows the stack on deep nesting, and queues
//! without bound. A violation ends the connection; whoever waits on it learns why from [`Ending`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ber::Violation;
use super::credit::Credit;
use super::ending::Ending;
use super::frame::{FrameError, Frames};
use super::shape::{Message, operation};

/// The Sync Request control (RFC 4533 §2.2).
pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// What kind of request is open under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Search,
    /// A search that is told things between its entries (RFC 4533 §2.5).
    Synchronization,
    Other,
}

#[derive(Debug, Default)]
struct Requests(Mutex<HashMap<i32, Open>>);

impl Requests {
    fn opened(&self, message: &Message<'_>) {
        let open = match message.operation.tag {
            operation::SEARCH_REQUEST if message.carries(SYNC_REQUEST) => Open::Synchronization,
            operation::SEARCH_REQUEST => Open::Search,
            _ => Open::Other,
        };
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match message.abandoned() {
            Some(id) => requests.remove(&id),
            None => requests.insert(message.id, open),
        };
    }

    /// Judges an answer: `Some(credit)` if it is handed over, with what it costs; `None` if it is dropped.
    fn judge(&self, message: &Message<'_>) -> Result<Option<Charge>, Violation> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = requests.get(&message.id).copied() else { return Ok(None) };
        let tag = message.operation.tag;
        let charge = match (open, tag) {
            (Open::Search | Open::Synchronization, operation::ENTRY | operation::REFERENCE)
            | (Open::Synchronization, operation::INTERMEDIATE) => Charge::Octets,
            (Open::Search | Open::Synchronization, operation::DONE)
            | (Open::Other, operation::BIND_RESPONSE | operation::EXTENDED_RESPONSE) => {
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

/// Carries messages both ways until either side ends, then tells `ending` why.
pub async fn stand<S, L>(server: S, library: L, credit: Credit, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Send,
    L: AsyncRead + AsyncWrite + Send,
{
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut from_library, mut to_library) = tokio::io::split(library);
    let requests = Requests::default();
    let why = tokio::select! {
        end = outwards(&mut from_library, &mut to_server, &requests) => match end {
            Ok(()) => "we closed the connection".to_owned(),
            Err(error) => format!("the connection was lost while sending: {error}"),
        },
        why = inwards(&mut from_server, &mut to_library, &requests, &credit) => why,
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
async fn inwards<R, W>(server: &mut R, library: &mut W, requests: &Requests, credit: &Credit) -> String
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut frames = Frames::default();
    loop {
        let frame = match frames.next(server).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return "the server closed the connection".to_owned(),
            Err(FrameError::Violation(violation)) => return breach(&violation),
            Err(error) => return format!("the connection was lost: {error}"),
        };
        let judged = Message::open(&frame).and_then(|message| match message.id {
            0 => Ok(Judged::Unasked(message.result_code().unwrap_or_default())),
            _ => requests.judge(&message).map(|charge| charge.map_or(Judged::Dropped, Judged::HandedOver)),
        });
        match judged {
            Ok(Judged::Dropped) => tracing::debug!("an answer to no open request was dropped"),
            // RFC 4511 §4.4.1: the notice of disconnection is the only unsolicited notification there is.
            Ok(Judged::Unasked(code)) => return format!("the server announced that it closes the connection (result {code})"),
            Ok(Judged::HandedOver(charge)) => {
                match charge {
                    Charge::Octets => credit.take(frame.len()).await,
                    Charge::Nothing => {}
                }
                if let Err(error) = library.write_all(&frame).await {
                    return format!("the connection was given up: {error}");
                }
            }
            Err(violation) => return breach(&violation),
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
