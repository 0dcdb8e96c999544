//! Cycles side by side with their yardsticks.

fn main() {}
