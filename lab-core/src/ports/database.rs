//! `PostgreSQL`: the truth. It gives every row its version.

use std::time::Duration;

use crate::trace::Actor;
use crate::value::{Entry, Instant, Key, Value, Version, WriteId};

/// Whom a read asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadFrom {
    /// The primary: never older than the newest commit that was acknowledged before.
    Primary,
    /// The replica of that number, counted from 1: it may lag.
    Replica(u8),
}

impl ReadFrom {
    /// The place on the stage.
    pub fn actor(self) -> Actor {
        match self {
            Self::Primary => Actor::Primary,
            Self::Replica(number) => Actor::Replica(number),
        }
    }
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The content, or `None` where there is no such row (its version is then 0).
    pub value: Option<Value>,
    /// The version.
    pub version: Version,
    /// The latest instant at which this version was surely current: on the primary, when the statement was sent; on
    /// a replica, the time that it had replayed up to.
    pub as_of: Instant,
}

impl Row {
    /// The row as the caches keep it.
    pub fn into_entry(self) -> Entry {
        let stamp = crate::value::Stamp { version: self.version, as_of: self.as_of };
        Entry { value: self.value, stamp }
    }
}

/// What a commit made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The row's new version.
    pub version: Version,
    /// The position in the write-ahead log after the commit, in bytes.
    pub lsn: u64,
    /// When the statement was sent.
    pub as_of: Instant,
}

/// Why the database gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It was not done.
    #[error("PostgreSQL did not do it: {0}")]
    Failed(String),
    /// No answer came: a commit may have happened or not.
    #[error("PostgreSQL did not answer: a commit may have happened or not")]
    Unknown,
}

/// What became of a write whose outcome nobody knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is committed, and made this version.
    Committed(Version),
    /// It did not happen and never will: its name stands in the outbox as refused.
    Refused,
}

/// A committed write of which the servers may not have heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpublished {
    /// Which write.
    pub id: WriteId,
    /// The row that it changed.
    pub key: Key,
    /// The version that it made.
    pub version: Version,
}

/// A primary with replicas, through a pool of connections: a call waits its turn, first come, first served.
///
/// Beside the rows lies the **outbox**: a write that bears a name leaves it there in its own transaction, and a name stands
/// there once. So whoever comes later can tell whether the write happened, and tell the servers in the writer's place.
pub trait Database: Send + Sync {
    /// Reads a row.
    #[track_caller]
    fn read(&self, key: &Key, from: ReadFrom) -> impl Future<Output = Result<Row, DatabaseError>> + Send;

    /// Writes a row on the primary: inserts it as version 1, or gives it the next version. With a name, the name goes into
    /// the outbox in the same transaction; where it stands there already, nothing is done.
    #[track_caller]
    fn update(
        &self,
        key: &Key,
        value: &Value,
        id: Option<WriteId>,
    ) -> impl Future<Output = Result<Committed, DatabaseError>> + Send;

    /// Settles a write whose outcome nobody knows: puts its name into the outbox as refused, unless the write is there.
    /// A refusal stands for at least an hour, longer than a statement can be on its way.
    #[track_caller]
    fn settle(&self, id: WriteId) -> impl Future<Output = Result<Settled, DatabaseError>> + Send;

    /// Takes some of the writes that stand in the outbox untaken for so long: nobody else is given them for as long again.
    fn unpublished(
        &self,
        after: Duration,
    ) -> impl Future<Output = Result<Vec<Unpublished>, DatabaseError>> + Send;

    /// Every server has heard of the write: nobody is given it any more. Its name stays for whoever may still want to settle
    /// it, unless `forget` says that there is nobody.
    fn published(&self, id: WriteId, forget: bool) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}
