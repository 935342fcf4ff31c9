//! What a hit in L1 costs, beside a bare `quick_cache` lookup with a deadline check on a coarse clock.
//!
//! `TieredCache::get` is polled to completion with time-to-live, epochs, freshness and metrics on, and nobody
//! watching. Both sides look up the same keys in the same order (10 000 keys, Zipf 0.99, 64-byte values), take turns
//! in one run, on one thread and on two; the median of the rounds' ratios is what counts.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark reads the time and starts threads"
)]

mod ports;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use lab_core::cache::TieredCache;
use lab_core::consistency::Level;
use lab_core::policy::Policy;
use lab_core::value::{Key, Value};
use ports::BenchPorts;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

const KEYS: usize = 10_000;
const LOOKUPS: usize = 1_000_000;
const ROUNDS: usize = 15;

type Bare = Cache<Key, (Value, u64), UnitWeighter, ahash::RandomState>;

fn main() {
    let keys: Vec<Key> = (0..KEYS).map(|n| Key::new(format!("product:{n}"))).collect();
    let order = zipf_order();
    let time = Arc::new(AtomicU64::new(1));
    let tiered = filled(&keys, &time);
    let bare = Bare::with(
        KEYS,
        KEYS as u64 * 2,
        UnitWeighter,
        ahash::RandomState::with_seeds(1, 2, 3, 4),
        DefaultLifecycle::default(),
    );
    for key in &keys {
        bare.insert(key.clone(), (Value::new("x".repeat(64)), u64::MAX));
    }
    let ours = |offset: usize| {
        for turn in 0..LOOKUPS {
            let key = &keys[order[(turn + offset) % order.len()] as usize];
            black_box(get(&tiered, key));
        }
    };
    let theirs = |offset: usize| {
        for turn in 0..LOOKUPS {
            let key = &keys[order[(turn + offset) % order.len()] as usize];
            let now = time.load(Ordering::Relaxed);
            black_box(bare.get(key).filter(|(_, deadline)| now < *deadline));
        }
    };
    println!("L1, medians of {ROUNDS} rounds (limit: 2 × the bare lookup)");
    for threads in [1, 2] {
        report(threads, &ours, &theirs);
    }
}

/// A tiered cache that holds every key.
fn filled(keys: &[Key], time: &Arc<AtomicU64>) -> TieredCache<BenchPorts> {
    let mut policy = Policy::lesson();
    policy.local.capacity = u32::try_from(KEYS * 2).expect("it is small");
    policy.local.ttl_ms = 3_600_000;
    policy.local.shards = 16;
    policy.local.epochs = true;
    policy.level = Level::Bounded { within_ms: 3_600_000 };
    let cache = TieredCache::new(BenchPorts::new(time), policy);
    for key in keys {
        get(&cache, key);
    }
    cache
}

fn get(cache: &TieredCache<BenchPorts>, key: &Key) -> lab_core::value::Entry {
    match pin!(cache.get(key)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(entry)) => entry,
        other => panic!("a hit is answered at once, not {other:?}"),
    }
}

fn report(threads: usize, ours: &(impl Fn(usize) + Sync), theirs: &(impl Fn(usize) + Sync)) {
    let (mut ours_ns, mut theirs_ns, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (mine, other) = (timed(threads, ours), timed(threads, theirs));
        ours_ns.push(mine);
        theirs_ns.push(other);
        ratios.push(mine / other);
    }
    println!(
        "  hit, {threads} thread{}: {:.1} ns; bare lookup: {:.1} ns; ratio {:.2}",
        if threads == 1 { "" } else { "s" },
        median(ours_ns),
        median(theirs_ns),
        median(ratios),
    );
}

/// Nanoseconds a lookup, when so many threads look up at once.
fn timed(threads: usize, lookups: &(impl Fn(usize) + Sync)) -> f64 {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || lookups(thread * 7919));
        }
    });
    started.elapsed().as_secs_f64() * 1e9 / LOOKUPS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Indices of keys, the n-th most popular drawn in proportion to n^-0.99.
fn zipf_order() -> Vec<u32> {
    let weights = (1..=KEYS).map(|rank| libm::pow(rank as f64, -0.99));
    let sums: Vec<f64> = weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let draw = |_| {
        // xorshift64: the draws only have to be the same for both sides.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let point = (state >> 11) as f64 / (1u64 << 53) as f64 * sums[KEYS - 1];
        u32::try_from(sums.partition_point(|sum| *sum < point)).expect("there are few keys")
    };
    (0..1 << 18).map(draw).collect()
}
