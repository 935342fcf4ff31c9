//! A `redis-server` of a test's own, for what is set when a server starts, and for what no harness would do to its nodes.

use std::net::TcpListener;
use std::process::{Command, Stdio, id};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, RedisResult};

use super::Running;

/// A start, or the death of a node as others see it.
const SOON: Duration = Duration::from_secs(20);

/// How far the cluster's bus lies above the clients' port.
const BUS_OFFSET: u16 = 10_000;

/// Below the harness's range, and the bus below the ports that the system draws.
const PORTS: std::ops::Range<u16> = 10_000..12_000;

/// A node of a Redis Cluster.
pub(crate) struct Node {
    pub(crate) port: u16,
    _process: Running,
    _directory: tempfile::TempDir,
    connection: MultiplexedConnection,
}

impl Node {
    /// Starts it with these options beside its own, without a slot.
    pub(crate) async fn start(options: &[&str]) -> Self {
        for port in free_ports() {
            if let Some(node) = Self::start_at(port, options).await {
                return node;
            }
        }
        panic!("no port of {PORTS:?} and its bus port is free: see `ss -ltnp`");
    }

    /// Starts one that has every slot.
    pub(crate) async fn whole_cluster(options: &[&str]) -> Self {
        let node = Self::start(options).await;
        node.ask("CLUSTER ADDSLOTSRANGE 0 16383").await;
        node.until("CLUSTER INFO", "cluster_state:ok").await;
        node
    }

    /// `None` where somebody else has taken the port meanwhile.
    async fn start_at(port: u16, options: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "-::1"]);
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "60000"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(directory.path()).args(options);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut process = Running(process.expect("redis-server is installed (cargo xtask setup)"));
        let client = Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
        let begun = Instant::now();
        loop {
            if process.0.try_wait().expect("a child of ours").is_some() {
                return None;
            }
            match client.get_multiplexed_async_connection().await {
                Ok(connection) => {
                    return Some(Self { port, _process: process, _directory: directory, connection });
                }
                Err(error) => assert!(begun.elapsed() < SOON, "redis-server does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn try_ask<T: FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap_or_default());
        for word in words {
            asked.arg(word);
        }
        asked.query_async(&mut self.connection.clone()).await
    }

    pub(crate) async fn ask(&self, command: &str) {
        self.try_ask::<redis::Value>(command).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// Polls until its answer has these words.
    pub(crate) async fn until(&self, command: &str, words: &str) {
        let begun = Instant::now();
        loop {
            let answer = format!("{:?}", self.try_ask::<redis::Value>(command).await);
            if answer.contains(words) {
                return;
            }
            assert!(begun.elapsed() < SOON, "waited in vain for {words:?} in {command}: {answer}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Ports at which neither clients nor the bus have anybody yet; each process begins elsewhere.
fn free_ports() -> impl Iterator<Item = u16> {
    let count = u32::from(PORTS.end - PORTS.start);
    let ports = (0..count).map(move |turn| PORTS.start + ((id() + turn) % count) as u16);
    ports.filter(|port| {
        [*port, *port + BUS_OFFSET].into_iter().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
    })
}
