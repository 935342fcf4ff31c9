//! The runs of the API. They are made one at a time, on one real cluster, which is started with the first run and kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab_core::scenario::RunSpec;
use lab_core::world::WorldError;
use tokio::sync::mpsc;

use super::problem::{Kind, Problem};
use super::record::{Record, State};
use crate::adapters::observer::Recorder;
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

#[derive(Default)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    last_id: u64,
}

/// What makes the runs, one after another.
pub struct Worker {
    queue: mpsc::Receiver<Arc<Record>>,
    source: Source,
    stores: Option<Arc<Stores>>,
}

impl Runs {
    /// No runs yet, and the worker that will make them.
    pub fn new(source: Source) -> (Self, Worker) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let shared = Shared { kept: Mutex::default(), queue: sender };
        (Self(Arc::new(shared)), Worker { queue, source, stores: None })
    }

    /// Puts a run into the queue.
    pub(super) fn enqueue(&self, spec: RunSpec, policy: Option<&'static str>) -> Result<u64, Problem> {
        let mut kept = self.kept();
        let id = kept.last_id + 1;
        let record = Arc::new(Record::new(id, spec, policy));
        self.0.queue.try_send(Arc::clone(&record)).map_err(|_| {
            let detail = format!("{QUEUE_MAX} runs wait already: try again when one is done");
            Problem::new(Kind::Busy, detail)
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
    /// Makes every run that is asked for, until nobody can ask any more.
    pub async fn work(mut self) {
        while let Some(record) = self.queue.recv().await {
            self.make(&record).await;
        }
    }

    async fn make(&mut self, record: &Record) {
        let stores = match self.open().await {
            Ok(stores) => stores,
            Err(error) => {
                record.enter(State::Failed(None, Problem::new(Kind::NoServers, error.to_string())));
                return;
            }
        };
        let recorder = Recorder::start();
        record.enter(State::Running(Arc::clone(&recorder)));
        match real::run(&stores, &record.spec, Arc::clone(&recorder), std::future::pending()).await {
            Ok(run) => record.enter(State::Done(recorder, Arc::new(run.report))),
            Err(error) => {
                if matches!(error, RunError::World(WorldError::Broken(_))) {
                    // A server may be gone: the next run starts them anew.
                    self.stores = None;
                }
                record.enter(State::Failed(Some(recorder), Problem::new(Kind::RunFailed, error.to_string())));
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
}
