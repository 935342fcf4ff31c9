//! What a fault of a node means.

use std::time::Duration;

use futures_util::future::join;

use super::{
    HELD, Kept, OTHER, PROMPT, STRUCK, Violation, ask, inject, insert, keeps, read, row, same, stored, timed,
    took, until_version, within, write,
};
use crate::cluster::Actor;
use crate::service::{Request, Response};
use crate::value::{Key, ServerId, Tier, Version};
use crate::world::{Fault, World, WorldError, refused};

/// The server that is paused, skewed, killed and born again.
const PATIENT: ServerId = ServerId(5);
/// The server that dies, and is not used afterwards.
const MORTAL: ServerId = ServerId(6);
/// A delay that is seen on a busy machine.
const LATE_MS: u64 = 600;
/// A node of the stores that is started again takes work by then.
const RECOVERED: Duration = Duration::from_secs(20);
/// Longer than this policy's values live in L1.
const HOURS_MS: i64 = 2 * 3_600_000;

pub(super) async fn clauses<W: World>(world: &W) -> Result<(), Violation> {
    keeps(world, "what is paused does nothing, and goes on where it was", paused(world)).await?;
    keeps(world, "what reaches a paused primary waits", paused_primary(world)).await?;
    keeps(world, "slow statements take so much longer", slow(world)).await?;
    keeps(world, "a server's clock is its own", skewed(world)).await?;
    keeps(world, "a replica that does not replay can be told to go on", unreplayed(world)).await?;
    keeps(world, "a PostgreSQL replica that dies holds up nobody, and catches up", dead_replica(world))
        .await?;
    keeps(
        world,
        "a PostgreSQL replica that stands still holds up nobody, and catches up",
        paused_replica(world),
    )
    .await?;
    keeps(world, "a server that is born again has nothing in memory, and hears the bus", reborn(world))
        .await?;
    keeps(world, "a primary that is started again has what it committed", restarted_primary(world)).await?;
    keeps(world, "whoever waits for a server that dies knows nothing, at once", dying(world)).await?;
    keeps(world, "a dead server refuses, the others go on", dead(world)).await?;
    keeps(world, "nobody dies twice, and the living are not born", not_now(world)).await
}

