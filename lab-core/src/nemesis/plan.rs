//! What happens in a run of the nemesis, as data: drawn from a seed, printed, shrunk, played again.

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::sim::random::{Purpose, Stream};
use crate::trace::Actor;
use crate::value::{Key, ServerId};
use crate::world::{Fault, Link};

/// Servers of a run.
const SERVERS: u8 = 4;
/// Shards whose links can be struck.
const SHARDS: u8 = 3;
/// Clients, keys and steps of a client, at most.
const CLIENTS_MAX: u32 = 24;
const KEYS_MAX: u32 = 2;
const STEPS_MAX: u32 = 12;
/// A client's first step comes so late at most, in milliseconds: who waits for an answer must not keep others from asking.
const FIRST_MS: u64 = 3_000;
/// Now and then a client pauses long enough for a lease to run out, in milliseconds.
const LONG_PAUSE_MS: (u64, u64) = (100, 1_500);
const LONG_PAUSE_PERCENT: u32 = 6;
/// A fault begins and lasts so long, in milliseconds.
const STRIKE_AT_MS: (u64, u64) = (0, 3_000);
const STRIKE_FOR_MS: [(u64, u64); 3] = [(100, 900), (900, 1_500), (1_500, 5_000)];
/// A delay, in milliseconds: a nuisance, or around the deadlines of calls and leases.
const DELAY_MS: (u64, u64) = (5, 200);
const LONG_DELAY_MS: (u64, u64) = (400, 2_500);
/// Of a hundred faults so many strike the same server.
const FOCUS_PERCENT: u32 = 60;
/// Of a hundred runs so many have busy servers.
const BUSY_PERCENT: u32 = 40;
/// Faults of a run, at most.
const STRIKES_MAX: u32 = 3;

/// Faults of nodes, clocks and connections besides, at most.
const NODE_STRIKES_MAX: u32 = 2;
/// Faults of Redis' nodes besides, at most.
const REDIS_STRIKES_MAX: u32 = 3;
/// How much longer slow statements take, in milliseconds: a nuisance, or beyond their deadline.
const SLOW_MS: [(u64, u64); 2] = [(5, 300), (2_000, 4_000)];
/// How far a clock is off at most, in milliseconds.
const SKEW_MS: u64 = 3_000;

/// Everything that decides a run of the nemesis: the same plan, the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the servers do.
    pub policy: Policy,
    /// Where the world's chance comes from.
    pub seed: u64,
    /// Whether the tasks of servers wait for their turns ([`crate::sim::Pace::Busy`]).
    #[serde(default)]
    pub busy: bool,
    /// App servers.
    pub servers: u8,
    /// Rows.
    pub keys: u8,
    /// What each client does, one step after another.
    pub clients: Vec<Vec<Step>>,
    /// What goes wrong.
    pub strikes: Vec<Strike>,
}

/// A client waits, and asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds since the answer to the step before.
    pub after_ms: u64,
    /// Whom it asks.
    pub server: ServerId,
    /// About which row, counted from 0.
    pub key: u8,
    /// What for.
    pub action: Action,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The row.
    Read,
    /// A new value.
    Write,
}

/// A fault with its beginning and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    /// Milliseconds since the clients began.
    pub at_ms: u64,
    /// Milliseconds until it is healed; a death is for good.
    pub for_ms: u64,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// A link is slow.
    Delay(Link, u64),
    /// A link holds back what is sent.
    Cut(Link),
    /// A link swallows what is sent.
    BlackHole(Link),
    /// A server dies.
    Kill(ServerId),
    /// A server dies and is started again.
    Bounce(ServerId),
    /// A server stands still.
    Pause(ServerId),
    /// A server's clock is ahead, or behind, in milliseconds.
    Skew(ServerId, i64),
    /// Connections end.
    Reset(Link),
    /// A link holds back what is sent, and lets connections be opened.
    Hold(Link),
    /// The primary's statements take longer, in milliseconds.
    Slow(u64),
    /// The primary dies and is started again.
    BouncePrimary,
    /// The primary stands still.
    PausePrimary,
    /// A node of Redis dies and is started again: before it is missed, or after another leads its shard.
    BounceRedis(Actor),
    /// A node of Redis stands still.
    PauseRedis(Actor),
}

