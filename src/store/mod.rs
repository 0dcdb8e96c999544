//! What survives a restart. The only room with SQL: one database per state directory, one writing
//! process, any number that look. Each write is durable when it is answered.

mod clock;
mod codec;
mod cycle;
mod edits;
mod fault;
mod guard;
mod hearing;
mod history;
mod journal;
mod knowledge;
mod link;
mod lock;
mod mention;
mod open;
mod part;
mod record;
mod refused;
mod roster;
mod seat;
mod seating;
mod seats;
mod snapshot;
mod sqlite;
mod status;
mod viewer;
mod words;
mod writer;

pub use hearing::HearingStatus;
pub use sqlite::Sqlite;
pub use status::{ChannelStatus, CycleStatus, FactStatus, HeldStatus, QuarantineStatus, TrackingStatus};
pub use viewer::Viewer;
