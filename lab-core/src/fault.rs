//! What can go wrong on purpose: one vocabulary, with an interpreter in each world.
//!
//! Verbs come in pairs: what one begins, the other ends ([`Fault::remedy`]). What each means is a clause of
//! `world::contract`, which both worlds keep.

mod peril;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::Actor;
use crate::value::ServerId;
pub use peril::{Peril, UnknownPeril};

/// A connection that a fault can strike, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// From the bus to one server's subscription. Neither that server's publications nor its data pass here.
    BusTo(ServerId),
    /// From one actor to another (one direction).
    From(Actor, Actor),
}

/// What can go wrong on purpose, and what ends it. A fault on a link strikes the direction that the link names and no
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// What is sent on the link from now on arrives this much later. Nothing is as good as no delay.
    Delay {
        /// Where.
        link: Link,
        /// By how much, in milliseconds.
        by_ms: u64,
    },
    /// Nothing passes. What is sent, and what was under way, waits, as TCP makes it wait in a partition, and arrives after
    /// the heal. No connection can be opened.
    Cut(Link),
    /// The connections stay open and mute: what is sent into them, and what was under way, vanishes. So do those that are
    /// opened meanwhile; after the heal they stay mute, and only new ones live.
    BlackHole(Link),
    /// The link is whole again: no delay, no cut, no black hole.
    Heal(Link),
    /// The actor dies, with everything that it was doing and all that it had in memory. Its connections end at once.
    Kill(Actor),
    /// A dead actor begins a new life, with nothing in memory.
    Restart(Actor),
    /// The actor does nothing, as a stopped process: its connections stay open, and what reaches it waits.
    Pause(Actor),
    /// The actor goes on where it was; its timers are late.
    Resume(Actor),
    /// The connections over the link end, and both ends learn it at once. New ones can be opened.
    Reset(Link),
    /// What is sent on the link waits for the release, in its order: how a scenario makes one thing happen after another
    /// without a clock. Unlike [`Fault::Cut`] it lets connections be opened, and leaves what is under way alone.
    Hold(Link),
    /// What was held goes on its way.
    Release(Link),
    /// Every statement at the primary takes this much longer; 0 ends it.
    SlowStatements {
        /// By how much, in milliseconds.
        by_ms: u64,
    },
    /// A `PostgreSQL` replica receives the log, but replays nothing.
    PauseReplay(Actor),
    /// It replays what it has received.
    ResumeReplay(Actor),
    /// A server's clock is so much ahead of the others, or behind them; 0 ends it. It never goes back: set back, it
    /// stands still until the time has come.
    Skew {
        /// Whose.
        server: ServerId,
        /// By how much, in milliseconds.
        by_ms: i64,
    },
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BusTo(server) => write!(f, "bus → {server}"),
            Self::From(from, to) => write!(f, "{from} → {to}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay { link, by_ms: 0 } => write!(f, "{link} is no slower any more"),
            Self::Delay { link, by_ms } => write!(f, "{link} is slower by {by_ms} ms"),
            Self::Cut(link) => write!(f, "{link} is cut"),
            Self::BlackHole(link) => write!(f, "{link} swallows everything"),
            Self::Heal(link) => write!(f, "{link} is whole again"),
            Self::Kill(actor) => write!(f, "{actor} dies"),
            Self::Restart(actor) => write!(f, "{actor} is started again"),
            Self::Pause(actor) => write!(f, "{actor} stands still"),
            Self::Resume(actor) => write!(f, "{actor} goes on"),
            Self::Reset(link) => write!(f, "the connections {link} end"),
            Self::Hold(link) => write!(f, "{link} holds back what is sent"),
            Self::Release(link) => write!(f, "{link} lets go what it held back"),
            Self::SlowStatements { by_ms: 0 } => f.write_str("statements take as long as before"),
            Self::Skew { server, by_ms: 0 } => write!(f, "the clock of {server} is set right"),
            Self::SlowStatements { by_ms } => write!(f, "statements are slower by {by_ms} ms"),
            Self::PauseReplay(actor) => write!(f, "{actor} replays nothing"),
            Self::ResumeReplay(actor) => write!(f, "{actor} replays again"),
            Self::Skew { server, by_ms } => write!(f, "the clock of {server} is off by {by_ms} ms"),
        }
    }
}

impl Fault {
    /// The link that it strikes.
    pub fn link(self) -> Option<Link> {
        match self {
            Self::Delay { link, .. }
            | Self::Cut(link)
            | Self::BlackHole(link)
            | Self::Heal(link)
            | Self::Reset(link)
            | Self::Hold(link)
            | Self::Release(link) => Some(link),
            _ => None,
        }
    }

    /// The actor that it strikes.
    pub fn actor(self) -> Option<Actor> {
        match self {
            Self::Kill(actor)
            | Self::Restart(actor)
            | Self::Pause(actor)
            | Self::Resume(actor)
            | Self::PauseReplay(actor)
            | Self::ResumeReplay(actor) => Some(actor),
            Self::SlowStatements { .. } => Some(Actor::Primary),
            Self::Skew { server, .. } => Some(Actor::Server(server)),
            _ => None,
        }
    }

    /// Whether it only ends another.
    pub fn mends(self) -> bool {
        self.remedy().is_none() && !matches!(self, Self::Reset(_))
    }

    /// What ends it; `None` for what ends something itself, and for a reset, which is over at once.
    pub fn remedy(self) -> Option<Self> {
        match self {
            Self::Delay { link, by_ms: 1.. } | Self::Cut(link) | Self::BlackHole(link) => {
                Some(Self::Heal(link))
            }
            Self::Kill(actor) => Some(Self::Restart(actor)),
            Self::Pause(actor) => Some(Self::Resume(actor)),
            Self::Hold(link) => Some(Self::Release(link)),
            Self::SlowStatements { by_ms: 1.. } => Some(Self::SlowStatements { by_ms: 0 }),
            Self::PauseReplay(actor) => Some(Self::ResumeReplay(actor)),
            Self::Skew { server, by_ms } if by_ms != 0 => Some(Self::Skew { server, by_ms: 0 }),
            _ => None,
        }
    }
}
