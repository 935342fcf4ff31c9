//! What the cache keeps to while something is broken: each test is a way in which it once did not.

mod support;

use std::time::Duration;

use futures_util::future::{join, join_all};
use lab_core::cluster::{shard_of_slot, slot};
use lab_core::policy::{Acknowledge, Policy, Switch};
use lab_core::service::{Request, Response};
use lab_core::sim::{self, SimWorld};
use lab_core::trace::{Actor, Event, Kind, NoticeKind, Outcome, Trace, Verb};
use lab_core::value::{ClientId, Key, ServerId, Value, Version};
use lab_core::world::{ClusterSpec, Fault, Link, Route, World};
use support::under_seeds;

/// What the body returned under each of fifty seeds.
fn under_seeds_with<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    body: impl Fn(SimWorld) -> F,
) -> Vec<T> {
    let ran = (1..=50)
        .map(|seed| sim::on_world(seed, &body).unwrap_or_else(|error| panic!("seed {seed}: {error}")));
    ran.map(|(returned, _)| returned).collect()
}

fn key() -> Key {
    Key::new("product:1")
}

async fn inject(world: &SimWorld, fault: Fault) {
    world.inject(fault).await.expect("the simulator has this fault");
}

async fn start(world: &SimWorld, policy: &Policy) {
    world.start(ClusterSpec::new(policy.clone())).await.expect("it starts");
}

async fn ask(world: &SimWorld, server: u8, request: Request) -> Response {
    world.request(ClientId(server.into()), Route::To(ServerId(server)), request).await
}

async fn millis(world: &SimWorld, millis: u64) {
    world.sleep(Duration::from_millis(millis)).await;
}

fn acknowledged(renew_ms: u64) -> Policy {
    let mut policy = Policy::lesson().with(Switch::AcknowledgedInvalidation, true);
    policy.write.acknowledge = Acknowledge::Members { lease_ms: 2_000, renew_ms, again_ms: 200 };
    policy
}

/// Its first renewal is lost, so it is no member when it fills L1, and the write does not wait for it. Then it joins, and
/// the invalidation is still on its way to it.
#[test]
fn who_joins_late_does_so_with_an_empty_l1() {
    under_seeds(|world| async move {
        let to_primary = Link::From(Actor::Server(ServerId(2)), Actor::Primary);
        inject(&world, Fault::BlackHole(to_primary)).await;
        start(&world, &acknowledged(100)).await;
        inject(&world, Fault::Heal(to_primary)).await;
        world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
        ask(&world, 2, Request::Read(key())).await;
        inject(&world, Fault::Delay { link: Link::BusTo(ServerId(2)), by_ms: 400 }).await;
        let written = ask(&world, 1, Request::Write(key(), Value::new("100"))).await;
        let Response::Written(version) = written else { panic!("nobody else is slow: {written:?}") };
        // By now it has joined.
        millis(&world, 200).await;
        let answer = ask(&world, 2, Request::Read(key())).await;
        assert_eq!(answer.version(), Some(version), "{answer:?}");
    });
}

/// The publication of one acknowledgement hangs. What is published next must be carried out all the same.
#[test]
fn an_acknowledgement_that_hangs_holds_up_no_invalidation() {
    let traces = under_seeds(|world| async move {
        start(&world, &acknowledged(500)).await;
        world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
        let to_bus = Link::From(Actor::Server(ServerId(2)), Actor::Bus);
        inject(&world, Fault::Delay { link: to_bus, by_ms: 300 }).await;
        let first = ask(&world, 1, Request::Write(Key::new("product:2"), Value::new("1")));
        let second = async {
            ask(&world, 2, Request::Read(key())).await;
            millis(&world, 50).await;
            ask(&world, 3, Request::Write(key(), Value::new("100"))).await;
        };
        join(first, second).await;
    });
    for trace in &traces {
        assert!(invalidations_carried_out_late(trace).is_empty());
    }
}

