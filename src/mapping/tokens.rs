//! An expression's text cut into tokens, each with its column.

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What.
    pub(super) message: String,
    /// What to write instead.
    pub(super) hint: Option<String>,
    /// Where, in characters from 1.
    pub(super) column: usize,
}

impl Fault {
    /// A fault without a hint.
    pub(super) fn new(column: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, column }
    }

    /// The same with a hint.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An attribute, a function or a word of the language.
    Name(String),
    /// A text that stood in quotation marks.
    Text(String),
    /// A whole number.
    Number(usize),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Token {
    /// The token as messages show it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Text(_) => "a text in quotation marks".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Comma => ",".to_owned(),
            Self::Equal => "==".to_owned(),
            Self::Unequal => "!=".to_owned(),
        }
    }
}

/// The tokens of a text with their columns.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Fault> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        let column = at + 1;
        let next = characters.get(column).copied();
        let (token, length) = match c {
            _ if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '=' if next == Some('=') => (Token::Equal, 2),
            '!' if next == Some('=') => (Token::Unequal, 2),
            '"' | '\'' => quoted(&characters, at, c)?,
            _ if c.is_ascii_alphanumeric() => word(&characters, at)?,
            _ => return Err(stray(c, column)),
        };
        tokens.push((token, column));
        at += length;
    }
    Ok(tokens)
}

/// The text in quotation marks that begins at `start`, and its length in the expression.
fn quoted(characters: &[char], start: usize, mark: char) -> Result<(Token, usize), Fault> {
    let mut plain = String::new();
    let mut at = start + 1;
    while let Some(&c) = characters.get(at) {
        at += 1;
        match c {
            _ if c == mark => return Ok((Token::Text(plain), at - start)),
            '\\' => {
                match characters.get(at) {
                    Some(&c @ ('\\' | '"' | '\'')) => plain.push(c),
                    Some('n') => plain.push('\n'),
                    Some('t') => plain.push('\t'),
                    Some(_) | None => {
                        return Err(Fault::new(at, "a backslash with nothing it can stand before")
                            .hint(r#"after a backslash write one of \ " ' n t"#));
                    }
                }
                at += 1;
            }
            _ => plain.push(c),
        }
    }
    Err(Fault::new(start + 1, format!("the quotation mark {mark} is not closed")))
}

/// The name or number that begins at `start`, and its length.
fn word(characters: &[char], start: usize) -> Result<(Token, usize), Fault> {
    let rest = characters.get(start..).unwrap_or_default();
    let mut word: String = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ';')).collect();
    let length = word.len();
    let column = start + 1;
    if let Some((name, _)) = word.split_once(';') {
        let message = "attribute options such as ;binary or ;lang-en cannot be asked for";
        return Err(Fault::new(column + name.len(), message).hint(format!("write {name}: it has the values of every option")));
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) && word.bytes().all(|octet| octet.is_ascii_digit()) {
        return match word.parse() {
            Ok(number) => Ok((Token::Number(number), length)),
            Err(_) => Err(Fault::new(column, format!("the number {word} is too large"))),
        };
    }
    if word.contains('.') || word.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Fault::new(column, format!("{word} is not a plain attribute name")).hint(format!("write attr(\"{word}\")")));
    }
    word.shrink_to_fit();
    Ok((Token::Name(word), length))
}

/// A character with no place in the language.
fn stray(c: char, column: usize) -> Fault {
    let fault = Fault::new(column, format!("{c} has no place here"));
    match c {
        '=' => fault.hint("write == to compare"),
        '!' => fault.hint("write not, or != to compare"),
        '&' => fault.hint("write and"),
        '|' => fault.hint("write or"),
        '+' => fault.hint("write concat(a, b), or join(\" \", a, b) to leave out what is absent"),
        '[' | ']' | '$' | '{' | '}' | '%' => fault.hint("write an attribute's bare name, for example mail"),
        '“' | '”' | '‘' | '’' | '„' | '`' => fault.hint("write straight quotation marks: \" or '"),
        _ if !c.is_ascii() => fault.hint("write texts in quotation marks; attribute names are ASCII"),
        _ => fault,
    }
}
