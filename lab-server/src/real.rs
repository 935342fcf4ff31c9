//! The real world: the scenarios of `lab-core` against a real Redis Cluster and a real PostgreSQL.
//!
//! * [`stores`]: the servers that several runs use in turn, and what an operator does to them; `guest`: how the lab
//!   behaves on servers that somebody else runs; [`remains`]: what it could not take away there; [`room`]: whether they
//!   have enough connections for a run
//! * [`world`]: what a scenario drives; `server`: an app server on a thread of its own; `faults`: which fault of the
//!   harness a fault of the scenario is; `witness`: what the replicas hold meanwhile; `roles`: who leads a shard meanwhile
//! * [`disturbance`]: what must not happen to a run; `pauses`: whether the lab itself stood still; `vitals`: whether
//!   somebody else's servers lived through it
//! * [`error`]: what can go wrong

pub mod disturbance;
pub mod error;
mod faults;
mod guest;
mod pauses;
pub mod remains;
mod roles;
pub mod room;
mod server;
pub mod stores;
mod vitals;
mod witness;
pub mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use lab_core::ports::Clock;
use lab_core::scenario::{self, Run, RunSpec};
use lab_core::trace::{self, Trace};
use lab_core::world::WorldError;

use crate::adapters::observer::Recorder;
use crate::harness::Stopped;
use disturbance::Disturbance;
use error::{RunError, StoresError};
use pauses::Pauses;
use stores::Stores;
use vitals::Vitals;
use world::RealWorld;

/// The longest run: the scenarios take seconds, but a policy that somebody made up may wait for ever.
const RUN_WITHIN: Duration = Duration::from_mins(2);

/// Runs a scenario on real servers, with app servers of its own, which end with the run. What happens is written to
/// `recorder` while it happens. When `interrupted` comes first, the run is given up. However it ends, servers that
/// somebody else runs are left as they were found; so do not drop this future, let `interrupted` come.
///
/// # Errors
/// When the stores are not fit for it, the world cannot do what the scenario asks or broke under way, the run was
/// interrupted, or the scenario panicked; when something happened that the scenario is not about; and when the run is
/// over but has left something behind: the run is in the error then.
pub async fn run(
    stores: &Arc<Stores>,
    spec: &RunSpec,
    recorder: Arc<Recorder>,
    interrupted: impl Future<Output = ()>,
) -> Result<Run, RunError> {
    let body =
        async |world: RealWorld| scenario::play(spec.scenario, &world, &spec.policy, &spec.settings).await;
    run_with(stores, spec, recorder, interrupted, body).await
}

/// Like [`run`], with another body than the scenario's: it is judged as the scenario is.
///
/// # Errors
/// As for [`run`].
pub async fn run_with(
    stores: &Arc<Stores>,
    spec: &RunSpec,
    recorder: Arc<Recorder>,
    interrupted: impl Future<Output = ()>,
    body: impl AsyncFnOnce(RealWorld) -> Result<(), WorldError>,
) -> Result<Run, RunError> {
    if !spec.interventions.is_empty() {
        let why = "interventions are made in the simulator only: run it there, or leave them out";
        return Err(WorldError::Broken(why.to_owned()).into());
    }
    let mut interrupted = pin!(interrupted);
    // What it has begun when it is interrupted is called off by leaving.
    let played = match unless(interrupted.as_mut(), ready(stores, spec)).await.and_then(|ready| Ok(ready?)) {
        Ok(()) => watched(stores, &recorder, interrupted.as_mut(), body).await,
        Err(error) => Err(error),
    };
    let left = stores.leave().await;
    let trace = recorder.close();
    let run = played.and_then(|()| judge(spec, trace));
    if left.is_empty() {
        return run;
    }
    match run {
        Ok(run) => Err(RunError::Left { run: Box::new(run), left }),
        Err(why) => Err(RunError::Remains { why: Box::new(why), left }),
    }
}

/// Makes the stores ready, if they have room for the run.
async fn ready(stores: &Stores, spec: &RunSpec) -> Result<(), StoresError> {
    room::expect(stores, spec).await?;
    stores.prepare().await
}

