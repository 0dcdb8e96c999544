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
