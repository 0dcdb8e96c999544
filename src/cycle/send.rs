//! One request on its way: the intent is stored, it waits for a free place on the wire, then it is sent; and what closes
//! the intent where nothing was done.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::plan::{Change, tally_of};

use super::apply::Applying;
use super::refusal::Refusal;
use super::{
    CycleError, Disposition, Intent, IntentId, Outcome, Recorded, References, Source, Store, StoreError, Target, TargetError,
};

/// What closes an intent that was stored and not sent.
const NOT_SENT: &str = "not sent: the cycle ended first";

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    /// Writes the intent down, then sends. The store is waited for without a place on the wire, so that others send
    /// meanwhile. Once the cycle is over nothing new is sent, and no intent is left open for what was not.
    pub(super) async fn send(
        &self,
        request: Change,
        whole: &Change,
        references: &References,
    ) -> Result<(IntentId, Result<Outcome, TargetError>), CycleError> {
        if self.over.is_cancelled() {
            return Err(CycleError::Stopped);
        }
        let tally = tally_of(&request, whole, &self.plan.removed_users);
        let intents = self.store.intend(self.cycle, vec![Intent { change: request.clone(), tally }]).await?;
        let Some(intent) = intents.first().copied() else {
            return Err(StoreError::Failed("an intent was stored without a number".into()).into());
        };
        let Some(answer) = self.on_the_wire(request, references.clone()).await else {
            self.record(whole, Some(intent), Recorded::Refused(NOT_SENT.into()), None).await?;
            return Err(CycleError::Stopped);
        };
        if answer.as_ref().is_err_and(|error| error.disposition() == Disposition::System) {
            self.over.cancel();
        }
        Ok((intent, answer))
    }

    /// Waits for a place and sends, as a task of its own: what is made of one answer keeps nobody's next request back.
    /// It ends with whoever waits for it. Nothing is sent once the cycle is over.
    async fn on_the_wire(&self, request: Change, references: References) -> Option<Result<Outcome, TargetError>> {
        let (target, places, over) = (Arc::clone(&self.channel.target), Arc::clone(&self.places), self.over.clone());
        let sending = tokio::spawn(async move {
            match free(&places, &over).await {
                Some(_place) => Some(target.apply(&request, &references).await),
                None => None,
            }
        });
        match AbortOnDropHandle::new(sending).await {
            Ok(answer) => answer,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends: whether it was sent is not known.
                Err(_) => Some(Err(TargetError::AnswerLost("the program ended".to_owned()))),
            },
        }
    }

    /// A place on the wire; none once the cycle is over.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        free(&self.places, &self.over).await
    }

    /// The target is not to be worked with: the intent is closed where the request certainly was not applied.
    pub(super) async fn give_up(&self, change: &Change, intent: IntentId, error: TargetError) -> Result<(), CycleError> {
        match &error {
            TargetError::Unauthorized(_) | TargetError::Unavailable(_) | TargetError::Secret(_) => {
                self.record(change, Some(intent), Recorded::Refused(error.to_string()), None).await?;
            }
            TargetError::Protocol(_)
            | TargetError::AnswerLost(_)
            | TargetError::Conflict(_)
            | TargetError::NotFound
            | TargetError::Rejected { .. } => {}
        }
        Err(error.into())
    }

    /// The target refused; nothing changed there. What it would refuse again is remembered.
    pub(super) async fn refuse(&self, change: &Change, intent: IntentId, refusal: Refusal) -> Result<(), CycleError> {
        self.hold(change, refusal.why.clone());
        self.record(change, Some(intent), refusal.recorded(), None).await
    }
}

/// A place once one is free; none once the cycle is over.
async fn free<'a>(places: &'a Semaphore, over: &CancellationToken) -> Option<SemaphorePermit<'a>> {
    tokio::select! {
        biased;
        () = over.cancelled() => None,
        place = places.acquire() => place.ok(),
    }
}
