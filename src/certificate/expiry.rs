//! What ends some day, and when to speak of it: 30, 7 and 1 days before, and when it has ended.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ClientCertificate;

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Within 30 days.
    Month,
    /// Within 7 days.
    Week,
    /// Tomorrow or today.
    Day,
    /// It is past.
    Over,
}

/// A word about an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How near it is.
    pub stage: Stage,
    /// A sentence without its full stop.
    pub text: String,
}

/// Something that ends.
#[derive(Debug, Clone)]
struct End {
    what: String,
    /// The last day on which it works.
    on: Date,
    /// From this moment on it certainly does not.
    over: Timestamp,
    /// What to do about it.
    remedy: &'static str,
}

/// The ends of one system's credentials.
#[derive(Debug, Default)]
pub struct Reminders {
    owner: String,
    ends: Vec<End>,
    /// A certificate that is read again whenever it has changed.
    fresh: Option<ClientCertificate>,
    /// What was said today.
    told: Mutex<BTreeSet<(Date, Stage, String)>>,
}

fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}

fn end_of(certificate: &ClientCertificate, remedy: &'static str) -> Option<End> {
    let over = certificate.ends_at()?;
    let what = format!("the client certificate {}", certificate.certificate.display());
    Some(End { what, on: day(over), over, remedy })
}

impl End {
    fn stage(&self, now: Timestamp) -> Option<Stage> {
        if now >= self.over {
            return Some(Stage::Over);
        }
        let days = day(now).until(self.on).map_or(0, |span| span.get_days());
        [(1, Stage::Day), (7, Stage::Week), (30, Stage::Month)]
            .into_iter()
            .find(|(most, _)| days <= *most)
            .map(|(_, stage)| stage)
    }

    fn notice(&self, owner: &str, now: Timestamp) -> Option<Notice> {
        let stage = self.stage(now)?;
        let days = day(now).until(self.on).map_or(0, |span| span.get_days());
        let when = match (stage, days) {
            (Stage::Over, _) => format!("ended on {}", self.on),
            (_, ..=0) => format!("ends today, {}", self.on),
            (_, 1) => format!("ends tomorrow, {}", self.on),
            (_, days) => format!("ends in {days} days, on {}", self.on),
        };
        Some(Notice { stage, text: format!("{} of {owner} {when}; {}", self.what, self.remedy) })
    }
}

impl Reminders {
    /// Nothing that ends; `owner` is for the sentences: `the target app`.
    pub fn of(owner: String) -> Self {
        Self { owner, ..Self::default() }
    }

    /// And a secret that works up to this day.
    #[must_use]
    pub fn with_secret(mut self, on: Date) -> Self {
        if let Some(over) = on.tomorrow().ok().and_then(|next| next.to_zoned(TimeZone::UTC).ok()) {
            let remedy = "put a new one in its place and change expires_on";
            self.ends.push(End { what: "the secret under auth".to_owned(), on, over: over.timestamp(), remedy });
        }
        self
    }

    /// And a certificate that is used as it is now until the configuration is read again.
    #[must_use]
    pub fn with_certificate(mut self, certificate: &ClientCertificate) -> Self {
        self.ends.extend(end_of(certificate, "put a new one in its place and reload the configuration"));
        self
    }

    /// And a certificate of which each connection reads what is in its file by then.
    #[must_use]
    pub fn with_fresh_certificate(mut self, certificate: &ClientCertificate) -> Self {
        self.fresh = Some(certificate.clone());
        self
    }

    /// Everything that is worth a word now.
    pub fn notices(&self, now: Timestamp) -> Vec<Notice> {
        let fresh = self.fresh.as_ref().and_then(|certificate| end_of(certificate, "put a new one in its place"));
        self.ends.iter().chain(&fresh).filter_map(|end| end.notice(&self.owner, now)).collect()
    }

    /// The same, each stage once a day.
    pub fn due(&self, now: Timestamp) -> Vec<Notice> {
        let today = day(now);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(on, _, _)| *on == today);
        let mut notices = self.notices(now);
        notices.retain(|notice| told.insert((today, notice.stage, notice.text.clone())));
        notices
    }
}
