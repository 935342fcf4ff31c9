//! Which fault of the harness a scenario's fault is, and what a store may refuse because of it. What the harness cannot
//! do is a typed answer.

use std::time::Duration;

use lab_core::trace::{Actor, Kind};
use lab_core::value::ServerId;
use lab_core::world::ledger::Ledger;
use lab_core::world::{Fault, Link, WorldError};

use crate::adapters::observer::Recorder;
use crate::adapters::refusals::{Answer, Refusal, Store};
use crate::harness::{
    self, AppServer, Harness, HarnessError, Links, PostgresNode, PostgresServer, RedisNode, RedisServer, Way,
};

/// A store that is started again has recovered by then.
const RESTARTED_WITHIN: Duration = Duration::from_secs(30);

/// Carries out a fault on a link, or of a store's node. A server's own faults are the world's matter.
pub(super) async fn inject(harness: &Harness, fault: Fault) -> Result<(), WorldError> {
    let unsupported = |error: HarnessError| WorldError::Unsupported { fault, why: error.to_string() };
    if let Some(link) = fault.link() {
        return strike_link(harness, fault, link).map_err(unsupported);
    }
    let nothing =
        || WorldError::Unsupported { fault, why: "nothing here can do that to real servers".to_owned() };
    let node = fault.actor().and_then(node).ok_or_else(nothing)?;
    match node {
        Node::Redis(node) => of_redis(harness.redis(node).map_err(unsupported)?, fault).await,
        Node::Postgres(node) => of_postgres(harness.postgres(node).map_err(unsupported)?, fault).await,
    }
    .map_err(|error| WorldError::Broken(error.to_string()))?
    .then_some(())
    .ok_or_else(nothing)
}

/// Carries out a fault of a Redis node; `false` if there is no such.
async fn of_redis(node: &RedisServer, fault: Fault) -> Result<bool, HarnessError> {
    match fault {
        Fault::Kill(_) => node.kill(),
        Fault::Restart(_) => node.restart(RESTARTED_WITHIN).await?,
        Fault::Pause(_) => node.pause()?,
        Fault::Resume(_) => node.resume(),
        _ => return Ok(false),
    }
    Ok(true)
}

