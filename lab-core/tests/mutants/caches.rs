//! What single policies of the cache promise, each alone, over the simulated stores: what no scenario and no nemesis
//! asks for.

use std::time::Duration;

use futures_util::future::{join, join_all, select};
use lab_core::cache::{Read, TieredCache};
use lab_core::consistency::{Demand, Level, Session};
use lab_core::policy::{Policy, Switch};
use lab_core::ports::{Audience, Body, Bus, Clock, Database, Notice, Ports};
use lab_core::sim::{self, SimPorts};
use lab_core::value::{Instant, Key, Stamp, Tier, Value, Version};

use super::stage::key;

type Cache = TieredCache<SimPorts>;

/// Whether what a body asserts over so many started caches is broken.
pub(crate) fn broken<F>(seed: u64, servers: u8, policy: &Policy, body: impl Fn(Vec<Cache>) -> F) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    let ran = sim::on_ports(seed, servers, |ports| {
        let caches: Vec<Cache> = ports.into_iter().map(|ports| Cache::new(ports, policy.clone())).collect();
        let body = body(caches.clone());
        async move {
            for cache in &caches {
                cache.start().await.expect("the bus is there");
            }
            body.await;
        }
    });
    ran.is_err()
}

async fn commit(cache: &Cache, value: &str) -> Version {
    let committed = cache.ports().database().update(&key(), &Value::new(value), None).await;
    committed.expect("the primary is there").version
}

async fn read(cache: &Cache, level: Level) -> Read {
    cache.read(&key(), Demand::level(level)).await.expect("the stores are there")
}

async fn tier(cache: &Cache) -> Tier {
    read(cache, Level::Eventual).await.tier
}

async fn publish(from: &Cache, incarnation: u64, number: u64, body: Body) {
    let notice = Notice { from: from.ports().server(), incarnation, number, body };
    from.ports().bus().publish(Audience::All, notice).await.expect("the bus is there");
}

async fn sleep(cache: &Cache, millis: u64) {
    cache.ports().clock().sleep(Duration::from_millis(millis)).await;
}

fn told() -> Body {
    Body::Filled { key: Key::new("other") }
}

/// A hole in the notices empties L1, and so does a new life of their publisher; a repeated or an older number does not.
pub(crate) fn gaps(seed: u64) -> bool {
    let mut policy = Policy::lesson();
    policy.bus.gaps = true;
    broken(seed, 2, &policy, |caches| async move {
        let (here, there) = (&caches[0], &caches[1]);
        let life = there.ports().incarnation();
        commit(here, "50").await;
        read(here, Level::Eventual).await;
        // Nobody knows what a life said before we heard of it.
        for (life, number, hole) in [
            (life, 2, true),
            (life, 2, false),
            (life, 4, true),
            (life, 3, false),
            (life, 5, false),
            (life + 1, 2, true),
        ] {
            assert_eq!(tier(here).await, Tier::L1);
            publish(there, life, number, told()).await;
            sleep(here, 50).await;
            let after = tier(here).await;
            assert_eq!(after == Tier::L2, hole, "{life} {number}");
        }
    })
}

/// L1 is withheld while the bus is silent, and served again when it is heard.
pub(crate) fn silence(seed: u64) -> bool {
    let mut policy = Policy::lesson();
    policy.bus.silence_ms = 500;
    broken(seed, 2, &policy, |caches| async move {
        let here = &caches[0];
        commit(here, "50").await;
        tier(here).await;
        assert_eq!(tier(here).await, Tier::L1);
        sleep(here, 600).await;
        assert_eq!(tier(here).await, Tier::L2);
        // What it hears of itself proves nothing.
        publish(here, here.ports().incarnation(), 1, told()).await;
        sleep(here, 50).await;
        assert_eq!(tier(here).await, Tier::L2);
        publish(&caches[1], caches[1].ports().incarnation(), 1, told()).await;
        sleep(here, 50).await;
        tier(here).await;
        assert_eq!(tier(here).await, Tier::L1);
    })
}

/// An entry is served from L1 for its time to live.
pub(crate) fn time_to_live(seed: u64) -> bool {
    broken(seed, 1, &Policy::lesson().with(Switch::ShortLocalTtl, true), |caches| async move {
        commit(&caches[0], "50").await;
        tier(&caches[0]).await;
        assert_eq!(tier(&caches[0]).await, Tier::L1);
        sleep(&caches[0], 1_100).await;
        assert_eq!(tier(&caches[0]).await, Tier::L2);
    })
}

