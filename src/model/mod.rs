//! The nouns that two rooms or more speak. Nothing here touches the world.

mod attribute;
mod capabilities;
mod dn;
mod entry;
mod link;
mod reading;
mod resource;
mod snapshot;

pub use attribute::{AttributeName, AttributeValue};
pub use capabilities::{Capabilities, MatchKeys};
pub use dn::{Dn, DnError, DnKey};
pub use entry::{Entry, EntryId, Status, Vendor};
pub use link::{Link, Origin, Uncertain};
pub use reading::{Coverage, ScopeGroup, Selection, Wanted};
pub use resource::{AttributePath, PathError, Resource, ResourceId, ResourceType, Selector, Value};
pub use snapshot::{ChannelName, LinkedCounts, Snapshot, TargetName, WindowTally};
