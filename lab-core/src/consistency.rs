//! What a reader may be answered.
//!
//! A level is a promise to the reader, kept by asking of every tier's stamp whether it is good enough. The as-of
//! time travels with the entry from the database through the tiers, so a copy is as old as what it was copied from.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::{Instant, Key, Stamp, Version};

/// The promise to a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Never an older version than the newest that was acknowledged before the read began: the primary is asked.
    Strong,
    /// A version that was current at some instant within the bound before the read.
    Bounded {
        /// The bound, in milliseconds.
        within_ms: u64,
    },
    /// Never below what this session wrote or read before.
    Session,
    /// Whatever a tier has.
    #[default]
    Eventual,
}

/// Clocks of servers may differ by this much; a bound is kept by asking for that much more.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_millis(5);

impl Level {
    /// Whether a cached entry with this stamp keeps the promise. `floor` is the session's, see [`Session::floor`].
    pub fn accepts(self, stamp: &Stamp, now: Instant, floor: Version) -> bool {
        match self {
            Self::Strong => !kept!("strong.no-cache"),
            Self::Bounded { within_ms } => {
                let skew = if kept!("bounded.skew") { CLOCK_SKEW_MAX } else { Duration::ZERO };
                !kept!("bounded.age") || now.since(stamp.as_of) + skew <= Duration::from_millis(within_ms)
            }
            Self::Session => !kept!("session.floor") || stamp.version >= floor,
            Self::Eventual => true,
        }
    }
}

/// Keys that a session remembers at most.
const FLOORS_MAX: usize = 1_024;

/// What one client has seen: the lowest version of each key that it may be answered at [`Level::Session`]. It remembers the
/// keys that it saw first least: of one that it may have forgotten, only the primary's answer is good enough.
#[derive(Debug, Default)]
pub struct Session(Mutex<Floors>);

#[derive(Debug, Default)]
struct Floors {
    by_key: BTreeMap<Key, Version>,
    /// In the order in which they came.
    order: VecDeque<Key>,
    forgets: bool,
}

impl Session {
    /// The lowest version that keeps the session's promise for `key`; 0 if it has neither read nor written it, and more than
    /// any cache can hold if it may have forgotten.
    pub fn floor(&self, key: &Key) -> Version {
        let floors = self.0.lock().expect("no holder panics");
        let unknown = if floors.forgets && kept!("session.forgets") { Version(u64::MAX) } else { Version(0) };
        floors.by_key.get(key).copied().unwrap_or(unknown)
    }

    /// Notes that the session wrote or read `version`.
    pub fn saw(&self, key: &Key, version: Version) {
        let mut floors = self.0.lock().expect("no holder panics");
        if let Some(floor) = floors.by_key.get_mut(key) {
            *floor = if kept!("session.never-back") { version.max(*floor) } else { version };
            return;
        }
        if floors.order.len() == FLOORS_MAX
            && let Some(oldest) = floors.order.pop_front()
        {
            floors.by_key.remove(&oldest);
            floors.forgets = true;
        }
        floors.by_key.insert(key.clone(), version);
        floors.order.push_back(key.clone());
    }
}

/// What a reader asks of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    level: Level,
    floor: Version,
}

impl Demand {
    /// A level without a session: at [`Level::Session`], whatever a tier has.
    pub fn level(level: Level) -> Self {
        Self { level, floor: Version(0) }
    }

    /// A level as a session asks for it.
    pub fn of(session: &Session, level: Level, key: &Key) -> Self {
        let floor = if level == Level::Session { session.floor(key) } else { Version(0) };
        Self { level, floor }
    }

    /// Whether only the primary can answer it.
    pub(crate) fn is_strong(self) -> bool {
        self.level == Level::Strong
    }

    /// Whether a cached entry with this stamp is good enough.
    #[inline]
    pub fn accepts(self, stamp: &Stamp, now: Instant) -> bool {
        self.level.accepts(stamp, now, self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::new(format!("row:{number}"))
    }

    #[test]
    fn a_session_is_bounded_and_trusts_no_cache_for_what_it_forgot() {
        let session = Session::default();
        for number in 0..FLOORS_MAX {
            session.saw(&key(number), Version(7));
        }
        assert_eq!((session.floor(&key(0)), session.floor(&key(FLOORS_MAX))), (Version(7), Version(0)));
        session.saw(&key(FLOORS_MAX), Version(1));
        assert_eq!((session.floor(&key(0)), session.floor(&key(1))), (Version(u64::MAX), Version(7)));
        assert_eq!(session.0.lock().expect("no holder panics").by_key.len(), FLOORS_MAX);
        session.saw(&key(0), Version(9));
        assert_eq!(session.floor(&key(0)), Version(9), "what the primary answered is known again");
    }
}