/// The deliveries of others' invalidations after which time passed until they were carried out.
fn invalidations_carried_out_late(trace: &Trace) -> Vec<&Event> {
    let others = |event: &Event| matches!(event.kind, Kind::Delivered { notice: NoticeKind::Invalidate, from } if event.actor != Actor::Server(from));
    let late = |(index, delivered): &(usize, &Event)| {
        let mut after = trace.events[*index..].iter().filter(|event| event.actor == delivered.actor);
        let dropped = after.find(|event| matches!(event.kind, Kind::L1Dropped { .. }));
        dropped.is_some_and(|dropped| dropped.at != delivered.at)
    };
    let deliveries = trace.events.iter().enumerate().filter(|(_, event)| others(event));
    deliveries.filter(late).map(|(_, event)| event).collect()
}

/// The holder of the lock cannot look in L2 once more. The others must not wait until the lock runs out.
#[test]
fn a_lock_goes_back_when_its_holder_fails() {
    let traces = under_seeds(|world| async move {
        start(&world, &Policy::lesson().with(Switch::Lock, true)).await;
        let lock_home = holders_of(&world).await;
        // Answers to server 1 come too late from the moment it holds the lock; its release still arrives.
        let from_redis = Link::From(lock_home, Actor::Server(ServerId(1)));
        let cut = async {
            world.sleep(Duration::from_micros(900)).await;
            inject(&world, Fault::Delay { link: from_redis, by_ms: 60_000 }).await;
        };
        let compute = Request::Compute(key(), Duration::from_millis(10));
        join(ask(&world, 1, compute), cut).await;
        millis(&world, 100).await;
    });
    let mut failed_under_the_lock = 0;
    for trace in &traces {
        let here = |verb: Verb, outcome: &dyn Fn(&Outcome) -> bool| {
            trace.events.iter().any(|event| {
                matches!((&event.kind, event.actor), (Kind::Served { verb: served, outcome: how, .. }, Actor::RedisMaster(_))
                    if *served == verb && outcome(how))
            })
        };
        let granted = here(Verb::Lock, &|outcome| matches!(outcome, Outcome::Granted(_)));
        let computed = trace.events.iter().any(|event| matches!(event.kind, Kind::Computed { .. }));
        if granted && !computed {
            failed_under_the_lock += 1;
            assert!(here(Verb::Unlock, &|outcome| *outcome == Outcome::Released), "the lock was kept");
        }
    }
    assert!(failed_under_the_lock > 0, "no run failed between the lock and the computation");
}

/// The master that the lock lies on: the one that any command on the key goes to.
async fn holders_of(world: &SimWorld) -> Actor {
    world.delete_shared(&key()).await.expect("an operator can");
    let slot = slot(key().as_str());
    Actor::RedisMaster(shard_of_slot(slot, 3))
}

fn with_outbox() -> Policy {
    acknowledged(500).with(Switch::Outbox, true)
}

/// What servers 2 and 3 answer long after a write at server 1, which died between commit and publication.
fn answers_after_the_writer_died(policy: &Policy) -> Vec<Option<Version>> {
    let answers = under_seeds_with(|world| {
        let policy = policy.clone();
        async move {
            start(&world, &policy).await;
            world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
            for server in [2, 3] {
                ask(&world, server, Request::Read(key())).await;
            }
            // The primary commits; the answer does not come back.
            inject(&world, Fault::Cut(Link::From(Actor::Primary, Actor::Server(ServerId(1))))).await;
            let die = async {
                millis(&world, 100).await;
                inject(&world, Fault::Kill(Actor::Server(ServerId(1)))).await;
            };
            join(ask(&world, 1, Request::Write(key(), Value::new("100"))), die).await;
            millis(&world, 20_000).await;
            [ask(&world, 2, Request::Read(key())).await, ask(&world, 3, Request::Read(key())).await]
        }
    });
    answers.iter().flatten().map(Response::version).collect()
}

#[test]
fn what_a_writer_took_to_its_grave_is_published_by_another() {
    let (old, new) = (Some(Version(1)), Some(Version(2)));
    assert_eq!(answers_after_the_writer_died(&acknowledged(500)), [old; 100], "nobody can know of it");
    assert_eq!(answers_after_the_writer_died(&with_outbox()), [new; 100]);
}

