//! What the stage shows at one event of a run: the fold of the trace up to there.
//!
//! It holds contents (who has which version), not geometry and not words. [`crate::replay::Replay`] keeps
//! keyframes of it, so that any event can be shown quickly.

use std::collections::{BTreeMap, BTreeSet};

use lab_core::cluster::{Role, Topology};
use lab_core::ports::l2::{Facts, Leaves};
use lab_core::trace::{
    Actor, Event, Kind, MessageId, NoticeKind, OperationId, Outcome, RequestKind, Verb, Why,
};
use lab_core::value::{ClientId, Instant, Key, ServerId, Value, Version};
use lab_core::world::{Fault, Link};

/// What a store or an L1 holds for a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// The content; `None` for a row known to be absent.
    pub(crate) value: Option<Value>,
    /// The version of the content.
    pub(crate) version: Version,
    /// When it came.
    pub(crate) since: Instant,
    /// How long it may be served, in L1.
    pub(crate) ttl_ms: u64,
}

/// An app server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServerState {
    /// L1, by key.
    pub(crate) entries: BTreeMap<Key, Held>,
    /// Why and when the last entry of a key went away.
    pub(crate) gone: BTreeMap<Key, (Instant, Why)>,
    /// Requests received and not answered.
    pub(crate) open: u32,
    /// Requests that wait for another request, a retry, a notice or acknowledgements.
    pub(crate) waiting: u32,
    /// Computations in progress.
    pub(crate) computing: u32,
    /// Calls that wait for a connection to the database.
    pub(crate) queued: u32,
    /// Reads that its L1 could answer.
    pub(crate) hits: u32,
    /// Reads that its L1 could not answer.
    pub(crate) misses: u32,
    /// Requests sent to it so far.
    pub(crate) requests: u32,
}

/// A store node: a Redis master or replica, or a PostgreSQL server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StoreState {
    /// Rows or keys, with their contents.
    pub(crate) rows: BTreeMap<Key, Held>,
    /// Keys whose lock or lease is taken.
    pub(crate) locks: BTreeSet<Key>,
    /// Position in the write-ahead log.
    pub(crate) lsn: u64,
    /// Calls served.
    pub(crate) served: u32,
}

/// What a client is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientState {
    /// It got the newest version.
    Fresh,
    /// It got an older version than one that was already acknowledged.
    Stale,
    /// It got an error, or no answer.
    Failed,
    /// It waits for an answer.
    Waiting,
    /// It has not asked yet.
    #[default]
    Idle,
}

/// The whole stage at one event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StageState {
    /// The app servers, in order.
    pub(crate) servers: Vec<ServerState>,
    /// Redis masters, then their replicas.
    pub(crate) masters: Vec<StoreState>,
    /// The replica of each master.
    pub(crate) redis_replicas: Vec<StoreState>,
    /// The PostgreSQL primary.
    pub(crate) primary: StoreState,
    /// PostgreSQL replicas.
    pub(crate) replicas: Vec<StoreState>,
    /// Every client, in order of number.
    pub(crate) clients: Vec<ClientState>,
    /// Calls under way, with their notices not yet delivered.
    pub(crate) calls: BTreeSet<MessageId>,
    /// Requests under way.
    pub(crate) operations: BTreeSet<OperationId>,
    /// Nodes that were killed.
    pub(crate) down: BTreeSet<Actor>,
    /// Faults in force.
    pub(crate) faults: Vec<Fault>,
    /// The roles of Redis nodes that have another than they began with.
    pub(crate) roles: BTreeMap<Actor, Role>,
}

/// What the fold must know beforehand, from a first pass over the trace.
pub(crate) trait Ahead {
    /// Whether this event ends its call for good: the answer is back, and every notice has arrived.
    fn ends_call(&self, index: usize, message: MessageId) -> bool;
    /// What the client got by this completed operation.
    fn client_after(&self, operation: OperationId) -> ClientState;
    /// The requests, each with its client, that this event ends without an answer: the server dies.
    fn lost(&self, index: usize) -> Vec<(OperationId, ClientId)>;
}

impl StageState {
    /// How many things it holds whose number has no small bound.
    pub(crate) fn things(&self) -> usize {
        self.clients.len() + self.calls.len() + self.operations.len()
    }

    /// An empty stage for these nodes and this many clients.
    pub(crate) fn empty(topology: &Topology, clients: usize) -> Self {
        let shards = topology.shards.len();
        Self {
            servers: vec![ServerState::default(); topology.servers.into()],
            masters: vec![StoreState::default(); shards],
            redis_replicas: vec![StoreState::default(); shards],
            primary: StoreState::default(),
            replicas: vec![StoreState::default(); topology.postgres_replicas.into()],
            clients: vec![ClientState::Idle; clients],
            ..Self::default()
        }
    }

