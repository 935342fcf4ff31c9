//! The real world: the scenarios of `lab-core` against a real Redis Cluster and a real PostgreSQL.
//!
//! * [`stores`]: the servers that several runs use in turn, and what an operator does to them
//! * [`world`]: what a scenario drives; `server`: an app server on a thread of its own; `faults`: which fault of the
//!   harness a fault of the scenario is; `witness`: what the replicas hold meanwhile

mod faults;
mod server;
pub mod stores;
mod witness;
pub mod world;

use std::sync::Arc;
use std::time::Duration;

use lab_core::ports::Clock;
use lab_core::scenario::{self, Run, RunSpec};
use lab_core::trace;
use lab_core::world::WorldError;

use crate::adapters::observer::Recorder;
use stores::Stores;
use world::RealWorld;

/// The longest run: the scenarios take seconds, but a policy that somebody made up may wait for ever.
const RUN_WITHIN: Duration = Duration::from_mins(2);

/// Runs a scenario on real servers: on an empty cluster, with app servers of its own, which end with the run. What
/// happens is written to `recorder` while it happens.
///
/// # Errors
/// When the world cannot do what the scenario asks, or broke under way.
pub async fn run(stores: &Arc<Stores>, spec: &RunSpec, recorder: Arc<Recorder>) -> Result<Run, WorldError> {
    stores.empty().await.map_err(|error| WorldError::Broken(error.to_string()))?;
    let world = RealWorld::new(Arc::clone(stores), Arc::clone(&recorder));
    let body = scenario::play(spec.scenario, &world, &spec.policy, &spec.settings);
    let played = tokio::time::timeout(RUN_WITHIN, trace::scope(None, None, body)).await;
    world.end().await;
    let cleaned = stores.leave().await;
    let trace = recorder.close();
    played.map_err(|_| WorldError::Stuck {
        at: recorder.clock().now(),
        blocked: format!("the scenario took longer than {RUN_WITHIN:?}"),
    })??;
    cleaned.map_err(|error| WorldError::Broken(error.to_string()))?;
    let report = scenario::judge(spec.scenario, &trace, &spec.settings);
    let trace = Arc::unwrap_or_clone(trace);
    Ok(Run { trace, report })
}
