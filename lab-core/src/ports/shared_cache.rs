//! L2: a Redis Cluster, as far as a cache needs one.
//!
//! Each key has one **slot of content**, which holds a value, a lease or a lock's token. Every operation below is
//! one round trip and atomic: a plain command or a script on the master that owns the key's hash slot.

use std::time::Duration;

use crate::trace::Actor;
use crate::value::{Entry, Key, Lookup, Token};

/// What a conditional store did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Stored,
    /// Something newer is there, or the lease is gone: nothing was changed.
    Refused,
}

/// What a store did that replaces an older value only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is stored, in place of an older value.
    Stored,
    /// There was no value to replace: the slot is empty now, and a lease in it is void.
    Voided,
    /// A newer value is there: nothing was changed.
    Refused,
}

/// What a try at a lock gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The lock is one's own, until its time runs out.
    Granted,
    /// Somebody holds it.
    Held,
}

/// What became of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// It was one's own and is free.
    Released,
    /// It was not one's own (any more): nothing was changed.
    NotHeld,
}

/// What a read that may take a lease gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leased {
    /// The value (or the knowledge that there is none).
    Found(Entry),
    /// There was nothing; the slot now holds one's own lease: fill it.
    Granted,
    /// There was nothing, and somebody else holds the lease.
    Held,
}

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

/// A Redis Cluster. Durations below a millisecond count as one.
pub trait SharedCache: Send + Sync {
    /// The master that owns the key's hash slot, as far as is known here.
    fn home(&self, key: &Key) -> Actor;

    /// Reads. A slot that holds a lease is a miss. An expired entry is a miss.
    #[track_caller]
    fn get(&self, key: &Key) -> impl Future<Output = Result<Lookup, SharedError>> + Send;

    /// Stores whatever is there; a lease in the slot is void.
    #[track_caller]
    fn set(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<(), SharedError>> + Send;

    /// Stores unless the slot holds a value of a higher version; a lease in the slot is void.
    #[track_caller]
    fn set_if_newer(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Stored, SharedError>> + Send;

    /// Stores in place of a value of the same or a lower version, and nowhere else: of an empty slot nobody knows what it
    /// held before. A lease in the slot is void, and whoever reads next fills it with what the database holds then.
    #[track_caller]
    fn replace_older(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Replaced, SharedError>> + Send;

    /// Empties the slot; a lease in it is void. Nothing there is no error.
    #[track_caller]
    fn delete(&self, key: &Key) -> impl Future<Output = Result<(), SharedError>> + Send;

    /// Reads; where there is nothing, leaves a lease with `token` for `ttl` (unless somebody holds one).
    #[track_caller]
    fn get_or_lease(
        &self,
        key: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Leased, SharedError>> + Send;

    /// Stores in place of the lease with `token`; refused if the slot holds anything else.
    #[track_caller]
    fn fill(
        &self,
        key: &Key,
        token: Token,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Stored, SharedError>> + Send;

    /// Takes a lock: `SET name token NX PX ttl`.
    #[track_caller]
    fn lock(
        &self,
        name: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Locked, SharedError>> + Send;

    /// Frees a lock, or gives a lease back, if the slot holds `token`.
    #[track_caller]
    fn unlock(&self, name: &Key, token: Token) -> impl Future<Output = Result<Unlocked, SharedError>> + Send;
}
