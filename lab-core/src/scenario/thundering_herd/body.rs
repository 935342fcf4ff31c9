//! A thousand clients miss at once.
//!
//! Every copy of `popular:item` in L1 and L2 is gone, and a thousand clients read it over four servers. A query
//! takes 50 ms, and the fleet has twenty connections to the primary.

use std::time::Duration;

use futures_util::future::join_all;

use super::{CLIENTS, ONE_QUERY, QUERY_TIME, UNDER_100};
use crate::check::{self, History, Part};
use crate::policy::Policy;
use crate::report::{Bound, Report};
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{Actor, Event, Kind, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Value};
use crate::world::{ClusterSpec, Route, World, WorldError};

/// The scenario's body: the lesson's second test.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let item = Key::new("popular:item");
    let clients = u16::try_from(settings.get(&CLIENTS)).unwrap_or(u16::MAX);

    world.phase(phase::START);
    let query_time = Duration::from_millis(settings.get(&QUERY_TIME));
    world.start(ClusterSpec { query_time, ..ClusterSpec::new(policy.clone()) }).await?;
    world.insert(&item, &Value::new("in stock")).await?;

    // Every server has read the item, so that there is something to lose.
    world.phase(phase::WARM);
    for server in (1..=4).map(ServerId) {
        world.request(ClientId(u16::from(server.0)), Route::To(server), Request::Read(item.clone())).await;
    }

    // All copies are gone, and each server has confirmed it.
    world.phase(phase::FORGET);
    world.delete_shared(&item).await?;
    for server in (1..=4).map(ServerId) {
        world.request(ClientId(u16::from(server.0)), Route::To(server), Request::Forget(item.clone())).await;
    }

    // Everybody wants it, now.
    world.phase(phase::ACT);
    let reads = (1..=clients)
        .map(|client| world.request(ClientId(client), Route::Balanced, Request::Read(item.clone())));
    join_all(reads).await;
    Ok(())
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    let queries: Vec<_> = act.events().filter(|(_, event)| is_query(event)).map(|(id, _)| id).collect();
    let (count, second) = (queries.len() as u64, queries.get(1).copied());
    Report {
        checks: vec![
            check::check(ONE_QUERY, count, None, Bound::Exactly(1), second),
            check::equal_answers(act, RequestKind::Read),
            check::all_answered(act),
            check::inform(UNDER_100, count, None, Bound::AtMost(99), queries.get(99).copied()),
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
    let Some((first, _)) = act.events().find(|(_, event)| answered(event)) else { return false };
    let early = act.events().filter(|(id, event)| matches!(event.kind, Kind::Received { .. }) && *id < first);
    early.count() * 10 >= act.requests(RequestKind::Read).count()
}
