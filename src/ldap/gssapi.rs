//! SASL GSSAPI (RFC 4752): a bind by Kerberos ticket, before anybody else speaks on the connection. The connection is
//! encrypted by TLS, so no security layer of Kerberos' own is laid over it.
//!
//! The ticket is got by the system's Kerberos library, from the credential cache or the client keytab of the process.

use std::time::Duration;

use cross_krb5::{ClientCtx, InitiateFlags, K5Ctx, PendingClientCtx, Step};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ber;
use super::frame::Frames;
use super::shape::{Message, operation};

/// saslBindInProgress (RFC 4511 appendix A).
const GOES_ON: u32 = 14;

/// No security layer, and so no size of a message under it (RFC 4752 §3.3).
const NO_LAYER: [u8; 4] = [1, 0, 0, 0];

/// Steps of a handshake at most: Kerberos needs two, then the choice of a layer.
const STEPS: u32 = 8;

/// What came of it.
pub struct Answer {
    /// Result code of the last bind response.
    pub code: u32,
    /// The server's words.
    pub text: String,
}

/// How far the handshake is.
enum State {
    Pending(PendingClientCtx),
    /// The server's list of layers is awaited.
    Established(ClientCtx),
    /// The choice was sent.
    Chosen,
}

/// Binds as `principal`. Errors are sentences.
pub async fn bind<S>(stream: &mut S, host: &str, principal: String, limit: Duration) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = format!("ldap/{host}");
    // The library asks the key distribution centre and waits for it.
    let begin = move || {
        let begun = ClientCtx::new(InitiateFlags::empty(), Some(principal.as_str()), &service, None);
        begun.map(|(pending, token)| (State::Pending(pending), token.to_vec()))
    };
    let begun = tokio::task::spawn_blocking(begin).await.map_err(|_| "the Kerberos library failed".to_owned())?;
    let (mut state, mut token) = begun.map_err(|error| format!("no Kerberos ticket for the bind: {error}"))?;
    let mut frames = Frames::default();
    for id in 1..=STEPS {
        let answer = tokio::time::timeout(limit, ask(stream, &mut frames, id, &token))
            .await
            .map_err(|_| format!("no answer to the bind within {} s", limit.as_secs()))??;
        if answer.0.code != GOES_ON {
            return match (&state, answer.0.code) {
                // Success before the choice of a layer would be success without proof of who the server is.
                (State::Pending(_) | State::Established(_), 0) => Err("the server ended the Kerberos bind too early".to_owned()),
                (State::Pending(_) | State::Established(_) | State::Chosen, _) => Ok(answer.0),
            };
        }
        (state, token) = step(state, &answer.1).map_err(|why| format!("the Kerberos bind failed: {why}"))?;
    }
    Err("the Kerberos bind has no end".to_owned())
}

fn step(state: State, token: &[u8]) -> Result<(State, Vec<u8>), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    match state {
        State::Pending(pending) => match pending.step(token).map_err(|error| text(&error))? {
            Step::Finished((context, token)) => {
                Ok((State::Established(context), token.map(|token| token.to_vec()).unwrap_or_default()))
            }
            Step::Continue((pending, token)) => Ok((State::Pending(pending), token.to_vec())),
        },
        State::Established(mut context) => {
            let layers = context.unwrap(token).map_err(|error| text(&error))?;
            if layers.first().is_none_or(|offered| offered & 1 == 0) {
                return Err("the server insists on a security layer of its own below TLS".to_owned());
            }
            let choice = context.wrap(false, &NO_LAYER).map_err(|error| text(&error))?;
            Ok((State::Chosen, choice.to_vec()))
        }
        State::Chosen => Err("the server goes on after the end".to_owned()),
    }
}

/// One bind request and its response, with the server's token.
async fn ask<S>(stream: &mut S, frames: &mut Frames, id: u32, token: &[u8]) -> Result<(Answer, Vec<u8>), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let lost = |error: &dyn std::fmt::Display| format!("the connection was lost at the bind: {error}");
    let credentials = [ber::write(0x04, b"GSSAPI"), ber::write(0x04, token)].concat();
    let request = [ber::write_unsigned(0x02, 3), ber::write(0x04, b""), ber::write(0xa3, &credentials)].concat();
    let message = [ber::write_unsigned(0x02, id), ber::write(operation::BIND_REQUEST, &request)].concat();
    stream.write_all(&ber::write(0x30, &message)).await.map_err(|error| lost(&error))?;
    stream.flush().await.map_err(|error| lost(&error))?;
    let frame = frames.next(stream).await.map_err(|error| lost(&error))?.ok_or("the server closed the connection at the bind")?;
    let bad = |violation| format!("the bind was answered against the protocol: {violation}");
    let answer = Message::open(&frame).map_err(bad)?;
    if answer.operation.tag != operation::BIND_RESPONSE || u32::try_from(answer.id) != Ok(id) {
        return Err("the bind was answered by something else".to_owned());
    }
    answer.check_answer().map_err(bad)?;
    let mut parts = ber::elements(answer.operation.content).skip(2).flatten();
    let text = parts.next().map(|text| String::from_utf8_lossy(text.content).into_owned()).unwrap_or_default();
    let token = parts.find(|part| part.tag == 0x87).map(|part| part.content.to_vec()).unwrap_or_default();
    Ok((Answer { code: answer.result_code().unwrap_or(80), text }, token))
}
