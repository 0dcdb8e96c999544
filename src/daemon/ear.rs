//! Hears of changes in the directory and says when it is time for a cycle: a short while after the last one, and not much
//! later than the first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::assemble::Live;
use crate::cycle::Store;
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
    /// What came in between and is no change: it is told next.
    aside: Option<Heard>,
    _listening: AbortOnDropHandle<()>,
}

impl Ear {
    /// Begins to listen.
    pub fn open<St: Store + Clone + 'static>(live: &Arc<Live>, store: &St) -> Self {
        let (tell, heard) = mpsc::channel(1024);
        let listening = tokio::spawn(listen(Arc::clone(live), store.clone(), tell));
        Self { heard, aside: None, _listening: AbortOnDropHandle::new(listening) }
    }

    /// The next thing that is heard.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.aside.take() {
            Some(heard) => Some(heard),
            None => self.heard.recv().await,
        }
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
                (Some(Heard::Change(_)), _) => ask = true,
                (Some(other), _) => {
                    (ask, self.aside) = (true, Some(other));
                    break;
                }
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
        let passing_on = {
            let tell = &tell;
            // It owns the receiver: with nobody to tell, the listening ends too.
            async move {
                let mut hears = false;
                while let Some(change) = changes.recv().await {
                    // The first word only says that it has begun.
                    let heard = if hears || change.is_some() { Heard::Change(change) } else { Heard::Hears };
                    hears = true;
                    if tell.send(heard).await.is_err() {
                        return;
                    }
                }
            }
        };
        let (ended, ()) = tokio::join!(crate::cycle::listen(&live.channel, &store, sender), passing_on);
        let Err(error) = ended else {
            // Nothing was read yet: a cycle does it, and may end at any moment.
            sleep(SOON).await;
            continue;
        };
        if tell.send(Heard::Deaf(error.to_string())).await.is_err() {
            return;
        }
        wait = if begun.elapsed() > LATE { SOON } else { (wait * 2).min(LATE) };
        sleep(wait).await;
    }
}
