//! What a step of the simulator costs, with the full trace on, beside a bare executor of the same kind.
//!
//! A step is one poll of a task, or one arrival. The load is the unprotected herd: 1000 clients, 1000 queries. The
//! baseline has the same parts and no more: a heap of timers, boxed futures, `std` wakers, 1000 tasks. Both take
//! turns in one run.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the time")]

mod bare;

use std::hint::black_box;
use std::time::Instant;

use lab_core::scenario::{RunSpec, ScenarioId};
use lab_core::sim::{Progress, Simulation};

const ROUNDS: u64 = 21;

fn main() {
    let (mut ours, mut theirs, mut ratios, mut runs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (steps, took) = herd(round + 1);
        let (bare_steps, bare_took) = timed(|| bare::run(1000, 60));
        let (mine, other) = (took * 1e9 / steps as f64, bare_took * 1e9 / bare_steps as f64);
        ours.push(mine);
        theirs.push(other);
        ratios.push(mine / other);
        runs.push(took * 1e3);
    }
    println!("simulator, ns a step (median of {ROUNDS} rounds; limit: 250)");
    println!("  herd {:.0}, bare executor {:.0}, ratio {:.2}", median(ours), median(theirs), median(ratios));
    println!("  a whole unprotected herd, 1000 clients, with its verdict: {:.1} ms", median(runs));
}

/// Steps of one unprotected herd and the seconds that they took, building and judging included.
fn herd(seed: u64) -> (u64, f64) {
    let spec = RunSpec::preset(ScenarioId::ThunderingHerd, "unprotected", seed).expect("the preset exists");
    timed(|| {
        let mut simulation = Simulation::new(&spec);
        let Progress::Done(run) = simulation.advance(u32::MAX) else {
            panic!("the herd takes fewer than 2^32 steps");
        };
        black_box(run.expect("the herd comes to an end"));
        simulation.steps()
    })
}

fn timed(work: impl FnOnce() -> u64) -> (u64, f64) {
    let started = Instant::now();
    let steps = black_box(work());
    (steps, started.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
