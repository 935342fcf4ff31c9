//! Starts and breaks real servers: a Redis Cluster and PostgreSQL with streaming replicas, as children that die
//! with us. It runs no scenario and holds no cache: the adapters connect to what [`Endpoints`] names.
//!
//! # Layout
//! - `binaries`: where the servers' programs are; `account`: whom they run as; `password`: what is drawn for them;
//! - `base`: where temporary directories go; `directory`: the harness's own; `private`: what in it is closed to others;
//! - `descriptors`: how many files may be open;
//! - `process`: children that cannot outlive us; `family`: who descends from whom; `mark`: what tells our children from
//!   everybody else's; `ports`: free ports; `node`: a process under its name; `casualty`: one that ended by itself;
//! - `last_will`: what is done if we are killed; `sweep`: what the next start does if that was killed, too;
//!   `shared_memory`: what killed servers leave in the system;
//! - `redis_cluster`, `postgres`: what makes them servers of the lab; `redis_roles`: who leads a shard now; `operator`: a connection to a node whose
//!   answers have limits;
//! - `endpoints`: how to reach them; `external`: the same for servers that somebody else runs; `notices`: what is told
//!   of them although it stops nothing;
//! - `place`: the names of app servers and nodes; `links`: the links between them and the faults on them;
//! - `proxy`: carries the links' bytes; `listener`: whose program listens at an address;
//! - `error`: what can go wrong.
//!
//! # Use
//! ```no_run
//! # use std::time::Duration;
//! # use lab_server::harness::{AppServer, Harness, HarnessSpec, Link, Way};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let harness = Harness::start(HarnessSpec::default()).await?;
//!
//! // Server 1 connects by addresses of its own: commands, the bus, PostgreSQL.
//! let reach = harness.endpoints().server(AppServer(1))?;
//! let cluster = redis::cluster::ClusterClientBuilder::new(reach.redis_nodes()?)
//!     .node_address_map(reach.redis_address_map())
//!     .build()?;
//! let bus = redis::Client::open(reach.redis_connection(&reach.redis[0].bus)?)?;
//! let primary = reach.postgres[0].config.clone();
//!
//! // The bus is late to server 1; its data, and every other server, are not.
//! let links = harness.links()?;
//! for link in links.all().filter(|link| matches!(link, Link::Bus(AppServer(1), _))) {
//!     links.delay(link, Way::Back, Duration::from_millis(50))?;
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod base;
mod binaries;
mod casualty;
mod descriptors;
mod directory;
mod endpoints;
mod error;
mod external;
mod family;
mod last_will;
mod links;
mod listener;
mod mark;
mod node;
mod notices;
mod operator;
mod password;
mod place;
mod ports;
mod postgres;
mod private;
mod process;
mod proxy;
mod redis_cluster;
mod redis_roles;
mod shared_memory;
mod sweep;

use std::net::Ipv4Addr;
use std::time::Duration;

use lab_core::world::deadline;
use redis::RedisConnectionInfo;
use tokio::try_join;

use binaries::Binaries;
pub use binaries::Search;
pub use casualty::{Casualty, Stopped};
use directory::Directory;
pub use endpoints::{Address, Endpoints, PostgresEndpoint, Reach, RedisEndpoint, ToldBy};
pub use error::HarnessError;
pub(crate) use external::{address_of, masters};
pub use links::{Link, Links, Way};
use listener::Owner;
pub use notices::Notices;
pub use operator::OperatorError;
pub(crate) use operator::{Operator, describe};
pub use password::PasswordFiles;
use password::Passwords;
pub use place::{AppServer, PostgresNode, RedisNode};
pub use postgres::PostgresServer;
use postgres::{PostgresCluster, Site};
use process::Deadline;
use proxy::Proxy;
pub use redis_cluster::RedisServer;
use redis_cluster::{ClusterPlan, RedisCluster};

/// Between two looks at whether every server of our own still runs.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// What to start.
#[derive(Clone, Debug)]
pub struct HarnessSpec {
    /// Redis masters, 1 to 12, with equal shares of the slots.
    pub masters: u8,
    /// 0 or 1.
    pub replicas_per_master: u8,
    /// Streaming replicas of PostgreSQL, 0 to 8.
    pub postgres_replicas: u8,
    /// App servers, each with addresses of its own for every node, 1 to 32.
    pub servers: u8,
    /// `cluster-node-timeout`, 100 ms to a minute. Below 500 ms a busy machine fails over by itself.
    pub node_timeout: Duration,
    /// The time that the whole start is given, up to 10 minutes: seconds are enough on a quiet machine. It is for what
    /// hangs; a server that dies is seen at once.
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
            node_timeout: deadline::NODE_TIMEOUT,
            ready_within: Duration::from_mins(2),
            search: Search::Machine,
        }
    }
}

