//! What a fault on a link means.

use std::time::Duration;

use futures_util::future::join;

use super::{
    HELD, Kept, OTHER, STRUCK, Violation, from_primary, inject, insert, keeps, read, row, same, stored,
    timed, to_primary, took, until_stored, until_version, version, within, write,
};
use crate::cluster::Actor;
use crate::service::Response;
use crate::value::{ClientId, Key, ServerId, Version};
use crate::world::deadline::{OPEN, STATEMENT};
use crate::world::{Fault, Link, Route, World, WorldError, refused};

/// A delay that is seen on a busy machine.
const LATE_MS: u64 = 600;
const LATE: Duration = Duration::from_millis(LATE_MS);
/// A server has subscribed anew by then.
const SUBSCRIBED: Duration = Duration::from_secs(1);

pub(super) async fn clauses<W: World>(world: &W) -> Result<(), Violation> {
    keeps(world, "what has no place is a typed answer", nowhere(world)).await?;
    keeps(world, "a delayed link is late, and only that one", delayed(world)).await?;
    keeps(world, "beyond a call's deadline its outcome is unknown, at that deadline", too_late(world))
        .await?;
    keeps(world, "a cut holds what is sent until it is healed", cut(world)).await?;
    keeps(world, "a cut one way leaves the other way alone", cut_one_way(world)).await?;
    keeps(world, "what was under way when a cut began waits too", cut_under_way(world)).await?;
    keeps(world, "to heal one way leaves the other as it is", healed_one_way(world)).await?;
    keeps(world, "no connection can be opened through a cut: nothing was done", cannot_open(world)).await?;
    keeps(world, "what goes into a black hole never comes", swallowed(world)).await?;
    keeps(world, "a black hole one way leaves the other way alone", swallowed_answer(world)).await?;
    keeps(world, "after the heal an old connection stays mute, and a new one lives", half_open(world))
        .await?;
    keeps(world, "a reset ends what waits, at once, and a new connection lives", reset(world)).await?;
    keeps(world, "what is held waits for its release", held(world)).await?;
    keeps(world, "a subscription that is reset is followed by another", resubscribed(world)).await?;
    keeps(world, "a late bus is late to one subscriber, and to nobody else", late_bus(world)).await?;
    keeps(world, "a half-open subscription hears nothing, even after the heal", deaf(world)).await
}

/// Lets the struck server use its connection to the primary for both kinds of statement, so that it has one and need not
/// prepare them.
async fn connected(world: &impl World, name: &str) -> Kept {
    let key = insert(world, name).await?;
    row(&read(world, STRUCK, &key).await)?;
    same(&write(world, STRUCK, &key).await, &Response::Written(Version(2)))
}

async fn nowhere(world: &impl World) -> Kept {
    let nobody = Actor::Server(ServerId(99));
    let faults = [
        Fault::Kill(nobody),
        Fault::Pause(Actor::RedisMaster(99)),
        Fault::PauseReplay(Actor::Replica(99)),
        Fault::Skew { server: ServerId(0), by_ms: 1 },
        Fault::Cut(Link::BusTo(ServerId(99))),
        Fault::BlackHole(Link::From(nobody, Actor::Primary)),
        Fault::Delay { link: Link::From(Actor::Lab, Actor::Bus), by_ms: 1 },
    ];
    for fault in faults {
        match world.inject(fault).await {
            Err(WorldError::Nowhere { fault: asked, .. }) if asked == fault => {}
            other => return Err(format!("{fault:?} is answered {other:?}")),
        }
    }
    for server in [ServerId(0), ServerId(99)] {
        let read = crate::service::Request::Read(Key::new("contract:nowhere"));
        same(&world.request(ClientId(1), Route::To(server), read).await, &refused(server))?;
    }
    Ok(())
}

async fn delayed(world: &impl World) -> Kept {
    let (mine, theirs) = (insert(world, "delayed").await?, insert(world, "not-delayed").await?);
    inject(world, Fault::Delay { link: from_primary(STRUCK), by_ms: LATE_MS }).await?;
    let (late, prompt) =
        join(timed(world, read(world, STRUCK, &mine)), timed(world, read(world, OTHER, &theirs))).await;
    row(&late.0)?;
    row(&prompt.0)?;
    took(late.1, LATE)?;
    if prompt.1 < late.1 { Ok(()) } else { Err(format!("{:?} elsewhere, {:?} there", prompt.1, late.1)) }
}

