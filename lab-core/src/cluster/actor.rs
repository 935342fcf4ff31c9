//! Who acts: each place on the stage has one name, the same in both worlds, on screen and in JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::{ClientId, ServerId};

/// A place on the stage. As text: `client-17`, `balancer`, `srv-1`, `bus`, `redis-a`, `redis-a-replica`,
/// `pg-primary`, `pg-replica-1`, `lab` (the scenario itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Actor {
    /// The scenario: it starts, waits, breaks and heals.
    Lab,
    /// A client.
    Client(ClientId),
    /// The load balancer.
    Balancer,
    /// An app server with its L1.
    Server(ServerId),
    /// The channel of invalidations.
    Bus,
    /// The master of a shard, counted from 0 (`redis-a`).
    RedisMaster(u8),
    /// The replica of a shard, counted from 0 (`redis-a-replica`).
    RedisReplica(u8),
    /// The `PostgreSQL` primary.
    Primary,
    /// A `PostgreSQL` replica, counted from 1.
    Replica(u8),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab => f.write_str("lab"),
            Self::Client(client) => client.fmt(f),
            Self::Balancer => f.write_str("balancer"),
            Self::Server(server) => server.fmt(f),
            Self::Bus => f.write_str("bus"),
            Self::RedisMaster(shard) => write!(f, "redis-{}", shard_letter(*shard)),
            Self::RedisReplica(shard) => write!(f, "redis-{}-replica", shard_letter(*shard)),
            Self::Primary => f.write_str("pg-primary"),
            Self::Replica(replica) => write!(f, "pg-replica-{replica}"),
        }
    }
}

fn shard_letter(shard: u8) -> char {
    char::from(b'a' + shard % 26)
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

/// A text that names no actor.
#[derive(Debug, thiserror::Error)]
#[error("no actor is called {0:?}")]
pub struct UnknownActor(String);

impl TryFrom<String> for Actor {
    type Error = UnknownActor;

    fn try_from(text: String) -> Result<Self, UnknownActor> {
        text.parse()
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        let unknown = || UnknownActor(text.to_owned());
        let number = |digits: &str| digits.parse::<u16>().map_err(|_| unknown());
        let small = |digits: &str| digits.parse::<u8>().map_err(|_| unknown());
        match text {
            "lab" => return Ok(Self::Lab),
            "balancer" => return Ok(Self::Balancer),
            "bus" => return Ok(Self::Bus),
            "pg-primary" => return Ok(Self::Primary),
            _ => {}
        }
        if let Some(digits) = text.strip_prefix("client-") {
            return Ok(Self::Client(ClientId(number(digits)?)));
        }
        if let Some(digits) = text.strip_prefix("srv-") {
            return Ok(Self::Server(ServerId(small(digits)?)));
        }
        if let Some(digits) = text.strip_prefix("pg-replica-") {
            return Ok(Self::Replica(small(digits)?));
        }
        let shard = text.strip_prefix("redis-").ok_or_else(unknown)?;
        let (letter, replica) = match shard.strip_suffix("-replica") {
            Some(letter) => (letter, true),
            None => (shard, false),
        };
        match letter.as_bytes() {
            [letter @ b'a'..=b'z'] if replica => Ok(Self::RedisReplica(letter - b'a')),
            [letter @ b'a'..=b'z'] => Ok(Self::RedisMaster(letter - b'a')),
            _ => Err(unknown()),
        }
    }
}

/// What a node of a Redis Cluster is to its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It takes the commands of its shard's slots.
    Master,
    /// It follows the master.
    Replica,
}
