//! 4. A thousand clients miss at once.
//!
//! Every copy of `popular:item` in L1 and L2 is gone, and a thousand clients read it over four servers. A query
//! takes 50 ms, and the fleet has twenty connections to the primary.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Knob, Preset, Role, Scenario, ScenarioId, Settings};
use crate::check::{self, History, Part};
use crate::policy::{Policy, Switch};
use crate::report::{Bound, Report, figure};
use crate::service::Request;
use crate::trace::{Actor, Event, Kind, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Value};
use crate::world::{ClusterSpec, Route, World, WorldError};

/// The scenario's body: the lesson's second test.
pub(super) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let item = Key::new("popular:item");
    let clients = u16::try_from(settings.get("clients")).unwrap_or(u16::MAX);

    world.phase("start");
    let query_time = Duration::from_millis(settings.get("query-ms"));
    world.start(ClusterSpec { query_time, ..ClusterSpec::new(policy.clone()) }).await?;
    world.insert(&item, &Value::new("in stock")).await?;

    // Every server has read the item, so that there is something to lose.
    world.phase("warm");
    for server in (1..=4).map(ServerId) {
        world.request(ClientId(u16::from(server.0)), Route::To(server), Request::Read(item.clone())).await;
    }

    // All copies are gone, and each server has confirmed it.
    world.phase("forget");
    world.delete_shared(&item).await?;
    for server in (1..=4).map(ServerId) {
        world.request(ClientId(u16::from(server.0)), Route::To(server), Request::Forget(item.clone())).await;
    }

    // Everybody wants it, now.
    world.phase("act");
    let reads = (1..=clients)
        .map(|client| world.request(ClientId(client), Route::Balanced, Request::Read(item.clone())));
    join_all(reads).await;
    Ok(())
}

/// What must hold.
pub(super) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, "act");
    let queries: Vec<_> = act.events().filter(|(_, event)| is_query(event)).map(|(id, _)| id).collect();
    let (count, second) = (queries.len() as u64, queries.get(1).copied());
    Report {
        checks: vec![
            check::check("one-query", count, None, Bound::Exactly(1), second),
            check::equal_answers(act, RequestKind::Read),
            check::all_answered(act),
            check::inform("queries-under-100", count, None, Bound::AtMost(99), queries.get(99).copied()),
        ],
        demonstration: was_a_herd(act),
        figures: check::figures(act),
    }
}

fn is_query(event: &Event) -> bool {
    event.actor == Actor::Primary && matches!(event.kind, Kind::Served { verb: Verb::Select, .. })
}

/// Whether at least a tenth of the requests had reached a server before the first query was answered.
fn was_a_herd(act: Part<'_>) -> bool {
    let answered = |event: &Event| matches!(event.kind, Kind::Returned { verb: Verb::Select, .. });
    let first = act.events().find(|(_, event)| answered(event)).map(|(id, _)| id);
    let early = act.events().filter(|(id, event)| {
        matches!(event.kind, Kind::Received { .. }) && first.is_some_and(|first| *id < first)
    });
    early.count() * 10 >= act.requests(RequestKind::Read).count()
}

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
    title: "Thundering herd",
    goal: "A thousand clients cost the database one query.",
    knobs: &[
        Knob { name: "clients", default: 1_000, min: 8, max: 1_000 },
        Knob { name: "query-ms", default: 50, min: 1, max: 500 },
    ],
    presets: &[
        Preset {
            name: "unprotected",
            sentence: "Whoever misses reads the database.",
            role: Role::Red,
            policy: Policy::lesson,
            breaking_seed: Some(1),
        },
        Preset {
            name: "single-flight",
            sentence: "Requests of one server share one read: one query a server.",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::SingleFlight, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "lease",
            sentence: "One server of the fleet reads; the others are woken when it has filled L2.",
            role: Role::Green,
            policy: || Policy::lesson().with(Switch::FleetLease, true),
            breaking_seed: None,
        },
        Preset {
            name: "short-lease",
            sentence: "The lease is void after 20 ms, which is shorter than the query.",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::ShortLease, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[Switch::SingleFlight, Switch::FleetLease, Switch::ShortLease],
    answers: &["one", "one-a-server", "one-a-connection", "hundreds"],
    focus: "popular:item",
    file: file!(),
};
