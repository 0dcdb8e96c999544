//! Cuts a stream of octets into LDAP messages, each of bounded length and nesting.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::ber::{self, Violation};

/// Longest message accepted. A group of 500,000 members of 100 octets each is 50 MB in one message.
pub const LONGEST: usize = 64 * 1024 * 1024;

/// Deepest nesting accepted. The deepest answer of RFC 4511 needs 6; controls hold their values as octets.
pub const DEEPEST: usize = 32;

/// Why no further message comes.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer's octets are unacceptable.
    #[error("{0}")]
    Violation(#[from] Violation),
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The connection ended inside a message.
    #[error("the connection ended inside a message")]
    CutShort,
}

/// Octets read and not yet handed out.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
}

impl Frames {
    /// The next message whole; `None` when the peer closed the connection between two messages.
    pub async fn next<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            if from.read_buf(&mut self.buffer).await? == 0 {
                return if self.is_empty() { Ok(None) } else { Err(FrameError::CutShort) };
            }
        }
    }

    /// True if nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.start >= self.buffer.len()
    }

    fn take(&mut self) -> Result<Option<Vec<u8>>, Violation> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some(header) = ber::header(rest)? else { return Ok(None) };
        if header.tag != 0x30 {
            return Err(Violation::Shape("it does not begin with a sequence"));
        }
        if header.length > LONGEST {
            return Err(Violation::TooLong(header.length));
        }
        let Some(frame) = rest.get(..header.octets + header.length) else { return Ok(None) };
        ber::check_nesting(frame, DEEPEST)?;
        let frame = frame.to_vec();
        self.start += frame.len();
        if self.is_empty() {
            self.start = 0;
            self.buffer.clear();
            self.buffer.shrink_to(1024 * 1024);
        } else if self.start > 64 * 1024 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(octets: &[u8]) -> (Vec<Vec<u8>>, Option<FrameError>) {
        let mut reader = octets;
        let mut frames = Frames::default();
        let mut all = Vec::new();
        loop {
            match frames.next(&mut reader).await {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn messages_come_out_one_by_one() {
        let one = ber::write(0x30, &ber::write_unsigned(2, 1));
        let (all, error) = frames(&one.repeat(3)).await;
        assert_eq!((all.len(), error.is_none()), (3, true));
    }

    #[tokio::test]
    async fn a_message_cut_short_is_an_error() {
        let one = ber::write(0x30, &ber::write_unsigned(2, 1));
        for cut in 1..one.len() {
            let (all, error) = frames(&one[..cut]).await;
            assert!(all.is_empty() && matches!(error, Some(FrameError::CutShort)), "{cut}");
        }
    }

    #[tokio::test]
    async fn a_giant_length_is_refused_before_its_octets_come() {
        let (_, error) = frames(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0]).await;
        assert!(matches!(error, Some(FrameError::Violation(Violation::TooLong(_)))));
    }

    #[tokio::test]
    async fn garbage_is_refused() {
        let (_, error) = frames(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        assert!(matches!(error, Some(FrameError::Violation(_))));
    }
}
