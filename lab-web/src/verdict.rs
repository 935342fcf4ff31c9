//! The verdict over many seeds: what is asked of whoever computes it, and what comes back.
//!
//! Who computes it is the [`bench`]'s concern; the worker ([`crate::worker`]) and the page make the same [`Cell`]s.

mod bench;

use std::collections::BTreeSet;

use lab_core::scenario::{Run, RunSpec, ScenarioId};
use lab_core::sim;
use serde::{Deserialize, Serialize};

pub(crate) use bench::Bench;

/// A wish for a verdict. Number 0 is the wish for nothing: stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Counts up, so that late answers of an earlier job are told apart.
    pub(crate) number: u32,
    /// The run; its seed does not matter.
    pub(crate) spec: Option<RunSpec>,
    /// The first seed.
    pub(crate) from: u64,
    /// The last seed.
    pub(crate) seeds: u32,
}

/// What one seed gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// The seed.
    pub(crate) seed: u64,
    /// Whether the goal held.
    pub(crate) held: bool,
    /// Whether the situation arose that the scenario is about.
    pub(crate) demonstrated: bool,
    /// The order of events, as a fingerprint.
    pub(crate) schedule: u64,
}

/// What a seed amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The situation arose, and the goal held.
    Green,
    /// The goal failed.
    Red,
    /// The goal held, but the situation did not arise: that says nothing of the policy.
    Unshown,
}

impl Cell {
    /// What the seed amounts to.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.held, self.demonstrated) {
            (false, _) => Outcome::Red,
            (true, true) => Outcome::Green,
            (true, false) => Outcome::Unshown,
        }
    }
}

/// What comes back: some seeds of a job, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The job.
    pub(crate) number: u32,
    /// Its next seeds, in order.
    pub(crate) cells: Vec<Cell>,
    /// Why the simulator could not finish.
    pub(crate) failure: Option<String>,
}

impl Answer {
    /// An answer to a job, with nothing in it yet.
    pub(crate) fn to(number: u32) -> Self {
        Self { number, cells: Vec::new(), failure: None }
    }
}

/// Why a verdict ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The simulator could not finish a run, and said why.
    Simulator(String),
    /// The worker that computed it broke; with what the browser says of it.
    Worker(String),
}

/// The verdict as it grows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// The policy and settings that it is about.
    pub(crate) spec: Option<RunSpec>,
    /// Seeds that are wanted.
    pub(crate) wanted: u32,
    /// Seeds that were tried, in order.
    pub(crate) cells: Vec<Cell>,
    /// Whether more come.
    pub(crate) running: bool,
    /// Why it ended early.
    pub(crate) failure: Option<Failure>,
    /// Whether the page computes it, because no worker does.
    pub(crate) on_page: bool,
}

impl Tally {
    /// Seeds that amount to this.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.cells.iter().filter(|cell| cell.outcome() == outcome).count()
    }

    /// The first seed under which the goal failed.
    pub(crate) fn first_red(&self) -> Option<u64> {
        self.cells.iter().find(|cell| cell.outcome() == Outcome::Red).map(|cell| cell.seed)
    }

    /// Distinct orders of events.
    pub(crate) fn schedules(&self) -> usize {
        self.cells.iter().map(|cell| cell.schedule).collect::<BTreeSet<_>>().len()
    }

    /// Whether every wanted seed was tried and is green. One that showed nothing is not.
    pub(crate) fn all_green(&self) -> bool {
        self.wanted > 0 && self.count(Outcome::Green) == self.wanted as usize
    }

    /// Whether it is about this policy and these settings.
    pub(crate) fn is_about(&self, spec: &RunSpec) -> bool {
        self.spec.as_ref().is_some_and(|own| {
            own.scenario == spec.scenario && own.policy == spec.policy && own.settings == spec.settings
        })
    }
}

/// How many seeds a verdict tries.
pub(crate) fn seeds_of(_scenario: ScenarioId) -> u32 {
    200
}

/// Runs one seed to its end.
pub(crate) fn try_seed(spec: &RunSpec, seed: u64) -> Result<Cell, String> {
    let spec = RunSpec { seed, ..spec.clone() };
    sim::run(&spec).map(|run| cell_of(seed, &run)).map_err(|error| error.to_string())
}

fn cell_of(seed: u64, run: &Run) -> Cell {
    Cell {
        seed,
        held: run.report.goal_held(),
        demonstrated: run.report.demonstration,
        schedule: run.trace.schedule(),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use lab_core::policy::Switch;

    use super::*;
    use crate::state::Lab;

    fn tally(spec: &RunSpec) -> Tally {
        let cells = (1..=3).map(|seed| try_seed(spec, seed).expect("the simulator finishes"));
        Tally { spec: Some(spec.clone()), wanted: 3, cells: cells.collect(), ..Tally::default() }
    }

    #[test]
    fn a_policy_under_which_the_situation_never_arises_is_not_green() {
        let mut spec = Lab::lesson_spec(ScenarioId::InvalidationDelay);
        Switch::AcknowledgedInvalidation.set(&mut spec.policy, true);
        assert!(tally(&spec).all_green(), "either alone is green");
        Switch::StrongReads.set(&mut spec.policy, true);
        let both = tally(&spec);
        assert!(both.cells.iter().all(|cell| cell.held), "nothing is stale where nothing is served from L1");
        assert_eq!((both.count(Outcome::Unshown), both.count(Outcome::Green)), (3, 0));
        assert!(!both.all_green() && both.first_red().is_none());
    }

    #[test]
    fn the_lesson_is_red() {
        let tally = tally(&Lab::lesson_spec(ScenarioId::InvalidationDelay));
        assert_eq!((tally.count(Outcome::Red), tally.first_red()), (3, Some(1)));
    }
}
