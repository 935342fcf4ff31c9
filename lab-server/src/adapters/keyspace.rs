//! What the lab's keys are called in Redis. They bear a prefix, so that among somebody else's keys ours are told apart
//! for certain, and on somebody else's servers the mark of their run, so that one run's are told from another's. They
//! keep the hash slot of the plain key, so that a row lives on the same shard as in the simulator.

use std::sync::Arc;

use lab_core::value::Key;

/// How the name of every key of the lab begins.
const PREFIX: &str = "cache-lab:";

/// The names of one run's keys. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct Keyspace(Arc<str>);

impl Default for Keyspace {
    /// On servers of our own there is one run at a time, and nobody else.
    fn default() -> Self {
        Self(PREFIX.into())
    }
}

impl Keyspace {
    /// The keys of the run that bears this mark: letters and digits.
    pub(crate) fn marked(mark: &str) -> Self {
        Self(format!("{PREFIX}{mark}:").into())
    }

    /// Every key of the run, for SCAN.
    pub(crate) fn pattern(&self) -> String {
        format!("{}*", self.0)
    }

    /// The name under which Redis holds a key. A plain key becomes its own hash tag; one that has a hash tag keeps it.
    /// (A key with a brace and no hash tag is the one kind that lands in another slot.)
    pub fn stored(&self, key: &Key) -> String {
        let prefix = &self.0;
        if key.as_str().contains(['{', '}']) {
            format!("{prefix}:{key}")
        } else {
            format!("{prefix}{{{key}}}")
        }
    }

    /// The key behind a name in Redis; `None` for a name that is not of this run.
    pub(crate) fn key_of(&self, stored: &str) -> Option<Key> {
        let rest = stored.strip_prefix(&*self.0)?;
        let plain = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        rest.strip_prefix(':').or(plain).map(Key::new)
    }
}

/// Whether a key bears the prefix of the lab, of whichever run.
pub(crate) fn is_the_labs(stored: &str) -> bool {
    stored.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::*;

    const NAMES: [&str; 3] = ["product:1", "lock:{expensive:calculation}", "{a}"];

    fn keyspaces() -> [Keyspace; 2] {
        [Keyspace::default(), Keyspace::marked("17")]
    }

    #[test]
    fn a_key_keeps_its_slot() {
        for (keyspace, name) in keyspaces().iter().flat_map(|keyspace| NAMES.map(|name| (keyspace, name))) {
            assert!(Slot::for_key(keyspace.stored(&Key::new(name))) == Slot::for_key(name), "{name}");
        }
    }

    #[test]
    fn a_key_is_found_again_under_its_name() {
        for keyspace in keyspaces() {
            for name in NAMES.into_iter().chain(["", "}", "{}x", ":a"]) {
                let key = Key::new(name);
                let stored = keyspace.stored(&key);
                assert!(stored.starts_with(keyspace.pattern().trim_end_matches('*')), "{stored}");
                assert!(is_the_labs(&stored), "{stored}");
                assert_eq!(keyspace.key_of(&stored), Some(key));
            }
        }
        for foreign in ["product:1", "cache-lab:x", "cache-labs:{x}", "", "cache-lab:{x", "cache-lab:18:{x}"]
        {
            for keyspace in keyspaces() {
                assert_eq!(keyspace.key_of(foreign), None, "{foreign}");
            }
        }
    }
}