impl HarnessSpec {
    fn check(&self) -> Result<(), HarnessError> {
        let counts = [
            ("Redis masters", self.masters, 1, 12),
            ("replicas for each Redis master", self.replicas_per_master, 0, 1),
            ("PostgreSQL replicas", self.postgres_replicas, 0, 8),
            ("app servers", self.servers, 1, 32),
        ];
        for (what, asked, min, max) in counts {
            if !(min..=max).contains(&asked) {
                return Err(HarnessError::Spec(format!(
                    "the harness has {min} to {max} {what}, not {asked}"
                )));
            }
        }
        let times = [
            ("cluster-node-timeout", self.node_timeout, Duration::from_millis(100), Duration::from_mins(1)),
            ("time to get ready", self.ready_within, Duration::from_millis(1), Duration::from_mins(10)),
        ];
        for (what, asked, min, max) in times {
            if !(min..=max).contains(&asked) {
                return Err(HarnessError::Spec(format!(
                    "the harness has a {what} of {min:?} to {max:?}, not {asked:?}"
                )));
            }
        }
        Ok(())
    }
}

/// Real servers to work with: our own children, or such as somebody else runs. Dropping it ends our own and
/// removes their directory.
pub struct Harness {
    endpoints: Endpoints,
    /// `None` for servers of somebody else: they cannot be broken.
    own: Option<Own>,
}

