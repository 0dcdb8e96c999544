//! One write in flight for each resource, whoever wants to write: providers lose concurrent edits of one resource.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::model::ResourceId;

/// Who is writing.
#[derive(Default)]
pub(super) struct Turns {
    waiting: Mutex<BTreeMap<ResourceId, Arc<Turn<()>>>>,
}

impl Turns {
    /// Waits until nobody else writes to the resource. The turn ends when the guard is dropped.
    pub(super) async fn take(&self, id: &ResourceId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|_, turn| Arc::strong_count(turn) > 1);
            waiting.entry(id.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_to_one_resource_queue_and_to_others_do_not() {
        let turns = Turns::default();
        let (one, two) = (ResourceId::new("1"), ResourceId::new("2"));
        let first = turns.take(&one).await;
        let _other = turns.take(&two).await;
        let second = turns.take(&one);
        tokio::pin!(second);
        tokio::select! {
            biased;
            _ = &mut second => panic!("two at once"),
            () = tokio::task::yield_now() => {}
        }
        drop(first);
        drop(second.await);
        drop(turns.take(&one).await);
        assert!(turns.waiting.lock().unwrap().len() <= 2, "turns that ended are forgotten");
    }
}
