//! What single policies of the cache promise, each alone, over the simulated stores and under many seeds.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all, select};
use lab_core::cache::{Answered, Read, TieredCache};
use lab_core::consistency::{Demand, Level, Session};
use lab_core::policy::{Fleet, Policy, SharedWrite, Switch};
use lab_core::ports::{Audience, Body, Bus, Clock, Database, Notice, Ports, SharedCache};
use lab_core::sim::{self, SimPorts};
use lab_core::value::{Key, Tier, Value, Version};

type Cache = TieredCache<SimPorts>;

/// Runs a body over so many started caches with one policy, under fifty seeds.
fn under_seeds<F>(servers: u8, policy: &Policy, body: impl Fn(Vec<Cache>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for seed in 1..=50 {
        let ran = sim::on_ports(seed, servers, |ports| {
            let caches: Vec<Cache> =
                ports.into_iter().map(|ports| Cache::new(ports, policy.clone())).collect();
            let body = body(caches.clone());
            async move {
                for cache in &caches {
                    cache.start().await.expect("the bus is there");
                }
                body.await;
            }
        });
        ran.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

fn key() -> Key {
    Key::new("product:1")
}

async fn commit(cache: &Cache, value: &str) -> Version {
    let committed = cache.ports().database().update(&key(), &Value::new(value), None).await;
    committed.expect("the primary is there").version
}

async fn read(cache: &Cache, level: Level) -> Read {
    cache.read(&key(), Demand::level(level)).await.expect("the stores are there")
}

async fn publish(from: &Cache, number: u64, body: Body) {
    let (server, incarnation) = (from.ports().server(), from.ports().incarnation());
    let notice = Notice { from: server, incarnation, number, body };
    from.ports().bus().publish(Audience::All, notice).await.expect("the bus is there");
}

async fn sleep(cache: &Cache, millis: u64) {
    cache.ports().clock().sleep(Duration::from_millis(millis)).await;
}

#[test]
fn a_hole_in_the_notices_empties_l1() {
    let mut policy = Policy::lesson();
    policy.bus.gaps = true;
    under_seeds(2, &policy, |caches| async move {
        commit(&caches[0], "50").await;
        publish(&caches[1], 1, Body::Filled { key: Key::new("other") }).await;
        sleep(&caches[0], 50).await;
        read(&caches[0], Level::Eventual).await;
        assert_eq!(read(&caches[0], Level::Eventual).await.tier, Tier::L1);
        // Number 2 was lost; nobody knows which key it was about.
        publish(&caches[1], 3, Body::Filled { key: Key::new("other") }).await;
        sleep(&caches[0], 50).await;
        assert_ne!(read(&caches[0], Level::Eventual).await.tier, Tier::L1);
    });
}

#[test]
fn a_beat_shows_a_hole_at_the_end() {
    let mut policy = Policy::lesson();
    policy.bus.gaps = true;
    under_seeds(2, &policy, |caches| async move {
        commit(&caches[0], "50").await;
        publish(&caches[1], 1, Body::Filled { key: Key::new("other") }).await;
        sleep(&caches[0], 50).await;
        read(&caches[0], Level::Eventual).await;
        publish(&caches[1], 1, Body::Beat).await;
        sleep(&caches[0], 50).await;
        assert_eq!(
            read(&caches[0], Level::Eventual).await.tier,
            Tier::L1,
            "a beat with the last number is no hole"
        );
        publish(&caches[1], 2, Body::Beat).await;
        sleep(&caches[0], 50).await;
        assert_ne!(read(&caches[0], Level::Eventual).await.tier, Tier::L1);
    });
}

#[test]
fn l1_is_withheld_while_the_bus_is_silent() {
    let mut policy = Policy::lesson();
    policy.bus.silence_ms = 500;
    under_seeds(1, &policy, |caches| async move {
        commit(&caches[0], "50").await;
        read(&caches[0], Level::Eventual).await;
        assert_eq!(read(&caches[0], Level::Eventual).await.tier, Tier::L1);
        sleep(&caches[0], 600).await;
        assert_eq!(read(&caches[0], Level::Eventual).await.tier, Tier::L2);
    });
}

/// How often L1 is left with the old value when a read from L2 and a write at another server meet, the read starting
/// a little later in each of thirty tries a seed.
fn left_behind(epochs: bool) -> usize {
    let mut policy = Policy::lesson();
    policy.local.epochs = epochs;
    policy.write.shared = SharedWrite::SetIfNewer;
    let left = Arc::new(AtomicUsize::new(0));
    under_seeds(3, &policy, |caches| {
        let left = Arc::clone(&left);
        async move {
            for turn in 0..30 {
                commit(&caches[0], "old").await;
                caches[2].write(&key(), &Value::new("in L2")).await.expect("the primary is there");
                sleep(&caches[0], 50).await;
                let late = async {
                    caches[0].ports().clock().sleep(Duration::from_micros(turn * 100)).await;
                    read(&caches[0], Level::Eventual).await
                };
                let (key, new) = (key(), Value::new("new"));
                let written = caches[1].write(&key, &new);
                let (written, _) = join(written, late).await;
                sleep(&caches[0], 50).await;
                let after = read(&caches[0], Level::Eventual).await.entry.stamp.version;
                left.fetch_add(
                    usize::from(after < written.expect("the primary is there")),
                    Ordering::Relaxed,
                );
            }
        }
    });
    left.load(Ordering::Relaxed)
}

#[test]
fn epochs_refuse_what_an_invalidation_met_on_its_way() {
    assert!(left_behind(false) > 0, "without epochs the race must show, or this test shows nothing");
    assert_eq!(left_behind(true), 0);
}

#[test]
fn an_acknowledged_write_leaves_no_reader_behind() {
    let policy = Policy::lesson().with(Switch::AcknowledgedInvalidation, true);
    under_seeds(4, &policy, |caches| async move {
        commit(&caches[0], "50").await;
        join_all(caches.iter().map(|cache| read(cache, Level::Eventual))).await;
        let written = caches[0].write(&key(), &Value::new("100")).await.expect("everybody is there");
        for read in join_all(caches.iter().map(|cache| read(cache, Level::Eventual))).await {
            assert_eq!(read.entry.stamp.version, written);
        }
    });
}

#[test]
fn a_writer_that_was_overtaken_does_not_keep_its_own_value() {
    let policy = Policy::lesson().with(Switch::AcknowledgedInvalidation, true);
    under_seeds(2, &policy, |caches| async move {
        for turn in 0..20 {
            let (key, one, other) = (key(), Value::new("one"), Value::new("other"));
            let late = async {
                caches[1].ports().clock().sleep(Duration::from_micros(turn * 50)).await;
                caches[1].write(&key, &other).await.expect("everybody is there")
            };
            let (first, second) = join(caches[0].write(&key, &one), late).await;
            let newest = first.expect("everybody is there").max(second);
            for cache in &caches {
                assert_eq!(read(cache, Level::Eventual).await.entry.stamp.version, newest);
            }
        }
    });
}

#[test]
fn requests_of_one_server_share_one_read() {
    let policy = Policy::lesson().with(Switch::SingleFlight, true);
    under_seeds(1, &policy, |caches| async move {
        commit(&caches[0], "50").await;
        let reads = join_all((0..100).map(|_| read(&caches[0], Level::Eventual))).await;
        assert!(
            reads.iter().all(|read| read.entry.stamp == reads[0].entry.stamp),
            "one read, one as-of time"
        );
        assert_eq!(caches[0].metrics().tier(Tier::Database).answers, 100);
    });
}

#[test]
fn an_absent_row_is_an_answer() {
    under_seeds(1, &Policy::lesson(), |caches| async move {
        assert_eq!(read(&caches[0], Level::Eventual).await.entry.value, None);
        let again = read(&caches[0], Level::Eventual).await;
        assert_eq!((again.entry.value, again.tier), (None, Tier::L1));
        let metrics = caches[0].metrics();
        assert_eq!(metrics.outcome(Tier::L1, Answered::Negative).answers, 1);
        assert_eq!(metrics.outcome(Tier::L1, Answered::Row).answers, 0);
        assert_eq!(metrics.misses(), 1);
    });
}

#[test]
fn a_copy_is_as_old_as_what_it_was_copied_from() {
    under_seeds(2, &Policy::lesson(), |caches| async move {
        let level = Level::Bounded { within_ms: 1_000 };
        commit(&caches[0], "50").await;
        read(&caches[0], level).await;
        sleep(&caches[0], 800).await;
        // Server 2 copies the entry from L2 when it is 800 ms old, and may serve it for 200 ms more, not for 1000.
        assert_eq!(read(&caches[1], level).await.tier, Tier::L2);
        sleep(&caches[0], 300).await;
        assert_eq!(read(&caches[1], level).await.tier, Tier::Database);
    });
}

#[test]
fn a_session_never_reads_below_what_it_saw() {
    under_seeds(2, &Policy::lesson(), |caches| async move {
        let session = Session::default();
        let before = commit(&caches[0], "50").await;
        join_all(caches.iter().map(|cache| read(cache, Level::Eventual))).await;
        let written = commit(&caches[0], "100").await;
        session.saw(&key(), written);
        // Nobody else is owed what this session wrote: L1 still answers the old row.
        let other = Demand::of(&Session::default(), Level::Session, &key());
        let other = caches[1].read(&key(), other).await.expect("the stores are there");
        assert_eq!((other.entry.stamp.version, other.tier), (before, Tier::L1));
        let demand = Demand::of(&session, Level::Session, &key());
        let own = caches[1].read(&key(), demand).await.expect("the stores are there");
        assert_eq!((own.entry.stamp.version, own.tier), (written, Tier::Database));
    });
}

/// The caller goes away at some instant of its write: what follows the commit happens all the same.
#[test]
fn a_write_whose_caller_goes_away_is_told_to_everybody() {
    let policy = Policy::lesson().with(Switch::AcknowledgedInvalidation, true);
    let committed = Arc::new(AtomicUsize::new(0));
    under_seeds(2, &policy, |caches| {
        let committed = Arc::clone(&committed);
        async move {
            for turn in 0..20 {
                let before = commit(&caches[0], "old").await;
                // The operator's commit is told to nobody.
                for cache in &caches {
                    cache.forget(&key());
                }
                caches[0].ports().shared().delete(&key()).await.expect("L2 is there");
                join_all(caches.iter().map(|cache| read(cache, Level::Eventual))).await;
                let (key, new) = (key(), Value::new("new"));
                let gone = caches[0].ports().clock().sleep(Duration::from_micros(turn * 150));
                select(pin!(caches[0].write(&key, &new)), pin!(gone)).await;
                sleep(&caches[0], 500).await;
                let newest = read(&caches[0], Level::Strong).await.entry.stamp.version;
                committed.fetch_add(usize::from(newest > before), Ordering::Relaxed);
                for cache in &caches {
                    assert_eq!(read(cache, Level::Eventual).await.entry.stamp.version, newest);
                }
            }
        }
    });
    assert!(committed.load(Ordering::Relaxed) > 100, "hardly a write was committed");
}

/// L2 keeps an entry for an hour, and a reader wants it no older than a second.
#[test]
fn what_is_too_old_is_replaced_under_a_lease() {
    let mut policy = Policy::lesson().with(Switch::FleetLease, true);
    for shared in [SharedWrite::Set, SharedWrite::ReplaceOlder] {
        policy.write.shared = shared;
        policy.miss.fleet = if shared == SharedWrite::Set { policy.miss.fleet } else { Fleet::None };
        under_seeds(2, &policy, |caches| async move {
            let level = Level::Bounded { within_ms: 1_000 };
            commit(&caches[0], "50").await;
            read(&caches[0], level).await;
            sleep(&caches[0], 2_000).await;
            assert_eq!(read(&caches[0], level).await.tier, Tier::Database);
            assert_eq!(read(&caches[0], level).await.tier, Tier::L1);
            assert_eq!(read(&caches[1], level).await.tier, Tier::L2, "the others find it fresh");
        });
    }
}
