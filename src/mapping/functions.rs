//! The functions of the language: one row each, with its example, which the manual prints and a test runs.
//! What each does is in `calls`.

use crate::model::Entry;

use self::Parameter::{Branch, Condition, Position, Quoted, Text};
use super::calls::{concat, dn, entry_id, first, item, join, lines, lower, nothing, present, trim, upper};
use super::expression::Node;
use super::texts::{Problem, Texts};

/// An expression, an entry, and what comes of the two.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Attributes with one value each; a name may come again.
    pub entry: &'static [(&'static str, &'static str)],
    /// The expression.
    pub expression: &'static str,
    /// Its values; `true` or `false` if it is a condition.
    pub expected: &'static [&'static str],
}

/// A function of the language.
pub struct Function {
    /// Its name. Letter case does not matter in a rule.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it gives.
    pub summary: &'static str,
    /// An example.
    pub example: Example,
    pub(super) takes: Takes,
    pub(super) code: Code,
}

/// By its name: where its code lies is another place in each process, and rules are compared over processes.
impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// An operator of the language.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// How it is written.
    pub usage: &'static str,
    /// What it gives.
    pub summary: &'static str,
    /// An example.
    pub example: Example,
}

/// What a function must be given.
#[derive(Debug)]
pub(super) struct Takes {
    /// In order.
    pub(super) parameters: &'static [Parameter],
    /// How many must be there.
    pub(super) at_least: usize,
    /// The last may come again.
    pub(super) repeats: bool,
}

/// One thing that a function is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// Texts.
    Text,
    /// A condition.
    Condition,
    /// Whatever the other branch is.
    Branch,
    /// A text in quotation marks.
    Quoted,
    /// A whole number from 1.
    Position,
}

type TextsOf = for<'a> fn(&'a [Node], &'a Entry) -> Result<Texts<'a>, Problem>;
type FlagOf = fn(&[Node], &Entry) -> Result<bool, Problem>;

/// How a function is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Code {
    /// It gives texts.
    Texts(TextsOf),
    /// It is a condition.
    Flag(FlagOf),
    /// It gives what the branch it chooses gives.
    If,
    /// It is the attribute it names, and gone after parsing.
    Attribute,
}

const fn takes(parameters: &'static [Parameter], at_least: usize) -> Takes {
    Takes { parameters, at_least, repeats: false }
}

const fn takes_more(parameters: &'static [Parameter]) -> Takes {
    Takes { parameters, at_least: parameters.len(), repeats: true }
}

const fn example(
    entry: &'static [(&'static str, &'static str)],
    expression: &'static str,
    expected: &'static [&'static str],
) -> Example {
    Example { entry, expression, expected }
}

/// Every function, in the manual's order.
pub fn functions() -> &'static [Function] {
    &FUNCTIONS
}

/// Every operator, in the manual's order: the first binds tightest.
pub fn operators() -> &'static [Operator] {
    &OPERATORS
}

