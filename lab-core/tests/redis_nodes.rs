//! What the simulated Redis Cluster does when one of its nodes dies, stands still and comes back, under many seeds. The times
//! are those of real clusters; the clauses that both worlds keep stand in `world::contract`.

mod support;

use std::time::Duration;

use futures_util::future::join;
use lab_core::cluster::{Actor, Role, Topology};
use lab_core::policy::Policy;
use lab_core::service::{Request, Response};
use lab_core::sim::SimWorld;
use lab_core::trace::{Kind, Outcome, Trace, Verb};
use lab_core::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};
use lab_core::world::{ClusterSpec, Fault, Link, Route, World};
use support::under_seeds;

const ONE: ServerId = ServerId(1);
const TWO: ServerId = ServerId(2);
/// The shard of the row, which carries the bus, too.
const MASTER: Actor = Actor::RedisMaster(0);
const REPLICA: Actor = Actor::RedisReplica(0);
/// A replica is elected by then.
const ELECTED: Duration = Duration::from_secs(3);
/// Nobody is called failed before.
const SOON: Duration = Duration::from_millis(500);

fn key() -> Key {
    Key::new("product:1")
}

/// A key of another shard.
fn elsewhere() -> Key {
    Key::new("product:2")
}

async fn started(world: &SimWorld) {
    started_with(world, Topology::default()).await;
}

async fn started_with(world: &SimWorld, topology: Topology) {
    let spec = ClusterSpec { topology, ..ClusterSpec::new(Policy::lesson()) };
    world.start(spec).await.expect("it starts");
    for key in [key(), elsewhere()] {
        world.insert(&key, &Value::new("50")).await.expect("the primary is there");
        read(world, ONE, &key).await;
    }
    world.sleep(Duration::from_millis(50)).await;
}

async fn inject(world: &SimWorld, fault: Fault) {
    world.inject(fault).await.expect("the simulator has this fault");
}

async fn read(world: &SimWorld, server: ServerId, key: &Key) -> Response {
    let route = Route::To(server);
    world.request(ClientId(u16::from(server.0)), route, Request::Forget(key.clone())).await;
    world.request(ClientId(u16::from(server.0)), route, Request::Read(key.clone())).await
}

async fn write(world: &SimWorld, server: ServerId) -> Response {
    let write = Request::Write(key(), Value::new("100"));
    world.request(ClientId(9), Route::To(server), write).await
}

/// The version that L2 answers a server, if L2 answers it.
async fn shared(world: &SimWorld, server: ServerId, key: &Key) -> Option<Version> {
    match read(world, server, key).await {
        Response::Row(entry, Tier::L2) => Some(entry.stamp.version),
        _ => None,
    }
}

/// When the fault began, and the node got the role.
fn between(trace: &Trace, fault: Fault, node: Actor, role: Role) -> Option<Duration> {
    let began = trace.events.iter().find(|event| event.kind == Kind::Injected { fault })?;
    let changed = trace.events.iter().find(|event| {
        event.actor == node && event.at >= began.at && event.kind == Kind::RoleChanged { role }
    })?;
    Some(elapsed(began.at, changed.at))
}

fn elapsed(since: Instant, now: Instant) -> Duration {
    Duration::from_nanos(now.0 - since.0)
}

/// Whether the event says that its node refused because the cluster is down.
fn says_down(kind: &Kind) -> bool {
    matches!(kind, Kind::Served { outcome: Outcome::Failed(why), .. } if why == "CLUSTERDOWN")
}

#[test]
fn the_replica_of_a_dead_master_is_elected_and_holds_what_it_replayed() {
    let kill = Fault::Kill(MASTER);
    let traces = under_seeds(move |world| async move {
        started(&world).await;
        inject(&world, kill).await;
        let asks = async {
            world.sleep(Duration::from_millis(1_700)).await;
            read(&world, TWO, &elsewhere()).await;
        };
        asks.await;
        world.sleep(Duration::from_millis(1_300)).await;
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(1)));
        assert_eq!(write(&world, ONE).await, Response::Written(Version(2)));
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(2)));
    });
    let mut refused_elsewhere = 0;
    for trace in traces {
        let took = between(&trace, kill, REPLICA, Role::Master).expect("it is elected");
        assert!((1_600..=2_900).contains(&took.as_millis()), "{took:?}");
        let elected = trace.events.iter().position(|event| matches!(event.kind, Kind::RoleChanged { .. }));
        let (before, after) = trace.events.split_at(elected.expect("it is noted"));
        let down = |event: &&lab_core::trace::Event| says_down(&event.kind);
        refused_elsewhere += before.iter().filter(down).filter(|event| event.actor != REPLICA).count();
        assert_eq!(after.iter().find(down), None, "from then on the cluster is whole");
    }
    assert!(refused_elsewhere > 0, "meanwhile no shard answers");
}

#[test]
fn what_its_replica_had_not_heard_of_is_lost_with_a_master() {
    under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Cut(Link::From(MASTER, REPLICA))).await;
        assert_eq!(write(&world, ONE).await, Response::Written(Version(2)));
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(2)), "the master acknowledged it");
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(ELECTED).await;
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(1)), "L2 has gone back");
    });
}

