//! What the lab's keys are called in Redis. They bear a prefix, so that among somebody else's keys ours are told apart
//! for certain; and they keep the hash slot of the plain key, so that a row lives on the same shard as in the
//! simulator.

use lab_core::value::Key;

const PREFIX: &str = "cache-lab:";

/// Every key of the lab, for SCAN.
pub(crate) const PATTERN: &str = "cache-lab:*";

/// The name under which Redis holds a key. A plain key becomes its own hash tag; one that has a hash tag keeps it. (A
/// key with a brace and no hash tag is the one kind that lands in another slot.)
pub(crate) fn stored(key: &Key) -> String {
    if key.as_str().contains(['{', '}']) { format!("{PREFIX}:{key}") } else { format!("{PREFIX}{{{key}}}") }
}

/// The key behind a name in Redis; `None` for a name that is not the lab's.
pub(crate) fn key_of(stored: &str) -> Option<Key> {
    let rest = stored.strip_prefix(PREFIX)?;
    let plain = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    rest.strip_prefix(':').or(plain).map(Key::new)
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::*;

    const NAMES: [&str; 3] = ["product:1", "lock:{expensive:calculation}", "{a}"];

    #[test]
    fn a_key_keeps_its_slot() {
        for name in NAMES {
            assert!(Slot::for_key(stored(&Key::new(name))) == Slot::for_key(name), "{name}");
        }
    }

    #[test]
    fn a_key_is_found_again_under_its_name() {
        for name in NAMES.into_iter().chain(["", "}", "{}x", ":a"]) {
            let key = Key::new(name);
            let stored = stored(&key);
            assert!(stored.starts_with(PATTERN.trim_end_matches('*')), "{stored}");
            assert_eq!(key_of(&stored), Some(key));
        }
        for foreign in ["product:1", "cache-lab:x", "cache-labs:{x}", "", "cache-lab:{x"] {
            assert_eq!(key_of(foreign), None, "{foreign}");
        }
    }
}
