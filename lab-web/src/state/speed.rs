//! How fast virtual time runs while playing.

use lab_core::scenario::ScenarioId;

/// Virtual time per real time, slowest first, in thousandths.
pub(crate) const SPEEDS: [u32; 6] = [1, 3, 10, 30, 100, 1_000];

/// A speed at which the lesson's interesting part takes some ten seconds.
pub(super) fn default_speed(scenario: ScenarioId) -> usize {
    match scenario {
        ScenarioId::InvalidationDelay => 2,
        ScenarioId::ThunderingHerd | ScenarioId::StampedeLock => 4,
    }
}