impl Trouble {
    /// The fault that begins it.
    pub fn begins(self) -> Fault {
        match self {
            Self::Delay(link, by_ms) => Fault::Delay { link, by_ms },
            Self::Cut(link) => Fault::Cut(link),
            Self::BlackHole(link) => Fault::BlackHole(link),
            Self::Kill(server) | Self::Bounce(server) => Fault::Kill(Actor::Server(server)),
            Self::Pause(server) => Fault::Pause(Actor::Server(server)),
            Self::Skew(server, by_ms) => Fault::Skew { server, by_ms },
            Self::Reset(link) => Fault::Reset(link),
            Self::Hold(link) => Fault::Hold(link),
            Self::Slow(by_ms) => Fault::SlowStatements { by_ms },
            Self::BouncePrimary => Fault::Kill(Actor::Primary),
            Self::PausePrimary => Fault::Pause(Actor::Primary),
            Self::BounceRedis(node) => Fault::Kill(node),
            Self::PauseRedis(node) => Fault::Pause(node),
        }
    }

    /// The fault that ends it, if anything does.
    pub fn ends(self) -> Option<Fault> {
        match self {
            // A death is for good.
            Self::Kill(_) => None,
            other => other.begins().remedy(),
        }
    }
}

/// What the steps of one run have in common. Runs differ in it as wholes: a mixture of everything in each run would
/// never be just writes, or just one server.
struct Mood {
    keys: u8,
    /// The server that most faults strike, and that some runs ask most.
    focus: ServerId,
    /// Of a hundred steps so many go there, before the others are drawn.
    there_percent: u32,
    write_percent: u32,
    /// The longest usual pause, in milliseconds.
    pause_ms: u64,
}

impl Mood {
    fn draw(chance: &mut Stream) -> Self {
        Self {
            keys: one_to(chance, KEYS_MAX),
            focus: any_server(chance),
            there_percent: [0, 30, 60][chance.below(3) as usize],
            write_percent: [5, 30, 70][chance.below(3) as usize],
            pause_ms: [5, 60, 400][chance.below(3) as usize],
        }
    }

    fn server(&self, chance: &mut Stream, focus_percent: u32) -> ServerId {
        if chance.chance(focus_percent) { self.focus } else { any_server(chance) }
    }

    fn step(&self, chance: &mut Stream) -> Step {
        let (least, most) =
            if chance.chance(LONG_PAUSE_PERCENT) { LONG_PAUSE_MS } else { (0, self.pause_ms) };
        Step {
            after_ms: chance.between(least, most),
            server: self.server(chance, self.there_percent),
            key: one_to(chance, self.keys.into()) - 1,
            action: if chance.chance(self.write_percent) { Action::Write } else { Action::Read },
        }
    }

    fn steps(&self, chance: &mut Stream) -> Vec<Step> {
        let mut steps: Vec<_> = (0..one_to(chance, STEPS_MAX)).map(|_| self.step(chance)).collect();
        steps[0].after_ms = chance.between(0, FIRST_MS);
        steps
    }

    fn strike(&self, chance: &mut Stream) -> Strike {
        let at_ms = chance.between(STRIKE_AT_MS.0, STRIKE_AT_MS.1);
        let (least, most) = STRIKE_FOR_MS[chance.below(3) as usize];
        let for_ms = chance.between(least, most);
        let server = self.server(chance, FOCUS_PERCENT);
        let link = any_link(chance, server);
        let (least, most) = if chance.chance(50) { LONG_DELAY_MS } else { DELAY_MS };
        let trouble = match chance.below(10) {
            0..=2 => Trouble::Delay(link, chance.between(least, most)),
            3..=5 => Trouble::Cut(link),
            6..=8 => Trouble::BlackHole(link),
            _ => Trouble::Kill(server),
        };
        Strike { at_ms, for_ms, trouble }
    }
}

