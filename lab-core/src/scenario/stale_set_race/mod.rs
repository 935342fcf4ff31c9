//! 3. Stale-set race: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

/// A call is given up after a second, in both worlds: the answer must not be held for so long.
const HOLD: Knob = Knob { name: "hold-ms", default: 500, min: 300, max: 700 };
const SETTLE: Knob = Knob { name: "settle-ms", default: 1_000, min: 600, max: 5_000 };

const LOOK: &str = "look";

const LOCAL_FRESH: &str = "l1-not-behind";
const SHARED_FRESH: &str = "l2-not-behind";

const NOBODY: &str = "nobody";
const SLOW_ONLY: &str = "slow-only";
const EVERYBODY: &str = "everybody";

/// The answer to the question: who is answered the old price when all is quiet?
pub(super) fn truth(report: &Report) -> usize {
    let broken = |id: &str| report.checks.iter().any(|check| check.id == id && !check.holds);
    match (broken(LOCAL_FRESH), broken(SHARED_FRESH)) {
        (_, true) => 2,
        (true, false) => 1,
        (false, false) => 0,
    }
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::StaleSetRace,
    number: 3,
    slug: "stale-set-race",
    chapter: Chapter::Freshness,
    knobs: &[HOLD, SETTLE],
    phases: &[phase::START, phase::WARM, phase::ACT, LOOK],
    checks: &[LOCAL_FRESH, SHARED_FRESH, id::ALL_ANSWERED],
    presets: &[
        Preset { name: "delete", role: Role::Red, policy: Policy::cache_aside, breaking_seed: Some(1) },
        Preset {
            name: "guarded-fills",
            role: Role::Green(&[]),
            policy: || Policy::cache_aside().with(Switch::GuardedFills, true),
            breaking_seed: None,
        },
        Preset {
            name: "compare-versions",
            role: Role::Wrong,
            policy: || Policy::cache_aside().with(Switch::CompareVersions, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "delete-twice",
            role: Role::Wrong,
            policy: || Policy::cache_aside().with(Switch::DeleteTwice, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::DeleteTwice, Switch::CompareVersions, Switch::GuardedFills],
    answers: &[NOBODY, SLOW_ONLY, EVERYBODY],
    focus: "product:1",
    figures: &[figure::STALENESS_MAX, figure::L1_HIT_SHARE, figure::DB_QUERIES],
    slow_motion: 100,
};
