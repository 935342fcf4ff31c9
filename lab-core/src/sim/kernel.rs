//! The kernel: the state of everything that is not the code under study, and the agenda of what arrives when.
//!
//! A server's call becomes an [`Envelope`] that the network carries to a node; the node, a plain state machine,
//! carries it out and sends an answer back, which wakes the task that waits. Everything is ordered by time and, at
//! one instant, by when it was put on the agenda.

mod calls;
mod deliver;
mod send;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

pub(super) use calls::{Pending, Reply};

use super::SimPorts;
use super::network::{Fate, Network};
use super::postgres::{Pool, Postgres, Record, Rows, Statement};
use super::random::{Purpose, Stream};
use super::redis::{Answer, Cluster};
use crate::cache::TieredCache;
use crate::cluster::{Balancer, Balancing, Topology};
use crate::consistency::Session;
use crate::fault::{Fault, Link};
use crate::ports::l2::{Change, Command};
use crate::ports::traced::Traced;
use crate::ports::{Audience, BoxFuture, Notice};
use crate::service::{Request, Response};
use crate::trace::{Actor, EventId, Journal, MessageId, Note, OperationId, Trace, Verb};
use crate::value::{ClientId, Instant, Key, ServerId};
use crate::world::ClusterSpec;

/// When a message vanishes, its sender gives up after so long.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the primary works on a statement, besides [`ClusterSpec::query_time`].
const STATEMENT_NS: (u64, u64) = (150_000, 450_000);

/// A server's cache as the simulator runs it.
pub(super) type SimCache = TieredCache<Traced<SimPorts>>;

/// What is on its way.
struct Envelope {
    from: Actor,
    to: Actor,
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
    /// Nobody waits for an answer any longer.
    GiveUp(Number),
    /// A server's pool has opened a connection in place of one that gave no answer.
    Reconnected(ServerId),
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

/// The number of something under way: a place, and how often that place was used before. A late answer to a call
/// that was given up finds nobody, even if its place is taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    place: u32,
    life: u32,
}

/// Things under way, by number. Places are used again.
struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    fn put(&mut self, item: T) -> Number {
        if let Some(place) = self.free.pop() {
            let (life, slot) = &mut self.slots[place as usize];
            *slot = Some(item);
            return Number { place, life: *life };
        }
        let place = u32::try_from(self.slots.len()).expect("fewer than 2^32 things are under way at once");
        self.slots.push((0, Some(item)));
        Number { place, life: 0 }
    }

    fn take(&mut self, number: Number) -> Option<T> {
        let (life, slot) = &mut self.slots[number.place as usize];
        if *life != number.life {
            return None;
        }
        let item = slot.take();
        if item.is_some() {
            *life += 1;
            self.free.push(number.place);
        }
        item
    }

    fn get_mut(&mut self, number: Number) -> Option<&mut T> {
        let (life, slot) = &mut self.slots[number.place as usize];
        slot.as_mut().filter(|_| *life == number.life)
    }

    /// The numbers of those that `wanted` picks.
    fn numbers(&self, wanted: impl Fn(&T) -> bool) -> Vec<Number> {
        let slots = (0u32..).zip(&self.slots);
        let picked = slots.filter(|(_, (_, slot))| slot.as_ref().is_some_and(&wanted));
        picked.map(|(place, (life, _))| Number { place, life: *life }).collect()
    }
}

/// What the simulator keeps of a server.
pub(super) struct Server {
    pub(super) cache: SimCache,
    pool: Pool<Envelope>,
    subscription: Option<Inbox>,
}

/// What arrived on a subscription and was not read yet.
#[derive(Default)]
struct Inbox {
    notices: VecDeque<(Notice, Option<EventId>)>,
    waker: Option<Waker>,
}

