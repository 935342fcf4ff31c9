//! Stores unless a newer version is there: compares with the stored value only.

use std::time::Duration;

use super::super::contract::{Kept, LONG, entry, key, must, same};
use super::super::{Ports, SharedCache};
use super::{Content, Foreign, Leaves, Raw, Reply, Slot, Spec, Stored, Text, wire};
use crate::trace::Verb;
use crate::value::{Entry, Instant, Lookup, Token};

/// Stores unless the slot holds a value of a higher version; a lease in the slot is void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetIfNewer {
    /// What to store.
    pub entry: Entry,
    /// For how long.
    pub ttl: Duration,
}

impl Spec for SetIfNewer {
    const VERB: Verb = Verb::SetIfNewer;
    /// ARGV: value, its version, milliseconds. 1 = stored, 0 = something newer is there.
    const TEXT: Text = Text::Script(
        "local held = redis.call('GET', KEYS[1])
         if held and string.sub(held, 1, 1) == '{'
            and cjson.decode(held).stamp.version > tonumber(ARGV[2]) then
           return 0
         end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
         return 1",
    );
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Value;
    const CLAUSE: &'static str = "an older version does not replace a newer one; a lease there is void";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        if kept!("set-if-newer.compares")
            && slot.value(now).is_some_and(|held| held.stamp.version > self.entry.stamp.version)
        {
            return Reply::Refused;
        }
        slot.put(Content::Value(self.entry.clone()), self.ttl, now);
        Reply::Done
    }

    fn arguments(&self) -> Vec<String> {
        vec![wire::entry(&self.entry), self.entry.stamp.version.0.to_string(), wire::millis(self.ttl)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        wire::number(&raw, &[(1, Reply::Done), (0, Reply::Refused)])
    }

    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
    }

    async fn contract<P: Ports>(one: &P, _: &P) -> Kept {
        let (shared, slot) = (one.shared(), key("set-if-newer"));
        same(shared.set_if_newer(&slot, &entry(9), LONG).await, &Stored::Stored)?;
        same(shared.set_if_newer(&slot, &entry(8), LONG).await, &Stored::Refused)?;
        same(shared.get(&slot).await, &Lookup::Hit(entry(9)))?;
        same(shared.set_if_newer(&slot, &entry(9), LONG).await, &Stored::Stored)?;
        // Versions are numbers, not texts: 10 is more than 9.
        same(shared.set_if_newer(&slot, &entry(10), LONG).await, &Stored::Stored)?;
        same(shared.get(&slot).await, &Lookup::Hit(entry(10)))?;

        let leased = key("set-if-newer:leased");
        must(shared.get_or_lease(&leased, Token(5), LONG).await)?;
        same(shared.set_if_newer(&leased, &entry(2), LONG).await, &Stored::Stored)?;
        same(shared.fill(&leased, Token(5), &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.get(&leased).await, &Lookup::Hit(entry(2)))
    }
}
