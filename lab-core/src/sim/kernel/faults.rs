//! What a fault does to the cluster.

use std::task::Waker;
use std::time::Duration;

use super::connections::{Connection, Purpose, Way};
use super::{Envelope, Number, Parcel, Record, Reply, Server, SimCache, SkewedClock, State};
use crate::cluster::Actor;
use crate::fault::{Fault, Link};
use crate::sim::network::link;
use crate::sim::redis::shard_of;
use crate::value::ServerId;
use crate::world::WorldError;

impl State {
    /// Begins a fault, or ends one.
    pub(in crate::sim) fn inject(&mut self, fault: Fault) -> Result<(), WorldError> {
        self.ledger.admit(fault)?;
        if !can(fault) {
            let why = "the simulator has no such fault".to_owned();
            return Err(WorldError::Unsupported { fault, why });
        }
        self.ledger.note(fault);
        self.network.inject(fault);
        match fault {
            Fault::BlackHole(link) => self.connections.silence(link),
            Fault::Heal(link) | Fault::Release(link) => self.let_go(link),
            Fault::Reset(link) => self.reset(link),
            Fault::Kill(actor) => self.kill(actor),
            Fault::Pause(actor) => {
                self.orders.paused.push(actor);
                self.fell_silent(actor);
            }
            Fault::Restart(actor) => self.is_heard(actor, true),
            Fault::Resume(actor) => self.resume(actor),
            Fault::SlowStatements { by_ms } => self.slow = Duration::from_millis(by_ms),
            Fault::Skew { server, by_ms } => self.skew(server, by_ms),
            Fault::ResumeReplay(replica) => self.replay_all(replica),
            Fault::Delay { .. } | Fault::Cut(_) | Fault::Hold(_) | Fault::PauseReplay(_) => {}
        }
        if matches!(fault, Fault::Heal(_) | Fault::Reset(_) | Fault::Restart(_)) {
            self.stream_anew();
        }
        Ok(())
    }

    /// Every connection over the link ends; a client's request has one of its own.
    fn reset(&mut self, link: Link) {
        if let Link::From(from, to) = link
            && shard_of(from).is_some()
            && shard_of(to).is_some()
        {
            self.touch();
            self.replication_was_reset(from, to);
        }
        for connection in self.connections.numbers(|connection| connection.links().contains(&link)) {
            self.close(connection);
        }
        if let Link::From(Actor::Client(client), Actor::Server(server))
        | Link::From(Actor::Server(server), Actor::Client(client)) = link
        {
            for call in self.calls.numbers(|call| call.request == Some((client, server))) {
                self.lose(call);
            }
        }
    }

    /// A process ends, and its system closes its connections. What it has sent still arrives.
    fn kill(&mut self, actor: Actor) {
        self.orders.killed.push(actor);
        *self.lives.entry(actor).or_default() += 1;
        self.parked.retain(|(waits_for, _)| *waits_for != actor);
        if let Actor::Server(server) = actor {
            for connection in self.connections.numbers(|connection| connection.opener == actor) {
                self.connections.abandon(connection);
            }
            self.server(server).subscription = None;
            self.server(server).ready = false;
            self.lose_requests(server);
        } else {
            let is_its = |connection: &Connection| connection.opener == actor || connection.acceptor == actor;
            for connection in self.connections.numbers(is_its) {
                self.close(connection);
            }
        }
        if shard_of(actor).is_some() {
            self.redis.wipe(actor);
            self.fell_silent(actor);
            self.lose_bus(actor);
        }
    }

    /// A replica replays what it has received.
    fn replay_all(&mut self, replica: Actor) {
        let (its, others): (Vec<_>, _) =
            std::mem::take(&mut self.unreplayed).into_iter().partition(|(of, ..)| *of == replica);
        self.unreplayed = others;
        for (_, cause, record) in its {
            self.replay_record(replica, cause, record);
        }
    }

    /// Replicas whose connection is lost, or mute, open another, and are sent what they lack.
    fn stream_anew(&mut self) {
        for number in 1..=self.postgres.replicas() {
            let replica = Actor::Replica(number);
            let conditions = [link(replica, Actor::Primary), link(Actor::Primary, replica)];
            let is_whole = conditions.iter().all(|link| !self.network.condition(*link).bars());
            if !is_whole || [replica, Actor::Primary].iter().any(|end| self.ledger.is_dead(*end)) {
                continue;
            }
            let is_its = |open: &Connection| open.purpose == Purpose::Log && open.opener == replica;
            let (mute, live): (Vec<_>, Vec<_>) = self
                .connections
                .numbers(is_its)
                .into_iter()
                .partition(|open| self.connections.get(*open).is_some_and(Connection::is_dumb));
            for mute in mute {
                self.close(mute);
            }
            if !live.is_empty() {
                continue;
            }
            let connection = self.connections.only(replica, Actor::Primary, Purpose::Log);
            for record in self.postgres.missing(number) {
                self.send(Envelope::of_log(replica, connection, record));
            }
        }
    }

    /// What reached a paused actor is taken up in its order.
    fn resume(&mut self, actor: Actor) {
        self.orders.resumed.push(actor);
        self.is_heard(actor, false);
        let (taken_up, parked): (Vec<_>, _) =
            std::mem::take(&mut self.parked).into_iter().partition(|(waits_for, _)| *waits_for == actor);
        self.parked = parked;
        for (_, what) in taken_up {
            self.schedule(self.now, what);
        }
    }

    fn skew(&mut self, server: ServerId, by_ms: i64) {
        let told = self.clock(server);
        self.clocks.insert(server, SkewedClock { by_ns: by_ms.saturating_mul(1_000_000), told });
    }

    /// A dead server begins a new life; it takes requests when it says so. What it was before is given back.
    pub(in crate::sim) fn revive(&mut self, server: ServerId, cache: SimCache, connections: u32) -> Server {
        let incarnation = self.next_incarnation(server);
        let born = Server::new(cache, &self.topology, connections, incarnation);
        self.ask_all_anew(server);
        std::mem::replace(self.server(server), born)
    }

    pub(in crate::sim) fn next_incarnation(&mut self, server: ServerId) -> u64 {
        self.server(server).incarnation + 1
    }

    /// A call that is answered when the server takes requests.
    pub(in crate::sim) fn begin_start(&mut self, server: ServerId) -> Number {
        self.open_call(Some(server))
    }

    /// The server takes requests.
    pub(in crate::sim) fn started(&mut self, server: ServerId, call: Number) -> Option<Waker> {
        self.server(server).ready = true;
        self.answer(call, Reply::Started, None)
    }
}

/// What it can do: nodes and servers die and stand still, the bus and the balancer are no processes of their own here.
fn can(fault: Fault) -> bool {
    match fault {
        Fault::Kill(actor) | Fault::Restart(actor) | Fault::Pause(actor) | Fault::Resume(actor) => {
            matches!(actor, Actor::Server(_) | Actor::Primary | Actor::Replica(_))
                || shard_of(actor).is_some()
        }
        _ => true,
    }
}

impl Envelope {
    /// A part of the log, on its way to a replica that lacks it.
    fn of_log(replica: Actor, connection: Number, record: Record) -> Self {
        Self {
            from: Actor::Primary,
            to: replica,
            lane: Some((connection, Way::Back)),
            order: 0,
            call: None,
            message: None,
            operation: None,
            cause: None,
            parcel: Parcel::Record(record),
        }
    }
}
