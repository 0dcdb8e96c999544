//! How a channel follows the changes of its directory, as `status` tells it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::config::{Channel, Mode};
use crate::store::{ChannelStatus, HearingStatus};

use super::text;

/// A daemon that hears says so twice a minute. One that was silent for longer may be dead.
const BELIEVED: SignedDuration = SignedDuration::from_secs(90);

/// Lines for people; `moment` is how they are told a time.
pub fn lines(channel: &Channel, status: &ChannelStatus, now: Timestamp, moment: fn(Timestamp) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    match &status.tracking {
        Some(tracking) => {
            let way = crate::ldap::way(&tracking.watermark).map(|way| format!(" by {way}")).unwrap_or_default();
            lines.push(format!("  changes: told{way}; everything was read {}", moment(tracking.full_at)));
            if tracking.pending > 0 {
                let pending = text::count(tracking.pending, "entry", "entries");
                lines.push(format!("  pending: {pending}, looked at again by each cycle of the schedule"));
            }
        }
        None if status.last_success.is_some() => lines.push("  changes: not told; each cycle reads everything".to_owned()),
        None => {}
    }
    if is_live(channel) {
        lines.push(format!("  live: {}", heard(status.hearing.as_ref(), now, moment)));
    }
    lines
}

fn is_live(channel: &Channel) -> bool {
    channel.live.is_some() && channel.mode == Mode::Live
}

fn is_believed(hearing: &HearingStatus, now: Timestamp) -> bool {
    now.duration_since(hearing.signed_at) <= BELIEVED
}

fn heard(hearing: Option<&HearingStatus>, now: Timestamp, moment: fn(Timestamp) -> String) -> String {
    let Some(hearing) = hearing else { return "no daemon listens (`ldap2scim run`)".to_owned() };
    if !is_believed(hearing, now) {
        return format!("unknown; the daemon gave its last sign {}", moment(hearing.signed_at));
    }
    match (hearing.hears, &hearing.why) {
        (true, _) => format!("changes are heard as they come, since {}", moment(hearing.since)),
        (false, Some(why)) => {
            format!("changes are not heard since {}, so they are asked for each minute: {why}", moment(hearing.since))
        }
        (false, None) => format!("the daemon began {} and does not hear yet", moment(hearing.since)),
    }
}

/// The same for programs: `tracking` and `live`.
pub fn documents(channel: &Channel, status: Option<&ChannelStatus>, now: Timestamp, time: fn(Timestamp) -> String) -> [Json; 2] {
    let tracking = status.and_then(|status| status.tracking.as_ref()).map(|tracking| {
        json!({
            "way": crate::ldap::way(&tracking.watermark),
            "full_reading_at": time(tracking.full_at),
            "pending": tracking.pending,
        })
    });
    let hearing = status.and_then(|status| status.hearing.as_ref());
    let live = is_live(channel).then(|| {
        json!({
            "hears": hearing.filter(|hearing| is_believed(hearing, now)).map(|hearing| hearing.hears),
            "why": hearing.and_then(|hearing| hearing.why.clone()),
            "since": hearing.map(|hearing| time(hearing.since)),
            "last_sign": hearing.map(|hearing| time(hearing.signed_at)),
        })
    });
    [tracking.into(), live.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_said_to_hear_who_gave_no_sign_lately() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let told = |hears, why: Option<&str>, signed| {
            let hearing = HearingStatus { hears, why: why.map(str::to_owned), since: at(0), signed_at: at(signed) };
            heard(Some(&hearing), at(100), |moment| (moment.as_second() - 1_800_000_000).to_string())
        };
        assert_eq!(told(true, None, 50), "changes are heard as they come, since 0");
        assert_eq!(told(true, None, 5), "unknown; the daemon gave its last sign 5");
        assert_eq!(
            told(false, Some("it is down"), 99),
            "changes are not heard since 0, so they are asked for each minute: it is down"
        );
        assert_eq!(told(false, None, 99), "the daemon began 0 and does not hear yet");
        assert_eq!(heard(None, at(0), |_| String::new()), "no daemon listens (`ldap2scim run`)");
    }
}
