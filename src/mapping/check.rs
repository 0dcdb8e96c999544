//! The kinds of an expression's parts: what a function or an operator is given is what it takes.

use crate::model::AttributeName;

use super::expression::{Kind, Node};
use super::functions::{Code, Function, Parameter};
use super::tokens::Fault;

/// A part of an expression with what it gives and where it stands.
pub(super) struct Typed {
    /// The part.
    pub(super) node: Node,
    /// What it gives.
    pub(super) kind: Kind,
    /// Where it begins.
    pub(super) column: usize,
}

/// A call whose arguments are what the function takes.
pub(super) fn checked(function: &'static Function, arguments: Vec<Typed>, column: usize) -> Result<Typed, Fault> {
    let takes = &function.takes;
    let given = arguments.len();
    if given < takes.at_least || (given > takes.parameters.len() && !takes.repeats) {
        let message = format!("{} cannot be given {given} argument{}", function.name, if given == 1 { "" } else { "s" });
        return Err(Fault::new(column, message).hint(format!("write {}", function.usage)));
    }
    let mut branches: Option<Kind> = None;
    for (number, argument) in arguments.iter().enumerate() {
        let Some(parameter) = takes.parameters.get(number).or(takes.parameters.last()) else { continue };
        fits(function, *parameter, argument, &mut branches)?;
    }
    let kind = match function.code {
        Code::Texts(_) => Kind::Text,
        Code::Flag(_) => Kind::Flag,
        Code::Attribute => return named(&arguments, column),
        Code::If => branches.unwrap_or(Kind::Text),
    };
    if matches!(function.code, Code::If) && kind == Kind::Flag && given < 3 {
        return Err(Fault::new(column, "an if between true and false needs both").hint(format!("write {}", function.usage)));
    }
    let nodes = arguments.into_iter().map(|argument| argument.node).collect();
    Ok(Typed { node: Node::Call(function, nodes), kind, column })
}

fn fits(function: &Function, parameter: Parameter, argument: &Typed, branches: &mut Option<Kind>) -> Result<(), Fault> {
    let fault = |problem: &str, hint: &str| Err(Fault::new(argument.column, format!("{} {problem}", function.name)).hint(hint));
    match (parameter, argument.kind) {
        (Parameter::Text, Kind::Text) | (Parameter::Condition, Kind::Flag) => Ok(()),
        (Parameter::Text | Parameter::Branch, Kind::Number) => fault("takes no number here", "write it in quotation marks"),
        (Parameter::Text, Kind::Flag) => {
            fault("takes texts here, this is true or false", "write if(condition, \"yes\", \"no\") to make a text of a condition")
        }
        (Parameter::Condition, Kind::Text | Kind::Number) => {
            fault("takes a condition here", "write present(a), or compare with == or !=")
        }
        (Parameter::Branch, kind) => match branches.replace(kind) {
            Some(other) if other != kind => {
                fault("would give a text in one case and true or false in the other", "write texts for both")
            }
            Some(_) | None => Ok(()),
        },
        (Parameter::Quoted, _) if matches!(argument.node, Node::Text(_)) => Ok(()),
        (Parameter::Quoted, _) => fault("takes a text in quotation marks here", "write for example \", \""),
        (Parameter::Position, _) if matches!(argument.node, Node::Number(1..)) => Ok(()),
        (Parameter::Position, _) => fault("takes a whole number from 1 here", "write for example item(mail, 1)"),
    }
}

/// `attr("name")` is the attribute itself.
fn named(arguments: &[Typed], column: usize) -> Result<Typed, Fault> {
    let [Typed { node: Node::Text(name), column: at, .. }] = arguments else {
        return Err(Fault::new(column, "attr takes one name in quotation marks"));
    };
    let name = name.trim();
    if name.contains(';') {
        let plain = name.split(';').next().unwrap_or(name);
        return Err(Fault::new(*at, "attribute options such as ;binary or ;lang-en cannot be asked for")
            .hint(format!("write {plain}: it has the values of every option")));
    }
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')) {
        return Err(Fault::new(*at, "an attribute's name holds letters, digits, hyphens and dots"));
    }
    Ok(Typed { node: Node::Attribute(AttributeName::new(name)), kind: Kind::Text, column })
}

/// A part that is a condition.
pub(super) fn condition(part: Typed, word: &str) -> Result<Node, Fault> {
    match part.kind {
        Kind::Flag => Ok(part.node),
        Kind::Text | Kind::Number => Err(Fault::new(part.column, format!("{word} takes conditions, this is none"))
            .hint("write present(a), or compare with == or !=")),
    }
}

/// A part that == and != can compare.
pub(super) fn comparable(part: Typed) -> Result<Node, Fault> {
    match part.kind {
        Kind::Text => Ok(part.node),
        Kind::Flag => Err(Fault::new(part.column, "== and != compare texts, this is true or false")
            .hint("write the condition itself or not; an LDAP boolean is the text \"TRUE\" or \"FALSE\"")),
        Kind::Number => Err(Fault::new(part.column, "== and != compare texts").hint("write the number in quotation marks")),
    }
}
