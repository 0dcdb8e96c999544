//! A directory entry as the source hands it on: identified, decoded, its status judged.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{AttributeName, AttributeValue, Dn, ResourceType};

/// The directory's lasting id of an entry in its canonical text form
/// (entryUUID, objectGUID as Windows prints it, nsUniqueId). Never the DN, never a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(Arc<str>);

impl EntryId {
    /// Takes the canonical text form.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The canonical text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the directory says that the account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing read says that it is disabled.
    Enabled,
    /// An attribute of the entry says so: explicit evidence.
    Disabled,
    /// The attribute that would tell was not returned where it must be (a lost read right).
    Unknown,
}

/// A moment of the wall clock: milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// Another name by which groups list an entry, in a comparable form: its uid (RFC 2307 `memberUid`), its primary group
/// (Active Directory).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(Arc<str>);

impl Alias {
    /// The kind of a POSIX user's name, by which `memberUid` lists it (RFC 2307 §5.3).
    pub const UID: &str = "uid";
    /// The kind of a primary group: carried by each user, listed by the group itself.
    pub const PRIMARY: &str = "primary";

    /// Takes the kind of name and the name, such as `uid` and `ada`.
    pub fn new(kind: &str, name: &str) -> Self {
        Self(format!("{kind}:{name}").into())
    }

    /// What stands among an entry's names where it has one of this kind that may not be read: it may be any.
    pub fn untold(kind: &str) -> Self {
        Self(format!("{kind}?").into())
    }

    /// What stands among the names that a group lists where a rule says who is in it: whoever changes may come or go.
    /// It is nobody's name.
    pub fn by_rule() -> Self {
        Self("rule".into())
    }

    /// True for what [`Alias::by_rule`] makes.
    pub fn is_rule(&self) -> bool {
        &*self.0 == "rule"
    }

    /// True for what [`Alias::untold`] makes.
    pub fn is_untold(&self) -> bool {
        self.0.ends_with('?') && !self.0.contains(':')
    }

    /// What stands in an entry for an unreadable name of the kind of this one.
    pub fn its_untold(&self) -> Self {
        Self::untold(self.0.split_once(':').map_or("", |(kind, _)| kind))
    }

    /// True if many entries carry one name by right; of any other kind it names one entry or nobody.
    pub fn is_shared(&self) -> bool {
        self.0.split_once(':').is_some_and(|(kind, _)| kind == Self::PRIMARY)
    }

    /// Takes a text that [`Alias::as_str`] gave before.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The comparable form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The kinds of directory that have facts of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Microsoft Active Directory, or Samba as a domain controller.
    ActiveDirectory,
    /// OpenLDAP slapd.
    OpenLdap,
    /// 389 Directory Server, FreeIPA, Red Hat Directory Server.
    Ds389,
    /// PingDirectory and its relatives.
    PingDirectory,
    /// Anything else with entryUUID (RFC 4530).
    Generic,
}

impl Vendor {
    /// The name used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "active_directory",
            Self::OpenLdap => "openldap",
            Self::Ds389 => "ds389",
            Self::PingDirectory => "ping_directory",
            Self::Generic => "generic",
        }
    }
}

/// One entry of a reading.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Lasting id.
    pub id: EntryId,
    /// Where it is now.
    pub dn: Dn,
    /// User or group.
    pub resource_type: ResourceType,
    /// True if it is below a base DN of its section and matches its filter. False for a group
    /// that was read only because membership runs through it.
    pub selected: bool,
    /// Users: what its own attributes say. Groups: always enabled.
    pub status: Status,
    /// Users: when the status becomes another although nothing changes in the directory (an account that expires).
    pub status_until: Option<Moment>,
    /// Users: other names by which groups may list it.
    pub aliases: Vec<Alias>,
    /// Groups: the DNs of its direct members. `None` where they could not be read whole.
    pub members: Option<Vec<Dn>>,
    /// Groups: members that are listed by another name than their DN.
    pub member_aliases: Vec<Alias>,
    /// The attributes that were asked for, without the member attributes.
    pub attributes: BTreeMap<AttributeName, Vec<AttributeValue>>,
}

impl Entry {
    /// The values of an attribute; none if it is absent.
    pub fn values(&self, name: &AttributeName) -> &[AttributeValue] {
        self.attributes.get(name).map_or(&[], Vec::as_slice)
    }
}
