//! `GET`: reads what a slot holds; a lease or a token in it is no value.

use super::super::contract::{Kept, key, same};
use super::super::{Ports, SharedCache};
use super::wire::entry_of;
use super::{Foreign, Leaves, Raw, Reply, Slot, Spec, Text};
use crate::trace::Verb;
use crate::value::{Instant, Lookup};

/// Reads. A slot that holds a token is a miss, and so is one whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get;

impl Spec for Get {
    const VERB: Verb = Verb::Get;
    const TEXT: Text = Text::Plain("GET");
    const WRITES: bool = false;
    const LEAVES: Leaves = Leaves::Unchanged;
    const CLAUSE: &'static str = "what was never stored is a miss";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        slot.value(now).map_or(Reply::Nothing, |entry| Reply::Found(entry.clone()))
    }

    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        match raw {
            Raw::Nil => Ok(Reply::Nothing),
            Raw::Text(text) => Ok(entry_of(&text)?.map_or(Reply::Nothing, Reply::Found)),
            other => Err(Foreign::answer(&other)),
        }
    }

    async fn contract<P: Ports>(one: &P, _: &P) -> Kept {
        same(one.shared().get(&key("absent")).await, &Lookup::Miss)
    }
}
