//! What nobody knows, and what L2 did not take: neither is a success, and no cache may live on it.

use std::time::Duration;

use futures_util::future::join;
use lab_core::cluster::Actor;
use lab_core::consistency::Level;
use lab_core::fault::Fault;
use lab_core::policy::{Fleet, LocalWrite, Policy, Switch};
use lab_core::service::{Request, Response};
use lab_core::trace::{Kind, Trace};
use lab_core::value::{ClientId, ServerId, Tier, Version};
use lab_core::world::{Route, World};

use super::stage::{
    acknowledged, ask, bus_to, fails, from_primary, from_redis, inject, inject_all, key, millis, played,
    read, reads, tier, timed, to_bus, to_redis, write,
};

fn leased() -> Policy {
    let mut policy = Policy::lesson();
    policy.miss.fleet = Fleet::Lease { ttl_ms: 30_000, wait_ms: 500, deadline_ms: 20_000 };
    policy
}

/// A write that was given up may have been committed: afterwards nobody answers what was there before, from any tier.
pub(crate) fn given_up_write(seed: u64) -> bool {
    fails(seed, &Policy::lesson(), |world| async move {
        for server in [1, 2] {
            read(&world, server).await;
        }
        inject(&world, Fault::Cut(from_primary(1))).await;
        assert_eq!(write(&world, 1, "100").await, Response::Unknown);
        inject(&world, Fault::Heal(from_primary(1))).await;
        millis(&world, 100).await;
        for server in [1, 2, 3] {
            reads(&world, server, 2).await;
        }
    })
}

/// Where a write has a name, its writer finds out what became of it.
pub(crate) fn settled(seed: u64) -> bool {
    // Its first question is answered, or only the second.
    [3_500, 7_000].into_iter().any(|healed_ms| {
        fails(seed, &acknowledged().with(Switch::Outbox, true), move |world| async move {
            inject(&world, Fault::Cut(from_primary(1))).await;
            let heal = async {
                millis(&world, healed_ms).await;
                inject(&world, Fault::Heal(from_primary(1))).await;
            };
            let (written, ()) = join(write(&world, 1, "100"), heal).await;
            assert_eq!(written, Response::Written(Version(2)));
        })
    })
}

/// A write is confirmed only if L2 surely holds the old value no more; and it tries twice to make that sure.
pub(crate) fn confirmed_by_l2(seed: u64) -> bool {
    let never = fails(seed, &acknowledged(), |world| async move {
        read(&world, 2).await;
        inject_all(&world, to_redis(1), Fault::BlackHole).await;
        assert_eq!(write(&world, 1, "100").await, Response::Unconfirmed(Version(2)));
    });
    never
        || fails(seed, &acknowledged(), |world| async move {
            read(&world, 2).await;
            inject_all(&world, to_redis(1), Fault::Hold).await;
            let release = async {
                millis(&world, 1_300).await;
                inject_all(&world, to_redis(1), Fault::Release).await;
            };
            let (written, ()) = join(write(&world, 1, "100"), release).await;
            assert_eq!(written, Response::Written(Version(2)));
        })
}

/// A reader or a writer whose value L2 did not take, because it holds something newer, does not keep it either, though the
/// bus tells it nothing.
pub(crate) fn refused_by_l2(seed: u64) -> bool {
    let compared = Policy::lesson().with(Switch::CompareVersions, true);
    let overtaken_read = |policy: &Policy| {
        fails(seed, policy, |world| async move {
            inject(&world, Fault::Hold(from_primary(1))).await;
            inject(&world, Fault::Hold(bus_to(1))).await;
            let overtake = async {
                millis(&world, 50).await;
                write(&world, 2, "100").await;
                inject(&world, Fault::Release(from_primary(1))).await;
            };
            join(read(&world, 1), overtake).await;
            reads(&world, 1, 2).await;
        })
    };
    let mut set = compared.clone();
    set.write.local = LocalWrite::Set;
    let mut bounded = leased();
    bounded.level = Level::Bounded { within_ms: 1_000 };
    let refreshed = fails(seed, &bounded, |world| async move {
        read(&world, 3).await;
        millis(&world, 1_500).await;
        inject(&world, Fault::Hold(from_primary(1))).await;
        inject(&world, Fault::Hold(bus_to(1))).await;
        let overtake = async {
            millis(&world, 50).await;
            write(&world, 2, "100").await;
            inject(&world, Fault::Release(from_primary(1))).await;
        };
        join(read(&world, 1), overtake).await;
        reads(&world, 1, 2).await;
    });
    refreshed
        || overtaken_read(&leased())
        || overtaken_read(&compared)
        || fails(seed, &set, |world| async move {
            inject_all(&world, to_redis(1), Fault::Hold).await;
            inject(&world, Fault::Hold(bus_to(1))).await;
            let overtake = async {
                millis(&world, 50).await;
                write(&world, 2, "200").await;
                inject_all(&world, to_redis(1), Fault::Release).await;
            };
            join(write(&world, 1, "100"), overtake).await;
            reads(&world, 1, 3).await;
        })
}

