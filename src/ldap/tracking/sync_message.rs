//! The controls and messages of content synchronization (RFC 4533 §2), in BER.

use ldap3::controls::RawControl;

use crate::ldap::ber::{self, Element, Elements, Violation};
use crate::ldap::guard::SYNC_REQUEST;

/// The Sync State control.
pub(super) const STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
/// The Sync Done control.
pub(super) const DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
/// The Sync Info message.
pub(super) const INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

/// Sixteen octets that name an entry.
pub(super) type SyncId = [u8; 16];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// What changed, once.
    RefreshOnly,
    /// What changed, and what will.
    RefreshAndPersist,
}

/// What an entry is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryState {
    /// It did not change.
    Present,
    /// It is new, or changed where the server does not tell the two apart.
    Add,
    /// It changed.
    Modify,
    /// It is gone.
    Delete,
}

/// Stands with each entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) state: EntryState,
    pub(super) id: SyncId,
    pub(super) cookie: Option<Vec<u8>>,
}

/// Stands with the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) cookie: Option<Vec<u8>>,
    pub(super) refresh_deletes: bool,
}

/// Comes between entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Info {
    NewCookie(Vec<u8>),
    /// The end of a phase in which what is gone is told.
    RefreshDelete {
        cookie: Option<Vec<u8>>,
        done: bool,
    },
    /// The end of a phase in which what is there is told.
    RefreshPresent {
        cookie: Option<Vec<u8>>,
        done: bool,
    },
    /// Entries that are gone, or that are there unchanged.
    IdSet {
        cookie: Option<Vec<u8>>,
        deletes: bool,
        ids: Vec<SyncId>,
    },
}

const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// Deepest nesting: a set of ids in its message.
const DEEPEST: usize = 3;

/// The Sync Request control, critical: a server that does not know it must refuse.
pub(super) fn request(mode: Mode, cookie: Option<&[u8]>) -> RawControl {
    let mode = match mode {
        Mode::RefreshOnly => 1,
        Mode::RefreshAndPersist => 3,
    };
    let cookie = cookie.map(|cookie| ber::write(OCTETS, cookie)).unwrap_or_default();
    let value = ber::write(SEQUENCE, &[ber::write_unsigned(ENUMERATED, mode), cookie].concat());
    RawControl { ctype: SYNC_REQUEST.to_owned(), crit: true, val: Some(value) }
}

impl State {
    /// Reads the value of the control.
    pub(super) fn parse(value: &[u8]) -> Result<Self, Violation> {
        let mut parts = Parts::open(value, SEQUENCE)?;
        let state = match parts.required(ENUMERATED)? {
            [0] => EntryState::Present,
            [1] => EntryState::Add,
            [2] => EntryState::Modify,
            [3] => EntryState::Delete,
            _ => return Err(Violation::Shape("an unknown state of an entry")),
        };
        let id = sync_id(parts.required(OCTETS)?)?;
        let cookie = parts.optional(OCTETS)?.map(<[u8]>::to_vec);
        parts.end()?;
        Ok(Self { state, id, cookie })
    }
}

impl Done {
    /// Reads the value of the control.
    pub(super) fn parse(value: &[u8]) -> Result<Self, Violation> {
        let mut parts = Parts::open(value, SEQUENCE)?;
        let cookie = parts.optional(OCTETS)?.map(<[u8]>::to_vec);
        let refresh_deletes = parts.flag()?.unwrap_or(false);
        parts.end()?;
        Ok(Self { cookie, refresh_deletes })
    }
}

