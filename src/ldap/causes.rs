//! Why a reading is partial: sentences, each once, not too many.

use crate::model::Coverage;

/// Sentences kept; the rest are counted.
const KEPT: usize = 20;

/// Collected while reading.
#[derive(Debug, Default)]
pub struct Causes {
    sentences: Vec<String>,
    more: u64,
}

impl Causes {
    /// Adds a sentence.
    pub fn add(&mut self, sentence: String) {
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
