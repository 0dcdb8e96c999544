//! The nouns that two rooms or more speak. Nothing here touches the world.

mod attribute;
mod capabilities;
mod dn;
mod entry;
mod knowledge;
mod link;
mod reading;
mod resource;
mod roster;
mod snapshot;

pub use attribute::{AttributeName, AttributeValue};
pub use capabilities::{Capabilities, MatchKeys, MembersRead, Updates};
pub use dn::{Dn, DnError, DnKey};
pub use entry::{Alias, Entry, EntryId, Moment, Status, Vendor};
pub use knowledge::{Fact, Knowledge, Witness};
pub use link::{Link, Origin, Uncertain};
pub use reading::{Changes, Coverage, Delta, Kind, Looked, Place, Reading, ScopeGroup, Selection, Touched, Wanted, Watermark};
pub use resource::{AttributePath, PathError, Resource, ResourceId, ResourceType, Selector, Value};
pub use roster::{MemberName, Seat, Seats, Settlement, Standing};
pub use snapshot::{ChannelName, Leaver, LinkedCounts, Refused, Snapshot, TargetName, WindowTally};
