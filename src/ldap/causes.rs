//! Why a reading is partial: sentences, each once, not too many.

use crate::model::Coverage;

/// Sentences kept; the rest are counted.
const KEPT: usize = 20;

/// Characters of a sentence that are kept.
const LONGEST: usize = 600;

/// Collected while reading.
#[derive(Debug, Default)]
pub struct Causes {
    sentences: Vec<String>,
    more: u64,
    noted: u64,
}

impl Causes {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// How often a cause was added, whether its sentence was new or not.
    pub fn noted(&self) -> u64 {
        self.noted
    }

    /// Adds a sentence. Servers' words are in it: control characters go, and what is too long is cut.
    pub fn add(&mut self, sentence: String) {
        self.noted += 1;
        let sentence: String = sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        if self.sentences.contains(&sentence) {
        } else if self.sentences.len() < KEPT {
            self.sentences.push(sentence);
        } else {
            self.more += 1;
        }
    }

    /// The sentences, with a count of those that were not kept.
    pub fn sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.sentences.push(format!("and {} more causes of the same kinds", self.more));
        }
        self.sentences
    }

    /// Full if there is no cause.
    pub fn coverage(self) -> Coverage {
        let sentences = self.sentences();
        if sentences.is_empty() { Coverage::Full } else { Coverage::Partial(sentences) }
    }
}
