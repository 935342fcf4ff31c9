//! How what is sent gets to where it goes: over a connection that keeps its order, unless a fault holds it back or lets it
//! vanish.

use std::task::Waker;
use std::time::Duration;

use super::calls::NotSent;
use super::connections::{Connection, Purpose, Way};
use super::{Envelope, Kernel, Number, State, What};
use crate::cluster::Actor;
use crate::fault::Link;
use crate::sim::network::link;
use crate::value::ServerId;
use crate::world::deadline;

/// Round trips of an opening: `PostgreSQL` greets, asks for a password, proves that it knows it and is ready; Redis is
/// greeted and takes the password.
const OPENING_TRIPS_SQL: u32 = 4;
const OPENING_TRIPS: u32 = 2;

impl State {
    /// Sends what asks for an answer over a connection, which is opened if it is not yet. Whoever cannot open it has done
    /// nothing.
    pub(super) fn send_over(&mut self, connection: Number, time: Duration, mut envelope: Envelope) {
        let call = envelope.call.expect("whoever sends over a connection waits for an answer");
        let Some(open) = self.connections.get(connection) else { return };
        let (acceptor, purpose) = (open.acceptor, open.purpose);
        self.hangs_on(call, connection);
        envelope.lane = Some((connection, Way::Forth));
        if self.is_refused(envelope.from, acceptor) {
            self.not_sent(call, NotSent::Refused(acceptor));
            self.lose(call);
            return;
        }
        if !self.is_open(connection) {
            self.not_sent(call, NotSent::Unreachable(acceptor));
            self.limit(call, opening(purpose));
            self.expire(Some(call));
            if let Some(cut) = self.barred(connection) {
                self.held.push((cut, envelope));
            }
            return;
        }
        self.limit(call, time);
        self.send(envelope);
    }

    /// A server opens, where it can, what its first requests shall not pay for; replicas are reached when they are read from.
    pub(super) fn connect(&mut self, server: ServerId, connections: u32) {
        let from = Actor::Server(server);
        let masters =
            (0..self.topology.masters()).map(Actor::RedisMaster).map(|master| (master, Purpose::Commands));
        let others = [
            (Actor::Bus, Purpose::Publications),
            (Actor::Primary, Purpose::Membership),
            (Actor::Primary, Purpose::Roster),
        ];
        for (to, purpose) in masters.chain(others) {
            let connection = self.connections.only(from, to, purpose);
            self.is_open(connection);
        }
        for _ in 0..connections {
            let connection = Connection::new(from, Actor::Primary, Purpose::Statements);
            let connection = self.connections.open(connection);
            self.server(server).pool(Actor::Primary).warmed(connection);
            self.is_open(connection);
        }
    }

    /// Whether the connection is open, or can be opened now.
    fn is_open(&mut self, number: Number) -> bool {
        let Some(connection) = self.connections.get(number) else { return false };
        if connection.is_open {
            return true;
        }
        let conditions = connection.links().map(|link| self.network.condition(link));
        let trips = match connection.purpose {
            Purpose::Statements | Purpose::Membership | Purpose::Roster => OPENING_TRIPS_SQL,
            _ => OPENING_TRIPS,
        };
        let delay = conditions[0].delay + conditions[1].delay;
        let passable = conditions.iter().all(|condition| !condition.cut && !condition.silent);
        let is_open = passable && trips * delay < opening(connection.purpose);
        if let Some(connection) = self.connections.get_mut(number) {
            connection.is_open = is_open;
        }
        is_open
    }

    /// The cut that bars a connection's opening, unless a black hole swallows it anyway.
    fn barred(&self, number: Number) -> Option<Link> {
        let links = self.connections.get(number)?.links();
        let is_silent = |link: &Link| self.network.condition(*link).silent;
        if links.iter().any(is_silent) {
            return None;
        }
        links.into_iter().find(|link| self.network.condition(*link).cut)
    }

    /// Puts an envelope on its way.
    pub(super) fn send(&mut self, mut envelope: Envelope) {
        let Some(link) = self.link_of(&envelope) else { return };
        self.sendings += 1;
        envelope.order = self.sendings;
        let time = self.network.time(link);
        self.carry(link, time, envelope);
    }

    /// The link that it takes; none where its connection has ended.
    fn link_of(&self, envelope: &Envelope) -> Option<Link> {
        match envelope.lane {
            Some((connection, way)) => Some(self.connections.get(connection)?.link(way)),
            None => Some(link(envelope.from, envelope.to)),
        }
    }

    fn carry(&mut self, link: Link, time: Duration, envelope: Envelope) {
        let condition = self.network.condition(link);
        if condition.silent || self.is_mute(&envelope) {
            self.vanish(&envelope);
        } else if condition.cut || condition.held {
            self.hold(link, envelope);
        } else {
            let at = self.now.after(time + condition.delay);
            let at = match envelope
                .lane
                .and_then(|(number, way)| Some((self.connections.get_mut(number)?, way)))
            {
                Some((connection, way)) if connection.purpose.is_shared() => connection.in_order(way, at),
                _ => at,
            };
            self.watch_deadline(envelope.call, at);
            self.schedule(at, What::Arrival(envelope));
        }
    }

