//! The Redis Cluster and the PostgreSQL that runs use in turn, and what an operator does to them past every fault.

use std::time::{Duration, Instant};

use lab_core::value::{Key, Value, Version};
use redis::aio::MultiplexedConnection;
use redis::cluster_routing::Slot;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, cmd};
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Config, NoTls};

use crate::adapters::database::{SCHEMA, UPSERT};
use crate::adapters::describe;
use crate::harness::{
    Harness, HarnessError, HarnessSpec, PostgresEndpoint, PostgresNode, RedisEndpoint, RedisNode,
};

/// App servers that a harness of ours has addresses for.
pub const SERVERS_MAX: u8 = 8;

/// One answer to the operator.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A replica that is whole replays a row in milliseconds.
const REPLAYED_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

/// Why the stores could not be prepared for a run.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// Redis did not do it.
    #[error("{doing}: {source}")]
    Redis {
        /// What was being done.
        doing: String,
        /// Redis' answer.
        source: RedisError,
    },
    /// PostgreSQL did not do it.
    #[error("{doing}: {why}")]
    Postgres {
        /// What was being done.
        doing: String,
        /// PostgreSQL's answer.
        why: String,
    },
    /// The servers that were named hold somebody's data.
    #[error(
        "{node} holds {keys} keys that the lab did not store: name an empty Redis Cluster with --redis, or leave \
         --redis and --postgres out and the lab starts its own"
    )]
    NotEmpty {
        /// The node.
        node: RedisNode,
        /// How many keys.
        keys: u64,
    },
    /// A replica does not follow.
    #[error("{0} has not replayed a row within {REPLAYED_WITHIN:?}: is its replay paused?")]
    Lagging(PostgresNode),
}

/// Running stores. Dropping them ends those that are our own.
pub struct Stores {
    harness: Harness,
}

/// A row that an operator wrote.
#[derive(Clone, Copy, Debug)]
pub struct Inserted {
    /// Its version.
    pub version: Version,
    /// The position in the write-ahead log after its commit, in bytes.
    pub lsn: u64,
}

impl Stores {
    /// Starts a Redis Cluster and a PostgreSQL of our own.
    ///
    /// # Errors
    /// When the programs are missing or do not start; nothing is left running then.
    pub async fn start() -> Result<Self, HarnessError> {
        let spec = HarnessSpec { servers: SERVERS_MAX, ..HarnessSpec::default() };
        Ok(Self { harness: Harness::start(spec).await? })
    }

    /// Uses servers that somebody else runs. They cannot be broken, and must be empty.
    ///
    /// # Errors
    /// When they cannot be reached.
    pub async fn connect_to(redis: &[String], postgres: &str) -> Result<Self, HarnessError> {
        Ok(Self { harness: Harness::connect_to(redis, postgres).await? })
    }

    /// The servers themselves.
    pub fn harness(&self) -> &Harness {
        &self.harness
    }

    /// Empties both stores and lifts every fault: a run begins.
    ///
    /// # Errors
    /// When a store does not answer, or holds somebody else's data.
    pub async fn empty(&self) -> Result<(), StoresError> {
        if let Ok(links) = self.harness.links() {
            links.heal_all();
            self.flush().await?;
        } else {
            self.expect_empty().await?;
        }
        let statements = format!("{SCHEMA} TRUNCATE cache_lab.data, cache_lab.members;");
        let client = self.postgres(self.primary()?).await?;
        client
            .batch_execute(&statements)
            .await
            .map_err(StoresError::postgres("make and empty the lab's tables"))
    }

    /// Takes away what a run has left in servers that somebody else runs.
    ///
    /// # Errors
    /// When a store does not answer.
    pub async fn leave(&self) -> Result<(), StoresError> {
        if self.harness.links().is_ok() {
            return Ok(());
        }
        self.flush().await?;
        let client = self.postgres(self.primary()?).await?;
        let dropped = client.batch_execute("DROP SCHEMA IF EXISTS cache_lab CASCADE").await;
        dropped.map_err(StoresError::postgres("drop the lab's tables"))
    }

    async fn flush(&self) -> Result<(), StoresError> {
        for endpoint in self.masters() {
            let mut connection = self.redis(endpoint).await?;
            let flushed = cmd("FLUSHALL").arg("SYNC").query_async::<()>(&mut connection).await;
            flushed.map_err(StoresError::redis(format!("empty {}", endpoint.node)))?;
        }
        Ok(())
    }

