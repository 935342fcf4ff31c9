//! The runs of the API. They are made one at a time, on one real cluster, which is started with the first run and kept.

use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use lab_core::report::Report;
use lab_core::scenario::RunSpec;
use lab_core::world::WorldError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::problem::{Kind, Problem};
use super::record::{Record, State};
use crate::adapters::observer::Recorder;
use crate::adapters::time;
use crate::harness::{Casualty, HarnessError};
use crate::real::disturbance::Disturbance;
use crate::real::error::RunError;
use crate::real::stores::{LEAVE_WITHIN, Stores};
use crate::real::{self, remains};

/// Runs that are kept, the oldest that is over goes first.
pub const KEPT_MAX: usize = 16;

/// Runs that may wait, besides the one that runs.
pub const QUEUE_MAX: usize = 4;

/// Clients that may follow runs at a time: each holds a connection, of which there must be some left.
pub const FOLLOWERS_MAX: usize = 128;

/// Where the real servers come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Nodes of a Redis Cluster that somebody else runs; empty: the lab starts its own.
    pub redis: Vec<String>,
    /// The PostgreSQL beside it.
    pub postgres: Option<String>,
    /// For how long a run may try to leave them.
    pub leave_within: Duration,
}

impl Default for Source {
    /// Servers of the lab's own.
    fn default() -> Self {
        Self { redis: Vec::new(), postgres: None, leave_within: LEAVE_WITHIN }
    }
}

/// The runs. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Runs(Arc<Shared>);

struct Shared {
    desk: Mutex<Desk>,
    /// Told when a run is put into the queue.
    asked: Notify,
    seats: Arc<Semaphore>,
}

struct Desk {
    records: VecDeque<Arc<Record>>,
    /// Those of the records that wait for their turn.
    waiting: VecDeque<Arc<Record>>,
    /// The last one given out. They do not begin at one: a browser that followed a run of this server's last life comes
    /// back by itself, and must not be shown the rest of another run under the same number.
    last_id: u64,
    /// Whether no runs are made any more.
    closed: bool,
}

/// What makes the runs, one after another.
pub struct Worker {
    runs: Runs,
    making: Option<Arc<Record>>,
    source: Source,
    stores: Option<Arc<Stores>>,
}

/// What came of a run; where it had begun, there is a journal.
type Made = Result<(Arc<Recorder>, Arc<Report>), (Option<Arc<Recorder>>, Problem)>;

/// The same, while there may be another try.
type Tried = Result<(Arc<Recorder>, Arc<Report>), (Option<Arc<Recorder>>, Failure)>;

impl Runs {
    /// No runs yet, and the worker that will make them.
    pub fn new(source: Source) -> (Self, Worker) {
        let desk = Desk {
            records: VecDeque::new(),
            waiting: VecDeque::new(),
            last_id: time::incarnation(),
            closed: false,
        };
        let seats = Arc::new(Semaphore::new(FOLLOWERS_MAX));
        let runs = Self(Arc::new(Shared { desk: Mutex::new(desk), asked: Notify::new(), seats }));
        (runs.clone(), Worker { runs, making: None, source, stores: None })
    }

    /// Puts a run into the queue.
    pub(super) fn enqueue(&self, spec: RunSpec, policy: Option<&'static str>) -> Result<u64, Problem> {
        let mut desk = self.desk();
        if desk.closed {
            return Err(stopped());
        }
        if desk.waiting.len() >= QUEUE_MAX {
            let detail = format!("{QUEUE_MAX} runs wait already: try again when one of them is over");
            return Err(Problem::new(Kind::Busy, detail));
        }
        let id = desk.last_id + 1;
        let record = Arc::new(Record::new(id, spec, policy));
        desk.last_id = id;
        desk.waiting.push_back(Arc::clone(&record));
        desk.records.push_back(record);
        desk.forget();
        self.0.asked.notify_one();
        Ok(id)
    }

    /// The run of that number, if it is kept.
    pub(super) fn find(&self, id: u64) -> Option<Arc<Record>> {
        self.desk().records.iter().find(|record| record.id == id).cloned()
    }

    /// Nobody wants that run any more. One that waits is over at once, and its place is free; one that runs ends as soon
    /// as it can; one that is over stays as it is.
    pub(super) fn give_up(&self, record: &Record) {
        record.give_up();
        let mut desk = self.desk();
        if let Some(place) = desk.waiting.iter().position(|waiting| waiting.id == record.id) {
            desk.waiting.remove(place);
            record.enter(State::Failed(None, given_up()));
        }
    }