    fn hold(&mut self, link: Link, envelope: Envelope) {
        self.expire(envelope.call);
        self.held.push((link, envelope));
    }

    /// It is gone, and the way that it took is mute.
    fn vanish(&mut self, envelope: &Envelope) {
        self.expire(envelope.call);
        if let Some((number, way)) = envelope.lane
            && let Some(connection) = self.connections.get_mut(number)
        {
            connection.silence(way);
        }
    }

    fn is_mute(&self, envelope: &Envelope) -> bool {
        let open = envelope.lane.and_then(|(number, way)| Some((self.connections.get(number)?, way)));
        open.is_some_and(|(connection, way)| connection.is_mute(way))
    }

    /// An envelope is there, unless something has happened to its way, or to whoever it is for.
    pub(super) fn arrived(&mut self, kernel: &Kernel, envelope: Envelope) -> Option<Waker> {
        let link = self.link_of(&envelope)?;
        let condition = self.network.condition(link);
        if self.is_mute(&envelope) || (condition.silent && envelope.lane.is_none()) {
            self.vanish(&envelope);
            None
        } else if condition.cut {
            self.hold(link, envelope);
            None
        } else if let Some(place) = self.paused_for(&envelope) {
            self.expire(envelope.call);
            self.parked.push((place, What::Arrival(envelope)));
            None
        } else {
            self.deliver(kernel, envelope)
        }
    }

    /// A node puts work on what it got on its agenda.
    pub(super) fn work_until(&mut self, time: Duration, envelope: Envelope) {
        let life = self.life(envelope.to);
        self.schedule(self.now.after(time), What::Work(envelope, life));
    }

    /// A node has done its work, unless it died over it.
    pub(super) fn worked(&mut self, kernel: &Kernel, envelope: Envelope, life: u32) -> Option<Waker> {
        if self.life(envelope.to) != life {
            return None;
        }
        if self.ledger.is_paused(envelope.to) {
            self.expire(envelope.call);
            self.parked.push((envelope.to, What::Work(envelope, life)));
            return None;
        }
        self.deliver(kernel, envelope)
    }

    pub(super) fn life(&self, actor: Actor) -> u32 {
        self.lives.get(&actor).copied().unwrap_or_default()
    }

    /// What waited for a link goes on its way, in the order of its sending.
    pub(super) fn let_go(&mut self, link: Link) {
        let (freed, held): (Vec<_>, _) =
            std::mem::take(&mut self.held).into_iter().partition(|(held, _)| *held == link);
        self.held = held;
        let mut freed: Vec<Envelope> = freed.into_iter().map(|(_, envelope)| envelope).collect();
        freed.sort_by_key(|envelope| envelope.order);
        for envelope in freed {
            let unopened = envelope.lane.map(|(connection, _)| connection).filter(|connection| {
                self.connections.get(*connection).is_some_and(|connection| !connection.is_open)
            });
            match (unopened, envelope.call) {
                // Whoever waited for the connection may have given up.
                (Some(connection), Some(call)) if self.is_awaited(call) => {
                    self.sent_after_all(call);
                    self.send_over(connection, deadline::STATEMENT, envelope);
                }
                (Some(_), _) => {}
                (None, _) => {
                    let time = self.network.time(link);
                    if self.link_of(&envelope).is_some() {
                        self.carry(link, time, envelope);
                    }
                }
            }
        }
    }

    /// A connection ends, and both its ends learn it at once. What is under way on it is lost.
    pub(super) fn close(&mut self, number: Number) {
        let Some(closed) = self.connections.close(number) else { return };
        self.held.retain(|(_, envelope)| envelope.lane.is_none_or(|(connection, _)| connection != number));
        if let (Actor::Server(server), false) = (closed.opener, closed.is_abandoned) {
            self.miss(server, number, closed.acceptor, closed.purpose);
        }
    }

    /// A server leaves a connection. What it has sent there still arrives.
    pub(super) fn leave(&mut self, server: ServerId, number: Number) {
        if let Some((acceptor, purpose)) = self.connections.abandon(number) {
            self.miss(server, number, acceptor, purpose);
        }
    }

    /// A server has a connection no more: no call over it will be answered, and another may be opened.
    fn miss(&mut self, server: ServerId, number: Number, acceptor: Actor, purpose: Purpose) {
        for call in self.calls.numbers(|call| call.hangs_on == Some(number)) {
            self.lose(call);
        }
        match purpose {
            Purpose::Subscription => self.end_subscription(server, number),
            Purpose::Statements => {
                self.server(server).pool(acceptor).lost(number);
                self.next_statement(server, acceptor);
            }
            _ => {}
        }
    }
}

/// How long an opening may take.
fn opening(purpose: Purpose) -> Duration {
    match purpose {
        Purpose::Statements | Purpose::Membership | Purpose::Roster => deadline::OPEN,
        _ => deadline::REDIS,
    }
}
