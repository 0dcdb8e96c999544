//! What ends some day, and when to speak of it: 30, 7 and 1 days before, and when it has ended.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Settings;

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

/// The ends of one target's credentials, as they were when the configuration was read.
#[derive(Debug, Default)]
pub struct Reminders {
    target: String,
    ends: Vec<End>,
    /// What was said today.
    told: Mutex<BTreeSet<(Date, Stage, String)>>,
}

fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
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

    fn notice(&self, target: &str, now: Timestamp) -> Option<Notice> {
        let stage = self.stage(now)?;
        let days = day(now).until(self.on).map_or(0, |span| span.get_days());
        let when = match (stage, days) {
            (Stage::Over, _) => format!("ended on {}", self.on),
            (_, ..=0) => format!("ends today, {}", self.on),
            (_, 1) => format!("ends tomorrow, {}", self.on),
            (_, days) => format!("ends in {days} days, on {}", self.on),
        };
        Some(Notice { stage, text: format!("{} of the target {target} {when}; {}", self.what, self.remedy) })
    }
}

impl Reminders {
    /// Reads the client certificate, if there is one.
    pub fn new(settings: &Settings) -> Self {
        let mut ends = Vec::new();
        if let Some(on) = settings.expires_on
            && let Some(over) = on.tomorrow().ok().and_then(|next| next.to_zoned(TimeZone::UTC).ok())
        {
            let remedy = "put a new one in its place and change expires_on";
            ends.push(End { what: "the secret under auth".to_owned(), on, over: over.timestamp(), remedy });
        }
        if let Some(certificate) = &settings.client_certificate
            && let Some(over) = certificate.ends_at()
        {
            let what = format!("the client certificate {}", certificate.certificate.display());
            ends.push(End { what, on: day(over), over, remedy: "put a new one in its place and reload the configuration" });
        }
        Self { target: settings.name.clone(), ends, told: Mutex::default() }
    }

    /// Everything that is worth a word now.
    pub fn notices(&self, now: Timestamp) -> Vec<Notice> {
        self.ends.iter().filter_map(|end| end.notice(&self.target, now)).collect()
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
