//! `SET … PX`: stores whatever is there.

use std::time::Duration;

use super::super::contract::{Kept, LONG, PAST_SHORT, SHORT, entry, key, must, same};
use super::super::{Clock, Ports, SharedCache};
use super::{Content, Foreign, Leaves, Raw, Reply, Slot, Spec, Stored, Text, wire};
use crate::trace::Verb;
use crate::value::{Entry, Instant, Lookup, Token};

/// Stores whatever is there; a lease in the slot is void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// What to store.
    pub entry: Entry,
    /// For how long.
    pub ttl: Duration,
}

impl Spec for Set {
    const VERB: Verb = Verb::Set;
    const TEXT: Text = Text::Plain("SET");
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Value;
    const CLAUSE: &'static str = "what is stored is found with its stamp, a row known to be absent too, until its time \
                                  to live; a lease there is void";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        slot.put(Content::Value(self.entry.clone()), self.ttl, now);
        Reply::Done
    }

    fn arguments(&self) -> Vec<String> {
        vec![wire::entry(&self.entry), "PX".to_owned(), wire::millis(self.ttl)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        if raw == Raw::Okay { Ok(Reply::Done) } else { Err(Foreign::answer(&raw)) }
    }

    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
    }

    async fn contract<P: Ports>(one: &P, _: &P) -> Kept {
        let shared = one.shared();
        let stored = key("set");
        must(shared.set(&stored, &entry(3), LONG).await)?;
        same(shared.get(&stored).await, &Lookup::Hit(entry(3)))?;
        must(shared.set(&stored, &entry(2), LONG).await)?;
        same(shared.get(&stored).await, &Lookup::Hit(entry(2)))?;

        let (absent, none) = (key("set:negative"), Entry { value: None, ..entry(0) });
        must(shared.set(&absent, &none, LONG).await)?;
        same(shared.get(&absent).await, &Lookup::Negative(none.stamp))?;

        let leased = key("set:leased");
        must(shared.get_or_lease(&leased, Token(5), LONG).await)?;
        must(shared.set(&leased, &entry(2), LONG).await)?;
        same(shared.fill(&leased, Token(5), &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.get(&leased).await, &Lookup::Hit(entry(2)))?;

        let expiring = key("set:expiring");
        must(shared.set(&expiring, &entry(1), SHORT).await)?;
        one.clock().sleep(PAST_SHORT).await;
        same(shared.get(&expiring).await, &Lookup::Miss)
    }
}
