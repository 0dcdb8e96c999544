//! Exit codes.

use std::process::ExitCode;

use crate::cycle::CycleEnd;

/// How the program ends, the better before the worse where several channels are told by one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, but entries are held or were refused, or the reading was partial.
    Held,
    /// The guard stopped something.
    Quarantined,
    /// A cycle, a connection or a look-up failed.
    Failed,
    /// Wrong arguments.
    Usage,
    /// Wrong configuration (EX_CONFIG of sysexits.h).
    Configuration,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Held => 3,
            Self::Quarantined => 4,
            Self::Configuration => 78,
        }
    }
}

impl From<CycleEnd> for Exit {
    fn from(end: CycleEnd) -> Self {
        match end {
            CycleEnd::Done => Self::Done,
            CycleEnd::DoneWithHeld => Self::Held,
            CycleEnd::Quarantined => Self::Quarantined,
            CycleEnd::Failed => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_channel_decides() {
        let worst = |exits: &[Exit]| exits.iter().copied().max().map(Exit::code);
        assert_eq!(worst(&[Exit::Done, Exit::Held, Exit::Done]), Some(3));
        assert_eq!(worst(&[Exit::Quarantined, Exit::Held]), Some(4));
        assert_eq!(worst(&[Exit::Quarantined, Exit::Failed, Exit::Held]), Some(1));
    }
}
