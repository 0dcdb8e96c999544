//! What changed since the last reading: one file for each way of telling it, and the choice between them. Whatever a way
//! tells is a hint where to look; nothing is concluded from it alone.

mod choice;
mod containers;
mod contexts;
mod deletions;
mod dirsync;
mod dispatch;
mod domain_controller;
mod kind;
mod notification;
mod stamp;
mod sync_cookie;
mod sync_message;
mod sync_refresh;
mod syncrepl;
mod timestamp;
mod told;
mod usn;

pub use choice::Chosen;
pub(super) use choice::choose;
pub(super) use containers::containers;
pub use dispatch::way;
pub(super) use dispatch::{changes, mark, same_server, watch};
pub(in crate::ldap) use told::{Mark, Told, Way};
