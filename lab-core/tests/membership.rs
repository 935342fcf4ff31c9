//! What members owe each other: to be heard, to answer, and to step down when they cannot.

mod support;

use std::time::Duration;

use futures_util::future::{join, join_all};
use lab_core::cache::{TieredCache, WriteError};
use lab_core::consistency::{Demand, Level};
use lab_core::policy::{Policy, Switch};
use lab_core::ports::{Audience, Body, Bus, Clock, Database, Membership, Notice, Ports, Renewal};
use lab_core::service::{Request, Response};
use lab_core::sim::{self, SimPorts, SimWorld};
use lab_core::trace::{Actor, Event, Kind, Trace, Verb, Why};
use lab_core::value::{ClientId, Instant, Key, ServerId, Tier, Value};
use lab_core::world::{ClusterSpec, Fault, Link, Route, World};
use support::under_seeds;

const LEASE: Duration = Duration::from_secs(2);

type Cache = TieredCache<SimPorts>;

fn key() -> Key {
    Key::new("product:1")
}

fn acknowledged() -> Policy {
    Policy::lesson().with(Switch::AcknowledgedInvalidation, true)
}

async fn inject(world: &SimWorld, fault: Fault) {
    world.inject(fault).await.expect("the simulator has this fault");
}

async fn start(world: &SimWorld) {
    world.start(ClusterSpec::new(acknowledged())).await.expect("it starts");
    world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
}

async fn ask(world: &SimWorld, server: u8, request: Request) -> Response {
    world.request(ClientId(server.into()), Route::To(ServerId(server)), request).await
}

async fn read(world: &SimWorld, server: u8) -> Response {
    ask(world, server, Request::Read(key())).await
}

async fn millis(world: &SimWorld, millis: u64) {
    world.sleep(Duration::from_millis(millis)).await;
}

fn is_from(response: &Response, tier: Tier) -> bool {
    matches!(response, Response::Row(_, from) if *from == tier)
}

