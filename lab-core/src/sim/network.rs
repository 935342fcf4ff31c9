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
/// The fixed part of a message's way, in nanoseconds.
const WAY_NS: u64 = 120_000;
/// The mean of the part that differs, in nanoseconds.
const JITTER_NS: u64 = 60_000;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives.
    Arrives(Instant),
    /// The connection is refused: the sender learns it at once.
    Refused,
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
    last: BTreeMap<Link, Instant>,
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

    /// Puts a fault on a link; `false` if it is not one of a link.
    pub(super) fn inject(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Delay { link, by_ms } => self.condition(link).delay = Duration::from_millis(by_ms),
            Fault::Cut(link) => self.condition(link).cut = true,
            Fault::BlackHole(link) => self.condition(link).silent = true,
            Fault::Heal(link) => *self.condition(link) = Condition::default(),
            Fault::Kill(_) => return false,
        }
        true
    }

    fn condition(&mut self, link: Link) -> &mut Condition {
        self.conditions.entry(link).or_default()
    }

    /// Sends a message over a connection of its own: others may overtake it.
    pub(super) fn send_alone(&mut self, link: Link, now: Instant) -> Fate {
        let mut way = WAY_NS + self.latency.exponential(JITTER_NS);
        if self.extremes.chance(EXTREME_PERCENT) {
            way += self.extremes.between(EXTREME_NS.0, EXTREME_NS.1);
        }
        let condition = self.conditions.get(&link).copied().unwrap_or_default();
        if condition.cut {
            Fate::Refused
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
        let last = self.last.entry(link).or_default();
        *last = at.max(last.after(Duration::from_nanos(1)));
        Fate::Arrives(*last)
    }
}

/// The link from one actor to another.
pub(super) fn link(from: Actor, to: Actor) -> Link {
    Link::From(from, to)
}
