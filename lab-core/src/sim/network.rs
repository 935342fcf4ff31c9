//! How long a message takes, and what is wrong with the link that it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::random::{Purpose, Stream};
use crate::cluster::Actor;
use crate::fault::{Fault, Link};

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
        Link::From(Actor::RedisReplica(_), Actor::RedisMaster(_))
        | Link::From(Actor::RedisMaster(_), Actor::RedisReplica(_))
        | Link::From(Actor::Primary, Actor::Replica(_)) => REPLICATION,
        Link::From(..) => STORE,
    }
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) delay: Duration,
    pub(super) cut: bool,
    /// What is sent vanishes, and so does whatever is sent over connections that are opened now.
    pub(super) silent: bool,
    pub(super) held: bool,
}

impl Condition {
    /// Whether no connection can be opened through it.
    pub(super) fn bars(self) -> bool {
        self.cut || self.silent
    }
}

pub(super) struct Network {
    latency: Stream,
    extremes: Stream,
    /// Of links that are not whole.
    conditions: BTreeMap<Link, Condition>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            latency: Stream::new(seed, Purpose::Network),
            extremes: Stream::new(seed, Purpose::Faults),
            conditions: BTreeMap::new(),
        }
    }

    /// Puts a fault on its link, or takes it off.
    pub(super) fn inject(&mut self, fault: Fault) {
        let Some(link) = fault.link() else { return };
        let mut condition = self.condition(link);
        match fault {
            Fault::Delay { by_ms, .. } => condition.delay = Duration::from_millis(by_ms),
            Fault::Cut(_) => condition.cut = true,
            Fault::BlackHole(_) => condition.silent = true,
            Fault::Heal(_) => condition = Condition { held: condition.held, ..Condition::default() },
            Fault::Hold(_) => condition.held = true,
            Fault::Release(_) => condition.held = false,
            _ => {}
        }
        if condition == Condition::default() {
            self.conditions.remove(&link);
        } else {
            self.conditions.insert(link, condition);
        }
    }

    /// What is wrong with a link now.
    pub(super) fn condition(&self, link: Link) -> Condition {
        if self.conditions.is_empty() {
            return Condition::default();
        }
        self.conditions.get(&link).copied().unwrap_or_default()
    }

    /// How long the next message on a whole link takes.
    pub(super) fn time(&mut self, link: Link) -> Duration {
        let Way { fixed, jitter } = way(link);
        let mut time = fixed + self.latency.exponential(jitter);
        if self.extremes.chance(EXTREME_PERCENT) {
            time += self.extremes.between(EXTREME_NS.0, EXTREME_NS.1);
        }
        Duration::from_nanos(time)
    }
}

/// The link from one actor to another.
pub(super) fn link(from: Actor, to: Actor) -> Link {
    Link::From(from, to)
}
