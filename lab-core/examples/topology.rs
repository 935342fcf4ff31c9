//! Writes recordings of runs on clusters of other sizes than the lessons have, for the page to open: a file for each size
//! named, as servers, masters, Redis replicas a master and PostgreSQL replicas.
//!
//! ```text
//! cargo run -p lab-core --example topology -- target/topologies 1-1-0-0 4-6-1-2 8-12-1-3
//! ```
//!
//! The body is a short one: every server reads a row and writes it, links are cut, a server dies; where there are enough of
//! them, the row's Redis master dies and its replica is elected, another master stands still, and so does a PostgreSQL replica
//! while another is dead.

use std::error::Error;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use lab_core::cluster::{Topology, slot};
use lab_core::policy::Policy;
use lab_core::recording::Recording;
use lab_core::report::WorldKind;
use lab_core::scenario::{RunSpec, ScenarioId};
use lab_core::service::Request;
use lab_core::sim::{self, SimWorld};
use lab_core::trace::Actor;
use lab_core::value::{ClientId, Key, ServerId, Value};
use lab_core::world::{ClusterSpec, Fault, Link, Route, World, WorldError};

/// The scenario under whose name a recording is opened; its row is the one that the stage shows.
const SCENARIO: ScenarioId = ScenarioId::InvalidationDelay;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("name a directory, and sizes such as 8-12-1-3")?;
    fs::create_dir_all(&directory)?;
    for size in arguments {
        let file = Path::new(&directory).join(format!("{size}.jsonl"));
        fs::write(&file, recorded(&parsed(&size)?)?)?;
        println!("{}", file.display());
    }
    Ok(())
}

fn parsed(size: &str) -> Result<Topology, Box<dyn Error>> {
    let counts = size.split('-').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
    let [servers, masters, redis_replicas, postgres_replicas] = counts[..] else {
        return Err(format!("{size} is no size such as 8-12-1-3").into());
    };
    let topology = Topology::new(servers, masters, redis_replicas, postgres_replicas);
    topology.validate()?;
    Ok(topology)
}

fn recorded(topology: &Topology) -> Result<String, Box<dyn Error>> {
    let spec = RunSpec::preset(SCENARIO, "lesson", 1)?;
    let cluster = ClusterSpec { topology: topology.clone(), ..ClusterSpec::new(Policy::lesson()) };
    let (played, trace) = sim::on_world(spec.seed, |world| play(world, cluster))?;
    played?;
    // As a real run's, so that the page shows the events of the file instead of making the run anew.
    let recording = Recording { spec, world: WorldKind::Real, unfinished: None, trace };
    Ok(recording.to_json_lines()?)
}

/// The row's master dies, its replica is elected, and the master comes back and follows. Then other nodes are in trouble.
async fn strike_stores(world: &SimWorld, topology: &Topology, home: Actor) -> Result<(), WorldError> {
    world.inject(Fault::Kill(home)).await?;
    world.sleep(Duration::from_secs(3)).await;
    world.inject(Fault::Restart(home)).await?;
    world.sleep(Duration::from_secs(2)).await;
    world.inject(Fault::Kill(Actor::RedisReplica(1))).await?;
    world.inject(Fault::Pause(Actor::RedisMaster(2))).await?;
    if topology.postgres_replicas > 1 {
        world.inject(Fault::Kill(Actor::Replica(1))).await?;
        world.inject(Fault::Pause(Actor::Replica(2))).await?;
    }
    Ok(())
}

async fn play(world: SimWorld, cluster: ClusterSpec) -> Result<(), WorldError> {
    let row = Key::new(SCENARIO.scenario().focus);
    let topology = cluster.topology.clone();
    let ask = |client: u8, request: Request| {
        let server = ServerId((client - 1) % topology.servers + 1);
        world.request(ClientId(client.into()), Route::To(server), request)
    };
    world.phase("start");
    world.start(cluster).await?;
    world.insert(&row, &Value::new("50")).await?;
    world.phase("act");
    for server in 1..=topology.servers {
        ask(server, Request::Read(row.clone())).await;
    }
    let home = Actor::RedisMaster(topology.shard_of(slot(row.as_str())));
    let last = ServerId(topology.servers);
    world.inject(Fault::Delay { link: Link::BusTo(last), by_ms: 40 }).await?;
    world.inject(Fault::Cut(Link::From(Actor::Server(ServerId(1)), home))).await?;
    world.inject(Fault::Cut(Link::From(Actor::Primary, Actor::Server(ServerId(1))))).await?;
    ask(last.0, Request::Write(row.clone(), Value::new("100"))).await;
    for server in 2..=topology.servers {
        ask(server, Request::Read(row.clone())).await;
    }
    if topology.servers > 1 {
        world.inject(Fault::Kill(Actor::Server(last))).await?;
    }
    world.sleep(Duration::from_millis(100)).await;
    if topology.shards.iter().any(|shard| shard.replica) && topology.masters() > 2 {
        strike_stores(&world, &topology, home).await?;
        ask(1, Request::Read(row.clone())).await;
        world.sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
