//! Standard output: lines for people or JSON documents, one a line. A reader that went away ends nothing.

use std::io::{self, BufWriter, Write};

use serde_json::Value as Json;

use crate::logging::escaped;

use super::args::Format;

/// Where results go.
pub struct Output {
    writer: Box<dyn Write + Send>,
    format: Format,
    failed: Option<io::Error>,
}

impl Output {
    /// Standard output.
    pub fn stdout(format: Format) -> Self {
        Self { writer: Box::new(BufWriter::new(io::stdout())), format, failed: None }
    }

    /// A line for people. Control characters in it are escaped.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if self.format == Format::Text {
            self.write(&escaped(text.as_ref()));
        }
    }

    /// Several lines for people.
    pub fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.line(line);
        }
    }

    /// A document for programs.
    pub fn json(&mut self, document: &Json) {
        if self.format == Format::Json {
            self.write(&document.to_string());
        }
    }

    fn write(&mut self, line: &str) {
        if self.failed.is_none()
            && let Err(error) = writeln!(self.writer, "{line}")
        {
            self.failed = Some(error);
        }
    }

    /// Writes out what waits, so that it stands before what comes on stderr.
    pub fn flush(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.writer.flush()
        {
            self.failed = Some(error);
        }
    }

    /// The end. An error other than a reader that went away is told.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush();
        match self.failed {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            Some(_) | None => Ok(()),
        }
    }
}

/// A line on stderr for people. Control characters in it are escaped line by line.
pub fn complain(text: &str) {
    let mut stderr = io::stderr().lock();
    for line in text.lines() {
        // Nobody is left to be told that stderr is closed.
        let _ = writeln!(stderr, "{}", escaped(line));
    }
}
