//! The runs of the API. They are made one at a time, on one real cluster, which is started with the first run and kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab_core::report::Report;
use lab_core::scenario::RunSpec;
use lab_core::world::WorldError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::problem::{Kind, Problem};
use super::record::{Record, State};
use crate::adapters::observer::Recorder;
use crate::adapters::time;
use crate::harness::HarnessError;
use crate::real;
use crate::real::error::RunError;
use crate::real::stores::Stores;

/// Runs that are kept, the oldest that is over goes first.
pub const KEPT_MAX: usize = 16;

/// Runs that may wait, besides the one that runs.
pub const QUEUE_MAX: usize = 4;

/// Where the real servers come from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Nodes of a Redis Cluster that somebody else runs; empty: the lab starts its own.
    pub redis: Vec<String>,
    /// The PostgreSQL beside it.
    pub postgres: Option<String>,
}

/// The runs. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Runs(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    queue: mpsc::Sender<Arc<Record>>,
}

struct Kept {
    records: VecDeque<Arc<Record>>,
    /// The last one given out. They do not begin at one: a browser that followed a run of this server's last life comes
    /// back by itself, and must not be shown the rest of another run under the same number.
    last_id: u64,
}

/// What makes the runs, one after another.
pub struct Worker {
    queue: mpsc::Receiver<Arc<Record>>,
    making: Option<Arc<Record>>,
    source: Source,
    stores: Option<Arc<Stores>>,
}

impl Runs {
    /// No runs yet, and the worker that will make them.
    pub fn new(source: Source) -> (Self, Worker) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let kept = Kept { records: VecDeque::new(), last_id: time::incarnation() };
        let shared = Shared { kept: Mutex::new(kept), queue: sender };
        (Self(Arc::new(shared)), Worker { queue, making: None, source, stores: None })
    }

    /// Puts a run into the queue.
    pub(super) fn enqueue(&self, spec: RunSpec, policy: Option<&'static str>) -> Result<u64, Problem> {
        let mut kept = self.kept();
        let id = kept.last_id + 1;
        let record = Arc::new(Record::new(id, spec, policy));
        self.0.queue.try_send(Arc::clone(&record)).map_err(|error| match error {
            TrySendError::Full(_) => {
                let detail = format!("{QUEUE_MAX} runs wait already: try again when one of them is over");
                Problem::new(Kind::Busy, detail)
            }
            TrySendError::Closed(_) => stopped(),
        })?;
        kept.last_id = id;
        kept.records.push_back(record);
        kept.forget();
        Ok(id)
    }

    /// The run of that number, if it is kept.
    pub(super) fn find(&self, id: u64) -> Option<Arc<Record>> {
        self.kept().records.iter().find(|record| record.id == id).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self) {
        while self.records.len() > KEPT_MAX {
            let oldest = self.records.iter().position(|record| record.is_over());
            self.records.remove(oldest.unwrap_or(0));
        }
    }
}

impl Worker {
    /// Makes every run that is asked for, until `stop` is true (or gone) or nobody can ask any more. The run that is
    /// under way then is given up, and cleaned up after. Do not drop this future: it may be at that.
    pub async fn work(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let next = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => None,
                next = self.queue.recv() => next,
            };
            let Some(record) = next else { break };
            self.making = Some(Arc::clone(&record));
            match self.make(&record, &stop).await {
                Ok((recorder, report)) => record.enter(State::Done(recorder, report)),
                Err((recorder, problem)) => record.enter(State::Failed(recorder, problem)),
            }
            self.making = None;
        }
        self.end_stores().await;
    }

    async fn make(
        &mut self,
        record: &Record,
        stop: &watch::Receiver<bool>,
    ) -> Result<(Arc<Recorder>, Arc<Report>), (Option<Arc<Recorder>>, Problem)> {
        let stores = tokio::select! {
            biased;
            () = unwanted(record, stop.clone()) => return Err((None, why_interrupted(record))),
            stores = self.open() => stores,
        };
        let stores = stores.map_err(|error| (None, Problem::new(Kind::NoServers, error.to_string())))?;
        let recorder = Recorder::start();
        record.enter(State::Running(Arc::clone(&recorder)));
        let interrupted = unwanted(record, stop.clone());
        let run = real::run(&stores, &record.spec, Arc::clone(&recorder), interrupted).await;
        drop(stores);
        match run {
            Ok(run) => Ok((recorder, Arc::new(run.report))),
            Err(error) => {
                // After anything but a refused fault a server may be gone: the next run starts them anew.
                if !matches!(error, RunError::World(WorldError::Unsupported { .. })) {
                    self.end_stores().await;
                }
                Err((Some(recorder), problem(&error, record)))
            }
        }
    }

    async fn open(&mut self) -> Result<Arc<Stores>, HarnessError> {
        if let Some(stores) = &self.stores {
            return Ok(Arc::clone(stores));
        }
        let stores = match &self.source.postgres {
            Some(postgres) => Stores::connect_to(&self.source.redis, postgres).await?,
            None => Stores::start().await?,
        };
        Ok(Arc::clone(self.stores.insert(Arc::new(stores))))
    }

    /// Ends the servers that are our own. That waits for processes, which must not hold up anybody's request.
    async fn end_stores(&mut self) {
        let stores = self.stores.take();
        // A panic in there has been told on standard error.
        let _ = tokio::task::spawn_blocking(move || drop(stores)).await;
    }
}

impl Drop for Worker {
    /// Whoever follows a run that will not be made any more is told so.
    fn drop(&mut self) {
        self.queue.close();
        let waiting = std::iter::from_fn(|| self.queue.try_recv().ok());
        for record in self.making.take().into_iter().chain(waiting) {
            record.enter(State::Failed(None, stopped()));
        }
    }
}

/// Comes when the run is given up, or `stop` is true (or gone).
async fn unwanted(record: &Record, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        () = record.given_up() => {}
    }
}

fn why_interrupted(record: &Record) -> Problem {
    if record.is_given_up() {
        return Problem::new(Kind::GivenUp, "its client asked for that (DELETE): POST /api/runs for another");
    }
    stopped()
}

fn stopped() -> Problem {
    Problem::new(
        Kind::Stopped,
        "`lab serve` is ending, or what makes its runs has failed (its own output says why): start it again",
    )
}

fn problem(error: &RunError, record: &Record) -> Problem {
    let kind = match error {
        RunError::Stores(_) => Kind::NoServers,
        RunError::World(_)
        | RunError::Remains { .. }
        | RunError::Left { .. }
        | RunError::NoVerdict { .. }
        | RunError::Deaf(_) => Kind::RunFailed,
        RunError::Panicked(_) => Kind::Internal,
        RunError::Interrupted => return why_interrupted(record),
    };
    Problem::new(kind, error.to_string())
}
