//! A slow reader puts back what a writer has just taken away.
//!
//! Server 2 misses and reads `product:1` = 50; the answer is slow to come. Meanwhile server 1 writes 100, deletes the
//! key from L2 and tells everybody. Then server 2 has its answer, and stores it.

use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{HOLD, LOCAL_FRESH, LOOK, SETTLE, SHARED_FRESH};
use crate::check::{self, History, Part};
use crate::cluster::Actor;
use crate::policy::Policy;
use crate::report::Report;
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{RequestKind, Trace};
use crate::value::{ClientId, Key, ServerId, Tier, Value};
use crate::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

const WRITER: ServerId = ServerId(1);
const SLOW: ServerId = ServerId(2);

/// Until the slow server's query has surely been answered by the primary.
const QUERIED: Duration = Duration::from_millis(100);

/// The scenario's body.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let product = Key::new("product:1");
    let read = |server: ServerId, key: Key| {
        world.request(ClientId(server.0.into()), Route::To(server), Request::Read(key))
    };

    world.phase(phase::START);
    world.start(ClusterSpec::new(policy.clone())).await?;
    world.insert(&product, &Value::new("50")).await?;
    world.insert(&Key::new("product:2"), &Value::new("70")).await?;

    // Every server has read another product, so that its connections are there.
    world.phase(phase::WARM);
    join_all((1..=4).map(|server| read(ServerId(server), Key::new("product:2")))).await;

    // What the primary answers to server 2 is held back from now on.
    world.phase(phase::ACT);
    let answers = Link::From(Actor::Primary, Actor::Server(SLOW));
    world.inject(Fault::Hold(answers)).await?;

    // Server 2 misses, and its query reads the old row; the writer comes in between.
    let slow = read(SLOW, product.clone());
    let meanwhile = async {
        world.sleep(QUERIED).await;
        let update = Request::Write(product.clone(), Value::new("100"));
        world.request(ClientId(1), Route::To(WRITER), update).await;
        // L2 is full, and evicts whatever it holds of the product.
        world.delete_shared(&product).await?;
        world.sleep(Duration::from_millis(settings.get(&HOLD))).await;
        world.inject(Fault::Release(answers)).await
    };
    join(slow, meanwhile).await.1?;

    // All is quiet. What do the caches hold?
    world.sleep(Duration::from_millis(settings.get(&SETTLE))).await;
    world.phase(LOOK);
    join_all((1..=4).map(|server| read(ServerId(server), product.clone()))).await;
    Ok(())
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    let look = Part::of(&history, LOOK);
    Report {
        checks: vec![
            check::no_stale_read_from(LOCAL_FRESH, look, Tier::L1),
            check::no_stale_read_from(SHARED_FRESH, look, Tier::L2),
            check::all_answered(act),
        ],
        demonstration: was_overtaken(Part::of(&history, phase::ACT)),
        figures: check::figures(act),
    }
}

/// Whether the slow reader had its old answer only after the write was acknowledged.
fn was_overtaken(act: Part<'_>) -> bool {
    let (Some(read), Some(write)) =
        (act.requests(RequestKind::Read).next(), act.requests(RequestKind::Write).next())
    else {
        return false;
    };
    let overtaken = read.sent < write.sent && write.completed.is_some() && read.completed > write.completed;
    write.succeeded && overtaken && read.version.is_some() && read.version < write.version
}
