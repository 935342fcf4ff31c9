//! Many seeds of the simulator, on every core.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use indicatif::ProgressBar;
use lab_core::report::Verdict;
use lab_core::scenario::{Run, RunSpec};
use lab_core::sim;

use super::{CliError, output, text};

/// What many seeds amount to, and what was asked of each.
pub(super) struct Batch {
    pub(super) verdict: Verdict,
    /// Seeds under which every check in `watched` held.
    pub(super) watched_held: u32,
}

/// Runs a spec under every seed. `watched` names checks that are counted by themselves.
pub(super) fn simulate(
    spec: &RunSpec,
    seeds: RangeInclusive<u64>,
    watched: &[&str],
    progress: &ProgressBar,
) -> Result<Batch, CliError> {
    output::check()?;
    let next = AtomicU64::new(*seeds.start());
    let empty = Batch { verdict: Verdict::default(), watched_held: 0 };
    let sum = Mutex::new((empty, None));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            let outcome = once(spec, seed);
            progress.inc(1);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(run) => sum.0.add(seed, &run, watched),
                Err(error) => {
                    sum.1.get_or_insert(error);
                    return;
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // This thread works, too, and alone where there is no other to be had.
        for _ in 1..cores {
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let (batch, error) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    error.map_or(Ok(batch), Err)
}

/// Runs a spec under one seed.
pub(super) fn once(spec: &RunSpec, seed: u64) -> Result<Run, CliError> {
    let spec = RunSpec { seed, ..spec.clone() };
    sim::run(&spec).map_err(|error| {
        let triple = text::triple(spec.scenario, "as given", seed);
        CliError::World(lab_core::world::WorldError::Broken(format!("{triple}: {error}")))
    })
}

impl Batch {
    fn add(&mut self, seed: u64, run: &Run, watched: &[&str]) {
        let first = self.verdict.first_failing;
        self.verdict.add(seed, &run.report, run.trace.schedule());
        // Cores finish in any order: the first failing seed is the least, not the first to be found.
        self.verdict.first_failing = first
            .into_iter()
            .chain(self.verdict.first_failing)
            .chain((!run.report.goal_held()).then_some(seed))
            .min();
        self.watched_held += u32::from(watched_hold(run, watched));
    }
}

/// Whether every check of these names held.
pub(super) fn watched_hold(run: &Run, watched: &[&str]) -> bool {
    watched.iter().all(|id| run.report.checks.iter().any(|check| check.id == *id && check.holds))
}
