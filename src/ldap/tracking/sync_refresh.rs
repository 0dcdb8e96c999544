//! What the answers to a synchronization come to (RFC 4533 §3.3 and §3.4), message by message.

use std::collections::{BTreeMap, BTreeSet};

use crate::ldap::raw_entry::RawEntry;
use crate::ldap::search::Item;
use crate::ldap::vendor::Facts;
use crate::model::{Dn, EntryId, Touched};

use super::kind::kind;
use super::sync_cookie;
use super::sync_message::{self, Done, EntryState, Info, State, SyncId};

/// More changes than this are no changes any more: reading everything is faster than looking at each.
const MOST: usize = 100_000;

/// One synchronization of one naming context.
pub(super) struct Refresh {
    facts: &'static Facts,
    touched: BTreeMap<EntryId, Touched>,
    gone: BTreeSet<EntryId>,
    present: BTreeSet<EntryId>,
    /// True once everything that is there was told.
    all_present: bool,
    /// True once what happened before is told, and the rest comes as it happens.
    refreshed: bool,
    cookie: String,
}

/// What was gathered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gathered {
    pub(super) touched: BTreeMap<EntryId, Touched>,
    pub(super) gone: BTreeSet<EntryId>,
    pub(super) present: Option<BTreeSet<EntryId>>,
}

impl Refresh {
    /// Begins at a cookie.
    pub(super) fn since(cookie: &str, facts: &'static Facts) -> Self {
        Self {
            facts,
            touched: BTreeMap::new(),
            gone: BTreeSet::new(),
            present: BTreeSet::new(),
            all_present: false,
            refreshed: false,
            cookie: cookie.to_owned(),
        }
    }

    /// The last cookie that came.
    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// True once what happened before is told.
    pub(super) fn refreshed(&self) -> bool {
        self.refreshed
    }

    /// Takes a message in. The error says why only a full reading shows what changed.
    pub(super) fn take(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Entry(raw) => self.entry(&raw)?,
            Item::Undecodable => return Err("an entry was changed whose DN is not UTF-8".to_owned()),
            Item::TooLarge(dn) => return Err(format!("{dn} was changed and is larger than what is accepted")),
            // RFC 4533 §3.6: it comes in place of an entry that is no user and no group.
            Item::Reference(_) => {}
            Item::Intermediate { name, value } if name.as_deref() == Some(sync_message::INFO) => {
                self.info(Info::parse(&value.unwrap_or_default()).map_err(|why| broken(&why))?)?;
            }
            Item::Intermediate { .. } => {}
        }
        if self.touched.len() > MOST { Err(format!("more than {MOST} entries changed")) } else { Ok(()) }
    }

    /// Takes the server's last word in: with it the refresh is whole.
    pub(super) fn finish(&mut self, done: Option<&[u8]>) -> Result<(), String> {
        let value = done.ok_or("the server ended the synchronization without the Sync Done control")?;
        let done = Done::parse(value).map_err(|why| broken(&why))?;
        self.keep(done.cookie)?;
        self.refreshed = true;
        if !done.refresh_deletes {
            self.told_all()?;
        }
        Ok(())
    }

    /// Hands over what was gathered since the last time.
    pub(super) fn gathered(&mut self) -> Gathered {
        let touched = std::mem::take(&mut self.touched);
        let mut present = std::mem::take(&mut self.present);
        present.extend(touched.keys().cloned());
        let present = std::mem::take(&mut self.all_present).then_some(present);
        Gathered { touched, gone: std::mem::take(&mut self.gone), present }
    }

    fn entry(&mut self, raw: &RawEntry) -> Result<(), String> {
        let value = raw.control(sync_message::STATE).ok_or("the server sent an entry without the Sync State control")?;
        let State { state, id, cookie } = State::parse(value).map_err(|why| broken(&why))?;
        let told = told_id(self.facts, id);
        match state {
            EntryState::Present => {
                self.present.insert(told);
            }
            EntryState::Add | EntryState::Modify => {
                let own = self.facts.id_form.entry_id(raw.values(self.facts.id_attribute));
                if own.as_ref().is_some_and(|own| *own != told) {
                    return Err(format!("the server tells entries apart by something else than {}", self.facts.id_attribute));
                }
                let dn = Dn::parse(&raw.dn).map_err(|error| format!("an entry was changed whose DN cannot be read: {error}"))?;
                self.gone.remove(&told);
                self.touched.insert(told, Touched { dn, kind: kind(raw) });
            }
            EntryState::Delete => {
                self.touched.remove(&told);
                self.gone.insert(told);
            }
        }
        self.keep(cookie)
    }

    fn info(&mut self, info: Info) -> Result<(), String> {
        match info {
            Info::NewCookie(cookie) => self.keep(Some(cookie)),
            Info::RefreshDelete { cookie, done } => {
                self.refreshed |= done;
                self.keep(cookie)
            }
            Info::RefreshPresent { cookie, done } => {
                self.refreshed |= done;
                self.keep(cookie)?;
                self.told_all()
            }
            Info::IdSet { cookie, deletes, ids } => {
                for id in ids.into_iter().map(|id| told_id(self.facts, id)) {
                    if deletes {
                        self.touched.remove(&id);
                        self.gone.insert(id);
                    } else {
                        self.present.insert(id);
                    }
                }
                self.keep(cookie)
            }
        }
    }

    /// Everything that is there was told. A server that knows our cookie names what did not change; one that names
    /// nothing of the kind began from nothing, and everything is better read in pages.
    fn told_all(&mut self) -> Result<(), String> {
        if self.present.is_empty() {
            return Err("the server does not know any more what was told before, and tells everything anew".to_owned());
        }
        self.all_present = true;
        Ok(())
    }

    fn keep(&mut self, cookie: Option<Vec<u8>>) -> Result<(), String> {
        if let Some(cookie) = cookie {
            let text = String::from_utf8(cookie).map_err(|_| "the server's cookie is no text")?;
            self.cookie = sync_cookie::merged(&self.cookie, &text);
        }
        Ok(())
    }
}

