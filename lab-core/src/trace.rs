//! The trace: the one record that both worlds write and that everything else reads.
//!
//! The view, the timeline, the code panel, the checks, the golden tests and the replay of a real run all read
//! [`Event`]s, and nothing else. What is not in the trace does not exist on screen.
//!
//! # How a trace reads
//! * An **operation** is one client's request. It goes [`Kind::Requested`] (at the client) → [`Kind::Received`]
//!   (at the server) → [`Kind::Answered`] (at the server) → [`Kind::Completed`] (at the client), all with the same
//!   [`Event::operation`].
//! * A **message** is one call from a server to a store: [`Kind::Called`] (at the server, with the line of the cache
//!   that waits) → [`Kind::Queued`] (where it had to wait for a connection) → [`Kind::Served`] (at the node, when
//!   it takes effect) → [`Kind::Returned`] (at the server), all with the same [`Event::message`]. In a real run the
//!   node's own instant is not known: `Served` is noted when the answer arrives, just before `Returned`.
//! * A **notice** on the bus: its publication is such a message with `to` = [`Actor::Bus`]; each subscriber then
//!   notes [`Kind::Delivered`], with the publication's message id.
//! * Upkeep is left out ([`Verb::is_quiet`]): beats and renewals of memberships, which are many and always alike.
//!   What they bring about (a gap noticed, L1 withheld) is in.
//! * [`Event::cause`] is the event that led to this one: walking it back gives an event's causal past.

mod digest;
mod journal;
mod kind;
mod operation;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::panic::Location;

use serde::{Deserialize, Serialize};

pub use crate::cluster::Actor;
pub use digest::Digest;
pub use journal::{Journal, Note};
pub use kind::{Kind, NoticeKind, Outcome, RequestKind, Verb, WaitFor, Why};
pub use operation::{Scope, cause, current, scope, set_cause, unscoped};
pub(crate) use operation::{calling, message};

use crate::value::{Instant, Key, Version};

/// The place of an event in its trace, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub u32);

impl EventId {
    /// The event's index in [`Trace::events`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One client's request, from its sending to its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub u32);

/// One call from a server to a store or to the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u32);

/// A line of our own source: the one of the cache that is waiting, or the one of the scenario that acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Path from the root of the repository, `lab-core/src/cache/read.rs`.
    pub file: Cow<'static, str>,
    /// Line, counted from 1.
    pub line: u32,
}

impl From<&'static Location<'static>> for Source {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: Cow::Borrowed(location.file()), line: location.line() }
    }
}

/// One thing that happened, at one actor, at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When; events of a trace never go back in time.
    pub at: Instant,
    /// Where.
    pub actor: Actor,
    /// What.
    pub kind: Kind,
    /// The row that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The version that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The event that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<EventId>,
    /// The client's request that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The call that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The line of our source that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A whole run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Every event, in order of time; an event's index is its [`EventId`].
    pub events: Vec<Event>,
}

impl Trace {
    /// The fingerprint of the run: equal exactly when every event is equal, file and line left out.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        for event in &self.events {
            digest.event(event);
        }
        digest.finish64()
    }

    /// The fingerprint of what happened before what, without times: how [`crate::report`] counts distinct schedules. Each
    /// actor's own events are taken in their order; which of two actors that do not hear of each other was first makes no
    /// other schedule. A request is called by its client and its number among that client's.
    pub fn schedule(&self) -> u64 {
        let mut actors = BTreeMap::<Actor, Digest>::new();
        let mut requests = BTreeMap::new();
        let mut sent = BTreeMap::<Actor, u32>::new();
        for event in &self.events {
            if let (Kind::Requested { .. }, Some(operation)) = (&event.kind, event.operation) {
                let number = sent.entry(event.actor).or_default();
                *number += 1;
                requests.insert(operation, (event.actor, *number));
            }
            let request = event.operation.and_then(|operation| requests.get(&operation));
            actors.entry(event.actor).or_default().order(event, request.copied());
        }
        let mut whole = Digest::default();
        for (actor, own) in actors {
            (actor, own.finish64()).hash(&mut whole);
        }
        whole.finish64()
    }
}
