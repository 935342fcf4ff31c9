//! 15. Absent and zero: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

const ROUNDS: Knob = Knob { name: "rounds", default: 5, min: 2, max: 20 };
const SETTLE: Knob = Knob { name: "settle-ms", default: 500, min: 200, max: 2_000 };

const READ_AGAIN: &str = "read again";
const CREATE: &str = "create";
const LOOK: &str = "look";

const ONE_QUERY_A_KEY: &str = "one-query-a-key";
const NEW_ROW_SEEN: &str = "new-row-seen";

const ONE: &str = "one";
const ONE_A_SERVER: &str = "one-a-server";
const EACH_READ: &str = "each-read";

/// The answer to the question: how many queries does one key cost?
pub(super) fn truth(report: &Report) -> usize {
    match report.checks.iter().find(|check| check.id == ONE_QUERY_A_KEY).map(|check| check.seen) {
        Some(0 | 1) | None => 0,
        Some(2..=4) => 1,
        Some(_) => 2,
    }
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::AbsentAndZero,
    number: 15,
    slug: "absent-and-zero",
    chapter: Chapter::Freshness,
    knobs: &[ROUNDS, SETTLE],
    phases: &[phase::START, phase::ACT, READ_AGAIN, CREATE, LOOK],
    checks: &[ONE_QUERY_A_KEY, NEW_ROW_SEEN, id::ALL_ANSWERED],
    presets: &[
        Preset { name: "truthy", role: Role::Red, policy: Policy::lesson_truthy, breaking_seed: Some(1) },
        Preset {
            name: "known",
            role: Role::Green,
            policy: || Policy::lesson_truthy().with(Switch::AbsentIsAnswer, true),
            breaking_seed: None,
        },
        Preset {
            name: "not-null",
            role: Role::Wrong,
            policy: || Policy::lesson_truthy().with(Switch::ZeroIsAnswer, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "silent-create",
            role: Role::Wrong,
            policy: || {
                let known = Policy::lesson_truthy().with(Switch::AbsentIsAnswer, true);
                known.with(Switch::CreateInvalidates, false)
            },
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::ZeroIsAnswer, Switch::AbsentIsAnswer, Switch::CreateInvalidates],
    answers: &[ONE, ONE_A_SERVER, EACH_READ],
    focus: "product:8",
    figures: &[figure::DB_QUERIES, figure::HIT_SHARE, figure::REDIS_CALLS],
    slow_motion: 100,
};
