//! What members owe each other and a writer: to be heard, to answer, to step down in time, and to come back empty.

use std::time::Duration;

use futures_util::future::join;
use lab_core::cache::TieredCache;
use lab_core::consistency::{Demand, Level};
use lab_core::fault::Fault;
use lab_core::policy::{Acknowledge, Policy, Switch};
use lab_core::ports::{Arrival, Audience, Body, Bus, Clock, Membership, Notice, Ports, Subscription};
use lab_core::service::{Request, Response};
use lab_core::sim;
use lab_core::value::{Key, ServerId, Tier, Value};

use super::caches;
use super::stage::{
    acknowledged, ask, bus_to, fails, from_primary, inject, inject_all, key, millis, on_world, read, reads,
    start, tier, timed, to_bus, to_primary, to_redis, write,
};

const LEASE: Duration = Duration::from_secs(2);
/// What a write takes at most where it waits for nobody's lease.
const MOMENT: Duration = Duration::from_millis(500);

/// In a healthy cluster a write takes a moment, and L1 is served however long nothing is written.
pub(crate) fn healthy(seed: u64) -> bool {
    fails(seed, &acknowledged(), |world| async move {
        read(&world, 2).await;
        let (written, took) = timed(&world, write(&world, 1, "100")).await;
        assert!(matches!(written, Response::Written(_)) && took < MOMENT, "{written:?} after {took:?}");
        read(&world, 2).await;
        millis(&world, 3_000).await;
        assert_eq!(tier(&world, 2).await, Tier::L1);
    })
}

/// A writer that hears no acknowledgement, or cannot ask whose to wait for, does not say that everybody has forgotten.
pub(crate) fn unconfirmed(seed: u64) -> bool {
    let deaf = fails(seed, &acknowledged(), |world| async move {
        inject(&world, Fault::BlackHole(bus_to(1))).await;
        let written = write(&world, 1, "100").await;
        assert!(matches!(written, Response::Unconfirmed(_)), "{written:?}");
    });
    deaf || fails(seed, &acknowledged(), |world| async move {
        read(&world, 2).await;
        // It is committed, and everything else is still to come.
        inject_all(&world, to_redis(1), Fault::Hold).await;
        let strike = async {
            millis(&world, 50).await;
            inject(&world, Fault::Cut(to_primary(1))).await;
            inject(&world, Fault::Hold(bus_to(2))).await;
            inject_all(&world, to_redis(1), Fault::Release).await;
        };
        let (written, ()) = join(write(&world, 1, "100"), strike).await;
        assert!(matches!(written, Response::Unconfirmed(_)), "{written:?}");
    })
}

/// An acknowledgement of what an earlier life of the writer published is none.
pub(crate) fn earlier_life(seed: u64) -> bool {
    let ran = sim::on_ports(seed, 2, |ports| async move {
        let (cache, other) = (TieredCache::new(ports[0].clone(), acknowledged()), &ports[1]);
        other.membership().renew(LEASE).await.expect("the primary is there");
        cache.start().await.expect("the bus is there");
        let to_nobody = async {
            other.clock().sleep(Duration::from_millis(100)).await;
            let (incarnation, key) = (cache.ports().incarnation() + 1, key());
            for number in 1..=3 {
                let body = Body::Acknowledge { number, incarnation, key: key.clone() };
                let (from, own) = (other.server(), other.incarnation());
                let notice = Notice { from, incarnation: own, number: 0, body };
                other.bus().publish(Audience::One(ServerId(1)), notice).await.expect("the bus is there");
            }
        };
        let begun = cache.ports().clock().now();
        let (key, value) = (key(), Value::new("100"));
        let (written, ()) = join(cache.write(&key, &value), to_nobody).await;
        // It ends when the silent member's lease does.
        let took = cache.ports().clock().now().since(begun);
        assert!(written.is_ok() && took + Duration::from_millis(200) > LEASE, "{written:?} after {took:?}");
    });
    ran.is_err()
}

/// A server is a member when the table says so and not before, and comes in with an empty L1.
pub(crate) fn joining(seed: u64) -> bool {
    let mut policy = acknowledged();
    policy.write.acknowledge = Acknowledge::Members { lease_ms: 2_000, renew_ms: 100, again_ms: 200 };
    let late = policy.clone();
    let outside = on_world(seed, |world| async move {
        inject(&world, Fault::BlackHole(to_primary(2))).await;
        start(&world, policy).await;
        read(&world, 1).await;
        read(&world, 2).await;
        assert_eq!(tier(&world, 2).await, Tier::L2, "nobody waits for it");
    });
    let joins = on_world(seed, |world| async move {
        inject(&world, Fault::BlackHole(to_primary(2))).await;
        start(&world, late).await;
        inject(&world, Fault::Heal(to_primary(2))).await;
        read(&world, 2).await;
        inject(&world, Fault::Delay { link: bus_to(2), by_ms: 400 }).await;
        let written = write(&world, 1, "100").await;
        assert!(matches!(written, Response::Written(_)), "{written:?}");
        // By now it has joined, and the invalidation is still on its way to it.
        millis(&world, 200).await;
        reads(&world, 2, 2).await;
    });
    outside.is_none() || joins.is_none()
}

/// A server that hears nobody, or whom nobody hears, steps down by itself: then no write waits for it.
pub(crate) fn stepping_down(seed: u64) -> bool {
    [bus_to(4), to_bus(4)].into_iter().any(|link| {
        fails(seed, &acknowledged(), |world| async move {
            inject(&world, Fault::BlackHole(link)).await;
            millis(&world, 3_500).await;
            let (written, took) = timed(&world, write(&world, 1, "100")).await;
            assert!(matches!(written, Response::Written(_)) && took < MOMENT, "{written:?} after {took:?}");
        })
    })
}

