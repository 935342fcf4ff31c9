//! 4. Thundering herd: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Limit, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

const CLIENTS: Knob = Knob { name: "clients", default: 1_000, min: 8, max: 1_000 };
const QUERY_TIME: Knob = Knob { name: "query-ms", default: 50, min: 1, max: 500 };

const ONE_QUERY: &str = "one-query";
const UNDER_100: &str = "queries-under-100";

const ONE: &str = "one";
const ONE_A_SERVER: &str = "one-a-server";
const ONE_A_CONNECTION: &str = "one-a-connection";
const HUNDREDS: &str = "hundreds";

/// The answer to the question: how many queries reach the database?
pub(super) fn truth(report: &Report) -> usize {
    match report.figures.get(figure::DB_QUERIES).map(|figure| figure.value as u64) {
        Some(0 | 1) | None => 0,
        Some(2..=20) => 1,
        Some(21..=200) => 2,
        Some(_) => 3,
    }
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::ThunderingHerd,
    number: 4,
    slug: "thundering-herd",
    chapter: Chapter::HerdsAndLocks,
    knobs: &[CLIENTS, QUERY_TIME],
    phases: &[phase::START, phase::WARM, phase::FORGET, phase::ACT],
    checks: &[ONE_QUERY, id::EQUAL_ANSWERS, id::ALL_ANSWERED, UNDER_100],
    presets: &[
        Preset { name: "unprotected", role: Role::Red, policy: Policy::lesson, breaking_seed: Some(1) },
        Preset {
            name: "single-flight",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::SingleFlight, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "lease",
            // Whoever cannot ask for the lease, or waits longer than it lasts, asks the database itself.
            role: Role::Green(&[
                Limit::new(Peril::RedisAway, ONE_QUERY, 8),
                Limit::new(Peril::DatabaseAway, ONE_QUERY, 14),
                Limit::new(Peril::ServerPaused, ONE_QUERY, 8),
                Limit::new(Peril::ServerKilled, ONE_QUERY, 2),
                Limit::new(Peril::PrimaryRestarted, ONE_QUERY, 5),
                Limit::new(Peril::PrimaryPaused, ONE_QUERY, 3),
                Limit::new(Peril::RedisRestarted, ONE_QUERY, 2),
                Limit::new(Peril::RedisPaused, ONE_QUERY, 3),
            ]),
            policy: || Policy::lesson().with(Switch::FleetLease, true),
            breaking_seed: None,
        },
        Preset {
            name: "short-lease",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::ShortLease, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::SingleFlight, Switch::FleetLease, Switch::ShortLease],
    answers: &[ONE, ONE_A_SERVER, ONE_A_CONNECTION, HUNDREDS],
    focus: "popular:item",
    figures: &[figure::DB_QUERIES, figure::REDIS_CALLS, figure::HIT_SHARE],
    slow_motion: 10,
};
