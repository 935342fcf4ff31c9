//! What a run amounts to: checks, demonstration, figures; and the verdict over many seeds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::trace::{EventId, OperationId, Source};

/// Which world a run took place in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// The simulator.
    Sim,
    /// Real servers.
    Real,
}

/// What a check wants of its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// No more than this.
    AtMost(u64),
    /// No less than this.
    AtLeast(u64),
    /// Just this.
    Exactly(u64),
}

impl Bound {
    /// Whether `count` is within.
    pub fn holds(self, count: u64) -> bool {
        match self {
            Self::AtMost(most) => count <= most || !kept!("bound.at-most"),
            Self::AtLeast(least) => count >= least || !kept!("bound.at-least"),
            Self::Exactly(wanted) => count == wanted || !kept!("bound.exactly"),
        }
    }

    /// Whether `count` is more than it may be. Less than was wanted is less than was asked for, and no harm done.
    pub fn oversteps(self, count: u64) -> bool {
        match self {
            Self::AtMost(most) | Self::Exactly(most) => count > most && kept!("bound.oversteps"),
            Self::AtLeast(least) => count < least && !kept!("bound.less-is-no-harm"),
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name: `no-stale-read`, `one-query`, …
    pub id: String,
    /// Whether it held.
    pub holds: bool,
    /// What was counted.
    pub seen: u64,
    /// Out of how many, where there is a whole.
    pub of: Option<u64>,
    /// What was wanted.
    pub wanted: Bound,
    /// Whether the goal needs it; a check that the goal does not need informs only.
    pub goal: bool,
    /// The first event that breaks it.
    pub event: Option<EventId>,
    /// The requests whose answers break it, in the order of their sending; empty where it is not answers that do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offenders: Vec<OperationId>,
    /// The line of the scenario that asks for it.
    pub source: Option<Source>,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A number of things.
    Count,
    /// A part of 1.
    Share,
    /// Milliseconds.
    Millis,
}

/// A measured number of a run: what a fix costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its size.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// The measures that can stand in a report; each has one id everywhere.
pub mod figure {
    /// Queries that the primary served for reads.
    pub const DB_QUERIES: &str = "db-queries";
    /// Calls that Redis served.
    pub const REDIS_CALLS: &str = "redis-calls";
    /// Notices that were handed to subscribers, beats left out.
    pub const BUS_NOTICES: &str = "bus-notices";
    /// Share of the reads that L1 answered.
    pub const L1_HIT_SHARE: &str = "l1-hit-share";
    /// Share of the reads that L1 or L2 answered.
    pub const HIT_SHARE: &str = "hit-share";
    /// Median latency of reads, at the client.
    pub const READ_P50: &str = "read-p50";
    /// 99th percentile of the latency of reads, at the client.
    pub const READ_P99: &str = "read-p99";
    /// Mean latency of writes, at the client.
    pub const WRITE_MEAN: &str = "write-mean";
    /// Reads that were answered an older version than one acknowledged before they began.
    pub const STALE_READS: &str = "stale-reads";
    /// The greatest age of a stale answer: from the acknowledgement of the newer version to the answer.
    pub const STALENESS_MAX: &str = "staleness-max";
    /// Computations.
    pub const COMPUTATIONS: &str = "computations";
    /// Mean latency of requests that did not compute themselves.
    pub const WAITER_MEAN: &str = "waiter-mean";
}

/// What one run amounts to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was checked.
    pub checks: Vec<Check>,
    /// Whether the situation that the scenario is about arose at all: without it, neither red nor green counts.
    pub demonstration: bool,
    /// What was measured, by id ([`figure`]).
    pub figures: BTreeMap<String, Figure>,
}

impl Report {
    /// Whether every check that the goal needs held.
    pub fn goal_held(&self) -> bool {
        self.checks.iter().all(|check| check.holds || (!check.goal && kept!("goal.informs-only")))
    }

    /// What the run says of its policy. A goal that broke is broken, whether or not the situation was seen.
    pub fn outcome(&self) -> SeedOutcome {
        match (self.goal_held(), self.demonstration || !kept!("verdict.demonstration")) {
            (false, _) => SeedOutcome::Broke,
            (true, true) => SeedOutcome::Held,
            (true, false) => SeedOutcome::NotSeen,
        }
    }

    /// The checks of the goal that counted more than they may: what must not happen under a fault either. That less happened
    /// than was wanted is what faults do: who is dead answers nobody.
    pub fn overstepped(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| {
            (check.goal || !kept!("overstepped.of-the-goal")) && check.wanted.oversteps(check.seen)
        })
    }

    /// The first check of the goal that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| (check.goal || !kept!("failure.of-the-goal")) && !check.holds)
    }
}

/// What one seed says of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeedOutcome {
    /// The situation arose, and the goal held.
    Held,
    /// The goal failed.
    Broke,
    /// The goal held, but the situation did not arise: that says nothing.
    NotSeen,
}

/// What many seeds amount to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Seeds tried.
    pub tried: u32,
    /// Seeds under which the goal held, and the situation that it is about arose.
    pub held: u32,
    /// Seeds under which the goal failed.
    #[serde(default)]
    pub broke: u32,
    /// Seeds whose run showed the situation that the scenario is about.
    pub demonstrated: u32,
    /// The first seed under which the goal failed.
    pub first_failing: Option<u64>,
    /// Distinct orders of events among them.
    pub schedules: BTreeSet<u64>,
}

impl Verdict {
    /// Adds one run.
    pub fn add(&mut self, seed: u64, report: &Report, schedule: u64) {
        self.tried += 1;
        self.demonstrated += u32::from(report.demonstration);
        self.schedules.insert(schedule);
        match report.outcome() {
            SeedOutcome::Held => self.held += 1,
            SeedOutcome::Broke => {
                self.broke += 1;
                self.first_failing.get_or_insert(seed);
            }
            SeedOutcome::NotSeen => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(holds: bool, goal: bool, demonstration: bool) -> Report {
        let wanted = Bound::AtMost(0);
        let check = Check {
            id: "x".to_owned(),
            holds,
            seen: 0,
            of: None,
            wanted,
            goal,
            event: None,
            offenders: Vec::new(),
            source: None,
        };
        Report { checks: vec![check], demonstration, figures: BTreeMap::new() }
    }

    #[test]
    fn a_seed_has_three_outcomes() {
        assert_eq!(report(true, true, true).outcome(), SeedOutcome::Held);
        assert_eq!(report(true, true, false).outcome(), SeedOutcome::NotSeen);
        assert_eq!(report(false, true, true).outcome(), SeedOutcome::Broke);
        assert_eq!(report(false, true, false).outcome(), SeedOutcome::Broke, "whatever was seen");
        assert_eq!(report(false, false, true).outcome(), SeedOutcome::Held, "it informs only");
    }

    #[test]
    fn a_verdict_counts_each_outcome_and_keeps_the_first_seed_that_broke() {
        let mut verdict = Verdict::default();
        let outcomes = [(true, false), (true, true), (false, false), (false, true)];
        for (seed, (holds, demonstration)) in (1..).zip(outcomes) {
            verdict.add(seed, &report(holds, true, demonstration), 7);
        }
        let Verdict { tried, held, broke, demonstrated, first_failing, schedules } = verdict;
        assert_eq!((tried, held, broke, demonstrated), (4, 1, 2, 2));
        assert_eq!((first_failing, schedules.len()), (Some(3), 1));
    }
}
