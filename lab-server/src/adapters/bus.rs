//! The bus: plain Redis pub/sub, with a subscriber connection of its own for each server.
//!
//! Everything is published at one node, the master that holds the slot of [`CHANNEL`], and everybody subscribes
//! there: the node hands a notice to its subscribers before it answers the PUBLISH, in the order of publication, and
//! knows how many they are. Through other nodes a notice would travel the cluster's own bus, which keeps no order
//! between two publishing nodes and loses messages without a word. A subscriber that cannot reach that node takes
//! another one, where the cluster's bus still carries it; the sequence numbers tell it what was lost.
//!
//! redis-rs' cluster connection is not used to subscribe: it can lose a subscription for good. The end of an own
//! connection is an event.

use std::sync::Arc;

use futures_util::StreamExt;
use lab_core::ports::{Arrival, Audience, Body, Bus, BusError, Notice, Published, Subscription};
use lab_core::trace::{self, Actor, EventId, Kind, Note};
use lab_core::value::ServerId;
use lab_core::world::deadline;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisResult, cmd};
use serde::{Deserialize, Serialize};

use super::cluster::{CallError, Cluster};
use super::observer::Recorder;
use crate::harness::{Reach, RedisEndpoint};

pub use lab_core::ports::CHANNEL;

/// What is for one server.
fn channel_of(server: ServerId) -> String {
    format!("cache-lab:{server}")
}

/// A notice on its way, with the event of the call that published it: both ends write one journal.
#[derive(Serialize, Deserialize)]
struct Envelope {
    notice: Notice,
    called: Option<EventId>,
}

/// A server's end of the bus.
pub struct RedisBus {
    server: ServerId,
    cluster: Cluster,
    reach: Reach,
    recorder: Arc<Recorder>,
}

impl RedisBus {
    pub(super) fn new(server: ServerId, cluster: Cluster, reach: Reach, recorder: Arc<Recorder>) -> Self {
        Self { server, cluster, reach, recorder }
    }

    async fn subscribe_at(&self, node: &RedisEndpoint) -> RedisResult<RedisSubscription> {
        let client = Client::open(self.reach.redis_connection(&node.bus)?)?;
        let mut connection = client.get_async_pubsub().await?;
        // One command for both channels: it is confirmed when both are in force.
        connection.subscribe(&[CHANNEL, &channel_of(self.server)]).await?;
        let (sink, stream) = connection.split();
        let recorder = Arc::clone(&self.recorder);
        Ok(RedisSubscription { server: self.server, recorder, stream, _sink: sink })
    }
}

impl Bus for RedisBus {
    type Subscription = RedisSubscription;

    async fn publish(&self, audience: Audience, notice: Notice) -> Result<Published, BusError> {
        let channel = match audience {
            Audience::All => CHANNEL.to_owned(),
            Audience::One(server) => channel_of(server),
        };
        let envelope = Envelope { notice, called: trace::cause() };
        let text = serde_json::to_string(&envelope)
            .map_err(|error| BusError::Failed(format!("the notice has no JSON: {error}")))?;
        let command = cmd("PUBLISH").arg(channel).arg(text).clone();
        let receivers: u32 = self.cluster.call_at(CHANNEL, command).await?;
        Ok(Published { receivers })
    }

    async fn subscribe(&self) -> Result<RedisSubscription, BusError> {
        let home = self.cluster.shard(CHANNEL);
        let mut nodes: Vec<&RedisEndpoint> = self.reach.redis.iter().collect();
        // The masters stand before the replicas, and sorting keeps that order.
        nodes.sort_by_key(|endpoint| endpoint.node.shard() != home);
        let mut failure = "the cluster has no nodes".to_owned();
        for node in nodes {
            match tokio::time::timeout(deadline::SUBSCRIBE, self.subscribe_at(node)).await {
                Ok(Ok(subscription)) => return Ok(subscription),
                Ok(Err(error)) => {
                    self.cluster.failed(&error);
                    failure = format!("{}: {error}", node.node);
                }
                Err(_) => failure = format!("{}: no answer within {:?}", node.node, deadline::SUBSCRIBE),
            }
        }
        Err(BusError::Failed(failure))
    }
}

/// A server's subscription: it is over when its connection ends.
pub struct RedisSubscription {
    server: ServerId,
    recorder: Arc<Recorder>,
    stream: PubSubStream,
    /// The connection ends when its sink goes.
    _sink: PubSubSink,
}

impl RedisSubscription {
    fn delivered(&self, notice: &Notice, called: Option<EventId>) -> EventId {
        let kind = Kind::Delivered { notice: notice.body.kind(), from: notice.from };
        let version = match &notice.body {
            Body::Invalidate { version, .. } => *version,
            _ => None,
        };
        let message = called.and_then(|event| self.recorder.message_of(event));
        let note = Note::new(kind).version(version).message(message).operation(None).cause(called);
        let note = match notice.body.key() {
            Some(key) => note.key(key),
            None => note,
        };
        self.recorder.note(Actor::Server(self.server), note)
    }
}

impl Subscription for RedisSubscription {
    async fn next(&mut self) -> Arrival {
        while let Some(message) = self.stream.next().await {
            // What is no notice was published by somebody else, and says nothing to a server.
            let envelope = serde_json::from_slice::<Envelope>(message.get_payload_bytes());
            if let Ok(Envelope { notice, called }) = envelope {
                // Beats are not watched: they would drown everything else.
                let watched = notice.body != Body::Beat;
                let delivered = watched.then(|| self.delivered(&notice, called));
                return Arrival::Notice(notice, delivered);
            }
        }
        Arrival::Closed
    }
}

impl From<CallError> for BusError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Failed(why) => Self::Failed(why),
            CallError::Unknown => Self::Unknown,
        }
    }
}
