//! The kernel: the state of everything that is not the code under study, and the agenda of what arrives when.
//!
//! A server's call becomes an [`Envelope`] that the network carries to a node; the node, a plain state machine,
//! carries it out and sends an answer back, which wakes the task that waits. Everything is ordered by time and, at
//! one instant, by when it was put on the agenda.

mod calls;
mod carrier;
mod connections;
mod deliver;
mod failover;
mod faults;
mod pool;
mod send;
mod slots;
mod transport;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

pub(super) use calls::{Pending, Reply};
pub(super) use slots::Number;

use super::SimPorts;
use super::network::Network;
use super::postgres::{Postgres, Record, Rows, Statement};
use super::random::{Purpose, Stream};
use super::redis::{Answer, Cluster, Keys};
use crate::cache::TieredCache;
use crate::cluster::{Balancer, Balancing, Topology};
use crate::consistency::Session;
use crate::fault::{Fault, Link};
use crate::ports::l2::{Change, Command};
use crate::ports::traced::Traced;
use crate::ports::{Audience, BoxFuture, Notice};
use crate::service::{Request, Response};
use crate::trace::{Actor, EventId, Journal, MessageId, Note, OperationId, Trace, Verb};
use crate::value::{ClientId, Instant, Key, ServerId, Value};
use crate::world::ClusterSpec;
use crate::world::ledger::Ledger;
use connections::{Connections, Way};
use pool::Pool;
use slots::Slots;

/// How long the primary works on a statement, besides [`ClusterSpec::query_time`].
const STATEMENT_NS: (u64, u64) = (150_000, 450_000);

/// A server's cache as the simulator runs it.
pub(super) type SimCache = TieredCache<Traced<SimPorts>>;

/// What is on its way.
struct Envelope {
    from: Actor,
    to: Actor,
    /// What it travels on; a client's request has a connection of its own, which nothing else shares.
    lane: Option<(Number, Way)>,
    /// The number of its sending.
    order: u64,
    /// The call that waits for an answer.
    call: Option<Number>,
    message: Option<MessageId>,
    operation: Option<OperationId>,
    /// The event that sent it.
    cause: Option<EventId>,
    parcel: Parcel,
}

enum Parcel {
    /// With the key's slot.
    Command(Key, u16, Verb, Command),
    CommandAnswer(Answer),
    Change(Key, Verb, Change),
    /// All that a Redis master holds.
    Copy(Box<Keys>),
    Statement(Verb, Statement, Instant),
    /// The primary has worked on a write, and commits it.
    Commit(Verb, Statement, Instant),
    /// The primary is done with the statement.
    Worked(Rows),
    StatementAnswer(Rows),
    Record(Record),
    Publish(Verb, Audience, Notice),
    Published(u32),
    Notice(Notice),
    Request(ClientId, Request),
    Response(Key, Response),
}

enum What {
    Timer(Waker),
    Arrival(Envelope),
    /// A node in this life of its has done its work on what it got.
    Work(Envelope, u32),
    /// Nobody waits for an answer any longer.
    GiveUp(Number),
    /// The Redis Cluster does something by itself.
    Step(failover::Step),
}

/// An entry of the agenda. It is small, because the agenda's heap moves entries again and again: what is to happen
/// stays in its place.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Scheduled {
    at: Instant,
    /// No two entries have the same, so entries of one instant keep their order.
    order: u64,
    what: Number,
}

/// What the simulator keeps of a server.
pub(super) struct Server {
    pub(super) cache: SimCache,
    /// Connections to the primary, and to each replica.
    pools: Vec<Pool<Envelope>>,
    subscription: Option<Inbox>,
    /// Which life of it this is.
    incarnation: u64,
    /// Whether it takes requests.
    pub(super) ready: bool,
}

