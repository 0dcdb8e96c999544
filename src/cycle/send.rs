//! One request on its way: the intent is stored, it waits for a free place on the wire, then it is sent; and what closes
//! the intent where nothing was done.

use tokio::sync::SemaphorePermit;

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
        let Some(place) = self.place().await else {
            self.record(whole, Some(intent), Recorded::Refused(NOT_SENT.into()), None).await?;
            return Err(CycleError::Stopped);
        };
        let answer = self.channel.target.apply(&request, references).await;
        drop(place);
        if answer.as_ref().is_err_and(|error| error.disposition() == Disposition::System) {
            self.over.cancel();
        }
        Ok((intent, answer))
    }

    /// A place on the wire; none once the cycle is over.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        tokio::select! {
            biased;
            () = self.over.cancelled() => None,
            place = self.places.acquire() => place.ok(),
        }
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
