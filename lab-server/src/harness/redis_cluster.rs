//! A Redis Cluster formed by hand, so that its roles and slots are the same each time: `redis-cli --cluster
//! create` pairs replicas at random and refuses fewer than three masters.
//!
//! Node i listens on 127.0.1.i, connects from there too (`bind-source-addr`) and announces 127.0.2.i, where the
//! proxy listens: everyone who follows the cluster's own addresses, its nodes first of all, goes through a link.
//!
//! Clients and replicas need passwords that are drawn. The cluster's bus knows none: whoever reaches a bus port can speak
//! to the nodes as a node does, give slots away, and make a node its own replica, which then logs in there. So replicas
//! have a user of their own, who may do nothing but follow.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::try_join_all;
use lab_core::cluster::range;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, RedisConnectionInfo, RedisResult, Value, cmd,
};

use super::casualty::{Casualty, Stopped};
use super::error::HarnessError;
use super::links::Link;
use super::listener::Owner;
use super::mark::Mark;
use super::node::{Node, while_all_live};
use super::password::Password;
use super::place::RedisNode;
use super::ports::{self, BUS_OFFSET};
use super::private;
use super::process::{Account, Deadline, Launch, Process};
use super::proxy::Proxy;

/// How often all nodes are tried on other ports when another program took one of theirs.
const PORT_ATTEMPTS: usize = 5;

/// One answer of a node on loopback; a stopped or melting node must not hang the harness.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The user that replicas log in as. It may follow a master and do nothing else.
const REPLICAS: &str = "lab-replica";

/// What the cluster is to look like.
pub(crate) struct ClusterPlan<'a> {
    pub(crate) masters: u8,
    pub(crate) replicas_per_master: u8,
    pub(crate) node_timeout: Duration,
    pub(crate) redis_server: &'a Path,
    pub(crate) setpriv: &'a Path,
    pub(crate) mark: &'a Mark,
    /// Another account than ours to run as.
    pub(crate) account: Option<&'a Account>,
    pub(crate) password: &'a Password,
    /// What replicas log in with: see [`REPLICAS`].
    pub(crate) replication: &'a Password,
    /// Whose programs the nodes are.
    pub(crate) owner: Owner,
    /// Where each node gets a directory; not there yet.
    pub(crate) directory: PathBuf,
}

/// The nodes of a running cluster, masters first. Dropping it kills them.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

/// One node of the cluster.
pub struct RedisServer {
    name: RedisNode,
    slots: Option<RangeInclusive<u16>>,
    listens: SocketAddr,
    announces: SocketAddr,
    settings: RedisConnectionInfo,
    owner: Owner,
    node: Node,
}

/// The listeners on the addresses that a node announces, for the proxy.
struct Announced {
    clients: TcpListener,
    bus: TcpListener,
}

impl ClusterPlan<'_> {
    /// The nodes, masters first: node i is the i-th of these, counted from 1.
    pub(crate) fn names(&self) -> Vec<RedisNode> {
        let masters = (0..self.masters).map(RedisNode::Master);
        let replicas = (0..self.masters * self.replicas_per_master).map(RedisNode::Replica);
        masters.chain(replicas).collect()
    }

    /// What every node reads at its start, and nobody else can.
    fn configuration(&self) -> PathBuf {
        self.directory.join("redis.conf")
    }

    fn prepare(&self) -> Result<(), HarnessError> {
        private::make_passage(&self.directory, self.account)?;
        let password = self.password.as_str();
        // Whoever reaches the bus can make any node its replica, and is sent what replicas log in with: that lets
        // them follow a master, and run nothing.
        let replication = self.replication.as_str();
        let secrets = format!(
            "requirepass {password}\nmasteruser {REPLICAS}\nmasterauth {replication}\n\
             user {REPLICAS} on >{replication} +psync +replconf +ping\n"
        );
        private::write(&self.configuration(), &secrets, self.account)
    }
}

/// How to log in to a node.
pub(crate) fn settings(password: &Password) -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_password(password.as_str())
}

