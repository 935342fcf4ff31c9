//! The bus: it carries notices from each server to all, at most once and in no hurry.
//!
//! Nothing trusts it. A notice may be late, lost, or arrive while the subscriber is not there; each broadcast
//! carries its publisher's incarnation and a number that grows by one, so that a subscriber sees a hole, and beats
//! carry the last number, so that it sees a hole at the end.

use serde::{Deserialize, Serialize};

use crate::trace::{EventId, NoticeKind};
use crate::value::{Key, ServerId, Version};

/// The channel of what is for all. The master that holds its slot carries the bus.
pub const CHANNEL: &str = "cache-lab:all";

/// What a notice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "kebab-case")]
pub enum Body {
    /// The row changed.
    Invalidate {
        /// Which row.
        key: Key,
        /// Its version now; `None` when it is not known yet (published before the commit).
        version: Option<Version>,
        /// Whether the publisher waits for an acknowledgement.
        acknowledge: bool,
    },
    /// The value was filled.
    Filled {
        /// Which row.
        key: Key,
    },
    /// The invalidation of that number was carried out.
    Acknowledge {
        /// The number of the invalidation.
        number: u64,
        /// Which life of its publisher: after a restart the numbers begin anew.
        incarnation: u64,
        /// The row, for the eye.
        key: Key,
    },
    /// A sign of life; its `number` is that of the last broadcast.
    Beat,
}

impl Body {
    /// What it is about.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Invalidate { .. } => NoticeKind::Invalidate,
            Self::Filled { .. } => NoticeKind::Filled,
            Self::Acknowledge { .. } => NoticeKind::Acknowledge,
            Self::Beat => NoticeKind::Beat,
        }
    }

    /// The row that it is about.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Invalidate { key, .. } | Self::Filled { key } | Self::Acknowledge { key, .. } => Some(key),
            Self::Beat => None,
        }
    }
}

/// A message to other servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Who publishes.
    pub from: ServerId,
    /// Which life of the publisher.
    pub incarnation: u64,
    /// The publisher's own count of broadcasts; an acknowledgement and a beat repeat the last one.
    pub number: u64,
    /// What it says.
    pub body: Body,
}

/// Who shall get a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Audience {
    /// Every subscriber, the publisher among them.
    All,
    /// One server.
    One(ServerId),
}

/// A notice was handed to the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Subscribers that the bus knew of: no proof that any of them got it.
    pub receivers: u32,
}

/// Why the bus did not take a notice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// It was not published.
    #[error("the bus did not take it: {0}")]
    Failed(String),
    /// No answer came: it may have been published or not.
    #[error("the bus did not answer: it may have been published or not")]
    Unknown,
}

/// What a subscription yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A notice, and the event of its delivery where the run is watched.
    Notice(Notice, Option<EventId>),
    /// The subscription is over: what was published since is lost. Subscribe anew.
    Closed,
}

/// One subscriber's stream. Notices of one publisher arrive in the order of their publication.
pub trait Subscription: Send {
    /// Waits for the next notice.
    fn next(&mut self) -> impl Future<Output = Arrival> + Send;
}

/// A channel that every server publishes on and subscribes to.
pub trait Bus: Send + Sync {
    /// The stream that [`Bus::subscribe`] gives.
    type Subscription: Subscription + 'static;

    /// Hands a notice to the bus. It returns when the bus has it, not when anybody got it.
    #[track_caller]
    fn publish(
        &self,
        audience: Audience,
        notice: Notice,
    ) -> impl Future<Output = Result<Published, BusError>> + Send;

    /// Subscribes this server to what is for all and what is for itself. What is published after it returned
    /// arrives, unless a fault prevents it.
    fn subscribe(&self) -> impl Future<Output = Result<Self::Subscription, BusError>> + Send;
}
