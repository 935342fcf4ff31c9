//! `SET … NX PX`: takes a lock.

use std::time::Duration;

use futures_util::future::join_all;

use super::super::contract::{Kept, LONG, PAST_SHORT, SHORT, entry, key, must, same};
use super::super::{Clock, Ports, SharedCache};
use super::{Content, Foreign, Leaves, Locked, Raw, Reply, Slot, Spec, Text, Unlocked, wire};
use crate::trace::Verb;
use crate::value::{Instant, Lookup, Token};

/// Takes a lock, unless the slot holds anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What proves that the lock is one's own.
    pub token: Token,
    /// For how long it is.
    pub ttl: Duration,
}

impl Spec for Lock {
    const VERB: Verb = Verb::Lock;
    const TEXT: Text = Text::Plain("SET");
    const WRITES: bool = true;
    const LEAVES: Leaves = Leaves::Token;
    const CLAUSE: &'static str = "of many who try at once one gets the lock, and it runs out by itself";

    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
        if kept!("lock.only-new") && slot.live(now).is_some() {
            return Reply::Held;
        }
        slot.put(Content::Token(self.token), self.ttl, now);
        Reply::Granted
    }

    fn arguments(&self) -> Vec<String> {
        let [only_new, millis] = ["NX", "PX"].map(str::to_owned);
        vec![wire::token(self.token), only_new, millis, wire::millis(self.ttl)]
    }

    fn read(raw: Raw) -> Result<Reply, Foreign> {
        match raw {
            Raw::Okay => Ok(Reply::Granted),
            Raw::Nil => Ok(Reply::Held),
            other => Err(Foreign::answer(&other)),
        }
    }

    fn asks_with(&self) -> Option<Token> {
        Some(self.token)
    }

    async fn contract<P: Ports>(one: &P, other: &P) -> Kept {
        let raced = &key("lock:race");
        let tries = (1..=10).map(|token| async move {
            let ports = if token % 2 == 0 { one } else { other };
            ports.shared().lock(raced, Token(token), LONG).await
        });
        let granted = join_all(tries).await.into_iter().filter(|try_| *try_ == Ok(Locked::Granted)).count();
        same::<_, ()>(Ok(granted), &1)?;

        let (shared, valued) = (one.shared(), key("lock:value"));
        must(shared.set(&valued, &entry(1), LONG).await)?;
        same(shared.lock(&valued, Token(1), LONG).await, &Locked::Held)?;
        same(shared.get(&valued).await, &Lookup::Hit(entry(1)))?;

        let expiring = key("lock:expiring");
        same(shared.lock(&expiring, Token(1), SHORT).await, &Locked::Granted)?;
        one.clock().sleep(PAST_SHORT).await;
        same(shared.lock(&expiring, Token(2), LONG).await, &Locked::Granted)?;
        same(shared.unlock(&expiring, Token(1)).await, &Unlocked::NotHeld)
    }
}
