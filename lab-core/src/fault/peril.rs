//! What a green says it survives, or does not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of trouble, as coarse as a promise can be said in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peril {
    /// Notices come late.
    BusLate,
    /// Notices are lost, or the connections that bring them.
    BusLost,
    /// Redis is far from a server: late, or out of its reach.
    RedisAway,
    /// The primary is far from a server, or slow.
    DatabaseAway,
    /// A server stands still, for four seconds at most, and goes on.
    ServerPaused,
    /// A server dies, for good or to be started again.
    ServerKilled,
    /// A server's clock is off.
    ClockOff,
    /// The primary dies and is started again.
    PrimaryRestarted,
    /// The primary stands still, and goes on.
    PrimaryPaused,
    /// A Redis master dies and is started again; another may lead its shard then.
    RedisRestarted,
    /// A Redis master stands still, and goes on; another may lead its shard then.
    RedisPaused,
}

impl Peril {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::BusLate,
        Self::BusLost,
        Self::RedisAway,
        Self::DatabaseAway,
        Self::ServerPaused,
        Self::ServerKilled,
        Self::ClockOff,
        Self::PrimaryRestarted,
        Self::PrimaryPaused,
        Self::RedisRestarted,
        Self::RedisPaused,
    ];

    /// What it is, in a sentence without its end.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::BusLate => "Notices come late",
            Self::BusLost => "Notices are lost, or the connections that bring them",
            Self::RedisAway => "Redis is late for a server, or out of its reach",
            Self::DatabaseAway => "The primary is late for a server, or out of its reach, or slow",
            Self::ServerPaused => "A server stands still for up to 4 s, and goes on",
            Self::ServerKilled => "A server dies, for good or to be started again",
            Self::ClockOff => "A server's clock is ahead, or behind",
            Self::PrimaryRestarted => "The primary dies and is started again",
            Self::PrimaryPaused => "The primary stands still, and goes on",
            Self::RedisRestarted => {
                "A Redis master dies and is started again; another may lead its shard then"
            }
            Self::RedisPaused => "A Redis master stands still, and goes on; another may lead its shard then",
        }
    }

    /// Its name in commands.
    pub fn slug(self) -> &'static str {
        match self {
            Self::BusLate => "bus-late",
            Self::BusLost => "bus-lost",
            Self::RedisAway => "redis-away",
            Self::DatabaseAway => "database-away",
            Self::ServerPaused => "server-paused",
            Self::ServerKilled => "server-killed",
            Self::ClockOff => "clock-off",
            Self::PrimaryRestarted => "primary-restarted",
            Self::PrimaryPaused => "primary-paused",
            Self::RedisRestarted => "redis-restarted",
            Self::RedisPaused => "redis-paused",
        }
    }
}

impl fmt::Display for Peril {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// A name that no kind of trouble has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no trouble is called {asked:?}; there are: {}", Peril::ALL.map(Peril::slug).join(", "))]
pub struct UnknownPeril {
    /// What was asked for.
    pub asked: String,
}

impl FromStr for Peril {
    type Err = UnknownPeril;

    fn from_str(text: &str) -> Result<Self, UnknownPeril> {
        let found = Self::ALL.into_iter().find(|peril| peril.slug() == text);
        found.ok_or_else(|| UnknownPeril { asked: text.to_owned() })
    }
}
