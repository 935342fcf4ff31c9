//! What can go wrong on purpose: one vocabulary, with an interpreter in each world.

use serde::{Deserialize, Serialize};

use crate::cluster::Actor;
use crate::value::ServerId;

/// A connection that a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// From the bus to one server's subscription. Neither that server's publications nor its data pass here.
    BusTo(ServerId),
    /// From one actor to another (one direction).
    From(Actor, Actor),
}

/// What can go wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Every message on the link arrives this much later.
    Delay {
        /// Where.
        link: Link,
        /// By how much, in milliseconds.
        by_ms: u64,
    },
    /// Nothing passes. What is sent waits, as TCP makes it wait in a partition, and arrives after the heal.
    Cut(Link),
    /// The connection stays open and silent: what is sent into it vanishes.
    BlackHole(Link),
    /// The link is whole again.
    Heal(Link),
    /// The actor dies, with everything that it was doing.
    Kill(Actor),
}
