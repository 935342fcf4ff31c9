//! Connections: how many there may be, and how long one may take. Whoever comes to fill the server with connections
//! that say nothing, or say it slowly, keeps nobody else out.
//!
//! A connection is half open until its first request has arrived; of those the oldest makes room for a new one, since
//! an honest client's request comes at once. It has had its time for that first: in a burst, newcomers wait until a
//! request has arrived or the oldest has had long enough. One that asks keeps its place, and a newcomer beyond the last
//! place is told so. A request's body has its limits where it is read.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use super::problem::{Kind, Problem};

/// Between two tries when the system has no file descriptor left for a connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Connections beyond the last place that are told so; more are closed without a word.
const TURNED_AWAY_MAX: usize = 32;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections whose first request has not arrived.
    pub half_open: usize,
    /// The time that a half-open connection keeps its place for in any case.
    pub half_open_for: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// The time for a request's head, from the end of the one before.
    pub head_within: Duration,
    /// The time for which a client may read nothing of what is sent to it.
    pub write_within: Duration,
    /// The time that requests have left when the server ends.
    pub end_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            half_open: 64,
            half_open_for: Duration::from_millis(250),
            head_bytes: 32 * 1024,
            head_within: Duration::from_secs(10),
            write_within: Duration::from_secs(30),
            end_within: Duration::from_secs(2),
        }
    }
}

/// A server that takes connections, until it is dropped.
pub struct Server {
    accepting: JoinSet<()>,
    hall: Arc<Hall>,
}

/// What every connection shares.
struct Hall {
    app: Router,
    limits: Limits,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    half_open: Mutex<HalfOpen>,
    /// Told when a connection is half open no more, or has left its place.
    room: Notify,
    /// Whether connections are to end with the request that they are at.
    ending: watch::Sender<bool>,
}

/// The connections whose first request has not arrived, the oldest first, each with what closes it.
#[derive(Default)]
struct HalfOpen {
    last: u64,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    number: u64,
    since: Instant,
    close: oneshot::Sender<()>,
}

/// Whether there is room for one more.
enum Room {
    Now,
    /// When the oldest may be closed for it.
    At(Instant),
    /// None is half open.
    Never,
}

impl Server {
    /// Takes connections from now on.
    pub fn start(listeners: Vec<TcpListener>, app: Router, limits: Limits) -> Self {
        let hall = Arc::new(Hall {
            app,
            limits,
            places: Arc::new(Semaphore::new(limits.connections)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            half_open: Mutex::default(),
            room: Notify::new(),
            ending: watch::Sender::new(false),
        });
        let accepting = listeners.into_iter().map(|listener| accept(listener, Arc::clone(&hall))).collect();
        Self { accepting, hall }
    }

    /// Takes no more connections, and lets those that there are come to the end of their requests, within a limit.
    pub async fn end(mut self) {
        self.accepting.shutdown().await;
        self.hall.ending.send_replace(true);
        let Limits { connections, end_within, .. } = self.hall.limits;
        let every = u32::try_from(connections).unwrap_or(u32::MAX);
        // What is still open after that is closed by the runtime's end.
        let _ = tokio::time::timeout(end_within, self.hall.places.acquire_many(every)).await;
    }
}

async fn accept(listener: TcpListener, hall: Arc<Hall>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                hall.receive(stream).await;
                // Those that are here already have their turn before the next one comes.
                tokio::task::yield_now().await;
            }
            // Some errors are one connection's own; with others only time helps.
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
        }
    }
}

impl Hall {
    /// Gives a connection a place, if need be that of the oldest one that has asked nothing yet, or tells it that there
    /// is none. Whoever comes meanwhile is kept waiting by the system.
    async fn receive(self: &Arc<Self>, stream: TcpStream) {
        let Some(place) = self.place().await else { return self.turn_away(stream) };
        let (number, closed) = self.half_open().enter();
        let hall = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // The sender is dropped without a word when the first request has arrived.
                Ok(()) = closed => {}
                () = hall.serve(stream, Some(number)) => {}
            }
            hall.half_open().leave(number);
            drop(place);
            hall.room.notify_waiters();
        });
    }

    /// Waits for room among the half-open ones, and for a place; `None` where every place is taken by one that asks.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            // From here on it hears of every change.
            let changed = self.room.notified();
            let place = Arc::clone(&self.places).try_acquire_owned().ok();
            let max = if place.is_some() { self.limits.half_open } else { 0 };
            let room = self.half_open().room(max, self.limits.half_open_for);
            match (room, place) {
                (Room::Now, Some(place)) => return Some(place),
                // The oldest was closed, and leaves its place.
                (Room::Now, None) => return Arc::clone(&self.places).acquire_owned().await.ok(),
                (Room::At(instant), place) => {
                    drop(place);
                    let _ = tokio::time::timeout_at(instant.into(), changed).await;
                }
                (Room::Never, _) => return None,
            }
        }
    }

    /// Tells a connection that there is no place for it; of more of those than can be told, nothing is heard.
    fn turn_away(self: &Arc<Self>, stream: TcpStream) {
        if let Ok(place) = Arc::clone(&self.turned_away).try_acquire_owned() {
            let hall = Arc::clone(self);
            tokio::spawn(async move {
                hall.serve(stream, None).await;
                drop(place);
            });
        }
    }

    /// Answers the requests of one connection; where it has no number, that there is no place.
    async fn serve(&self, stream: TcpStream, number: Option<u64>) {
        // Events are small and wanted at once. Where that cannot be had, they come later.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_within));
        let answer = service_fn(|request: Request<Incoming>| async move {
            let Some(number) = number else { return Ok::<_, Infallible>(full()) };
            self.half_open().leave(number);
            self.room.notify_waiters();
            // A router always answers.
            self.app.clone().oneshot(request.map(Body::new)).await
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_within)
            .max_buf_size(self.limits.head_bytes)
            .serve_connection(TokioIo::new(Box::pin(stream)), answer);
        let mut connection = pin!(connection);
        let mut ending = self.ending.subscribe();
        // What breaks a connection is its client's doing, and the client knows.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    fn half_open(&self) -> MutexGuard<'_, HalfOpen> {
        self.half_open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HalfOpen {
    /// Takes in a connection. Answers its number, and what is told when it is to be closed.
    fn enter(&mut self) -> (u64, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        self.last += 1;
        self.waiting.push_back(Waiting { number: self.last, since: Instant::now(), close });
        (self.last, closed)
    }

    /// Whether one more may come in where there may be `max`; closes the oldest for it, once it has waited for so long.
    fn room(&mut self, max: usize, at_least: Duration) -> Room {
        if self.waiting.len() < max {
            return Room::Now;
        }
        let Some(until) = self.waiting.front().map(|oldest| oldest.since + at_least) else {
            return Room::Never;
        };
        if Instant::now() < until {
            return Room::At(until);
        }
        if let Some(oldest) = self.waiting.pop_front() {
            // It may have ended by itself.
            let _ = oldest.close.send(());
        }
        Room::Now
    }

    /// A connection has sent its first request, or has ended.
    fn leave(&mut self, number: u64) {
        if let Ok(found) = self.waiting.binary_search_by_key(&number, |waiting| waiting.number) {
            self.waiting.remove(found);
        }
    }
}

/// What is answered where every place is taken.
fn full() -> Response<Body> {
    let detail = "too many connections are open to this lab: close pages that follow a run, and try again";
    let mut answer = Problem::new(Kind::Full, detail).into_response();
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}
