//! Connections that stay open between calls: a cycle each second costs no handshake and no bind.
//!
//! One is used again while it is young, proves the same, and answers; else a new one takes its place before anything was
//! asked. It comes back only from a call that left nothing under way on it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::session::Session;

/// Connections kept of one source: as many channels of it as are likely to be at work at once.
const MOST: usize = 4;

/// After this long a connection is made anew: a server decides at the bind what an account may do, and a server earlier in
/// the list may be back.
const OLDEST: Duration = Duration::from_secs(600);

/// What the connections prove; another proof, another connection.
pub type Fingerprint = Option<[u8; 32]>;

/// The connections of one source that nobody uses at the moment.
#[derive(Clone)]
pub struct Kept {
    room: Arc<Mutex<Room>>,
    idle_timeout: Duration,
    /// Longest wait for the sign of life of a connection that is to be used again.
    patience: Duration,
}

#[derive(Default)]
struct Room {
    idle: Vec<Idle>,
    /// True while a task waits to close them.
    watched: bool,
}

struct Idle {
    session: Session,
    fingerprint: Fingerprint,
    opened: Instant,
    since: Instant,
}

impl Kept {
    /// None yet.
    pub fn new(idle_timeout: Duration, patience: Duration) -> Self {
        Self { room: Arc::default(), idle_timeout, patience }
    }

    /// One that is kept and answers, if there is one.
    pub async fn take(&self, fingerprint: Fingerprint) -> Option<Lent> {
        loop {
            let Idle { session, fingerprint: proven, opened, since } = self.lock().idle.pop()?;
            let young = since.elapsed() < self.idle_timeout && opened.elapsed() < OLDEST;
            if young && proven == fingerprint && session.is_at_rest() && session.answers(self.patience).await {
                return Some(Lent { session, fingerprint, opened, home: self.clone() });
            }
            tracing::debug!(url = %session.url, "a kept connection is not used again");
            session.close().await;
        }
    }

    /// Lends one that was just opened.
    pub fn lend(&self, session: Session, fingerprint: Fingerprint) -> Lent {
        Lent { session, fingerprint, opened: Instant::now(), home: self.clone() }
    }

    /// Closes those that were idle for too long, for as long as there are any.
    async fn watch(self) {
        while let Some(oldest) = self.oldest() {
            tokio::time::sleep_until(oldest + self.idle_timeout).await;
            let is_over = |idle: &mut Idle| idle.since.elapsed() >= self.idle_timeout;
            let over: Vec<Idle> = self.lock().idle.extract_if(.., is_over).collect();
            for idle in over {
                idle.session.close().await;
            }
        }
    }

    /// Since when the oldest is idle. With none left, the watch ends.
    fn oldest(&self) -> Option<Instant> {
        let mut room = self.lock();
        let oldest = room.idle.iter().map(|idle| idle.since).min();
        room.watched = oldest.is_some();
        oldest
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropped, it ends; after a call that went well it is [given back](Self::give_back).
pub struct Lent {
    session: Session,
    fingerprint: Fingerprint,
    opened: Instant,
    home: Kept,
}

impl Lent {
    /// Keeps it for the next call, if nothing is under way on it.
    pub fn give_back(self) {
        let Self { session, fingerprint, opened, home } = self;
        let mut room = home.lock();
        if !session.is_at_rest() || room.idle.len() >= MOST {
            return;
        }
        room.idle.push(Idle { session, fingerprint, opened, since: Instant::now() });
        if !std::mem::replace(&mut room.watched, true) {
            drop(room);
            tokio::spawn(home.watch());
        }
    }
}

impl Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
