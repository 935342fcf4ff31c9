//! How a server answers a request: the same code in both worlds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::{ComputeError, ReadError, TieredCache, WriteError};
use crate::consistency::{Demand, Level, Session};
use crate::ports::{Clock, DatabaseError, Entropy, Ports, SharedError};
use crate::trace::{Kind, Note, Outcome, RequestKind};
use crate::value::{Entry, Key, Tier, Value, Version};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Read a row, at the policy's level.
    Read(Key),
    /// Write a row.
    Write(Key, Value),
    /// Get an expensive value; whoever has to compute it takes this long.
    Compute(Key, Duration),
    /// Forget a key in L1.
    Forget(Key),
}

impl Request {
    /// The row that it is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Read(key) | Self::Write(key, _) | Self::Compute(key, _) | Self::Forget(key) => key,
        }
    }

    /// What it asks.
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::Read(_) => RequestKind::Read,
            Self::Write(..) => RequestKind::Write,
            Self::Compute(..) => RequestKind::Compute,
            Self::Forget(_) => RequestKind::Forget,
        }
    }
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The row, and the tier that answered.
    Row(Entry, Tier),
    /// The write is committed as this version.
    Written(Version),
    /// The write is committed as this version, but some server may still answer the old one.
    Unconfirmed(Version),
    /// Done.
    Done,
    /// It failed for certain, and why.
    Failed(String),
    /// No answer: it may have happened or not.
    Unknown,
}

impl Response {
    /// The response in the words of the trace.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Row(entry, _) if entry.value.is_some() => Outcome::Hit,
            Self::Row(..) => Outcome::Negative,
            Self::Written(_) | Self::Done => Outcome::Done,
            Self::Failed(why) => Outcome::Failed(why.clone()),
            // What the writer wanted to know, whether everybody sees it, nobody knows.
            Self::Unconfirmed(_) | Self::Unknown => Outcome::Unknown,
        }
    }

    /// The version read or written.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Row(entry, _) => Some(entry.stamp.version),
            Self::Written(version) | Self::Unconfirmed(version) => Some(*version),
            _ => None,
        }
    }

    fn parts(&self) -> (Outcome, Option<Value>, Option<Tier>) {
        let (value, tier) = match self {
            Self::Row(entry, tier) => (entry.value.clone(), Some(*tier)),
            _ => (None, None),
        };
        (self.outcome(), value, tier)
    }

    /// The note that a server sends this answer.
    pub fn answered(&self, key: &Key) -> Note {
        let (outcome, value, tier) = self.parts();
        Note::new(Kind::Answered { outcome, value, tier }).key(key).version(self.version())
    }

    /// The note that this answer reached the client.
    pub fn completed(&self, key: &Key) -> Note {
        let (outcome, value, tier) = self.parts();
        Note::new(Kind::Completed { outcome, value, tier }).key(key).version(self.version())
    }
}

/// Answers a request at a server. What is rare is boxed, so that the future of a read stays small: there is one for
/// each request in progress.
pub async fn serve<P: Ports>(cache: &TieredCache<P>, session: &Session, request: Request) -> Response {
    // Floors cost a look-up and memory; only this level asks for them.
    let remembers = cache.policy().level == Level::Session;
    match request {
        Request::Read(key) => {
            let demand = Demand::of(session, cache.policy().level, &key);
            match cache.read(&key, demand).await {
                Ok(read) => {
                    if remembers && kept!("session.saw-read") {
                        session.saw(&key, read.entry.stamp.version);
                    }
                    Response::Row(read.entry, read.tier)
                }
                Err(ReadError::Database(DatabaseError::Unknown)) if kept!("unknown.read") => {
                    Response::Unknown
                }
                Err(error) => Response::Failed(error.to_string()),
            }
        }
        Request::Write(key, value) => match Box::pin(cache.write(&key, &value)).await {
            Ok(version) => {
                if remembers && kept!("session.saw-write") {
                    session.saw(&key, version);
                }
                Response::Written(version)
            }
            Err(WriteError::Unacknowledged(version)) => {
                if remembers && kept!("session.saw-unconfirmed") {
                    session.saw(&key, version);
                }
                Response::Unconfirmed(version)
            }
            Err(WriteError::Unknown) if kept!("unknown.write") => Response::Unknown,
            Err(error) => Response::Failed(error.to_string()),
        },
        Request::Compute(key, time) => {
            let ports = cache.ports().clone();
            let computing = async move {
                ports.clock().sleep(time).await;
                Value::new(format!("{:016x}", ports.entropy().draw()))
            };
            match Box::pin(cache.get_with_lock(&key, computing)).await {
                Ok(read) => Response::Row(read.entry, read.tier),
                Err(ComputeError::Lock(SharedError::Unknown)) if kept!("unknown.computation") => {
                    Response::Unknown
                }
                Err(error) => Response::Failed(error.to_string()),
            }
        }
        Request::Forget(key) => {
            cache.forget(&key);
            Response::Done
        }
    }
}
