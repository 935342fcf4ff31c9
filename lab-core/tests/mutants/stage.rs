//! A simulated cluster in which a property plays: its row, its faults, and questions to its servers.

use std::time::Duration;

use lab_core::cluster::Actor;
use lab_core::fault::{Fault, Link};
use lab_core::policy::{Policy, Switch};
use lab_core::service::{Request, Response};
use lab_core::sim::{self, SimWorld};
use lab_core::trace::Trace;
use lab_core::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};
use lab_core::world::{ClusterSpec, Route, World};

/// Shards of the Redis Cluster.
const SHARDS: u8 = 3;

/// The row of every property.
pub(crate) fn key() -> Key {
    Key::new("product:1")
}

/// The lesson's code with acknowledged invalidation.
pub(crate) fn acknowledged() -> Policy {
    Policy::lesson().with(Switch::AcknowledgedInvalidation, true)
}

/// Plays a body in a world that it starts itself; nothing where the run does not come to an end.
pub(crate) fn on_world<F>(seed: u64, body: impl FnOnce(SimWorld) -> F) -> Option<Trace>
where
    F: Future<Output = ()> + Send + 'static,
{
    sim::on_world(seed, body).ok().map(|((), trace)| trace)
}

/// Plays a body in a started world that holds the row.
pub(crate) fn played<F>(seed: u64, policy: &Policy, body: impl FnOnce(SimWorld) -> F) -> Option<Trace>
where
    F: Future<Output = ()> + Send + 'static,
{
    let policy = policy.clone();
    on_world(seed, |world| {
        let body = body(world.clone());
        async move {
            start(&world, policy).await;
            body.await;
        }
    })
}

/// Whether what a body asserts in a started world is broken: a panic says so, and a run without an end.
pub(crate) fn fails<F>(seed: u64, policy: &Policy, body: impl FnOnce(SimWorld) -> F) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    played(seed, policy, body).is_none()
}

/// Starts the servers, and puts the row into the database.
pub(crate) async fn start(world: &SimWorld, policy: Policy) {
    world.start(ClusterSpec::new(policy)).await.expect("it starts");
    world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
}

pub(crate) async fn inject(world: &SimWorld, fault: Fault) {
    world.inject(fault).await.expect("the simulator has this fault");
}

/// The same fault on each of some links.
pub(crate) async fn inject_all(world: &SimWorld, links: [Link; SHARDS as usize], fault: fn(Link) -> Fault) {
    for link in links {
        inject(world, fault(link)).await;
    }
}

/// Each server has a client of its own.
pub(crate) async fn ask(world: &SimWorld, server: u8, request: Request) -> Response {
    world.request(ClientId(server.into()), Route::To(ServerId(server)), request).await
}

pub(crate) async fn read(world: &SimWorld, server: u8) -> Response {
    ask(world, server, Request::Read(key())).await
}

pub(crate) async fn write(world: &SimWorld, server: u8, value: &str) -> Response {
    ask(world, server, Request::Write(key(), Value::new(value))).await
}

/// Reads, and wants this version.
pub(crate) async fn reads(world: &SimWorld, server: u8, version: u64) {
    let response = read(world, server).await;
    assert_eq!(response.version(), Some(Version(version)), "server {server}: {response:?}");
}

/// The tier that answers a read.
pub(crate) async fn tier(world: &SimWorld, server: u8) -> Tier {
    match read(world, server).await {
        Response::Row(_, tier) => tier,
        other => panic!("the stores are there: {other:?}"),
    }
}

pub(crate) async fn millis(world: &SimWorld, millis: u64) {
    world.sleep(Duration::from_millis(millis)).await;
}

/// How long something takes.
pub(crate) async fn timed<T>(world: &SimWorld, what: impl Future<Output = T>) -> (T, Duration) {
    let begun: Instant = world.now();
    let done = what.await;
    (done, world.now().since(begun))
}

fn server(number: u8) -> Actor {
    Actor::Server(ServerId(number))
}

pub(crate) fn to_primary(from: u8) -> Link {
    Link::From(server(from), Actor::Primary)
}

pub(crate) fn from_primary(to: u8) -> Link {
    Link::From(Actor::Primary, server(to))
}

pub(crate) fn to_bus(from: u8) -> Link {
    Link::From(server(from), Actor::Bus)
}

pub(crate) fn bus_to(to: u8) -> Link {
    Link::BusTo(ServerId(to))
}

pub(crate) fn to_redis(from: u8) -> [Link; SHARDS as usize] {
    [0, 1, 2].map(|shard| Link::From(server(from), Actor::RedisMaster(shard)))
}

pub(crate) fn from_redis(to: u8) -> [Link; SHARDS as usize] {
    [0, 1, 2].map(|shard| Link::From(Actor::RedisMaster(shard), server(to)))
}