async fn too_late(world: &impl World) -> Kept {
    let key = insert(world, "too-late").await?;
    let by_ms = u64::try_from(STATEMENT.as_millis()).unwrap_or(u64::MAX) + LATE_MS;
    inject(world, Fault::Delay { link: from_primary(STRUCK), by_ms }).await?;
    let (answer, time) = timed(world, write(world, STRUCK, &key)).await;
    same(&answer, &Response::Unknown)?;
    took(time, STATEMENT)?;
    until_stored(world, &key, Version(2)).await
}

async fn cut(world: &impl World) -> Kept {
    let key = insert(world, "cut").await?;
    inject(world, Fault::Cut(to_primary(STRUCK))).await?;
    let heal = async {
        world.sleep(LATE).await;
        inject(world, Fault::Heal(to_primary(STRUCK))).await
    };
    let ((answer, time), healed) = join(timed(world, write(world, STRUCK, &key)), heal).await;
    healed?;
    same(&answer, &Response::Written(Version(2)))?;
    took(time, LATE)
}

async fn cut_one_way(world: &impl World) -> Kept {
    let key = insert(world, "cut-one-way").await?;
    inject(world, Fault::Cut(from_primary(STRUCK))).await?;
    let look = async {
        until_stored(world, &key, Version(2)).await?;
        inject(world, Fault::Heal(from_primary(STRUCK))).await
    };
    let (answer, looked) = join(write(world, STRUCK, &key), look).await;
    looked?;
    same(&answer, &Response::Written(Version(2)))
}

async fn cut_under_way(world: &impl World) -> Kept {
    let key = insert(world, "cut-under-way").await?;
    let (link, half) = (to_primary(STRUCK), LATE / 2);
    inject(world, Fault::Delay { link, by_ms: LATE_MS }).await?;
    let look = async {
        world.sleep(half).await;
        inject(world, Fault::Cut(link)).await?;
        world.sleep(LATE).await;
        same(&stored(world, &key).await?, &Version(1))?;
        inject(world, Fault::Heal(link)).await
    };
    let ((answer, time), looked) = join(timed(world, write(world, STRUCK, &key)), look).await;
    looked?;
    same(&answer, &Response::Written(Version(2)))?;
    took(time, LATE + half)
}

async fn healed_one_way(world: &impl World) -> Kept {
    let key = insert(world, "healed-one-way").await?;
    inject(world, Fault::Cut(to_primary(STRUCK))).await?;
    inject(world, Fault::Cut(from_primary(STRUCK))).await?;
    inject(world, Fault::Heal(to_primary(STRUCK))).await?;
    let look = async {
        until_stored(world, &key, Version(2)).await?;
        world.sleep(HELD).await;
        inject(world, Fault::Heal(from_primary(STRUCK))).await
    };
    let ((answer, time), looked) = join(timed(world, write(world, STRUCK, &key)), look).await;
    looked?;
    same(&answer, &Response::Written(Version(2)))?;
    if time >= HELD { Ok(()) } else { Err(format!("the answer came through the cut after {time:?}")) }
}

/// A first statement's time runs out, and with it goes its connection: the next one wants to open another.
async fn cannot_open(world: &impl World) -> Kept {
    connected(world, "cannot-open-before").await?;
    let key = insert(world, "cannot-open").await?;
    inject(world, Fault::Cut(to_primary(STRUCK))).await?;
    same(&read(world, STRUCK, &key).await, &Response::Unknown)?;
    let (answer, time) = timed(world, write(world, STRUCK, &key)).await;
    if !matches!(answer, Response::Failed(_)) {
        return Err(format!("it was not even sent, and is answered {answer:?}"));
    }
    took(time, OPEN)?;
    inject(world, Fault::Heal(to_primary(STRUCK))).await?;
    world.sleep(HELD).await;
    same(&stored(world, &key).await?, &Version(1))
}

async fn swallowed(world: &impl World) -> Kept {
    connected(world, "swallowed-before").await?;
    let key = insert(world, "swallowed").await?;
    inject(world, Fault::BlackHole(to_primary(STRUCK))).await?;
    let (answer, time) = timed(world, write(world, STRUCK, &key)).await;
    same(&answer, &Response::Unknown)?;
    took(time, STATEMENT)?;
    inject(world, Fault::Heal(to_primary(STRUCK))).await?;
    world.sleep(HELD).await;
    same(&stored(world, &key).await?, &Version(1))
}

