//! What the simulated world promises of its faults, under many seeds.

mod support;

use std::time::Duration;

use futures_util::future::join;
use lab_core::cluster::{Topology, slot};
use lab_core::policy::Policy;
use lab_core::service::{Request, Response};
use lab_core::sim::{self, SimWorld};
use lab_core::trace::{Actor, Event, Kind, Outcome, Verb};
use lab_core::value::{ClientId, Key, ServerId, Tier, Value};
use lab_core::world::{ClusterSpec, Fault, Link, Route, World, WorldError, refused};
use support::under_seeds;

const ONE: ServerId = ServerId(1);

fn key() -> Key {
    Key::new("product:1")
}

async fn started(world: &SimWorld) {
    world.start(ClusterSpec::new(Policy::lesson())).await.expect("it starts");
    world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
}

async fn inject(world: &SimWorld, fault: Fault) {
    world.inject(fault).await.expect("the simulator has this fault");
}

async fn read(world: &SimWorld) -> Response {
    world.request(ClientId(1), Route::To(ONE), Request::Read(key())).await
}

fn to_primary() -> Link {
    Link::From(Actor::Server(ONE), Actor::Primary)
}

#[test]
fn a_cut_holds_what_is_sent_until_it_heals() {
    under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Cut(to_primary())).await;
        let heal = async {
            world.sleep(Duration::from_millis(500)).await;
            inject(&world, Fault::Heal(to_primary())).await;
        };
        let (answer, ()) = join(read(&world), heal).await;
        assert!(matches!(answer, Response::Row(_, Tier::Database)), "it was held back, not lost: {answer:?}");
    });
}

#[test]
fn a_write_into_a_long_cut_is_unknown_and_happens_after_the_heal() {
    under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Cut(to_primary())).await;
        let write = Request::Write(key(), Value::new("100"));
        let answer = world.request(ClientId(1), Route::To(ONE), write).await;
        assert_eq!(answer, Response::Unknown, "nobody knows yet whether it happened");
        inject(&world, Fault::Heal(to_primary())).await;
        world.sleep(Duration::from_millis(100)).await;
        let now = world.request(ClientId(2), Route::To(ServerId(2)), Request::Read(key())).await;
        let Response::Row(entry, _) = now else { panic!("a row is there: {now:?}") };
        assert_eq!(entry.value, Some(Value::new("100")), "it did");
    });
}

#[test]
fn what_goes_into_a_black_hole_never_comes() {
    under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::BlackHole(to_primary())).await;
        assert_eq!(read(&world).await, Response::Unknown);
        inject(&world, Fault::Heal(to_primary())).await;
        // The connections of that time stay mute, and each costs one answer; then the pool has others.
        for _ in 1..ClusterSpec::new(Policy::lesson()).connections_per_server {
            assert_eq!(read(&world).await, Response::Unknown);
        }
        for _ in 0..8 {
            assert!(matches!(read(&world).await, Response::Row(..)));
        }
    });
}

#[test]
fn a_killed_server_does_nothing_more() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        let kill = async {
            world.sleep(Duration::from_micros(700)).await;
            inject(&world, Fault::Kill(Actor::Server(ONE))).await;
        };
        join(read(&world), kill).await;
        assert_eq!(read(&world).await, refused(ONE), "nobody is there");
    });
    for trace in traces {
        let killed = trace.events.iter().position(|event| matches!(event.kind, Kind::Injected { .. }));
        let after = &trace.events[killed.expect("it was killed")..];
        let acts = after.iter().find(|event| event.actor == Actor::Server(ONE));
        assert_eq!(acts, None, "its tasks died with it");
    }
}

#[test]
fn a_server_follows_a_key_that_has_moved() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        read(&world).await;
        world.reshard(&key(), 2);
        let other = world.request(ClientId(2), Route::To(ServerId(2)), Request::Read(key())).await;
        assert!(matches!(other, Response::Row(_, Tier::L2)), "it is still in L2, elsewhere: {other:?}");
    });
    for trace in traces {
        let moved = |event: &Event| {
            let to = Actor::RedisMaster(2);
            matches!(&event.kind, Kind::Served { outcome: Outcome::Moved(owner), .. } if *owner == to)
        };
        assert!(trace.events.iter().any(moved), "the old owner says where it went");
    }
}

#[test]
fn what_a_world_cannot_do_is_a_typed_answer() {
    under_seeds(|world| async move {
        started(&world).await;
        let fault = Fault::Kill(Actor::Bus);
        let answer = world.inject(fault).await;
        assert!(matches!(answer, Err(WorldError::Unsupported { fault: asked, .. }) if asked == fault));
    });
}

#[test]
fn l1_has_one_shard_in_the_simulator() {
    under_seeds(|world| async move {
        let mut policy = Policy::lesson();
        policy.local.shards = 2;
        let started = world.start(ClusterSpec::new(policy)).await;
        assert!(matches!(started, Err(WorldError::Unfit { .. })), "{started:?}");
    });
}

#[test]
fn a_run_that_waits_for_ever_says_who_waits() {
    let stuck = sim::on_world(1, |_| std::future::pending::<()>());
    let Err(WorldError::Stuck { blocked, .. }) = stuck else { panic!("it cannot end") };
    assert_eq!(blocked, "the scenario");
}

/// The trace names the nodes before any of them acts, and each key is asked for where its slot lives.
#[test]
fn a_run_begins_with_its_nodes() {
    for (servers, masters, redis_replicas, postgres_replicas) in [(1, 1, 0, 0), (4, 6, 1, 2), (8, 12, 0, 3)] {
        let topology = Topology::new(servers, masters, redis_replicas, postgres_replicas);
        let spec = ClusterSpec { topology: topology.clone(), ..ClusterSpec::new(Policy::lesson()) };
        let read = async move |world: SimWorld| {
            world.start(spec).await?;
            for number in 1..=u16::from(masters) {
                let key = Key::new(format!("key:{number}"));
                world.insert(&key, &Value::new("1")).await?;
                let route = Route::To(ServerId(servers));
                world.request(ClientId(number), route, Request::Read(key)).await;
            }
            Ok::<_, WorldError>(())
        };
        let (played, trace) = sim::on_world(1, read).expect("it ends");
        played.expect("it starts");
        assert_eq!(trace.events[0].kind, Kind::Started { topology: topology.clone() });
        let nodes: Vec<_> = topology.nodes().collect();
        let mut served = 0;
        for event in &trace.events {
            if let (Kind::Served { verb: Verb::Get, .. }, Some(key)) = (&event.kind, &event.key) {
                assert_eq!(event.actor, Actor::RedisMaster(topology.shard_of(slot(key.as_str()))));
                served += 1;
            }
            let is_node =
                matches!(event.actor, Actor::RedisReplica(_) | Actor::Replica(_) | Actor::Server(_));
            assert!(!is_node || nodes.contains(&event.actor), "{event:?} is at no node of {topology:?}");
        }
        assert_eq!(served, masters);
    }
    let too_many = ClusterSpec { topology: Topology::new(9, 3, 1, 2), ..ClusterSpec::new(Policy::lesson()) };
    let (refused, _) = sim::on_world(1, |world| async move { world.start(too_many).await }).expect("it ends");
    assert!(refused.is_err_and(|error| error.to_string().contains("1 to 8 app servers, not 9")));
}
