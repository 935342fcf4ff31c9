//! Looks at the replicas while a run goes on, and notes what they hold. No app server can know when a replica has
//! replayed something, so this is a sample, taken past every fault: a note says that the replica had it by then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future;
use lab_core::trace::{Actor, Kind, Note, Verb};
use lab_core::value::{Entry, Key, Value, Version};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::types::PgLsn;

use super::error::StoresError;
use super::stores::Stores;
use crate::adapters::keyspace::Keyspace;
use crate::adapters::observer::Recorder;
use crate::harness::{Notices, Operator, PostgresEndpoint, PostgresNode, RedisEndpoint, RedisNode};

/// One sample of a replica; one that is stopped would hold up the end of the run.
const SAMPLE_WITHIN: Duration = Duration::from_secs(1);

/// Between two samples: rare enough not to disturb what is measured.
const EVERY: Duration = Duration::from_millis(20);

const ROWS: &str = "SELECT key, value, version, pg_last_wal_replay_lsn() FROM cache_lab.data";

/// What is known of the replicas: each change is noted once, whoever sees it first.
pub(super) struct Replicas {
    recorder: Arc<Recorder>,
    held: Mutex<BTreeMap<(Actor, Key), Held>>,
}

/// What a replica holds of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) verb: Verb,
    pub(super) value: Option<Value>,
    pub(super) version: Option<Version>,
    /// The position replayed up to, for PostgreSQL; it moves without a change of the row.
    pub(super) lsn: Option<u64>,
}

impl Replicas {
    pub(super) fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder, held: Mutex::default() }
    }

    /// Notes what a replica holds, if that is news; `finish` adds what only the caller knows.
    pub(super) fn saw(&self, replica: Actor, key: &Key, now: Held, finish: impl FnOnce(Note) -> Note) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.get(&(replica, key.clone()));
        let is_news = match before {
            Some(before) => (&before.value, before.version) != (&now.value, now.version),
            None => now.verb != Verb::Delete,
        };
        // PostgreSQL never goes back: an older row is a sample that comes late.
        let is_late =
            replica_of_postgres(replica) && before.is_some_and(|before| before.version > now.version);
        if !is_news || is_late {
            return;
        }
        let Held { verb, value, version, lsn } = now.clone();
        held.insert((replica, key.clone()), now);
        drop(held);
        let note = Note::new(Kind::Replayed { verb, value, lsn }).key(key).version(version);
        self.recorder.note(replica, finish(note.operation(None).cause(None)));
    }

    /// The keys that a replica was seen to hold.
    fn keys_at(&self, replica: Actor) -> Vec<Key> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let here = held.iter().filter(|((at, _), held)| *at == replica && held.verb != Verb::Delete);
        here.map(|((_, key), _)| key.clone()).collect()
    }
}

fn replica_of_postgres(actor: Actor) -> bool {
    matches!(actor, Actor::Replica(_))
}

/// Somebody who looks.
pub(super) struct Witness {
    stop: watch::Sender<bool>,
    looking: JoinHandle<()>,
}

/// What looks at one replica.
struct Eye {
    /// The replica, as people are told of it.
    of: String,
    sight: Sight,
    /// Why the last look saw nothing.
    failure: Option<String>,
}

enum Sight {
    Redis(Actor, MultiplexedConnection, Keyspace),
    Postgres(Actor, Operator),
}

impl Witness {
    /// Connects to every replica and begins to look. A replica takes no part in a run: one that cannot be looked at is
    /// told, and stops nothing.
    pub(super) async fn start(stores: &Stores, replicas: Arc<Replicas>) -> Self {
        let (eyes, notices) = (eyes(stores).await, stores.harness().endpoints().notices().clone());
        let (stop, stopped) = watch::channel(false);
        Self { stop, looking: tokio::spawn(look(eyes, replicas, notices, stopped)) }
    }

    /// Looks once more, and ends.
    pub(super) async fn end(self) {
        // If it looks no more it has panicked, which has been told on standard error.
        let _ = self.stop.send(true);
        let _ = self.looking.await;
    }
}

