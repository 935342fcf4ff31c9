//! The runs of the tests in which the lab is a guest: a short one, one that is in full swing for seconds, and how they
//! are made.

use std::sync::Arc;
use std::time::Duration;

use lab_core::scenario::{Run, RunSpec, ScenarioId, Settings};
use lab_server::adapters::observer::Recorder;
use lab_server::real;
use lab_server::real::error::RunError;
use lab_server::real::stores::Stores;

/// Longer than all limits of a run and its end together.
pub(crate) const ENDED_WITHIN: Duration = Duration::from_secs(45);

/// A computation under a lock.
pub(crate) fn spec(policy: &str) -> RunSpec {
    RunSpec::preset(ScenarioId::StampedeLock, policy, 1).expect("a preset")
}

/// One computation that takes seconds.
pub(crate) fn slow() -> RunSpec {
    let settings = Settings::with(ScenarioId::StampedeLock, [("compute-ms".to_owned(), 2_000)]);
    RunSpec { settings: settings.expect("a knob within its bounds"), ..spec("lock") }
}

/// Makes a run to its end.
pub(crate) async fn run(stores: &Arc<Stores>, spec: &RunSpec) -> Result<Run, RunError> {
    let run = real::run(stores, spec, Recorder::start(), std::future::pending());
    tokio::time::timeout(ENDED_WITHIN, run).await.expect("it comes to an end")
}
