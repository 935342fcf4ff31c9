//! The simulator: a whole cluster in virtual time, deterministic from a seed.
//!
//! * [`kernel`]: the state of everything and the agenda of what happens next
//! * [`branch`]: what somebody does to a run that is under way
//! * [`executor`]: polls the code under study; the seed picks who is next
//! * [`busy`]: servers whose tasks wait for their turn
//! * [`random`]: independent streams of chance from one seed
//! * [`network`]: how long a message takes, and what a fault does to it
//! * [`redis`], [`postgres`]: plain state machines
//! * [`adapters`]: the ports over all this
//! * [`world`]: what a scenario drives
//!
//! Only the code under study is async. Redis, `PostgreSQL` and the bus are synchronous and keep to the
//! real systems' rules.

mod adapters;
mod branch;
mod busy;
mod executor;
mod kernel;
mod network;
mod postgres;
pub(crate) mod random;
mod redis;
mod world;

use std::sync::{Arc, Mutex};

pub use adapters::SimPorts;
pub use busy::Pace;
pub use world::SimWorld;

use crate::policy::Policy;
use crate::scenario::{self, Run, RunSpec};
use crate::trace::{self, Trace};
use crate::value::ServerId;
use crate::world::{ClusterSpec, WorldError};
use branch::Branch;
use executor::Executor;
use kernel::Kernel;

/// Computes a whole run.
///
/// # Errors
/// When the scenario asks for what the simulator cannot do, or the run does not come to an end.
pub fn run(spec: &RunSpec) -> Result<Run, WorldError> {
    let mut simulation = Simulation::new(spec);
    loop {
        if let Progress::Done(result) = simulation.advance(u32::MAX) {
            return result;
        }
    }
}

/// Runs a body over a world of its own, and gives what it returns and what happened: how the world's own promises
/// are tested.
///
/// # Errors
/// When the body waits for what never comes.
pub fn on_world<F, T>(seed: u64, body: impl FnOnce(SimWorld) -> F) -> Result<(T, Trace), WorldError>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    on_world_at(Pace::AtOnce, seed, body)
}

/// The same, with servers of this pace.
///
/// # Errors
/// As for [`on_world`].
pub fn on_world_at<F, T>(
    pace: Pace,
    seed: u64,
    body: impl FnOnce(SimWorld) -> F,
) -> Result<(T, Trace), WorldError>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (kernel, mut executor) = (Kernel::new(seed), Executor::new(seed, pace));
    let body = body(SimWorld::new(kernel.clone()));
    let outcome = Arc::new(Mutex::new(None));
    let result = Arc::clone(&outcome);
    let task = async move { *result.lock().expect("no holder panics") = Some(body.await) };
    executor.spawn(None, Box::pin(trace::scope(None, None, task)));
    while !executor.is_over() {
        if !executor.step(&kernel) {
            return Err(executor.stuck(&kernel));
        }
    }
    executor.end();
    let outcome = outcome.lock().expect("no holder panics").take();
    let outcome = outcome.ok_or_else(|| WorldError::Broken("the body ended without a result".to_owned()))?;
    Ok((outcome, kernel.take_trace()))
}

/// Runs a body over the bare ports of so many servers, whose caches stay idle: how the port contract is tested.
///
/// # Errors
/// When the body waits for what never comes.
pub fn on_ports<F, T>(seed: u64, servers: u8, body: impl FnOnce(Vec<SimPorts>) -> F) -> Result<T, WorldError>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let idle = ClusterSpec::new(Policy::lesson());
    let on_ports = |world: SimWorld| {
        let ports = (1..=servers).map(|server| world.add_server(ServerId(server), &idle));
        body(ports.collect())
    };
    on_world(seed, on_ports).map(|(outcome, _)| outcome)
}

/// How far a simulation is.
#[derive(Debug)]
pub enum Progress {
    /// There is more to do.
    Running,
    /// The run is over.
    Done(Result<Run, WorldError>),
}

/// A run that is computed in slices, so that a page can breathe in between.
pub struct Simulation {
    spec: RunSpec,
    kernel: Kernel,
    executor: Executor,
    branch: Branch,
    outcome: Arc<Mutex<Option<Result<(), WorldError>>>>,
}

impl Simulation {
    /// A run that has not begun.
    pub fn new(spec: &RunSpec) -> Self {
        let kernel = Kernel::new(spec.seed);
        let mut executor = Executor::new(spec.seed, Pace::AtOnce);
        let outcome = Arc::new(Mutex::new(None));
        let (world, result, body) = (SimWorld::new(kernel.clone()), Arc::clone(&outcome), spec.clone());
        executor.spawn(
            None,
            Box::pin(async move {
                let play = scenario::play(body.scenario, &world, &body.policy, &body.settings);
                let played = trace::scope(None, None, play).await;
                *result.lock().expect("no holder panics") = Some(played);
            }),
        );
        let branch = Branch::new(&spec.interventions);
        Self { spec: spec.clone(), kernel, executor, branch, outcome }
    }

    /// Goes on for at most so many steps (a step is one poll of a task, or one arrival).
    pub fn advance(&mut self, steps_max: u32) -> Progress {
        if let Err(error) = self.spec.validate() {
            return Progress::Done(Err(error));
        }
        for _ in 0..steps_max {
            if let Err(error) = self.branch.intervene(&mut self.executor, &self.kernel) {
                return Progress::Done(Err(error));
            }
            if !self.executor.step(&self.kernel) {
                return Progress::Done(Err(self.executor.stuck(&self.kernel)));
            }
            if self.executor.is_over() {
                let played = self.outcome.lock().expect("no holder panics").take();
                return Progress::Done(played.unwrap_or(Ok(())).map(|()| self.finish()));
            }
        }
        Progress::Running
    }

    /// Steps so far: polls and arrivals.
    pub fn steps(&self) -> u64 {
        self.executor.steps()
    }

    fn finish(&mut self) -> Run {
        self.executor.end();
        let trace = self.kernel.take_trace();
        let report = scenario::judge(self.spec.scenario, &trace, &self.spec.settings);
        Run { trace, report }
    }
}