#[test]
fn who_waits_for_a_master_that_dies_knows_nothing_and_who_asks_it_then_is_refused() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        world.request(ClientId(1), Route::To(ONE), Request::Forget(key())).await;
        let since = world.now();
        let kill = async {
            world.sleep(Duration::from_micros(500)).await;
            inject(&world, Fault::Kill(MASTER)).await;
        };
        let ask = world.request(ClientId(1), Route::To(ONE), Request::Read(key()));
        let (answer, ()) = join(ask, kill).await;
        assert!(matches!(answer, Response::Row(..)), "the database has it: {answer:?}");
        let patient = elapsed(since, world.now());
        assert!(patient < Duration::from_millis(2_500), "asked again for a while at most: {patient:?}");
    });
    let unknown = |trace: &&Trace| {
        trace.events.iter().any(|event| {
            matches!(&event.kind, Kind::Returned { outcome: Outcome::Unknown, .. })
                && event.actor == Actor::Server(ONE)
        })
    };
    let count = traces.iter().filter(unknown).count();
    assert!(count > 0 && count < traces.len(), "{count} of {} died over a call", traces.len());
}

#[test]
fn a_master_that_is_started_again_at_once_is_empty_and_so_is_its_replica() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(SOON).await;
        inject(&world, Fault::Restart(MASTER)).await;
        // Another row of the shard: it is asked for meanwhile.
        read(&world, TWO, &Key::new("product:5")).await;
        world.sleep(ELECTED).await;
        assert_eq!(shared(&world, TWO, &key()).await, None, "it holds nothing");
        assert_eq!(shared(&world, ONE, &key()).await, Some(Version(1)), "it takes what is put into it");
        world.sleep(SOON).await;
        // What was put into it since is what its replica has.
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(ELECTED).await;
        assert_eq!(shared(&world, ONE, &key()).await, Some(Version(1)));
    });
    for trace in traces {
        let restarted = trace
            .events
            .iter()
            .find(|event| event.kind == Kind::Injected { fault: Fault::Restart(MASTER) })
            .expect("it was started again")
            .at;
        let served = |event: &&lab_core::trace::Event| {
            event.actor == MASTER
                && event.at >= restarted
                && matches!(event.kind, Kind::Served { .. })
                && !says_down(&event.kind)
        };
        let first = trace.events.iter().find(served).expect("it takes commands again");
        assert!(elapsed(restarted, first.at) >= Duration::from_secs(2), "not before it knows its place");
        let emptied = |event: &lab_core::trace::Event| {
            event.actor == REPLICA
                && event.at >= restarted
                && matches!(event.kind, Kind::Replayed { value: None, .. })
        };
        assert!(trace.events.iter().any(emptied), "its replica follows it into emptiness");
    }
}

#[test]
fn a_master_that_comes_back_after_the_election_follows_its_replica() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(ELECTED).await;
        assert_eq!(write(&world, ONE).await, Response::Written(Version(2)));
        inject(&world, Fault::Restart(MASTER)).await;
        world.sleep(ELECTED).await;
        // It has what its new master had: it can be elected in its turn.
        inject(&world, Fault::Kill(REPLICA)).await;
        world.sleep(ELECTED).await;
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(2)));
    });
    for trace in traces {
        let demoted = between(&trace, Fault::Restart(MASTER), MASTER, Role::Replica).expect("it is told");
        assert!(demoted < Duration::from_millis(200), "{demoted:?}");
        assert!(between(&trace, Fault::Kill(REPLICA), MASTER, Role::Master).is_some());
    }
}

#[test]
fn a_short_pause_makes_answers_late_and_elects_nobody() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Pause(MASTER)).await;
        let since = world.now();
        let resume = async {
            world.sleep(SOON).await;
            inject(&world, Fault::Resume(MASTER)).await;
        };
        let (version, ()) = join(shared(&world, TWO, &key()), resume).await;
        assert_eq!(version, Some(Version(1)));
        assert!(elapsed(since, world.now()) >= SOON);
        world.sleep(ELECTED).await;
    });
    for trace in traces {
        let changed = trace.events.iter().find(|event| matches!(event.kind, Kind::RoleChanged { .. }));
        assert_eq!(changed, None);
        assert!(!trace.events.iter().any(|event| says_down(&event.kind)));
    }
}

