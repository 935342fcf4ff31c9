//! How to reach the servers: what the adapters connect to. Each app server has addresses of its own, so that its
//! links can be broken by themselves; the direct ones go past every fault and are for observation.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use redis::cluster::NodeAddress;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult};
use tokio_postgres::Config;

use super::error::HarnessError;
use super::external::{self, Passwords};
use super::notices::Notices;
use super::place::{AppServer, PostgresNode, RedisNode};

/// The addresses of all nodes, for each app server and for direct use.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// By app server, the first is number 1. Empty for servers that are not ours: there every app server takes
    /// the direct ones.
    servers: Vec<Reach>,
    direct: Reach,
    notices: Notices,
}

/// How one party reaches every node.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The Redis nodes: the masters by shard, then the replicas.
    pub redis: Vec<RedisEndpoint>,
    /// The PostgreSQL nodes, the primary first.
    pub postgres: Vec<PostgresEndpoint>,
    /// The user, password and protocol for every Redis node.
    pub redis_settings: RedisConnectionInfo,
}

/// How to reach a Redis node.
#[derive(Clone, Debug)]
pub struct RedisEndpoint {
    /// Its name, by the role that it had at the start.
    pub node: RedisNode,
    /// Who says that it is there.
    pub told_by: ToldBy,
    /// The slots that its shard had at the start, first and last included.
    pub slots: Vec<RangeInclusive<u16>>,
    /// What the cluster itself calls it, in MOVED and CLUSTER SLOTS.
    pub advertised: Address,
    /// Where to connect for commands, PUBLISH among them.
    pub data: Address,
    /// Where to connect to subscribe.
    pub bus: Address,
}

/// How to reach a PostgreSQL node.
#[derive(Clone, Debug)]
pub struct PostgresEndpoint {
    /// Its name, by the role that it had at the start.
    pub node: PostgresNode,
    /// Who says that it is there.
    pub told_by: ToldBy,
    /// One host, one port, user and database, ready to connect.
    pub config: Config,
}

/// Who says that a node is at its address: whoever has to correct it where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToldBy {
    /// The lab has started it.
    Lab,
    /// The user has named it.
    You,
    /// The cluster, through the node at this address.
    Cluster(Address),
}

/// A host, by name or number, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or a number.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Endpoints {
    pub(crate) fn new(servers: Vec<Reach>, direct: Reach) -> Self {
        Self { servers, direct, notices: Notices::default() }
    }

    /// Asks servers that somebody else runs for their nodes. `redis` names one or more nodes of a cluster, the
    /// first that answers tells the rest; `postgres` may name several hosts, exactly one of them a primary. No
    /// fault can be injected there.
    pub async fn connect_to(redis: &[String], postgres: &str) -> Result<Self, HarnessError> {
        let (passwords, notices) = (Passwords::of_environment(), Notices::default());
        let found = async {
            let nodes = external::redis_nodes(redis, &passwords)?;
            let hosts = external::postgres_hosts(postgres, &passwords, &notices)?;
            let (redis, redis_settings) = external::redis(&nodes, &notices).await?;
            Ok(Reach { redis, postgres: external::postgres(&hosts, &notices).await?, redis_settings })
        };
        match found.await {
            Ok(direct) => Ok(Self { servers: Vec::new(), direct, notices }),
            Err(error) => Err(HarnessError::beside(error, &notices.take())),
        }
    }

    /// What a user should be told of these servers although it stops nothing.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// How an app server reaches the nodes.
    pub fn server(&self, server: AppServer) -> Result<&Reach, HarnessError> {
        if self.servers.is_empty() {
            return Ok(&self.direct);
        }
        let index = usize::from(server.0).checked_sub(1);
        let reach = index.and_then(|index| self.servers.get(index));
        reach.ok_or_else(|| HarnessError::UnknownPlace(server.to_string()))
    }

    /// How to reach the nodes past every fault.
    pub fn direct(&self) -> &Reach {
        &self.direct
    }
}

impl Reach {
    /// What to hand to redis-rs' cluster client as its first nodes, together with
    /// [`redis_address_map`](Self::redis_address_map).
    pub fn redis_nodes(&self) -> RedisResult<Vec<ConnectionInfo>> {
        self.redis.iter().map(|node| self.redis_connection(&node.advertised)).collect()
    }

    /// What to hand to redis-rs for a single connection, to [`RedisEndpoint::bus`] for example.
    pub fn redis_connection(&self, address: &Address) -> RedisResult<ConnectionInfo> {
        let info = ConnectionAddr::Tcp(address.host.clone(), address.port).into_connection_info()?;
        Ok(info.set_redis_settings(self.redis_settings.clone()))
    }

    /// What to hand to redis-rs' cluster client as `node_address_map`: from the addresses that the cluster
    /// advertises to where this party connects for commands.
    pub fn redis_address_map(&self) -> HashMap<NodeAddress, NodeAddress> {
        let address = |address: &Address| NodeAddress::new(address.host.as_str(), address.port);
        self.redis.iter().map(|node| (address(&node.advertised), address(&node.data))).collect()
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The colons of IPv6 would run into the port's.
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl ToldBy {
    /// What to look at where nothing answers at such an address.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Lab | Self::You => "",
            Self::Cluster(_) => {
                "; the lab must reach every node where the cluster says that it is: see cluster-announce-ip and \
                 cluster-announce-port there"
            }
        }
    }
}

impl fmt::Display for ToldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab => Ok(()),
            Self::You => f.write_str(", which you named"),
            Self::Cluster(asked) => write!(f, ", as the cluster says that you named ({asked})"),
        }
    }
}

impl fmt::Display for RedisEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}{}", self.node, self.data, self.told_by)
    }
}

impl fmt::Display for PostgresEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}{}", self.node, external::address_of(&self.config), self.told_by)
    }
}
