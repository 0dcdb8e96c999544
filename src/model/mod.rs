//! The nouns that two rooms or more speak. Nothing here touches the world.

mod attribute;
mod capabilities;
mod dn;
mod entry;
mod knowledge;
mod link;
mod reading;
mod resource;
mod snapshot;

pub use attribute::{AttributeName, AttributeValue};
pub use capabilities::{Capabilities, MatchKeys, MembersRead, Updates};
pub use dn::{Dn, DnError, DnKey};
pub use entry::{Entry, EntryId, Status, Vendor};
pub use knowledge::{Fact, Knowledge, Witness};
pub use link::{Link, Origin, Uncertain};
pub use reading::{Coverage, ScopeGroup, Selection, Wanted};
pub use resource::{AttributePath, PathError, Resource, ResourceId, ResourceType, Selector, Value};
pub use snapshot::{ChannelName, Leaver, LinkedCounts, Refused, Snapshot, TargetName, WindowTally};
