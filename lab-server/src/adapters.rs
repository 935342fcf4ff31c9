//! The real ports: Redis Cluster through redis-rs, PostgreSQL through tokio-postgres, time and tasks of tokio.
//!
//! They are pure: what a server calls and what it is answered is noted by [`lab_core::ports::traced::Traced`] around
//! them. Only the arrival of a notice and the wait for a connection are noted here, because nobody else sees them.
//!
//! # Layout
//! * [`shared_cache`]: L2; [`keyspace`]: what its keys are called; `cluster`: the connection that both L2 and the bus use
//! * [`database`]: rows; `pool`: connections to one PostgreSQL node
//! * [`membership`]: leases in a table
//! * [`bus`]: Redis pub/sub with a subscriber connection of its own
//! * [`time`]: clock, tasks and chance
//! * [`observer`]: the journal that all servers of a run write; [`refusals`]: what the stores refused meanwhile

pub mod bus;
mod cluster;
pub mod database;
pub mod keyspace;
pub mod membership;
pub mod observer;
mod pool;
pub mod refusals;
pub mod shared_cache;
pub mod time;

use std::sync::Arc;
use std::time::Duration;

use lab_core::ports::Ports;
use lab_core::value::ServerId;

use crate::harness::Reach;
use bus::RedisBus;
use cluster::Cluster;
use database::PostgresDatabase;
use keyspace::Keyspace;
use membership::PostgresMembership;
use observer::{Recorder, ServerObserver};
use shared_cache::RedisCache;
use time::{OsEntropy, RuntimeTasks, ServerClock};

/// Why a server could not connect to its stores.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Redis did not take the connection.
    #[error("{server} could not connect to the Redis Cluster (at {nodes}): {why}")]
    Redis {
        /// Who wanted to connect.
        server: ServerId,
        /// Where its nodes are.
        nodes: String,
        /// Why not.
        why: redis::RedisError,
    },
    /// A store took too long.
    #[error("{server} could not connect to {store} within {within:?}: is the machine very busy?")]
    Slow {
        /// Who wanted to connect.
        server: ServerId,
        /// To what.
        store: &'static str,
        /// The time it had.
        within: Duration,
    },
    /// PostgreSQL did not take a connection.
    #[error("{0} could not connect to the PostgreSQL at {1}")]
    Postgres(ServerId, String),
}

/// What a server needs to know to connect.
#[derive(Clone)]
pub struct Connect {
    /// Which server.
    pub server: ServerId,
    /// Where it finds the stores.
    pub reach: Reach,
    /// Connections to the primary that its pool holds.
    pub connections: u32,
    /// How long the primary works on a `SELECT`.
    pub query_time: Duration,
    /// What its keys are called.
    pub keyspace: Keyspace,
    /// Where its notes go.
    pub recorder: Arc<Recorder>,
}

/// The ports of one server. Cloning gives another handle to the same connections.
#[derive(Clone)]
pub struct RealPorts(Arc<Inner>);

struct Inner {
    server: ServerId,
    incarnation: u64,
    clock: ServerClock,
    shared: RedisCache,
    database: PostgresDatabase,
    bus: RedisBus,
    membership: PostgresMembership,
    tasks: RuntimeTasks,
    entropy: OsEntropy,
    observer: ServerObserver,
}

impl RealPorts {
    /// Opens every connection of a server, on the current tokio runtime: its tasks run there and end with it.
    ///
    /// # Errors
    /// When a store is not there.
    pub async fn connect(connect: Connect) -> Result<Self, ConnectError> {
        let Connect { server, reach, connections, query_time, keyspace, recorder } = connect;
        let clock = recorder.clock_of(server);
        let entropy = OsEntropy::default();
        let incarnation = time::incarnation();
        let cluster = Cluster::connect(server, &reach, Arc::clone(&recorder)).await?;
        let database =
            PostgresDatabase::connect(server, &reach, connections, query_time, Arc::clone(&recorder)).await?;
        let membership =
            PostgresMembership::connect(server, incarnation, &reach, Arc::clone(&recorder)).await?;
        Ok(Self(Arc::new(Inner {
            server,
            incarnation,
            clock,
            shared: RedisCache::new(cluster.clone(), keyspace),
            database,
            bus: RedisBus::new(server, cluster, reach, Arc::clone(&recorder)),
            membership,
            tasks: RuntimeTasks::current(),
            entropy,
            observer: ServerObserver::new(server, recorder),
        })))
    }
}

impl Ports for RealPorts {
    type Clock = ServerClock;
    type Shared = RedisCache;
    type Database = PostgresDatabase;
    type Bus = RedisBus;
    type Membership = PostgresMembership;
    type Tasks = RuntimeTasks;
    type Entropy = OsEntropy;
    type Observer = ServerObserver;

    fn server(&self) -> ServerId {
        self.0.server
    }

    fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    fn clock(&self) -> &ServerClock {
        &self.0.clock
    }

    fn shared(&self) -> &RedisCache {
        &self.0.shared
    }

    fn database(&self) -> &PostgresDatabase {
        &self.0.database
    }

    fn bus(&self) -> &RedisBus {
        &self.0.bus
    }

    fn membership(&self) -> &PostgresMembership {
        &self.0.membership
    }

    fn tasks(&self) -> &RuntimeTasks {
        &self.0.tasks
    }

    fn entropy(&self) -> &OsEntropy {
        &self.0.entropy
    }

    fn observer(&self) -> &ServerObserver {
        &self.0.observer
    }
}
