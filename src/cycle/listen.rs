//! Hears of changes as they come, for as long as the directory tells them.

use tokio::sync::mpsc;

use crate::model::Delta;

use super::prepare::wanted_of;
use super::{Channel, CycleError, Part, Source, Store};

/// Hears what changes after the channel's last cycle, until the directory cannot tell it any more: the error says why.
/// Returns at once, with nothing, where no reading has led to a watermark yet.
pub async fn listen<S: Source, T, St: Store>(
    channel: &Channel<S, T>,
    store: &St,
    heard: mpsc::Sender<Option<Delta>>,
) -> Result<(), CycleError> {
    let Some(standing) = store.standing(channel.name()).await? else { return Ok(()) };
    let vendor = channel.source.identify().await?;
    let window = channel.rules.guard.window;
    let little = store.load_some(&channel.target_name, channel.name(), window, &Part::default()).await?;
    let wanted = wanted_of(channel, vendor, &little.scope_groups);
    Err(channel.source.watch(&wanted, &standing.watermark, heard).await.into())
}