impl Info {
    /// Reads the value of the message.
    pub(super) fn parse(value: &[u8]) -> Result<Self, Violation> {
        ber::check_nesting(value, DEEPEST)?;
        let Element { tag, content } = ber::only(value)?;
        if tag == 0x80 {
            return Ok(Self::NewCookie(content.to_vec()));
        }
        let mut parts = Parts::of(content);
        let cookie = parts.optional(OCTETS)?.map(<[u8]>::to_vec);
        let flag = parts.flag()?;
        let info = match tag {
            0xa1 => Self::RefreshDelete { cookie, done: flag.unwrap_or(true) },
            0xa2 => Self::RefreshPresent { cookie, done: flag.unwrap_or(true) },
            0xa3 => {
                let ids = ber::elements(parts.required(SET)?);
                let ids = ids.map(|id| match id? {
                    Element { tag: OCTETS, content } => sync_id(content),
                    _ => Err(Violation::Shape("an id that is no string of octets")),
                });
                Self::IdSet { cookie, deletes: flag.unwrap_or(false), ids: ids.collect::<Result<_, _>>()? }
            }
            _ => return Err(Violation::Shape("an unknown kind of Sync Info message")),
        };
        parts.end()?;
        Ok(info)
    }
}

fn sync_id(octets: &[u8]) -> Result<SyncId, Violation> {
    octets.try_into().map_err(|_| Violation::Shape("an id that is not sixteen octets"))
}

/// The parts of a sequence, some of which may be missing.
struct Parts<'a>(std::iter::Peekable<Elements<'a>>);

impl<'a> Parts<'a> {
    fn open(value: &'a [u8], tag: u8) -> Result<Self, Violation> {
        ber::check_nesting(value, DEEPEST)?;
        match ber::only(value)? {
            element if element.tag == tag => Ok(Self::of(element.content)),
            _ => Err(Violation::Shape("another type than the one expected")),
        }
    }

    fn of(content: &'a [u8]) -> Self {
        Self(ber::elements(content).peekable())
    }

    fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Violation> {
        match self.0.peek() {
            Some(Ok(element)) if element.tag == tag => Ok(self.0.next().transpose()?.map(|element| element.content)),
            _ => Ok(None),
        }
    }