async fn swallowed_answer(world: &impl World) -> Kept {
    connected(world, "swallowed-answer-before").await?;
    let key = insert(world, "swallowed-answer").await?;
    inject(world, Fault::BlackHole(from_primary(STRUCK))).await?;
    let (answer, looked) = join(write(world, STRUCK, &key), until_stored(world, &key, Version(2))).await;
    looked?;
    same(&answer, &Response::Unknown)
}

/// Nobody sends anything while the hole is there; what is lost is the connection itself.
async fn half_open(world: &impl World) -> Kept {
    let (first, then) = (insert(world, "half-open").await?, insert(world, "half-open-then").await?);
    connected(world, "half-open-before").await?;
    inject(world, Fault::BlackHole(to_primary(STRUCK))).await?;
    inject(world, Fault::Heal(to_primary(STRUCK))).await?;
    let (answer, time) = timed(world, read(world, STRUCK, &first)).await;
    same(&answer, &Response::Unknown)?;
    took(time, STATEMENT)?;
    row(&read(world, STRUCK, &then).await)
}

async fn reset(world: &impl World) -> Kept {
    connected(world, "reset-before").await?;
    let (key, link) = (insert(world, "reset").await?, from_primary(STRUCK));
    inject(world, Fault::Cut(link)).await?;
    let reset = async {
        until_stored(world, &key, Version(2)).await?;
        let since = world.now();
        inject(world, Fault::Reset(link)).await?;
        Ok::<_, String>(since)
    };
    let ((answer, done), reset) =
        join(async { (write(world, STRUCK, &key).await, world.now()) }, reset).await;
    same(&answer, &Response::Unknown)?;
    took(super::elapsed(reset?, done), Duration::ZERO)?;
    inject(world, Fault::Heal(link)).await?;
    connected(world, "reset-after").await
}

async fn held(world: &impl World) -> Kept {
    connected(world, "held-before").await?;
    let (key, link) = (insert(world, "held").await?, to_primary(STRUCK));
    inject(world, Fault::Hold(link)).await?;
    let look = async {
        world.sleep(LATE).await;
        same(&stored(world, &key).await?, &Version(1))?;
        inject(world, Fault::Release(link)).await
    };
    let (answer, looked) = join(write(world, STRUCK, &key), look).await;
    looked?;
    same(&answer, &Response::Written(Version(2)))
}

async fn resubscribed(world: &impl World) -> Kept {
    let (key, server) = (insert(world, "resubscribed").await?, ServerId(4));
    inject(world, Fault::Reset(Link::BusTo(server))).await?;
    world.sleep(SUBSCRIBED).await;
    row(&read(world, server, &key).await)?;
    same(&write(world, OTHER, &key).await, &Response::Written(Version(2)))?;
    until_version(world, server, &key, Version(2)).await
}

async fn late_bus(world: &impl World) -> Kept {
    let key = insert(world, "late-bus").await?;
    let (late, prompt) = (ServerId(3), ServerId(4));
    for server in [late, prompt] {
        row(&read(world, server, &key).await)?;
    }
    inject(world, Fault::Delay { link: Link::BusTo(late), by_ms: LATE_MS }).await?;
    same(&write(world, OTHER, &key).await, &Response::Written(Version(2)))?;
    until_version(world, prompt, &key, Version(2)).await?;
    same(&version(world, late, &key).await?, &Version(1))?;
    until_version(world, late, &key, Version(2)).await
}

/// Last of these: that server's subscription is lost for good, since this policy trusts it.
async fn deaf(world: &impl World) -> Kept {
    let key = insert(world, "deaf").await?;
    let (deaf, hearing) = (ServerId(3), ServerId(4));
    inject(world, Fault::BlackHole(Link::BusTo(deaf))).await?;
    inject(world, Fault::Heal(Link::BusTo(deaf))).await?;
    for server in [deaf, hearing] {
        row(&read(world, server, &key).await)?;
    }
    same(&write(world, OTHER, &key).await, &Response::Written(Version(2)))?;
    until_version(world, hearing, &key, Version(2)).await?;
    let heard = within(world, HELD, until_version(world, deaf, &key, Version(2))).await;
    if heard.is_some() { Err("it heard of the write".to_owned()) } else { Ok(()) }
}
