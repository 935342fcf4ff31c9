//! Hits, misses, errors and latencies, per tier and outcome.
//!
//! The lesson keeps the last thousand latencies and sorts them; a percentile of such a ring tells of its last
//! moments only, and cannot be added over servers. These are high-dynamic-range histograms (two significant
//! digits), which can. Each thread writes to a stripe of its own: a counter that two threads share would cost more
//! than the lookup that it counts.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::value::{Entry, Tier};

const STRIPES: usize = 8;
const TIERS: usize = 4;
const OUTCOMES: usize = 2;
const LATENCY_MAX_NS: u64 = 60_000_000_000;

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: Cell<Option<usize>> = const { Cell::new(None) };
}

fn stripe() -> usize {
    STRIPE.get().unwrap_or_else(|| {
        let stripe = NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES;
        STRIPE.set(Some(stripe));
        stripe
    })
}

/// What a cache counts.
#[derive(Default)]
pub struct Metrics {
    stripes: [Stripe; STRIPES],
}

/// On cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Stripe(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// By tier, then by whether a row was there.
    tiers: [[Option<Histogram<u32>>; OUTCOMES]; TIERS],
    errors: Option<Histogram<u32>>,
}

/// What an answer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// There is no such row.
    Negative,
    /// Here is the row.
    Row,
}

/// One tier's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierMetrics {
    /// Answers that it gave.
    pub answers: u64,
    /// Median latency.
    pub p50: Duration,
    /// 99th percentile of the latency.
    pub p99: Duration,
}

fn empty() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 2).expect("the bounds are valid")
}

fn record(histogram: &mut Option<Histogram<u32>>, took: Duration) {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    histogram.get_or_insert_with(empty).saturating_record(nanos.max(1));
}

impl Metrics {
    /// Counts an answer of a tier.
    #[inline]
    pub(super) fn answered(&self, tier: Tier, entry: &Entry, took: Duration) {
        let mut counts = self.stripes[stripe()].0.lock().expect("no holder panics");
        record(&mut counts.tiers[tier as usize][usize::from(entry.value.is_some())], took);
    }

    /// Counts a read that got no answer.
    pub(super) fn error(&self, took: Duration) {
        let mut counts = self.stripes[stripe()].0.lock().expect("no holder panics");
        record(&mut counts.errors, took);
    }

    /// What one tier did.
    pub fn tier(&self, tier: Tier) -> TierMetrics {
        self.sum(|counts| Box::new(counts.tiers[tier as usize].iter().flatten()))
    }

    /// What one tier did, as far as its answers said this.
    pub fn outcome(&self, tier: Tier, answered: Answered) -> TierMetrics {
        let said = usize::from(answered == Answered::Row);
        self.sum(move |counts| Box::new(counts.tiers[tier as usize][said].iter()))
    }

    /// Reads that got no answer.
    pub fn errors(&self) -> TierMetrics {
        self.sum(|counts| Box::new(counts.errors.iter()))
    }

    /// Reads that L1 could not answer.
    pub fn misses(&self) -> u64 {
        [Tier::L2, Tier::Database, Tier::Computed].into_iter().map(|tier| self.tier(tier).answers).sum()
    }

    /// Adds up what `part` picks of each stripe.
    fn sum<F>(&self, part: F) -> TierMetrics
    where
        F: for<'c> Fn(&'c Counts) -> Box<dyn Iterator<Item = &'c Histogram<u32>> + 'c>,
    {
        let mut all = empty();
        for stripe in &self.stripes {
            let counts = stripe.0.lock().expect("no holder panics");
            for histogram in part(&counts) {
                all.add(histogram).expect("all histograms have the same bounds");
            }
        }
        let quantile = |q| Duration::from_nanos(all.value_at_quantile(q));
        TierMetrics { answers: all.len(), p50: quantile(0.50), p99: quantile(0.99) }
    }
}
