//! What waits for a lease or a lock is woken or served in time, and what is owed is given back.

use std::time::Duration;

use futures_util::future::{join, join_all};
use lab_core::cache::{ComputeError, TieredCache};
use lab_core::cluster::Actor;
use lab_core::consistency::{Demand, Level};
use lab_core::fault::{Fault, Link};
use lab_core::lock::Lock;
use lab_core::policy::{ComputeRule, Fleet, LockRule, LockWait, Policy};
use lab_core::ports::{Clock, Database, Leased, Locked, Ports, SharedCache};
use lab_core::service::{Request, Response};
use lab_core::sim::SimPorts;
use lab_core::trace::{Kind, Trace};
use lab_core::value::{ClientId, ServerId, Tier, Token, Value};
use lab_core::world::{Route, World};

use super::caches::broken;
use super::stage::{self, acknowledged, inject, key, played, read};

type Cache = TieredCache<SimPorts>;

const LONG: Duration = Duration::from_mins(1);

fn leased(wait_ms: u64, deadline_ms: u64) -> Policy {
    let mut policy = Policy::lesson();
    policy.miss.fleet = Fleet::Lease { ttl_ms: 30_000, wait_ms, deadline_ms };
    policy
}

fn locked(ttl_ms: u64, wait: LockWait, deadline_ms: u64) -> Policy {
    let mut policy = Policy::lesson();
    policy.compute = ComputeRule::Lock(LockRule { ttl_ms, wait, recheck: true, deadline_ms });
    policy
}

async fn commit(cache: &Cache) {
    cache.ports().database().update(&key(), &Value::new("50"), None).await.expect("the primary is there");
}

/// Reads, and says how long it took.
async fn timed(cache: &Cache) -> (Tier, Duration) {
    let clock = cache.ports().clock();
    let begun = clock.now();
    let read = cache.read(&key(), Demand::level(Level::Eventual)).await.expect("the stores are there");
    (read.tier, clock.now().since(begun))
}

async fn computed(cache: &Cache, millis: u64) -> Result<Duration, ComputeError> {
    let clock = cache.ports().clock();
    let (begun, sleeper) = (clock.now(), cache.clone());
    let work = async move {
        sleeper.ports().clock().sleep(Duration::from_millis(millis)).await;
        Value::new("7")
    };
    cache.get_with_lock(&key(), work).await.map(|_| clock.now().since(begun))
}

