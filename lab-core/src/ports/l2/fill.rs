//! Stores a value in place of one's own lease.

use std::time::Duration;

use super::super::contract::{Kept, LONG, entry, key, must, same};
use super::super::{Ports, SharedCache};
use super::{Content, Foreign, Leased, Leaves, Raw, Reply, Slot, Spec, Stored, Text, wire};
use crate::trace::Verb;
use crate::value::{Entry, Instant, Lookup, Token};

/// Stores in place of the lease with `token`; refused if the slot holds anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// What proves that the lease is one's own.
    pub token: Token,
    /// What to store.
    pub entry: Entry,
    /// For how long.
    pub ttl: Duration,
}

impl Spec for Fill {
    const VERB: Verb = Verb::Fill;
    /// ARGV: lease, value, milliseconds. 1 = stored, 0 = the lease is gone.
    const TEXT: Text = Text::Script(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then
           return 0
         end
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
         return 1",
    );
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Value;
    const CLAUSE: &'static str = "only the holder of the lease fills the slot, and once";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        if !slot.holds(self.token, now) && (kept!("fill.lease-gone") || slot.live(now).is_some()) {
            return Reply::Refused;
        }
        slot.put(Content::Value(self.entry.clone()), self.ttl, now);
        Reply::Done
    }

    fn arguments(&self) -> Vec<String> {
        vec![wire::token(self.token), wire::entry(&self.entry), wire::millis(self.ttl)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        wire::number(&raw, &[(1, Reply::Done), (0, Reply::Refused)])
    }

    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
    }

    async fn contract<P: Ports>(one: &P, other: &P) -> Kept {
        let (shared, slot) = (one.shared(), key("fill"));
        let (mine, theirs) = (Token(u64::MAX), Token(2));
        same(shared.fill(&slot, mine, &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.get(&slot).await, &Lookup::Miss)?;
        must(shared.get_or_lease(&slot, mine, LONG).await)?;
        same(other.shared().fill(&slot, theirs, &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.fill(&slot, mine, &entry(2), LONG).await, &Stored::Stored)?;
        same(shared.fill(&slot, mine, &entry(3), LONG).await, &Stored::Refused)?;
        same(other.shared().get_or_lease(&slot, theirs, LONG).await, &Leased::Found(entry(2)))
    }
}
