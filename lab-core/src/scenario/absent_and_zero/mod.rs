//! 15. Absent and zero: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Limit, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

const ROUNDS: Knob = Knob { name: "rounds", default: 5, min: 2, max: 20 };
const SETTLE: Knob = Knob { name: "settle-ms", default: 500, min: 200, max: 2_000 };

/// The row that there is not, and that is created.
const NO_ROW: &str = "product:8";

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
            // Nobody waits for the notice of the new row; and who fills late leaves the others to ask once more.
            role: Role::Green(&[
                Limit::new(Peril::BusLate, NEW_ROW_SEEN, 21),
                Limit::new(Peril::BusLost, NEW_ROW_SEEN, 4),
                Limit::new(Peril::RedisAway, NEW_ROW_SEEN, 260),
                Limit::new(Peril::RedisAway, ONE_QUERY_A_KEY, 59),
                Limit::new(Peril::DatabaseAway, ONE_QUERY_A_KEY, 140),
                Limit::new(Peril::ServerPaused, ONE_QUERY_A_KEY, 359),
                Limit::new(Peril::ServerKilled, ONE_QUERY_A_KEY, 136),
                Limit::new(Peril::PrimaryRestarted, ONE_QUERY_A_KEY, 15),
                Limit::new(Peril::PrimaryPaused, ONE_QUERY_A_KEY, 359),
                Limit::new(Peril::RedisRestarted, NEW_ROW_SEEN, 64),
                Limit::new(Peril::RedisRestarted, ONE_QUERY_A_KEY, 3),
                Limit::new(Peril::RedisPaused, NEW_ROW_SEEN, 295),
                Limit::new(Peril::RedisPaused, ONE_QUERY_A_KEY, 76),
            ]),
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
    focus: NO_ROW,
    figures: &[figure::DB_QUERIES, figure::HIT_SHARE, figure::REDIS_CALLS],
    slow_motion: 100,
};
