//! Looks at who leads each shard of the Redis Cluster while nodes of it are broken, and notes each change of a role. It looks
//! past every fault, and only from the first such fault on: what cannot happen is not looked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use lab_core::cluster::Role;
use lab_core::trace::{Actor, Kind, Note};
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stores::Stores;
use crate::adapters::observer::Recorder;
use crate::harness::{RedisNode, RedisServer};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(20);
/// A node that says nothing for so long is dead or stands still: what it believes then is not known.
const LOOK_WITHIN: Duration = Duration::from_millis(200);

/// Somebody who looks.
pub(super) struct Roles {
    stop: watch::Sender<bool>,
    looking: JoinHandle<()>,
}

impl Roles {
    pub(super) fn start(stores: Arc<Stores>, recorder: Arc<Recorder>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, looking: tokio::spawn(look(stores, recorder, stopped)) }
    }

    pub(super) async fn end(self) {
        // If it looks no more it has panicked, which has been told on standard error.
        let _ = self.stop.send(true);
        let _ = self.looking.await;
    }
}

async fn look(stores: Arc<Stores>, recorder: Arc<Recorder>, mut stopped: watch::Receiver<bool>) {
    let Ok(nodes) = stores.harness().redis_servers() else { return };
    let mut eyes: Vec<_> = nodes.iter().map(Eye::new).collect();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let seen = future::join_all(eyes.iter_mut().map(Eye::look)).await;
        // Whoever leads is told before whoever does no more.
        let mut news: BTreeMap<Role, Vec<Actor>> = BTreeMap::new();
        for (actor, role) in seen.into_iter().flatten() {
            news.entry(role).or_default().push(actor);
        }
        for (role, actors) in news {
            for actor in actors {
                recorder.note(actor, Note::new(Kind::RoleChanged { role }).operation(None).cause(None));
            }
        }
    }
}

/// What looks at one node.
struct Eye<'a> {
    node: &'a RedisServer,
    role: Role,
    connection: Option<MultiplexedConnection>,
}

impl<'a> Eye<'a> {
    fn new(node: &'a RedisServer) -> Self {
        let role = match node.name() {
            RedisNode::Master(_) => Role::Master,
            RedisNode::Replica(_) => Role::Replica,
        };
        Self { node, role, connection: None }
    }

    fn actor(&self) -> Actor {
        match self.node.name() {
            RedisNode::Master(shard) => Actor::RedisMaster(shard),
            RedisNode::Replica(shard) => Actor::RedisReplica(shard),
        }
    }

    /// Its role, where that is another than at the last look.
    async fn look(&mut self) -> Option<(Actor, Role)> {
        let looked = tokio::time::timeout(LOOK_WITHIN, self.ask()).await;
        let Ok(Some(role)) = looked else {
            self.connection = None;
            return None;
        };
        let is_news = role != self.role;
        self.role = role;
        is_news.then(|| (self.actor(), role))
    }

    async fn ask(&mut self) -> Option<Role> {
        if self.connection.is_none() {
            self.connection = Some(self.node.connect().await.ok()?);
        }
        self.node.role(self.connection.as_mut()?).await.ok()
    }
}