/// The way to the primary holds back a write until it is given up. Then the write and the question what became of it arrive at
/// once.
#[test]
fn a_write_that_was_given_up_is_committed_or_called_off_and_nobody_is_left_in_doubt() {
    let answers = under_seeds_with(|world| async move {
        start(&world, &with_outbox()).await;
        world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
        let to_primary = Link::From(Actor::Server(ServerId(1)), Actor::Primary);
        inject(&world, Fault::Cut(to_primary)).await;
        let heal = async {
            millis(&world, 3_500).await;
            inject(&world, Fault::Heal(to_primary)).await;
        };
        let (written, ()) = join(ask(&world, 1, Request::Write(key(), Value::new("100"))), heal).await;
        millis(&world, 2_000).await;
        (written, ask(&world, 2, Request::Read(key())).await)
    });
    let (mut committed, mut called_off) = (0, 0);
    for (written, read) in answers {
        match written {
            Response::Written(version) => {
                committed += 1;
                assert_eq!((version, read.version()), (Version(2), Some(Version(2))));
            }
            Response::Failed(_) => {
                called_off += 1;
                assert_eq!(read.version(), Some(Version(1)), "it was answered that it did not happen");
            }
            other => panic!("the writer can know: {other:?}"),
        }
    }
    assert!(committed > 0 && called_off > 0, "{committed} committed, {called_off} called off");
}

/// Single flight, and an L1 that is withheld after half a second of silence.
fn withholding() -> Policy {
    let guarded = Policy::lesson().with(Switch::GuardedFills, true);
    guarded
        .with(Switch::SingleFlight, true)
        .with(Switch::SequenceNumbers, true)
        .with(Switch::SilenceLimit, true)
}

/// The bus is silent to server 2, and its L1 withheld. A herd reads there while the first of it waits for the database, and
/// a write is acknowledged meanwhile: who asks after that must not be answered by a query that began before. Nor does
/// everybody ask: whoever may not join what is under way waits for the next query, all together.
#[test]
fn a_withheld_l1_lets_two_queries_serve_a_herd_and_none_of_them_an_older_value() {
    let herd = |world: SimWorld| async move {
        let spec = ClusterSpec { query_time: Duration::from_millis(50), ..ClusterSpec::new(withholding()) };
        world.start(spec).await.expect("it starts");
        world.insert(&key(), &Value::new("50")).await.expect("the primary is there");
        inject(&world, Fault::BlackHole(Link::BusTo(ServerId(2)))).await;
        millis(&world, 700).await;
        world.phase("act");
        let reader = |client: u16, after_ms: u64| {
            let world = world.clone();
            async move {
                millis(&world, after_ms).await;
                let read = Request::Read(key());
                world.request(ClientId(client), Route::To(ServerId(2)), read).await
            }
        };
        let first = join_all((0..20).map(|client| reader(10 + client, 0)));
        let written = async {
            millis(&world, 10).await;
            let written = ask(&world, 1, Request::Write(key(), Value::new("100"))).await.version();
            (written, join_all((0..80).map(|client| reader(100 + client, 0))).await)
        };
        let (early, (version, late)) = join(first, written).await;
        assert!(early.iter().all(|answer| answer.version().is_some()), "{early:?}");
        assert!(late.iter().all(|answer| answer.version() == version), "{version:?}: {late:?}");
    };
    for trace in under_seeds(herd) {
        let act = trace.events.iter().position(is_act).expect("the herd reads");
        let queries = trace.events[act..].iter().filter(|event| is_query(event)).count();
        assert!((1..=3).contains(&queries), "{queries} queries for a hundred readers");
    }
}

fn is_act(event: &Event) -> bool {
    matches!(&event.kind, Kind::Phase { name } if name == "act")
}

fn is_query(event: &Event) -> bool {
    matches!(event.kind, Kind::Served { verb: Verb::Select, .. })
}
