//! Hears of changes in the directory and says when it is time for a cycle: a short while after the last one, and not much
//! later than the first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::assemble::Live;
use crate::cycle::{CycleError, Store};
use crate::model::Delta;

/// After a failure it tries again after so long, and each time twice as long,
const SOON: Duration = Duration::from_secs(1);
/// up to so long.
const LATE: Duration = Duration::from_secs(60);

/// A cycle is not put off longer than so many quiet times.
const PATIENCE: u32 = 10;

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// It hears from now on.
    Hears,
    /// It is deaf, and why: until it hears again the channel has to ask.
    Deaf(String),
    /// Something changed. `None`: what it was is to be asked for.
    Change(Option<Delta>),
}

/// An ear that listens until it is dropped.
pub struct Ear {
    heard: mpsc::Receiver<Heard>,
    _listening: AbortOnDropHandle<()>,
}

impl Ear {
    /// Begins to listen.
    pub fn open<St: Store + Clone + 'static>(live: &Arc<Live>, store: &St) -> Self {
        let (tell, heard) = mpsc::channel(1024);
        let listening = tokio::spawn(listen(Arc::clone(live), store.clone(), tell));
        Self { heard, _listening: AbortOnDropHandle::new(listening) }
    }

    /// The next thing that is heard.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// Everything that changes until it has been quiet for a while, beginning with what was heard already; `None` where
    /// the directory must be asked what it was.
    pub async fn until_quiet(&mut self, first: Option<Delta>, quiet: Duration) -> Option<Delta> {
        let latest = Instant::now() + quiet * PATIENCE;
        let mut all = first;
        let mut ask = all.is_none();
        loop {
            let end = (Instant::now() + quiet).min(latest);
            let heard = tokio::select! {
                biased;
                () = sleep_until(end) => break,
                heard = self.heard.recv() => heard,
            };
            match (heard, &mut all) {
                (Some(Heard::Change(Some(delta))), Some(all)) => all.merge(delta),
                // What is told from now on does not hold what went before.
                (Some(_), _) => ask = true,
                (None, _) => break,
            }
        }
        if ask { None } else { all }
    }
}

async fn listen<St: Store>(live: Arc<Live>, store: St, tell: mpsc::Sender<Heard>) {
    let mut wait = SOON;
    loop {
        let (sender, mut changes) = mpsc::channel::<Option<Delta>>(1024);
        let begun = Instant::now();
        let passing_on = async {
            let mut hears = false;
            while let Some(change) = changes.recv().await {
                // The first word only says that it has begun.
                let heard = if hears || change.is_some() { Heard::Change(change) } else { Heard::Hears };
                hears = true;
                if tell.send(heard).await.is_err() {
                    return;
                }
            }
        };
        let (ended, ()) = tokio::join!(crate::cycle::listen(&live.channel, &store, sender), passing_on);
        let deaf = match ended {
            // Nothing was read yet: the next cycle does it.
            Ok(()) => None,
            Err(error) => Some(said(&error)),
        };
        if let Some(why) = deaf
            && tell.send(Heard::Deaf(why)).await.is_err()
        {
            return;
        }
        wait = if begun.elapsed() > LATE { SOON } else { (wait * 2).min(LATE) };
        sleep(wait).await;
    }
}

fn said(error: &CycleError) -> String {
    error.to_string()
}
