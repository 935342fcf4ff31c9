//! How fast virtual time runs while playing.

use lab_core::scenario::ScenarioId;

/// Virtual time per real time, slowest first, in thousandths.
pub(crate) const SPEEDS: [u32; 6] = [1, 3, 10, 30, 100, 1_000];

/// The fastest speed that is as slow as the scenario wants it.
pub(super) fn default_speed(scenario: ScenarioId) -> usize {
    let wanted = 1_000 / scenario.scenario().slow_motion.max(1);
    SPEEDS.iter().rposition(|speed| *speed <= wanted).unwrap_or_default()
}