    /// A place among those that follow runs.
    pub(super) fn seat(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0.seats).try_acquire_owned().map_err(|_| {
            let detail = format!("{FOLLOWERS_MAX} clients follow runs already: close one of them");
            Problem::new(Kind::Busy, detail)
        })
    }

    /// The run that has waited longest, when there is one.
    async fn next(&self) -> Arc<Record> {
        loop {
            // Nothing is missed in between: what is told to nobody is kept for the next one who listens.
            if let Some(record) = self.desk().waiting.pop_front() {
                return record;
            }
            self.0.asked.notified().await;
        }
    }

    /// Takes no more runs, and tells those that follow a waiting one that it will not be made.
    fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        for record in desk.waiting.drain(..) {
            record.enter(State::Failed(None, stopped()));
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn forget(&mut self) {
        while self.records.len() > KEPT_MAX {
            let oldest = self.records.iter().position(|record| record.is_over());
            self.records.remove(oldest.unwrap_or(0));
        }
    }
}

impl Worker {
    /// Makes every run that is asked for, until `stop` is true (or gone). The run that is under way then is given up, and
    /// cleaned up after; those that wait are over at once. Do not drop this future: it may be at that.
    pub async fn work(mut self, mut stop: watch::Receiver<bool>) {
        let (runs, stopping) = (self.runs.clone(), stop.clone());
        let closing = async {
            let _ = stop.wait_for(|stop| *stop).await;
            runs.close();
        };
        tokio::join!(closing, self.make_all(&stopping));
        self.end_stores().await;
    }

    async fn make_all(&mut self, stop: &watch::Receiver<bool>) {
        let mut stopping = stop.clone();
        loop {
            let record = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                record = self.runs.next() => record,
            };
            self.making = Some(Arc::clone(&record));
            let made = match AssertUnwindSafe(self.make(&record, stop)).catch_unwind().await {
                Ok(made) => made,
                Err(panic) => {
                    self.recover().await;
                    Err((record.journal(), panicked(&*panic)))
                }
            };
            match made {
                Ok((recorder, report)) => record.enter(State::Done(recorder, report)),
                Err((recorder, problem)) => record.enter(State::Failed(recorder, problem)),
            }
            self.making = None;
        }
    }

    /// Makes a run. Where our own servers are not fit for it, since another run has left them so or one has died, it is
    /// made on new ones.
    async fn make(&mut self, record: &Record, stop: &watch::Receiver<bool>) -> Made {
        self.bury(record).await;
        let are_own = self.source.postgres.is_none();
        let are_used = are_own && self.stores.is_some();
        let (recorder, failure) = match self.try_once(record, stop).await {
            Ok(made) => return Ok(made),
            Err(failed) => failed,
        };
        let unfit = match &failure {
            Failure::Run(RunError::Stores(why)) if are_used => Some(why.to_string()),
            Failure::Run(error) if are_own && has_nothing(recorder.as_ref()) => died_before(error),
            _ => None,
        };
        let Some(why) = unfit else { return Err((recorder, failure.problem(record))) };
        tell(record, format!("the servers were not fit for another run, and were started anew: {why}"));
        let again = self.try_once(record, stop).await;
        again.map_err(|(recorder, failure)| (recorder, failure.problem(record)))
    }

    /// Looks whether servers of ours have died since the last run; then the next one gets new ones, and is told so.
    async fn bury(&mut self, record: &Record) {
        let casualties = self.stores.as_ref().map(|stores| stores.harness().casualties()).unwrap_or_default();
        if casualties.is_empty() {
            return;
        }
        let told: Vec<_> = casualties.iter().map(in_short).collect();
        tell(record, format!("before this run {}: all servers were started anew", told.join(" and ")));
        self.end_stores().await;
    }

    async fn try_once(&mut self, record: &Record, stop: &watch::Receiver<bool>) -> Tried {
        let stores = tokio::select! {
            biased;
            () = unwanted(record, stop.clone()) => return Err((None, Failure::Run(RunError::Interrupted))),
            stores = self.open() => stores,
        };
        let stores = stores.map_err(|error| (None, Failure::Servers(error)))?;
        let recorder = Recorder::start();
        record.enter(State::Running(Arc::clone(&recorder)));
        let interrupted = unwanted(record, stop.clone());
        let run = real::run(&stores, &record.spec, Arc::clone(&recorder), interrupted).await;
        let are_whole =
            stores.harness().casualties().is_empty() && run.as_ref().map_or_else(leaves_whole, |_| true);
        drop(stores);
        if !are_whole {
            self.end_stores().await;
        }
        match run {
            Ok(run) => Ok((recorder, Arc::new(run.report))),
            // It has a verdict, which is not lost with what remains.
            Err(RunError::Left { run, left }) => {
                let left = remains::list(&left);
                tell(record, format!("the run is over, but then the lab could not clean up:\n{left}"));
                Ok((recorder, Arc::new(run.report)))
            }
            Err(error) => Err((Some(recorder), Failure::Run(error))),
        }
    }

    async fn open(&mut self) -> Result<Arc<Stores>, HarnessError> {
        if let Some(stores) = &self.stores {
            return Ok(Arc::clone(stores));
        }
        let stores = match &self.source.postgres {
            Some(postgres) => {
                Stores::connect_for(&self.source.redis, postgres, self.source.leave_within).await?
            }
            None => Stores::start().await?,
        };
        Ok(Arc::clone(self.stores.insert(Arc::new(stores))))
    }

    /// After a panic nobody knows how far a run was: what it may have brought to somebody else's servers is taken away,
    /// and the next run begins with a new connection, or with new servers.
    async fn recover(&mut self) {
        if let Some(stores) = self.stores.clone() {
            // If that fails or panics too, the run has failed already, and was told so.
            let _ = AssertUnwindSafe(stores.leave()).catch_unwind().await;
        }
        self.end_stores().await;
    }

    /// Ends the servers that are our own. That waits for processes, which must not hold up anybody's request.
    async fn end_stores(&mut self) {
        let Some(stores) = self.stores.take() else { return };
        let (ended, end) = oneshot::channel::<()>();
        // Where no thread can be had they are dropped here, with what would have done it.
        let _ = thread::Builder::new().name("end the servers".to_owned()).spawn(move || {
            drop(stores);
            drop(ended);
        });
        // Nothing is ever sent: it is closed when they have ended, or the thread has panicked, and has told so.
        let _ = end.await;
    }
}

