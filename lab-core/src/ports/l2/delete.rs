//! `DEL`: empties the slot.

use super::super::contract::{Kept, LONG, entry, key, must, same};
use super::super::{Ports, SharedCache};
use super::{Foreign, Leaves, Raw, Reply, Slot, Spec, Stored, Text};
use crate::trace::Verb;
use crate::value::{Instant, Lookup, Token};

/// Empties the slot; a lease in it is void. Nothing there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete;

impl Spec for Delete {
    const VERB: Verb = Verb::Delete;
    const TEXT: Text = Text::Plain("DEL");
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Nothing;
    const CLAUSE: &'static str =
        "deleting empties the slot, nothing there is no error, and a lease there is void";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        if slot.live(now).is_some() && (kept!("delete.voids-a-lease") || slot.value(now).is_some()) {
            slot.clear();
        }
        Reply::Done
    }

    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        if let Raw::Number(0..=1) = raw { Ok(Reply::Done) } else { Err(Foreign::answer(&raw)) }
    }

    async fn contract<P: Ports>(one: &P, _: &P) -> Kept {
        let (shared, slot) = (one.shared(), key("delete"));
        must(shared.set(&slot, &entry(1), LONG).await)?;
        same(shared.delete(&slot).await, &())?;
        same(shared.get(&slot).await, &Lookup::Miss)?;
        same(shared.delete(&slot).await, &())?;

        let leased = key("delete:leased");
        must(shared.get_or_lease(&leased, Token(5), LONG).await)?;
        must(shared.delete(&leased).await)?;
        same(shared.fill(&leased, Token(5), &entry(1), LONG).await, &Stored::Refused)?;
        same(shared.get(&leased).await, &Lookup::Miss)
    }
}
