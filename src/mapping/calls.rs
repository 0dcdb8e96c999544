//! What each function does with its arguments. Their number and kind were settled by `check`.

use std::borrow::Cow;

use crate::model::Entry;

use super::expression::{Node, mistyped};
use super::texts::{OUTPUT_LIMIT, Problem, Texts};

/// The values of the first argument that has any; the rest is not looked at.
pub(super) fn first<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    for argument in arguments {
        let texts = argument.texts(entry)?;
        if !texts.is_empty() {
            return Ok(texts);
        }
    }
    Ok(Texts::Zero)
}

/// One value by its position.
pub(super) fn item<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    let [texts, Node::Number(position)] = arguments else { return Err(mistyped()) };
    Ok(texts.texts(entry)?.item(*position))
}

/// All values with a separator between them.
pub(super) fn join<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    let [Node::Text(separator), parts @ ..] = arguments else { return Err(mistyped()) };
    let mut joined: Option<Cow<'a, str>> = None;
    for part in parts {
        for text in part.texts(entry)?.as_slice() {
            match &mut joined {
                None => joined = Some(text.clone()),
                Some(joined) => {
                    append(joined, separator)?;
                    append(joined, text)?;
                }
            }
        }
    }
    Ok(joined.map_or(Texts::Zero, Texts::of))
}

/// One value of each argument, or none at all.
pub(super) fn concat<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    let mut whole = Cow::Borrowed("");
    for argument in arguments {
        match argument.texts(entry)? {
            Texts::Zero => return Ok(Texts::Zero),
            Texts::One(text) => append(&mut whole, &text)?,
            Texts::Many(texts) => return Err(Problem::Several(texts.len())),
        }
    }
    Ok(Texts::of(whole))
}

fn append(text: &mut Cow<'_, str>, more: &str) -> Result<(), Problem> {
    if text.len() + more.len() > OUTPUT_LIMIT {
        return Err(Problem::Unfit(format!("the text would be longer than {OUTPUT_LIMIT} octets")));
    }
    text.to_mut().push_str(more);
    Ok(())
}

/// Lower case.
pub(super) fn lower<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    mapped(arguments, entry, |text| {
        if text.bytes().all(|octet| octet.is_ascii() && !octet.is_ascii_uppercase()) { text } else { text.to_lowercase().into() }
    })
}

/// Upper case.
pub(super) fn upper<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    mapped(arguments, entry, |text| {
        if text.bytes().all(|octet| octet.is_ascii() && !octet.is_ascii_lowercase()) { text } else { text.to_uppercase().into() }
    })
}

/// No white space around.
pub(super) fn trim<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    mapped(arguments, entry, |text| match text {
        Cow::Borrowed(text) => text.trim().into(),
        Cow::Owned(text) => text.trim().to_owned().into(),
    })
}

fn mapped<'a>(
    arguments: &'a [Node],
    entry: &'a Entry,
    change: impl Fn(Cow<'a, str>) -> Cow<'a, str>,
) -> Result<Texts<'a>, Problem> {
    let [texts] = arguments else { return Err(mistyped()) };
    Ok(texts.texts(entry)?.map(change))
}

/// The lines of a postal address (RFC 4517 §3.3.28).
pub(super) fn lines<'a>(arguments: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    let [texts] = arguments else { return Err(mistyped()) };
    let texts = texts.texts(entry)?;
    let lines = texts.as_slice().iter().flat_map(|text| text.split('$')).map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| Cow::Owned(line.replace("\\24", "$").replace("\\5C", "\\").replace("\\5c", "\\"))).collect())
}

/// Whether there is a value.
pub(super) fn present(arguments: &[Node], entry: &Entry) -> Result<bool, Problem> {
    let [texts] = arguments else { return Err(mistyped()) };
    Ok(!texts.texts(entry)?.is_empty())
}

/// The lasting id.
pub(super) fn entry_id<'a>(_: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    Ok(Texts::of(Cow::Borrowed(entry.id.as_str())))
}

/// The DN as written.
pub(super) fn dn<'a>(_: &'a [Node], entry: &'a Entry) -> Result<Texts<'a>, Problem> {
    Ok(Texts::of(Cow::Borrowed(entry.dn.as_str())))
}

/// No value.
pub(super) fn nothing<'a>(_: &'a [Node], _: &'a Entry) -> Result<Texts<'a>, Problem> {
    Ok(Texts::Zero)
}
