//! What a step of the simulator costs, with the full trace on, beside a bare executor of the same kind.
//!
//! A step is one poll of a task, or one arrival. The load is the unprotected herd: 1000 clients, 1000 queries. The
//! baseline has the same parts and no more: a heap of timers, boxed futures, `std` wakers, 1000 tasks. Both take
//! turns in one run.
//!
//! The same file is built for the browser, where `e2e/measure.mjs` calls [`round`]. With `--paired` the native
//! program computes a round for each seed that it reads, so that the rounds of both can take turns too.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the time")]

mod bare;

use std::hint::black_box;

use lab_core::scenario::{self, RunSpec, ScenarioId};
use lab_core::sim::{Progress, Simulation};

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    if std::env::args().any(|argument| argument == "--paired") {
        native::answer_seeds();
    } else {
        native::report();
    }
}

/// The page calls [`round`] itself.
#[cfg(target_arch = "wasm32")]
fn main() {}

/// One round of the herd and of the bare executor.
struct Round {
    /// Nanoseconds a step of the herd.
    step: f64,
    /// Nanoseconds a step of the bare executor.
    bare_step: f64,
    /// Milliseconds of the whole run: set up, stepped through, judged.
    whole: f64,
}

impl Round {
    fn with_seed(seed: u64) -> Self {
        let Herd { steps, stepping, whole } = herd(seed);
        let (bare_steps, bare) = timed(|| bare::run(1000, 60));
        Self { step: stepping * 1e6 / steps as f64, bare_step: bare * 1e6 / bare_steps as f64, whole }
    }
}

/// One unprotected herd.
struct Herd {
    steps: u64,
    /// Milliseconds that its steps took.
    stepping: f64,
    /// Milliseconds that the run took with everything: set up, stepped through, judged.
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

/// Does the work and says how many milliseconds it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = platform::now();
    let result = black_box(work());
    (result, platform::now() - started)
}

#[cfg(not(target_arch = "wasm32"))]
use native as platform;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    //! The command line.

    use std::io::{self, BufRead as _};
    use std::sync::LazyLock;
    use std::time::Instant;

    use super::Round;

    const ROUNDS: u64 = 21;

    /// Milliseconds since the first call.
    pub(crate) fn now() -> f64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGAN.elapsed().as_secs_f64() * 1e3
    }

    /// For each line of the input, which is a seed, writes a line: the figures of that round.
    pub(crate) fn answer_seeds() {
        for line in io::stdin().lock().lines() {
            let line = line.expect("the input can be read");
            let seed = line.trim().parse().expect("each line of the input is a seed");
            let Round { step, bare_step, whole } = Round::with_seed(seed);
            println!("{step} {bare_step} {whole}");
        }
    }

    /// Writes the medians of some rounds.
    pub(crate) fn report() {
        let rounds: Vec<Round> = (1..=ROUNDS).map(Round::with_seed).collect();
        let median = |of: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!("simulator, medians of {ROUNDS} rounds (limit: 250 ns a step)");
        println!(
            "  step: {:.0} ns; bare executor: {:.0} ns; ratio {:.2}",
            median(|round| round.step),
            median(|round| round.bare_step),
            median(|round| round.step / round.bare_step),
        );
        println!("  the whole herd, with its verdict: {:.1} ms", median(|round| round.whole));
    }
}

#[cfg(target_arch = "wasm32")]
use browser as platform;

#[cfg(target_arch = "wasm32")]
mod browser {
    //! What the page calls, and what it is asked.

    use wasm_bindgen::prelude::wasm_bindgen;

    use super::Round;

    #[wasm_bindgen]
    extern "C" {
        /// Milliseconds since the page began.
        #[wasm_bindgen(js_namespace = performance)]
        pub(crate) fn now() -> f64;
    }

    /// The figures of one round, in the order of [`Round`]'s fields.
    #[wasm_bindgen]
    #[allow(unreachable_pub, reason = "wasm-bindgen exports what is `pub`")]
    pub fn round(seed: u32) -> Vec<f64> {
        let Round { step, bare_step, whole } = Round::with_seed(seed.into());
        vec![step, bare_step, whole]
    }
}
