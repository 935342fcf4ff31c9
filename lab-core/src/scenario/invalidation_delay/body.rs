//! An invalidation takes its time, and readers are answered the old value meanwhile.
//!
//! Four servers hold `product:1` = 50, in L1 and in L2. Server 1 updates it to 100. The way from the bus to servers
//! 2 to 4 is slow; nothing else is.

use std::time::Duration;

use futures_util::future::join_all;

use super::{BUS_DELAY, FRESH_AFTER_SETTLING, READ_AGAIN, READ_AT_ONCE, SETTLE};
use crate::check::{self, History, Part, id};
use crate::policy::Policy;
use crate::report::Report;
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{Actor, Event, Kind, NoticeKind, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Value};
use crate::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

const SLOW: [ServerId; 3] = [ServerId(2), ServerId(3), ServerId(4)];

/// The scenario's body: the lesson's first test.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let product = Key::new("product:1");
    let read = |client: u16, server: ServerId| {
        world.request(ClientId(client), Route::To(server), Request::Read(product.clone()))
    };

    world.phase(phase::START);
    world.start(ClusterSpec::new(policy.clone())).await?;
    world.insert(&product, &Value::new("50")).await?;

    // Every server has read the product: it is in L1 and in L2.
    world.phase(phase::WARM);
    for server in 1..=4 {
        read(u16::from(server), ServerId(server)).await;
    }

    // The bus is slow to servers 2 to 4.
    for server in SLOW {
        let by_ms = settings.get(&BUS_DELAY);
        world.inject(Fault::Delay { link: Link::BusTo(server), by_ms }).await?;
    }

    // Client 1 updates the price at server 1.
    world.phase(phase::ACT);
    let update = Request::Write(product.clone(), Value::new("100"));
    world.request(ClientId(1), Route::To(ServerId(1)), update).await;

    // The update is acknowledged. Others read at once, and client 1 reads what it has just written.
    world.phase(READ_AT_ONCE);
    join_all([read(2, ServerId(2)), read(3, ServerId(3)), read(4, ServerId(4)), read(1, ServerId(2))]).await;

    // And once more when the bus has surely delivered.
    world.sleep(Duration::from_millis(settings.get(&SETTLE))).await;
    world.phase(READ_AGAIN);
    join_all(SLOW.map(|server| read(u16::from(server.0), server))).await;
    Ok(())
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, settings: &Settings) -> Report {
    let history = History::of(trace);
    let since_act = Part::since(&history, phase::ACT);
    let at_once = Part::of(&history, READ_AT_ONCE);
    let again = Part::of(&history, READ_AGAIN);
    Report {
        checks: vec![
            check::no_stale_read(id::NO_STALE_READ, at_once),
            check::no_stale_read(FRESH_AFTER_SETTLING, again),
            check::all_answered(since_act),
            check::read_your_writes(at_once),
        ],
        demonstration: SLOW.iter().all(|server| was_exposed(since_act, trace, *server, settings)),
        figures: check::figures(since_act),
    }
}

/// Whether the invalidation took at least the injected delay from its publication to this server, and could have
/// been missed by a reader: L1 held the old price when the update began, or somebody read before the notice came.
fn was_exposed(since_act: Part<'_>, trace: &Trace, server: ServerId, settings: &Settings) -> bool {
    let delay = Duration::from_millis(settings.get(&BUS_DELAY));
    let here = |event: &Event| event.actor == Actor::Server(server);
    let published = since_act.events().find(
        |(_, event)| matches!(&event.kind, Kind::Called { verb: Verb::PublishInvalidate, .. } if event.operation.is_some()),
    );
    let Some((_, published)) = published else { return false };
    let delivered = since_act.events().find(|(_, event)| {
        let invalidation = matches!(&event.kind, Kind::Delivered { notice: NoticeKind::Invalidate, .. });
        invalidation && here(event) && event.message == published.message
    });
    let Some((delivery, delivered)) = delivered else { return false };
    let began = since_act.events().next().map_or(0, |(id, _)| id.index());
    let before = trace.events[..began].iter().filter(|event| here(event));
    let held = before.fold(false, |held, event| match event.kind {
        Kind::L1Stored { .. } => true,
        Kind::L1Dropped { .. } | Kind::L1Flushed { .. } => false,
        _ => held,
    });
    let mut early = since_act.events().filter(|(id, event)| {
        *id < delivery && here(event) && matches!(event.kind, Kind::Received { request: RequestKind::Read })
    });
    delivered.at.since(published.at) >= delay && (held || early.next().is_some())
}
