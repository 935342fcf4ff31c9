//! 5. Stampede lock: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Limit, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

const REQUESTS: Knob = Knob { name: "requests", default: 10, min: 2, max: 100 };
const COMPUTATION: Knob = Knob { name: "compute-ms", default: 1_000, min: 100, max: 2_000 };

const COMPUTED_ONCE: &str = "computed-once";

const ONCE: &str = "once";
const ONCE_A_SERVER: &str = "once-a-server";
const EACH_TIME: &str = "each-time";

/// The answer to the question: how often is it computed?
pub(super) fn truth(report: &Report) -> usize {
    match report.figures.get(figure::COMPUTATIONS).map(|figure| figure.value as u64) {
        Some(0 | 1) | None => 0,
        Some(2..=4) => 1,
        Some(_) => 2,
    }
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::StampedeLock,
    number: 5,
    slug: "stampede-lock",
    chapter: Chapter::HerdsAndLocks,
    knobs: &[REQUESTS, COMPUTATION],
    phases: &[phase::START, phase::ACT],
    checks: &[COMPUTED_ONCE, id::EQUAL_ANSWERS, id::ALL_ANSWERED],
    presets: &[
        Preset { name: "unprotected", role: Role::Red, policy: Policy::lesson, breaking_seed: Some(1) },
        Preset {
            name: "lock",
            // A lock lives in Redis, and no longer than its time: who loses either computes beside its next holder.
            role: Role::Green(&[
                Limit::new(Peril::RedisAway, COMPUTED_ONCE, 18),
                Limit::new(Peril::RedisAway, id::EQUAL_ANSWERS, 18),
                Limit::new(Peril::ServerKilled, COMPUTED_ONCE, 2),
                Limit::unseen(Peril::RedisRestarted, COMPUTED_ONCE),
                Limit::unseen(Peril::RedisRestarted, id::EQUAL_ANSWERS),
                Limit::unseen(Peril::RedisPaused, COMPUTED_ONCE),
                Limit::unseen(Peril::RedisPaused, id::EQUAL_ANSWERS),
            ]),
            policy: || Policy::lesson().with(Switch::Lock, true),
            breaking_seed: None,
        },
        Preset {
            name: "lock-push",
            role: Role::Green(&[
                Limit::new(Peril::RedisAway, COMPUTED_ONCE, 18),
                Limit::new(Peril::RedisAway, id::EQUAL_ANSWERS, 18),
                Limit::new(Peril::ServerKilled, COMPUTED_ONCE, 2),
                Limit::new(Peril::RedisRestarted, COMPUTED_ONCE, 231),
                Limit::new(Peril::RedisRestarted, id::EQUAL_ANSWERS, 231),
                Limit::unseen(Peril::RedisPaused, COMPUTED_ONCE),
                Limit::unseen(Peril::RedisPaused, id::EQUAL_ANSWERS),
            ]),
            policy: || Policy::lesson().with(Switch::PushWaiters, true),
            breaking_seed: None,
        },
        Preset {
            name: "no-recheck",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::Lock, true).with(Switch::RecheckAfterLock, false),
            breaking_seed: Some(1),
        },
        Preset {
            name: "fixed-wait",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::FixedWait, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::Lock, Switch::RecheckAfterLock, Switch::PushWaiters, Switch::FixedWait],
    answers: &[ONCE, ONCE_A_SERVER, EACH_TIME],
    focus: "expensive:calculation",
    figures: &[figure::COMPUTATIONS, figure::WAITER_MEAN, figure::REDIS_CALLS],
    slow_motion: 10,
};