/// A lease is given back where no answer said what became of its fill.
pub(crate) fn unknown_fill(seed: u64) -> bool {
    let trace = played(seed, &leased(), |world| async move {
        inject(&world, Fault::Hold(from_primary(1))).await;
        let strike = async {
            millis(&world, 50).await;
            inject_all(&world, to_redis(1), Fault::BlackHole).await;
            inject(&world, Fault::Release(from_primary(1))).await;
            millis(&world, 500).await;
            inject_all(&world, to_redis(1), Fault::Heal).await;
        };
        join(read(&world, 1), strike).await;
        millis(&world, 100).await;
        read(&world, 2).await;
    });
    let waits = |kind: &Kind| matches!(kind, Kind::Waiting { .. });
    trace.is_none_or(|trace| {
        let mut events = trace.events.iter();
        events.any(|event| event.actor == Actor::Server(ServerId(2)) && waits(&event.kind))
    })
}

/// What is read while L2 does not answer is cached nowhere.
pub(crate) fn silent_l2(seed: u64) -> bool {
    fails(seed, &Policy::lesson(), |world| async move {
        read(&world, 2).await;
        inject_all(&world, from_redis(1), Fault::Hold).await;
        let release = async {
            millis(&world, 1_100).await;
            inject_all(&world, from_redis(1), Fault::Release).await;
        };
        let (first, ()) = join(tier(&world, 1), release).await;
        assert_eq!((first, tier(&world, 1).await), (Tier::Database, Tier::L2));
    })
}

/// A strong read asks the primary alone: it does not even wait for an L2 that is silent.
pub(crate) fn strong_read(seed: u64) -> bool {
    fails(seed, &Policy::lesson().with(Switch::StrongReads, true), |world| async move {
        inject_all(&world, to_redis(1), Fault::BlackHole).await;
        let (tier, took) = timed(&world, tier(&world, 1)).await;
        assert!(tier == Tier::Database && took < Duration::from_millis(500), "{tier:?} after {took:?}");
    })
}

/// Each flight ends for itself: one that was detached takes no later one along, and whoever comes joins that.
pub(crate) fn flights_of_their_own(seed: u64) -> bool {
    let trace = played(seed, &acknowledged().with(Switch::SingleFlight, true), |world| async move {
        millis(&world, 300).await;
        inject(&world, Fault::SlowStatements { by_ms: 100 }).await;
        let second = async {
            millis(&world, 50).await;
            ask(&world, 1, Request::Forget(key())).await;
            read(&world, 1).await;
        };
        let third = async {
            millis(&world, 130).await;
            read(&world, 1).await;
        };
        join(read(&world, 1), join(second, third)).await;
    });
    let led = |trace: Trace| trace.events.iter().filter(|event| event.kind == Kind::FlightLed).count();
    trace.is_none_or(|trace| led(trace) != 2)
}