fn judge(spec: &RunSpec, trace: Arc<Trace>) -> Result<Run, RunError> {
    let judged = catch_unwind(AssertUnwindSafe(|| scenario::judge(spec.scenario, &trace, &spec.settings)));
    let report = judged.map_err(|panic| panicked(&*panic))?;
    Ok(Run { trace: Arc::unwrap_or_clone(trace), report })
}

/// Plays the scenario, and looks what else happened meanwhile. A node that is asked and silent holds no interrupt up.
async fn watched(
    stores: &Arc<Stores>,
    recorder: &Arc<Recorder>,
    mut interrupted: Pin<&mut impl Future<Output = ()>>,
    body: impl AsyncFnOnce(RealWorld) -> Result<(), WorldError>,
) -> Result<(), RunError> {
    let pauses = Pauses::watch().map_err(RunError::Deaf)?;
    let before = unless(interrupted.as_mut(), Vitals::ask(stores)).await?;
    let (played, mut stopped) = play(stores, recorder, interrupted.as_mut(), body).await;
    // What is not wanted any more, or cannot be done here, has no verdict anyway.
    let unsupported = |error: &RunError| matches!(error, RunError::World(WorldError::Unsupported { .. }));
    if played.as_ref().is_err_and(|error| {
        unsupported(error) || matches!(error, RunError::Interrupted | RunError::Panicked(_))
    }) {
        return played;
    }
    let mut disturbances: Vec<_> = stores.harness().casualties().into_iter().map(Disturbance::Died).collect();
    if stopped.is_empty() {
        stopped = stores.harness().stopped();
    }
    disturbances.extend(stopped.into_iter().map(Disturbance::Stopped));
    disturbances.extend(before.compare(&unless(interrupted, Vitals::ask(stores)).await?));
    disturbances.extend(pauses.end().await.map(Disturbance::Paused));
    disturbances.extend(faults::unexplained(recorder).map(Disturbance::Refused));
    if disturbances.is_empty() {
        return played;
    }
    Err(RunError::NoVerdict { disturbances, ended: played.err().map(Box::new) })
}

/// Waits for something, unless an interrupt comes first.
async fn unless<T>(
    interrupted: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> Result<T, RunError> {
    tokio::select! {
        biased;
        () = interrupted => Err(RunError::Interrupted),
        done = work => Ok(done),
    }
}

/// Plays the scenario's body, and ends its servers. A server that dies by itself ends it too, and so do those that
/// somebody else stops: these are answered, since they may go on meanwhile.
async fn play(
    stores: &Arc<Stores>,
    recorder: &Arc<Recorder>,
    interrupted: impl Future<Output = ()>,
    body: impl AsyncFnOnce(RealWorld) -> Result<(), WorldError>,
) -> (Result<(), RunError>, Vec<Stopped>) {
    let mut stopped = Vec::new();
    let world = RealWorld::new(Arc::clone(stores), Arc::clone(recorder));
    let body = trace::scope(None, None, body(world.clone()));
    // A body that panics must not keep its servers.
    let body = AssertUnwindSafe(body).catch_unwind();
    let played = tokio::select! {
        biased;
        () = interrupted => Err(RunError::Interrupted),
        _ = stores.harness().casualty() => Ok(()),
        found = stores.harness().is_stopped() => {
            stopped = found;
            Ok(())
        }
        error = stores.displaced() => Err(error.into()),
        played = body => played.map_err(|panic| panicked(&*panic)).and_then(|played| Ok(played?)),
        () = tokio::time::sleep(RUN_WITHIN) => Err(RunError::World(WorldError::Stuck {
            at: recorder.clock().now(),
            blocked: format!("the scenario took longer than {RUN_WITHIN:?}"),
        })),
    };
    world.end().await;
    (played, stopped)
}

pub(crate) fn panicked(panic: &(dyn Any + Send)) -> RunError {
    RunError::Panicked(words_of(panic))
}

/// A panic's own words.
fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    words.unwrap_or("a panic without words").to_owned()
}
