//! The Redis Cluster and the PostgreSQL that runs use in turn, and what an operator does to them past every fault.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lab_core::cluster::{Shard, Topology};
use lab_core::value::{Key, Value, Version};
use redis::aio::MultiplexedConnection;
use redis::cluster_routing::Slot;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, cmd};
use tokio_postgres::Config;
use tokio_postgres::types::{PgLsn, Type};

use super::error::StoresError;
use super::guest::Guest;
use super::remains::Remains;
use crate::adapters::database::{POSITION, SCHEMA, UPSERT};
use crate::adapters::keyspace::Keyspace;
use crate::harness::{
    Address, AppServer, Harness, HarnessError, HarnessSpec, Operator, OperatorError, PostgresEndpoint,
    PostgresNode, Reach, RedisEndpoint, RedisNode,
};

/// App servers that a harness of ours has addresses for.
pub const SERVERS_MAX: u8 = 8;

/// How long leaving somebody else's servers is tried, on every server at once, before what remains is named. A Redis
/// Cluster has elected another master by then, and PostgreSQL has been started again.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(30);

/// One answer to the operator.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A replica that is whole replays a row in milliseconds.
pub(super) const REPLAYED_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

/// Running stores. Dropping them ends those that are our own.
pub struct Stores {
    harness: Harness,
    /// On servers that somebody else runs.
    guest: Option<Guest>,
    /// Replicas of somebody else's that have stopped answering: nothing waits for them in this run.
    lost: Mutex<BTreeSet<PostgresNode>>,
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
        Ok(Self { harness: Harness::start(spec).await?, guest: None, lost: Mutex::default() })
    }

    /// Uses servers that somebody else runs. They cannot be broken; what they hold is not touched.
    ///
    /// # Errors
    /// When they cannot be reached.
    pub async fn connect_to(redis: &[String], postgres: &str) -> Result<Self, HarnessError> {
        Self::connect_for(redis, postgres, LEAVE_WITHIN).await
    }

    /// Like [`Stores::connect_to`], with another limit on the time that leaving may take.
    ///
    /// # Errors
    /// When they cannot be reached.
    pub async fn connect_for(
        redis: &[String],
        postgres: &str,
        leave_within: Duration,
    ) -> Result<Self, HarnessError> {
        let harness = Harness::connect_to(redis, postgres).await?;
        Ok(Self { harness, guest: Some(Guest::new(leave_within)), lost: Mutex::default() })
    }

    /// The servers themselves.
    pub fn harness(&self) -> &Harness {
        &self.harness
    }

    /// The nodes of a run with so many app servers.
    pub fn topology(&self, servers: u8) -> Topology {
        let direct = self.harness.endpoints().direct();
        let has_replica =
            |shard| direct.redis.iter().any(|endpoint| endpoint.node == RedisNode::Replica(shard));
        let mut shards: Vec<_> = self
            .masters()
            .map(|endpoint| {
                let slots = endpoint.slots.iter().map(|range| (*range.start(), *range.end())).collect();
                let shard = endpoint.node.shard();
                (shard, Shard { slots, replica: has_replica(shard) })
            })
            .collect();
        shards.sort_by_key(|(shard, _)| *shard);
        let postgres_replicas = self.replica_numbers().max().unwrap_or(0);
        Topology { servers, shards: shards.into_iter().map(|(_, shard)| shard).collect(), postgres_replicas }
    }

    /// Makes ready for a run: our own servers are emptied and every fault is lifted; on somebody else's there must be
    /// room. Every replica has the tables then.
    ///
    /// # Errors
    /// When a store does not answer, or holds somebody else's data.
    pub async fn prepare(&self) -> Result<(), StoresError> {
        self.lost().clear();
        match &self.guest {
            Some(guest) => guest.arrive(self).await?,
            None => self.empty().await?,
        }
        let client = self.postgres(self.primary()?).await?;
        self.await_replicas(position(&client).await?).await
    }

    /// Takes away what a run has left in servers that somebody else runs, and nothing that it did not bring; answers what
    /// is still there when the time for that is over.
    pub async fn leave(&self) -> Vec<Remains> {
        if let Some(guest) = &self.guest {
            guest.leave(self).await;
        }
        self.remains()
    }

    /// What a run has brought to servers that somebody else runs and may be there now, at any time.
    pub fn remains(&self) -> Vec<Remains> {
        self.guest.as_ref().map(|guest| guest.remains(self)).unwrap_or_default()
    }

    /// How long leaving may take.
    pub fn leave_within(&self) -> Duration {
        self.guest.as_ref().map_or(Duration::ZERO, Guest::leave_within)
    }

    /// Comes when leaving servers that somebody else runs has gone on for so long.
    pub async fn leaving_for(&self, time: Duration) {
        match &self.guest {
            Some(guest) => guest.leaving_for(time).await,
            None => std::future::pending().await,
        }
    }

    /// Comes when another run of the lab has taken our place on servers that somebody else runs.
    pub(super) async fn displaced(&self) -> StoresError {
        match &self.guest {
            Some(guest) => guest.displaced().await,
            None => std::future::pending().await,
        }
    }

    /// What a run's keys are called here.
    pub(super) fn keyspace(&self) -> Keyspace {
        self.guest.as_ref().map(|guest| guest.keyspace().clone()).unwrap_or_default()
    }

    /// How an app server reaches the nodes. On servers that somebody else runs its sessions bear the run's mark.
    pub(super) fn reach(&self, server: AppServer) -> Result<Reach, HarnessError> {
        let mut reach = self.harness.endpoints().server(server)?.clone();
        for endpoint in &mut reach.postgres {
            self.sign(&mut endpoint.config);
        }
        Ok(reach)
    }

    fn sign(&self, config: &mut Config) {
        if let Some(guest) = &self.guest {
            config.application_name(guest.mark());
        }
    }

    /// Empties our own servers.
    async fn empty(&self) -> Result<(), StoresError> {
        if let Ok(links) = self.harness.links() {
            links.heal_all();
        }
        self.harness.restore_redis_roles().await.map_err(StoresError::Roles)?;
        for endpoint in self.masters() {
            let mut connection = self.redis(endpoint).await?;
            let flushed = cmd("FLUSHALL").arg("SYNC").query_async::<()>(&mut connection).await;
            flushed.map_err(StoresError::redis(format!("empty {}", endpoint.node)))?;
        }
        let statements = format!("DROP SCHEMA IF EXISTS cache_lab CASCADE; {SCHEMA}");
        let client = self.postgres(self.primary()?).await?;
        let made = client.batch_execute(&statements).await;
        made.map_err(StoresError::postgres("make the lab's tables"))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When PostgreSQL does not answer.
    pub async fn insert(&self, key: &Key, value: &Value) -> Result<Inserted, StoresError> {
        let doing = || StoresError::postgres(format!("insert {key}"));
        let client = self.postgres(self.primary()?).await?;
        let row = client
            .query_one(UPSERT, &[(&key.as_str(), Type::TEXT), (&value.as_str(), Type::TEXT)])
            .await
            .map_err(doing())?;
        let version: i64 = row.get(0);
        Ok(Inserted { version: Version(version.unsigned_abs()), lsn: position(&client).await? })
    }

    /// Waits until every replica has replayed so far.
    ///
    /// # Errors
    /// When a replica does not follow.
    pub async fn await_replicas(&self, lsn: u64) -> Result<(), StoresError> {
        for replica in self.replicas() {
            match self.await_replay(replica, PgLsn::from(lsn)).await {
                Err(error @ StoresError::Postgres { .. }) if self.guest.is_some() => {
                    self.lose(replica, &error);
                }
                replayed => replayed?,
            }
        }
        Ok(())
    }

    /// Goes on without a replica of somebody else's, which is only looked at.
    pub(super) fn lose(&self, replica: &PostgresEndpoint, error: &StoresError) {
        self.lost().insert(replica.node);
        let notices = self.harness.endpoints().notices();
        notices.add(format!("{replica} is not looked at in this run: {error}"));
    }

    fn lost(&self) -> MutexGuard<'_, BTreeSet<PostgresNode>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn await_replay(&self, replica: &PostgresEndpoint, position: PgLsn) -> Result<(), StoresError> {
        let client = self.postgres(replica).await?;
        let until = Instant::now() + REPLAYED_WITHIN;
        loop {
            let row =
                client.query_one("SELECT pg_last_wal_replay_lsn() >= $1", &[(&position, Type::PG_LSN)]).await;
            if row.map_err(StoresError::postgres(format!("ask {} for its position", replica.node)))?.get(0) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(StoresError::Lagging(replica.node));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Deletes a key at the node that leads its shard, the one that began as the master or the other; answers which node
    /// that was, and whether the other has deleted it too.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn delete_shared(&self, key: &Key) -> Result<(RedisNode, bool), StoresError> {
        let doing = || StoresError::redis(format!("delete {key}"));
        let name = self.keyspace().stored(key);
        let slot = Slot::for_key(&name);
        let holds = |endpoint: &&RedisEndpoint| {
            endpoint.slots.iter().cloned().flatten().any(|number| Slot::new(number) == Some(slot))
        };
        let nowhere = || RedisError::from((redis::ErrorKind::Client, "no master holds the key's slot"));
        let mut failure = None;
        for endpoint in self.harness.endpoints().direct().redis.iter().filter(holds) {
            let deleted = async {
                let mut connection = self.redis(endpoint).await?;
                cmd("DEL").arg(&name).query_async::<()>(&mut connection).await.map_err(doing())?;
                // Answers how many replicas have it, after a second at most.
                let waited = cmd("WAIT").arg(1).arg(1_000).query_async::<u32>(&mut connection).await;
                Ok((endpoint.node, waited.map_err(doing())? > 0))
            };
            match deleted.await {
                Ok(deleted) => return Ok(deleted),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| doing()(nowhere())))
    }

    /// The numbers of the PostgreSQL replicas.
    pub fn replica_numbers(&self) -> impl Iterator<Item = u8> {
        self.replicas().filter_map(|endpoint| match endpoint.node {
            PostgresNode::Replica(number) => Some(number),
            PostgresNode::Primary => None,
        })
    }

    pub(super) fn masters(&self) -> impl Iterator<Item = &RedisEndpoint> {
        let nodes = self.harness.endpoints().direct().redis.iter();
        nodes.filter(|endpoint| matches!(endpoint.node, RedisNode::Master(_)))
    }

    pub(super) fn replicas(&self) -> impl Iterator<Item = &PostgresEndpoint> {
        let (nodes, lost) = (self.harness.endpoints().direct().postgres.iter(), self.lost().clone());
        nodes.filter(move |endpoint| endpoint.node != PostgresNode::Primary && !lost.contains(&endpoint.node))
    }

    pub(super) fn primary(&self) -> Result<&PostgresEndpoint, StoresError> {
        let mut nodes = self.harness.endpoints().direct().postgres.iter();
        nodes.find(|endpoint| endpoint.node == PostgresNode::Primary).ok_or_else(|| StoresError::Postgres {
            doing: "look for the primary".to_owned(),
            why: "there is none among the nodes".to_owned(),
        })
    }

    pub(super) async fn redis(&self, endpoint: &RedisEndpoint) -> Result<MultiplexedConnection, StoresError> {
        let connected = connect(self.harness.endpoints().direct(), &endpoint.data).await;
        connected.map_err(StoresError::redis(format!("connect to {endpoint}")))
    }

    /// A node that may not have been there at the start.
    pub(super) async fn redis_at(&self, address: &Address) -> Result<MultiplexedConnection, StoresError> {
        let connected = connect(self.harness.endpoints().direct(), address).await;
        connected.map_err(StoresError::redis("connect to it"))
    }

    pub(super) async fn postgres(&self, endpoint: &PostgresEndpoint) -> Result<Operator, StoresError> {
        self.operator(endpoint).await.map_err(StoresError::postgres(format!("connect to {endpoint}")))
    }

    /// The same, with the server's own reason where it refuses.
    pub(super) async fn operator(&self, endpoint: &PostgresEndpoint) -> Result<Operator, OperatorError> {
        let mut config = endpoint.config.clone();
        self.sign(&mut config);
        Operator::connect(&config).await
    }
}

/// An operator's connection to a Redis node.
pub(super) async fn connect(reach: &Reach, address: &Address) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN));
    Client::open(reach.redis_connection(address)?)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// How far the write-ahead log is on disk, in bytes.
async fn position(primary: &Operator) -> Result<u64, StoresError> {
    let row = primary.query_one(POSITION, &[]).await;
    let position: PgLsn = row.map_err(StoresError::postgres("ask the primary for its position"))?.get(0);
    Ok(position.into())
}
