//! What a step of the simulator costs, with the full trace on, beside a bare executor of the same kind.
//!
//! A step is one poll of a task, or one arrival. The load is the unprotected herd: 1000 clients, 1000 queries. The
//! baseline has the same parts and no more: a heap of timers, boxed futures, `std` wakers, 1000 tasks. Both take
//! turns in one run.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the time")]

mod bare;

use std::hint::black_box;
use std::time::Instant;

use lab_core::scenario::{self, RunSpec, ScenarioId};
use lab_core::sim::{Progress, Simulation};

const ROUNDS: u64 = 21;

fn main() {
    let (mut ours, mut theirs, mut ratios, mut runs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let Herd { steps, stepping, whole } = herd(round + 1);
        let (bare_steps, bare) = timed(|| bare::run(1000, 60));
        let (mine, other) = (stepping * 1e9 / steps as f64, bare * 1e9 / bare_steps as f64);
        ours.push(mine);
        theirs.push(other);
        ratios.push(mine / other);
        runs.push(whole * 1e3);
    }
    println!("simulator, ns a step (median of {ROUNDS} rounds; limit: 250)");
    println!("  herd {:.0}, bare executor {:.0}, ratio {:.2}", median(ours), median(theirs), median(ratios));
    println!("  a whole unprotected herd, 1000 clients, with its verdict: {:.1} ms", median(runs));
}

/// One unprotected herd.
struct Herd {
    steps: u64,
    /// Seconds that its steps took.
    stepping: f64,
    /// Seconds that the run took with everything: set up, stepped through, judged.
    whole: f64,
}

fn herd(seed: u64) -> Herd {
    let spec = RunSpec::preset(ScenarioId::ThunderingHerd, "unprotected", seed).expect("the preset exists");
    let (mut simulation, setting_up) = timed(|| Simulation::new(&spec));
    let (progress, running) = timed(|| simulation.advance(u32::MAX));
    let Progress::Done(Ok(run)) = progress else {
        panic!("the herd comes to an end in fewer than 2^32 steps");
    };
    // The last step also judges the run: that is no step of the simulator.
    let (_, judging) = timed(|| scenario::judge(spec.scenario, &run.trace, &spec.settings));
    Herd { steps: simulation.steps(), stepping: running - judging, whole: setting_up + running }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let result = black_box(work());
    (result, started.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
