//! What is wrong with a configuration, as it is shown to the admin.

use std::fmt;

/// One thing that is wrong, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Line from 1.
    pub line: Option<usize>,
    /// Column from 1, in characters.
    pub column: Option<usize>,
    /// The key's path: `channels.chicago.users.filter`. Empty for the file as a whole.
    pub path: String,
    /// What is wrong. Holds nothing of a secret.
    pub message: String,
    /// What was perhaps meant, or what to do.
    pub hint: Option<String>,
    /// The line as written, without anything that may be a secret.
    pub excerpt: Option<Excerpt>,
}

/// A line of the file and the place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line; what may be a secret is replaced by `…`.
    pub text: String,
    /// How many characters of it stand before the place.
    pub before: usize,
}

/// Everything that is wrong, told in one go, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    /// `file:line:column: path: message`, without the line of the file and without the hint.
    pub fn headline(&self) -> String {
        let mut text = self.file.clone();
        for number in [self.line, self.column].into_iter().flatten() {
            text.push_str(&format!(":{number}"));
        }
        if !self.path.is_empty() {
            text.push_str(": ");
            text.push_str(&self.path);
        }
        format!("{text}: {}", self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        let hint = self.hint.as_deref().unwrap_or_default();
        match (&self.excerpt, self.line) {
            (Some(excerpt), Some(line)) => {
                let number = line.to_string();
                let margin = " ".repeat(number.len());
                // Tabs are kept, so that the caret stands below its place however wide they are shown.
                let lead: String =
                    excerpt.text.chars().take(excerpt.before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                write!(f, "\n  {number} | {}\n  {margin} | {lead}^ {hint}", excerpt.text)?;
                Ok(())
            }
            _ if hint.is_empty() => Ok(()),
            _ => write!(f, "\n  {hint}"),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            // The caret's line may end in a space where there is no hint.
            f.write_str(problem.to_string().trim_end())?;
        }
        Ok(())
    }
}
