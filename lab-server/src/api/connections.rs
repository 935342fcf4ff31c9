//! Connections: how many there may be, and how long one may take. Whoever comes to fill the server with connections
//! that say nothing, or say it slowly, keeps nobody else out.
//!
//! A connection is half open until its first request has arrived; of those the oldest makes room for a new one, since
//! an honest client's request comes at once. It has had its time for that first: in a burst, newcomers wait until a
//! request has arrived or the oldest has had long enough. Where every place is taken, the connection that has been idle
//! longest, between two requests, makes room too: its client opens another when it has something to ask. One whose
//! request is under way, up to the last byte of its answer, keeps its place, and a newcomer beyond the last place is
//! told so. A request's body has its limits where it is read.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Response, header};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use super::problem::{Kind, Problem};

/// Between two tries when the system has no file descriptor left for a connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Connections beyond the last place that are told so; more are closed without a word.
const TURNED_AWAY_MAX: usize = 32;

/// What an idle connection that is to make room may take for the rest of an answer that its client has not read yet.
const LEAVES_WITHIN: Duration = Duration::from_millis(100);

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
    guests: Mutex<Guests>,
    /// Told when a connection waits no more, or waits again, or has left its place.
    room: Notify,
    /// Whether connections are to end with the request that they are at.
    ending: watch::Sender<bool>,
}

/// The connections that have a place.
#[derive(Default)]
struct Guests {
    last: u64,
    /// Those whose first request has not arrived, the oldest first.
    half_open: VecDeque<Guest>,
    /// Those between two requests, the one that has been idle longest first.
    idle: VecDeque<Guest>,
    /// Those that have asked, and whether a request is under way.
    asked: BTreeMap<u64, bool>,
}

/// One connection.
#[derive(Clone)]
struct Guest {
    number: u64,
    /// Since when it has been waiting.
    since: Instant,
    /// Told when it is to make room.
    close: Arc<Notify>,
}

/// Whether there is room for one more.
enum Room {
    Now,
    /// When this one leaves, which has been told to.
    Soon,
    /// When the oldest may be closed for it.
    At(Instant),
    /// None waits.
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
            guests: Mutex::default(),
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
    /// Gives a connection a place, if need be that of one that waits, or tells it that there is none. Whoever comes
    /// meanwhile is kept waiting by the system.
    async fn receive(self: &Arc<Self>, stream: TcpStream) {
        let Some(place) = self.place().await else { return self.turn_away(stream) };
        let guest = self.guests().enter();
        let hall = Arc::clone(self);
        tokio::spawn(async move {
            hall.serve(stream, Some(&guest)).await;
            hall.guests().leave(guest.number);
            drop(place);
            hall.room.notify_waiters();
        });
    }

    /// Waits for room among the half-open ones, and for a place; `None` where every place is taken by one that asks.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let Limits { half_open, half_open_for, .. } = self.limits;
        loop {
            // From here on it hears of every change.
            let changed = self.room.notified();
            let place = Arc::clone(&self.places).try_acquire_owned().ok();
            let room = match &place {
                Some(_) => self.guests().room_among_half_open(half_open, half_open_for),
                None => self.guests().room(half_open_for),
            };
            let until = match (room, place) {
                (Room::Now, Some(place)) => return Some(place),
                (Room::Now | Room::Soon, _) => Instant::now() + LEAVES_WITHIN,
                (Room::At(instant), _) => instant,
                (Room::Never, _) => return None,
            };
            let _ = tokio::time::timeout_at(until.into(), changed).await;
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

    /// Answers the requests of one connection; where it is nobody's guest, that there is no place.
    async fn serve(self: &Arc<Self>, stream: TcpStream, guest: Option<&Guest>) {
        // Events are small and wanted at once. Where that cannot be had, they come later.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_within));
        let answer = service_fn(|request: Request<Incoming>| async move {
            let Some(guest) = guest else { return Ok::<_, Infallible>(full()) };
            let asking = self.asking(guest);
            // A router always answers.
            let answer = self.app.clone().oneshot(request.map(Body::new)).await?;
            Ok(answer.map(|body| Body::new(Answer { body, _asking: asking })))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_within)
            .max_buf_size(self.limits.head_bytes)
            .serve_connection(TokioIo::new(Box::pin(stream)), answer);
        let mut connection = pin!(connection);
        let mut ending = self.ending.subscribe();
        let closed = async {
            match guest {
                Some(guest) => guest.close.notified().await,
                None => std::future::pending().await,
            }
        };
        // What breaks a connection is its client's doing, and the client knows.
        let makes_room = tokio::select! {
            _ = connection.as_mut() => return,
            () = closed => true,
            _ = async { ending.wait_for(|ending| *ending).await.map(drop) } => false,
        };
        let asks = || guest.and_then(|guest| self.guests().asked.get(&guest.number).copied());
        if makes_room && asks().is_none() {
            return;
        }
        connection.as_mut().graceful_shutdown();
        if makes_room {
            let left = tokio::time::timeout(LEAVES_WITHIN, connection.as_mut()).await;
            // Its next request may have come at the same instant: that is answered.
            if left.is_ok() || asks() != Some(true) {
                return;
            }
        }
        let _ = connection.await;
    }

    /// A request of a connection has arrived.
    fn asking(self: &Arc<Self>, guest: &Guest) -> Asking {
        self.guests().asks(guest.number);
        self.room.notify_waiters();
        Asking { hall: Arc::clone(self), guest: guest.clone() }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, up to the last byte of its answer. Then its connection is idle.
struct Asking {
    hall: Arc<Hall>,
    guest: Guest,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.hall.guests().rests(&self.guest);
        self.hall.room.notify_waiters();
    }
}

/// An answer's body, which tells when it has been sent.
struct Answer {
    body: Body,
    _asking: Asking,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Guests {
    /// Takes in a connection, half open.
    fn enter(&mut self) -> Guest {
        self.last += 1;
        let guest = Guest { number: self.last, since: Instant::now(), close: Arc::default() };
        self.half_open.push_back(guest.clone());
        guest
    }

    /// Whether one more may come in where so many may be half open; closes the oldest for it, once it has waited for so
    /// long.
    fn room_among_half_open(&mut self, max: usize, at_least: Duration) -> Room {
        if self.half_open.len() < max {
            return Room::Now;
        }
        let Some(until) = self.half_open.front().map(|oldest| oldest.since + at_least) else {
            return Room::Never;
        };
        if Instant::now() < until {
            return Room::At(until);
        }
        if let Some(oldest) = self.half_open.pop_front() {
            oldest.close.notify_one();
        }
        Room::Now
    }

    /// Where every place is taken: closes the oldest half-open one that has had its time, or the one that has been idle
    /// longest.
    fn room(&mut self, at_least: Duration) -> Room {
        match self.room_among_half_open(0, at_least) {
            Room::Now => Room::Soon,
            later => self.idle.pop_front().map_or(later, |longest| {
                longest.close.notify_one();
                Room::Soon
            }),
        }
    }

    /// A request of a connection has arrived.
    fn asks(&mut self, number: u64) {
        self.leave(number);
        self.asked.insert(number, true);
    }

    /// The answer has been sent.
    fn rests(&mut self, guest: &Guest) {
        self.asked.insert(guest.number, false);
        self.idle.push_back(Guest { since: Instant::now(), ..guest.clone() });
    }

    /// A connection has ended.
    fn leave(&mut self, number: u64) {
        self.asked.remove(&number);
        for waiting in [&mut self.half_open, &mut self.idle] {
            waiting.retain(|guest| guest.number != number);
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
