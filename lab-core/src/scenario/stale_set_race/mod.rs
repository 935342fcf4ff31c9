//! 3. Stale-set race: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Limit, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

/// A call is given up after a second, in both worlds: the answer must not be held for so long.
const HOLD: Knob = Knob { name: "hold-ms", default: 500, min: 300, max: 700 };
const SETTLE: Knob = Knob { name: "settle-ms", default: 1_000, min: 600, max: 5_000 };

const PRODUCT: &str = "product:1";

const LOOK: &str = "look";
const IN_FLIGHT: &str = "in flight";
const LOOK_AGAIN: &str = "look again";

const LOCAL_FRESH: &str = "l1-not-behind";
const SHARED_FRESH: &str = "l2-not-behind";
const LATE_FRESH: &str = "late-answer-not-kept";

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
    phases: &[phase::START, phase::WARM, phase::ACT, LOOK, IN_FLIGHT, LOOK_AGAIN],
    checks: &[LOCAL_FRESH, SHARED_FRESH, LATE_FRESH, id::ALL_ANSWERED],
    presets: &[
        Preset { name: "delete", role: Role::Red, policy: Policy::cache_aside, breaking_seed: Some(1) },
        Preset {
            name: "guarded-fills",
            // A fill is kept out by the invalidation that it crosses, and this write waits neither for L2 nor for anybody to hear.
            role: Role::Green(&[
                Limit::new(Peril::BusLate, LATE_FRESH, 5),
                Limit::new(Peril::BusLost, LATE_FRESH, 3),
                Limit::new(Peril::RedisAway, LATE_FRESH, 60),
                Limit::new(Peril::RedisRestarted, LATE_FRESH, 24),
                Limit::new(Peril::RedisPaused, LATE_FRESH, 49),
            ]),
            policy: || Policy::cache_aside().with(Switch::GuardedFills, true),
            breaking_seed: None,
        },
        Preset {
            name: "token-only",
            role: Role::Wrong,
            policy: || {
                let mut policy = Policy::cache_aside().with(Switch::GuardedFills, true);
                policy.local.epochs = false;
                policy
            },
            breaking_seed: Some(1),
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
    focus: PRODUCT,
    figures: &[figure::STALENESS_MAX, figure::L1_HIT_SHARE, figure::DB_QUERIES],
    slow_motion: 100,
};
