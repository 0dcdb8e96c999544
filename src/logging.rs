//! What the program tells of itself: lines on stderr, as text or as JSON, readable alone and without control
//! characters of others.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterFn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The environment variable with a filter in the form of `tracing_subscriber::EnvFilter`.
pub const FILTER: &str = "LDAP2SCIM_LOG";

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document a line.
    Json,
}

/// Starts logging. `usual` is the level where the environment says nothing. To be called once.
pub fn start(usual: LevelFilter, format: LogFormat) {
    let wanted = std::env::var(FILTER).ok().filter(|filter| !filter.trim().is_empty());
    let (filter, mistake) = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (usual_filter(usual), Some(error.to_string())),
        None => (usual_filter(usual), None),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Stderr(format));
    // The journal puts a time before every line itself.
    let in_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let started = match (format, in_journal) {
        (LogFormat::Json, _) => registry.with(lines.json().with_filter(FilterFn::new(is_ours))).try_init(),
        (LogFormat::Text, true) => registry.with(lines.without_time().with_filter(FilterFn::new(is_ours))).try_init(),
        (LogFormat::Text, false) => registry.with(lines.with_filter(FilterFn::new(is_ours))).try_init(),
    };
    if let (Ok(()), Some(mistake)) = (started, mistake) {
        tracing::warn!("{FILTER} is not a filter and is ignored: {mistake}");
    }
}

fn usual_filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::new(format!("warn,ldap2scim={level}"))
}

/// Libraries may write what they send, secrets included: below warnings they are not heard, whatever the filter says.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("ldap2scim") || *metadata.level() <= tracing::Level::WARN
}

/// A text from outside as it may stand in a line of a terminal or a log: control characters and those that turn the
/// direction of writing are written as escapes.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_dangerous(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    Cow::Owned(escaped)
}

/// The same for a text that is JSON, and stays it.
fn escaped_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Every dangerous character is one UTF-16 unit.
        if is_dangerous(c) { escaped.push_str(&format!("\\u{:04x}", u32::from(c))) } else { escaped.push(c) }
    }
    escaped
}

/// Control characters, line and paragraph separators, and the overrides and isolates of UAX #9.
fn is_dangerous(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Standard error, one event at a time.
struct Stderr(LogFormat);

/// One event on its way. The formatter hands it over whole, with its line break.
struct Event(LogFormat);

impl MakeWriter<'_> for Stderr {
    type Writer = Event;

    fn make_writer(&self) -> Event {
        Event(self.0)
    }
}

impl Write for Event {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(octets);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = match self.0 {
            LogFormat::Text => escaped(line),
            LogFormat::Json => Cow::Owned(escaped_json(line)),
        };
        writeln!(io::stderr().lock(), "{line}")?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_escaped_and_other_scripts_are_kept() {
        for (text, shown) in [
            ("Ünal, Gökçe", "Ünal, Gökçe"),
            ("山田 太郎", "山田 太郎"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
            ("c1\u{9b}2J", "c1\\u{9b}2J"),
            ("exe\u{202e}gpj", "exe\\u{202e}gpj"),
        ] {
            assert_eq!(escaped(text), shown);
            let json = escaped_json(&serde_json::json!({ "name": text }).to_string());
            assert!(!json.contains(is_dangerous), "{json}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["name"], text);
        }
    }
}