/// A bound is kept by every tier, and by a flight that was joined.
pub(crate) fn bounded(seed: u64) -> bool {
    let level = Level::Bounded { within_ms: 100 };
    let policy = Policy::lesson().with(Switch::SingleFlight, true);
    broken(seed, 2, &policy, move |caches| async move {
        let (here, there) = (&caches[0], &caches[1]);
        commit(here, "50").await;
        tier(here).await;
        commit(there, "100").await;
        sleep(here, 200).await;
        let (fresh, old) = (read(there, level).await, read(here, Level::Eventual).await);
        assert_eq!((fresh.tier, old.tier), (Tier::Database, Tier::L1));
        let again = read(here, level).await;
        assert_eq!(again.entry.value, Some(Value::new("100")));
    }) || broken(seed, 2, &policy, move |caches| async move {
        let (here, there) = (&caches[0], &caches[1]);
        commit(here, "50").await;
        tier(there).await;
        sleep(here, 200).await;
        // The leader is content with what L2 has; who joined it is not.
        let joined = join(read(here, Level::Eventual), read(here, level)).await.1;
        assert_eq!(joined.tier, Tier::Database);
    })
}

/// A bound is kept though clocks differ.
pub(crate) fn skewed_bound(_: u64) -> bool {
    let accepts = |millis: u64| {
        let stamp = Stamp { version: Version(1), as_of: Instant(0) };
        let now = Instant(0).after(Duration::from_millis(millis));
        Level::Bounded { within_ms: 100 }.accepts(&stamp, now, Version(0))
    };
    !accepts(90) || accepts(99)
}

/// The caller goes away at some instant of its write: what follows the commit happens all the same.
pub(crate) fn seen_through(seed: u64) -> bool {
    (0..20).any(|turn| {
        broken(seed, 2, &Policy::lesson(), move |caches| async move {
            commit(&caches[0], "50").await;
            for cache in &caches {
                tier(cache).await;
            }
            let (key, new) = (key(), Value::new("100"));
            let gone = Box::pin(caches[0].ports().clock().sleep(Duration::from_micros(turn * 150)));
            select(Box::pin(caches[0].write(&key, &new)), gone).await;
            sleep(&caches[0], 500).await;
            let newest = read(&caches[0], Level::Strong).await.entry.stamp.version;
            for cache in &caches {
                assert_eq!(read(cache, Level::Eventual).await.entry.stamp.version, newest);
            }
        })
    })
}

/// A session's floor never falls.
pub(crate) fn session(_: u64) -> bool {
    let session = Session::default();
    for version in [2, 3, 1] {
        session.saw(&key(), Version(version));
    }
    let remembers = session.floor(&key()) == Version(3);
    for row in 0..2_000 {
        session.saw(&Key::new(format!("row:{row}")), Version(1));
    }
    // What it may have forgotten no cache knows well enough.
    !(remembers && session.floor(&key()) == Version(u64::MAX))
}

/// Readers at once share a flight, and a flight that has ended is joined by nobody.
pub(crate) fn flights(seed: u64) -> bool {
    let policy = Policy::lesson().with(Switch::SingleFlight, true).with(Switch::ShortLocalTtl, true);
    broken(seed, 1, &policy, |caches| async move {
        let cache = &caches[0];
        commit(cache, "50").await;
        let reads = join_all((0..10).map(|_| read(cache, Level::Eventual))).await;
        assert!(reads.iter().all(|read| read.tier == Tier::Database), "one flight for all: {reads:?}");
        commit(cache, "100").await;
        cache.ports().shared_is_emptied().await;
        cache.forget(&key());
        assert_eq!(read(cache, Level::Eventual).await.entry.value, Some(Value::new("100")));
        // What has landed is joined by nobody, though nothing detached it.
        commit(cache, "200").await;
        cache.ports().shared_is_emptied().await;
        sleep(cache, 1_100).await;
        assert_eq!(read(cache, Level::Eventual).await.entry.value, Some(Value::new("200")));
        // Whoever goes away takes nobody along.
        cache.forget(&key());
        let soon = Box::pin(sleep(cache, 0));
        select(Box::pin(read(cache, Level::Eventual)), soon).await;
        assert!(read(cache, Level::Eventual).await.entry.value.is_some());
    })
}

trait Emptied {
    async fn shared_is_emptied(&self);
}

impl Emptied for SimPorts {
    async fn shared_is_emptied(&self) {
        use lab_core::ports::SharedCache;
        self.shared().delete(&key()).await.expect("L2 is there");
    }
}
