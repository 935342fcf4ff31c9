//! An invalidation is lost, and nobody notices.
//!
//! Four servers hold `product:1` = 50. The connection that brings server 3 its notices stays open and swallows
//! everything. Server 1 updates the price to 100. Later the network is whole again, for new connections.

use std::time::Duration;

use futures_util::future::join_all;

use super::{FRESH_AFTER_HEAL, FRESH_IN_TIME, LOOK, LOOK_AGAIN, WAIT};
use crate::check::{self, History, Part};
use crate::cluster::Actor;
use crate::policy::Policy;
use crate::report::Report;
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{Event, Kind, NoticeKind, RequestKind, Trace};
use crate::value::{ClientId, Key, ServerId, Value};
use crate::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

/// The server that is not told.
const DEAF: ServerId = ServerId(3);

/// The scenario's body.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let product = Key::new("product:1");
    let read_everywhere = || {
        let read = |server: u8| {
            let (client, route) = (ClientId(server.into()), Route::To(ServerId(server)));
            world.request(client, route, Request::Read(product.clone()))
        };
        join_all((1..=4).map(read))
    };
    let wait = Duration::from_millis(settings.get(&WAIT));

    world.phase(phase::START);
    world.start(ClusterSpec::new(policy.clone())).await?;
    world.insert(&product, &Value::new("50")).await?;

    // Every server has read the product: it is in L1 and in L2.
    world.phase(phase::WARM);
    read_everywhere().await;

    // From now on server 3 hears nothing, and its connection does not tell.
    world.phase(phase::ACT);
    world.inject(Fault::BlackHole(Link::BusTo(DEAF))).await?;
    let update = Request::Write(product.clone(), Value::new("100"));
    world.request(ClientId(1), Route::To(ServerId(1)), update).await;

    // Whoever can notice the silence has had the time to.
    world.sleep(wait).await;
    world.phase(LOOK);
    read_everywhere().await;

    // The network is whole again; what was lost stays lost.
    world.inject(Fault::Heal(Link::BusTo(DEAF))).await?;
    world.sleep(wait).await;
    world.phase(LOOK_AGAIN);
    read_everywhere().await;
    Ok(())
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    Report {
        checks: vec![
            check::no_stale_read(FRESH_IN_TIME, Part::of(&history, LOOK)),
            check::no_stale_read(FRESH_AFTER_HEAL, Part::of(&history, LOOK_AGAIN)),
            check::all_answered(act),
        ],
        demonstration: was_lost(Part::of(&history, phase::WARM), Part::of(&history, phase::ACT)),
        figures: check::figures(act),
    }
}

/// Whether the others were told of the write, and the deaf server, which held the old price, was not.
fn was_lost(warm: Part<'_>, act: Part<'_>) -> bool {
    let at_deaf = |event: &Event| event.actor == Actor::Server(DEAF);
    let told = |event: &Event| matches!(event.kind, Kind::Delivered { notice: NoticeKind::Invalidate, .. });
    let held = warm.events().any(|(_, event)| at_deaf(event) && matches!(event.kind, Kind::L1Stored { .. }));
    let others = act.events().filter(|(_, event)| told(event) && !at_deaf(event)).count();
    let deaf = act.events().filter(|(_, event)| told(event) && at_deaf(event)).count();
    held && others > 0 && deaf == 0 && act.requests(RequestKind::Write).any(|write| write.succeeded)
}