impl Drop for Worker {
    /// Whoever follows a run that will not be made any more is told so.
    fn drop(&mut self) {
        self.runs.close();
        if let Some(record) = self.making.take() {
            record.enter(State::Failed(record.journal(), stopped()));
        }
    }
}

/// Tells something to whoever asked for a run, and to whoever runs the lab.
fn tell(record: &Record, notice: String) {
    // A standard error that is closed is nobody's loss but its own.
    let _ = writeln!(io::stderr(), "run {}: {notice}", record.id);
    record.notice(notice);
}

/// Comes when the run is given up, or `stop` is true (or gone).
async fn unwanted(record: &Record, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        () = record.given_up() => {}
    }
}

/// Whether servers that live are as good as before after a run that ended so: it was given up or refused, or the mistake
/// was not theirs. After anything else one may hang, and the next run starts them anew.
fn leaves_whole(error: &RunError) -> bool {
    matches!(
        error,
        RunError::Interrupted
            | RunError::Panicked(_)
            | RunError::Left { .. }
            | RunError::World(WorldError::Unsupported { .. })
    )
}

/// Whether nothing of a run was recorded.
fn has_nothing(recorder: Option<&Arc<Recorder>>) -> bool {
    recorder.is_none_or(|recorder| recorder.follow().borrow().events == 0)
}

/// Which servers had died, if a run has no verdict for no other reason.
fn died_before(error: &RunError) -> Option<String> {
    let dead = error.disturbances()?.iter().map(|disturbance| match disturbance {
        Disturbance::Died(casualty) => Some(in_short(casualty)),
        _ => None,
    });
    Some(dead.collect::<Option<Vec<_>>>()?.join(" and "))
}

fn in_short(Casualty { server, how, .. }: &Casualty) -> String {
    format!("{server} ended ({how})")
}

fn why_interrupted(record: &Record) -> Problem {
    if record.is_given_up() { given_up() } else { stopped() }
}

fn given_up() -> Problem {
    Problem::new(Kind::GivenUp, "its client asked for that (DELETE): POST /api/runs for another")
}

pub(super) fn stopped() -> Problem {
    Problem::new(
        Kind::Stopped,
        "`lab serve` is ending, or what makes its runs has failed (its own output says why): start it again",
    )
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    problem_of(Kind::Internal, &real::panicked(panic))
}

/// Why a run did not come to its end.
enum Failure {
    /// There were no servers for it.
    Servers(HarnessError),
    /// It failed itself.
    Run(RunError),
}

impl Failure {
    fn problem(&self, record: &Record) -> Problem {
        match self {
            Self::Servers(error) => Problem::new(Kind::NoServers, error.to_string()),
            Self::Run(error) => problem(error, record),
        }
    }
}

fn problem(error: &RunError, record: &Record) -> Problem {
    let kind = match error {
        RunError::Stores(_) => Kind::NoServers,
        RunError::NoVerdict { .. } => Kind::NoVerdict,
        RunError::World(_) | RunError::Remains { .. } | RunError::Left { .. } | RunError::Deaf(_) => {
            Kind::RunFailed
        }
        RunError::Panicked(_) => Kind::Internal,
        RunError::Interrupted => return why_interrupted(record),
    };
    problem_of(kind, error)
}

fn problem_of(kind: Kind, error: &RunError) -> Problem {
    Problem::new(kind, error.to_string())
}