/// What the executor is to do.
pub(super) struct Orders {
    /// Tasks to start, with their owners.
    pub(super) spawned: Vec<(Actor, BoxFuture)>,
    /// Actors whose tasks end.
    pub(super) killed: Vec<Actor>,
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
    /// What waits for a link to heal.
    held: Vec<(Link, Envelope)>,
    pub(super) topology: Topology,
    redis: Cluster,
    postgres: Postgres,
    pub(super) servers: Vec<Server>,
    sessions: BTreeMap<ClientId, Arc<Session>>,
    pub(super) balancer: Balancer,
    query_time: Duration,
    dead: BTreeSet<Actor>,
    spawned: Vec<(Actor, BoxFuture)>,
    killed: Vec<Actor>,
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
            held: Vec::new(),
            redis: Cluster::new(topology.masters()),
            postgres: Postgres::new(topology.postgres_replicas),
            topology,
            servers: Vec::new(),
            sessions: BTreeMap::new(),
            balancer: Balancer::new(Balancing::RoundRobin, 1),
            query_time: Duration::ZERO,
            dead: BTreeSet::new(),
            spawned: Vec::new(),
            killed: Vec::new(),
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }

    pub(super) fn now(&self) -> Instant {
        self.state().now
    }

    /// Lets the next thing on the agenda happen, and says when that is. `None`: nothing more will ever happen.
    pub(super) fn arrive(&self) -> Option<Instant> {
        let mut state = self.state();
        let Reverse(Scheduled { at, what, .. }) = state.agenda.pop()?;
        state.now = at;
        let what = state.planned.take(what).expect("what is on the agenda is planned");
        let waker = match what {
            What::Timer(waker) => Some(waker),
            What::Arrival(envelope) => state.deliver(self, envelope),
            What::GiveUp(call) => state.answer(call, Reply::Unknown, None),
            What::Reconnected(server) => {
                state.free_connection(server);
                None
            }
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Some(at)
    }

    /// The tasks to start, and the actors whose tasks must end.
    pub(super) fn take_orders(&self) -> Option<Orders> {
        let mut state = self.state();
        if state.spawned.is_empty() && state.killed.is_empty() {
            return None;
        }
        Some(Orders {
            spawned: std::mem::take(&mut state.spawned),
            killed: std::mem::take(&mut state.killed),
        })
    }

    /// Whether there are such.
    pub(super) fn has_orders(&self) -> bool {
        let state = self.state();
        !state.spawned.is_empty() || !state.killed.is_empty()
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
        drop(state);
        // Dropped outside the lock: a cache's parts hold handles to this kernel.
        drop(servers);
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
    }

    /// Whether a shard's master has a replica.
    fn has_replica(&self, shard: u8) -> bool {
        self.topology.shards.get(usize::from(shard)).is_some_and(|shard| shard.replica)
    }

    /// Adds a server.
    pub(super) fn add_server(&mut self, cache: SimCache, connections: u32) {
        self.servers.push(Server { cache, pool: Pool::new(connections), subscription: None });
    }

    /// Starts a task of an actor.
    pub(super) fn spawn(&mut self, owner: Actor, task: BoxFuture) {
        if !self.dead.contains(&owner) {
            self.spawned.push((owner, task));
        }
    }

    /// Begins a fault; `false` if this world has no such fault.
    pub(super) fn inject(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Kill(actor @ Actor::Server(server)) => {
                self.dead.insert(actor);
                self.killed.push(actor);
                self.server(server).subscription = None;
                self.give_up_requests(server);
                true
            }
            Fault::Kill(_) => false,
            fault => {
                let healed = self.network.inject(fault);
                self.release(healed);
                true
            }
        }
    }

    /// A connection that gave no answer in time is closed, and the pool opens another in its place.
    fn break_connection(&mut self, envelope: &Envelope) {
        let server = match (&envelope.parcel, envelope.from, envelope.to) {
            (Parcel::Statement(verb, ..), Actor::Server(server), _) if send::is_pooled(*verb) => server,
            (Parcel::StatementAnswer(rows), _, Actor::Server(server)) if rows.are_pooled() => server,
            _ => return,
        };
        self.schedule(self.now.after(CALL_TIMEOUT), What::Reconnected(server));
    }

    /// A connection of the server's pool is free for the next call.
    fn free_connection(&mut self, server: ServerId) {
        if let Some(next) = self.server(server).pool.give_back() {
            self.post_statement(next);
        }
    }

    /// What waited for a link to heal goes on its way, in the order of its sending.
    fn release(&mut self, healed: Option<Link>) {
        let Some(healed) = healed else { return };
        let (released, held) =
            std::mem::take(&mut self.held).into_iter().partition(|(link, _)| *link == healed);
        self.held = held;
        let released: Vec<(Link, Envelope)> = released;
        for (link, envelope) in released {
            let fate = self.network.send(link, self.now);
            self.post(fate, envelope);
        }
    }

    /// A row that no cache has heard of.
    pub(super) fn insert(&mut self, key: &Key, value: &crate::value::Value) -> Record {
        let record = self.postgres.commit(key.clone(), value.clone(), self.now);
        for replica in 1..=self.postgres.replicas() {
            self.postgres.replay(replica, record.clone());
        }
        record
    }

    fn session(&mut self, client: ClientId) -> Arc<Session> {
        Arc::clone(self.sessions.entry(client).or_default())
    }

    fn schedule(&mut self, at: Instant, what: What) {
        self.order += 1;
        let what = self.planned.put(what);
        self.agenda.push(Reverse(Scheduled { at, order: self.order, what }));
    }

    /// Puts an envelope on its way.
    fn post(&mut self, fate: Fate, envelope: Envelope) {
        match fate {
            Fate::Arrives(at) => {
                self.watch_deadline(envelope.call, at);
                self.schedule(at, What::Arrival(envelope));
            }
            Fate::Waits(link) => {
                self.give_up(envelope.call, CALL_TIMEOUT);
                self.held.push((link, envelope));
            }
            Fate::Vanishes => {
                self.give_up(envelope.call, CALL_TIMEOUT);
                self.break_connection(&envelope);
            }
        }
    }

    /// Whoever waits for an answer to this call will wait no longer than `after`.
    fn give_up(&mut self, call: Option<Number>, after: Duration) {
        if let Some(call) = call {
            self.schedule(self.now.after(after), What::GiveUp(call));
        }
    }

    fn server(&mut self, server: ServerId) -> &mut Server {
        &mut self.servers[server.index()]
    }
}
