//! StartTLS (RFC 4511 §4.14), before anybody else speaks on the connection.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::ber;
use super::frame::Frames;
use super::root_dse::result_name;
use super::shape::{Message, operation};

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const ID: u32 = 1;

/// Asks the server to switch to TLS; when this returns, the next octets on the stream are TLS.
pub async fn ask(stream: &mut TcpStream, limit: Duration) -> Result<(), String> {
    tokio::time::timeout(limit, exchange(stream))
        .await
        .map_err(|_| format!("no answer to StartTLS within {} s", limit.as_secs()))?
}

async fn exchange(stream: &mut TcpStream) -> Result<(), String> {
    let request = ber::write(operation::EXTENDED_REQUEST, &ber::write(0x80, START_TLS));
    let message = ber::write(0x30, &[ber::write_unsigned(0x02, ID), request].concat());
    stream.write_all(&message).await.map_err(|error| format!("StartTLS cannot be sent: {error}"))?;
    let mut frames = Frames::default();
    let frame = frames
        .next(stream)
        .await
        .map_err(|error| format!("StartTLS was not answered: {error}"))?
        .ok_or("the server closed the connection at StartTLS")?;
    let bad = |violation| format!("StartTLS was answered against the protocol: {violation}");
    let answer = Message::open(&frame).map_err(bad)?;
    if answer.operation.tag != operation::EXTENDED_RESPONSE || u32::try_from(answer.id) != Ok(ID) {
        return Err("StartTLS was answered by something else".to_owned());
    }
    answer.check_answer().map_err(bad)?;
    match answer.result_code() {
        // Whoever sits on the path could slip in clear text that would later be taken for the server's.
        Some(0) if !frames.is_empty() => {
            Err("clear text followed the answer to StartTLS: somebody may sit on the path".to_owned())
        }
        Some(0) => Ok(()),
        code => Err(format!("the server refused StartTLS: {}", result_name(code.unwrap_or(80)))),
    }
}
