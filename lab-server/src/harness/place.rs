//! The names of what runs: app servers and nodes, called the same on screen, in traces and in logs.

use std::fmt;

/// An app server, counted from 1; as text `srv-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppServer(pub u8);

impl fmt::Display for AppServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "srv-{}", self.0)
    }
}

/// A Redis node by the role that it starts with: a failover changes the role, never the name. As text
/// `redis-a`, `redis-a-replica`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RedisNode {
    /// The first master of a shard, counted from 0.
    Master(u8),
    /// The first replica of a shard, counted from 0.
    Replica(u8),
}

impl RedisNode {
    /// The shard that the node holds.
    pub fn shard(self) -> u8 {
        match self {
            Self::Master(shard) | Self::Replica(shard) => shard,
        }
    }
}

impl fmt::Display for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = char::from(b'a' + self.shard() % 26);
        match self {
            Self::Master(_) => write!(f, "redis-{letter}"),
            Self::Replica(_) => write!(f, "redis-{letter}-replica"),
        }
    }
}

/// A PostgreSQL node by the role that it starts with. As text `pg-primary`, `pg-replica-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PostgresNode {
    /// Takes the writes.
    Primary,
    /// Streams from the primary; counted from 1.
    Replica(u8),
}

impl fmt::Display for PostgresNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("pg-primary"),
            Self::Replica(number) => write!(f, "pg-replica-{number}"),
        }
    }
}