impl Gathered {
    /// True if nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.gone.is_empty() && self.present.is_none()
    }

    /// Adds what changed elsewhere, or later. What is there is known only where all parts tell it.
    pub(super) fn extend(&mut self, other: Self) {
        for id in other.touched.keys() {
            self.gone.remove(id);
        }
        for id in &other.gone {
            self.touched.remove(id);
        }
        self.touched.extend(other.touched);
        self.gone.extend(other.gone);
        if let Some(present) = other.present {
            self.present.get_or_insert_default().extend(present);
        }
    }
}

/// The lasting id under which readings know an entry. 389 Directory Server's sixteen octets are its nsUniqueId,
/// written in groups of its own; elsewhere they are the entryUUID (RFC 4533 §2.1).
fn told_id(facts: &Facts, id: SyncId) -> EntryId {
    let hexadecimal: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
    let cuts: &[usize] = if facts.id_attribute == "nsUniqueId" { &[8, 16, 24] } else { &[8, 12, 16, 20] };
    let mut text = String::with_capacity(36);
    for (at, digit) in hexadecimal.chars().enumerate() {
        if cuts.contains(&at) {
            text.push('-');
        }
        text.push(digit);
    }
    EntryId::new(&text)
}

fn broken(why: &crate::ldap::ber::Violation) -> String {
    format!("the server does not keep to RFC 4533: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::ber;
    use crate::ldap::vendor::facts;
    use crate::model::Vendor;

    const OLD: &str = "rid=000,csn=20261123040000.000000Z#000000#000#000000";
    const NEW: &str = "rid=000,csn=20261123050000.000000Z#000000#000#000000";

    fn octets(number: u8) -> SyncId {
        [number; 16]
    }

    fn of(number: u8) -> EntryId {
        told_id(facts(Vendor::OpenLdap), octets(number))
    }

    fn refresh() -> Refresh {
        Refresh::since(OLD, facts(Vendor::OpenLdap))
    }

    fn entry(state: u8, number: u8) -> Item {
        let value = [vec![0x0a, 1, state], ber::write(4, &octets(number))].concat();
        let mut raw = RawEntry::empty(&format!("uid=u{number},dc=x"));
        raw.add("objectClass", vec![b"inetOrgPerson".to_vec()]);
        raw.attach(sync_message::STATE, ber::write(0x30, &value));
        Item::Entry(raw)
    }

    fn info(tag: u8, parts: &[Vec<u8>]) -> Item {
        Item::Intermediate { name: Some(sync_message::INFO.to_owned()), value: Some(ber::write(tag, &parts.concat())) }
    }

    fn ids(deletes: u8, numbers: &[u8]) -> Item {
        let ids: Vec<u8> = numbers.iter().flat_map(|number| ber::write(4, &octets(*number))).collect();
        info(0xa3, &[vec![1, 1, deletes], ber::write(0x31, &ids)])
    }

    fn done(cookie: Option<&str>, deletes: u8) -> Vec<u8> {
        let cookie = cookie.map(|cookie| ber::write(4, cookie.as_bytes())).unwrap_or_default();
        ber::write(0x30, &[cookie, vec![1, 1, deletes]].concat())
    }

    fn told(items: Vec<Item>, last: &[u8]) -> Result<(Gathered, String), String> {
        let mut refresh = refresh();
        items.into_iter().try_for_each(|item| refresh.take(item))?;
        refresh.finish(Some(last))?;
        Ok((refresh.gathered(), refresh.cookie().to_owned()))
    }

    fn set(numbers: &[u8]) -> BTreeSet<EntryId> {
        numbers.iter().map(|number| of(*number)).collect()
    }

    #[test]
    fn up_to_date_without_a_cookie_keeps_the_old_one() {
        let (gathered, cookie) = told(vec![], &done(None, 1)).unwrap();
        assert!(gathered.is_empty());
        assert_eq!(cookie, OLD);
    }

    #[test]
    fn a_delete_phase_tells_what_is_gone_in_sets_and_one_by_one() {
        let (gathered, cookie) = told(vec![entry(1, 1), ids(1, &[2, 3]), entry(3, 4)], &done(Some(NEW), 1)).unwrap();
        assert_eq!(gathered.touched.keys().cloned().collect::<BTreeSet<_>>(), set(&[1]));
        assert_eq!((gathered.gone, gathered.present, cookie.as_str()), (set(&[2, 3, 4]), None, NEW));
    }

    #[test]
    fn a_present_phase_tells_what_is_there_and_counts_what_changed() {
        let (gathered, _) = told(vec![ids(0, &[1, 2]), entry(0, 3), entry(1, 4)], &done(Some(NEW), 0)).unwrap();
        assert_eq!((gathered.gone, gathered.present), (set(&[]), Some(set(&[1, 2, 3, 4]))));
        let ended = info(0xa2, &[vec![1, 1, 0]]);
        let (gathered, _) = told(vec![ids(0, &[1]), ended, ids(1, &[2])], &done(Some(NEW), 1)).unwrap();
        assert_eq!((gathered.gone, gathered.present), (set(&[2]), Some(set(&[1]))));
    }

    #[test]
    fn a_present_phase_that_was_not_ended_tells_nothing_of_what_is_there() {
        let mut refresh = refresh();
        refresh.take(ids(0, &[1, 2])).unwrap();
        assert_eq!(refresh.gathered().present, None);
    }

    #[test]
    fn everything_anew_is_no_change() {
        assert!(told(vec![entry(1, 1), entry(1, 2)], &done(Some(NEW), 0)).is_err());
        assert!(told(vec![], &done(None, 0)).is_err());
    }

    #[test]
    fn cookies_between_count_as_the_last_one() {
        let between = info(0xa3, &[ber::write(4, format!("{NEW},delcsn=x").as_bytes()), vec![1, 1, 1], ber::write(0x31, &[])]);
        assert_eq!(told(vec![between], &done(None, 1)).unwrap().1, NEW);
        let mut refresh = refresh();
        let cookie =
            Item::Intermediate { name: Some(sync_message::INFO.to_owned()), value: Some(ber::write(0x80, NEW.as_bytes())) };
        refresh.take(cookie).unwrap();
        assert_eq!(refresh.cookie(), NEW);
    }

    #[test]
    fn hearing_begins_with_the_end_of_the_refresh() {
        for tag in [0xa1, 0xa2] {
            let mut refresh = refresh();
            refresh.take(ids(0, &[1])).unwrap();
            assert!(!refresh.refreshed());
            refresh.take(info(tag, &[])).unwrap();
            assert!(refresh.refreshed());
        }
    }

    #[test]
    fn what_breaks_the_rules_is_never_taken_for_changes() {
        assert!(refresh().finish(None).is_err());
        assert!(refresh().finish(Some(b"junk")).is_err());
        assert!(refresh().take(Item::Entry(RawEntry::empty("dc=x"))).is_err());
        assert!(refresh().take(Item::Undecodable).is_err());
        assert!(refresh().take(info(0xa9, &[])).is_err());
        let Item::Entry(mut other) = entry(2, 1) else { return };
        other.add("entryUUID", vec![of(2).as_str().as_bytes().to_vec()]);
        assert!(refresh().take(Item::Entry(other)).is_err());
    }

    #[test]
    fn ids_are_written_as_readings_write_them() {
        let id = [0x6a, 0x1d, 0x0f, 0x6e, 0x1d, 0xd2, 0x11, 0xb2, 0xa9, 0xb8, 0xe1, 0x0e, 0x3b, 0x2b, 0, 1];
        assert_eq!(told_id(facts(Vendor::OpenLdap), id), EntryId::new("6a1d0f6e-1dd2-11b2-a9b8-e10e3b2b0001"));
        assert_eq!(told_id(facts(Vendor::Ds389), id), EntryId::new("6a1d0f6e-1dd211b2-a9b8e10e-3b2b0001"));
    }
}
