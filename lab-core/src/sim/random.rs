//! Independent streams of chance from one seed: a draw more in one place changes nothing in another.
//!
//! `ChaCha8` is the same on every platform, and its streams do not overlap. Logarithms come from libm, because the
//! platforms' own differ in the last bit.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Which ready task is polled next.
    Scheduler = 1,
    /// How long messages take.
    Network = 2,
    /// What servers draw: tokens, computed values.
    Entropy = 3,
    /// Which messages are hit by an extreme delay.
    Faults = 4,
    /// How long a node works.
    Service = 5,
    /// What the nemesis does.
    Nemesis = 6,
    /// What it does to nodes, clocks and connections besides.
    NemesisNodes = 7,
    /// What a scenario's own run meets besides.
    Perils = 8,
    /// When a task gets its turn on a busy server.
    Pace = 9,
    /// Which runs of the nemesis have busy servers.
    NemesisPace = 10,
    /// What the nemesis does to the nodes of Redis, where it does.
    NemesisRedis = 11,
}

/// A stream of chance.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose as u64);
        Self(rng)
    }

    /// Sixty-four random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    /// Whether something happens that happens in `percent` of the cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// A number from `low` to `high`, each as likely.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high)
    }

    /// An exponentially distributed number of nanoseconds.
    pub(crate) fn exponential(&mut self, mean: u64) -> u64 {
        // 53 bits make a number in (0, 1], so that its logarithm is finite.
        let unit = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        (-libm::log(unit) * mean as f64) as u64
    }
}
