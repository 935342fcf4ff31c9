//! Many seeds of the simulator, on every core.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use indicatif::ProgressBar;
use lab_core::nemesis::{self, Broke};
use lab_core::report::Verdict;
use lab_core::scenario::{Limit, Run, RunSpec};
use lab_core::sim;

use super::{CliError, output, text};

/// What many seeds amount to, and what was asked of each.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) verdict: Verdict,
    /// Seeds under which every check in `watched` held.
    pub(super) watched_held: u32,
    /// Seeds under which nothing broke in trouble.
    pub(super) endured: u32,
    /// The first seed under which something did, and what.
    pub(super) first_broken: Option<(u64, Broke)>,
}

/// What is asked of a run besides its verdict.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    /// Checks that are counted by themselves.
    pub(super) watched: &'a [&'a str],
    /// Whether it must survive trouble: all but these limits of it.
    pub(super) survives: Option<&'a [Limit]>,
}

/// Runs a spec under every seed.
pub(super) fn simulate(
    spec: &RunSpec,
    seeds: RangeInclusive<u64>,
    asked: Asked<'_>,
    progress: &ProgressBar,
) -> Result<Batch, CliError> {
    output::check()?;
    let next = AtomicU64::new(*seeds.start());
    let empty = Batch::default();
    let sum = Mutex::new((empty, None));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            let outcome = once(spec, seed).map(|run| {
                let of_seed = RunSpec { seed, ..spec.clone() };
                let endured = asked.survives.map(|limits| nemesis::endure(&of_seed, &run.trace, limits));
                (run, endured)
            });
            progress.inc(1);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok((run, endured)) => {
                    sum.0.add(seed, &run, asked.watched);
                    sum.0.add_endured(seed, endured);
                }
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

    fn add_endured(&mut self, seed: u64, endured: Option<Result<(), Broke>>) {
        match endured {
            Some(Ok(())) => self.endured += 1,
            Some(Err(broke)) if self.first_broken.as_ref().is_none_or(|(first, _)| seed < *first) => {
                self.first_broken = Some((seed, broke));
            }
            Some(Err(_)) | None => {}
        }
    }
}

/// Whether every check of these names held.
pub(super) fn watched_hold(run: &Run, watched: &[&str]) -> bool {
    watched.iter().all(|id| run.report.checks.iter().any(|check| check.id == *id && check.holds))
}
