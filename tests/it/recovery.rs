//! Kills, lost answers and crashes: the next cycle converges without duplicates.