/// The same of a PostgreSQL node.
async fn of_postgres(node: &PostgresServer, fault: Fault) -> Result<bool, HarnessError> {
    match fault {
        Fault::Kill(_) => node.kill(),
        Fault::Restart(_) => node.restart(RESTARTED_WITHIN).await?,
        Fault::Pause(_) => node.pause()?,
        Fault::Resume(_) => node.resume(),
        Fault::PauseReplay(_) => node.pause_replay().await?,
        Fault::ResumeReplay(_) => node.resume_replay().await?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Brings stores back to life, and lets them go on: the next run is on the same servers.
pub(super) async fn mend(harness: &Harness, ledger: &Ledger) {
    let dead = ledger.dead().map(Fault::Restart);
    for remedy in dead.chain(ledger.remedies()) {
        if remedy.actor().and_then(node).is_some() {
            // What cannot be mended shows at the next run's start, which asks every store.
            let _ = inject(harness, remedy).await;
        }
    }
}

/// A node of the stores, as the harness calls it.
enum Node {
    Redis(RedisNode),
    Postgres(PostgresNode),
}

fn node(actor: Actor) -> Option<Node> {
    match actor {
        Actor::Primary => Some(Node::Postgres(PostgresNode::Primary)),
        Actor::Replica(number) => Some(Node::Postgres(PostgresNode::Replica(number))),
        other => redis_node(other).map(Node::Redis),
    }
}

fn strike_link(harness: &Harness, fault: Fault, link: Link) -> Result<(), HarnessError> {
    let links = harness.links()?;
    let struck = struck(links, link);
    if struck.is_empty() {
        return Err(HarnessError::UnknownPlace(format!("a connection of its own for {link:?}")));
    }
    let mut strikes = struck.into_iter().map(|(link, way)| strike(links, fault, link, way));
    strikes.try_for_each(|struck| struck)
}

fn strike(links: &Links, fault: Fault, link: harness::Link, way: Way) -> Result<(), HarnessError> {
    match fault {
        Fault::Delay { by_ms, .. } => links.delay(link, way, Duration::from_millis(by_ms)),
        Fault::Cut(_) => links.cut(link, way),
        Fault::BlackHole(_) => links.black_hole(link, way),
        Fault::Reset(_) => links.reset(link),
        Fault::Hold(_) => links.hold(link, way),
        Fault::Release(_) => links.release(link, way),
        _ => links.heal_way(link, way),
    }
}

/// The connections that a link of the scenario stands for, and the way on them.
fn struck(links: &Links, link: Link) -> Vec<(harness::Link, Way)> {
    match link {
        // A subscriber may sit at any node.
        Link::BusTo(server) => {
            let server = app_server(server);
            let is_its_bus =
                |link: &harness::Link| matches!(link, harness::Link::Bus(of, _) if *of == server);
            links.all().filter(is_its_bus).map(|link| (link, Way::Back)).collect()
        }
        Link::From(from, to) => {
            let forth = between(from, to).map(|link| (link, Way::Forth));
            let back = between(to, from).map(|link| (link, Way::Back));
            forth.into_iter().chain(back).collect()
        }
    }
}

/// The connections that the first opens to the second.
fn between(from: Actor, to: Actor) -> Option<harness::Link> {
    match (from, to) {
        (Actor::Server(server), Actor::Primary) => {
            Some(harness::Link::Sql(app_server(server), PostgresNode::Primary))
        }
        (Actor::Server(server), Actor::Replica(number)) => {
            Some(harness::Link::Sql(app_server(server), PostgresNode::Replica(number)))
        }
        (Actor::Server(server), node) => Some(harness::Link::Data(app_server(server), redis_node(node)?)),
        (Actor::Replica(number), Actor::Primary) => Some(harness::Link::Wal(PostgresNode::Replica(number))),
        // A replica opens the connection over which its master sends what was written.
        (Actor::RedisReplica(replica), Actor::RedisMaster(master)) if replica == master => {
            Some(harness::Link::Replication(RedisNode::Replica(replica), RedisNode::Master(master)))
        }
        _ => Some(harness::Link::Gossip(redis_node(from)?, redis_node(to)?)),
    }
}

fn redis_node(actor: Actor) -> Option<RedisNode> {
    match actor {
        Actor::RedisMaster(shard) => Some(RedisNode::Master(shard)),
        Actor::RedisReplica(shard) => Some(RedisNode::Replica(shard)),
        _ => None,
    }
}

/// What the stores refused and no fault of the scenario explains.
pub(super) fn unexplained(recorder: &Recorder) -> impl Iterator<Item = Refusal> {
    let injected = recorder.events(0, usize::MAX).into_iter().filter_map(|event| match event.kind {
        Kind::Injected { fault } => Some(fault),
        _ => None,
    });
    let faults: Vec<Fault> = injected.collect();
    let refusals = recorder.refusals().into_iter();
    refusals.filter(move |refusal| !faults.iter().any(|fault| explains(*fault, refusal)))
}

/// Redis' words for a cluster whose nodes do not reach one another.
const PARTED: [&str; 5] = ["CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN", "LOADING"];

/// Whether a store may have refused because of the fault. Whoever is slow refuses nothing, and a policy's own mistakes
/// are not told in these words.
fn explains(fault: Fault, refusal: &Refusal) -> bool {
    let (from, to) = match fault {
        Fault::Cut(Link::From(from, to))
        | Fault::BlackHole(Link::From(from, to))
        | Fault::Reset(Link::From(from, to)) => (from, to),
        Fault::Reset(Link::BusTo(_)) => return refusal.store == Store::Redis,
        Fault::Kill(actor) | Fault::Pause(actor) => return store_at(actor) == Some(refusal.store),
        _ => return false,
    };
    match &refusal.answer {
        Answer::Broken => [from, to].map(store_at).contains(&Some(refusal.store)),
        Answer::Refused { code } => {
            let apart = redis_node(from).is_some() && redis_node(to).is_some();
            refusal.store == Store::Redis && apart && PARTED.contains(&code.as_str())
        }
    }
}

fn store_at(actor: Actor) -> Option<Store> {
    match actor {
        Actor::RedisMaster(_) | Actor::RedisReplica(_) => Some(Store::Redis),
        Actor::Primary | Actor::Replica(_) => Some(Store::Postgres),
        _ => None,
    }
}

/// The name that the harness has for a server.
pub(super) fn app_server(server: ServerId) -> AppServer {
    AppServer(server.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Actor = Actor::Server(ServerId(2));

    #[test]
    fn a_connection_is_named_by_who_opens_it() {
        let server = AppServer(2);
        let cases = [
            (SERVER, Actor::RedisMaster(1), harness::Link::Data(server, RedisNode::Master(1))),
            (SERVER, Actor::Primary, harness::Link::Sql(server, PostgresNode::Primary)),
            (SERVER, Actor::Replica(2), harness::Link::Sql(server, PostgresNode::Replica(2))),
            (Actor::Replica(1), Actor::Primary, harness::Link::Wal(PostgresNode::Replica(1))),
            (
                Actor::RedisReplica(0),
                Actor::RedisMaster(0),
                harness::Link::Replication(RedisNode::Replica(0), RedisNode::Master(0)),
            ),
            (
                Actor::RedisReplica(0),
                Actor::RedisMaster(1),
                harness::Link::Gossip(RedisNode::Replica(0), RedisNode::Master(1)),
            ),
        ];
        for (from, to, link) in cases {
            assert_eq!(between(from, to), Some(link), "{from} to {to}");
        }
    }

    #[test]
    fn nobody_opens_a_connection_to_a_server() {
        for from in [Actor::Primary, Actor::RedisMaster(0), Actor::Bus, Actor::Lab] {
            assert_eq!(between(from, SERVER), None, "{from}");
        }
    }

    #[test]
    fn a_refusal_is_explained_by_a_fault_that_may_lead_to_it() {
        let refusal = |store, code: &str| {
            let answer = match code {
                "" => Answer::Broken,
                code => Answer::Refused { code: code.to_owned() },
            };
            Refusal { store, answer, words: String::new(), count: 1 }
        };
        let (redis, postgres) = (Store::Redis, Store::Postgres);
        let apart = Link::From(Actor::RedisMaster(0), Actor::RedisReplica(0));
        let query = Link::From(SERVER, Actor::Primary);
        let bus = Link::BusTo(ServerId(2));
        for (fault, refusal, explained) in [
            (Fault::Cut(apart), refusal(redis, "CLUSTERDOWN"), true),
            (Fault::BlackHole(apart), refusal(redis, "READONLY"), true),
            (Fault::Cut(apart), refusal(redis, "OOM"), false),
            (Fault::Cut(apart), refusal(redis, "NOPERM"), false),
            (Fault::Cut(apart), refusal(postgres, "57014"), false),
            (Fault::Cut(query), refusal(redis, "CLUSTERDOWN"), false),
            (Fault::Cut(query), refusal(postgres, ""), true),
            (Fault::Cut(query), refusal(postgres, "57014"), false),
            (Fault::Cut(query), refusal(redis, ""), false),
            (Fault::Heal(apart), refusal(redis, "CLUSTERDOWN"), false),
            (Fault::Delay { link: bus, by_ms: 50 }, refusal(redis, "OOM"), false),
            (Fault::Kill(Actor::Primary), refusal(postgres, "57P02"), true),
            (Fault::Kill(SERVER), refusal(postgres, ""), false),
        ] {
            assert_eq!(explains(fault, &refusal), explained, "{fault:?} and {refusal:?}");
        }
    }
}
