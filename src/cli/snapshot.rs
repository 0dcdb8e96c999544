//! What is remembered, read beside a running daemon and left as it is.

use std::path::Path;

use crate::assemble::Live;
use crate::cycle::StoreError;
use crate::model::Snapshot;
use crate::store::Viewer;

/// What is remembered of the channel's target; nothing if there is no database yet.
pub fn of(live: &Live, state_dir: &Path) -> Result<Snapshot, StoreError> {
    let channel = &live.channel;
    match Viewer::open(state_dir)? {
        Some(viewer) => viewer.load(&channel.target_name, channel.name(), channel.rules.guard.window),
        None => Ok(Snapshot { first: true, ..Snapshot::default() }),
    }
}