    /// Takes one event in.
    pub(crate) fn apply(&mut self, index: usize, event: &Event, ahead: &impl Ahead) {
        if let Some(message) = event.message {
            if matches!(event.kind, Kind::Called { .. }) {
                self.calls.insert(message);
            }
            if ahead.ends_call(index, message) {
                self.calls.remove(&message);
            }
        }
        match event.actor {
            Actor::Server(server) => self.at_server(server, event),
            Actor::Client(client) => self.at_client(usize::from(client.0), event, ahead),
            Actor::RedisMaster(_) | Actor::RedisReplica(_) | Actor::Primary | Actor::Replica(_) => {
                if let Some(store) = self.store(event.actor) {
                    at_store(store, event);
                }
            }
            Actor::Lab | Actor::Balancer | Actor::Bus => {}
        }
        if let Kind::Injected { fault } = &event.kind {
            self.inject(*fault);
            match fault {
                Fault::Kill(Actor::Server(server)) => self.die(index, *server, ahead),
                // A Redis node has nothing on disk.
                Fault::Kill(node @ (Actor::RedisMaster(_) | Actor::RedisReplica(_))) => {
                    if let Some(store) = self.store(*node) {
                        store.rows.clear();
                        store.locks.clear();
                    }
                }
                _ => {}
            }
        }
        if let Kind::RoleChanged { role } = event.kind {
            self.change_role(event.actor, role);
        }
    }

    fn change_role(&mut self, node: Actor, role: Role) {
        let began = if matches!(node, Actor::RedisMaster(_)) { Role::Master } else { Role::Replica };
        if role == began {
            self.roles.remove(&node);
        } else {
            self.roles.insert(node, role);
        }
    }

    /// A server dies with all that it had in memory; who waits for it gets no answer.
    fn die(&mut self, index: usize, id: ServerId, ahead: &impl Ahead) {
        if let Some(server) = self.servers.get_mut(id.index()) {
            let ServerState { hits, misses, requests, .. } = *server;
            *server = ServerState { hits, misses, requests, ..ServerState::default() };
        }
        self.calls.retain(|message| !ahead.ends_call(index, *message));
        for (operation, client) in ahead.lost(index) {
            self.operations.remove(&operation);
            let place = usize::from(client.0).checked_sub(1);
            if let Some(client) = place.and_then(|place| self.clients.get_mut(place)) {
                *client = ClientState::Failed;
            }
        }
    }

    fn store(&mut self, actor: Actor) -> Option<&mut StoreState> {
        match actor {
            Actor::RedisMaster(shard) => self.masters.get_mut(usize::from(shard)),
            Actor::RedisReplica(shard) => self.redis_replicas.get_mut(usize::from(shard)),
            Actor::Primary => Some(&mut self.primary),
            Actor::Replica(replica) => self.replicas.get_mut(usize::from(replica).wrapping_sub(1)),
            _ => None,
        }
    }

    fn at_client(&mut self, number: usize, event: &Event, ahead: &impl Ahead) {
        let Some(operation) = event.operation else { return };
        let Some(client) = number.checked_sub(1).and_then(|place| self.clients.get_mut(place)) else {
            return;
        };
        match &event.kind {
            Kind::Requested { request, server } => {
                self.operations.insert(operation);
                if *request != RequestKind::Forget {
                    *client = ClientState::Waiting;
                }
                if let Some(server) = self.servers.get_mut(server.index()) {
                    server.requests += 1;
                }
            }
            Kind::Completed { .. } => {
                self.operations.remove(&operation);
                if *client == ClientState::Waiting {
                    *client = ahead.client_after(operation);
                }
            }
            _ => {}
        }
    }

