//! A slow reader puts back what a writer has just taken away.
//!
//! Server 2 misses and reads `product:1` = 50 from the primary; the answer is slow to come. Meanwhile server 1 writes 100,
//! deletes the key from L2 and tells everybody. Then server 2 has its answer, and stores it. Later server 3 reads the
//! product from L2, whose answer is slow, too, while server 1 writes 150.

use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{HOLD, IN_FLIGHT, LATE_FRESH, LOCAL_FRESH, LOOK, LOOK_AGAIN, PRODUCT, SETTLE, SHARED_FRESH};
use crate::check::{self, History, Part};
use crate::cluster::{Actor, slot};
use crate::policy::Policy;
use crate::report::Report;
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{RequestKind, Trace};
use crate::value::{ClientId, Key, ServerId, Tier, Value};
use crate::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

const WRITER: ServerId = ServerId(1);
/// The server to which the primary answers late.
const SLOW: ServerId = ServerId(2);
/// The server to which L2 answers late.
const LATE: ServerId = ServerId(3);

/// Until what was asked has surely been answered by the store; its answer is held back.
const ASKED: Duration = Duration::from_millis(100);

/// The scenario's body.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let spec = ClusterSpec::new(policy.clone());
    let home = Actor::RedisMaster(spec.topology.shard_of(slot(PRODUCT)));
    let settled = || world.sleep(Duration::from_millis(settings.get(&SETTLE)));

    world.phase(phase::START);
    world.start(spec).await?;
    world.insert(&Key::new(PRODUCT), &Value::new("50")).await?;
    world.insert(&Key::new("product:2"), &Value::new("70")).await?;

    // Every server has read another product, so that its connections are there.
    world.phase(phase::WARM);
    join_all((1..=4).map(|server| read(world, ServerId(server), "product:2"))).await;

    // Server 2 misses, and its query reads the old row; before it has the answer, the writer comes in between.
    world.phase(phase::ACT);
    overtake(world, settings, (Actor::Primary, SLOW), "100").await?;

    // All is quiet. What do the caches hold?
    settled().await;
    world.phase(LOOK);
    join_all((1..=4).map(|server| read(world, ServerId(server), PRODUCT))).await;

    // Server 3 has let go of its copy, and finds one in L2; the writer comes in between again.
    world.phase(IN_FLIGHT);
    world.request(ClientId(3), Route::To(LATE), Request::Forget(Key::new(PRODUCT))).await;
    overtake(world, settings, (home, LATE), "150").await?;

    settled().await;
    world.phase(LOOK_AGAIN);
    join_all((1..=4).map(|server| read(world, ServerId(server), PRODUCT))).await;
    Ok(())
}

async fn read(world: &impl World, server: ServerId, product: &str) {
    world.request(ClientId(server.0.into()), Route::To(server), Request::Read(Key::new(product))).await;
}

/// A server reads; what the store answers is held back until a write has come and gone.
async fn overtake(
    world: &impl World,
    settings: &Settings,
    (store, server): (Actor, ServerId),
    price: &str,
) -> Result<(), WorldError> {
    let answers = Link::From(store, Actor::Server(server));
    world.inject(Fault::Hold(answers)).await?;
    let meanwhile = async {
        world.sleep(ASKED).await;
        let update = Request::Write(Key::new(PRODUCT), Value::new(price));
        world.request(ClientId(1), Route::To(WRITER), update).await;
        if store == Actor::Primary {
            // L2 is full, and evicts whatever it holds of the product.
            world.delete_shared(&Key::new(PRODUCT)).await?;
        }
        world.sleep(Duration::from_millis(settings.get(&HOLD))).await;
        world.inject(Fault::Release(answers)).await
    };
    join(read(world, server, PRODUCT), meanwhile).await.1
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    let look = Part::of(&history, LOOK);
    let overtaken = [phase::ACT, IN_FLIGHT].map(|phase| was_overtaken(Part::of(&history, phase)));
    Report {
        checks: vec![
            check::no_stale_read_from(LOCAL_FRESH, look, Tier::L1),
            check::no_stale_read_from(SHARED_FRESH, look, Tier::L2),
            check::no_stale_read(LATE_FRESH, Part::of(&history, LOOK_AGAIN)),
            check::all_answered(act),
        ],
        demonstration: overtaken == [true; 2],
        figures: check::figures(act),
    }
}

/// Whether the reader had its old answer only after the write was acknowledged.
fn was_overtaken(part: Part<'_>) -> bool {
    let (Some(read), Some(write)) =
        (part.requests(RequestKind::Read).next(), part.requests(RequestKind::Write).next())
    else {
        return false;
    };
    let overtaken = read.sent < write.sent && write.completed.is_some() && read.completed > write.completed;
    write.succeeded && overtaken && read.version.is_some() && read.version < write.version
}