impl RedisCluster {
    /// Starts the nodes, forms the cluster and waits until every node says that it is complete.
    pub(crate) async fn start(
        plan: &ClusterPlan<'_>,
        proxy: &Proxy,
        deadline: Deadline,
    ) -> Result<Self, HarnessError> {
        plan.prepare()?;
        let mut nodes = Vec::new();
        for (server, announced) in start_nodes(plan, deadline).await? {
            server.serve(announced, plan, proxy)?;
            nodes.push(server);
        }
        let cluster = Self { nodes };
        let processes: Vec<_> = cluster.nodes.iter().map(RedisServer::process).collect();
        while_all_live(&processes, cluster.form(deadline)).await?;
        Ok(cluster)
    }

    /// The slots that a shard was given.
    pub(crate) fn slots(&self, shard: u8) -> Vec<RangeInclusive<u16>> {
        self.nodes
            .iter()
            .filter(|node| node.name.shard() == shard)
            .filter_map(|node| node.slots.clone())
            .collect()
    }

    async fn form(&self, deadline: Deadline) -> Result<(), HarnessError> {
        let mut connections = try_join_all(self.nodes.iter().map(RedisServer::connect)).await?;
        for (epoch, (node, connection)) in (1u64..).zip(self.nodes.iter().zip(&mut connections)) {
            node.ask::<()>(connection, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()]).await?;
            if let Some(slots) = &node.slots {
                let (first, last) = (slots.start().to_string(), slots.end().to_string());
                node.ask::<()>(connection, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await?;
            }
        }
        for node in &self.nodes[1..] {
            let address = node.announces.ip().to_string();
            let (port, bus) =
                (node.announces.port().to_string(), (node.announces.port() + BUS_OFFSET).to_string());
            self.nodes[0].ask::<()>(&mut connections[0], &["CLUSTER", "MEET", &address, &port, &bus]).await?;
        }
        try_join_all(self.nodes.iter().map(|node| self.place_replica(node, deadline))).await?;
        try_join_all(self.nodes.iter().map(|node| self.complete(node, deadline))).await?;
        Ok(())
    }

    /// Makes a replica follow its shard's master, once it has heard of it.
    async fn place_replica(&self, node: &RedisServer, deadline: Deadline) -> Result<(), HarnessError> {
        let RedisNode::Replica(shard) = node.name else {
            return Ok(());
        };
        let master = &self.nodes[usize::from(shard)];
        let master_id: String = master.ask(&mut master.connect().await?, &["CLUSTER", "MYID"]).await?;
        let connection = node.connect().await?;
        let follow = || {
            let mut connection = connection.clone();
            let command = cmd("CLUSTER").arg("REPLICATE").arg(&master_id).clone();
            async move { command.query_async::<()>(&mut connection).await.map_err(|error| error.to_string()) }
        };
        node.process().ready(deadline, follow).await
    }

    /// Waits until the node sees every node and slot, and its own link to a master is up.
    pub(super) async fn complete(&self, node: &RedisServer, deadline: Deadline) -> Result<(), HarnessError> {
        let connection = node.connect().await?;
        let masters = self.nodes.iter().filter(|node| node.slots.is_some()).count();
        let copies = self.nodes.len() / masters;
        let look = || {
            let mut connection = connection.clone();
            async move { missing(&mut connection, self.nodes.len(), masters, copies).await }
        };
        node.process().ready(deadline, look).await
    }
}

/// What a node still lacks of a complete cluster.
async fn missing(
    connection: &mut MultiplexedConnection,
    nodes: usize,
    masters: usize,
    copies: usize,
) -> Result<(), String> {
    let text = |error: redis::RedisError| error.to_string();
    let info: String = cmd("CLUSTER").arg("INFO").query_async(connection).await.map_err(text)?;
    for wanted in ["cluster_state:ok".to_owned(), format!("cluster_known_nodes:{nodes}")] {
        if !info.lines().any(|line| line.trim_end() == wanted) {
            return Err(wanted);
        }
    }
    let shards: Vec<Vec<Value>> = cmd("CLUSTER").arg("SLOTS").query_async(connection).await.map_err(text)?;
    // A range is its first slot, its last slot, then the nodes that hold it, the master first.
    if shards.len() != masters || shards.iter().any(|range| range.len() != 2 + copies) {
        return Err(format!("{masters} slot ranges on {copies} nodes each"));
    }
    let replication: String = cmd("INFO").arg("replication").query_async(connection).await.map_err(text)?;
    if replication.contains("role:slave") && !replication.contains("master_link_status:up") {
        return Err("master_link_status:up".to_owned());
    }
    Ok(())
}

