//! Why a connection ended, told once by whoever ended it and read by whoever waits on it.

use std::sync::{Arc, OnceLock};

/// Shared by the guard and the searches of one connection.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<OnceLock<String>>);

impl Ending {
    /// Tells why; the first cause stays.
    pub fn tell(&self, why: String) {
        let _ = self.0.set(why);
    }

    /// Why, if it was told.
    pub fn why(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
