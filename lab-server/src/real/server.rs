//! An app server: an OS thread with a tokio runtime of its own, its own connections and its own cache. To kill it is to
//! drop the runtime, which drops its tasks and closes its sockets.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use lab_core::cache::TieredCache;
use lab_core::consistency::Session;
use lab_core::policy::Policy;
use lab_core::ports::traced::Traced;
use lab_core::service::{self, Request, Response};
use lab_core::trace::{self, Actor, EventId, Kind, Note, OperationId};
use lab_core::value::ServerId;
use lab_core::world::WorldError;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use crate::adapters::observer::Recorder;
use crate::adapters::{Connect, RealPorts};

type Cache = TieredCache<Traced<RealPorts>>;

/// Requests that wait to be taken by a server's thread; whoever sends more waits.
const QUEUE_MAX: usize = 4096;

/// A client's request on its way to a server.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) session: Arc<Session>,
    pub(super) operation: OperationId,
    /// The event of the client's sending it.
    pub(super) sent: EventId,
    pub(super) reply: oneshot::Sender<(Response, EventId)>,
}

/// A server that starts or runs. Dropping it kills it.
pub(super) struct Server {
    jobs: mpsc::Sender<Job>,
    /// Its end, sent or dropped, kills.
    kill: oneshot::Sender<()>,
    pauses: mpsc::UnboundedSender<Pause>,
    /// Where it is paused: told, it goes on; dropped, it dies.
    resume: Option<std::sync::mpsc::Sender<()>>,
    dead: Dead,
    thread: JoinHandle<()>,
}

/// A wish that the server stand still.
struct Pause {
    in_force: oneshot::Sender<()>,
    over: std::sync::mpsc::Receiver<()>,
}

/// Told when the server has come to life, or why it has not.
pub(super) type Ready = oneshot::Receiver<Result<(), String>>;

/// Closed when the server does, holds and notes nothing any more.
pub(super) type Dead = oneshot::Receiver<Infallible>;

impl Server {
    /// Starts a server's thread. It is of use once it is [`ready`].
    pub(super) fn spawn(connect: Connect, policy: Policy) -> Result<(Self, Ready), WorldError> {
        let server = connect.server;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (kill, killed) = oneshot::channel();
        let (pauses, wishes) = mpsc::unbounded_channel();
        let (ready, is_ready) = oneshot::channel();
        let (alive, dead) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(server.to_string())
            .spawn(move || {
                live(connect, policy, queue, Orders { killed, pauses: wishes }, ready);
                // Last of all, also when the server panics.
                drop(alive);
            })
            .map_err(|error| did_not_start(server, &error.to_string()))?;
        Ok((Self { jobs, kill, pauses, resume: None, dead, thread }, is_ready))
    }

    /// Where its requests go.
    pub(super) fn jobs(&self) -> mpsc::Sender<Job> {
        self.jobs.clone()
    }

    /// Lets its thread stand still, with all its tasks and timers; told when it does.
    pub(super) fn pause(&mut self) -> oneshot::Receiver<()> {
        let (in_force, is_in_force) = oneshot::channel();
        let (resume, over) = std::sync::mpsc::channel();
        // It may have died by itself.
        let _ = self.pauses.send(Pause { in_force, over });
        self.resume = Some(resume);
        is_in_force
    }

    /// Lets it go on.
    pub(super) fn resume(&mut self) {
        if let Some(resume) = self.resume.take() {
            let _ = resume.send(());
        }
    }

    /// Lets it die at once: what it was doing is dropped, and so is what waits for it. The thread is to be joined.
    pub(super) fn kill(self) -> (Dead, JoinHandle<()>) {
        // It may have died by itself.
        let _ = self.kill.send(());
        drop(self.resume);
        (self.dead, self.thread)
    }
}

/// Waits until a server is connected and subscribed.
pub(super) async fn ready(server: ServerId, is_ready: Ready) -> Result<(), WorldError> {
    let started = is_ready.await.map_err(|_| did_not_start(server, "its thread is gone"))?;
    started.map_err(|why| did_not_start(server, &why))
}

fn did_not_start(server: ServerId, why: &str) -> WorldError {
    WorldError::Broken(format!("{server} did not start: {why}"))
}

/// What a server is told from outside.
struct Orders {
    killed: oneshot::Receiver<()>,
    pauses: mpsc::UnboundedReceiver<Pause>,
}

/// The server's whole life.
fn live(
    connect: Connect,
    policy: Policy,
    queue: mpsc::Receiver<Job>,
    orders: Orders,
    ready: oneshot::Sender<Result<(), String>>,
) {
    // Where nobody waits for the answer any more, nobody needs the server: it ends either way.
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error.to_string()));
            return;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            // First: a server that is killed takes nothing more out of its queue.
            biased;
            _ = orders.killed => {}
            () = stand_still(orders.pauses) => {}
            () = serve(connect, policy, queue, ready) => {}
        }
    });
    runtime.shutdown_background();
}

/// Stands still whenever that is wished, and the whole runtime with it: it has this one thread. Ends when the server was
/// killed meanwhile, before any other task gets a turn.
async fn stand_still(mut pauses: mpsc::UnboundedReceiver<Pause>) {
    while let Some(Pause { in_force, over }) = pauses.recv().await {
        let _ = in_force.send(());
        if over.recv().is_err() {
            return;
        }
    }
}

/// Connects, and takes requests as long as somebody can send some.
async fn serve(
    connect: Connect,
    policy: Policy,
    mut queue: mpsc::Receiver<Job>,
    ready: oneshot::Sender<Result<(), String>>,
) {
    let (server, recorder) = (connect.server, Arc::clone(&connect.recorder));
    let cache = match open(connect, policy).await {
        Ok(cache) => cache,
        Err(why) => {
            let _ = ready.send(Err(why));
            return;
        }
    };
    if ready.send(Ok(())).is_err() {
        return;
    }
    while let Some(job) = queue.recv().await {
        tokio::spawn(answer(cache.clone(), server, Arc::clone(&recorder), job));
    }
}

async fn open(connect: Connect, policy: Policy) -> Result<Cache, String> {
    let ports = RealPorts::connect(connect).await.map_err(|error| error.to_string())?;
    let cache = TieredCache::new(Traced::new(ports), policy);
    cache.start().await.map_err(|error| error.to_string())?;
    Ok(cache)
}

/// Answers a request, as a part of its operation.
async fn answer(cache: Cache, server: ServerId, recorder: Arc<Recorder>, job: Job) {
    let Job { request, session, operation, sent, reply } = job;
    let actor = Actor::Server(server);
    let serving = async {
        let key = request.key().clone();
        let received = recorder.note(actor, Note::new(Kind::Received { request: request.kind() }).key(&key));
        trace::set_cause(Some(received));
        let response = service::serve(&cache, &session, request).await;
        let answered = recorder.note(actor, response.answered(&key));
        (response, answered)
    };
    // Boxed: a request's future is large, and every task would carry it inline.
    let answered = trace::scope(Some(operation), Some(sent), Box::pin(serving)).await;
    // A client that is gone is told nothing.
    let _ = reply.send(answered);
}