/// Starts every node; on a port clash all of them anew on other ports.
async fn start_nodes(
    plan: &ClusterPlan<'_>,
    deadline: Deadline,
) -> Result<Vec<(RedisServer, Announced)>, HarnessError> {
    let names = plan.names();
    let mut attempt = 1;
    loop {
        let starts = (1u8..).zip(&names).map(|(number, &name)| start_node(plan, deadline, number, name));
        match try_join_all(starts).await {
            Err(HarnessError::PortClash { .. }) if attempt < PORT_ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

async fn start_node(
    plan: &ClusterPlan<'_>,
    deadline: Deadline,
    number: u8,
    name: RedisNode,
) -> Result<(RedisServer, Announced), HarnessError> {
    let (real, shown) = (Ipv4Addr::new(127, 0, 1, number), Ipv4Addr::new(127, 0, 2, number));
    let claims = [(shown, 0), (shown, BUS_OFFSET), (real, 0), (real, BUS_OFFSET)];
    let (port, [clients, bus, own_clients, own_bus]) = ports::reserve(&name.to_string(), claims)?;
    let directory = plan.directory.join(name.to_string());
    // The directory of an earlier attempt may be there: nothing was stored in it.
    private::make_directory(&directory, plan.account)?;
    let mut arguments = vec![plan.configuration().into_os_string()];
    arguments.extend(options(real, shown, port, plan.node_timeout));
    let launch = Launch {
        name: name.to_string(),
        setpriv: plan.setpriv.to_owned(),
        mark: plan.mark.clone(),
        account: plan.account.cloned(),
        program: plan.redis_server.to_owned(),
        arguments,
        log: plan.directory.join(format!("{name}.log")),
        directory,
    };
    // From here on the node itself must be able to listen.
    drop((own_clients, own_bus));
    let server = RedisServer {
        name,
        slots: slots(name, plan.masters),
        listens: SocketAddr::new(IpAddr::V4(real), port),
        announces: SocketAddr::new(IpAddr::V4(shown), port),
        settings: settings(plan.password),
        owner: plan.owner,
        node: Node::start(launch).await?,
    };
    server.answers(deadline).await.map_err(|error| port_clash(error, port))?;
    Ok((server, Announced { clients, bus }))
}

fn options(real: Ipv4Addr, shown: Ipv4Addr, port: u16, node_timeout: Duration) -> Vec<OsString> {
    let (bus, timeout_ms) = (port + BUS_OFFSET, node_timeout.as_millis());
    let settings = format!(
        "--port {port} --bind {real} --bind-source-addr {real} --appendonly no \
         --cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout {timeout_ms} \
         --cluster-announce-ip {shown} --cluster-announce-port {port} --cluster-announce-bus-port {bus} \
         --replica-announce-ip {shown} --replica-announce-port {port} \
         --cluster-replica-validity-factor 0 --cluster-allow-replica-migration no \
         --repl-diskless-sync-delay 0 --repl-ping-replica-period 1 --rdb-del-sync-files yes"
    );
    let mut options: Vec<OsString> = settings.split_whitespace().map(OsString::from).collect();
    // No snapshots: an empty word, which splitting would lose.
    options.extend(["--save".into(), OsString::new()]);
    options
}

/// A master's share of the slots: equal ranges, cut where `redis-cli --cluster create` cuts them.
fn slots(name: RedisNode, masters: u8) -> Option<RangeInclusive<u16>> {
    let RedisNode::Master(shard) = name else {
        return None;
    };
    let (first, last) = range(shard, masters);
    Some(first..=last)
}

/// Tells a port taken by another program from other deaths at the start.
fn port_clash(error: HarnessError, port: u16) -> HarnessError {
    match error {
        HarnessError::Died { server, log_tail, .. } if log_tail.contains("Address already in use") => {
            HarnessError::PortClash { server, port, log_tail }
        }
        other => other,
    }
}

impl RedisServer {
    /// The node's name, by the role that it started with.
    pub fn name(&self) -> RedisNode {
        self.name
    }

    /// The slots that it started with; none for a replica.
    pub fn slots(&self) -> Option<RangeInclusive<u16>> {
        self.slots.clone()
    }

    /// Where it really listens: for the harness's own observation, past every fault.
    pub fn listens(&self) -> SocketAddr {
        self.listens
    }

    /// The address that it tells to the cluster and its clients.
    pub fn announces(&self) -> SocketAddr {
        self.announces
    }

    /// The process that runs now, or ran last.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// How it ended, if nothing here ended it.
    pub fn casualty(&self) -> Option<Casualty> {
        self.node.casualty()
    }

    /// That it is stopped, if nothing here stopped it.
    pub fn stopped(&self) -> Option<Stopped> {
        self.node.stopped()
    }

    /// SIGKILL. What was not replicated is lost; its memory is gone, its place in the cluster
    /// (`nodes.conf`) is kept for [`restart`](Self::restart).
    pub fn kill(&self) {
        self.node.kill();
    }

    /// Starts it again, empty (what it once received as a replica is not kept either), under its old name and address, and
    /// waits until it answers; the rest of the cluster may need seconds more to take it back.
    pub async fn restart(&self, within: Duration) -> Result<(), HarnessError> {
        self.node.respawn().await?;
        self.answers(Deadline::after(within)).await
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&self) -> Result<(), HarnessError> {
        self.node.pause()
    }

    /// SIGCONT: it works off what came in meanwhile before it learns what it missed.
    pub fn resume(&self) {
        self.node.resume();
    }

    /// A connection to the node itself, not through the proxy.
    pub async fn connect(&self) -> Result<MultiplexedConnection, HarnessError> {
        self.try_connect().await.map_err(HarnessError::redis(format!("connect to {}", self.name)))
    }

    async fn try_connect(&self) -> RedisResult<MultiplexedConnection> {
        self.owner.expect(self.listens)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let address = format!("redis://{}", self.listens).into_connection_info()?;
        let client = Client::open(address.set_redis_settings(self.settings.clone()))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Waits until it answers. Another Redis that took its port knows no such password; one that a wrapper has
    /// started does.
    async fn answers(&self, deadline: Deadline) -> Result<(), HarnessError> {
        let process = self.process();
        let probe =
            async || -> RedisResult<()> { cmd("PING").query_async(&mut self.try_connect().await?).await };
        let answers = || async { probe().await.map_err(|error| error.to_string()) };
        process.ready(deadline, answers).await?;
        // It names paths, too, which need not be text.
        let info: Vec<u8> = self.ask(&mut self.connect().await?, &["INFO", "server"]).await?;
        let own = format!("process_id:{}", process.pid());
        if String::from_utf8_lossy(&info).lines().any(|line| line.trim_end() == own) {
            Ok(())
        } else {
            Err(self.node.wraps())
        }
    }

    pub(super) async fn ask<T: redis::FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        words: &[&str],
    ) -> Result<T, HarnessError> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        let asked = command.query_async(connection).await;
        asked.map_err(HarnessError::redis(format!("{} on {}", words.join(" "), self.name)))
    }

    /// Puts the announced addresses into service: between nodes a link is told by the address that the peer
    /// connects from; others (an observer that follows the cluster's addresses) are of no link.
    fn serve(&self, announced: Announced, plan: &ClusterPlan<'_>, proxy: &Proxy) -> Result<(), HarnessError> {
        let (here, names) = (self.name, plan.names());
        let node_at = move |peer: IpAddr| match peer {
            IpAddr::V4(peer) if peer.octets()[..3] == [127, 0, 1] => {
                names.get(usize::from(peer.octets()[3]).checked_sub(1)?).copied()
            }
            _ => None,
        };
        let replica_at = node_at.clone();
        proxy.serve(announced.clients, self.listens, move |peer| {
            replica_at(peer).map(|peer| Link::Replication(peer, here))
        })?;
        let own_bus = SocketAddr::new(self.listens.ip(), self.listens.port() + BUS_OFFSET);
        proxy.serve(announced.bus, own_bus, move |peer| node_at(peer).map(|peer| Link::Gossip(peer, here)))
    }

    pub(super) fn process(&self) -> std::sync::Arc<Process> {
        self.node.process()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_cut_as_redis_cli_cuts_them() {
        let ranges =
            |masters| (0..masters).map(|shard| slots(RedisNode::Master(shard), masters)).collect::<Vec<_>>();
        assert_eq!(ranges(1), [Some(0..=16383)]);
        assert_eq!(ranges(3), [Some(0..=5460), Some(5461..=10922), Some(10923..=16383)]);
        assert_eq!(slots(RedisNode::Replica(0), 3), None);
    }
}
