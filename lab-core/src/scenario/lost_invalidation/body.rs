//! An invalidation does not come: first it is lost on its way, then it is never sent. Nobody notices.
//!
//! Four servers hold `product:2` = 50. The connection that brings server 3 its notices stays open and swallows
//! everything; server 1 updates the price to 100. Later the network is whole again, for new connections. Then server 1
//! updates the price to 150, and dies between its commit and its publication.

use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{
    AFTERWARDS, CRASH, FRESH_AFTER_CRASH, FRESH_AFTER_HEAL, FRESH_IN_TIME, LOOK, LOOK_AGAIN, PRODUCT,
    RELAY_WAIT, WAIT,
};
use crate::check::{self, History, Part};
use crate::cluster::{Actor, slot};
use crate::policy::Policy;
use crate::report::Report;
use crate::scenario::{Settings, phase};
use crate::service::{Request, Response};
use crate::trace::{Event, Kind, NoticeKind, Outcome, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Tier, Value};
use crate::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

/// The server that writes, and dies.
const WRITER: ServerId = ServerId(1);
/// The server that is not told.
const DEAF: ServerId = ServerId(3);

/// Until the write is surely committed, and well before its writer gives up waiting for L2.
const COMMITTED: Duration = Duration::from_millis(300);

/// The scenario's body.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let spec = ClusterSpec::new(policy.clone());
    let home = Actor::RedisMaster(spec.topology.shard_of(slot(PRODUCT)));
    let wait = |knob| world.sleep(Duration::from_millis(settings.get(knob)));

    world.phase(phase::START);
    world.start(spec).await?;
    world.insert(&Key::new(PRODUCT), &Value::new("50")).await?;

    // Every server has read the product: it is in L1 and in L2.
    world.phase(phase::WARM);
    read_at(world, 1..=4).await;

    // From now on server 3 hears nothing, and its connection does not tell.
    world.phase(phase::ACT);
    world.inject(Fault::BlackHole(Link::BusTo(DEAF))).await?;
    write(world, "100").await;

    // Whoever can notice the silence has had the time to.
    wait(&WAIT).await;
    world.phase(LOOK);
    read_at(world, 1..=4).await;

    // The network is whole again; what was lost stays lost.
    world.inject(Fault::Heal(Link::BusTo(DEAF))).await?;
    wait(&WAIT).await;
    world.phase(LOOK_AGAIN);
    read_at(world, 1..=4).await;

    // Now what server 1 sends to L2 after its commit is held back, and so it dies before it has told anybody.
    world.phase(CRASH);
    let to_home = Link::From(Actor::Server(WRITER), home);
    world.inject(Fault::Hold(to_home)).await?;
    let dies = async {
        world.sleep(COMMITTED).await;
        match world.inject(Fault::Kill(Actor::Server(WRITER))).await {
            // Something else has killed it already.
            Ok(()) | Err(WorldError::NotNow { .. }) => {}
            broken => return broken,
        }
        // What was held goes with the connection: it is as if it had never been sent.
        world.inject(Fault::Reset(to_home)).await?;
        world.inject(Fault::Release(to_home)).await
    };
    join(write(world, "150"), dies).await.1?;

    // Whoever can tell the others in its place has had the time to.
    wait(&RELAY_WAIT).await;
    world.phase(AFTERWARDS);
    read_at(world, 2..=4).await;
    Ok(())
}

async fn read_at(world: &impl World, servers: impl Iterator<Item = u8>) {
    let read = |server: u8| {
        let (client, route) = (ClientId(server.into()), Route::To(ServerId(server)));
        world.request(client, route, Request::Read(Key::new(PRODUCT)))
    };
    join_all(servers.map(read)).await;
}

async fn write(world: &impl World, price: &str) -> Response {
    let update = Request::Write(Key::new(PRODUCT), Value::new(price));
    world.request(ClientId(1), Route::To(WRITER), update).await
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    let [warm, hole, again, crash, afterwards] =
        [phase::WARM, phase::ACT, LOOK_AGAIN, CRASH, AFTERWARDS].map(|phase| Part::of(&history, phase));
    Report {
        checks: vec![
            check::no_stale_read(FRESH_IN_TIME, Part::of(&history, LOOK)),
            check::no_stale_read(FRESH_AFTER_HEAL, again),
            // Nobody acknowledged this write: what counts is that it is committed.
            check::no_read_behind(FRESH_AFTER_CRASH, afterwards),
            check::all_reads_answered(act),
        ],
        demonstration: was_lost(warm, hole) && was_never_sent(again, crash),
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

/// Whether somebody held the price in L1, and the writer, after its commit, published nothing and died.
fn was_never_sent(before: Part<'_>, crash: Part<'_>) -> bool {
    let committed = |event: &Event| {
        let served = matches!(event.kind, Kind::Served { verb: Verb::Update, outcome: Outcome::Done, .. });
        served && event.actor == Actor::Primary
    };
    let died = |event: &Event| event.kind == Kind::Injected { fault: Fault::Kill(Actor::Server(WRITER)) };
    let published = |event: &Event| {
        let publishes = matches!(event.kind, Kind::Called { verb: Verb::PublishInvalidate, .. });
        publishes && event.actor == Actor::Server(WRITER)
    };
    let held = before.requests(RequestKind::Read).any(|read| read.tier == Some(Tier::L1));
    let since: Vec<_> =
        crash.events().map(|(_, event)| event).skip_while(|event| !committed(event)).collect();
    held && since.iter().any(|event| died(event)) && !since.iter().any(|event| published(event))
}
