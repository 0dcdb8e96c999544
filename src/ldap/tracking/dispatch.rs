//! Each question goes to the way that answers it; what comes back is led by a watermark.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::ldap::session::Session;
use crate::ldap::settings::{Settings, Tracking};
use crate::model::{Changes, Delta, Wanted, Watermark};

use super::choice::choose;
use super::{Mark, Told, Way, dirsync, syncrepl, timestamp, usn};

/// A watermark as text: the mark, and the server that gave it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    url: String,
    #[serde(flatten)]
    mark: Mark,
}

impl Written {
    fn new(session: &Session, mark: Mark) -> Self {
        Self { url: session.url.to_string(), mark }
    }

    fn read(watermark: &Watermark) -> Option<Self> {
        serde_json::from_str(watermark.as_str()).ok()
    }

    fn watermark(&self) -> Option<Watermark> {
        serde_json::to_string(self).ok().map(|text| Watermark::new(&text))
    }
}

/// Where the directory stands now; taken before a full reading begins. `None` if its changes are not tracked.
pub async fn mark(session: &Session, settings: &Settings, wanted: &Wanted) -> Result<Option<Watermark>, SourceError> {
    let chosen = choose(session, settings.tracking, wanted).await;
    tracing::debug!(source = settings.name, why = chosen.why, lacks = chosen.lacks.join("; "), "how changes are told");
    if chosen.unmet {
        let lacks = chosen.lacks.join("; ");
        tracing::warn!(source = settings.name, lacks, "{}", chosen.why);
    }
    let Some(way) = chosen.way else { return Ok(None) };
    let (server, at) = match way {
        Way::Usn => usn::mark(session, wanted).await?,
        Way::DirSync => dirsync::mark(session, wanted).await?,
        Way::Syncrepl => syncrepl::mark(session, wanted).await?,
        Way::Timestamp => timestamp::mark(session, wanted).await?,
    };
    Ok(Written::new(session, Mark { way, server, at }).watermark())
}

/// As [`crate::cycle::Source::changes`] promises. The way is the watermark's own: whether a better one is offered by now is
/// asked before each full reading.
pub async fn changes(session: &Session, settings: &Settings, wanted: &Wanted, since: &Watermark) -> Result<Changes, SourceError> {
    let mark = match usable(settings.tracking, since) {
        Ok(mark) => mark,
        Err(why) => return Ok(Changes::Lost(why)),
    };
    let told = match mark.way {
        Way::Usn => usn::changes(session, wanted, &mark).await?,
        Way::DirSync => dirsync::changes(session, wanted, &mark).await?,
        Way::Syncrepl => syncrepl::changes(session, wanted, &mark).await?,
        Way::Timestamp => timestamp::changes(session, wanted, &mark).await?,
    };
    Ok(match told {
        Told::Lost(why) => Changes::Lost(why),
        since @ Told::Since { .. } => match delta(session, &mark, since) {
            Some(delta) => Changes::Since(delta),
            None => Changes::Lost("how far the changes go cannot be written down".to_owned()),
        },
    })
}

/// The mark, or why it is of no use with this setting.
fn usable(tracking: Tracking, since: &Watermark) -> Result<Mark, String> {
    let Some(written) = Written::read(since) else {
        return Err("the watermark was written by another version of this program".to_owned());
    };
    let way = written.mark.way;
    let same = match tracking {
        Tracking::Auto => true,
        Tracking::Full => return Err("everything is read each time, as tracking: full says".to_owned()),
        Tracking::Usn => way == Way::Usn,
        Tracking::DirSync => way == Way::DirSync,
        Tracking::Syncrepl => way == Way::Syncrepl,
        Tracking::Timestamp => way == Way::Timestamp,
    };
    if same {
        Ok(written.mark)
    } else {
        Err(format!("changes were told by {} before, which is not configured any more", way.name()))
    }
}

/// What was told, with the watermark that it leads to.
fn delta(session: &Session, mark: &Mark, told: Told) -> Option<Delta> {
    match told {
        Told::Lost(_) => None,
        Told::Since { touched, gone, present, at } => {
            let watermark = Written::new(session, Mark { at, ..mark.clone() }).watermark()?;
            Some(Delta { touched, gone, present, watermark })
        }
    }
}

/// By which way a watermark was told, as the configuration calls it; `None` where another version of this program wrote it.
pub fn way(watermark: &Watermark) -> Option<&'static str> {
    Written::read(watermark).map(|written| written.mark.way.name())
}

/// As [`crate::cycle::Source::watch`] promises.
pub async fn watch(
    session: &Session,
    settings: &Settings,
    wanted: &Wanted,
    since: &Watermark,
    heard: mpsc::Sender<Option<Delta>>,
) -> SourceError {
    let failed = |message| SourceError::Failed { url: session.url.to_string(), message };
    let mark = match usable(settings.tracking, since) {
        Ok(mark) => mark,
        Err(why) => return failed(why),
    };
    let (sender, mut told) = mpsc::channel(heard.max_capacity());
    let watching = async {
        match mark.way {
            Way::Usn => usn::watch(session, wanted, &mark, sender).await,
            Way::DirSync => dirsync::watch(session, wanted, &mark, sender).await,
            Way::Syncrepl => syncrepl::watch(session, wanted, &mark, sender).await,
            Way::Timestamp => timestamp::watch(session, wanted, &mark, sender).await,
        }
    };
    let passing_on = async {
        loop {
            let told = tokio::select! {
                told = told.recv() => told,
                () = heard.closed() => return,
            };
            let Some(told) = told else { return };
            // What cannot be told is for the question for changes, which says why.
            let delta = told.and_then(|told| delta(session, &mark, told));
            if heard.send(delta).await.is_err() {
                return;
            }
        }
    };
    let watching = std::pin::pin!(watching);
    match futures_util::future::select(watching, std::pin::pin!(passing_on)).await {
        futures_util::future::Either::Left((error, passing_on)) => {
            passing_on.await;
            error
        }
        futures_util::future::Either::Right(((), _)) => failed("nobody listens any more".to_owned()),
    }
}

/// Says why not if what this server shows may be older than what the watermark tells. Replicas of a domain are as far as
/// each is; one URL of other servers is taken for one server.
pub async fn same_server(session: &Session, wanted: &Wanted, since: &Watermark) -> Result<(), String> {
    let other = || format!("{} is not the server that told the changes, and may not know of them yet", session.url);
    let Some(written) = Written::read(since) else {
        return Err("the watermark was written by another version of this program".to_owned());
    };
    let is_same = match written.mark.way {
        // Both name the copy of the database that a domain controller holds (its invocationId).
        Way::Usn | Way::DirSync => usn::mark(session, wanted).await.is_ok_and(|(server, _)| server == written.mark.server),
        Way::Syncrepl | Way::Timestamp => written.url == session.url.as_str(),
    };
    if is_same { Ok(()) } else { Err(other()) }
}
