//! Somebody who runs a Redis Cluster and PostgreSQL, for the lab to be a guest there: a harness of the test's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab_server::harness::{Harness, HarnessSpec, PostgresNode, PostgresServer, RedisNode, RedisServer};
use lab_server::real::stores::Stores;
use redis::aio::MultiplexedConnection;
use redis::cmd;
use tokio_postgres::Client;

/// The owner of the servers.
pub(crate) struct Owner {
    harness: Harness,
    /// Every node of the cluster, those that started as masters first.
    nodes: Vec<(RedisNode, MultiplexedConnection)>,
    /// The superuser's connection to the database.
    pub(crate) primary: Client,
}

impl Owner {
    /// Starts them.
    pub(crate) async fn start() -> Self {
        let spec = HarnessSpec { postgres_replicas: 1, servers: 1, ..HarnessSpec::default() };
        let harness = Harness::start(spec).await.unwrap_or_else(|error| panic!("{error}"));
        let mut nodes = Vec::new();
        for server in harness.redis_servers().expect("our own") {
            nodes.push((server.name(), server.connect().await.expect("connected")));
        }
        nodes.sort_by_key(|(name, _)| matches!(name, RedisNode::Replica(_)));
        let primary = harness.postgres(PostgresNode::Primary).expect("the primary");
        let primary = primary.connect().await.expect("connected");
        Self { harness, nodes, primary }
    }

    /// Connects to the database anew, after it was started anew.
    pub(crate) async fn reconnect(&mut self) {
        self.primary = self.primary_server().connect().await.expect("connected");
    }

    /// What is given to `--redis` and `--postgres`.
    pub(crate) fn urls(&self) -> (String, String) {
        let direct = self.harness.endpoints().direct();
        let hosts = self.harness.postgres_servers().expect("our own").iter();
        let hosts: Vec<_> = hosts.map(|server| server.listens().to_string()).collect();
        let postgres = direct.postgres[0].config.get_password().expect("a drawn password");
        let postgres = String::from_utf8_lossy(postgres);
        let redis = direct.redis_settings.password().expect("a drawn password");
        (
            format!("redis://:{redis}@{}", direct.redis[0].data),
            format!("postgresql://lab:{postgres}@{}/lab", hosts.join(",")),
        )
    }

    /// The servers.
    pub(crate) fn harness(&self) -> &Harness {
        &self.harness
    }

    /// The PostgreSQL that takes writes.
    pub(crate) fn primary_server(&self) -> &PostgresServer {
        self.harness.postgres(PostgresNode::Primary).expect("the primary")
    }

    /// A node of the Redis Cluster.
    pub(crate) fn redis_server(&self, node: RedisNode) -> &RedisServer {
        self.harness.redis(node).expect("a node of the cluster")
    }

    /// The passwords of Redis and of PostgreSQL's user `lab`.
    pub(crate) fn passwords(&self) -> (String, String) {
        let direct = self.harness.endpoints().direct();
        let redis = direct.redis_settings.password().expect("a drawn password");
        let postgres = direct.postgres[0].config.get_password().expect("a drawn password");
        (redis.to_owned(), String::from_utf8_lossy(postgres).into_owned())
    }

    /// Makes a user of PostgreSQL that may make schemas, with these options.
    pub(crate) async fn role(&self, name: &str, options: &str) -> String {
        let made = format!("CREATE ROLE {name} LOGIN PASSWORD 'guest' {options}");
        self.execute(&made).await;
        self.execute(&format!("GRANT CREATE ON DATABASE lab TO {name}")).await;
        format!("{name}:guest")
    }

