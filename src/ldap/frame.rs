//! Cuts a stream of octets into LDAP messages, each of bounded length and nesting. An entry that is too large is left
//! out: its octets are thrown away as they come, and a small one with its DN and a mark stands in its place.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::ber::{self, Violation};
use super::settings::LARGEST_ENTRY;
use super::shape::operation;

/// The attribute of an entry that stands for one that was left out. No server has one of this name; if one had, its
/// entry would be missing from a reading that says so.
pub const LEFT_OUT: &str = "x-ldap2scim-left-out";

/// An entry so many times longer than what is accepted is none: the server is taken for one that never ends.
const ENDLESS: usize = 8;

/// Octets that are read at once at most, while small messages come.
const AT_ONCE: usize = 64 * 1024;

/// Octets of the DN of an entry that is left out.
const LONGEST_DN: usize = 64 * 1024;

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
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    longest: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self::new(LARGEST_ENTRY)
    }
}

/// What lies at the beginning of the buffer.
enum Ahead {
    /// A whole message, now taken out.
    Frame(Vec<u8>),
    /// An entry of which so many octets, some of them not yet here, are to be thrown away, and what stands for it.
    TooLarge(Vec<u8>, usize),
    /// Not enough to tell.
    More,
}

impl Frames {
    /// Messages of at most so many octets.
    pub fn new(longest: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, longest }
    }

    /// The next message whole; `None` when the peer closed the connection between two messages.
    pub async fn next<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            match self.take()? {
                Ahead::Frame(frame) => return Ok(Some(frame)),
                Ahead::TooLarge(substitute, octets) => {
                    self.throw_away(octets, from).await?;
                    return Ok(Some(substitute));
                }
                Ahead::More => {}
            }
            self.make_room();
            if from.read_buf(&mut self.buffer).await? == 0 {
                return if self.is_empty() { Ok(None) } else { Err(FrameError::CutShort) };
            }
        }
    }

    /// True if the next message can be had without reading: all of it is here, or what stands in its place.
    pub fn has_next(&self) -> bool {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        match ber::header(rest) {
            Ok(Some(header)) => header.octets.checked_add(header.length).is_some_and(|whole| whole <= rest.len()),
            Ok(None) | Err(_) => false,
        }
    }

    /// A read takes no more than there is room for, and each costs the same whatever it brings.
    fn make_room(&mut self) {
        if self.buffer.capacity() - self.buffer.len() < AT_ONCE / 4 {
            self.buffer.reserve(AT_ONCE);
        }
    }

    /// True if nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.start >= self.buffer.len()
    }

    fn take(&mut self) -> Result<Ahead, Violation> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some(header) = ber::header(rest)? else { return Ok(Ahead::More) };
        if header.tag != 0x30 {
            return Err(Violation::Shape("it does not begin with a sequence"));
        }
        let whole = header.octets.checked_add(header.length).ok_or(Violation::BadLength)?;
        if whole > self.longest {
            let substitute =
                if whole / ENDLESS > self.longest { Err(Violation::TooLong(whole)) } else { substitute(rest, header) };
            return substitute.map(|substitute| substitute.map_or(Ahead::More, |substitute| Ahead::TooLarge(substitute, whole)));
        }
        let Some(frame) = rest.get(..whole) else { return Ok(Ahead::More) };
        let frame = match ber::check_nesting(frame, DEEPEST) {
            Ok(()) => frame.to_vec(),
            // Each value costs many times its octets once it is parsed.
            Err(Violation::TooMany(most)) => match substitute(frame, header) {
                Ok(Some(substitute)) => substitute,
                Ok(None) | Err(_) => return Err(Violation::TooMany(most)),
            },
            Err(violation) => return Err(violation),
        };
        self.advance(whole);
        Ok(Ahead::Frame(frame))
    }

    fn advance(&mut self, octets: usize) {
        self.start += octets;
        if self.is_empty() {
            self.start = 0;
            self.buffer.clear();
            self.buffer.shrink_to(1024 * 1024);
        } else if self.start > 64 * 1024 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    /// Drops that many octets, and reads on where they are not here yet.
    async fn throw_away<R: AsyncRead + Unpin>(&mut self, octets: usize, from: &mut R) -> Result<(), FrameError> {
        let mut left = octets;
        loop {
            let here = left.min(self.buffer.len().saturating_sub(self.start));
            self.advance(here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            if from.read_buf(&mut self.buffer).await? == 0 {
                return Err(FrameError::CutShort);
            }
        }
    }
}

/// What stands for an entry that is too large, from its first octets; `None` if more of them are needed.
fn substitute(octets: &[u8], message: ber::Header) -> Result<Option<Vec<u8>>, Violation> {
    let too_long = || Violation::TooLong(message.length);
    let content = octets.get(message.octets..).unwrap_or_default();
    let Some(id) = ber::header(content)? else { return Ok(None) };
    if id.tag != 0x02 || !(1..=4).contains(&id.length) {
        return Err(Violation::Shape("no message id"));
    }
    let id_end = id.octets + id.length;
    let Some(id) = content.get(..id_end) else { return Ok(None) };
    let rest = content.get(id_end..).unwrap_or_default();
    let Some(entry) = ber::header(rest)? else { return Ok(None) };
    if entry.tag != operation::ENTRY {
        return Err(too_long());
    }
    let within = |length: usize, around: usize| if length > around { Err(Violation::Overrun) } else { Ok(()) };
    within(entry.octets.saturating_add(entry.length), message.length.saturating_sub(id_end))?;
    let rest = rest.get(entry.octets..).unwrap_or_default();
    let Some(dn) = ber::header(rest)? else { return Ok(None) };
    if dn.tag != 0x04 || dn.length > LONGEST_DN {
        return Err(too_long());
    }
    within(dn.octets.saturating_add(dn.length), entry.length)?;
    let Some(dn) = rest.get(..dn.octets + dn.length) else { return Ok(None) };
    let mark = ber::write(0x30, &[ber::write(0x04, LEFT_OUT.as_bytes()), ber::write(0x31, &[])].concat());
    let entry = ber::write(operation::ENTRY, &[dn, &ber::write(0x30, &mark)].concat());
    Ok(Some(ber::write(0x30, &[id, &entry].concat())))
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

    fn large(values: usize) -> Vec<u8> {
        let value = ber::write(0x31, &ber::write(4, b"uid=somebody,dc=x").repeat(values));
        let attribute = ber::write(0x30, &[ber::write(4, b"member"), value].concat());
        let entry = ber::write(0x64, &[ber::write(4, b"cn=all,dc=x"), ber::write(0x30, &attribute)].concat());
        ber::write(0x30, &[ber::write_unsigned(2, 7), entry].concat())
    }

    #[tokio::test]
    async fn an_entry_that_is_too_large_is_left_out_by_its_dn_and_the_next_message_is_whole() {
        let small = ber::write(0x30, &[ber::write_unsigned(2, 7), ber::write(0x65, b"")].concat());
        let stream = [large(60), small.clone(), large(60), large(3)].concat();
        for piece in [1, 7, 64, 1_000_000] {
            let mut reader = in_pieces(&stream, piece);
            let mut frames = Frames::new(200);
            let mut all = Vec::new();
            while let Some(frame) = frames.next(&mut reader).await.unwrap() {
                all.push(frame);
            }
            assert_eq!((all.len(), &all[1], &all[3]), (4, &small, &large(3)), "in pieces of {piece}");
            for left_out in [&all[0], &all[2]] {
                let text = String::from_utf8_lossy(left_out);
                assert!(text.contains("cn=all,dc=x") && text.contains(LEFT_OUT) && left_out.len() < 100, "{text}");
            }
        }
    }

    /// A reader that hands out a few octets at a time.
    fn in_pieces(octets: &[u8], piece: usize) -> impl AsyncRead + Unpin + use<> {
        let (mut writer, reader) = tokio::io::duplex(piece);
        let octets = octets.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut writer, &octets).await });
        reader
    }

    #[tokio::test]
    async fn an_entry_of_far_too_many_values_is_left_out_by_its_dn() {
        let many = ber::write(0x31, &ber::write(4, b"").repeat(2_100_000));
        let attribute = ber::write(0x30, &[ber::write(4, b"member"), many].concat());
        let entry = ber::write(0x64, &[ber::write(4, b"cn=all,dc=x"), ber::write(0x30, &attribute)].concat());
        let (all, error) = frames(&ber::write(0x30, &[ber::write_unsigned(2, 7), entry].concat())).await;
        assert!(error.is_none() && String::from_utf8_lossy(&all[0]).contains(LEFT_OUT));
    }

    #[tokio::test]
    async fn what_is_too_long_and_no_entry_ends_the_connection() {
        let result = ber::write(0x65, &vec![0; 300]);
        let long_dn = ber::write(0x64, &ber::write(4, &vec![b'x'; 70_000]));
        for operation in [result, long_dn, large(200)] {
            let mut frames = Frames::new(200);
            let message = ber::write(0x30, &[ber::write_unsigned(2, 7), operation].concat());
            let error = frames.next(&mut message.as_slice()).await.unwrap_err();
            assert!(matches!(error, FrameError::Violation(Violation::TooLong(_))), "{error}");
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
