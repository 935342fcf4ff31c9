//! One server's connection to the Redis Cluster, and what its errors mean.
//!
//! redis-rs sends a command again on its own after a dropped connection, although the first one may have taken
//! effect: a lock would then be held against its own holder. So its retries are off, and only what surely was not
//! done is sent again, here.
//!
//! Nor does silence teach redis-rs anything: it would ask a node that stands still for ever, although another leads its shard
//! by now, and use a connection for ever that nothing comes through any more. So a call without an answer lets the whole
//! connection be made anew, beside what is under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lab_core::trace::Actor;
use lab_core::value::ServerId;
use lab_core::world::deadline;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};

use super::ConnectError;
use super::observer::Recorder;
use super::refusals::{self, Store};
use crate::harness::{Reach, RedisNode};

/// The whole start of a connection: redis-rs' own can hang for ever.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// One TCP connection.
const TCP_WITHIN: Duration = Duration::from_secs(1);
/// One call, the wait for a free slot of the connection included.
const OVERALL_WITHIN: Duration = Duration::from_secs(2);
/// Calls in flight on one node's connection: without a limit a stalled node collects an endless queue.
const IN_FLIGHT_MAX: usize = 1024;

/// What became of a call.
#[derive(Debug)]
pub(super) enum CallError {
    /// It was not done.
    Failed(String),
    /// No answer came: it may have been done or not.
    Unknown,
}

/// A server's connection to every node of the cluster. Cloning shares it.
#[derive(Clone)]
pub(super) struct Cluster {
    connection: Arc<Mutex<ClusterConnection>>,
    /// What makes another connection, and whether it is at it.
    client: ClusterClient,
    is_renewing: Arc<AtomicBool>,
    /// Where refusals are counted.
    recorder: Arc<Recorder>,
    /// The shard that held each slot at the start. redis-rs computes slots (CRC16 of the hash tag) but does not tell
    /// their numbers, so the slots themselves are the keys.
    shards: Arc<HashMap<Slot, u8>>,
}

impl Cluster {
    pub(super) async fn connect(
        server: ServerId,
        reach: &Reach,
        recorder: Arc<Recorder>,
    ) -> Result<Self, ConnectError> {
        let redis = |why| {
            let nodes: Vec<_> = reach.redis.iter().map(|endpoint| endpoint.data.to_string()).collect();
            ConnectError::Redis { server, nodes: nodes.join(", "), why }
        };
        let client = ClusterClient::builder(reach.redis_nodes().map_err(redis)?)
            .node_address_map(reach.redis_address_map())
            .retries(0)
            .min_retry_wait(20)
            .max_retry_wait(200)
            .connection_timeout(TCP_WITHIN)
            .response_timeout(deadline::REDIS)
            .overall_response_timeout(Some(OVERALL_WITHIN))
            .connection_concurrency_limit(IN_FLIGHT_MAX)
            .build()
            .map_err(redis)?;
        let connected = tokio::time::timeout(CONNECT_WITHIN, client.get_async_connection()).await;
        let slow = |_| ConnectError::Slow { server, store: "the Redis Cluster", within: CONNECT_WITHIN };
        let connection = connected.map_err(slow)?.map_err(redis)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            client,
            is_renewing: Arc::default(),
            recorder,
            shards: Arc::new(shards(reach)),
        })
    }

    fn connection(&self) -> ClusterConnection {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes another connection, which asks anew who leads, and uses that from then on. Where none can be had the old one
    /// stays.
    fn renew(&self) {
        if self.is_renewing.swap(true, Ordering::Relaxed) {
            return;
        }
        let (cluster, client) = (self.clone(), self.client.clone());
        tokio::spawn(async move {
            let connected = tokio::time::timeout(CONNECT_WITHIN, client.get_async_connection()).await;
            if let Ok(Ok(connection)) = connected {
                *cluster.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
            }
            cluster.is_renewing.store(false, Ordering::Relaxed);
        });
    }

    /// The shard that held the key's slot at the start.
    pub(super) fn shard(&self, key: &str) -> u8 {
        self.shards.get(&Slot::for_key(key)).copied().unwrap_or_default()
    }

    /// The master that held the key's slot at the start.
    pub(super) fn home(&self, key: &str) -> Actor {
        Actor::RedisMaster(self.shard(key))
    }

    /// Sends a command to the master of its key's slot, and again as long as it surely was not done.
    pub(super) async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CallError> {
        self.ask(command).await.map_err(|error| self.failed(&error))
    }

    /// Like [`Cluster::call`], with redis-rs' own error.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let until = Instant::now() + deadline::RESEND;
        loop {
            let mut connection = self.connection();
            match command.query_async(&mut connection).await {
                Err(error) if surely_not_done(&error) && Instant::now() < until => {
                    tokio::time::sleep(deadline::RESEND_EVERY).await;
                }
                answer => return answer,
            }
        }
    }

    /// Sends a command once, to the master of `key`'s slot although the key is not in the command.
    pub(super) async fn call_at<T: FromRedisValue>(&self, key: &str, command: Cmd) -> Result<T, CallError> {
        let route = Route::with_key(key, SlotAddr::Master);
        let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
        let answer = self.connection().route_command(command, routing).await;
        answer
            .and_then(|value| redis::from_redis_value(value).map_err(RedisError::from))
            .map_err(|error| self.failed(&error))
    }

    /// Counts a refusal, and says what became of the call that got it.
    pub(super) fn failed(&self, error: &RedisError) -> CallError {
        if let Some((answer, words)) = refusals::of_redis(error) {
            self.recorder.refused(Store::Redis, answer, &words);
        }
        if error.is_timeout() {
            self.renew();
        }
        CallError::of(error)
    }
}

fn shards(reach: &Reach) -> HashMap<Slot, u8> {
    let mut shards = HashMap::new();
    for endpoint in &reach.redis {
        if let RedisNode::Master(shard) = endpoint.node {
            let slots = endpoint.slots.iter().cloned().flatten().filter_map(Slot::new);
            shards.extend(slots.map(|slot| (slot, shard)));
        }
    }
    shards
}

/// Whether the command surely had no effect: the node refused it, or it was never sent.
fn surely_not_done(error: &RedisError) -> bool {
    let refused = matches!(
        error.kind(),
        ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Server(
                ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::BusyLoading
                    | ServerErrorKind::ReadOnly
            )
    );
    refused || error.is_connection_refusal()
}

impl CallError {
    fn of(error: &RedisError) -> Self {
        if error.is_io_error() && !error.is_connection_refusal() {
            Self::Unknown
        } else {
            Self::Failed(error.to_string())
        }
    }
}
