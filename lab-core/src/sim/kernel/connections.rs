//! Connections: each has two ends, two ways and a life. What travels on one keeps its order; when it ends, its ends learn of
//! it as TCP tells them: at once, or never.

use std::collections::BTreeMap;

use super::slots::{Number, Slots};
use crate::cluster::Actor;
use crate::fault::Link;
use crate::value::Instant;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// A server's commands to a Redis node: many calls share it.
    Commands,
    /// A server's publications: likewise.
    Publications,
    /// What the bus delivers to a server.
    Subscription,
    /// One of a server's pool: one statement at a time.
    Statements,
    /// The renewals of a server's membership, apart from its pool.
    Membership,
    /// A server's questions who is a member: no renewal waits behind them.
    Roster,
    /// What a Redis master tells its replica.
    Replication,
    /// The write-ahead log on its way to a replica.
    Log,
}

impl Purpose {
    /// Whether what is sent over such a connection keeps its order; over the others goes one thing at a time.
    pub(super) fn is_shared(self) -> bool {
        !matches!(self, Self::Statements | Self::Membership | Self::Roster)
    }
}

/// A way on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From whoever opened it.
    Forth,
    /// To whoever opened it.
    Back,
}

/// A connection, as its opener knows it.
pub(super) struct Connection {
    pub(super) opener: Actor,
    pub(super) acceptor: Actor,
    pub(super) purpose: Purpose,
    /// Whether it came about: a fault may bar that.
    pub(super) is_open: bool,
    /// Its opener has left it.
    pub(super) is_abandoned: bool,
    forth: Lane,
    back: Lane,
}

/// One way of a connection.
struct Lane {
    link: Link,
    /// What is sent into it vanishes, for good.
    mute: bool,
    /// The last arrival: nothing overtakes it.
    last: Instant,
}

impl Connection {
    pub(super) fn new(opener: Actor, acceptor: Actor, purpose: Purpose) -> Self {
        let (forth, back) = match (purpose, opener) {
            (Purpose::Subscription, Actor::Server(server)) => (Link::BusTo(server), Link::BusTo(server)),
            _ => (Link::From(opener, acceptor), Link::From(acceptor, opener)),
        };
        // Whoever asks for nothing has opened it before it is used.
        let is_open = matches!(purpose, Purpose::Subscription | Purpose::Replication | Purpose::Log);
        let lane = |link| Lane { link, mute: false, last: Instant::default() };
        Self { opener, acceptor, purpose, is_open, is_abandoned: false, forth: lane(forth), back: lane(back) }
    }

    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Forth => &mut self.forth,
            Way::Back => &mut self.back,
        }
    }

    /// The links of both ways.
    pub(super) fn links(&self) -> [Link; 2] {
        [self.forth.link, self.back.link]
    }

    pub(super) fn link(&self, way: Way) -> Link {
        match way {
            Way::Forth => self.forth.link,
            Way::Back => self.back.link,
        }
    }

    pub(super) fn is_mute(&self, way: Way) -> bool {
        match way {
            Way::Forth => self.forth.mute,
            Way::Back => self.back.mute,
        }
    }

    /// Whether a call over it gets no answer any more.
    pub(super) fn is_dumb(&self) -> bool {
        self.forth.mute || self.back.mute
    }

    pub(super) fn silence(&mut self, way: Way) {
        self.lane(way).mute = true;
    }

    /// When what would arrive at `at` arrives: after all that was sent before.
    pub(super) fn in_order(&mut self, way: Way, at: Instant) -> Instant {
        let last = &mut self.lane(way).last;
        *last = at.max(Instant(last.0 + 1));
        *last
    }
}

/// All open connections.
#[derive(Default)]
pub(super) struct Connections {
    open: Slots<Connection>,
    /// Those of which a pair of places has one for a purpose.
    only: BTreeMap<u64, Number>,
}

impl Connections {
    pub(super) fn open(&mut self, connection: Connection) -> Number {
        self.open.put(connection)
    }

    /// The one connection of two places for a purpose, opened if need be.
    pub(super) fn only(&mut self, opener: Actor, acceptor: Actor, purpose: Purpose) -> Number {
        let key = key(opener, acceptor, purpose);
        if let Some(number) = self.only.get(&key) {
            return *number;
        }
        let number = self.open.put(Connection::new(opener, acceptor, purpose));
        self.only.insert(key, number);
        number
    }

    /// That connection, if it is open.
    pub(super) fn existing(&self, opener: Actor, acceptor: Actor, purpose: Purpose) -> Option<Number> {
        self.only.get(&key(opener, acceptor, purpose)).copied()
    }

    pub(super) fn get(&self, number: Number) -> Option<&Connection> {
        self.open.get(number)
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut Connection> {
        self.open.get_mut(number)
    }

    pub(super) fn close(&mut self, number: Number) -> Option<Connection> {
        let closed = self.open.take(number)?;
        let key = key(closed.opener, closed.acceptor, closed.purpose);
        if self.only.get(&key) == Some(&number) {
            self.only.remove(&key);
        }
        Some(closed)
    }

    /// Its opener leaves it: what it has sent still arrives, and nothing reaches it any more.
    pub(super) fn abandon(&mut self, number: Number) -> Option<(Actor, Purpose)> {
        let left = self.open.get_mut(number).filter(|connection| !connection.is_abandoned)?;
        left.silence(Way::Back);
        left.is_abandoned = true;
        let (key, end) = (key(left.opener, left.acceptor, left.purpose), (left.acceptor, left.purpose));
        if self.only.get(&key) == Some(&number) {
            self.only.remove(&key);
        }
        Some(end)
    }

    pub(super) fn numbers(&self, wanted: impl Fn(&Connection) -> bool) -> Vec<Number> {
        self.open.numbers(wanted)
    }

    /// A black hole opens: whatever passes there is mute from now on.
    pub(super) fn silence(&mut self, link: Link) {
        for connection in self.open.iter_mut() {
            for way in [Way::Forth, Way::Back] {
                if connection.link(way) == link {
                    connection.silence(way);
                }
            }
        }
    }
}

/// A number for a connection, so that finding it costs comparisons of numbers.
fn key(opener: Actor, acceptor: Actor, purpose: Purpose) -> u64 {
    (u64::from(number(opener)) << 32) | (u64::from(number(acceptor)) << 8) | purpose as u64
}

fn number(actor: Actor) -> u32 {
    match actor {
        Actor::Lab => 0,
        Actor::Balancer => 1,
        Actor::Bus => 2,
        Actor::Primary => 3,
        Actor::Replica(number) => 0x100 + u32::from(number),
        Actor::RedisMaster(shard) => 0x200 + u32::from(shard),
        Actor::RedisReplica(shard) => 0x300 + u32::from(shard),
        Actor::Server(server) => 0x400 + u32::from(server.0),
        Actor::Client(client) => 0x500 + u32::from(client.0),
    }
}
