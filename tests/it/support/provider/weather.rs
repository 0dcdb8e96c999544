//! What befalls requests again and again, whatever they are.

use super::Fault;

/// Every so many requests meet a fault, so often in all.
#[derive(Debug, Clone)]
pub struct Weather {
    pub every: usize,
    pub most: usize,
    pub fault: Fault,
    passed: usize,
}

impl Weather {
    pub fn new(every: usize, most: usize, fault: Fault) -> Self {
        Self { every, most, fault, passed: 0 }
    }

    /// The fault of the next request, if its turn has come.
    pub fn next(&mut self) -> Option<Fault> {
        self.passed += 1;
        if self.most == 0 || !self.passed.is_multiple_of(self.every) {
            return None;
        }
        self.most -= 1;
        Some(self.fault.clone())
    }
}
