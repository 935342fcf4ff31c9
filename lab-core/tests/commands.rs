//! What L2's commands say of themselves, held against what they do.

use std::collections::BTreeSet;
use std::time::Duration;

use lab_core::ports::l2::{
    Command, Content, Delete, Facts, Fill, Get, GetOrLease, Leaves, Lock, ReplaceOlder, Reply, Set,
    SetIfNewer, Slot, Unlock,
};
use lab_core::trace::Verb;
use lab_core::value::{Entry, Instant, Stamp, Token, Version};

const TTL: Duration = Duration::from_millis(10);
const LAST: Instant = Instant(9_999_999);
const OVER: Instant = Instant(10_000_000);

fn entry(version: u64) -> Entry {
    Entry { value: None, stamp: Stamp { version: Version(version), as_of: Instant(0) } }
}

/// Every command, with the version 5 and the token 5.
fn commands() -> Vec<Command> {
    let (entry, token, ttl) = (entry(5), Token(5), TTL);
    vec![
        Get.into(),
        Set { entry: entry.clone(), ttl }.into(),
        SetIfNewer { entry: entry.clone(), ttl }.into(),
        ReplaceOlder { entry: entry.clone(), ttl }.into(),
        Delete.into(),
        GetOrLease { token, ttl }.into(),
        Fill { token, entry, ttl }.into(),
        Lock { token, ttl }.into(),
        Unlock { token }.into(),
    ]
}

/// Empty, an older value, the same version, a newer one, the token, another's.
fn slots() -> Vec<Slot> {
    let contents = [4, 5, 6].map(|version| Content::Value(entry(version)));
    let tokens = [5, 6].map(|token| Content::Token(Token(token)));
    let held = contents.into_iter().chain(tokens).map(|content| {
        let mut slot = Slot::default();
        slot.put(content, TTL, Instant(0));
        slot.take_change();
        slot
    });
    [Slot::default()].into_iter().chain(held).collect()
}

#[test]
fn every_command_is_tried_here_and_has_a_name_of_its_own() {
    let tried: BTreeSet<Verb> = commands().iter().map(Command::verb).collect();
    let all: BTreeSet<Verb> = Command::ALL.iter().map(|facts| facts.verb).collect();
    assert_eq!(tried, all);
    assert_eq!(all.len(), Command::ALL.len());
}

#[test]
fn a_command_changes_what_it_says_and_tells_the_replica() {
    for command in commands() {
        let Facts { verb, writes, leaves, .. } = command.facts();
        assert_eq!(writes, verb.writes(), "{verb:?} is drawn as what it is");
        let mut changes = 0;
        for before in slots() {
            let (mut slot, mut replica) = (before.clone(), before.clone());
            let reply = command.apply(&mut slot, LAST);
            let change = slot.take_change();
            changes += u32::from(change.is_some());
            if let Some(change) = change {
                replica.replay(change);
            }
            assert_eq!(replica, slot, "{command:?} on {before:?}");
            let took_effect = matches!(reply, Reply::Done | Reply::Granted | Reply::Released);
            let left = match slot.live(LAST) {
                Some(Content::Value(held)) if Some(held) == command.entry() => Leaves::Value,
                Some(Content::Token(held)) if Some(*held) == command.asks_with() => Leaves::Token,
                None => Leaves::Nothing,
                Some(_) => Leaves::Unchanged,
            };
            if took_effect {
                assert_eq!(left, leaves, "{command:?} on {before:?}: {reply:?}");
            } else if reply != Reply::Voided {
                assert_eq!(slot, before, "{command:?}: {reply:?}");
            }
        }
        assert_eq!(changes > 0, writes, "{verb:?}");
    }
}

#[test]
fn what_has_expired_is_as_good_as_nothing() {
    for command in commands() {
        for held in slots() {
            let (mut expired, mut empty) = (held.clone(), Slot::default());
            let reply = command.apply(&mut expired, OVER);
            assert_eq!(reply, command.apply(&mut empty, OVER), "{command:?} on {held:?}");
            assert_eq!(expired.live(OVER), empty.live(OVER), "{command:?} on {held:?}");
        }
    }
}
