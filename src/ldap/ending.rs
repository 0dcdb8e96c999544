//! Why a connection ended, told once by whoever ended it and read by whoever waits on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Shared by the guard and the searches of one connection.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    why: Arc<OnceLock<String>>,
    blamed: Arc<AtomicBool>,
}

impl Ending {
    /// Tells why; the first cause stays.
    pub fn tell(&self, why: String) {
        let _ = self.why.set(why);
    }

    /// Why, if it was told.
    pub fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// Notes that the server failed, and not what it was asked for: another may do better.
    pub fn blame(&self) {
        self.blamed.store(true, Ordering::Relaxed);
    }

    /// True if that was noted.
    pub fn is_blamed(&self) -> bool {
        self.blamed.load(Ordering::Relaxed)
    }
}
