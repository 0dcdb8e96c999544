//! How many octets of search answers may lie between the guard and the one who reads them.
//!
//! The LDAP library queues answers without bound; the guard takes credit before it hands one over,
//! and the reader gives it back for each answer that it has taken out of the queue. Answers stay in order,
//! so the amounts do too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Octets in flight at most; one message longer than this takes all of it.
const OCTETS: u32 = 8 * 1024 * 1024;

/// Shared by the guard and the searches of one connection.
#[derive(Debug, Clone)]
pub struct Credit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    octets: Semaphore,
    taken: Mutex<VecDeque<u32>>,
}

impl Default for Credit {
    fn default() -> Self {
        Self::new()
    }
}

impl Credit {
    /// Nothing in flight.
    pub fn new() -> Self {
        let octets = Semaphore::new(usize::try_from(OCTETS).unwrap_or(usize::MAX));
        Self(Arc::new(Shared { octets, taken: Mutex::new(VecDeque::new()) }))
    }

    /// True if every answer that was handed over was taken out.
    pub fn is_whole(&self) -> bool {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Lets an answer of this length be handed over if that can be at once.
    pub fn try_take(&self, length: usize) -> bool {
        let amount = u32::try_from(length).unwrap_or(OCTETS).min(OCTETS);
        let Ok(permit) = self.0.octets.try_acquire_many(amount) else { return false };
        permit.forget();
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).push_back(amount);
        true
    }

    /// Waits until an answer of this length may be handed over.
    pub async fn take(&self, length: usize) {
        let amount = u32::try_from(length).unwrap_or(OCTETS).min(OCTETS);
        if let Ok(permit) = self.0.octets.acquire_many(amount).await {
            permit.forget();
        }
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).push_back(amount);
    }

    /// The oldest answer in flight was taken out.
    pub fn give_back(&self) {
        let oldest = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.0.octets.add_permits(usize::try_from(oldest.unwrap_or(0)).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::{Credit, OCTETS};

    #[tokio::test]
    async fn a_full_queue_waits_for_its_reader() {
        let credit = Credit::new();
        credit.take(OCTETS as usize * 4).await;
        let next = tokio::spawn({
            let credit = credit.clone();
            async move { credit.take(10).await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        credit.give_back();
        next.await.unwrap();
    }
}