    async fn expect_empty(&self) -> Result<(), StoresError> {
        for endpoint in self.masters() {
            let mut connection = self.redis(endpoint).await?;
            let keys: RedisResult<u64> = cmd("DBSIZE").query_async(&mut connection).await;
            let keys = keys.map_err(StoresError::redis(format!("count the keys of {}", endpoint.node)))?;
            if keys > 0 {
                return Err(StoresError::NotEmpty { node: endpoint.node, keys });
            }
        }
        Ok(())
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When PostgreSQL does not answer.
    pub async fn insert(&self, key: &Key, value: &Value) -> Result<Inserted, StoresError> {
        let doing = || StoresError::postgres(format!("insert {key}"));
        let client = self.postgres(self.primary()?).await?;
        let row = client.query_one(UPSERT, &[&key.as_str(), &value.as_str()]).await.map_err(doing())?;
        let version: i64 = row.get(0);
        let row = client.query_one("SELECT pg_current_wal_insert_lsn()", &[]).await.map_err(doing())?;
        let position: PgLsn = row.get(0);
        Ok(Inserted { version: Version(version.unsigned_abs()), lsn: position.into() })
    }

    /// Waits until every replica has replayed so far.
    ///
    /// # Errors
    /// When a replica does not follow.
    pub async fn await_replicas(&self, lsn: u64) -> Result<(), StoresError> {
        for replica in self.replicas() {
            self.await_replay(replica, PgLsn::from(lsn)).await?;
        }
        Ok(())
    }

    async fn await_replay(&self, replica: &PostgresEndpoint, position: PgLsn) -> Result<(), StoresError> {
        let client = self.postgres(replica).await?;
        let until = Instant::now() + REPLAYED_WITHIN;
        loop {
            let row = client.query_one("SELECT pg_last_wal_replay_lsn() >= $1", &[&position]).await;
            if row.map_err(StoresError::postgres(format!("ask {} for its position", replica.node)))?.get(0) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(StoresError::Lagging(replica.node));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Deletes a key at the master that holds its slot; answers which shard that is, and whether its replica has
    /// deleted it too.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn delete_shared(&self, key: &Key) -> Result<(u8, bool), StoresError> {
        let doing = || StoresError::redis(format!("delete {key}"));
        let slot = Slot::for_key(key.as_str());
        let holds = |endpoint: &&RedisEndpoint| {
            endpoint.slots.iter().cloned().flatten().any(|number| Slot::new(number) == Some(slot))
        };
        let nowhere = || RedisError::from((redis::ErrorKind::Client, "no master holds the key's slot"));
        let master = self.masters().find(holds).ok_or_else(nowhere).map_err(doing())?;
        let mut connection = self.redis(master).await?;
        cmd("DEL").arg(key.as_str()).query_async::<()>(&mut connection).await.map_err(doing())?;
        // Answers how many replicas have it, after a second at most.
        let replicas: u32 =
            cmd("WAIT").arg(1).arg(1_000).query_async(&mut connection).await.map_err(doing())?;
        Ok((master.node.shard(), replicas > 0))
    }

    /// The numbers of the PostgreSQL replicas.
    pub fn replica_numbers(&self) -> impl Iterator<Item = u8> {
        self.replicas().filter_map(|endpoint| match endpoint.node {
            PostgresNode::Replica(number) => Some(number),
            PostgresNode::Primary => None,
        })
    }

    fn masters(&self) -> impl Iterator<Item = &RedisEndpoint> {
        let nodes = self.harness.endpoints().direct().redis.iter();
        nodes.filter(|endpoint| matches!(endpoint.node, RedisNode::Master(_)))
    }

    fn replicas(&self) -> impl Iterator<Item = &PostgresEndpoint> {
        let nodes = self.harness.endpoints().direct().postgres.iter();
        nodes.filter(|endpoint| endpoint.node != PostgresNode::Primary)
    }

    fn primary(&self) -> Result<&PostgresEndpoint, StoresError> {
        let mut nodes = self.harness.endpoints().direct().postgres.iter();
        nodes.find(|endpoint| endpoint.node == PostgresNode::Primary).ok_or_else(|| StoresError::Postgres {
            doing: "look for the primary".to_owned(),
            why: "there is none among the nodes".to_owned(),
        })
    }

    pub(super) async fn redis(&self, endpoint: &RedisEndpoint) -> Result<MultiplexedConnection, StoresError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let connecting = async {
            let address = self.harness.endpoints().direct().redis_connection(&endpoint.data)?;
            Client::open(address)?.get_multiplexed_async_connection_with_config(&config).await
        };
        connecting.await.map_err(StoresError::redis(format!("connect to {}", endpoint.node)))
    }

    pub(super) async fn postgres(
        &self,
        endpoint: &PostgresEndpoint,
    ) -> Result<tokio_postgres::Client, StoresError> {
        connect(&endpoint.config)
            .await
            .map_err(StoresError::postgres(format!("connect to {}", endpoint.node)))
    }
}

/// Connects, with the connection's own task on the current runtime; it ends with the client.
async fn connect(config: &Config) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // The client's calls report what went wrong here.
        let _ = connection.await;
    });
    Ok(client)
}

impl StoresError {
    /// Wraps an answer of Redis with what was being done.
    pub(super) fn redis(doing: impl Into<String>) -> impl FnOnce(RedisError) -> Self {
        let doing = doing.into();
        move |source| Self::Redis { doing, source }
    }

    /// Wraps an answer of PostgreSQL with what was being done.
    pub(super) fn postgres(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let doing = doing.into();
        move |error| Self::Postgres { doing, why: describe(&error) }
    }
}
