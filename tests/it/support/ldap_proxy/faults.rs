//! What goes wrong, as data.

use std::time::Duration;

use super::message::Message;

/// What the proxy does to one request or its answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// So many octets of the answer, then the connection is closed.
    Cut(usize),
    /// The same, and the connection is reset.
    Reset(usize),
    /// So many messages of the answer, then nothing for ever.
    Stall(usize),
    /// The answer comes later.
    Delay(Duration),
    /// So many entries, then this result code instead of the rest.
    Result(u32, usize),
    /// The same with code 10 and where to go.
    Referral(usize),
    /// A reference among the entries.
    Reference,
    /// The answer to a page has no paging control.
    NoPagingControl,
    /// The answer to a page has another cookie.
    OtherCookie,
    /// The cookie of the answer before.
    OldCookie,
    /// Instead of this page, the one before once more.
    PageAgain,
    /// Each entry twice.
    Twice,
    /// These octets before the answer.
    Octets(Vec<u8>),
}

/// Where a reading must tell that something is missing, if this befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing is missing.
    Nowhere,
    /// In searches below a base.
    BelowBases,
    /// Wherever it comes.
    Everywhere,
}

/// Result codes of a server that cannot do what it is asked for now.
pub const CODES: [u32; 8] = [1, 3, 4, 11, 51, 52, 53, 80];

/// What a server in trouble answers to the request of this number: every code to a page, and two to anything else; at once
/// or after an entry, by turns.
pub fn results(number: usize, is_page: bool) -> Vec<(Fault, Told)> {
    let result = |(index, code): (usize, u32)| (Fault::Result(code, (number + index) % 2), Told::Everywhere);
    let all = CODES.into_iter().enumerate().map(result);
    if is_page { all.collect() } else { all.filter(|(fault, _)| matches!(fault, Fault::Result(4 | 51, _))).collect() }
}

/// What a server never should answer, and what only looks odd; to what is no page, only what matters there.
pub fn oddities(is_page: bool) -> Vec<(Fault, Told)> {
    // RFC 4511 §4.1.1: a message is a SEQUENCE; this one says that it has 2 GB.
    let enormous = vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1];
    let mut all = vec![
        (Fault::Delay(Duration::from_millis(20)), Told::Nowhere),
        (Fault::Twice, Told::Nowhere),
        (Fault::PageAgain, Told::Nowhere),
        (Fault::Referral(0), Told::BelowBases),
        (Fault::Referral(1), Told::BelowBases),
        (Fault::Reference, Told::BelowBases),
        (Fault::NoPagingControl, Told::BelowBases),
        (Fault::OtherCookie, Told::BelowBases),
        (Fault::OldCookie, Told::BelowBases),
        (Fault::Octets(Message::notice().encode()), Told::Everywhere),
        (Fault::Octets(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Told::Everywhere),
        (Fault::Octets(enormous), Told::Everywhere),
        (Fault::Octets(vec![0x30, 0x80, 0, 0]), Told::Everywhere),
    ];
    all.retain(|(fault, told)| is_page || *told == Told::Everywhere || matches!(fault, Fault::Referral(0)));
    all
}

/// Where an answer of messages of these lengths is cut: before it, in the first message's header, in its middle, between
/// messages, in the middle of the last one, before its last octet, and after all of it. An answer that is no page is short:
/// three places do.
pub fn cuts(lengths: &[usize], is_page: bool) -> Vec<usize> {
    let (first, last) = (lengths.first().copied().unwrap_or(0), lengths.last().copied().unwrap_or(0));
    let total: usize = lengths.iter().sum();
    if !is_page {
        return vec![1, first / 2, total.saturating_sub(1)];
    }
    let mut cuts = vec![0, 1, first / 2, first, total - last, total - last / 2, total.saturating_sub(1), total];
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
