//! What a fault of a Redis node means: who is elected in its place, what is lost with it, and what comes back.

use std::time::Duration;

use futures_util::future::join;

use super::{
    HELD, Kept, OTHER, STRUCK, Violation, ask, elapsed, inject, keeps, row, same, took, until_version,
};
use crate::cluster::{Actor, Topology, slot};
use crate::ports::CHANNEL;
use crate::service::{Request, Response};
use crate::value::{Key, ServerId, Tier, Value, Version};
use crate::world::deadline::NODE_TIMEOUT;
use crate::world::{Fault, Link, World};

/// A server that hears the bus.
const HEARING: ServerId = ServerId(4);
/// Shorter than the node timeout, also on a busy machine.
const SHORT: Duration = Duration::from_millis(300);
/// Longer than an election takes.
const LONG: Duration = Duration::from_secs(4);
/// A replica is elected by then, also on a busy machine, and the servers have found it.
const ELECTED: Duration = Duration::from_secs(15);
/// A node that came back follows the other by then.
const FOLLOWS: Duration = Duration::from_secs(3);
/// No replica asks for votes earlier after the node timeout.
const VOTES: Duration = Duration::from_millis(500);

/// The shard that carries the bus, whose nodes are struck.
fn shard() -> u8 {
    Topology::default().shard_of(slot(CHANNEL))
}

fn master() -> Actor {
    Actor::RedisMaster(shard())
}

fn replica() -> Actor {
    Actor::RedisReplica(shard())
}

pub(super) async fn clauses<W: World>(world: &W) -> Result<(), Violation> {
    keeps(world, "a Redis master that stands still for a moment answers late", late(world)).await?;
    let lost = "a Redis master dies with what its replica has not heard of, and the replica takes its place";
    keeps(world, lost, lost_with_it(world)).await?;
    keeps(world, "a Redis node that comes back follows the other", follows(world)).await?;
    keeps(world, "a Redis master that stands still for long leads no more when it goes on", deposed(world))
        .await
}

/// A row of the shard: its value is "first", its version 1.
async fn insert(world: &impl World, name: &str) -> Result<Key, String> {
    let keys = (0..).map(|number| Key::new(format!("contract:{name}:{number}")));
    let here = |key: &Key| Topology::default().shard_of(slot(key.as_str())) == shard();
    let key = keys.into_iter().find(here).ok_or("no shard has a key")?;
    world.insert(&key, &Value::new("first")).await.map_err(|error| error.to_string())?;
    Ok(key)
}

/// What a server answers that has nothing in L1.
async fn read_past_l1(world: &impl World, server: ServerId, key: &Key) -> Response {
    ask(world, server, Request::Forget(key.clone())).await;
    ask(world, server, Request::Read(key.clone())).await
}

/// The version in L2; none where a server does not get it from there.
async fn shared(world: &impl World, server: ServerId, key: &Key) -> Option<Version> {
    match read_past_l1(world, server, key).await {
        Response::Row(entry, Tier::L2) => Some(entry.stamp.version),
        _ => None,
    }
}

/// Polls until a server gets this version from L2. Meanwhile it puts what the database holds there.
async fn until_shared(world: &impl World, server: ServerId, key: &Key, wanted: Version) -> Kept {
    let until = world.now().after(ELECTED);
    loop {
        let saw = shared(world, server, key).await;
        if saw == Some(wanted) {
            return Ok(());
        }
        if world.now() > until {
            return Err(format!("{server} gets {saw:?} from L2 after {ELECTED:?}, and not {wanted:?}"));
        }
        world.sleep(super::POLL).await;
    }
}

async fn write(world: &impl World, server: ServerId, key: &Key, version: u64) -> Kept {
    let wrote = ask(world, server, Request::Write(key.clone(), Value::new("second"))).await;
    same(&wrote, &Response::Written(Version(version)))
}

async fn late(world: &impl World) -> Kept {
    let key = insert(world, "late-redis").await?;
    row(&read_past_l1(world, STRUCK, &key).await)?;
    inject(world, Fault::Pause(master())).await?;
    let resume = async {
        world.sleep(SHORT).await;
        inject(world, Fault::Resume(master())).await
    };
    let ((version, time), resumed) = join(super::timed(world, shared(world, OTHER, &key)), resume).await;
    resumed?;
    same(&version, &Some(Version(1)))?;
    took(time, SHORT)
}

async fn lost_with_it(world: &impl World) -> Kept {
    let (key, looked_at) = (insert(world, "lost").await?, insert(world, "looked-at").await?);
    for key in [&key, &looked_at] {
        row(&read_past_l1(world, HEARING, key).await)?;
    }
    world.sleep(HELD).await;
    inject(world, Fault::Cut(Link::From(master(), replica()))).await?;
    write(world, STRUCK, &key, 2).await?;
    same(&shared(world, OTHER, &key).await, &Some(Version(2)))?;
    let since = world.now();
    inject(world, Fault::Kill(master())).await?;
    until_shared(world, OTHER, &looked_at, Version(1)).await?;
    let time = elapsed(since, world.now());
    if time < NODE_TIMEOUT + VOTES {
        return Err(format!("somebody was in its place after {time:?}"));
    }
    // Nobody has asked for this one meanwhile, which would have put the newer version in.
    same(&shared(world, OTHER, &key).await, &Some(Version(1)))?;
    until_shared(world, STRUCK, &looked_at, Version(1)).await?;
    write(world, STRUCK, &key, 3).await?;
    until_version(world, HEARING, &key, Version(3)).await
}

/// The one that was elected dies in its turn: then all is as it was.
async fn follows(world: &impl World) -> Kept {
    let (key, looked_at) = (insert(world, "follows").await?, insert(world, "follows-too").await?);
    for key in [&key, &looked_at] {
        row(&read_past_l1(world, OTHER, key).await)?;
    }
    inject(world, Fault::Restart(master())).await?;
    world.sleep(FOLLOWS).await;
    write(world, STRUCK, &key, 2).await?;
    world.sleep(HELD).await;
    inject(world, Fault::Kill(replica())).await?;
    until_shared(world, OTHER, &looked_at, Version(1)).await?;
    same(&shared(world, OTHER, &key).await, &Some(Version(2)))?;
    inject(world, Fault::Restart(replica())).await?;
    world.sleep(FOLLOWS).await;
    Ok(())
}

/// What it had acknowledged and its replica had not heard of is gone. The servers find the other one although it stands still.
async fn deposed(world: &impl World) -> Kept {
    let (key, looked_at) = (insert(world, "deposed").await?, insert(world, "deposed-too").await?);
    for key in [&key, &looked_at] {
        row(&read_past_l1(world, OTHER, key).await)?;
    }
    world.sleep(HELD).await;
    let link = Link::From(master(), replica());
    inject(world, Fault::Cut(link)).await?;
    write(world, STRUCK, &key, 2).await?;
    inject(world, Fault::Pause(master())).await?;
    world.sleep(LONG).await;
    until_shared(world, OTHER, &looked_at, Version(1)).await?;
    same(&shared(world, OTHER, &key).await, &Some(Version(1)))?;
    inject(world, Fault::Resume(master())).await?;
    inject(world, Fault::Heal(link)).await?;
    // Until it hears of the other it takes commands, whose effects are lost.
    world.sleep(HELD).await;
    until_shared(world, STRUCK, &looked_at, Version(1)).await?;
    write(world, STRUCK, &key, 3).await?;
    same(&shared(world, OTHER, &key).await, &Some(Version(3)))
}
