//! 2. Lost invalidation: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Limit, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

/// Longer than the silence limit, and shorter than any time to live.
const WAIT: Knob = Knob { name: "wait-ms", default: 600, min: 600, max: 5_000 };

const LOOK: &str = "look";
const LOOK_AGAIN: &str = "look again";

const FRESH_IN_TIME: &str = "fresh-in-time";
const FRESH_AFTER_HEAL: &str = "fresh-after-heal";

const NEVER: &str = "never";
const UNTIL_HEALED: &str = "until-healed";
const STILL: &str = "still";

/// The answer to the question: how long does the server that was not told answer the old price?
pub(super) fn truth(report: &Report) -> usize {
    let broken = |id: &str| report.checks.iter().any(|check| check.id == id && !check.holds);
    match (broken(FRESH_IN_TIME), broken(FRESH_AFTER_HEAL)) {
        (_, true) => 2,
        (true, false) => 1,
        (false, false) => 0,
    }
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::LostInvalidation,
    number: 2,
    slug: "lost-invalidation",
    chapter: Chapter::Freshness,
    knobs: &[WAIT],
    phases: &[phase::START, phase::WARM, phase::ACT, LOOK, LOOK_AGAIN],
    checks: &[FRESH_IN_TIME, FRESH_AFTER_HEAL, id::ALL_ANSWERED],
    presets: &[
        Preset { name: "forget", role: Role::Red, policy: Policy::lesson, breaking_seed: Some(1) },
        Preset {
            name: "silence-limit",
            // Whose clock stands still does not notice the silence.
            role: Role::Green(&[
                Limit::new(Peril::ClockOff, FRESH_IN_TIME, 13),
                Limit::new(Peril::ClockOff, FRESH_AFTER_HEAL, 75),
            ]),
            policy: || {
                let numbered = Policy::lesson().with(Switch::SequenceNumbers, true);
                numbered.with(Switch::SilenceLimit, true)
            },
            breaking_seed: None,
        },
        Preset {
            name: "numbers-only",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::SequenceNumbers, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "numbers-and-beats",
            role: Role::Wrong,
            policy: || {
                let numbered = Policy::lesson().with(Switch::SequenceNumbers, true);
                numbered.with(Switch::Heartbeats, true)
            },
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::SequenceNumbers, Switch::Heartbeats, Switch::SilenceLimit],
    answers: &[NEVER, UNTIL_HEALED, STILL],
    focus: "product:1",
    figures: &[figure::STALENESS_MAX, figure::L1_HIT_SHARE, figure::BUS_NOTICES],
    slow_motion: 100,
};
