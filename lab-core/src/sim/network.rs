//! How long a message takes, and what a fault does to it.
//!
//! A connection is a TCP connection: its messages do not overtake each other, and one that is late makes the next
//! ones late too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::random::{Purpose, Stream};
use crate::trace::Actor;
use crate::value::Instant;
use crate::world::{Fault, Link};

/// In so many of a hundred messages something odd happens on the way.
const EXTREME_PERCENT: u32 = 8;
/// What it then takes longer, in nanoseconds.
const EXTREME_NS: (u64, u64) = (1_000_000, 9_000_000);
/// How long a way takes, in nanoseconds: a fixed part, and the mean of a part that differs from message to message.
struct Way {
    fixed: u64,
    jitter: u64,
}

/// The ways of a small data centre: clients come through the balancer from further away, a publication passes every
/// node of the cluster before it reaches its subscribers, and log records travel in batches.
const CLIENT: Way = Way { fixed: 180_000, jitter: 90_000 };
const STORE: Way = Way { fixed: 110_000, jitter: 50_000 };
const BUS: Way = Way { fixed: 200_000, jitter: 150_000 };
const REPLICATION: Way = Way { fixed: 150_000, jitter: 200_000 };

fn way(link: Link) -> Way {
    match link {
        Link::BusTo(_) => BUS,
        Link::From(Actor::Client(_), _) | Link::From(_, Actor::Client(_)) => CLIENT,
        Link::From(_, Actor::RedisReplica(_)) | Link::From(Actor::Primary, Actor::Replica(_)) => REPLICATION,
        Link::From(..) => STORE,
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives.
    Arrives(Instant),
    /// It waits for this link to heal.
    Waits(Link),
    /// It vanishes: the sender learns nothing.
    Vanishes,
}

#[derive(Clone, Copy, Default)]
struct Condition {
    delay: Duration,
    cut: bool,
    silent: bool,
}

pub(super) struct Network {
    latency: Stream,
    extremes: Stream,
    conditions: BTreeMap<Link, Condition>,
    /// The last arrival on each connection.
    last: BTreeMap<u32, Instant>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            latency: Stream::new(seed, Purpose::Network),
            extremes: Stream::new(seed, Purpose::Faults),
            conditions: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// Puts a fault on a link, or takes all of them off: then it says which link is whole again.
    pub(super) fn inject(&mut self, fault: Fault) -> Option<Link> {
        match fault {
            Fault::Delay { link, by_ms } => self.condition(link).delay = Duration::from_millis(by_ms),
            Fault::Cut(link) => self.condition(link).cut = true,
            Fault::BlackHole(link) => self.condition(link).silent = true,
            Fault::Heal(link) => {
                *self.condition(link) = Condition::default();
                return Some(link);
            }
            // A death strikes no link.
            Fault::Kill(_) => {}
        }
        None
    }

    fn condition(&mut self, link: Link) -> &mut Condition {
        self.conditions.entry(link).or_default()
    }

    /// Sends a message over a connection of its own: others may overtake it.
    pub(super) fn send_alone(&mut self, link: Link, now: Instant) -> Fate {
        let Way { fixed, jitter } = way(link);
        let mut way = fixed + self.latency.exponential(jitter);
        if self.extremes.chance(EXTREME_PERCENT) {
            way += self.extremes.between(EXTREME_NS.0, EXTREME_NS.1);
        }
        let condition = self.conditions.get(&link).copied().unwrap_or_default();
        if condition.cut {
            Fate::Waits(link)
        } else if condition.silent {
            Fate::Vanishes
        } else {
            Fate::Arrives(now.after(Duration::from_nanos(way) + condition.delay))
        }
    }

    /// Sends a message over the link's one connection: it arrives after those sent before.
    pub(super) fn send(&mut self, link: Link, now: Instant) -> Fate {
        let fate = self.send_alone(link, now);
        let Fate::Arrives(at) = fate else {
            return fate;
        };
        let last = self.last.entry(connection(link)).or_default();
        *last = at.max(last.after(Duration::from_nanos(1)));
        Fate::Arrives(*last)
    }
}

/// A number for a link, so that finding its connection costs comparisons of numbers.
fn connection(link: Link) -> u32 {
    let end = |actor: Actor| match actor {
        Actor::Lab => 0,
        Actor::Balancer => 1,
        Actor::Bus => 2,
        Actor::Primary => 3,
        Actor::Replica(number) => 0x100 + u32::from(number),
        Actor::RedisMaster(shard) => 0x200 + u32::from(shard),
        Actor::RedisReplica(shard) => 0x300 + u32::from(shard),
        Actor::Server(server) => 0x400 + u32::from(server.0),
        Actor::Client(client) => 0x500 + u32::from(client.0),
    };
    match link {
        // A subscription is a connection of its own, apart from the one that a server publishes over.
        Link::BusTo(server) => end(Actor::Server(server)),
        Link::From(from, to) => end(from) << 16 | end(to),
    }
}

/// The link from one actor to another.
pub(super) fn link(from: Actor, to: Actor) -> Link {
    Link::From(from, to)
}
