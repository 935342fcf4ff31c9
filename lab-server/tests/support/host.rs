//! What somebody who runs a Redis Cluster and PostgreSQL sees there of a guest, while some node is silent and after.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use lab_server::harness::RedisServer;
use redis::cmd;

use super::owner::Owner;

/// What a cluster needs to be whole after one of its nodes was silent, on a busy machine.
const WELL_WITHIN: Duration = Duration::from_mins(1);

/// A replica has what its master has, and PostgreSQL knows that a client is gone.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

/// What is somebody else's. The second begins as the lab's keys do.
const NEIGHBOURS: [&str; 2] = ["orders:17", "cache-lab:another:{orders:17}"];

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// What of the lab's is on the servers.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) keys: BTreeSet<String>,
    pub(crate) schema: bool,
}

impl Found {
    pub(crate) fn is_nothing(&self) -> bool {
        self.keys.is_empty() && !self.schema
    }
}

/// Who is silent.
#[derive(Clone, Copy)]
pub(crate) enum Silent {
    /// That one of the masters of the time.
    Master(usize),
    Primary,
}

/// A node that can be made silent.
pub(crate) enum Node<'a> {
    Redis(&'a RedisServer),
    Primary(&'a Owner),
}

impl Node<'_> {
    pub(crate) fn pause(&self) {
        let paused = match self {
            Self::Redis(server) => server.pause(),
            Self::Primary(owner) => owner.primary_server().pause(),
        };
        paused.expect("it can be stopped");
    }

    pub(crate) fn resume(&self) {
        match self {
            Self::Redis(server) => server.resume(),
            Self::Primary(owner) => owner.primary_server().resume(),
        }
    }
}

/// The servers, and what their owner sees there.
pub(crate) struct Host {
    pub(crate) owner: Owner,
}

impl Host {
    pub(crate) async fn open() -> Self {
        Self { owner: Owner::start().await }
    }

    pub(crate) async fn find(&self, silent: Silent) -> Node<'_> {
        let Silent::Master(number) = silent else { return Node::Primary(&self.owner) };
        let masters = self.owner.masters().await;
        Node::Redis(self.owner.redis_server(masters[number % masters.len()].0))
    }

    /// Waits until every node is well and nobody of the lab is there; how many sessions stay all the same.
    pub(crate) async fn settle(&self) -> i64 {
        assert!(
            within(WELL_WITHIN, async || self.owner.is_well().await).await,
            "the cluster does not recover"
        );
        let sessions =
            async || self.owner.count("pg_stat_activity WHERE application_name LIKE 'Cache Lab%'").await;
        within(KNOWN_WITHIN, async || sessions().await == 0).await;
        sessions().await
    }

    /// What of the lab's is there.
    pub(crate) async fn look(&self) -> Found {
        let mut keys = BTreeSet::new();
        for node in self.owner.nodes() {
            let listed = cmd("KEYS").arg("*").query_async::<Vec<String>>(&mut node.clone()).await;
            keys.extend(listed.expect("an answer"));
        }
        keys.retain(|key| !NEIGHBOURS.contains(&key.as_str()));
        Found { keys, schema: self.owner.has_schema().await }
    }

    /// What is still there when the replicas have what their masters have.
    pub(crate) async fn remaining(&self) -> Found {
        within(KNOWN_WITHIN, async || self.look().await.is_nothing()).await;
        self.look().await
    }

    pub(crate) async fn bring_neighbours(&self) {
        for key in NEIGHBOURS {
            self.owner.ask::<()>(&["SET", key, "mine"]).await;
        }
        self.owner.execute("CREATE TABLE public.data (key text)").await;
    }

    /// Takes away what is somebody else's; what of it was not there any more.
    pub(crate) async fn take_neighbours(&self) -> Vec<String> {
        let mut lost = Vec::new();
        for key in NEIGHBOURS {
            if self.owner.ask::<u64>(&["DEL", key]).await == 0 {
                lost.push(key.to_owned());
            }
        }
        if self.owner.count("pg_tables WHERE schemaname = 'public' AND tablename = 'data'").await == 0 {
            lost.push("public.data".to_owned());
        }
        self.owner.execute("DROP TABLE IF EXISTS public.data").await;
        lost
    }

    /// Executes what was told, as a shell does; how it failed, if it did.
    pub(crate) fn obey(&self, command: &str) -> Option<String> {
        let (redis, postgres) = self.owner.passwords();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("REDISCLI_AUTH", redis).env("PGPASSWORD", postgres);
        let done = shell.output().expect("a shell");
        (!done.status.success()).then(|| format!("{command}: {}", super::told(&done)))
    }

    /// For the next trial, after one that failed.
    pub(crate) async fn wipe(&self) {
        for node in self.owner.nodes() {
            // A replica refuses, and gets it from its master.
            let _ = cmd("FLUSHALL").query_async::<()>(&mut node.clone()).await;
        }
        self.owner.execute("DROP SCHEMA IF EXISTS cache_lab CASCADE").await;
    }
}

/// Polls until it is so; whether it came to be.
async fn within(time: Duration, is_so: impl AsyncFn() -> bool) -> bool {
    let until = Instant::now() + time;
    while !is_so().await {
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}
