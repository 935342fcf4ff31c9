//! What the tests of the simulated world share.

use lab_core::sim::{self, SimWorld};
use lab_core::trace::Trace;

/// Seeds of one test: enough for every order of two messages, and quick.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=50;

/// Plays a body in a world of its own under each seed; what fails names the seed.
pub(crate) fn under_seeds<F: Future<Output = ()> + Send + 'static>(
    body: impl Fn(SimWorld) -> F,
) -> Vec<Trace> {
    let ran =
        SEEDS.map(|seed| sim::on_world(seed, &body).unwrap_or_else(|error| panic!("seed {seed}: {error}")));
    ran.map(|((), trace)| trace).collect()
}
