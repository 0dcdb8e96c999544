//! A line of the configuration for a message, without anything that may be a secret.
//!
//! It works on the bare text, so that it also holds where the YAML does not parse, and on suspicion: a line that
//! has to do with passwords, or belongs to a section that has, keeps its known keys and its punctuation only.

use super::keys::is_known_word;
use super::problem::Excerpt;
use super::tree::Position;

/// How much of a line is shown at most.
const WIDEST: usize = 160;

/// The line of a place. `bare` hides values in any case.
pub(super) fn excerpt(text: &str, place: Position, bare: bool) -> Option<Excerpt> {
    let lines: Vec<&str> = text.lines().collect();
    let index = place.line.checked_sub(1)?;
    let line = lines.get(index)?.trim_end();
    let before = place.column.saturating_sub(1);
    if line.chars().count() > WIDEST || before > line.chars().count() {
        return None;
    }
    let parents = parents(&lines, index);
    let suspicious = std::iter::once(line).chain(parents.iter().copied()).any(speaks_of_secrets);
    if !bare && !suspicious {
        return Some(Excerpt { text: line.to_owned(), before });
    }
    // A line inside a text that runs over several lines is all value.
    let continued = parents.first().is_some_and(|parent| !opens_a_section(parent));
    if continued { None } else { Some(redacted(line, before)) }
}

/// The lines above that this one hangs below by its indentation, nearest first.
fn parents<'a>(lines: &[&'a str], index: usize) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut depth = lines.get(index).map_or(0, |line| indentation(line));
    for line in lines.iter().take(index).rev() {
        if depth == 0 {
            break;
        }
        if !line.trim().is_empty() && !line.trim_start().starts_with('#') && indentation(line) < depth {
            depth = indentation(line);
            found.push(*line);
        }
    }
    found
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).count()
}

fn opens_a_section(line: &str) -> bool {
    let bare = line.split(" #").next().unwrap_or(line).trim_end();
    let last = bare.split_whitespace().next_back().unwrap_or_default();
    // An anchor, `{`, `[` or `,` at the end: more of the structure follows.
    bare.ends_with([':', '{', '[', ',', '}', ']']) || last.starts_with('&')
}

/// True if a word of the line is, perhaps misspelt, one that secrets stand beside.
fn speaks_of_secrets(line: &str) -> bool {
    (line.contains("://") && line.contains('@'))
        || line.split(|c: char| !c.is_alphanumeric()).any(|word| {
            let word = word.to_lowercase();
            // `preset` is near `secret`, and what it is.
            let slips = |most: usize| if is_known_word(&word) { 0 } else { most };
            let near = |known: &str, most: usize| strsim::damerau_levenshtein(&word, known) <= slips(most);
            near("bind", 1)
                || near("auth", 1)
                || near("token", 1)
                || near("bearer", 2)
                || near("secret", 2)
                || near("password", 3)
                || near("credential", 2)
                || near("proxy", 1)
                || matches!(&*word, "pw" | "pwd" | "pass" | "key")
        })
}

/// Known keys, blanks and punctuation stay; everything else becomes `…`. `before` moves along.
fn redacted(line: &str, before: usize) -> Excerpt {
    let characters: Vec<char> = line.chars().collect();
    let mut text = String::new();
    let mut moved = None;
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        if moved.is_none() && at >= before {
            moved = Some(text.chars().count());
        }
        if c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',' | ':') {
            text.push(c);
            at += 1;
            continue;
        }
        let end = token_end(&characters, at);
        let token: String = characters.get(at..end).unwrap_or_default().iter().collect();
        let is_key = characters.get(end) == Some(&':') && characters.get(end + 1).is_none_or(|c| c.is_whitespace());
        let shown = (is_key && is_known_word(&token)) || token == "-";
        if moved.is_none() && before < end {
            moved = Some(text.chars().count());
        }
        match shown {
            true => text.push_str(&token),
            false if text.ends_with("… ") || text.ends_with('…') => {
                text.truncate(text.trim_end().len());
            }
            false => text.push('…'),
        }
        at = end;
    }
    let length = text.chars().count();
    Excerpt { text, before: moved.unwrap_or(length).min(length) }
}

/// The end of a scalar: of a quoted one its closing quotation mark or the end of the line.
fn token_end(characters: &[char], start: usize) -> usize {
    let quote = characters.get(start).copied().filter(|c| matches!(c, '"' | '\''));
    let mut at = start + 1;
    while let Some(&c) = characters.get(at) {
        match quote {
            Some('"') if c == '\\' => at += 1,
            Some(quote) if c == quote && characters.get(at + 1) == Some(&quote) => at += 1,
            Some(quote) if c == quote => return at + 1,
            Some(_) => {}
            None if c.is_whitespace() || matches!(c, ',' | '{' | '}' | '[' | ']') => return at,
            None if c == ':' && characters.get(at + 1).is_none_or(|c| c.is_whitespace()) => return at,
            None => {}
        }
        at += 1;
    }
    characters.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: usize, column: usize) -> Option<String> {
        excerpt(text, Position { line, column }, false).map(|e| format!("{}|{}", e.text, e.before))
    }

    #[test]
    fn a_harmless_line_is_shown_as_it_is() {
        assert_eq!(shown("a:\n  mode: liv\n", 2, 9).as_deref(), Some("  mode: liv|8"));
        assert_eq!(shown("preset: paloalto\n", 1, 9).as_deref(), Some("preset: paloalto|8"));
    }

    #[test]
    fn a_line_that_may_hold_a_secret_keeps_its_known_keys_only() {
        for (text, line, column, expected) in [
            ("bind: { dn: \"cn=a\", password: hunter2 }", 1, 31, "bind: { dn: …, password: … }|25"),
            ("bind: { dm: \"cn=a\", pasword: 'hunter2 , x' }", 1, 21, "bind: { …: …, …: … }|14"),
            ("bind:\n  pw: hunter 2 more", 2, 3, "  …: …|2"),
            ("auth: hunter2", 1, 7, "auth: …|6"),
            ("urls: [\"ldap://me:hunter2@h\"]", 1, 8, "urls: […]|7"),
            ("password: \"hunter2", 1, 11, "password: …|10"),
            ("password: {hunter2: x}", 1, 12, "password: {…: …}|11"),
        ] {
            assert_eq!(shown(text, line, column).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn lines_of_a_secret_that_runs_on_are_not_shown() {
        assert_eq!(shown("bind:\n  password: |\n    dn: hunter2\n", 3, 5), None);
        assert_eq!(shown("bind:\n  password: \"x\n    hunter2: a\n", 3, 5), None);
    }
}