    fn required(&mut self, tag: u8) -> Result<&'a [u8], Violation> {
        self.optional(tag)?.ok_or(Violation::Shape("a part is missing"))
    }

    fn flag(&mut self) -> Result<Option<bool>, Violation> {
        match self.optional(BOOLEAN)? {
            None => Ok(None),
            Some([octet]) => Ok(Some(*octet != 0)),
            Some(_) => Err(Violation::Shape("a flag of impossible length")),
        }
    }

    fn end(mut self) -> Result<(), Violation> {
        match self.0.next() {
            None => Ok(()),
            Some(_) => Err(Violation::Shape("more parts than there can be")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SyncId = *b"0123456789abcdef";

    fn flag(value: u8) -> Vec<u8> {
        vec![BOOLEAN, 1, value]
    }

    fn string(octets: &[u8]) -> Vec<u8> {
        ber::write(OCTETS, octets)
    }

    fn sequence(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        ber::write(tag, &parts.concat())
    }

    #[test]
    fn a_request_is_written_as_the_rfc_says() {
        let control = request(Mode::RefreshOnly, Some(b"c"));
        assert_eq!((control.crit, control.val), (true, Some(vec![0x30, 6, 0x0a, 1, 1, 4, 1, b'c'])));
        assert_eq!(request(Mode::RefreshAndPersist, None).val, Some(vec![0x30, 3, 0x0a, 1, 3]));
    }

    #[test]
    fn states_are_read() {
        let state = |number: u8, rest: &[Vec<u8>]| {
            let parts = [&[vec![ENUMERATED, 1, number], string(&ID)], rest].concat();
            State::parse(&sequence(SEQUENCE, &parts))
        };
        let read = |state, cookie: Option<&[u8]>| Ok(State { state, id: ID, cookie: cookie.map(<[u8]>::to_vec) });
        assert_eq!(state(0, &[]), read(EntryState::Present, None));
        assert_eq!(state(1, &[]), read(EntryState::Add, None));
        assert_eq!(state(2, &[string(b"c")]), read(EntryState::Modify, Some(b"c")));
        assert_eq!(state(3, &[]), read(EntryState::Delete, None));
        assert!(state(4, &[]).is_err());
        assert!(state(1, &[flag(1)]).is_err());
        assert!(state(1, &[string(b"c"), string(b"c")]).is_err());
        assert!(State::parse(&sequence(SEQUENCE, &[vec![ENUMERATED, 1, 1], string(b"short")])).is_err());
        assert!(State::parse(&sequence(SEQUENCE, &[vec![ENUMERATED, 1, 1]])).is_err());
        assert!(State::parse(b"").is_err());
    }

    #[test]
    fn the_last_word_is_read_with_its_defaults() {
        let done = |parts: &[Vec<u8>]| Done::parse(&sequence(SEQUENCE, parts));
        assert_eq!(done(&[]), Ok(Done { cookie: None, refresh_deletes: false }));
        assert_eq!(done(&[flag(0xff)]), Ok(Done { cookie: None, refresh_deletes: true }));
        assert_eq!(done(&[string(b"c")]), Ok(Done { cookie: Some(b"c".to_vec()), refresh_deletes: false }));
        assert_eq!(done(&[string(b"c"), flag(1)]), Ok(Done { cookie: Some(b"c".to_vec()), refresh_deletes: true }));
        assert!(done(&[flag(1), string(b"c")]).is_err());
        assert!(done(&[vec![BOOLEAN, 2, 0, 0]]).is_err());
    }

    #[test]
    fn messages_are_read_with_their_defaults() {
        let info = |tag, parts: &[Vec<u8>]| Info::parse(&sequence(tag, parts));
        let cookie = Some(b"c".to_vec());
        assert_eq!(info(0x80, &[b"c".to_vec()]), Ok(Info::NewCookie(b"c".to_vec())));
        assert_eq!(info(0xa1, &[]), Ok(Info::RefreshDelete { cookie: None, done: true }));
        assert_eq!(info(0xa1, &[string(b"c"), flag(0)]), Ok(Info::RefreshDelete { cookie: cookie.clone(), done: false }));
        assert_eq!(info(0xa2, &[string(b"c")]), Ok(Info::RefreshPresent { cookie: cookie.clone(), done: true }));
        let ids = sequence(SET, &[string(&ID), string(&ID)]);
        let read = |cookie, deletes| Ok(Info::IdSet { cookie, deletes, ids: vec![ID, ID] });
        assert_eq!(info(0xa3, std::slice::from_ref(&ids)), read(None, false));
        assert_eq!(info(0xa3, &[string(b"c"), flag(1), ids.clone()]), read(cookie, true));
        assert!(info(0xa3, &[]).is_err());
        assert!(info(0xa3, &[sequence(SET, &[string(b"x")])]).is_err());
        assert!(info(0xa3, &[ids.clone(), ids]).is_err());
        assert!(info(0xa4, &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = (State::parse(&octets), Done::parse(&octets), Info::parse(&octets));
        }

        #[test]
        fn what_is_bent_is_refused_or_means_something_else(
            place in 0usize..64,
            octet in proptest::num::u8::ANY,
            sample in 0usize..3,
        ) {
            let samples = [
                sequence(0xa3, &[string(b"c"), flag(1), sequence(SET, &[string(&ID)])]),
                sequence(SEQUENCE, &[vec![ENUMERATED, 1, 1], string(&ID), string(b"c")]),
                sequence(SEQUENCE, &[string(b"c"), flag(1)]),
            ];
            let mut bent = samples[sample].clone();
            let place = place % bent.len();
            bent[place] = octet;
            if let Ok(Info::IdSet { ids, .. }) = Info::parse(&bent) {
                proptest::prop_assert!(ids.len() <= 1);
            }
            let _ = (State::parse(&bent), Done::parse(&bent));
            // Cut short, it is never taken for whole.
            let cut = samples[sample].get(..place).unwrap();
            proptest::prop_assert!(State::parse(cut).is_err() && Done::parse(cut).is_err() && Info::parse(cut).is_err());
        }
    }
}