/// Runs a body over a started cache of server 1 and over the bare ports of others, under fifty seeds.
fn with_bare_ports<F>(servers: u8, body: impl Fn(Cache, Vec<SimPorts>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for seed in 1..=50 {
        let ran = sim::on_ports(seed, servers, |mut ports| {
            let cache = Cache::new(ports.remove(0), acknowledged());
            let body = body(cache.clone(), ports);
            async move {
                cache.start().await.expect("the bus is there");
                body.await;
            }
        });
        ran.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// Renews the lease of bare ports, and beats, where it is to be heard; says whether it was barred.
async fn live_on(ports: &SimPorts, for_ms: u64, heard: bool) -> bool {
    let mut barred = false;
    for turn in 0..for_ms / 100 {
        if turn % 5 == 0 {
            let renewal = ports.membership().renew(LEASE).await.expect("the primary is there");
            barred |= renewal == Renewal::Barred;
        }
        if heard {
            let (from, incarnation) = (ports.server(), ports.incarnation());
            let beat = Notice { from, incarnation, number: 0, body: Body::Beat };
            ports.bus().publish(Audience::All, beat).await.expect("the bus is there");
        }
        ports.clock().sleep(Duration::from_millis(100)).await;
    }
    barred
}

async fn tier(cache: &Cache) -> Tier {
    let read = cache.read(&key(), Demand::level(Level::Eventual)).await;
    read.expect("the stores are there").tier
}

/// The connection stays open and carries nothing. Nothing tells of its end but the silence.
#[test]
fn a_half_open_subscription_is_dropped_and_opened_anew() {
    let traces = under_seeds(|world| async move {
        start(&world).await;
        millis(&world, 1_000).await;
        inject(&world, Fault::BlackHole(Link::BusTo(ServerId(2)))).await;
        millis(&world, 3_000).await;
        inject(&world, Fault::Heal(Link::BusTo(ServerId(2)))).await;
        millis(&world, 3_000).await;
        read(&world, 2).await;
        let again = read(&world, 2).await;
        assert!(is_from(&again, Tier::L1), "it hears again: {again:?}");
    });
    for trace in traces {
        let reopened = |event: &Event| {
            event.actor == Actor::Server(ServerId(2)) && event.kind == Kind::L1Flushed { why: Why::Silence }
        };
        assert!(trace.events.iter().any(reopened), "nobody opened it anew");
    }
}

/// Server 2 is a member, and nothing of it is heard. What server 1 hears of itself says nothing about that.
#[test]
fn own_signs_of_life_prove_nothing() {
    with_bare_ports(2, |cache, others| async move {
        let silent = live_on(&others[0], 3_000, false);
        let reading = async {
            cache.ports().clock().sleep(Duration::from_millis(600)).await;
            tier(&cache).await;
            assert_eq!(tier(&cache).await, Tier::L1, "the limit counts from when it is known to be live");
            cache.ports().clock().sleep(Duration::from_secs(1)).await;
            assert_ne!(tier(&cache).await, Tier::L1, "a live member is silent");
        };
        join(silent, reading).await;
    });
    with_bare_ports(2, |cache, others| async move {
        let speaking = live_on(&others[0], 3_000, true);
        let reading = async {
            tier(&cache).await;
            cache.ports().clock().sleep(Duration::from_secs(2)).await;
            assert_eq!(tier(&cache).await, Tier::L1, "everybody is heard");
        };
        join(speaking, reading).await;
    });
}

/// What server 3 publishes vanishes. The others answer the old value no longer than the bound, and L1 is back when server 3
/// has stepped down, which it does by itself: the bus takes nothing of it.
#[test]
fn a_lost_invalidation_is_served_no_longer_than_the_bound() {
    let traces = under_seeds(|world| async move {
        start(&world).await;
        read(&world, 1).await;
        millis(&world, 1_000).await;
        inject(&world, Fault::BlackHole(Link::From(Actor::Server(ServerId(3)), Actor::Bus))).await;
        let write = ask(&world, 3, Request::Write(key(), Value::new("100")));
        let reads = async {
            for _ in 0..60 {
                read(&world, 1).await;
                millis(&world, 50).await;
            }
        };
        join(write, reads).await;
        read(&world, 1).await;
        let again = read(&world, 1).await;
        assert!(is_from(&again, Tier::L1), "who cannot be heard is no member any more: {again:?}");
    });
    let (renewal, silence, delivery) = (500, 500, 110);
    let bound = Duration::from_millis(renewal + silence + delivery);
    let mut served = 0;
    for trace in traces {
        let committed = committed_at(&trace);
        let old = trace.events.iter().filter(|event| {
            event.actor == Actor::Server(ServerId(1))
                && event.kind == Kind::L1Hit
                && event.version.is_some_and(|version| version.0 == 1)
                && event.at > committed
        });
        for event in old {
            served += 1;
            assert!(event.at.since(committed) <= bound, "{:?} after the commit", event.at.since(committed));
        }
    }
    assert!(served > 0, "the old value was never served, so the bound was not tried");
}

fn committed_at(trace: &Trace) -> Instant {
    let commit = |event: &&Event| {
        let update = matches!(event.kind, Kind::Served { verb: Verb::Update, .. });
        update && event.version.is_some_and(|version| version.0 == 2)
    };
    trace.events.iter().find(commit).expect("it was written").at
}

/// Server 2 renews its lease and is heard, and never acknowledges. It must not cost every write ten seconds.
#[test]
fn a_member_that_does_not_answer_is_barred() {
    with_bare_ports(2, |cache, others| async move {
        let stubborn = live_on(&others[0], 6_000, true);
        let writing = async {
            cache.ports().clock().sleep(Duration::from_millis(500)).await;
            let sent = cache.ports().clock().now();
            let written = cache.write(&key(), &Value::new("100")).await;
            (written, cache.ports().clock().now().since(sent))
        };
        let (barred, (written, took)) = join(stubborn, writing).await;
        assert!(barred, "its next renewal is refused");
        assert!(written.is_ok(), "{written:?}");
        assert!((LEASE..LEASE * 2 + Duration::from_millis(700)).contains(&took), "{took:?}");
        let renewal = others[0].membership().renew(LEASE).await.expect("the primary is there");
        assert!(matches!(renewal, Renewal::Member(_)), "it may come back when its lease has run out");
    });
}

/// Nobody is heard: the others may well acknowledge, and the writer would not know.
#[test]
fn a_deaf_writer_bars_nobody() {
    with_bare_ports(2, |cache, others| async move {
        let silent = live_on(&others[0], 15_000, false);
        let writing = async {
            cache.ports().clock().sleep(Duration::from_millis(500)).await;
            cache.write(&key(), &Value::new("100")).await
        };
        let (barred, written) = join(silent, writing).await;
        assert!(!barred);
        assert!(matches!(written, Err(WriteError::Unacknowledged(_))), "{written:?}");
    });
}

/// A crash costs the others no copy: they go on renewing, and serve L1 again when the dead one's lease has run out.
#[test]
fn a_crash_empties_nobody_elses_l1() {
    let traces = under_seeds(|world| async move {
        start(&world).await;
        for server in 1..=3 {
            read(&world, server).await;
        }
        millis(&world, 1_000).await;
        inject(&world, Fault::Kill(Actor::Server(ServerId(4)))).await;
        millis(&world, 1_000).await;
        assert!(!is_from(&read(&world, 1).await, Tier::L1), "a live member is silent");
        millis(&world, 2_000).await;
        for server in 1..=3 {
            let answer = read(&world, server).await;
            assert!(is_from(&answer, Tier::L1), "{answer:?}");
        }
    });
    for trace in traces {
        let killed = trace.events.iter().position(|event| matches!(event.kind, Kind::Injected { .. }));
        let after = &trace.events[killed.expect("it was killed")..];
        let flushed = after.iter().find(|event| matches!(event.kind, Kind::L1Flushed { .. }));
        assert_eq!(flushed, None);
    }
}

/// A herd of writes asks who is live one question at a time, each for all who wait by then.
#[test]
fn one_question_who_is_live_serves_all_who_wait() {
    let traces = under_seeds(|world| async move {
        start(&world).await;
        let world = &world;
        let write = |number: u16| {
            let request = Request::Write(Key::new(format!("row:{number}")), Value::new("1"));
            world.request(ClientId(number), Route::To(ServerId(1)), request)
        };
        for answer in join_all((1..=50).map(write)).await {
            assert!(matches!(answer, Response::Written(_)), "{answer:?}");
        }
    });
    for trace in traces {
        let mut open = 0;
        for event in trace.events.iter().filter(|event| event.actor == Actor::Server(ServerId(1))) {
            match event.kind {
                Kind::Called { verb: Verb::Members, .. } => open += 1,
                Kind::Returned { verb: Verb::Members, .. } => open -= 1,
                _ => {}
            }
            assert!(open <= 1, "two questions at once");
        }
    }
}

#[test]
fn a_server_that_departs_is_waited_for_by_nobody_and_serves_no_l1() {
    with_bare_ports(2, |cache, others| async move {
        let departing = Cache::new(others[0].clone(), acknowledged());
        departing.start().await.expect("the bus is there");
        let committed = cache.ports().database().update(&key(), &Value::new("50"), None).await;
        committed.expect("the primary is there");
        tier(&departing).await;
        assert_eq!(tier(&departing).await, Tier::L1);
        departing.depart().await.expect("the primary is there");
        assert_ne!(tier(&departing).await, Tier::L1);
        let live = cache.ports().membership().live().await.expect("the primary is there");
        assert!(live.iter().all(|member| member.server != ServerId(2)), "{live:?}");
        cache.ports().clock().sleep(LEASE).await;
        assert_ne!(tier(&departing).await, Tier::L1, "it does not come back");
    });
}