/// What we started. The fields are dropped in this order: the links, the servers, the directory that they live
/// in.
struct Own {
    proxy: Proxy,
    redis: RedisCluster,
    postgres: PostgresCluster,
    password_files: PasswordFiles,
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
        let (account, passwords) = (account::of_servers()?, Passwords::draw()?);
        let binaries = Binaries::find(&spec.search, account.as_ref())?;
        descriptors::provide(&spec)?;
        let base = base::directory(account.as_ref())?;
        sweep::sweep(&base).await;
        let directory = Directory::create(&base, account.as_ref())?;
        let password_files = PasswordFiles::write(directory.path(), &passwords)?;
        let deadline = Deadline::after(spec.ready_within);
        let owner = Owner::of_servers(account.as_ref());
        let plan = ClusterPlan {
            masters: spec.masters,
            replicas_per_master: spec.replicas_per_master,
            node_timeout: spec.node_timeout,
            redis_server: &binaries.redis_server,
            setpriv: &binaries.setpriv,
            mark: directory.mark(),
            account: account.as_ref(),
            password: &passwords.redis,
            replication: &passwords.redis_replication,
            owner,
            directory: directory.path().join("redis"),
        };
        let proxy = Proxy::new(Links::new(links(&plan.names(), &spec)), owner)?;
        let site = Site {
            binaries: &binaries,
            mark: directory.mark(),
            directory: directory.path().join(directory::POSTGRES),
            account: account.as_ref(),
            passwords: &passwords,
            owner,
            deadline,
        };
        let (redis, postgres) = try_join!(
            RedisCluster::start(&plan, &proxy, deadline),
            PostgresCluster::start(&site, spec.postgres_replicas, &proxy)
        )?;
        let own = Own { proxy, redis, postgres, password_files, _directory: directory };
        let direct = own.direct(redis_cluster::settings(&passwords.redis));
        let servers = (1..=spec.servers).map(|server| own.proxied(&direct, AppServer(server)));
        let endpoints = Endpoints::new(servers.collect::<Result<_, _>>()?, direct);
        Ok(Self { endpoints, own: Some(own) })
    }

    /// Uses servers that somebody else runs: see [`Endpoints::connect_to`]. Everything that breaks something
    /// answers [`HarnessError::External`].
    pub async fn connect_to(redis: &[String], postgres: &str) -> Result<Self, HarnessError> {
        Ok(Self { endpoints: Endpoints::connect_to(redis, postgres).await?, own: None })
    }

    /// Whether the servers are our own children.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// How to reach the servers.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The links between the places here, to delay, cut, black-hole or reset.
    pub fn links(&self) -> Result<&Links, HarnessError> {
        Ok(self.own("a fault on a link")?.proxy.links())
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
        let found = self.postgres_servers()?.iter().find(|server| server.name() == node);
        found.ok_or_else(|| HarnessError::UnknownPlace(node.to_string()))
    }

    /// Servers of our own that have ended although nothing here ended them. What somebody else runs is not watched.
    pub fn casualties(&self) -> Vec<Casualty> {
        let Some(own) = &self.own else { return Vec::new() };
        let redis = own.redis.nodes.iter().filter_map(RedisServer::casualty);
        redis.chain(own.postgres.nodes.iter().filter_map(PostgresServer::casualty)).collect()
    }

    /// Waits until there are such.
    pub async fn casualty(&self) -> Vec<Casualty> {
        loop {
            let casualties = self.casualties();
            if !casualties.is_empty() {
                return casualties;
            }
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }

    /// Servers of our own that are stopped although nothing here stopped them.
    pub fn stopped(&self) -> Vec<Stopped> {
        let Some(own) = &self.own else { return Vec::new() };
        let redis = own.redis.nodes.iter().filter_map(RedisServer::stopped);
        redis.chain(own.postgres.nodes.iter().filter_map(PostgresServer::stopped)).collect()
    }

    /// Waits until one is seen to be; a shorter stop disturbs no more than a busy machine.
    pub async fn is_stopped(&self) -> Vec<Stopped> {
        loop {
            let stopped = self.stopped();
            if !stopped.is_empty() {
                return stopped;
            }
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }

    /// Where the passwords of our own servers are, for whoever runs the lab and for nobody else.
    pub fn password_files(&self) -> Result<&PasswordFiles, HarnessError> {
        Ok(&self.own("a drawn password")?.password_files)
    }

    fn own(&self, wanted: &'static str) -> Result<&Own, HarnessError> {
        self.own.as_ref().ok_or(HarnessError::External { wanted })
    }
}

impl Own {
    /// The servers' real addresses.
    fn direct(&self, redis_settings: RedisConnectionInfo) -> Reach {
        let redis = self.redis.nodes.iter().map(|server| RedisEndpoint {
            node: server.name(),
            told_by: ToldBy::Lab,
            slots: self.redis.slots(server.name().shard()),
            advertised: server.announces().into(),
            data: server.listens().into(),
            bus: server.listens().into(),
        });
        let postgres = self.postgres.nodes.iter().map(|server| PostgresEndpoint {
            node: server.name(),
            told_by: ToldBy::Lab,
            config: self.postgres.app_config(server.listens()),
        });
        Reach { redis: redis.collect(), postgres: postgres.collect(), redis_settings }
    }

    /// An app server's own addresses for every node: 127.0.(10 + server).x, x = i for commands to Redis node i,
    /// 100 + i for subscriptions to it, 200 + j for PostgreSQL node j.
    fn proxied(&self, direct: &Reach, server: AppServer) -> Result<Reach, HarnessError> {
        let Self { proxy, redis, postgres, .. } = self;
        let address = |last: u8| Ipv4Addr::new(127, 0, 10 + server.0, last);
        let mut reach = direct.clone();
        for (number, (node, endpoint)) in (1..).zip(redis.nodes.iter().zip(&mut reach.redis)) {
            let (data, bus) = (Link::Data(server, node.name()), Link::Bus(server, node.name()));
            endpoint.data = proxy.listen(address(number), node.listens(), data)?.into();
            endpoint.bus = proxy.listen(address(100 + number), node.listens(), bus)?.into();
        }
        for (number, (node, endpoint)) in (1..).zip(postgres.nodes.iter().zip(&mut reach.postgres)) {
            let listens =
                proxy.listen(address(200 + number), node.listens(), Link::Sql(server, node.name()))?;
            endpoint.config = postgres.app_config(listens);
        }
        Ok(reach)
    }
}

/// Every link that can be broken here.
fn links(redis: &[RedisNode], spec: &HarnessSpec) -> Vec<Link> {
    let mut links = Vec::new();
    for from in redis {
        for to in redis.iter().filter(|&to| to != from) {
            links.extend([Link::Gossip(*from, *to), Link::Replication(*from, *to)]);
        }
    }
    let replicas = (1..=spec.postgres_replicas).map(PostgresNode::Replica);
    links.extend(replicas.clone().map(Link::Wal));
    for server in (1..=spec.servers).map(AppServer) {
        links.extend(redis.iter().flat_map(|&node| [Link::Data(server, node), Link::Bus(server, node)]));
        let postgres = std::iter::once(PostgresNode::Primary).chain(replicas.clone());
        links.extend(postgres.map(|node| Link::Sql(server, node)));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers keep a harness in shared state and start it from a task.
    #[test]
    fn a_harness_can_be_shared_and_started_anywhere() {
        fn shared<T: Send + Sync>() {}
        fn sent<T: Send>(_: T) {}
        shared::<Harness>();
        shared::<HarnessError>();
        sent(Harness::start(HarnessSpec::default()));
        sent(Harness::connect_to(&[], ""));
    }
}
