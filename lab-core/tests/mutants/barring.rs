//! A member that does not answer, or goes: a write waits for it no longer than its lease, and it serves nothing afterwards.

use std::time::Duration;

use futures_util::future::join;
use lab_core::cache::{TieredCache, WriteError};
use lab_core::consistency::{Demand, Level};
use lab_core::fault::Fault;
use lab_core::ports::{Audience, Body, Bus, Clock, Database, Membership, Notice, Ports, Renewal};
use lab_core::service::Response;
use lab_core::sim::{self, SimPorts};
use lab_core::value::{ServerId, Tier, Value};

use super::stage::{acknowledged, bus_to, fails, inject, key, read, reads, write};

type Cache = TieredCache<SimPorts>;

const LEASE: Duration = Duration::from_secs(2);

/// Renews the lease of bare ports every half second, and beats where it is to be heard; says whether it was barred.
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

/// Writes at a server while another one lives on and never acknowledges: whether that was barred, what the writer was told,
/// and after how long.
fn beside_a_stubborn_one(
    seed: u64,
    for_ms: u64,
    heard: bool,
) -> Option<(bool, Result<(), WriteError>, Duration)> {
    let ran = sim::on_ports(seed, 2, |ports| async move {
        let cache = Cache::new(ports[0].clone(), acknowledged());
        cache.start().await.expect("the bus is there");
        let writing = async {
            let clock = cache.ports().clock();
            clock.sleep(Duration::from_millis(500)).await;
            let sent = clock.now();
            let written = cache.write(&key(), &Value::new("100")).await.map(drop);
            (written, clock.now().since(sent))
        };
        let (barred, (written, took)) = join(live_on(&ports[1], for_ms, heard), writing).await;
        (barred, written, took)
    });
    ran.ok()
}

/// Who is heard and does not acknowledge is barred, and its lease is waited for; a writer that hears nobody bars nobody.
pub(crate) fn stubborn_members(seed: u64) -> bool {
    let Some((barred, written, took)) = beside_a_stubborn_one(seed, 6_000, true) else { return true };
    // It is barred after a lease, and has renewed its own half a second before at most.
    let in_time =
        (LEASE + Duration::from_millis(1_400)..LEASE * 2 + Duration::from_millis(700)).contains(&took);
    let Some((by_the_deaf, unconfirmed, _)) = beside_a_stubborn_one(seed, 15_000, false) else { return true };
    !(barred && written.is_ok() && in_time)
        || by_the_deaf
        || !matches!(unconfirmed, Err(WriteError::Unacknowledged(_)))
}

/// Who is barred stops to serve L1 at once, though its clock stands still and says that its lease runs.
pub(crate) fn barred_for_good(seed: u64) -> bool {
    fails(seed, &acknowledged(), |world| async move {
        read(&world, 2).await;
        inject(&world, Fault::Skew { server: ServerId(2), by_ms: -20_000 }).await;
        inject(&world, Fault::Cut(bus_to(2))).await;
        let written = write(&world, 1, "100").await;
        assert!(matches!(written, Response::Written(_)), "{written:?}");
        reads(&world, 2, 2).await;
    })
}

async fn tier(cache: &Cache) -> Tier {
    let read = cache.read(&key(), Demand::level(Level::Eventual)).await;
    read.expect("the stores are there").tier
}

/// A server that departs is no member any more and serves no L1, whatever renewal of it is under way.
pub(crate) fn departing(seed: u64) -> bool {
    // Its first renewals are sent at once, and half a second later.
    (0..20).any(|turn| {
        let ran = sim::on_ports(seed, 2, |ports| async move {
            let (cache, table) = (Cache::new(ports[0].clone(), acknowledged()), ports[1].membership());
            cache.start().await.expect("the bus is there");
            let committed = cache.ports().database().update(&key(), &Value::new("50"), None).await;
            committed.expect("the primary is there");
            tier(&cache).await;
            assert_eq!(tier(&cache).await, Tier::L1);
            let at = lab_core::value::Instant(500_000_000 + turn * 100_000);
            let clock = cache.ports().clock();
            clock.sleep(at.since(clock.now())).await;
            cache.depart().await.expect("the primary is there");
            for _ in 0..100 {
                let live = table.live().await.expect("the primary is there");
                assert!(live.iter().all(|member| member.server != cache.ports().server()), "{live:?}");
                assert_ne!(tier(&cache).await, Tier::L1);
                clock.sleep(Duration::from_millis(20)).await;
            }
        });
        ran.is_err()
    })
}