/// A lease runs from when its renewal was sent: an answer that takes longer than the lease renews nothing.
pub(crate) fn late_renewal(seed: u64) -> bool {
    fails(seed, &acknowledged(), |world| async move {
        read(&world, 4).await;
        assert_eq!(tier(&world, 4).await, Tier::L1);
        inject(&world, Fault::Delay { link: from_primary(4), by_ms: 2_500 }).await;
        millis(&world, 2_100).await;
        for _ in 0..200 {
            assert_eq!(tier(&world, 4).await, Tier::L2);
            millis(&world, 20).await;
        }
    })
}

/// What was published between two subscriptions is lost: L1 is emptied, and who reads then joins no read that began before.
pub(crate) fn between_subscriptions(seed: u64) -> bool {
    let mut policy = Policy::lesson().with(Switch::SingleFlight, true);
    policy.bus.gaps = true;
    let held = fails(seed, &policy, |world| async move {
        read(&world, 1).await;
        inject(&world, Fault::Reset(bus_to(1))).await;
        write(&world, 2, "100").await;
        millis(&world, 300).await;
        reads(&world, 1, 2).await;
    });
    held || fails(seed, &policy, |world| async move {
        inject(&world, Fault::SlowStatements { by_ms: 500 }).await;
        let meanwhile = async {
            millis(&world, 50).await;
            inject(&world, Fault::SlowStatements { by_ms: 0 }).await;
            inject(&world, Fault::Reset(bus_to(1))).await;
            write(&world, 2, "100").await;
            millis(&world, 200).await;
            reads(&world, 1, 2).await;
        };
        join(read(&world, 1), meanwhile).await;
    })
}

/// An invalidation that one server did not get is published again, until that has heard it.
pub(crate) fn published_again(seed: u64) -> bool {
    fails(seed, &acknowledged(), |world| async move {
        inject(&world, Fault::Reset(bus_to(2))).await;
        let (written, took) = timed(&world, write(&world, 1, "100")).await;
        assert!(matches!(written, Response::Written(_)) && took < MOMENT, "{written:?} after {took:?}");
    })
}

/// A subscription that is half open is opened anew; a live member that is silent is missed, whoever else is heard; a server
/// that is alone misses nobody.
pub(crate) fn hearing(seed: u64) -> bool {
    let half_open = fails(seed, &acknowledged(), |world| async move {
        inject(&world, Fault::BlackHole(bus_to(2))).await;
        millis(&world, 3_000).await;
        inject(&world, Fault::Heal(bus_to(2))).await;
        millis(&world, 3_000).await;
        read(&world, 2).await;
        assert_eq!(tier(&world, 2).await, Tier::L1);
    });
    let silent = fails(seed, &acknowledged(), |world| async move {
        read(&world, 1).await;
        inject(&world, Fault::BlackHole(to_bus(3))).await;
        millis(&world, 1_200).await;
        assert_eq!(tier(&world, 1).await, Tier::L2);
    });
    let alone = caches::broken(seed, 1, &acknowledged(), |caches| async move {
        let read =
            async || caches[0].read(&key(), Demand::level(Level::Eventual)).await.map(|read| read.tier);
        read().await.expect("the stores are there");
        caches[0].ports().clock().sleep(Duration::from_secs(3)).await;
        assert_eq!(read().await, Ok(Tier::L1));
    });
    half_open || silent || alone
}

/// Broadcasts are counted, and a sign of life repeats the last number, so that a hole at the end shows.
pub(crate) fn last_number(seed: u64) -> bool {
    let policy = Policy::lesson().with(Switch::Heartbeats, true);
    let ran = sim::on_ports(seed, 2, |ports| async move {
        let cache = TieredCache::new(ports[0].clone(), policy);
        cache.start().await.expect("the bus is there");
        let mut hears = ports[1].bus().subscribe().await.expect("the bus is there");
        for value in ["100", "200"] {
            cache.write(&key(), &Value::new(value)).await.expect("the primary is there");
        }
        loop {
            match hears.next().await {
                Arrival::Notice(Notice { number, body: Body::Beat, .. }, _) => break assert_eq!(number, 2),
                Arrival::Notice(..) => {}
                Arrival::Closed => panic!("the bus is there"),
            }
        }
    });
    ran.is_err()
}

/// A write waits for whoever has joined before its commit: an answer to who is live that was asked for before does not do.
pub(crate) fn asked_after_the_commit(seed: u64) -> bool {
    let mut policy = acknowledged();
    policy.write.acknowledge = Acknowledge::Members { lease_ms: 2_000, renew_ms: 100, again_ms: 200 };
    let played = on_world(seed, |world| async move {
        inject(&world, Fault::Hold(to_primary(2))).await;
        start(&world, policy).await;
        // Of another row's write the question is answered before server 2 joins, and the answer takes its time.
        inject_all(&world, to_redis(1), Fault::Hold).await;
        let other = Request::Write(Key::new("product:2"), Value::new("70"));
        let joins = async {
            millis(&world, 20).await;
            inject(&world, Fault::Delay { link: from_primary(1), by_ms: 400 }).await;
            inject_all(&world, to_redis(1), Fault::Release).await;
            millis(&world, 20).await;
            inject(&world, Fault::Heal(from_primary(1))).await;
            inject(&world, Fault::Release(to_primary(2))).await;
            millis(&world, 230).await;
            read(&world, 2).await;
            inject(&world, Fault::Hold(bus_to(2))).await;
            let written = write(&world, 1, "100").await;
            if matches!(written, Response::Written(_)) {
                reads(&world, 2, 2).await;
            }
        };
        join(ask(&world, 1, other), joins).await;
    });
    played.is_none()
}
