//! L2: a Redis Cluster, as far as a cache needs one.
//!
//! Each key has one **slot of content**, which holds a value, a lease or a lock's token. The port has one method,
//! [`SharedCache::call`]; what can be asked is in [`l2`](super::l2), one command a file. The methods below it say the
//! same in a caller's types.

use std::time::Duration;

use futures_util::FutureExt;

use super::l2::{
    Command, Delete, Fill, Foreign, Get, GetOrLease, Leased, Lock, Locked, ReplaceOlder, Replaced, Reply,
    Set, SetIfNewer, Stored, Unlock, Unlocked,
};
use crate::trace::Actor;
use crate::value::{Entry, Key, Lookup, Token};

/// Why L2 gave no answer. An error is not a miss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// It was not done.
    #[error("Redis did not do it: {0}")]
    Failed(String),
    /// No answer came: it may have been done or not.
    #[error("Redis did not answer: it may have been done or not")]
    Unknown,
}

impl From<Foreign> for SharedError {
    fn from(foreign: Foreign) -> Self {
        Self::Failed(foreign.to_string())
    }
}

/// A Redis Cluster. Durations below a millisecond count as one.
pub trait SharedCache: Send + Sync {
    /// The master that owns the key's hash slot, as far as is known here.
    fn home(&self, key: &Key) -> Actor;

    /// Has the master that owns the key's hash slot carry a command out, in one round trip and atomically.
    #[track_caller]
    fn call(&self, key: &Key, command: Command) -> impl Future<Output = Result<Reply, SharedError>> + Send;

    /// Reads: [`Get`].
    #[track_caller]
    fn get(&self, key: &Key) -> impl Future<Output = Result<Lookup, SharedError>> + Send {
        self.call(key, Get.into()).map(taken)
    }

    /// Stores whatever is there: [`Set`].
    #[track_caller]
    fn set(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<(), SharedError>> + Send {
        self.call(key, Set { entry: entry.clone(), ttl }.into()).map(taken)
    }

    /// Stores unless something newer is there: [`SetIfNewer`].
    #[track_caller]
    fn set_if_newer(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Stored, SharedError>> + Send {
        self.call(key, SetIfNewer { entry: entry.clone(), ttl }.into()).map(taken)
    }

    /// Stores in place of an older value, and nowhere else: [`ReplaceOlder`].
    #[track_caller]
    fn replace_older(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Replaced, SharedError>> + Send {
        self.call(key, ReplaceOlder { entry: entry.clone(), ttl }.into()).map(taken)
    }

    /// Empties the slot: [`Delete`].
    #[track_caller]
    fn delete(&self, key: &Key) -> impl Future<Output = Result<(), SharedError>> + Send {
        self.call(key, Delete.into()).map(taken)
    }

    /// Reads, or else leaves a lease: [`GetOrLease`].
    #[track_caller]
    fn get_or_lease(
        &self,
        key: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Leased, SharedError>> + Send {
        self.call(key, GetOrLease { token, ttl }.into()).map(taken)
    }

    /// Stores in place of one's own lease: [`Fill`].
    #[track_caller]
    fn fill(
        &self,
        key: &Key,
        token: Token,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Stored, SharedError>> + Send {
        self.call(key, Fill { token, entry: entry.clone(), ttl }.into()).map(taken)
    }

    /// Takes a lock: [`Lock`].
    #[track_caller]
    fn lock(
        &self,
        name: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Locked, SharedError>> + Send {
        self.call(name, Lock { token, ttl }.into()).map(taken)
    }

    /// Frees a lock, or gives a lease back: [`Unlock`].
    #[track_caller]
    fn unlock(&self, name: &Key, token: Token) -> impl Future<Output = Result<Unlocked, SharedError>> + Send {
        self.call(name, Unlock { token }.into()).map(taken)
    }
}

/// A reply in the caller's own type.
fn taken<T: TryFrom<Reply, Error = SharedError>>(
    reply: Result<Reply, SharedError>,
) -> Result<T, SharedError> {
    reply.and_then(T::try_from)
}