impl Mood {
    fn node_strike(&self, chance: &mut Stream) -> Strike {
        let at_ms = chance.between(STRIKE_AT_MS.0, STRIKE_AT_MS.1);
        let (least, most) = STRIKE_FOR_MS[chance.below(3) as usize];
        let for_ms = chance.between(least, most);
        let server = self.server(chance, FOCUS_PERCENT);
        let link = any_link(chance, server);
        let (least, most) = SLOW_MS[chance.below(2) as usize];
        let slow_ms = chance.between(least, most);
        let skew_ms = i64::try_from(chance.between(1, SKEW_MS)).unwrap_or(i64::MAX);
        let skew_ms = if chance.chance(50) { skew_ms } else { -skew_ms };
        let trouble = match chance.below(16) {
            0..=2 => Trouble::Bounce(server),
            3..=5 => Trouble::Pause(server),
            6..=7 => Trouble::Skew(server, skew_ms),
            8..=10 => Trouble::Reset(link),
            11..=12 => Trouble::Hold(link),
            13 => Trouble::Slow(slow_ms),
            14 => Trouble::BouncePrimary,
            _ => Trouble::PausePrimary,
        };
        Strike { at_ms, for_ms, trouble }
    }
}

impl Plan {
    /// Draws a plan: clients, one or two rows, one to three faults on links or deaths, and up to two of nodes, clocks and
    /// connections.
    pub fn draw(policy: &Policy, seed: u64) -> Self {
        let mut chance = Stream::new(seed, Purpose::Nemesis);
        let mood = Mood::draw(&mut chance);
        let clients = one_to(&mut chance, CLIENTS_MAX);
        let clients = (0..clients).map(|_| mood.steps(&mut chance)).collect();
        let strikes = one_to(&mut chance, STRIKES_MAX);
        let strikes = (0..strikes).map(|_| mood.strike(&mut chance));
        let mut strikes: Vec<_> = strikes.collect();
        // From a stream of their own, so that everything else of a seed is as it is without them.
        let mut chance = Stream::new(seed, Purpose::NemesisNodes);
        strikes.extend((0..chance.below(NODE_STRIKES_MAX + 1)).map(|_| mood.node_strike(&mut chance)));
        let busy = Stream::new(seed, Purpose::NemesisPace).chance(BUSY_PERCENT);
        Self { policy: policy.clone(), seed, busy, servers: SERVERS, keys: mood.keys, clients, strikes }
    }

    /// The same run with one to three faults of one shard's nodes besides, from a stream of their own. It is asked for: who
    /// trusts that Redis keeps what it has acknowledged does not survive them ([`super::survives`]).
    #[must_use]
    pub fn with_redis_strikes(mut self) -> Self {
        let mut chance = Stream::new(self.seed, Purpose::NemesisRedis);
        let shard = one_to(&mut chance, SHARDS.into()) - 1;
        let strikes = one_to(&mut chance, REDIS_STRIKES_MAX);
        self.strikes.extend((0..strikes).map(|_| redis_strike(&mut chance, shard)));
        self
    }

    /// The rows, by number.
    pub fn key(number: u8) -> Key {
        Key::new(format!("row:{number}"))
    }
}

fn one_to(chance: &mut Stream, most: u32) -> u8 {
    u8::try_from(1 + chance.below(most)).unwrap_or(u8::MAX)
}

fn any_server(chance: &mut Stream) -> ServerId {
    ServerId(one_to(chance, SERVERS.into()))
}

/// What happens to a shard of Redis: a node of it dies or stands still, more often the master, or the replica falls behind.
fn redis_strike(chance: &mut Stream, shard: u8) -> Strike {
    let (master, replica) = (Actor::RedisMaster(shard), Actor::RedisReplica(shard));
    let at_ms = chance.between(STRIKE_AT_MS.0, STRIKE_AT_MS.1);
    let (least, most) = STRIKE_FOR_MS[chance.below(3) as usize];
    let for_ms = chance.between(least, most);
    let node = if chance.chance(80) { master } else { replica };
    let behind =
        Trouble::Delay(Link::From(master, replica), chance.between(LONG_DELAY_MS.0, LONG_DELAY_MS.1));
    let trouble = match chance.below(5) {
        0..=1 => Trouble::BounceRedis(node),
        2..=3 => Trouble::PauseRedis(node),
        _ => behind,
    };
    Strike { at_ms, for_ms, trouble }
}

/// A link of a server with a store or the bus, in one direction.
fn any_link(chance: &mut Stream, server: ServerId) -> Link {
    let here = Actor::Server(server);
    let there = match chance.below(8) {
        0..=1 => return Link::BusTo(server),
        2 => Actor::Bus,
        3..=5 => Actor::Primary,
        _ => Actor::RedisMaster(one_to(chance, SHARDS.into()) - 1),
    };
    if chance.chance(50) { Link::From(here, there) } else { Link::From(there, here) }
}
