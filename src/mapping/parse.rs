//! Tokens → a typed expression. Everything that can be known to be wrong is refused here, with its column.
//!
//! ```text
//! expression = all { "or" all }            all        = negation { "and" negation }
//! negation   = "not" negation | comparison comparison = operand [ ("==" | "!=") operand ]
//! operand    = text | number | "true" | "false" | attribute | function "(" [ expression { "," expression } ] ")" | "(" expression ")"
//! ```

use crate::model::AttributeName;

use super::check::{Typed, checked, comparable, condition};
use super::expression::{Kind, Node};
use super::functions::functions;
use super::nearest::nearest;
use super::tokens::{Fault, Token, tokens};

/// The most characters of an expression.
const LENGTH_LIMIT: usize = 10_000;
/// How deep brackets, calls and `not` may be nested: each costs stack.
const NESTING_LIMIT: usize = 64;

/// What other products call our functions.
const SYNONYMS: [(&str, &str); 9] = [
    ("coalesce", "first"),
    ("iif", "if"),
    ("append", "concat"),
    ("tolower", "lower"),
    ("lowercase", "lower"),
    ("toupper", "upper"),
    ("uppercase", "upper"),
    ("stripspaces", "trim"),
    ("ispresent", "present"),
];

/// Parses an expression.
pub(super) fn parse(text: &str) -> Result<Typed, Fault> {
    let length = text.chars().count();
    if length > LENGTH_LIMIT {
        return Err(Fault::new(
            LENGTH_LIMIT + 1,
            format!("an expression has {LENGTH_LIMIT} characters at most, this has {length}"),
        ));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(Fault::new(1, "the rule is empty").hint("write nothing() to send no value"));
    }
    let mut parser = Parser { tokens, next: 0, end: length + 1, depth: 0 };
    let whole = parser.expression()?;
    match parser.peek() {
        None if whole.kind == Kind::Number => {
            Err(Fault::new(whole.column, "a number alone is no value").hint("write it in quotation marks"))
        }
        None => Ok(whole),
        Some(Token::Equal | Token::Unequal) => {
            Err(Fault::new(parser.column(), "comparisons do not follow one another").hint("join them with and, or"))
        }
        Some(Token::Close) => Err(Fault::new(parser.column(), "this ) closes nothing")),
        Some(token) => Err(Fault::new(parser.column(), format!("{} follows an expression that is complete", token.shown()))
            .hint("put join(\" \", a, b) or first(a, b) around what belongs together, and quotation marks around a text")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, column)| *column)
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == NESTING_LIMIT {
            return Err(Fault::new(self.column(), format!("nested more than {NESTING_LIMIT} deep")));
        }
        self.depth += 1;
        let parsed = part(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Result<Typed, Fault> {
        self.chain("or", Node::Any, |parser| parser.chain("and", Node::All, Self::negation))
    }

    fn chain(
        &mut self,
        word: &str,
        whole: fn(Vec<Node>) -> Node,
        part: impl Fn(&mut Self) -> Result<Typed, Fault>,
    ) -> Result<Typed, Fault> {
        let first = part(self)?;
        let column = first.column;
        if !self.take_word(word) {
            return Ok(first);
        }
        let mut nodes = vec![condition(first, word)?];
        loop {
            nodes.push(condition(part(self)?, word)?);
            if !self.take_word(word) {
                return Ok(Typed { node: whole(nodes), kind: Kind::Flag, column });
            }
        }
    }

    fn negation(&mut self) -> Result<Typed, Fault> {
        let column = self.column();
        if !self.take_word("not") {
            return self.comparison();
        }
        let negated = self.deeper(Self::negation)?;
        Ok(Typed { node: Node::Not(Box::new(condition(negated, "not")?)), kind: Kind::Flag, column })
    }

    fn comparison(&mut self) -> Result<Typed, Fault> {
        let left = self.operand()?;
        let column = left.column;
        let equal = self.take(&Token::Equal);
        if !equal && !self.take(&Token::Unequal) {
            return Ok(left);
        }
        let left = comparable(left)?;
        let right = comparable(self.operand()?)?;
        let node = Node::Equal(Box::new(left), Box::new(right));
        let node = if equal { node } else { Node::Not(Box::new(node)) };
        Ok(Typed { node, kind: Kind::Flag, column })
    }

    fn operand(&mut self) -> Result<Typed, Fault> {
        let column = self.column();
        let Some(token) = self.peek().cloned() else {
            return Err(Fault::new(column, "the expression ends where a value should follow"));
        };
        self.next += 1;
        let (node, kind) = match token {
            Token::Text(text) => (Node::Text(text), Kind::Text),
            Token::Number(number) => (Node::Number(number), Kind::Number),
            Token::Open => {
                let inner = self.deeper(Self::expression)?;
                self.close(column)?;
                (inner.node, inner.kind)
            }
            Token::Name(name) if is_operator(&name) => {
                return Err(Fault::new(column, format!("{name} stands between two conditions"))
                    .hint(format!("write attr(\"{name}\") if an attribute is meant")));
            }
            Token::Name(name) if self.peek() == Some(&Token::Open) => return self.call(&name, column),
            Token::Name(name) if name.eq_ignore_ascii_case("true") => (Node::Flag(true), Kind::Flag),
            Token::Name(name) if name.eq_ignore_ascii_case("false") => (Node::Flag(false), Kind::Flag),
            Token::Name(name) if is_called_bare(&name) => {
                return Err(Fault::new(column, format!("{name} is a function"))
                    .hint(format!("write {name}(), or attr(\"{name}\") if an attribute is meant")));
            }
            Token::Name(name) => (Node::Attribute(AttributeName::new(&name)), Kind::Text),
            Token::Close | Token::Comma | Token::Equal | Token::Unequal => {
                return Err(Fault::new(column, format!("{} stands where a value should", token.shown())));
            }
        };
        Ok(Typed { node, kind, column })
    }

    fn close(&mut self, opened: usize) -> Result<(), Fault> {
        if self.take(&Token::Close) {
            return Ok(());
        }
        Err(match self.peek() {
            None => Fault::new(opened, "the ( here is not closed"),
            Some(Token::Name(name)) => Fault::new(self.column(), format!("{name} stands where a , or ) should")),
            Some(token) => Fault::new(self.column(), format!("{} stands where a , or ) should", token.shown())),
        })
    }

    fn call(&mut self, name: &str, column: usize) -> Result<Typed, Fault> {
        let Some(function) = functions().iter().find(|function| function.name.eq_ignore_ascii_case(name)) else {
            return Err(unknown(name, column));
        };
        let opened = self.column();
        self.next += 1;
        let mut arguments = Vec::new();
        if !self.take(&Token::Close) {
            loop {
                arguments.push(self.deeper(Self::expression)?);
                if !self.take(&Token::Comma) {
                    break;
                }
            }
            self.close(opened)?;
        }
        checked(function, arguments, column)
    }
}

fn is_operator(name: &str) -> bool {
    ["and", "or", "not"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// A function that takes nothing is easily written without its brackets.
fn is_called_bare(name: &str) -> bool {
    functions().iter().any(|function| function.takes.parameters.is_empty() && function.name.eq_ignore_ascii_case(name))
}

fn unknown(name: &str, column: usize) -> Fault {
    let synonym = SYNONYMS.iter().find(|(other, _)| name.eq_ignore_ascii_case(other)).map(|(_, ours)| *ours);
    let meant = synonym.or_else(|| nearest(name, functions().iter().map(|function| function.name)));
    let fault = Fault::new(column, format!("there is no function {name}"));
    match meant {
        Some(meant) => fault.hint(format!("did you mean {meant}?")),
        None => {
            let all: Vec<&str> = functions().iter().map(|function| function.name).collect();
            fault.hint(format!("the functions are {}", all.join(", ")))
        }
    }
}