/// A command that waits at a master which stands still is carried out when it goes on.
#[test]
fn a_master_that_stood_still_for_long_answers_before_it_knows_that_it_leads_no_more() {
    let (paused, resumed) = (Fault::Pause(MASTER), Fault::Resume(MASTER));
    let traces = under_seeds(move |world| async move {
        started(&world).await;
        inject(&world, paused).await;
        world.sleep(ELECTED).await;
        let resume = async {
            world.sleep(Duration::from_millis(300)).await;
            inject(&world, resumed).await;
        };
        let (answer, ()) = join(read(&world, TWO, &key()), resume).await;
        assert!(matches!(answer, Response::Row(..)), "{answer:?}");
        world.sleep(Duration::from_millis(50)).await;
        assert_eq!(write(&world, TWO).await, Response::Written(Version(2)));
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(2)), "it finds the new master");
    });
    for trace in &traces {
        assert!(between(trace, paused, REPLICA, Role::Master).is_some(), "it is elected meanwhile");
        let demoted = between(trace, resumed, MASTER, Role::Replica).expect("the old one is told");
        assert!(demoted < Duration::from_millis(50), "{demoted:?}");
        let at = trace.events.iter().find(|event| event.kind == Kind::Injected { fault: resumed });
        let at = at.expect("it went on").at;
        let served = trace.events.iter().any(|event| {
            event.actor == MASTER
                && event.at >= at
                && matches!(event.kind, Kind::Served { outcome: Outcome::Hit, .. })
        });
        assert!(served, "it answers before it knows");
    }
}

#[test]
fn a_subscriber_of_a_dead_node_loses_its_subscription_and_hears_the_bus_elsewhere() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        for server in [ONE, TWO] {
            read(&world, server, &key()).await;
        }
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(Duration::from_millis(100)).await;
        // Nobody can publish now: what is written is not heard of.
        assert_eq!(write(&world, ONE).await, Response::Written(Version(2)));
        let stale = world.request(ClientId(2), Route::To(TWO), Request::Read(key())).await;
        assert!(
            matches!(&stale, Response::Row(entry, Tier::L1) if entry.stamp.version == Version(1)),
            "{stale:?}"
        );
        world.sleep(ELECTED).await;
        assert_eq!(write(&world, ONE).await, Response::Written(Version(3)));
        world.sleep(Duration::from_millis(100)).await;
        let fresh = world.request(ClientId(2), Route::To(TWO), Request::Read(key())).await;
        assert!(matches!(&fresh, Response::Row(entry, _) if entry.stamp.version == Version(3)), "{fresh:?}");
    });
    for trace in traces {
        let killed = trace.events.iter().position(|event| matches!(event.kind, Kind::Injected { .. }));
        let after = &trace.events[killed.expect("it was killed")..];
        let published = after.iter().find_map(|event| match event.kind {
            Kind::Served { verb: Verb::PublishInvalidate, outcome: Outcome::Receivers(count), .. } => {
                Some(count)
            }
            _ => None,
        });
        assert_eq!(published, Some(4), "all four have subscribed at the node that publishes now");
    }
}

#[test]
fn where_most_masters_are_not_left_nobody_is_elected() {
    for (topology, others) in [
        (Topology::new(2, 2, 1, 0), vec![]),
        (Topology::new(2, 3, 1, 0), vec![Actor::RedisMaster(1)]),
        (Topology::new(2, 3, 0, 0), vec![]),
    ] {
        let traces = under_seeds(move |world| {
            let (topology, others) = (topology.clone(), others.clone());
            async move {
                started_with(&world, topology).await;
                for node in others.into_iter().chain([MASTER]) {
                    inject(&world, Fault::Kill(node)).await;
                }
                world.sleep(2 * ELECTED).await;
                assert_eq!(shared(&world, TWO, &elsewhere()).await, None, "no shard answers");
                inject(&world, Fault::Restart(MASTER)).await;
                world.sleep(2 * ELECTED).await;
                read(&world, TWO, &key()).await;
            }
        });
        for trace in traces {
            let restarted = Kind::Injected { fault: Fault::Restart(MASTER) };
            let restarted = trace.events.iter().position(|event| event.kind == restarted).expect("it was");
            let early = trace.events[..restarted].iter();
            assert_eq!(early.clone().find(|event| matches!(event.kind, Kind::RoleChanged { .. })), None);
            assert!(early.clone().any(|event| says_down(&event.kind)));
            let last = trace.events.iter().rfind(|event| {
                matches!(event.kind, Kind::Served { .. })
                    && matches!(event.actor, Actor::RedisMaster(0) | Actor::RedisReplica(0))
            });
            assert!(
                last.is_some_and(|event| !says_down(&event.kind)),
                "with it the cluster is whole: {last:?}"
            );
        }
    }
}

#[test]
fn a_replica_that_dies_comes_back_with_what_its_master_holds() {
    let traces = under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Kill(REPLICA)).await;
        assert_eq!(write(&world, ONE).await, Response::Written(Version(2)), "nobody misses it");
        inject(&world, Fault::Restart(REPLICA)).await;
        world.sleep(ELECTED).await;
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(ELECTED).await;
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(2)));
    });
    for trace in traces {
        assert!(between(&trace, Fault::Kill(MASTER), REPLICA, Role::Master).is_some());
    }
}

#[test]
fn a_replica_whose_connection_is_reset_follows_again() {
    under_seeds(|world| async move {
        started(&world).await;
        inject(&world, Fault::Reset(Link::From(MASTER, REPLICA))).await;
        assert_eq!(write(&world, ONE).await, Response::Written(Version(2)));
        world.sleep(ELECTED).await;
        inject(&world, Fault::Kill(MASTER)).await;
        world.sleep(ELECTED).await;
        assert_eq!(shared(&world, TWO, &key()).await, Some(Version(2)));
    });
}
