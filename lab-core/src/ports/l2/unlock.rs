//! Frees a lock, or gives a lease back: compares the token and deletes.

use super::super::contract::{Kept, LONG, entry, key, must, same};
use super::super::{Ports, SharedCache};
use super::{Foreign, Leased, Leaves, Locked, Raw, Reply, Slot, Spec, Stored, Text, Unlocked, wire};
use crate::trace::Verb;
use crate::value::{Instant, Lookup, Token};

/// Frees a lock, or gives a lease back, if the slot holds `token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlock {
    /// What proves that it is one's own.
    pub token: Token,
}

impl Spec for Unlock {
    const VERB: Verb = Verb::Unlock;
    /// ARGV: token. 1 = given back, 0 = not held.
    const TEXT: Text = Text::Script(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then
           return 0
         end
         redis.call('DEL', KEYS[1])
         return 1",
    );
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Nothing;
    const CLAUSE: &'static str =
        "only its owner frees a lock or gives a lease back, and what was given back is free";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        if kept!("unlock.compares") && !slot.holds(self.token, now) {
            return Reply::NotHeld;
        }
        slot.clear();
        Reply::Released
    }

    fn arguments(&self) -> Vec<String> {
        vec![wire::token(self.token)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        wire::number(&raw, &[(1, Reply::Released), (0, Reply::NotHeld)])
    }

    async fn contract<P: Ports>(one: &P, other: &P) -> Kept {
        let (name, mine, theirs) = (key("lock:{unlock}"), Token(1), Token(2));
        same(one.shared().lock(&name, mine, LONG).await, &Locked::Granted)?;
        same(other.shared().lock(&name, theirs, LONG).await, &Locked::Held)?;
        same(other.shared().unlock(&name, theirs).await, &Unlocked::NotHeld)?;
        same(one.shared().unlock(&name, mine).await, &Unlocked::Released)?;
        same(one.shared().unlock(&name, mine).await, &Unlocked::NotHeld)?;
        same(other.shared().lock(&name, theirs, LONG).await, &Locked::Granted)?;

        let slot = key("unlock:lease");
        must(one.shared().get_or_lease(&slot, mine, LONG).await)?;
        same(other.shared().unlock(&slot, theirs).await, &Unlocked::NotHeld)?;
        same(other.shared().get_or_lease(&slot, theirs, LONG).await, &Leased::Held)?;
        same(one.shared().unlock(&slot, mine).await, &Unlocked::Released)?;
        same(one.shared().fill(&slot, mine, &entry(1), LONG).await, &Stored::Refused)?;
        same(other.shared().get_or_lease(&slot, theirs, LONG).await, &Leased::Granted)?;
        // What has been filled is no lease any more.
        same(other.shared().fill(&slot, theirs, &entry(2), LONG).await, &Stored::Stored)?;
        same(other.shared().unlock(&slot, theirs).await, &Unlocked::NotHeld)?;
        same(one.shared().get(&slot).await, &Lookup::Hit(entry(2)))
    }
}