/// Who waits for a fill is woken by it, however the questions fall.
pub(crate) fn woken(seed: u64) -> bool {
    broken(seed, 3, &leased(5_000, 20_000), |caches| async move {
        commit(&caches[0]).await;
        for (_, took) in join_all(caches.iter().map(timed)).await {
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
    })
}

/// So is one by an invalidation: the new value may be in L2.
pub(crate) fn woken_by_a_write(seed: u64) -> bool {
    broken(seed, 2, &leased(5_000, 20_000), |caches| async move {
        commit(&caches[0]).await;
        let writer = caches[1].ports();
        let taken = writer.shared().get_or_lease(&key(), Token(9), LONG).await;
        assert_eq!(taken, Ok(Leased::Granted));
        let write = async {
            writer.clock().sleep(Duration::from_millis(50)).await;
            caches[1].write(&key(), &Value::new("100")).await.expect("the primary is there");
        };
        let ((tier, took), ()) = join(timed(&caches[0]), write).await;
        assert!(tier == Tier::L2 && took < Duration::from_secs(1), "{tier:?} after {took:?}");
    })
}

/// A holder that says nothing is not waited for longer than the deadline; one whose lease ends is asked after.
pub(crate) fn served_in_time(seed: u64) -> bool {
    let held = |caches: Vec<Cache>, ttl: Duration| async move {
        commit(&caches[0]).await;
        let taken = caches[0].ports().shared().get_or_lease(&key(), Token(9), ttl).await;
        assert_eq!(taken, Ok(Leased::Granted));
        let (_, took) = timed(&caches[0]).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
    };
    broken(seed, 1, &leased(200, 1_000), move |caches| held(caches, LONG))
        || broken(seed, 1, &leased(200, 20_000), move |caches| held(caches, Duration::from_millis(300)))
}

/// A waiter is told of the result, and waits for nobody longer than its deadline.
pub(crate) fn computation(seed: u64) -> bool {
    let push = LockWait::Push { at_most_ms: 10_000 };
    broken(seed, 2, &locked(60_000, push, 60_000), |caches| async move {
        for took in join_all(caches.iter().map(|cache| computed(cache, 300))).await {
            assert!(took.expect("a result") < Duration::from_secs(2));
        }
    }) || broken(seed, 1, &locked(5_000, LockWait::Retry { every_ms: 50 }, 500), |caches| async move {
        let name = Lock::name_for(&key());
        let taken = caches[0].ports().shared().lock(&name, Token(9), LONG).await;
        assert_eq!(taken, Ok(Locked::Granted));
        assert_eq!(computed(&caches[0], 1).await, Err(ComputeError::Deadline));
    })
}

/// Who waits once, and for a fixed time, looks before it computes itself.
pub(crate) fn waited_once(seed: u64) -> bool {
    broken(seed, 2, &locked(5_000, LockWait::Once { for_ms: 500 }, 10_000), |caches| async move {
        for took in join_all(caches.iter().map(|cache| computed(cache, 300))).await {
            assert!(took.expect("a result") < Duration::from_millis(700));
        }
    })
}

/// Who waits for a fill is woken when its holder cannot read the row.
pub(crate) fn woken_by_a_failure(seed: u64) -> bool {
    let played = played(seed, &leased(10_000, 20_000), |world| async move {
        inject(&world, Fault::BlackHole(Link::From(Actor::Primary, Actor::Server(ServerId(1))))).await;
        let waits = async {
            world.sleep(Duration::from_millis(50)).await;
            let (answer, took) = stage::timed(&world, read(&world, 2)).await;
            assert!(answer.version().is_some() && took < Duration::from_secs(5), "{answer:?} after {took:?}");
        };
        join(read(&world, 1), waits).await;
    });
    played.is_none()
}

/// Who is told of the result finds it, though its holder has not given the lock back yet.
pub(crate) fn found_while_held(seed: u64) -> bool {
    let push = LockWait::Push { at_most_ms: 10_000 };
    let played = played(seed, &locked(60_000, push, 60_000), |world| async move {
        let answers = Link::From(Actor::Bus, Actor::Server(ServerId(1)));
        inject(&world, Fault::Delay { link: answers, by_ms: 300 }).await;
        let compute = |server: u8| {
            let request = Request::Compute(key(), Duration::from_millis(300));
            world.request(ClientId(server.into()), Route::To(ServerId(server)), request)
        };
        let waits = async {
            world.sleep(Duration::from_millis(50)).await;
            stage::timed(&world, compute(2)).await.1
        };
        assert!(join(compute(1), waits).await.1 < Duration::from_millis(400));
    });
    played.is_none()
}

/// Whose lock has run out does not free the next one's.
pub(crate) fn overtaken_lock(seed: u64) -> bool {
    let policy = locked(300, LockWait::Retry { every_ms: 50 }, 10_000);
    broken(seed, 2, &policy, |caches| async move {
        let (clock, shared) = (caches[0].ports().clock(), caches[0].ports().shared());
        let look = async {
            clock.sleep(Duration::from_millis(550)).await;
            shared.lock(&Lock::name_for(&key()), Token(9), LONG).await
        };
        let second = async {
            clock.sleep(Duration::from_millis(320)).await;
            computed(&caches[1], 200).await
        };
        let ((first, second), looked) = join(join(computed(&caches[0], 450), second), look).await;
        assert!(first.is_ok() && second.is_ok());
        // The second server holds it from 320 ms on, until it is done or its time runs out.
        assert!(looked.is_ok());
    }) || broken(seed, 2, &policy, |caches| async move {
        let (clock, shared) = (caches[0].ports().clock(), caches[0].ports().shared());
        let name = Lock::name_for(&key());
        let next = async {
            clock.sleep(Duration::from_millis(350)).await;
            let taken = shared.lock(&name, Token(0), LONG).await;
            assert_eq!(taken, Ok(Locked::Granted));
            clock.sleep(Duration::from_millis(400)).await;
            assert_eq!(shared.lock(&name, Token(9), LONG).await, Ok(Locked::Held), "it is the next one's");
        };
        assert!(join(computed(&caches[0], 500), next).await.0.is_ok());
    })
}

/// A member that cannot renew answers from L1 no longer than its lease: nobody waits for it any more.
pub(crate) fn lease_of_a_member(seed: u64) -> bool {
    let policy = acknowledged();
    let to_primary = Link::From(Actor::Server(ServerId(4)), Actor::Primary);
    let trace = played(seed, &policy, move |world| async move {
        read(&world, 4).await;
        read(&world, 4).await;
        inject(&world, Fault::Cut(to_primary)).await;
        world.sleep(Duration::from_millis(2_500)).await;
        inject(&world, Fault::Delay { link: Link::BusTo(ServerId(4)), by_ms: 400 }).await;
        let write = Request::Write(key(), Value::new("100"));
        let written = world.request(ClientId(1), Route::To(ServerId(1)), write).await;
        assert!(matches!(written, Response::Written(_)), "{written:?}");
        let Response::Row(entry, _) = read(&world, 4).await else { panic!("L2 is there") };
        assert_eq!(entry.value, Some(Value::new("100")));
    });
    trace.is_none()
}

/// A result that L2 did not take is not kept in L1 either: another server would compute another one.
pub(crate) fn untaken_result(seed: u64) -> bool {
    let policy = locked(5_000, LockWait::Retry { every_ms: 50 }, 10_000);
    let trace = played(seed, &policy, |world| async move {
        let compute = Request::Compute(key(), Duration::from_millis(200));
        let breaks = async {
            world.sleep(Duration::from_millis(100)).await;
            for shard in 0..3 {
                let link = Link::From(Actor::Server(ServerId(1)), Actor::RedisMaster(shard));
                inject(&world, Fault::BlackHole(link)).await;
            }
        };
        join(world.request(ClientId(1), Route::To(ServerId(1)), compute), breaks).await;
    });
    let stored = |trace: Trace| trace.events.iter().any(|event| matches!(event.kind, Kind::L1Stored { .. }));
    trace.is_none_or(stored)
}

/// A lease whose holder cannot read the row, or hears nothing of its lease or its fill, is free again before its time.
pub(crate) fn owed_leases(seed: u64) -> bool {
    let answers = |from: Actor| Link::From(from, Actor::Server(ServerId(1)));
    let shards = (0..3).map(move |shard| (answers(Actor::RedisMaster(shard)), 3_000));
    let strikes = shards.chain([(answers(Actor::Primary), 6_000)]).collect::<Vec<_>>();
    let lost_after = [Duration::ZERO, Duration::from_micros(900)];
    lost_after.into_iter().any(|after| {
        let strikes = strikes.clone();
        let trace = played(seed, &leased(500, 20_000), move |world| async move {
            let strike = async {
                world.sleep(after).await;
                for (link, _) in &strikes {
                    inject(&world, Fault::Cut(*link)).await;
                }
                let heal = strikes.iter().map(|(link, millis)| async {
                    world.sleep(Duration::from_millis(*millis)).await;
                    inject(&world, Fault::Heal(*link)).await;
                });
                join_all(heal).await;
            };
            join(read(&world, 1), strike).await;
            world.sleep(Duration::from_secs(3)).await;
            let Response::Row(_, tier) = read(&world, 2).await else { panic!("all is healed") };
            assert!(tier == Tier::L2 || tier == Tier::Database);
        });
        // Who reads then waits for nobody.
        trace.is_none_or(|trace| {
            let waits = |kind: &Kind| matches!(kind, Kind::Waiting { .. });
            trace.events.iter().any(|event| event.actor == Actor::Server(ServerId(2)) && waits(&event.kind))
        })
    })
}
