//! Kinds of requests that providers count apart, and which kind a request is.

use super::request::{Method, Request};
use crate::model::ResourceType;

/// Kinds of requests that providers count apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Look-ups and lists.
    Read,
    /// Users created.
    UserCreate,
    /// Users changed or deleted.
    UserUpdate,
    /// Groups created, changed or deleted.
    GroupUpdate,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Read, Self::UserCreate, Self::UserUpdate, Self::GroupUpdate];

    /// What it is called in a sentence.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Read => "look-ups",
            Self::UserCreate => "user creates",
            Self::UserUpdate => "user updates",
            Self::GroupUpdate => "group updates",
        }
    }
}

impl Request {
    /// What providers count it as. A request that carries changes of several resources counts as one update.
    pub(super) fn kind(&self) -> Kind {
        if self.method.is_read() {
            return Kind::Read;
        }
        match self.resource_type {
            ResourceType::User if self.method == Method::Post && self.path == "/Users" => Kind::UserCreate,
            ResourceType::User => Kind::UserUpdate,
            ResourceType::Group => Kind::GroupUpdate,
        }
    }

    /// True if nothing is changed by it, however often it is sent.
    pub(super) fn only_asks(&self) -> bool {
        self.kind() == Kind::Read
    }

    /// True for edits of a group.
    pub(super) fn changes_a_group(&self) -> bool {
        self.resource_type == ResourceType::Group && matches!(self.method, Method::Patch | Method::Put)
    }

    /// True for edits of a user.
    pub(super) fn changes_a_user(&self) -> bool {
        self.resource_type == ResourceType::User && matches!(self.method, Method::Patch | Method::Put)
    }

    /// True if what it says may be said twice.
    pub(super) fn is_repeatable(&self) -> bool {
        self.only_asks() || self.method != Method::Post
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_of_the_kind_that_providers_count_it_as() {
        let (user, group) = (ResourceType::User, ResourceType::Group);
        for (method, resource_type, path, expected, repeatable) in [
            (Method::Get, user, "/Users/1", Kind::Read, true),
            (Method::Get, group, "/Groups", Kind::Read, true),
            (Method::Search, user, "/Users/.search", Kind::Read, true),
            (Method::Search, group, "/Groups/.search", Kind::Read, true),
            (Method::Post, user, "/Users", Kind::UserCreate, false),
            (Method::Post, group, "/Groups", Kind::GroupUpdate, false),
            (Method::Post, user, "/Bulk", Kind::UserUpdate, false),
            (Method::Post, group, "/Bulk", Kind::GroupUpdate, false),
            (Method::Put, user, "/Users/1", Kind::UserUpdate, true),
            (Method::Patch, user, "/Users/1", Kind::UserUpdate, true),
            (Method::Patch, group, "/Groups/1", Kind::GroupUpdate, true),
            (Method::Delete, user, "/Users/1", Kind::UserUpdate, true),
            (Method::Delete, group, "/Groups/1", Kind::GroupUpdate, true),
        ] {
            let request = Request { path: path.to_owned(), method, resource_type, ..Request::harmless() };
            assert_eq!((request.kind(), request.is_repeatable()), (expected, repeatable), "{method:?} {path}");
        }
    }
}
