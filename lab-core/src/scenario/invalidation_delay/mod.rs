//! 1. Invalidation delay: what it is, which policies it comes with, and what is asked.

pub(super) mod body;
pub(super) mod en;
pub(super) mod ja;

use super::{Chapter, Knob, Limit, Preset, Role, Scenario, ScenarioId, phase};
use crate::check::id;
use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::{Report, figure};

const BUS_DELAY: Knob = Knob { name: "bus-delay-ms", default: 50, min: 30, max: 500 };
const SETTLE: Knob = Knob { name: "settle-ms", default: 1_000, min: 600, max: 5_000 };

const READ_AT_ONCE: &str = "read at once";
const READ_AGAIN: &str = "read again";

const FRESH_AFTER_SETTLING: &str = "fresh-after-settling";

const NONE: &str = "none";
const SOME: &str = "some";
const ALL: &str = "all";

/// The answer to the question: how many of the reads right after the update are answered the old price?
pub(super) fn truth(report: &Report) -> usize {
    let reads = report.checks.iter().find(|check| check.id == id::NO_STALE_READ);
    match reads.map(|check| (check.seen, check.of.unwrap_or(0))) {
        Some((0, _)) | None => 0,
        Some((stale, all)) if stale < all => 1,
        Some(_) => 2,
    }
}

/// What the lab says about it.
pub(super) static SCENARIO: Scenario = Scenario {
    id: ScenarioId::InvalidationDelay,
    number: 1,
    slug: "invalidation-delay",
    chapter: Chapter::Freshness,
    knobs: &[BUS_DELAY, SETTLE],
    phases: &[phase::START, phase::WARM, phase::ACT, READ_AT_ONCE, READ_AGAIN],
    checks: &[id::NO_STALE_READ, FRESH_AFTER_SETTLING, id::ALL_ANSWERED, id::READ_YOUR_WRITES],
    presets: &[
        Preset { name: "lesson", role: Role::Red, policy: Policy::lesson, breaking_seed: Some(1) },
        Preset {
            name: "first-listing",
            role: Role::Red,
            policy: Policy::lesson_first_listing,
            breaking_seed: Some(1),
        },
        Preset {
            name: "acknowledged",
            // A lease is only as good as the clock of its holder, and L2 as what its master's replica has heard of; this
            // run is over before either could show. The nemesis shows both.
            role: Role::Green(&[
                Limit::unseen(Peril::ClockOff, id::NO_STALE_READ),
                Limit::unseen(Peril::RedisRestarted, id::NO_STALE_READ),
                Limit::unseen(Peril::RedisPaused, id::NO_STALE_READ),
            ]),
            policy: || {
                Policy::lesson().with(Switch::AcknowledgedInvalidation, true).with(Switch::Outbox, true)
            },
            breaking_seed: None,
        },
        Preset {
            name: "strong-reads",
            role: Role::Green(&[]),
            policy: || Policy::lesson().with(Switch::StrongReads, true),
            breaking_seed: None,
        },
        Preset {
            name: "session-reads",
            role: Role::Partial(&[id::READ_YOUR_WRITES, FRESH_AFTER_SETTLING]),
            policy: || Policy::lesson().with(Switch::SessionReads, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "short-ttl",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::ShortLocalTtl, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "publish-first",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::PublishBeforeCommit, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[
        Switch::WriteShared,
        Switch::ShortLocalTtl,
        Switch::AcknowledgedInvalidation,
        Switch::Outbox,
        Switch::PublishBeforeCommit,
        Switch::StrongReads,
        Switch::SessionReads,
    ],
    answers: &[NONE, SOME, ALL],
    focus: "product:1",
    figures: &[figure::STALENESS_MAX, figure::L1_HIT_SHARE, figure::DB_QUERIES],
    slow_motion: 100,
};
