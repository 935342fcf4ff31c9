//! Links between places and the faults on them. `proxy.rs` carries the bytes.

use std::fmt;

use super::place::{AppServer, PostgresNode, RedisNode};

/// A kind of connection between two places, named by who opens it. Each can be broken by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// A server's connections for commands (also PUBLISH) to a Redis node.
    Data(AppServer, RedisNode),
    /// A server's subscriber connections to a Redis node: what the bus delivers.
    Bus(AppServer, RedisNode),
    /// A server's connections to a PostgreSQL node.
    Sql(AppServer, PostgresNode),
    /// The first Redis node's cluster-bus connection to the second: its pings, and the answers.
    Gossip(RedisNode, RedisNode),
    /// The first Redis node's connection to the second as its replica.
    Replication(RedisNode, RedisNode),
    /// A PostgreSQL replica's stream of the primary's write-ahead log.
    Wal(PostgresNode),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(server, node) => write!(f, "data:{server}>{node}"),
            Self::Bus(server, node) => write!(f, "bus:{server}>{node}"),
            Self::Sql(server, node) => write!(f, "sql:{server}>{node}"),
            Self::Gossip(from, to) => write!(f, "gossip:{from}>{to}"),
            Self::Replication(from, to) => write!(f, "replication:{from}>{to}"),
            Self::Wal(replica) => write!(f, "wal:{replica}>pg-primary"),
        }
    }
}