/// Begins a fault; `false` where this world says that it has none such.
async fn can(world: &impl World, fault: Fault) -> Result<bool, String> {
    match world.inject(fault).await {
        Ok(()) => Ok(true),
        Err(WorldError::Unsupported { fault: asked, .. }) if asked == fault => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

async fn paused(world: &impl World) -> Kept {
    let (key, server) = (insert(world, "paused").await?, Actor::Server(PATIENT));
    inject(world, Fault::Pause(server)).await?;
    let resume = async {
        world.sleep(Duration::from_millis(LATE_MS)).await;
        inject(world, Fault::Resume(server)).await
    };
    let ((answer, time), resumed) = join(timed(world, read(world, PATIENT, &key)), resume).await;
    resumed?;
    row(&answer)?;
    took(time, Duration::from_millis(LATE_MS))
}

async fn paused_primary(world: &impl World) -> Kept {
    let key = insert(world, "paused-primary").await?;
    inject(world, Fault::Pause(Actor::Primary)).await?;
    let resume = async {
        world.sleep(Duration::from_millis(LATE_MS)).await;
        inject(world, Fault::Resume(Actor::Primary)).await
    };
    let ((answer, time), resumed) = join(timed(world, write(world, STRUCK, &key)), resume).await;
    resumed?;
    same(&answer, &Response::Written(Version(2)))?;
    took(time, Duration::from_millis(LATE_MS))
}

async fn slow(world: &impl World) -> Kept {
    let key = insert(world, "slow").await?;
    if !can(world, Fault::SlowStatements { by_ms: LATE_MS }).await? {
        return Ok(());
    }
    let (answer, time) = timed(world, write(world, STRUCK, &key)).await;
    same(&answer, &Response::Written(Version(2)))?;
    took(time, Duration::from_millis(LATE_MS))
}

/// What tier answers a read.
async fn tier(world: &impl World, server: ServerId, key: &Key) -> Result<Tier, String> {
    match read(world, server, key).await {
        Response::Row(_, tier) => Ok(tier),
        other => Err(format!("{server} answers {other:?} and no row")),
    }
}

async fn skewed(world: &impl World) -> Kept {
    let key = insert(world, "skewed").await?;
    for server in [PATIENT, OTHER] {
        row(&read(world, server, &key).await)?;
        same(&tier(world, server, &key).await?, &Tier::L1)?;
    }
    inject(world, Fault::Skew { server: PATIENT, by_ms: HOURS_MS }).await?;
    let (here, there) = (tier(world, PATIENT, &key).await?, tier(world, OTHER, &key).await?);
    same(&(here == Tier::L1, there), &(false, Tier::L1))?;
    // The clock does not go back: what was filled since is as good as new.
    inject(world, Fault::Skew { server: PATIENT, by_ms: 0 }).await?;
    same(&tier(world, PATIENT, &key).await?, &Tier::L1)
}

async fn unreplayed(world: &impl World) -> Kept {
    let (key, replica) = (insert(world, "unreplayed").await?, Actor::Replica(1));
    inject(world, Fault::PauseReplay(replica)).await?;
    same(&write(world, STRUCK, &key).await, &Response::Written(Version(2)))?;
    inject(world, Fault::ResumeReplay(replica)).await?;
    // What is put into the database is waited for at every replica.
    insert(world, "replayed").await.map(drop)
}

/// Whoever puts a row in waits for every replica.
async fn dead_replica(world: &impl World) -> Kept {
    let (key, replica) = (insert(world, "dead-replica").await?, Actor::Replica(1));
    inject(world, Fault::Kill(replica)).await?;
    let wrote = within(world, PROMPT, write(world, STRUCK, &key)).await;
    same(&wrote, &Some(Response::Written(Version(2))))?;
    if insert(world, "not-replayed").await.is_ok() {
        return Err("a dead replica has a new row".to_owned());
    }
    inject(world, Fault::Restart(replica)).await?;
    insert(world, "replayed-since").await.map(drop)
}

async fn paused_replica(world: &impl World) -> Kept {
    let (key, replica) = (insert(world, "paused-replica").await?, Actor::Replica(1));
    inject(world, Fault::Pause(replica)).await?;
    let wrote = within(world, PROMPT, write(world, STRUCK, &key)).await;
    same(&wrote, &Some(Response::Written(Version(2))))?;
    inject(world, Fault::Resume(replica)).await?;
    insert(world, "resumed-since").await.map(drop)
}

async fn reborn(world: &impl World) -> Kept {
    let (key, server) = (insert(world, "reborn").await?, Actor::Server(PATIENT));
    row(&read(world, PATIENT, &key).await)?;
    inject(world, Fault::Kill(server)).await?;
    same(&write(world, OTHER, &key).await, &Response::Written(Version(2)))?;
    inject(world, Fault::Restart(server)).await?;
    same(&super::version(world, PATIENT, &key).await?, &Version(2))?;
    same(&tier(world, PATIENT, &key).await?, &Tier::L1)?;
    same(&write(world, OTHER, &key).await, &Response::Written(Version(3)))?;
    until_version(world, PATIENT, &key, Version(3)).await
}

async fn restarted_primary(world: &impl World) -> Kept {
    let (key, primary) = (insert(world, "restarted").await?, Actor::Primary);
    same(&write(world, STRUCK, &key).await, &Response::Written(Version(2)))?;
    inject(world, Fault::Kill(primary)).await?;
    match within(world, PROMPT, write(world, STRUCK, &key)).await {
        Some(Response::Failed(_) | Response::Unknown) => {}
        other => return Err(format!("a dead primary is written to: {other:?}")),
    }
    inject(world, Fault::Restart(primary)).await?;
    let until = world.now().after(RECOVERED);
    while stored(world, &key).await != Ok(Version(2)) {
        if world.now() > until {
            return Err(format!("{:?} after {RECOVERED:?}", stored(world, &key).await));
        }
        world.sleep(HELD).await;
    }
    // Each connection of before has cost an answer by now.
    for server in [STRUCK, OTHER] {
        let key = insert(world, &format!("restarted-{server}")).await?;
        while !matches!(write(world, server, &key).await, Response::Written(_)) {
            if world.now() > until {
                return Err(format!("{server} does not find the primary again"));
            }
        }
    }
    Ok(())
}

async fn dying(world: &impl World) -> Kept {
    let compute = Request::Compute(Key::new("contract:dying"), Duration::from_secs(30));
    let kill = async {
        world.sleep(PROMPT).await;
        inject(world, Fault::Kill(Actor::Server(MORTAL))).await
    };
    let ((answer, time), killed) = join(timed(world, ask(world, MORTAL, compute)), kill).await;
    killed?;
    same(&answer, &Response::Unknown)?;
    took(time, PROMPT)
}

async fn dead(world: &impl World) -> Kept {
    let key = insert(world, "dead").await?;
    let answer = within(world, PROMPT, read(world, MORTAL, &key)).await;
    same(&answer, &Some(refused(MORTAL)))?;
    row(&read(world, OTHER, &key).await)
}

async fn not_now(world: &impl World) -> Kept {
    let (dead, living) = (Actor::Server(MORTAL), Actor::Server(OTHER));
    for fault in [Fault::Kill(dead), Fault::Pause(dead), Fault::Restart(living), Fault::Resume(living)] {
        match world.inject(fault).await {
            Err(WorldError::NotNow { fault: asked, .. }) if asked == fault => {}
            other => return Err(format!("{fault:?} is answered {other:?}")),
        }
    }
    Ok(())
}
