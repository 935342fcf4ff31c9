//! The conditional operations of L2: each one script on one key, so that it is atomic and has one home.
//!
//! What a slot holds tells itself apart by its first character: `{` begins a value (JSON), `T` the token of a lease or
//! of a lock.

use std::sync::LazyLock;

use redis::Script;

/// A script with its text: the hash alone is sent, the text where a node does not know it yet.
pub(super) struct Conditional {
    pub(super) text: &'static str,
    script: Script,
}

impl Conditional {
    fn new(text: &'static str) -> Self {
        Self { text, script: Script::new(text) }
    }

    pub(super) fn hash(&self) -> &str {
        self.script.get_hash()
    }
}

/// KEYS: slot. ARGV: value, its version, milliseconds. 1 = stored, 0 = something newer is there.
pub(super) static SET_IF_NEWER: LazyLock<Conditional> = LazyLock::new(|| {
    Conditional::new(
        "local held = redis.call('GET', KEYS[1])
         if held and string.sub(held, 1, 1) == '{'
            and cjson.decode(held).stamp.version > tonumber(ARGV[2]) then
           return 0
         end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
         return 1",
    )
});

/// KEYS: slot. ARGV: value, its version, milliseconds. 1 = stored, 2 = there was no value, and no lease is left, 0 =
/// something newer is there.
pub(super) static REPLACE_OLDER: LazyLock<Conditional> = LazyLock::new(|| {
    Conditional::new(
        "local held = redis.call('GET', KEYS[1])
         if not held or string.sub(held, 1, 1) ~= '{' then
           redis.call('DEL', KEYS[1])
           return 2
         end
         if cjson.decode(held).stamp.version > tonumber(ARGV[2]) then
           return 0
         end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
         return 1",
    )
});

/// KEYS: slot. ARGV: lease, milliseconds. The value where there is one, else 1 = the lease is one's own, 0 = it is
/// somebody else's.
pub(super) static GET_OR_LEASE: LazyLock<Conditional> = LazyLock::new(|| {
    Conditional::new(
        "local held = redis.call('GET', KEYS[1])
         if not held then
           redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
           return 1
         end
         if string.sub(held, 1, 1) == '{' then
           return held
         end
         return 0",
    )
});

/// KEYS: slot. ARGV: lease, value, milliseconds. 1 = stored, 0 = the lease is gone.
pub(super) static FILL: LazyLock<Conditional> = LazyLock::new(|| {
    Conditional::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then
           return 0
         end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    )
});

/// KEYS: slot. ARGV: token, of a lock or of a lease. 1 = given back, 0 = not held.
pub(super) static UNLOCK: LazyLock<Conditional> = LazyLock::new(|| {
    Conditional::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then
           return 0
         end
         redis.call('DEL', KEYS[1])
         return 1",
    )
});