static FUNCTIONS: [Function; 14] = [
    Function {
        name: "first",
        usage: "first(a, b, …)",
        summary: "all values of the first argument that has any",
        example: example(&[("cn", "Ada L."), ("uid", "ada")], "first(displayName, cn, uid)", &["Ada L."]),
        takes: takes_more(&[Text]),
        code: Code::Texts(first),
    },
    Function {
        name: "item",
        usage: "item(a, position)",
        summary: "the value at this position, counted from 1; none if there are fewer",
        example: example(&[("mail", "lovelace@example.com"), ("mail", "ada@example.com")], "item(mail, 1)", &["ada@example.com"]),
        takes: takes(&[Text, Position], 2),
        code: Code::Texts(item),
    },
    Function {
        name: "join",
        usage: "join(\"separator\", a, b, …)",
        summary: "every value of every argument, with the separator between them; what is absent is left out",
        example: example(&[("givenName", "Ada"), ("sn", "Lovelace")], "join(\" \", givenName, initials, sn)", &["Ada Lovelace"]),
        takes: takes_more(&[Quoted, Text]),
        code: Code::Texts(join),
    },
    Function {
        name: "concat",
        usage: "concat(a, b, …)",
        summary: "one value of each argument set side by side; no value if any of them is absent",
        example: example(&[("uid", "ada")], "concat(uid, \"@example.com\")", &["ada@example.com"]),
        takes: takes_more(&[Text]),
        code: Code::Texts(concat),
    },
    Function {
        name: "lower",
        usage: "lower(a)",
        summary: "each value in lower case",
        example: example(&[("mail", "Ada@Example.COM")], "lower(mail)", &["ada@example.com"]),
        takes: takes(&[Text], 1),
        code: Code::Texts(lower),
    },
    Function {
        name: "upper",
        usage: "upper(a)",
        summary: "each value in upper case",
        example: example(&[("c", "gb")], "upper(c)", &["GB"]),
        takes: takes(&[Text], 1),
        code: Code::Texts(upper),
    },
    Function {
        name: "trim",
        usage: "trim(a)",
        summary: "each value without the white space around it; values of attributes come without it anyway",
        example: example(&[("title", "Analyst")], "trim(concat(title, \" \"))", &["Analyst"]),
        takes: takes(&[Text], 1),
        code: Code::Texts(trim),
    },
    Function {
        name: "lines",
        usage: "lines(a)",
        summary: "the lines of a postal address in their order (RFC 4517: divided by `$`, with `\\24` and `\\5C` for `$` and `\\`)",
        example: example(
            &[("postalAddress", "1 Main St.$Springfield")],
            "join(\", \", lines(postalAddress))",
            &["1 Main St., Springfield"],
        ),
        takes: takes(&[Text], 1),
        code: Code::Texts(lines),
    },
    Function {
        name: "if",
        usage: "if(condition, then, else)",
        summary: "the second argument if the condition holds, else the third; without a third, no value",
        example: example(&[("employeeType", "C")], "if(employeeType == \"C\", \"Contractor\", \"Employee\")", &["Contractor"]),
        takes: takes(&[Condition, Branch, Branch], 2),
        code: Code::If,
    },
    Function {
        name: "present",
        usage: "present(a)",
        summary: "true if there is a value",
        example: example(&[("mail", "ada@example.com")], "present(mail)", &["true"]),
        takes: takes(&[Text], 1),
        code: Code::Flag(present),
    },
    Function {
        name: "attr",
        usage: "attr(\"name\")",
        summary: "the attribute of this name: for an OID, or a name that is a word of the language",
        example: example(&[("2.5.4.42", "Ada")], "attr(\"2.5.4.42\")", &["Ada"]),
        takes: takes(&[Quoted], 1),
        code: Code::Attribute,
    },
    Function {
        name: "entry_id",
        usage: "entry_id()",
        summary: "the directory's lasting id of the entry (objectGUID, entryUUID, nsUniqueId) as text",
        example: example(&[], "entry_id()", &["6f1c1a5e-0d0a-4b0e-9a57-3b1f0a9f4c11"]),
        takes: takes(&[], 0),
        code: Code::Texts(entry_id),
    },
    Function {
        name: "dn",
        usage: "dn()",
        summary: "the entry's distinguished name as the directory writes it",
        example: example(&[], "dn()", &["uid=ada,ou=people,dc=example,dc=com"]),
        takes: takes(&[], 0),
        code: Code::Texts(dn),
    },
    Function {
        name: "nothing",
        usage: "nothing()",
        summary: "no value: switches a preset's rule off",
        example: example(&[("title", "Analyst")], "nothing()", &[]),
        takes: takes(&[], 0),
        code: Code::Texts(nothing),
    },
];

static OPERATORS: [Operator; 5] = [
    Operator {
        usage: "a == b",
        summary: "true if a value of the one equals a value of the other, letter by letter (as in an LDAP filter, one of several is enough)",
        example: example(&[("employeeType", "staff"), ("employeeType", "board")], "employeeType == \"staff\"", &["true"]),
    },
    Operator {
        usage: "a != b",
        summary: "the opposite of ==: true also where a or b is absent",
        example: example(&[], "employeeType != \"staff\"", &["true"]),
    },
    Operator {
        usage: "not c",
        summary: "true if the condition does not hold",
        example: example(&[], "not present(mail)", &["true"]),
    },
    Operator {
        usage: "c and d",
        summary: "true if both hold; the second is not looked at if the first does not",
        example: example(&[("mail", "ada@example.com")], "present(mail) and not present(uid)", &["true"]),
    },
    Operator {
        usage: "c or d",
        summary: "true if one holds; the second is not looked at if the first does",
        example: example(&[("l", "Rome")], "l == \"Paris\" or l == \"Rome\"", &["true"]),
    },
];
