//! What ends a command: an exit code, a message, and what to do about it.

use crate::assemble::AssembleError;
use crate::config::Problems;
use crate::cycle::{CycleError, SourceError, StoreError, TargetError};
use crate::daemon::DaemonError;

use super::exit::Exit;
use super::hint;

/// The end of a command that could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What failed, and on what.
    pub message: String,
    /// What to do.
    pub hint: Option<&'static str>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Configuration, problems.to_string())
    }
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<CycleError> for Failure {
    fn from(error: CycleError) -> Self {
        Self { exit: Exit::Failed, message: error.to_string(), hint: hint::of_cycle(&error) }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        CycleError::from(error).into()
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        CycleError::from(error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        CycleError::from(error).into()
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        match error {
            DaemonError::Configuration(problems) => problems.into(),
            DaemonError::Parts(error) => error.into(),
            DaemonError::Store(error) => error.into(),
            DaemonError::Signals(_) => Self::new(Exit::Failed, error.to_string()),
        }
    }
}
