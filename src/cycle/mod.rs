//! One pass: read → prepare → apply. Names what it needs of the outside as three traits.

mod affected;
mod apply;
mod changes;
mod channel;
mod compare;
mod create;
mod listen;
mod matching;
mod ports;
mod prepare;
mod recover;
mod references;
mod refusal;
mod report;
mod run;
mod send;
mod settle;
mod stage;
mod update;

pub use apply::{Applied, apply};
pub use channel::{Channel, CycleError, Depth, Phase, Progress, ProgressSender};
pub use listen::listen;
pub use ports::*;
pub use prepare::{Prepared, Watch, prepare, read, wanted};
pub use recover::Recovered;
pub use references::References;
pub use report::{Report, counted, partial_causes};
pub use run::{Extent, run};