/// What arrived on a subscription and was not read yet.
struct Inbox {
    connection: Number,
    /// The Redis node that it hears the bus from.
    at: Actor,
    notices: VecDeque<(Notice, Option<EventId>)>,
    /// Its connection has ended: when all is read, so is the subscription.
    closed: bool,
    waker: Option<Waker>,
}

/// What is next.
pub(super) enum Next {
    /// The executor is to do this first.
    Orders(Orders),
    /// Something has happened, at this instant.
    At(Instant),
    /// Nothing more will ever happen.
    Nothing,
}

/// What the executor is to do.
#[derive(Default)]
pub(super) struct Orders {
    /// Tasks to start, with their owners.
    pub(super) spawned: Vec<(Actor, BoxFuture)>,
    /// Actors whose tasks end.
    pub(super) killed: Vec<Actor>,
    /// Actors whose tasks get no turn any more.
    pub(super) paused: Vec<Actor>,
    /// Actors whose tasks get turns again.
    pub(super) resumed: Vec<Actor>,
}

pub(super) struct State {
    now: Instant,
    order: u64,
    agenda: BinaryHeap<Reverse<Scheduled>>,
    /// What the agenda's entries stand for.
    planned: Slots<What>,
    calls: Slots<calls::Call>,
    pub(super) journal: Journal,
    pub(super) entropy: Stream,
    service: Stream,
    network: Network,
    connections: Connections,
    /// Messages sent so far.
    sendings: u64,
    /// What waits for a link.
    held: Vec<(Link, Envelope)>,
    pub(super) topology: Topology,
    /// What waits for a paused actor.
    parked: Vec<(Actor, What)>,
    /// What replicas have received and do not replay.
    unreplayed: Vec<(Actor, Option<EventId>, Record)>,
    redis: Cluster,
    /// The nodes that servers believe to lead shards, where those are not the masters of the beginning.
    led: BTreeMap<(ServerId, u8), Actor>,
    /// Calls that were told once that the cluster is down: the other times are not noted.
    told_down: BTreeSet<MessageId>,
    postgres: Postgres,
    pub(super) servers: Vec<Server>,
    sessions: BTreeMap<ClientId, Arc<Session>>,
    pub(super) balancer: Balancer,
    query_time: Duration,
    spec: Option<ClusterSpec>,
    /// What every statement at the primary takes longer.
    slow: Duration,
    pub(super) ledger: Ledger,
    /// How often a node was killed.
    lives: BTreeMap<Actor, u32>,
    /// Of servers whose clock was touched.
    clocks: BTreeMap<ServerId, SkewedClock>,
    orders: Orders,
}

/// A clock that is ahead of the others, or behind them.
#[derive(Clone, Copy, Default)]
struct SkewedClock {
    by_ns: i64,
    /// What it told last: it never goes back.
    told: Instant,
}

/// A handle to the state. The lock is never contended: one thread runs a simulation. It is there because the ports'
/// futures must be `Send`, as they are in a real server.
#[derive(Clone)]
pub(super) struct Kernel(Arc<Mutex<State>>);

