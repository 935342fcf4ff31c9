//! The nemesis: random clients, random faults, any policy; and what must hold all the same.
//!
//! A scenario shows one failure under the one fault that it is about. A policy that is called green promises more: that
//! it holds whatever goes wrong of what it says it survives. The nemesis looks for the run in which it does not. It
//! belongs to no scenario: its clients read and write a few keys at several servers while links misbehave and servers
//! die; then everything is healed, and when all is quiet every server is asked once more.
//!
//! * [`plan`]: what happens in a run, as data drawn from a seed
//! * [`peril`]: the kinds of trouble that a scenario's own run may meet besides
//! * [`body`]: carries a plan out in a world
//! * [`promise`]: what a policy promises, and what of it a run broke
//! * [`shrink`]: the smallest plan that still breaks a promise
//!
//! # Example
//! ```
//! use lab_core::nemesis::{self, Plan};
//! use lab_core::policy::{Policy, Switch};
//!
//! let strong = Policy::lesson().with(Switch::StrongReads, true);
//! let found = nemesis::run(&Plan::draw(&strong, 1))?;
//! assert!(found.violations.is_empty(), "{:?}", found.violations);
//! # Ok::<(), lab_core::world::WorldError>(())
//! ```

mod body;
mod peril;
mod plan;
mod promise;
mod shrink;

pub use body::play;
pub use peril::{Branch, Broke, branch, endure, run_branch};
pub use plan::{Action, Plan, Step, Strike, Trouble};
pub use promise::{Promise, Violation, judge, promised, survives};
pub use shrink::{shrink, shrink_branch};

use crate::sim::{self, Pace};
use crate::trace::Trace;
use crate::world::WorldError;

/// What came of a plan.
#[derive(Debug)]
pub struct Found {
    /// What happened.
    pub trace: Trace,
    /// The promises that it broke; the order is that of [`Promise`].
    pub violations: Vec<Violation>,
    /// Answers that were held against a promise.
    pub checked: u64,
}

/// Carries a plan out in the simulator and holds it against what its policy promises to keep under these
/// faults.
///
/// # Errors
/// When a request waits for ever: that is a violation of its own kind, told with who waits for what.
pub fn run(plan: &Plan) -> Result<Found, WorldError> {
    let survives_all = |promise: &Promise| {
        plan.strikes.iter().all(|strike| survives(&plan.policy, *promise, strike.trouble))
    };
    let promises: Vec<_> = promised(&plan.policy).into_iter().filter(survives_all).collect();
    run_against(&promises, plan)
}

/// Carries a plan out in the simulator and holds it against these promises.
///
/// # Errors
/// As for [`run`].
pub fn run_against(promises: &[Promise], plan: &Plan) -> Result<Found, WorldError> {
    let body = plan.clone();
    let pace = if plan.busy { Pace::Busy } else { Pace::AtOnce };
    let (played, trace) =
        sim::on_world_at(pace, plan.seed, |world| async move { play(&world, &body).await })?;
    played?;
    let (violations, checked) = judge(promises, &trace);
    Ok(Found { trace, violations, checked })
}
