//! A zero, an empty text, a `false`, and a row that does not exist: is that a hit, or a miss?
//!
//! Four servers read `stock:7` = 0, `note:7` = "", `sale:7` = false and `product:8`, which there is not. Then
//! `product:8` is created.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::{CREATE, LOOK, NEW_ROW_SEEN, NO_ROW, ONE_QUERY_A_KEY, READ_AGAIN, ROUNDS, SETTLE};
use crate::check::{self, History, Part};
use crate::cluster::Actor;
use crate::policy::Policy;
use crate::report::{Bound, Check, Report};
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{Event, EventId, Kind, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Value};
use crate::world::{ClusterSpec, Route, World, WorldError};

const ROWS: [(&str, &str); 3] = [("stock:7", "0"), ("note:7", ""), ("sale:7", "false")];
const SERVERS: [ServerId; 4] = [ServerId(1), ServerId(2), ServerId(3), ServerId(4)];

/// The scenario's body.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let keys = ROWS.map(|(key, _)| key).into_iter().chain([NO_ROW]).map(Key::new);
    let keys: Vec<Key> = keys.collect();
    let read = |server: ServerId, key: &Key| {
        world.request(ClientId(server.0.into()), Route::To(server), Request::Read(key.clone()))
    };

    world.phase(phase::START);
    world.start(ClusterSpec::new(policy.clone())).await?;
    for (key, value) in ROWS {
        world.insert(&Key::new(key), &Value::new(value)).await?;
    }

    // Server 1 reads each of the four once: nobody has them yet, so each costs a query.
    world.phase(phase::ACT);
    join_all(keys.iter().map(|key| read(SERVERS[0], key))).await;

    // Everybody reads all of them, again and again. What was answered once is known.
    world.phase(READ_AGAIN);
    for _ in 0..settings.get(&ROUNDS) {
        let reads = SERVERS.into_iter().flat_map(|server| keys.iter().map(move |key| (server, key)));
        join_all(reads.map(|(server, key)| read(server, key))).await;
    }

    // The row that was not there is created, and is looked for when the news has surely arrived.
    world.phase(CREATE);
    let new = Request::Write(Key::new(NO_ROW), Value::new("in stock"));
    world.request(ClientId(1), Route::To(SERVERS[0]), new).await;
    world.sleep(Duration::from_millis(settings.get(&SETTLE))).await;
    world.phase(LOOK);
    join_all(SERVERS.map(|server| read(server, &Key::new(NO_ROW)))).await;
    Ok(())
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, settings: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    let again = Part::of(&history, READ_AGAIN);
    Report {
        checks: vec![
            one_query_a_key(Part::of(&history, phase::ACT), again),
            check::no_stale_read(NEW_ROW_SEEN, Part::of(&history, LOOK)),
            check::all_answered(act),
        ],
        demonstration: everybody_read_again(again, settings) && was_created(act),
        figures: check::figures(act),
    }
}

/// The queries for the key that cost the most of them, before the row was created; of several, for the one that the stage
/// shows.
fn one_query_a_key(first: Part<'_>, again: Part<'_>) -> Check {
    let mut queries: BTreeMap<&Key, Vec<EventId>> = BTreeMap::new();
    for (id, event) in first.events().chain(again.events()).filter(|(_, event)| is_query(event)) {
        if let Some(key) = &event.key {
            queries.entry(key).or_default().push(id);
        }
    }
    let most = queries.iter().max_by_key(|(key, queries)| (queries.len(), key.as_str() == NO_ROW));
    let (count, second) = most.map_or((0, None), |(_, queries)| (queries.len(), queries.get(1).copied()));
    check::check(ONE_QUERY_A_KEY, count as u64, None, Bound::Exactly(1), second)
}

fn is_query(event: &Event) -> bool {
    event.actor == Actor::Primary && matches!(event.kind, Kind::Served { verb: Verb::Select, .. })
}

/// Whether every server was asked for every key again, as often as it should be.
fn everybody_read_again(again: Part<'_>, settings: &Settings) -> bool {
    let received = |event: &Event| matches!(event.kind, Kind::Received { request: RequestKind::Read });
    let reads = again.events().filter(|(_, event)| received(event)).count() as u64;
    reads == settings.get(&ROUNDS) * (SERVERS.len() * (ROWS.len() + 1)) as u64
}

/// Whether the row came into being.
fn was_created(act: Part<'_>) -> bool {
    act.requests(RequestKind::Write).any(|write| write.succeeded)
}
