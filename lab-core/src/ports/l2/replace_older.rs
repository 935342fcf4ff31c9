//! Stores in place of an older value, and nowhere else.

use std::time::Duration;

use super::super::contract::{Kept, LONG, entry, key, must, same};
use super::super::{Ports, SharedCache};
use super::{Content, Foreign, Leaves, Raw, Replaced, Reply, Slot, Spec, Stored, Text, wire};
use crate::trace::Verb;
use crate::value::{Entry, Instant, Lookup, Token};

/// Stores in place of a value of the same or a lower version, and nowhere else: of an empty slot nobody knows what it
/// held before. A lease in the slot is void, and whoever reads next fills it with what the database holds then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaceOlder {
    /// What to store.
    pub entry: Entry,
    /// For how long.
    pub ttl: Duration,
}

impl Spec for ReplaceOlder {
    const VERB: Verb = Verb::ReplaceOlder;
    /// ARGV: value, its version, milliseconds. 1 = stored, 2 = there was no value, and no lease is left, 0 = something
    /// newer is there.
    const TEXT: Text = Text::Script(
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
    );
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Value;
    const CLAUSE: &'static str =
        "a value is replaced by a newer one, an empty slot stays empty, and a lease there is void";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        let held = slot.value(now).map(|held| held.stamp.version);
        if kept!("replace-older.nothing-there") && held.is_none() {
            if kept!("replace-older.voids-a-lease") {
                slot.clear();
            }
            return Reply::Voided;
        }
        if kept!("replace-older.compares") && held > Some(self.entry.stamp.version) {
            return Reply::Refused;
        }
        slot.put(Content::Value(self.entry.clone()), self.ttl, now);
        Reply::Done
    }

    fn arguments(&self) -> Vec<String> {
        vec![wire::entry(&self.entry), self.entry.stamp.version.0.to_string(), wire::millis(self.ttl)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        wire::number(&raw, &[(1, Reply::Done), (2, Reply::Voided), (0, Reply::Refused)])
    }

    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
    }

    async fn contract<P: Ports>(one: &P, _: &P) -> Kept {
        let (shared, slot) = (one.shared(), key("replace-older"));
        // What an empty slot held before nobody knows: maybe something newer.
        same(shared.replace_older(&slot, &entry(9), LONG).await, &Replaced::Voided)?;
        same(shared.get(&slot).await, &Lookup::Miss)?;
        must(shared.set(&slot, &entry(9), LONG).await)?;
        same(shared.replace_older(&slot, &entry(8), LONG).await, &Replaced::Refused)?;
        same(shared.get(&slot).await, &Lookup::Hit(entry(9)))?;
        same(shared.replace_older(&slot, &entry(9), LONG).await, &Replaced::Stored)?;
        // Versions are numbers, not texts: 10 is more than 9.
        same(shared.replace_older(&slot, &entry(10), LONG).await, &Replaced::Stored)?;
        same(shared.get(&slot).await, &Lookup::Hit(entry(10)))?;

        let leased = key("replace-older:leased");
        must(shared.get_or_lease(&leased, Token(5), LONG).await)?;
        same(shared.replace_older(&leased, &entry(2), LONG).await, &Replaced::Voided)?;
        same(shared.fill(&leased, Token(5), &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.get(&leased).await, &Lookup::Miss)
    }
}
