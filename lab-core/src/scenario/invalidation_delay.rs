//! 1. An invalidation takes its time, and readers are answered the old value meanwhile.
//!
//! Four servers hold `product:1` = 50, in L1 and in L2. Server 1 updates it to 100. The way from the bus to servers
//! 2 to 4 is slow; nothing else is.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Knob, Preset, Role, Scenario, ScenarioId, Settings};
use crate::check::{self, History, Part};
use crate::policy::{Policy, Switch};
use crate::report::Report;
use crate::service::Request;
use crate::trace::{Actor, Event, Kind, NoticeKind, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Value};
use crate::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

const SLOW: [ServerId; 3] = [ServerId(2), ServerId(3), ServerId(4)];

/// The scenario's body: the lesson's first test.
pub(super) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let product = Key::new("product:1");
    let read = |client: u16, server: ServerId| {
        world.request(ClientId(client), Route::To(server), Request::Read(product.clone()))
    };

    world.phase("start");
    world.start(ClusterSpec::new(policy.clone())).await?;
    world.insert(&product, &Value::new("50")).await?;

    // Every server has read the product: it is in L1 and in L2.
    world.phase("warm");
    for server in 1..=4 {
        read(u16::from(server), ServerId(server)).await;
    }

    // The bus is slow to servers 2 to 4.
    for server in SLOW {
        let by_ms = settings.get("bus-delay-ms");
        world.inject(Fault::Delay { link: Link::BusTo(server), by_ms }).await?;
    }

    // Client 1 updates the price at server 1.
    world.phase("act");
    let update = Request::Write(product.clone(), Value::new("100"));
    world.request(ClientId(1), Route::To(ServerId(1)), update).await;

    // The update is acknowledged. Others read at once, and client 1 reads what it has just written.
    world.phase("read at once");
    join_all([read(2, ServerId(2)), read(3, ServerId(3)), read(4, ServerId(4)), read(1, ServerId(2))]).await;

    // And once more when the bus has surely delivered.
    world.sleep(Duration::from_millis(settings.get("settle-ms"))).await;
    world.phase("read again");
    join_all(SLOW.map(|server| read(u16::from(server.0), server))).await;
    Ok(())
}

/// What must hold.
pub(super) fn judge(trace: &Trace, settings: &Settings) -> Report {
    let history = History::of(trace);
    let since_act = Part::since(&history, "act");
    let at_once = Part::of(&history, "read at once");
    let again = Part::of(&history, "read again");
    Report {
        checks: vec![
            check::no_stale_read("no-stale-read", at_once),
            check::no_stale_read("fresh-after-settling", again),
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
    let delay = Duration::from_millis(settings.get("bus-delay-ms"));
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

/// The answer to the question: how many of the reads right after the update are answered the old price?
pub(super) fn truth(report: &Report) -> usize {
    let reads = report.checks.iter().find(|check| check.id == "no-stale-read");
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
    title: "Invalidation delay",
    goal: "No read that starts after the update was acknowledged is answered the old price.",
    knobs: &[
        Knob { name: "bus-delay-ms", default: 50, min: 30, max: 500 },
        Knob { name: "settle-ms", default: 1_000, min: 600, max: 5_000 },
    ],
    presets: &[
        Preset {
            name: "lesson",
            sentence: "Database, L2, own L1, publish: the other servers learn of it when the notice arrives.",
            role: Role::Red,
            policy: Policy::lesson,
            breaking_seed: Some(1),
        },
        Preset {
            name: "first-listing",
            sentence: "Database, own L1, publish: L2 keeps the old price and hands it out again.",
            role: Role::Red,
            policy: Policy::lesson_first_listing,
            breaking_seed: Some(1),
        },
        Preset {
            name: "acknowledged",
            sentence: "The update returns when every live server has forgotten the old price.",
            role: Role::Green,
            policy: || Policy::lesson().with(Switch::AcknowledgedInvalidation, true),
            breaking_seed: None,
        },
        Preset {
            name: "strong-reads",
            sentence: "Every read asks the primary.",
            role: Role::Green,
            policy: || Policy::lesson().with(Switch::StrongReads, true),
            breaking_seed: None,
        },
        Preset {
            name: "session-reads",
            sentence: "Each client reads its own writes; the others may still be answered the old price.",
            role: Role::Partial(&["read-your-writes", "fresh-after-settling"]),
            policy: || Policy::lesson().with(Switch::SessionReads, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "short-ttl",
            sentence: "L1 keeps entries for one second instead of a minute.",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::ShortLocalTtl, true),
            breaking_seed: Some(1),
        },
        Preset {
            name: "publish-first",
            sentence: "The invalidation is published before the commit.",
            role: Role::Wrong,
            policy: || Policy::lesson().with(Switch::PublishBeforeCommit, true),
            breaking_seed: Some(1),
        },
    ],
    switches: &[
        Switch::WriteShared,
        Switch::ShortLocalTtl,
        Switch::AcknowledgedInvalidation,
        Switch::PublishBeforeCommit,
        Switch::StrongReads,
        Switch::SessionReads,
    ],
    answers: &["none", "some", "all"],
    focus: "product:1",
    file: file!(),
};