    fn at_server(&mut self, id: ServerId, event: &Event) {
        let Some(server) = self.servers.get_mut(id.index()) else { return };
        match &event.kind {
            Kind::L1Hit => server.hits += 1,
            Kind::L1Miss | Kind::L1Unfit { .. } => server.misses += 1,
            Kind::Received { .. } => server.open += 1,
            Kind::Answered { .. } => server.open = server.open.saturating_sub(1),
            Kind::Waiting { .. } => server.waiting += 1,
            Kind::Woken { .. } => server.waiting = server.waiting.saturating_sub(1),
            Kind::ComputeStarted => server.computing += 1,
            Kind::Computed { .. } => server.computing = server.computing.saturating_sub(1),
            Kind::Queued { .. } => server.queued += 1,
            Kind::Returned { verb: Verb::Select | Verb::Update, .. } => {
                server.queued = server.queued.saturating_sub(1);
            }
            Kind::L1Stored { value, ttl_ms } => {
                let (Some(key), Some(version)) = (&event.key, event.version) else { return };
                server.gone.remove(key);
                let held = Held { value: value.clone(), version, since: event.at, ttl_ms: *ttl_ms };
                server.entries.insert(key.clone(), held);
            }
            Kind::L1Dropped { why, .. } => {
                let Some(key) = &event.key else { return };
                if server.entries.remove(key).is_some() {
                    server.gone.insert(key.clone(), (event.at, *why));
                }
            }
            Kind::L1Flushed { why } => {
                for (key, _) in std::mem::take(&mut server.entries) {
                    server.gone.insert(key, (event.at, *why));
                }
            }
            _ => {}
        }
    }

    fn inject(&mut self, fault: Fault) {
        // A link has one fault at a time on the stage; else a fault lasts until its remedy, or until one of its kind.
        let same_link = |other: &Fault| link_of(other).is_some() && link_of(other) == link_of(&fault);
        let same_kind = |other: &Fault| other.remedy() == Some(fault) || other.remedy() == fault.remedy();
        self.faults.retain(|other| !same_link(other) && !same_kind(other));
        match fault {
            Fault::Kill(actor) => {
                self.down.insert(actor);
                self.faults.retain(|other| *other != Fault::Pause(actor));
            }
            Fault::Restart(actor) => drop(self.down.remove(&actor)),
            _ => {}
        }
        if fault.remedy().is_some() {
            self.faults.push(fault);
        }
    }
}

/// The link that a fault strikes.
pub(crate) fn link_of(fault: &Fault) -> Option<Link> {
    fault.link()
}

fn at_store(store: &mut StoreState, event: &Event) {
    let (verb, value, lsn, outcome) = match &event.kind {
        Kind::Served { verb, outcome, value, lsn } => {
            store.served += 1;
            (*verb, value, *lsn, Some(outcome))
        }
        Kind::Replayed { verb, value, lsn } => (*verb, value, *lsn, None),
        _ => return,
    };
    if let Some(lsn) = lsn {
        store.lsn = store.lsn.max(lsn);
    }
    let Some(key) = &event.key else { return };
    match leaves(verb, outcome, value.as_ref()) {
        Leaves::Value => {
            store.locks.remove(key);
            let version = event.version.unwrap_or_default();
            let held = Held { value: value.clone(), version, since: event.at, ttl_ms: 0 };
            store.rows.insert(key.clone(), held);
        }
        Leaves::Nothing => {
            store.rows.remove(key);
            store.locks.remove(key);
        }
        Leaves::Token => {
            store.locks.insert(key.clone());
        }
        Leaves::Unchanged => {}
    }
}

/// What a key's place at a store holds after a call.
fn leaves(verb: Verb, outcome: Option<&Outcome>, value: Option<&Value>) -> Leaves {
    let command = Facts::named(verb).map(|facts| facts.leaves);
    match (command, outcome) {
        (None, None | Some(Outcome::Done)) if verb == Verb::Update => Leaves::Value,
        (Some(leaves), Some(Outcome::Done)) => leaves,
        (Some(_), Some(Outcome::Granted(_))) => Leaves::Token,
        (Some(_), Some(Outcome::Released | Outcome::Voided)) => Leaves::Nothing,
        // A replica replays what it is told: a value, or that the slot is empty. Its locks are not drawn.
        (Some(_), None) if verb == Verb::ReplaceOlder && value.is_none() => Leaves::Nothing,
        (Some(leaves), None) if leaves != Leaves::Token => leaves,
        _ => Leaves::Unchanged,
    }
}

/// Whether a call is the fleet's housekeeping, which happens all the time and is drawn only when it is the current
/// event.
pub(crate) fn is_background(verb: Verb) -> bool {
    matches!(verb, Verb::PublishBeat | Verb::Renew)
}

/// Whether an event is the fleet's housekeeping.
pub(crate) fn is_background_event(event: &Event) -> bool {
    match &event.kind {
        Kind::Called { verb, .. } | Kind::Served { verb, .. } | Kind::Returned { verb, .. } => {
            is_background(*verb)
        }
        Kind::Delivered { notice, .. } => *notice == NoticeKind::Beat,
        _ => false,
    }
}
