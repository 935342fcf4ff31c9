//! What a fault of a node means.

use std::time::Duration;

use futures_util::future::join;

use super::{Kept, OTHER, PROMPT, Violation, ask, inject, insert, keeps, read, row, same, timed, within};
use crate::cluster::Actor;
use crate::service::{Request, Response};
use crate::value::{Key, ServerId};
use crate::world::{Fault, World, WorldError, refused};

/// The server that dies, and is not used afterwards.
const MORTAL: ServerId = ServerId(6);

pub(super) async fn clauses<W: World>(world: &W) -> Result<(), Violation> {
    keeps(world, "whoever waits for a server that dies knows nothing, at once", dying(world)).await?;
    keeps(world, "a dead server refuses, the others go on", dead(world)).await?;
    keeps(world, "nobody dies twice", dying_twice(world)).await
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
    super::took(time, PROMPT)
}

async fn dead(world: &impl World) -> Kept {
    let key = insert(world, "dead").await?;
    let answer = within(world, PROMPT, read(world, MORTAL, &key)).await;
    same(&answer, &Some(refused(MORTAL)))?;
    row(&read(world, OTHER, &key).await)
}

async fn dying_twice(world: &impl World) -> Kept {
    let fault = Fault::Kill(Actor::Server(MORTAL));
    match world.inject(fault).await {
        Err(WorldError::NotNow { fault: asked, .. }) if asked == fault => Ok(()),
        other => Err(format!("it is answered {other:?}")),
    }
}
