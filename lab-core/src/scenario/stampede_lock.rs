//! 5. Ten requests want one expensive computation.
//!
//! Ten clients ask for `expensive:calculation` at once, over four servers; computing it takes a second. With the
//! lesson's `getWithLock` all of them should be answered the same value, computed once.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Knob, Preset, Role, Scenario, ScenarioId, Settings};
use crate::check::{self, History, Part};
use crate::policy::{Policy, Switch};
use crate::report::{Bound, Report, figure};
use crate::service::Request;
use crate::trace::{Kind, RequestKind, Trace};
use crate::value::{ClientId, Key};
use crate::world::{ClusterSpec, Route, World, WorldError};

/// The scenario's body: the lesson's third test.
pub(super) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let calculation = Key::new("expensive:calculation");
    let requests = u16::try_from(settings.get("requests")).unwrap_or(u16::MAX);
    let takes = Duration::from_millis(settings.get("compute-ms"));

    world.phase("start");
    world.start(ClusterSpec::new(policy.clone())).await?;

    // Everybody asks at once, and nobody has the result yet.
    world.phase("act");
    let asked = (1..=requests).map(|client| {
        world.request(ClientId(client), Route::Balanced, Request::Compute(calculation.clone(), takes))
    });
    join_all(asked).await;
    Ok(())
}

/// What must hold.
pub(super) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, "act");
    let computed = act.events().filter(|(_, event)| matches!(event.kind, Kind::ComputeStarted));
    let computed: Vec<_> = computed.map(|(id, _)| id).collect();
    Report {
        checks: vec![
            check::check(
                "computed-once",
                computed.len() as u64,
                None,
                Bound::Exactly(1),
                computed.get(1).copied(),
            ),
            check::equal_answers(act, RequestKind::Compute),
            check::all_answered(act),
        ],
        demonstration: was_a_stampede(act),
        figures: check::figures(act),
    }
}

/// Whether every request had reached its server before the first computation was done.
fn was_a_stampede(act: Part<'_>) -> bool {
    let first = act.events().find(|(_, event)| matches!(event.kind, Kind::Computed { .. })).map(|(id, _)| id);
    let early = act.events().filter(|(id, event)| {
        matches!(event.kind, Kind::Received { .. }) && first.is_some_and(|first| *id < first)
    });
    early.count() == act.requests(RequestKind::Compute).count()
}

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
    title: "Stampede lock",
    goal: "Ten requests are answered the same value, which is computed once.",
    knobs: &[
        Knob { name: "requests", default: 10, min: 2, max: 100 },
        Knob { name: "compute-ms", default: 1_000, min: 100, max: 2_000 },
    ],
    presets: &[
        Preset {
            name: "unprotected",
            sentence: "Whoever misses computes.",
            role: Role::Red,
            policy: Policy::lesson,
            breaking_seed: Some(1),
        },
        Preset {
            name: "lock",
            sentence: "A lock over the fleet; the others try again every 100 ms and look in the caches first.",
            role: Role::Green,
            policy: || Policy::lesson().with(Switch::Lock, true),
            breaking_seed: None,
        },
        Preset {
            name: "lock-push",
            sentence: "A lock over the fleet; the others are woken by its holder.",
            role: Role::Green,
            policy: || Policy::lesson().with(Switch::PushWaiters, true),
            breaking_seed: None,
        },
        Preset {
            name: "no-recheck",
            sentence: "A lock over the fleet, but nobody looks in the caches again after the first miss.",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::Lock, true).with(Switch::RecheckAfterLock, false),
            breaking_seed: Some(1),
        },
        Preset {
            name: "fixed-wait",
            sentence: "Whoever does not get the lock waits once for half a second, then computes.",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::FixedWait, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::Lock, Switch::RecheckAfterLock, Switch::PushWaiters, Switch::FixedWait],
    answers: &["once", "once-a-server", "each-time"],
    focus: "expensive:calculation",
    file: file!(),
};