impl Kernel {
    pub(super) fn new(seed: u64) -> Self {
        let topology = Topology::default();
        Self(Arc::new(Mutex::new(State {
            now: Instant(0),
            order: 0,
            agenda: BinaryHeap::new(),
            planned: Slots::default(),
            calls: Slots::default(),
            journal: Journal::default(),
            entropy: Stream::new(seed, Purpose::Entropy),
            service: Stream::new(seed, Purpose::Service),
            network: Network::new(seed),
            connections: Connections::default(),
            sendings: 0,
            held: Vec::new(),
            parked: Vec::new(),
            unreplayed: Vec::new(),
            redis: Cluster::new(topology.masters()),
            led: BTreeMap::new(),
            told_down: BTreeSet::new(),
            postgres: Postgres::new(topology.postgres_replicas),
            topology,
            servers: Vec::new(),
            sessions: BTreeMap::new(),
            balancer: Balancer::new(Balancing::RoundRobin, 1),
            query_time: Duration::ZERO,
            spec: None,
            slow: Duration::ZERO,
            ledger: Ledger::new(Topology { servers: *Topology::SERVERS.end(), ..Topology::default() }),
            lives: BTreeMap::new(),
            clocks: BTreeMap::new(),
            orders: Orders::default(),
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }

    pub(super) fn now(&self) -> Instant {
        self.state().now
    }

    /// What is next: what the executor is to do, or else the next thing on the agenda, which happens.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        // Asked again and again, and seldom are there any.
        if !state.orders.is_empty() {
            return Next::Orders(std::mem::take(&mut state.orders));
        }
        let Some(Reverse(Scheduled { at, what, .. })) = state.agenda.pop() else {
            return Next::Nothing;
        };
        state.now = at;
        let what = state.planned.take(what).expect("what is on the agenda is planned");
        let waker = match what {
            What::Timer(waker) => Some(waker),
            What::Arrival(envelope) => state.arrived(self, envelope),
            What::Work(envelope, life) => state.worked(self, envelope, life),
            What::GiveUp(call) => state.given_up(call),
            What::Step(step) => {
                state.step(step);
                None
            }
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Next::At(at)
    }

    /// The tasks to start, and the actors whose tasks must end.
    pub(super) fn take_orders(&self) -> Option<Orders> {
        let mut state = self.state();
        (!state.orders.is_empty()).then(|| std::mem::take(&mut state.orders))
    }

    /// Whether there are such.
    pub(super) fn has_orders(&self) -> bool {
        !self.state().orders.is_empty()
    }

    /// Events so far.
    pub(super) fn events(&self) -> usize {
        self.state().journal.events().len()
    }

    /// Whether nothing is on the agenda up to an instant, that one included.
    pub(super) fn is_before_next(&self, instant: Instant) -> bool {
        let state = self.state();
        state.agenda.peek().is_none_or(|Reverse(next)| next.at > instant)
    }

    /// Lets time pass in which nothing happens.
    pub(super) fn advance_to(&self, instant: Instant) {
        let mut state = self.state();
        state.now = state.now.max(instant);
    }

    /// Ends the run: the servers go, the trace stays.
    pub(super) fn take_trace(&self) -> Trace {
        let mut state = self.state();
        let journal = std::mem::take(&mut state.journal);
        let servers = std::mem::take(&mut state.servers);
        // What a server was about to start when it ended.
        let spawned = std::mem::take(&mut state.orders.spawned);
        drop(state);
        // Dropped outside the lock: a cache's parts and tasks hold handles to this kernel.
        drop((servers, spawned));
        journal.into_trace()
    }

    /// A future that is ready after `time`.
    pub(super) fn sleep(&self, time: Duration) -> calls::Sleep {
        calls::Sleep::new(self.clone(), time)
    }
}

impl State {
    pub(super) fn note(&mut self, actor: Actor, note: Note) -> EventId {
        self.journal.note(self.now, actor, note)
    }

    /// Sets the cluster up as the scenario wants it.
    pub(super) fn configure(&mut self, spec: &ClusterSpec) {
        if spec.topology.masters() != self.topology.masters() {
            self.redis = Cluster::new(spec.topology.masters());
        }
        if spec.topology.postgres_replicas != self.topology.postgres_replicas {
            self.postgres = Postgres::new(spec.topology.postgres_replicas);
        }
        self.topology = spec.topology.clone();
        self.balancer = Balancer::new(spec.balancing, spec.topology.servers);
        self.query_time = spec.query_time;
        self.spec = Some(spec.clone());
        self.ledger.started(spec.topology.clone());
    }

    /// What the cluster was set up as.
    pub(super) fn spec(&self) -> &ClusterSpec {
        self.spec.as_ref().expect("a world in which somebody died was started")
    }

    /// Whether a shard's master has a replica.
    fn has_replica(&self, shard: u8) -> bool {
        self.topology.shards.get(usize::from(shard)).is_some_and(|shard| shard.replica)
    }

    fn shards_with_replica(&self) -> Vec<u8> {
        (0..self.topology.masters()).filter(|shard| self.has_replica(*shard)).collect()
    }

    /// Adds a server.
    pub(super) fn add_server(&mut self, server: ServerId, cache: SimCache, connections: u32) {
        self.servers.push(Server::new(cache, &self.topology, connections, 1));
        self.connect(server, connections);
    }

    /// Starts a task of an actor. That of a dead one comes back: it may hold handles to this state, and must be dropped
    /// when the lock is free.
    pub(super) fn spawn(&mut self, owner: Actor, task: BoxFuture) -> Option<BoxFuture> {
        if self.ledger.is_dead(owner) {
            return Some(task);
        }
        self.orders.spawned.push((owner, task));
        None
    }

    /// The time on a server's clock.
    pub(super) fn clock(&mut self, server: ServerId) -> Instant {
        let now = self.now;
        if self.clocks.is_empty() {
            return now;
        }
        self.clocks.get_mut(&server).map_or(now, |clock| clock.tell(now))
    }

    /// A row that no cache has heard of, and the replicas that hold it now: whoever follows has replayed all before. Fails
    /// where the primary does not answer.
    pub(super) fn insert(&mut self, key: &Key, value: &Value) -> Option<(Record, Vec<u8>)> {
        if self.is_silent(Actor::Primary) {
            return None;
        }
        let follows = |state: &Self, number: &u8| {
            let replica = Actor::Replica(*number);
            !state.is_silent(replica) && !state.ledger.ends(Fault::ResumeReplay(replica))
        };
        let following: Vec<u8> =
            (1..=self.postgres.replicas()).filter(|number| follows(self, number)).collect();
        for number in following.iter().copied() {
            for record in self.postgres.missing(number) {
                self.replay_record(Actor::Replica(number), None, record);
            }
        }
        let record = self.postgres.commit(key.clone(), value.clone(), self.now);
        for number in following.iter().copied() {
            self.postgres.replay(number, record.clone());
        }
        Some((record, following))
    }

    fn is_silent(&self, node: Actor) -> bool {
        self.ledger.is_dead(node) || self.ledger.is_paused(node)
    }

    fn session(&mut self, client: ClientId) -> Arc<Session> {
        Arc::clone(self.sessions.entry(client).or_default())
    }

    fn schedule(&mut self, at: Instant, what: What) {
        self.order += 1;
        let what = self.planned.put(what);
        self.agenda.push(Reverse(Scheduled { at, order: self.order, what }));
    }

    fn server(&mut self, server: ServerId) -> &mut Server {
        &mut self.servers[server.index()]
    }
}

impl Orders {
    fn is_empty(&self) -> bool {
        let Self { spawned, killed, paused, resumed } = self;
        spawned.is_empty() && killed.is_empty() && paused.is_empty() && resumed.is_empty()
    }
}

impl Server {
    fn new(cache: SimCache, topology: &Topology, connections: u32, incarnation: u64) -> Self {
        let pools = (0..=topology.postgres_replicas).map(|_| Pool::new(connections)).collect();
        Self { cache, pools, subscription: None, incarnation, ready: incarnation == 1 }
    }

    /// The pool of connections to a `PostgreSQL` node.
    fn pool(&mut self, node: Actor) -> &mut Pool<Envelope> {
        let number = match node {
            Actor::Replica(number) => usize::from(number),
            _ => 0,
        };
        &mut self.pools[number]
    }
}

impl Inbox {
    fn new(connection: Number, at: Actor) -> Self {
        Self { connection, at, notices: VecDeque::new(), closed: false, waker: None }
    }
}

impl SkewedClock {
    fn tell(&mut self, now: Instant) -> Instant {
        self.told = self.told.max(Instant(now.0.saturating_add_signed(self.by_ns)));
        self.told
    }
}
