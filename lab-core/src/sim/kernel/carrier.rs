//! Which Redis node a server asks, and which one carries the bus: as long as no node falls silent, the masters that the
//! cluster began with.
//!
//! A server learns that another node leads a shard when it is told so (MOVED), or when it asks the cluster anew: its
//! connection was refused, or a call was not answered in time.

use super::connections::Purpose;
use super::{Envelope, State};
use crate::cluster::{Actor, slot};
use crate::ports::CHANNEL;
use crate::sim::redis::shard_of;
use crate::value::ServerId;

impl State {
    /// The node that a server believes to lead a shard.
    pub(in crate::sim) fn believed(&self, server: ServerId, shard: u8) -> Actor {
        if self.led.is_empty() {
            return Actor::RedisMaster(shard);
        }
        self.led.get(&(server, shard)).copied().unwrap_or(Actor::RedisMaster(shard))
    }

    /// A server that got nothing from a node of Redis, or from the one that carries the bus, asks the cluster who leads that
    /// shard now.
    pub(in crate::sim) fn find_anew(&mut self, server: ServerId, silent: Actor) -> Actor {
        let shard = if silent == Actor::Bus { Some(self.bus_shard()) } else { shard_of(silent) };
        let Some(shard) = shard else { return silent };
        self.learn(server, self.redis.leader(shard));
        self.believed(server, shard)
    }

    /// A server learns that this node leads its shard. Its publications go there, too, if that shard carries the bus.
    pub(in crate::sim) fn learn(&mut self, server: ServerId, leader: Actor) {
        let Some(shard) = shard_of(leader) else { return };
        if self.believed(server, shard) == leader {
            return;
        }
        self.led.insert((server, shard), leader);
        if shard == self.bus_shard() {
            let from = Actor::Server(server);
            if let Some(before) = self.connections.existing(from, Actor::Bus, Purpose::Publications) {
                self.leave(server, before);
            }
        }
    }

    /// A server that is born asks who leads.
    pub(super) fn ask_all_anew(&mut self, server: ServerId) {
        for shard in 0..self.topology.masters() {
            self.learn(server, self.redis.leader(shard));
        }
    }

    fn bus_shard(&self) -> u8 {
        self.topology.shard_of(slot(CHANNEL))
    }

    /// The node to which a server's publications go.
    pub(super) fn carrier(&self, server: ServerId) -> Actor {
        self.believed(server, self.bus_shard())
    }

    /// The node where a server can subscribe: the one that carried the bus at first, else its replica, else any other. Who
    /// is not `patient` any longer passes over one that stands still.
    pub(super) fn subscribed_at(&self, patient: bool) -> Option<Actor> {
        let home = self.bus_shard();
        let of = |shard| [Actor::RedisMaster(shard), Actor::RedisReplica(shard)];
        let others = (0..self.topology.masters()).filter(|shard| *shard != home).flat_map(of);
        let there = |node: &Actor| match node {
            Actor::RedisReplica(shard) => self.has_replica(*shard),
            _ => true,
        };
        let mut living =
            of(home).into_iter().chain(others).filter(there).filter(|node| !self.ledger.is_dead(*node));
        if patient {
            living.next().filter(|node| !self.ledger.is_paused(*node))
        } else {
            living.find(|node| !self.ledger.is_paused(*node))
        }
    }

    /// The node that an envelope reaches: the bus is one of Redis' nodes.
    fn place_of(&self, envelope: &Envelope) -> Actor {
        match (envelope.to, envelope.from) {
            (Actor::Bus, Actor::Server(server)) => self.carrier(server),
            (to, _) => to,
        }
    }

    /// The node that stands still and would have to take this envelope.
    pub(super) fn paused_for(&self, envelope: &Envelope) -> Option<Actor> {
        if !self.ledger.is_any_paused() {
            return None;
        }
        Some(self.place_of(envelope)).filter(|place| self.ledger.is_paused(*place))
    }

    /// Whether nobody is there who would take a connection to the acceptor.
    pub(super) fn is_refused(&self, opener: Actor, acceptor: Actor) -> bool {
        match (acceptor, opener) {
            (Actor::Bus, Actor::Server(server)) if self.redis.is_touched() => {
                self.ledger.is_dead(self.carrier(server))
            }
            _ => self.ledger.is_dead(acceptor),
        }
    }

    /// A node that carries the bus dies: its subscribers and publishers lose their connections.
    pub(super) fn lose_bus(&mut self, node: Actor) {
        for server in (1u8..).map(ServerId).take(self.servers.len()) {
            let subscription = self.server(server).subscription.as_ref();
            if let Some(connection) =
                subscription.filter(|inbox| inbox.at == node).map(|inbox| inbox.connection)
            {
                self.close(connection);
            }
            let publications =
                self.connections.existing(Actor::Server(server), Actor::Bus, Purpose::Publications);
            if let Some(connection) = publications.filter(|_| self.carrier(server) == node) {
                self.close(connection);
            }
        }
    }
}
