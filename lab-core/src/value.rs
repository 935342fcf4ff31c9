//! The nouns of the cache: key, value, version, instant, stamp, entry, and what a lookup may answer.
//!
//! There is no bare `u64` and no bare `Option` here: an absent row, a miss and an unknown outcome are three
//! different things, and code that confuses them is one of the failures that the lab teaches.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The name of a cached row. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Arc<str>);

impl Key {
    /// Names a row.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The content of a row, opaque to the cache. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Value(Arc<str>);

impl Value {
    /// Wraps a content.
    pub fn new(content: impl Into<Arc<str>>) -> Self {
        Self(content.into())
    }

    /// The content itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The version that the database gave a row: 1 for the first, then one more at each commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// A point in time: nanoseconds since the run began. Virtual in the simulator, monotonic on real servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub u64);

impl Instant {
    /// The latest instant that can be told: "never", as a deadline.
    pub const FAR: Self = Self(u64::MAX);

    /// The time that passed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved later by `by`, or [`Instant::FAR`] if that cannot be told.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Milliseconds since the run began.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// What an entry is known to be: the version it holds, and the latest instant at which that version was known to
/// be the newest. Tiers hand the stamp on unchanged, so that an entry does not grow young by being copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The database's version of the row.
    pub version: Version,
    /// When the reading statement was sent to the primary; on a replica, the time it had replayed up to.
    pub as_of: Instant,
}

/// What a tier keeps for a key. `value` is `None` when the row is known **not to exist**: that is an answer, not
/// a miss.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The content, or `None` for a row known to be absent.
    pub value: Option<Value>,
    /// Version and age.
    pub stamp: Stamp,
}

/// What a tier answers. An error is not among them: a tier that could not be asked did not miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The row, as this tier has it.
    Hit(Entry),
    /// The row is known not to exist.
    Negative(Stamp),
    /// This tier knows nothing of the row.
    Miss,
}

impl From<Option<Entry>> for Lookup {
    fn from(entry: Option<Entry>) -> Self {
        match entry {
            Some(entry) if entry.value.is_some() => Self::Hit(entry),
            Some(entry) => Self::Negative(entry.stamp),
            None => Self::Miss,
        }
    }
}

/// A random number that only its owner knows: the proof that a lock or a lease is one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The name of one write: no two writes ever have the same. It proves afterwards whether the write happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteId(pub u128);

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// An app server of the fleet, counted from 1 as on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub u8);

impl ServerId {
    /// Its place in a list of all servers. (There is no server 0; a recorded trace that names one means the first.)
    pub fn index(self) -> usize {
        usize::from(self.0).saturating_sub(1)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "srv-{}", self.0)
    }
}

/// A client, counted from 1. A client is one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u16);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client-{}", self.0)
    }
}

/// The tier that an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The server's own memory.
    L1,
    /// Redis Cluster.
    L2,
    /// `PostgreSQL`.
    Database,
    /// The application's own computation.
    Computed,
}
