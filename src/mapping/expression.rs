//! A compiled expression and its evaluation. What it may say was settled when it was parsed;
//! what its functions do is in `functions`.

use std::borrow::Cow;

use crate::model::{AttributeName, Entry};

use super::functions::{Code, Function};
use super::texts::{Problem, Texts};

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No, one or several texts.
    Text,
    /// True or false.
    Flag,
    /// A whole number; only some arguments take one.
    Number,
}

/// One node of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// An attribute's values.
    Attribute(AttributeName),
    /// A constant.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A number given to a function.
    Number(usize),
    /// A function with what it was given.
    Call(&'static Function, Vec<Node>),
    /// `a == b`
    Equal(Box<Node>, Box<Node>),
    /// `not a`
    Not(Box<Node>),
    /// `a and b and …`
    All(Vec<Node>),
    /// `a or b or …`
    Any(Vec<Node>),
}

impl Node {
    /// The texts that it gives for an entry.
    pub(super) fn texts<'a>(&'a self, entry: &'a Entry) -> Result<Texts<'a>, Problem> {
        match self {
            Self::Attribute(name) => Texts::read(name, entry),
            Self::Text(text) => Ok(Texts::of(Cow::Borrowed(text))),
            Self::Call(function, arguments) => match function.code {
                Code::Texts(code) => code(arguments, entry),
                Code::If => chosen(arguments, entry)?.map_or(Ok(Texts::Zero), |node| node.texts(entry)),
                Code::Flag(_) | Code::Attribute => Err(mistyped()),
            },
            Self::Flag(_) | Self::Number(_) | Self::Equal(..) | Self::Not(_) | Self::All(_) | Self::Any(_) => Err(mistyped()),
        }
    }

    /// Whether it holds for an entry.
    pub(super) fn flag(&self, entry: &Entry) -> Result<bool, Problem> {
        match self {
            Self::Flag(flag) => Ok(*flag),
            Self::Equal(left, right) => Ok(left.texts(entry)?.share_a_value(&right.texts(entry)?)),
            Self::Not(node) => node.flag(entry).map(|flag| !flag),
            Self::All(nodes) => {
                for node in nodes {
                    if !node.flag(entry)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(nodes) => {
                for node in nodes {
                    if node.flag(entry)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Call(function, arguments) => match function.code {
                Code::Flag(code) => code(arguments, entry),
                Code::If => chosen(arguments, entry)?.map_or(Err(mistyped()), |node| node.flag(entry)),
                Code::Texts(_) | Code::Attribute => Err(mistyped()),
            },
            Self::Attribute(_) | Self::Text(_) | Self::Number(_) => Err(mistyped()),
        }
    }

    /// Calls `found` with each node, those written first first.
    pub(super) fn walk<'a>(&'a self, found: &mut dyn FnMut(&'a Node)) {
        found(self);
        match self {
            Self::Call(_, nodes) | Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.walk(found)),
            Self::Equal(left, right) => [left, right].into_iter().for_each(|node| node.walk(found)),
            Self::Not(node) => node.walk(found),
            Self::Attribute(_) | Self::Text(_) | Self::Flag(_) | Self::Number(_) => {}
        }
    }
}

/// The branch that an `if` takes.
fn chosen<'a>(arguments: &'a [Node], entry: &Entry) -> Result<Option<&'a Node>, Problem> {
    let [condition, branches @ ..] = arguments else { return Err(mistyped()) };
    Ok(if condition.flag(entry)? { branches.first() } else { branches.get(1) })
}

/// What parsing rules out.
pub(super) fn mistyped() -> Problem {
    Problem::Unfit("the rule was not compiled as it should have been".to_owned())
}
