//! One pass: read → prepare → apply. Names what it needs of the outside as three traits.

mod apply;
mod channel;
mod compare;
mod create;
mod matching;
mod ports;
mod prepare;
mod recover;
mod references;
mod refusal;
mod run;
mod send;
mod stage;
mod update;

pub use apply::{Applied, apply};
pub use channel::{Channel, CycleError, Depth, Phase, Progress, ProgressSender};
pub use ports::*;
pub use prepare::{Prepared, Watch, prepare, read, wanted};
pub use recover::Recovered;
pub use references::References;
pub use run::{Report, counted, partial_causes, run};
