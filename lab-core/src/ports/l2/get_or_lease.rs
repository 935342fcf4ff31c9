//! Reads the value, or else leaves a lease in its slot.

use std::time::Duration;

use super::super::contract::{Kept, LONG, PAST_SHORT, SHORT, entry, key, must, same};
use super::super::{Clock, Ports, SharedCache};
use super::wire::entry_of;
use super::{Content, Foreign, Leased, Leaves, Raw, Reply, Slot, Spec, Stored, Text, wire};
use crate::trace::Verb;
use crate::value::{Instant, Lookup, Token};

/// Reads; where there is nothing, leaves a lease with `token` for `ttl` (unless somebody holds one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetOrLease {
    /// What proves that the lease is one's own.
    pub token: Token,
    /// For how long it is.
    pub ttl: Duration,
}

impl Spec for GetOrLease {
    const VERB: Verb = Verb::Lease;
    /// ARGV: lease, milliseconds. The value where there is one, else 1 = the lease is one's own, 0 = it is somebody
    /// else's.
    const TEXT: Text = Text::Script(
        "local held = redis.call('GET', KEYS[1])
         if not held then
           redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
           return 1
         end
         if string.sub(held, 1, 1) == '{' then
           return held
         end
         return 0",
    );
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Token;
    const CLAUSE: &'static str = "one reader gets the lease of an empty slot, until its time runs out";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        match slot.live(now) {
            Some(Content::Value(entry)) => Reply::Found(entry.clone()),
            Some(Content::Token(_)) if kept!("get-or-lease.one-holder") => Reply::Held,
            Some(Content::Token(_)) | None => {
                slot.put(Content::Token(self.token), self.ttl, now);
                Reply::Granted
            }
        }
    }

    fn arguments(&self) -> Vec<String> {
        vec![wire::token(self.token), wire::millis(self.ttl)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        match &raw {
            Raw::Text(text) => entry_of(text)?.map(Reply::Found).ok_or_else(|| Foreign::answer(&raw)),
            _ => wire::number(&raw, &[(1, Reply::Granted), (0, Reply::Held)]),
        }
    }

    fn asks_with(&self) -> Option<Token> {
        Some(self.token)
    }

    async fn contract<P: Ports>(one: &P, other: &P) -> Kept {
        let (shared, slot) = (one.shared(), key("get-or-lease"));
        let (mine, theirs) = (Token(u64::MAX), Token(2));
        same(shared.get_or_lease(&slot, mine, LONG).await, &Leased::Granted)?;
        same(other.shared().get_or_lease(&slot, theirs, LONG).await, &Leased::Held)?;
        same(shared.get_or_lease(&slot, mine, LONG).await, &Leased::Held)?;
        same(shared.get(&slot).await, &Lookup::Miss)?;
        must(shared.set(&slot, &entry(1), LONG).await)?;
        same(shared.get_or_lease(&slot, theirs, LONG).await, &Leased::Found(entry(1)))?;

        let expiring = key("get-or-lease:expiring");
        same(shared.get_or_lease(&expiring, Token(1), SHORT).await, &Leased::Granted)?;
        one.clock().sleep(PAST_SHORT).await;
        same(shared.get_or_lease(&expiring, Token(2), LONG).await, &Leased::Granted)?;
        same(shared.fill(&expiring, Token(1), &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.fill(&expiring, Token(2), &entry(2), LONG).await, &Stored::Stored)
    }
}
