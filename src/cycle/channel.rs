//! One source, one target and the rules between them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::{ChannelName, TargetName};
use crate::plan::Rules;

use super::{SourceError, StoreError, TargetError};

/// A live channel.
#[derive(Debug)]
pub struct Channel<S, T> {
    /// What the admin decided.
    pub rules: Arc<Rules>,
    /// The target's name; links belong to it.
    pub target_name: TargetName,
    /// The directory.
    pub source: Arc<S>,
    /// The service provider.
    pub target: Arc<T>,
    /// Requests in flight at most.
    pub workers: usize,
    /// After so long everything is read, though changes are told.
    pub full_every: Duration,
}

impl<S, T> Channel<S, T> {
    /// The channel's name.
    pub fn name(&self) -> &ChannelName {
        &self.rules.channel
    }
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The directory.
    Usual,
    /// The directory, and everything at the target.
    Full,
}

/// What a cycle is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not begun.
    #[default]
    Idle,
    /// Reading the directory; `done` counts entries.
    Reading,
    /// Asking the target.
    Matching,
    /// Sending; `done` of `total` changes.
    Applying,
}

/// How far a cycle is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How much of it is done.
    pub done: u64,
    /// Of how much; 0 if that is not known.
    pub total: u64,
}

/// Where progress is told.
pub type ProgressSender = watch::Sender<Progress>;

/// Why a cycle could not be carried through.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CycleError {
    /// The directory.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Far too many linked resources are not at the target.
    #[error(
        "{missing} of {linked} linked resources are not at the target any more: nothing is concluded from that. \
         Check base_url and the credentials; is this the right tenant?"
    )]
    WrongTarget {
        /// How many are missing.
        missing: usize,
        /// Of how many.
        linked: usize,
    },
    /// It was told to stop.
    #[error("stopped before everything was done; the next cycle goes on from here")]
    Stopped,
}
