//! The fault contract: what each fault means, stated once and run over both worlds.
//!
//! It is how we know that a failure in the simulator is the failure of real servers: whatever holds here of the simulated
//! network and its nodes holds of real connections and processes. Every clause heals what it broke and uses rows of its
//! own; who dies stays dead, so the clauses on deaths come last.

mod links;
mod nodes;
mod redis;

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::{ClusterSpec, Fault, Link, Route, World};
use crate::cluster::{Actor, Topology};
use crate::policy::Policy;
use crate::service::{Request, Response};
use crate::value::{ClientId, Instant, Key, ServerId, Value, Version};

/// A clause that a world breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{clause}: {what}")]
pub struct Violation {
    /// The clause, in words.
    pub clause: &'static str,
    /// What was seen instead.
    pub what: String,
}

type Kept = Result<(), String>;

/// What stands between a fault and what is seen of it on a busy machine.
const SLACK: Duration = Duration::from_millis(1_500);
/// Long enough for an answer that nothing holds up to have come.
const PROMPT: Duration = Duration::from_secs(2);
/// Short enough that an answer which comes all the same has not been held up.
const HELD: Duration = Duration::from_millis(300);
/// Between two looks at something that changes.
const POLL: Duration = Duration::from_millis(20);

/// The servers of the suite: most clauses break something of the first, and look on from the second.
const SERVERS: u8 = 6;
const STRUCK: ServerId = ServerId(1);
const OTHER: ServerId = ServerId(2);

/// What the suite starts a world with. One connection a server, so that it is known which one a statement takes.
pub fn spec() -> ClusterSpec {
    let topology = Topology { servers: SERVERS, ..Topology::default() };
    ClusterSpec { topology, connections_per_server: 1, ..ClusterSpec::new(Policy::lesson()) }
}

/// Runs every clause over a world that nobody has started.
///
/// # Errors
/// The first clause that is broken.
pub async fn suite<W: World>(world: &W) -> Result<(), Violation> {
    let clause = |clause: &'static str| move |what: String| Violation { clause, what };
    world.start(spec()).await.map_err(|error| clause("the world starts")(error.to_string()))?;
    links::clauses(world).await?;
    redis::clauses(world).await?;
    nodes::clauses(world).await
}

/// Runs a clause and names it where it is broken; what it broke itself is healed first.
async fn keeps<W: World>(
    world: &W,
    clause: &'static str,
    body: impl Future<Output = Kept>,
) -> Result<(), Violation> {
    let kept = body.await;
    let healed = world.heal_all().await.map_err(|error| format!("it cannot be healed: {error}"));
    kept.and(healed).map_err(|what| Violation { clause, what })
}

/// The link from a server to the primary, and the one back.
fn to_primary(server: ServerId) -> Link {
    Link::From(Actor::Server(server), Actor::Primary)
}

fn from_primary(server: ServerId) -> Link {
    Link::From(Actor::Primary, Actor::Server(server))
}

async fn inject(world: &impl World, fault: Fault) -> Kept {
    world.inject(fault).await.map_err(|error| error.to_string())
}

/// Puts a row into the database: its value is "first", its version 1.
async fn insert(world: &impl World, name: &str) -> Result<Key, String> {
    let key = Key::new(format!("contract:{name}"));
    world.insert(&key, &Value::new("first")).await.map_err(|error| error.to_string())?;
    Ok(key)
}

async fn ask(world: &impl World, server: ServerId, request: Request) -> Response {
    world.request(ClientId(u16::from(server.0)), Route::To(server), request).await
}

async fn read(world: &impl World, server: ServerId, key: &Key) -> Response {
    ask(world, server, Request::Read(key.clone())).await
}

async fn write(world: &impl World, server: ServerId, key: &Key) -> Response {
    ask(world, server, Request::Write(key.clone(), Value::new("second"))).await
}

/// The version that a server answers.
async fn version(world: &impl World, server: ServerId, key: &Key) -> Result<Version, String> {
    match read(world, server, key).await {
        Response::Row(entry, _) => Ok(entry.stamp.version),
        other => Err(format!("{server} answers {other:?} and no row")),
    }
}

fn same<T: PartialEq + Debug>(saw: &T, wanted: &T) -> Kept {
    if saw == wanted { Ok(()) } else { Err(format!("wanted {wanted:?}, saw {saw:?}")) }
}

/// A row must come.
fn row(saw: &Response) -> Kept {
    if matches!(saw, Response::Row(..)) { Ok(()) } else { Err(format!("wanted a row, saw {saw:?}")) }
}

/// What comes within some time, if it does.
async fn within<T>(world: &impl World, time: Duration, what: impl Future<Output = T>) -> Option<T> {
    match select(pin!(what), pin!(world.sleep(time))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// What must come, and when it did.
async fn timed<T>(world: &impl World, what: impl Future<Output = T>) -> (T, Duration) {
    let since = world.now();
    let done = what.await;
    (done, elapsed(since, world.now()))
}

fn elapsed(since: Instant, now: Instant) -> Duration {
    Duration::from_nanos(now.0.saturating_sub(since.0))
}

/// Something must have taken so long, and hardly longer.
fn took(time: Duration, wanted: Duration) -> Kept {
    let right = time + Duration::from_millis(1) >= wanted && time < wanted + SLACK;
    if right { Ok(()) } else { Err(format!("it took {time:?}, and not {wanted:?}")) }
}

/// Polls until a server answers this version.
async fn until_version(world: &impl World, server: ServerId, key: &Key, wanted: Version) -> Kept {
    until(world, wanted, || version(world, server, key)).await
}

/// What the database holds, past every cache.
async fn stored(world: &impl World, key: &Key) -> Result<Version, String> {
    ask(world, OTHER, Request::Forget(key.clone())).await;
    world.delete_shared(key).await.map_err(|error| error.to_string())?;
    version(world, OTHER, key).await
}

/// Polls until the database holds this version.
async fn until_stored(world: &impl World, key: &Key, wanted: Version) -> Kept {
    until(world, wanted, || stored(world, key)).await
}

async fn until<F>(world: &impl World, wanted: Version, look: impl Fn() -> F) -> Kept
where
    F: Future<Output = Result<Version, String>>,
{
    let until = world.now().after(PROMPT);
    loop {
        let saw = look().await?;
        if saw == wanted {
            return Ok(());
        }
        if world.now() > until {
            return Err(format!("still {saw:?} after {PROMPT:?}, and not {wanted:?}"));
        }
        world.sleep(POLL).await;
    }
}