/// While L1 is withheld no invalidation parts readers, so nobody joins a flight that began before it came.
pub(crate) fn flights_while_withheld(seed: u64) -> bool {
    let policy = acknowledged().with(Switch::SingleFlight, true);
    // One reader leads, in the second case another one waits for the following flight; then comes a write.
    [(None, 50), (Some(10), 350)].into_iter().any(|(second, written_at)| {
        fails(seed, &policy, move |world| async move {
            inject(&world, Fault::BlackHole(bus_to(1))).await;
            millis(&world, 3_000).await;
            inject(&world, Fault::SlowStatements { by_ms: 300 }).await;
            let following = async {
                if let Some(after) = second {
                    millis(&world, after).await;
                    read(&world, 1).await;
                }
            };
            let last = async {
                millis(&world, written_at).await;
                inject(&world, Fault::SlowStatements { by_ms: 0 }).await;
                let written = write(&world, 2, "100").await;
                assert!(matches!(written, Response::Written(_)), "{written:?}");
                reads(&world, 1, 2).await;
            };
            join(read(&world, 1), join(following, last)).await;
        })
    })
}

/// A fill that an invalidation overtook on its way back stays out of L1; and a notice that was lost beside an unknown outcome
/// is missed: what a lease and what acknowledgement rest on is there, though nobody switched it on.
pub(crate) fn rests_on(seed: u64) -> bool {
    let overtaken = fails(seed, &leased(), |world| async move {
        inject(&world, Fault::Hold(from_primary(1))).await;
        let overtake = async {
            millis(&world, 50).await;
            inject_all(&world, from_redis(1), Fault::Hold).await;
            inject(&world, Fault::Release(from_primary(1))).await;
            millis(&world, 10).await;
            write(&world, 2, "100").await;
            millis(&world, 10).await;
            inject_all(&world, from_redis(1), Fault::Release).await;
        };
        join(read(&world, 1), overtake).await;
        reads(&world, 1, 2).await;
    });
    overtaken
        || fails(seed, &acknowledged(), |world| async move {
            read(&world, 2).await;
            inject(&world, Fault::Cut(from_primary(1))).await;
            let lose = async {
                millis(&world, 2_960).await;
                inject(&world, Fault::Reset(bus_to(2))).await;
            };
            let (written, ()) = join(write(&world, 1, "100"), lose).await;
            assert_eq!(written, Response::Unknown);
            millis(&world, 200).await;
            reads(&world, 2, 2).await;
        })
}

/// The second deletion takes an old row, which a slow reader brought back, from every cache.
pub(crate) fn deleted_again(seed: u64) -> bool {
    fails(seed, &Policy::lesson().with(Switch::DeleteTwice, true), |world| async move {
        inject(&world, Fault::Hold(from_primary(1))).await;
        let overtake = async {
            millis(&world, 50).await;
            write(&world, 2, "100").await;
            inject(&world, Fault::Release(from_primary(1))).await;
            millis(&world, 20).await;
            // The old row is in L2 again, and so comes into the writer's own L1.
            ask(&world, 2, Request::Forget(key())).await;
            reads(&world, 2, 1).await;
        };
        join(read(&world, 1), overtake).await;
        millis(&world, 300).await;
        for server in [1, 2, 3] {
            reads(&world, server, 2).await;
        }
    })
}

/// A session has seen what it wrote, also where nobody confirmed it.
pub(crate) fn own_unconfirmed_write(seed: u64) -> bool {
    let policy = acknowledged().with(Switch::SessionReads, true);
    fails(seed, &policy, |world| async move {
        read(&world, 2).await;
        inject(&world, Fault::BlackHole(bus_to(1))).await;
        inject(&world, Fault::BlackHole(to_bus(1))).await;
        let written = write(&world, 1, "100").await;
        assert_eq!(written, Response::Unconfirmed(Version(2)));
        let elsewhere = world.request(ClientId(1), Route::To(ServerId(2)), Request::Read(key())).await;
        assert_eq!(elsewhere.version(), Some(Version(2)));
    })
}

/// Of a read or a computation that got no answer in time nobody knows how it went: that is no failure.
pub(crate) fn no_answer(seed: u64) -> bool {
    let policy = Policy::lesson().with(Switch::Lock, true);
    fails(seed, &policy, |world| async move {
        inject(&world, Fault::BlackHole(from_primary(1))).await;
        assert_eq!(read(&world, 1).await, Response::Unknown);
        inject_all(&world, from_redis(2), Fault::BlackHole).await;
        let compute = Request::Compute(key(), Duration::from_millis(10));
        assert_eq!(ask(&world, 2, compute).await, Response::Unknown);
    })
}
