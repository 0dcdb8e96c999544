//! What we run with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{ChannelName, TargetName};
use crate::{ldap, plan, scim};

use super::{Problem, Schedule};

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the state database lies.
    pub state_dir: PathBuf,
    /// Directories by name.
    pub sources: BTreeMap<String, ldap::Settings>,
    /// Service providers by name.
    pub targets: BTreeMap<TargetName, scim::Settings>,
    /// Channels in the file's order, at least one; their source and target exist.
    pub channels: Vec<Channel>,
    /// What works and is still worth a look.
    pub warnings: Vec<Problem>,
}

/// One source, one target, the rules between.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Key of the source.
    pub source: String,
    /// Key of the target.
    pub target: TargetName,
    /// Whether it writes.
    pub mode: Mode,
    /// When it runs by itself; `None`: never.
    pub schedule: Option<Schedule>,
    /// Concurrent senders.
    pub workers: usize,
    /// It hears of changes and runs when they come: so long after the last of them.
    pub live: Option<Duration>,
    /// After so long everything is read, though changes are told.
    pub full_every: Duration,
    /// What planning needs.
    pub rules: plan::Rules,
}

/// Whether scheduled cycles write to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Live,
    /// They match, plan and report, and write nothing to the target.
    Preview,
}