    /// The lab as a guest here, with the primary reached as this URL says.
    pub(crate) async fn invite_to(&self, postgres: &str, leave_within: Duration) -> Arc<Stores> {
        let stores = Stores::connect_for(&[self.urls().0], postgres, leave_within).await;
        Arc::new(stores.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Polls until the cluster is well.
    pub(crate) async fn await_cluster(&self) {
        self.until("the cluster is well", async || self.is_well().await).await;
    }

    /// Whether every node knows that all others are well, and the replicas have what their masters have.
    pub(crate) async fn is_well(&self) -> bool {
        let mut masters = 0;
        for (_, node) in &self.nodes {
            let (Some(nodes), Some(state), Some(role)) = (
                ask(node, &["CLUSTER", "NODES"]).await,
                ask(node, &["CLUSTER", "INFO"]).await,
                ask(node, &["INFO", "replication"]).await,
            ) else {
                return false;
            };
            if nodes.contains("fail")
                || !state.contains("cluster_state:ok")
                || role.contains("master_link_status:down")
            {
                return false;
            }
            masters += usize::from(role.contains("role:master"));
        }
        // One replica a master: whoever was replaced has understood it.
        masters * 2 == self.nodes.len()
    }

    /// The nodes that are masters now.
    pub(crate) async fn masters(&self) -> Vec<(RedisNode, MultiplexedConnection)> {
        let mut masters = Vec::new();
        for (name, node) in &self.nodes {
            if ask(node, &["INFO", "replication"]).await.is_some_and(|info| info.contains("role:master")) {
                masters.push((*name, node.clone()));
            }
        }
        masters
    }

    /// The lab as a guest here.
    pub(crate) async fn invite(&self) -> Arc<Stores> {
        let (redis, postgres) = self.urls();
        let stores = Stores::connect_to(&[redis], &postgres).await;
        Arc::new(stores.unwrap_or_else(|error| panic!("{error}")))
    }

    /// How many keys there are.
    pub(crate) async fn keys(&self) -> u64 {
        let mut keys = 0;
        for (_, mut master) in self.masters().await {
            keys += cmd("DBSIZE").query_async::<u64>(&mut master).await.expect("an answer");
        }
        keys
    }

    /// Whether a guest has said that it is there: 1, or 0.
    pub(crate) async fn claims(&self) -> u64 {
        self.ask(&["EXISTS", "cache-lab:{claim}"]).await
    }

    /// Every node of the cluster, those that started as masters first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &MultiplexedConnection> {
        self.nodes.iter().map(|(_, node)| node)
    }

    /// What the node answers that has the key: which one changes when a master has been silent.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        for node in self.nodes() {
            if let Ok(answer) = cmd(words[0]).arg(&words[1..]).query_async(&mut node.clone()).await {
                return answer;
            }
        }
        panic!("no node answers {words:?}");
    }

    /// Sends every node that started as a master a command.
    pub(crate) async fn tell(&self, words: &[&str]) {
        let masters = self.nodes.iter().filter(|(name, _)| matches!(name, RedisNode::Master(_)));
        for (_, master) in masters {
            let told = cmd(words[0]).arg(&words[1..]).query_async::<()>(&mut master.clone()).await;
            told.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        }
    }

    /// Executes statements at the primary.
    pub(crate) async fn execute(&self, statements: &str) {
        self.primary
            .batch_execute(statements)
            .await
            .unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    /// What the query counts.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        let row = self.primary.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await;
        row.unwrap_or_else(|error| panic!("{from}: {error:?}")).get(0)
    }

    /// Whether the lab's schema is there.
    pub(crate) async fn has_schema(&self) -> bool {
        self.count("pg_namespace WHERE nspname = 'cache_lab'").await > 0
    }

    /// Asserts that nothing of the lab's is there.
    pub(crate) async fn expect_clean(&self, after: &str) {
        assert_eq!(self.keys().await, 0, "keys are left after {after}");
        assert!(!self.has_schema().await, "the schema is left after {after}");
    }

    /// Polls until a run is in full swing.
    pub(crate) async fn begun(&self) {
        self.until("the run begins", async || self.keys().await > self.claims().await).await;
    }

    /// Polls until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so().await {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn ask(node: &MultiplexedConnection, words: &[&str]) -> Option<String> {
    cmd(words[0]).arg(&words[1..]).query_async(&mut node.clone()).await.ok()
}
