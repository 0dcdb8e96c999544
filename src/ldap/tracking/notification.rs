//! Change notification of Active Directory (MS-ADTS §3.1.1.3.4.1.9): the server says at once that something changed,
//! and whoever hears it asks what.

use std::time::Duration;

use ldap3::Scope;
use ldap3::controls::RawControl;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::cycle::SourceError;
use crate::ldap::search::{Course, Query, Search, SearchError, Terms};
use crate::ldap::session::Session;
use crate::model::{Dn, Wanted};

use super::Told;
use super::domain_controller::{self as controller, DomainController};

/// LDAP_SERVER_NOTIFICATION_OID.
const NOTIFICATION: &str = "1.2.840.113556.1.4.528";

/// Between two signs of life. A domain controller closes a connection on which nothing is asked for 15 minutes
/// (MaxConnIdleTime, MS-ADTS §3.1.1.3.4.6), and firewalls forget one sooner.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Sends `None` once the server listens, and whenever something changed. Ends only by an error.
pub async fn watch(session: &Session, wanted: &Wanted, heard: mpsc::Sender<Option<Told>>) -> SourceError {
    let contexts = match controller::naming_contexts(session, wanted) {
        Ok(contexts) => contexts,
        Err(why) => return controller::says(session, why),
    };
    // Room for one: however much changes before anybody hears of it, it is to be asked about once.
    let (stir, mut stirred) = mpsc::channel(1);
    let mut searches = JoinSet::new();
    for context in &contexts {
        searches.spawn(listen(subscribe(session, context), stir.clone()));
    }
    let mut life = interval_at(Instant::now(), SIGN_OF_LIFE);
    life.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listens = false;
    loop {
        tokio::select! {
            biased;
            Some(ended) = searches.join_next() => {
                let why = match ended {
                    Ok(Err(error)) => error.to_string(),
                    Ok(Ok(())) => "it says that nothing more will come".to_owned(),
                    Err(_) => "the search for changes broke off".to_owned(),
                };
                return controller::says(session, format!("the server does not tell of changes: {why}"));
            }
            () = heard.closed() => return controller::says(session, "nobody listens to changes any more".to_owned()),
            _ = life.tick() => {
                // No answer says that the server listens: only a refusal would have come by now.
                if let Err(error) = DomainController::ask(session).await {
                    return error;
                }
                if !std::mem::replace(&mut listens, true) {
                    let _ = stir.try_send(());
                }
            }
            Some(()) = stirred.recv(), if listens => {
                // Where there is no room, what waits there says the same.
                let _ = heard.try_send(None);
            }
        }
    }
}

/// Asks to be told. Only the root of a naming context is taken by every version, and only this filter.
fn subscribe(session: &Session, context: &Dn) -> Search {
    let control = RawControl { ctype: NOTIFICATION.to_owned(), crit: true, val: None };
    let query = Query {
        base: context.as_str().to_owned(),
        scope: Scope::Subtree,
        filter: controller::ANYTHING.to_owned(),
        attributes: vec!["objectGUID".to_owned()],
    };
    session.search_on(Terms { controls: vec![control], course: Course::Persistent }, query)
}

async fn listen(mut search: Search, stir: mpsc::Sender<()>) -> Result<(), SearchError> {
    while search.next().await.is_some() {
        let _ = stir.try_send(());
    }
    search.finish().await
}
