//! What a run is not about, and must not happen while it is on: where it does, whatever the checks found says nothing of
//! the policy.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::adapters::refusals::Refusal;
use crate::harness::{Casualty, Stopped};

/// Something that happened to a run.
#[derive(Clone, Debug)]
pub enum Disturbance {
    /// A server of our own ended.
    Died(Casualty),
    /// A node of somebody else's servers does not answer any more.
    Gone {
        /// Which, and where it is.
        node: String,
        /// What became of the question.
        why: String,
    },
    /// A node of somebody else's servers has begun another life, or has another role.
    Reborn {
        /// Which, and where it is.
        node: String,
        /// What it said of itself before the run.
        before: String,
        /// What it says now.
        now: String,
    },
    /// A store refused, and no fault of the scenario explains it.
    Refused(Refusal),
    /// A server of our own was stopped.
    Stopped(Stopped),
    /// The lab itself stood still.
    Paused(Pause),
}

/// For how long the lab stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The longest time.
    pub time: Duration,
    /// Whether it was told to go on, so that it was stopped before.
    pub was_continued: bool,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.was_continued { "" } else { ", or the machine too busy to let it go on," };
        write!(f, "the lab itself was stopped{why} for {:.1} s", self.time.as_secs_f64())
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(casualty) => casualty.fmt(f),
            Self::Gone { node, why } => write!(f, "{node} does not answer any more: {why}"),
            Self::Reborn { node, before, now } => {
                write!(f, "{node} was restarted, or has another role: it was {before}, and is {now}")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Stopped(stopped) => stopped.fmt(f),
            Self::Paused(pause) => pause.fmt(f),
        }
    }
}

/// All that happened to a run, with what to do.
pub(super) fn told(disturbances: &[Disturbance]) -> String {
    let mut text = "there is no verdict, because of what the scenario is not about:".to_owned();
    for disturbance in disturbances {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  - {disturbance}");
    }
    let refused = |disturbance: &Disturbance| matches!(disturbance, Disturbance::Refused(_));
    text.push_str(if disturbances.iter().all(refused) {
        "\nlet the servers do what a run needs, or leave --redis and --postgres out; then run it again"
    } else {
        "\nrun it again, on servers that stay"
    });
    text
}