async fn eyes(stores: &Stores) -> Vec<Eye> {
    let nodes = stores.harness().endpoints().direct().redis.iter();
    let redis = nodes.filter_map(|endpoint| match endpoint.node {
        RedisNode::Replica(shard) => {
            Some(async move { (endpoint.to_string(), redis(stores, endpoint, shard).await) })
        }
        RedisNode::Master(_) => None,
    });
    let postgres = stores.replicas().filter_map(|endpoint| match endpoint.node {
        PostgresNode::Replica(number) => {
            Some(async move { (endpoint.to_string(), postgres(stores, endpoint, number).await) })
        }
        PostgresNode::Primary => None,
    });
    let (redis, postgres) = future::join(future::join_all(redis), future::join_all(postgres)).await;
    let mut eyes = Vec::new();
    for (of, sight) in redis.into_iter().chain(postgres) {
        match sight {
            Ok(sight) => eyes.push(Eye { of, sight, failure: None }),
            Err(error) => {
                let notices = stores.harness().endpoints().notices();
                notices.add(format!("{of} is not looked at in this run: {error}"));
            }
        }
    }
    eyes
}

async fn redis(stores: &Stores, endpoint: &RedisEndpoint, shard: u8) -> Result<Sight, StoresError> {
    let mut connection = stores.redis(endpoint).await?;
    let readable = cmd("READONLY").query_async::<()>(&mut connection).await;
    readable.map_err(StoresError::redis("read from it"))?;
    Ok(Sight::Redis(Actor::RedisReplica(shard), connection, stores.keyspace()))
}

async fn postgres(stores: &Stores, endpoint: &PostgresEndpoint, number: u8) -> Result<Sight, StoresError> {
    Ok(Sight::Postgres(Actor::Replica(number), stores.postgres(endpoint).await?))
}

async fn look(
    mut eyes: Vec<Eye>,
    replicas: Arc<Replicas>,
    notices: Notices,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let last = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            _ = stopped.wait_for(|stopped| *stopped) => true,
        };
        future::join_all(eyes.iter_mut().map(|eye| eye.look(&replicas))).await;
        if last {
            break;
        }
    }
    for Eye { of, failure, .. } in eyes {
        if let Some(why) = failure {
            notices
                .add(format!("{of} was lost in a run, which does not show what it held from then on: {why}"));
        }
    }
}

impl Eye {
    async fn look(&mut self, replicas: &Replicas) {
        let sample = tokio::time::timeout(SAMPLE_WITHIN, self.sight.sample(replicas));
        let slow = |_| format!("no answer within {SAMPLE_WITHIN:?}");
        self.failure = sample.await.map_err(slow).and_then(|seen| seen).err();
    }
}

impl Sight {
    /// Notes what is new.
    async fn sample(&mut self, replicas: &Replicas) -> Result<(), String> {
        match self {
            Self::Redis(replica, connection, keyspace) => {
                let held = contents(connection, keyspace).await.map_err(|error| error.to_string())?;
                note_contents(*replica, held, replicas);
            }
            Self::Postgres(replica, client) => {
                for row in client.query(ROWS).await.map_err(|error| error.to_string())? {
                    note_row(*replica, &row, replicas);
                }
            }
        }
        Ok(())
    }
}

/// The values that a Redis node holds; leases and locks are none.
async fn contents(
    connection: &mut MultiplexedConnection,
    keyspace: &Keyspace,
) -> RedisResult<BTreeMap<Key, Entry>> {
    let names: Vec<String> = cmd("KEYS").arg(keyspace.pattern()).query_async(connection).await?;
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut gets = pipe();
    for name in &names {
        gets.cmd("GET").arg(name);
    }
    let held: Vec<Option<String>> = gets.query_async(connection).await?;
    let entries = names.into_iter().zip(held).filter_map(|(name, held)| {
        let entry = serde_json::from_str(&held?).ok()?;
        Some((keyspace.key_of(&name)?, entry))
    });
    Ok(entries.collect())
}

fn note_contents(replica: Actor, held: BTreeMap<Key, Entry>, replicas: &Replicas) {
    for key in replicas.keys_at(replica) {
        if !held.contains_key(&key) {
            let gone = Held { verb: Verb::Delete, value: None, version: None, lsn: None };
            replicas.saw(replica, &key, gone, |note| note);
        }
    }
    for (key, entry) in held {
        // Which command wrote it cannot be seen here.
        let version = Some(entry.stamp.version);
        let now = Held { verb: Verb::Set, value: entry.value, version, lsn: None };
        replicas.saw(replica, &key, now, |note| note);
    }
}

fn note_row(replica: Actor, row: &tokio_postgres::Row, replicas: &Replicas) {
    let (key, value, version, position): (&str, &str, i64, PgLsn) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let now = Held {
        verb: Verb::Update,
        value: Some(Value::new(value)),
        version: Some(Version(version.unsigned_abs())),
        lsn: Some(position.into()),
    };
    replicas.saw(replica, &Key::new(key), now, |note| note);
}
