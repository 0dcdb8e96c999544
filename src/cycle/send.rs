//! One request on its way: the intent is stored, then it is sent; and what closes the intent where nothing was done.

use crate::plan::{Change, tally_of};

use super::apply::Applying;
use super::{CycleError, Intent, IntentId, Outcome, Recorded, References, Source, Store, StoreError, Target, TargetError};

impl<S: Source, T: Target, St: Store> Applying<'_, S, T, St> {
    /// Writes the intent down, then sends.
    pub(super) async fn send(
        &self,
        request: Change,
        whole: &Change,
        references: &References,
    ) -> Result<(IntentId, Result<Outcome, TargetError>), CycleError> {
        let tally = tally_of(&request, whole, &self.plan.removed_users);
        let intents = self.store.intend(self.cycle, vec![Intent { change: request.clone(), tally }]).await?;
        let Some(intent) = intents.first().copied() else {
            return Err(StoreError::Failed("an intent was stored without a number".into()).into());
        };
        Ok((intent, self.channel.target.apply(&request, references).await))
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

    /// The target refused; nothing changed there.
    pub(super) async fn refuse(&self, change: &Change, intent: IntentId, why: String) -> Result<(), CycleError> {
        self.record(change, Some(intent), Recorded::Refused(why.clone()), None).await?;
        self.hold(change, why);
        Ok(())
    }
}
