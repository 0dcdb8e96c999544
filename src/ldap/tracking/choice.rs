//! Which way of telling changes is used: the best that the server offers and the account may use, or the one that is
//! configured.

use crate::ldap::session::Session;
use crate::ldap::settings::Tracking;
use crate::model::{Vendor, Wanted};

use super::{Way, dirsync, syncrepl, timestamp, usn};

/// The way that is used, and why; no way where everything is read each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub(in crate::ldap) way: Option<Way>,
    /// A sentence for the admin.
    pub why: String,
    /// What keeps better ways from being used, a sentence each.
    pub lacks: Vec<String>,
    /// True if a way is configured that cannot be used.
    pub unmet: bool,
}

impl Chosen {
    /// The word of the configuration for what is used.
    pub fn name(&self) -> &'static str {
        self.way.map_or("full", Way::name)
    }
}

/// Chooses from what the server offers and the account may do.
pub async fn choose(session: &Session, tracking: Tracking, wanted: &Wanted) -> Chosen {
    let mut answers = Vec::new();
    for way in candidates(tracking, session.facts.vendor) {
        let offered = match way {
            Way::Usn => usn::offered(session, wanted).await,
            Way::DirSync => dirsync::offered(session, wanted).await,
            Way::Syncrepl => syncrepl::offered(session, wanted).await,
            Way::Timestamp => timestamp::offered(session, wanted).await,
        };
        let ends = offered.is_ok();
        answers.push((way, offered));
        if ends {
            break;
        }
    }
    decide(tracking, answers)
}

/// The ways to ask for, the best first.
fn candidates(tracking: Tracking, vendor: Vendor) -> Vec<Way> {
    match (tracking, vendor) {
        (Tracking::Full, _) => Vec::new(),
        (Tracking::Usn, _) => vec![Way::Usn],
        (Tracking::DirSync, _) => vec![Way::DirSync],
        (Tracking::Syncrepl, _) => vec![Way::Syncrepl],
        (Tracking::Timestamp, _) => vec![Way::Timestamp],
        (Tracking::Auto, Vendor::ActiveDirectory) => vec![Way::DirSync, Way::Usn],
        (Tracking::Auto, Vendor::OpenLdap | Vendor::Ds389) => vec![Way::Syncrepl, Way::Timestamp],
        (Tracking::Auto, Vendor::PingDirectory | Vendor::Generic) => vec![Way::Timestamp],
    }
}

/// The first way that is offered, and why those before it are not used.
fn decide(tracking: Tracking, answers: Vec<(Way, Result<String, String>)>) -> Chosen {
    let mut lacks = Vec::new();
    for (way, answer) in answers {
        match answer {
            Ok(why) => {
                let why = format!("changes are told by {}: {why}", way.name());
                return Chosen { way: Some(way), why, lacks, unmet: false };
            }
            Err(why) => lacks.push(format!("{} cannot be used: {why}", way.name())),
        }
    }
    let (why, unmet) = match tracking {
        Tracking::Full => ("everything is read each time, as configured".to_owned(), false),
        Tracking::Auto => {
            ("everything is read each time: the directory tells its changes in no way that can be used".to_owned(), false)
        }
        Tracking::Usn | Tracking::DirSync | Tracking::Syncrepl | Tracking::Timestamp => {
            ("everything is read each time: the way of tracking that is configured cannot be used".to_owned(), true)
        }
    };
    Chosen { way: None, why, lacks, unmet }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks in the order of the candidates, as [`choose`] does.
    fn check(tracking: Tracking, vendor: Vendor, offered: &[Way], way: Option<Way>, why: &str, lacks: &[&str]) {
        let mut answers = Vec::new();
        for candidate in candidates(tracking, vendor) {
            let is_offered = offered.contains(&candidate);
            let answer = if is_offered { Ok("it is there".to_owned()) } else { Err("it is not there".to_owned()) };
            answers.push((candidate, answer));
            if is_offered {
                break;
            }
        }
        let chosen = decide(tracking, answers);
        let what = format!("{tracking:?} at {vendor:?} with {offered:?}: {chosen:?}");
        assert_eq!(chosen.way, way, "{what}");
        assert!(chosen.why.contains(why), "{what}");
        assert_eq!(chosen.name(), way.map_or("full", Way::name), "{what}");
        let lacking: Vec<String> = lacks.iter().map(|way| format!("{way} cannot be used: it is not there")).collect();
        assert_eq!(chosen.lacks, lacking, "{what}");
        let is_fixed = !matches!(tracking, Tracking::Auto | Tracking::Full);
        assert_eq!(chosen.unmet, is_fixed && way.is_none(), "{what}");
    }

    #[test]
    fn the_best_way_that_is_offered_is_chosen_and_a_configured_one_is_never_replaced_by_another() {
        use Vendor::{ActiveDirectory, Ds389, Generic, OpenLdap, PingDirectory};
        use Way::{DirSync, Syncrepl, Timestamp, Usn};
        let all = [Usn, DirSync, Syncrepl, Timestamp];
        let auto = Tracking::Auto;
        check(auto, ActiveDirectory, &all, Some(DirSync), "told by dirsync: it is there", &[]);
        check(auto, ActiveDirectory, &[Usn, Timestamp], Some(Usn), "told by usn", &["dirsync"]);
        check(auto, ActiveDirectory, &[Timestamp], None, "everything is read", &["dirsync", "usn"]);
        for vendor in [OpenLdap, Ds389] {
            check(auto, vendor, &all, Some(Syncrepl), "told by syncrepl", &[]);
            check(auto, vendor, &[Timestamp], Some(Timestamp), "told by timestamp", &["syncrepl"]);
            check(auto, vendor, &[], None, "in no way that can be used", &["syncrepl", "timestamp"]);
        }
        for vendor in [PingDirectory, Generic] {
            check(auto, vendor, &all, Some(Timestamp), "told by timestamp", &[]);
            check(auto, vendor, &[], None, "in no way that can be used", &["timestamp"]);
        }
        for vendor in [ActiveDirectory, OpenLdap, Ds389, PingDirectory, Generic] {
            check(Tracking::Full, vendor, &all, None, "as configured", &[]);
            check(Tracking::Timestamp, vendor, &all, Some(Timestamp), "told by timestamp", &[]);
        }
        check(Tracking::DirSync, ActiveDirectory, &[Usn], None, "configured cannot be used", &["dirsync"]);
        check(Tracking::Usn, ActiveDirectory, &all, Some(Usn), "told by usn", &[]);
        check(Tracking::Syncrepl, OpenLdap, &[Timestamp], None, "configured cannot be used", &["syncrepl"]);
    }
}
