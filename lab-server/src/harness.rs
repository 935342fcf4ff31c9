//! Starts and breaks real servers: a Redis Cluster and PostgreSQL with streaming replicas, as children that die
//! with us. It runs no scenario and holds no cache: the adapters connect to what [`Endpoints`] names.
//!
//! # Layout
//! - `binaries`: where the servers' programs are; `directory`: the temporary directory;
//! - `process`: children that cannot outlive us; `ports`: free ports; `node`: a process under its name;
//! - `redis_cluster`, `postgres`: what makes them servers of the lab;
//! - `endpoints`: how to reach them; `external`: the same for servers that somebody else runs;
//! - `place`, `links`: the names of nodes and of the links between them;
//! - `error`: what can go wrong.

mod binaries;
mod directory;
mod endpoints;
mod error;
mod external;
mod links;
mod node;
mod place;
mod ports;
mod postgres;
mod process;
mod redis_cluster;

use std::time::Duration;

use redis::RedisConnectionInfo;
use tokio::try_join;

use binaries::Binaries;
pub use binaries::Search;
use directory::Directory;
pub use endpoints::{Address, Endpoints, PostgresEndpoint, Reach, RedisEndpoint};
pub use error::HarnessError;
pub use links::Link;
pub use place::{AppServer, PostgresNode, RedisNode};
use postgres::PostgresCluster;
pub use postgres::PostgresServer;
use process::Deadline;
pub use redis_cluster::RedisServer;
use redis_cluster::{ClusterPlan, RedisCluster};

/// What to start.
#[derive(Clone, Debug)]
pub struct HarnessSpec {
    /// Redis masters, 1 to 12, with equal shares of the slots.
    pub masters: u8,
    /// 0 or 1.
    pub replicas_per_master: u8,
    /// Streaming replicas of PostgreSQL, 0 to 8.
    pub postgres_replicas: u8,
    /// App servers, each with addresses of its own for every node; up to 32.
    pub servers: u8,
    /// `cluster-node-timeout`. Below 500 ms a busy machine fails over by itself.
    pub node_timeout: Duration,
    /// The time that the whole start is given.
    pub ready_within: Duration,
    /// Where to look for the servers' programs.
    pub search: Search,
}

impl Default for HarnessSpec {
    fn default() -> Self {
        Self {
            masters: 3,
            replicas_per_master: 1,
            postgres_replicas: 2,
            servers: 4,
            node_timeout: Duration::from_secs(1),
            ready_within: Duration::from_secs(30),
            search: Search::Machine,
        }
    }
}

impl HarnessSpec {
    fn check(&self) -> Result<(), HarnessError> {
        let in_range =
            (1..=12).contains(&self.masters) && self.replicas_per_master <= 1 && self.postgres_replicas <= 8;
        if in_range {
            return Ok(());
        }
        Err(HarnessError::Spec(
            "the harness starts 1 to 12 Redis masters with 0 or 1 replicas each and up to 8 PostgreSQL replicas, \
             and serves up to 32 app servers"
                .to_owned(),
        ))
    }
}

/// Real servers to work with: our own children, or such as somebody else runs. Dropping it ends our own and
/// removes their directory.
pub struct Harness {
    endpoints: Endpoints,
    /// `None` for servers of somebody else: they cannot be broken.
    own: Option<Own>,
}

/// What we started. The fields are dropped in this order: the servers, then the directory that they live in.
struct Own {
    redis: RedisCluster,
    postgres: PostgresCluster,
    _directory: Directory,
}

impl Harness {
    /// Starts everything and waits until it is ready: every Redis node sees a complete cluster and every replica
    /// follows. On an error, or when this future is dropped, nothing is left running.
    pub async fn start(spec: HarnessSpec) -> Result<Self, HarnessError> {
        if !cfg!(target_os = "linux") {
            return Err(HarnessError::NotLinux);
        }
        spec.check()?;
        let binaries = Binaries::find(&spec.search)?;
        let directory = Directory::create()?;
        let deadline = Deadline::after(spec.ready_within);
        let plan = ClusterPlan {
            masters: spec.masters,
            replicas_per_master: spec.replicas_per_master,
            node_timeout: spec.node_timeout,
            redis_server: &binaries.redis_server,
            setpriv: &binaries.setpriv,
            directory: directory.path().join("redis"),
        };
        let (redis, postgres) = try_join!(
            RedisCluster::start(&plan, deadline),
            PostgresCluster::start(
                &binaries,
                directory.path().join("postgres"),
                spec.postgres_replicas,
                deadline,
                |_, primary| Ok(primary)
            )
        )?;
        let direct = direct(&redis, &postgres);
        let servers = vec![direct.clone(); usize::from(spec.servers)];
        let endpoints = Endpoints::new(servers, direct);
        Ok(Self {
            endpoints,
            own: Some(Own {
                redis,
                postgres,
                _directory: directory,
            }),
        })
    }

    /// Uses servers that somebody else runs: see [`Endpoints::connect_to`]. Everything that breaks something
    /// answers [`HarnessError::External`].
    pub async fn connect_to(redis: &[String], postgres: &str) -> Result<Self, HarnessError> {
        Ok(Self {
            endpoints: Endpoints::connect_to(redis, postgres).await?,
            own: None,
        })
    }

    /// How to reach the servers.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The Redis nodes of our own, the masters by shard, then the replicas.
    pub fn redis_servers(&self) -> Result<&[RedisServer], HarnessError> {
        Ok(&self.own("a Redis node's process")?.redis.nodes)
    }

    /// A Redis node of our own, to kill, restart, pause or watch.
    pub fn redis(&self, node: RedisNode) -> Result<&RedisServer, HarnessError> {
        let found = self.redis_servers()?.iter().find(|server| server.name() == node);
        found.ok_or_else(|| HarnessError::UnknownPlace(node.to_string()))
    }

    /// The PostgreSQL nodes of our own, the primary first.
    pub fn postgres_servers(&self) -> Result<&[PostgresServer], HarnessError> {
        Ok(&self.own("a PostgreSQL node's process")?.postgres.nodes)
    }

    /// A PostgreSQL node of our own, to kill, restart, pause or watch.
    pub fn postgres(&self, node: PostgresNode) -> Result<&PostgresServer, HarnessError> {
        let found = self
            .postgres_servers()?
            .iter()
            .find(|server| server.name() == node);
        found.ok_or_else(|| HarnessError::UnknownPlace(node.to_string()))
    }

    fn own(&self, wanted: &'static str) -> Result<&Own, HarnessError> {
        self.own.as_ref().ok_or(HarnessError::External { wanted })
    }
}

/// The servers' real addresses.
fn direct(redis: &RedisCluster, postgres: &PostgresCluster) -> Reach {
    let redis = redis.nodes.iter().map(|server| RedisEndpoint {
        node: server.name(),
        slots: redis.slots(server.name().shard()),
        advertised: server.announces().into(),
        data: server.listens().into(),
        bus: server.listens().into(),
    });
    let postgres = postgres.nodes.iter().map(|server| PostgresEndpoint {
        node: server.name(),
        config: postgres::config(server.listens(), postgres::DATABASE),
    });
    Reach {
        redis: redis.collect(),
        postgres: postgres.collect(),
        redis_settings: RedisConnectionInfo::default(),
    }
}
