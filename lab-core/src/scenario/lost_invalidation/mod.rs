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

/// Longer than another server takes to find in the outbox what a dead one has left there.
const RELAY_WAIT: Knob = Knob { name: "relay-ms", default: 5_000, min: 4_500, max: 10_000 };

/// Its slot lies on another master than the bus does: what one server says to the one is struck, and not what it says to
/// the other.
const PRODUCT: &str = "product:2";

const LOOK: &str = "look";
const LOOK_AGAIN: &str = "look again";
const CRASH: &str = "crash";
const AFTERWARDS: &str = "afterwards";

const FRESH_IN_TIME: &str = "fresh-in-time";
const FRESH_AFTER_HEAL: &str = "fresh-after-heal";
const FRESH_AFTER_CRASH: &str = "fresh-after-crash";

const NOBODY: &str = "nobody";
const DEAF_ONLY: &str = "deaf-only";
const EVERYBODY: &str = "everybody";

/// The answer to the question: who is answered an old price at the end?
pub(super) fn truth(report: &Report) -> usize {
    match report.checks.iter().find(|check| check.id == FRESH_AFTER_CRASH).map(|check| check.seen) {
        Some(0) | None => 0,
        Some(1) => 1,
        Some(_) => 2,
    }
}

/// Numbered notices, heartbeats, and no L1 after a silence: whatever was published is heard, or missed.
fn listens() -> Policy {
    Policy::lesson().with(Switch::SequenceNumbers, true).with(Switch::SilenceLimit, true)
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::LostInvalidation,
    number: 2,
    slug: "lost-invalidation",
    chapter: Chapter::Freshness,
    knobs: &[WAIT, RELAY_WAIT],
    phases: &[phase::START, phase::WARM, phase::ACT, LOOK, LOOK_AGAIN, CRASH, AFTERWARDS],
    checks: &[FRESH_IN_TIME, FRESH_AFTER_HEAL, FRESH_AFTER_CRASH, id::ALL_ANSWERED],
    presets: &[
        Preset { name: "forget", role: Role::Red, policy: Policy::lesson, breaking_seed: Some(1) },
        Preset {
            name: "silence-and-outbox",
            // Whose clock stands still does not notice the silence. And an outbox is looked into when the database answers,
            // and told of when Redis and the bus do: after 30 s all know.
            role: Role::Green(&[
                Limit::new(Peril::ClockOff, FRESH_IN_TIME, 14),
                Limit::new(Peril::ClockOff, FRESH_AFTER_HEAL, 108),
                Limit::new(Peril::BusLate, FRESH_AFTER_CRASH, 55),
                Limit::new(Peril::BusLost, FRESH_AFTER_CRASH, 110),
                Limit::new(Peril::RedisAway, FRESH_AFTER_CRASH, 12),
                Limit::new(Peril::DatabaseAway, FRESH_AFTER_CRASH, 3),
                Limit::new(Peril::ServerPaused, FRESH_AFTER_CRASH, 459),
                Limit::new(Peril::ServerKilled, FRESH_AFTER_CRASH, 737),
                Limit::new(Peril::PrimaryRestarted, FRESH_AFTER_CRASH, 1),
                Limit::new(Peril::PrimaryPaused, FRESH_AFTER_CRASH, 1),
                Limit::new(Peril::RedisRestarted, FRESH_AFTER_CRASH, 13),
                Limit::new(Peril::RedisPaused, FRESH_AFTER_CRASH, 3),
            ]),
            policy: || listens().with(Switch::Outbox, true),
            breaking_seed: None,
        },
        Preset {
            name: "silence-limit",
            role: Role::Partial(&[FRESH_IN_TIME, FRESH_AFTER_HEAL]),
            policy: listens,
            breaking_seed: Some(1),
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
        Preset {
            name: "outbox-only",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::Outbox, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "publish-first",
            role: Role::Wrong,
            policy: || listens().with(Switch::PublishBeforeCommit, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "say-it-twice",
            role: Role::Wrong,
            policy: || listens().with(Switch::DeleteTwice, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[
        Switch::SequenceNumbers,
        Switch::Heartbeats,
        Switch::SilenceLimit,
        Switch::PublishBeforeCommit,
        Switch::DeleteTwice,
        Switch::Outbox,
    ],
    answers: &[NOBODY, DEAF_ONLY, EVERYBODY],
    focus: PRODUCT,
    figures: &[figure::STALENESS_MAX, figure::L1_HIT_SHARE, figure::BUS_NOTICES],
    slow_motion: 100,
};
