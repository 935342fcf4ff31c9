//! Redis Cluster: slots over masters, a replica each, and the commands that the cache uses.
//!
//! The rules are those of the Redis Cluster specification: a node that does not own a key's slot answers MOVED; a write
//! is acknowledged before the replica has it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{SLOTS, shard_of_slot, slot};
use crate::value::{Entry, Instant, Key, Token};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Value(Entry),
    /// A lease, or a lock's token.
    Token(Token),
}

#[derive(Clone, Debug)]
struct Held {
    content: Content,
    expires: Instant,
}

/// What a server asks of a node.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Get,
    Set(Entry, Duration),
    SetIfNewer(Entry, Duration),
    ReplaceOlder(Entry, Duration),
    Delete,
    Lease(Token, Duration),
    Fill(Token, Entry, Duration),
    Lock(Token, Duration),
    Unlock(Token),
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Found(Entry),
    Nothing,
    Done,
    Refused,
    Voided,
    Granted,
    Held,
    Released,
    NotHeld,
    /// The slot belongs to that shard's master.
    Moved(u8),
}

/// What a write changed: what the master sends to its replica.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(Content, Instant),
    Remove,
}

impl Change {
    /// The value that it puts, if it puts one.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Put(Content::Value(entry), _) => Some(entry),
            Self::Put(Content::Token(_), _) | Self::Remove => None,
        }
    }
}

/// The keys of one node. An expired key is as good as none.
#[derive(Clone, Debug, Default)]
pub(super) struct Node(BTreeMap<Key, Held>);

impl Node {
    fn live(&self, key: &Key, now: Instant) -> Option<&Content> {
        self.0.get(key).filter(|held| now < held.expires).map(|held| &held.content)
    }

    /// Carries a command out and says what it changed.
    pub(super) fn apply(&mut self, key: &Key, command: Command, now: Instant) -> (Answer, Option<Change>) {
        let live = self.live(key, now);
        let (answer, change) = match command {
            Command::Get => match live {
                Some(Content::Value(entry)) => (Answer::Found(entry.clone()), None),
                Some(Content::Token(_)) | None => (Answer::Nothing, None),
            },
            Command::Set(entry, ttl) => (Answer::Done, Some(put(Content::Value(entry), ttl, now))),
            Command::SetIfNewer(entry, ttl) => match live {
                Some(Content::Value(held)) if held.stamp.version > entry.stamp.version => {
                    (Answer::Refused, None)
                }
                _ => (Answer::Done, Some(put(Content::Value(entry), ttl, now))),
            },
            Command::ReplaceOlder(entry, ttl) => match live {
                Some(Content::Value(held)) if held.stamp.version > entry.stamp.version => {
                    (Answer::Refused, None)
                }
                Some(Content::Value(_)) => (Answer::Done, Some(put(Content::Value(entry), ttl, now))),
                Some(Content::Token(_)) | None => (Answer::Voided, Some(Change::Remove)),
            },
            Command::Delete => (Answer::Done, live.map(|_| Change::Remove)),
            Command::Lease(token, ttl) => match live {
                Some(Content::Value(entry)) => (Answer::Found(entry.clone()), None),
                Some(Content::Token(_)) => (Answer::Held, None),
                None => (Answer::Granted, Some(put(Content::Token(token), ttl, now))),
            },
            Command::Fill(token, entry, ttl) => match live {
                Some(Content::Token(held)) if *held == token => {
                    (Answer::Done, Some(put(Content::Value(entry), ttl, now)))
                }
                _ => (Answer::Refused, None),
            },
            Command::Lock(token, ttl) => match live {
                Some(_) => (Answer::Held, None),
                None => (Answer::Granted, Some(put(Content::Token(token), ttl, now))),
            },
            Command::Unlock(token) => match live {
                Some(Content::Token(held)) if *held == token => (Answer::Released, Some(Change::Remove)),
                _ => (Answer::NotHeld, None),
            },
        };
        if let Some(change) = &change {
            self.replay(key, change.clone());
        }
        (answer, change)
    }

    /// Takes over what a master changed.
    pub(super) fn replay(&mut self, key: &Key, change: Change) {
        match change {
            Change::Put(content, expires) => {
                self.0.insert(key.clone(), Held { content, expires });
            }
            Change::Remove => {
                self.0.remove(key);
            }
        }
    }
}

fn put(content: Content, ttl: Duration, now: Instant) -> Change {
    Change::Put(content, now.after(ttl.max(Duration::from_millis(1))))
}

/// The masters with their replicas, and who owns which slots.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    masters: Vec<Node>,
    replicas: Vec<Node>,
    /// The owner of each slot.
    owners: Vec<u8>,
}

impl Cluster {
    pub(super) fn new(masters: u8) -> Self {
        let nodes = vec![Node::default(); usize::from(masters)];
        let owners = (0..SLOTS).map(|slot| shard_of_slot(slot, masters)).collect();
        Self { masters: nodes.clone(), replicas: nodes, owners }
    }

    /// The shard that owns a slot.
    pub(super) fn owner(&self, slot: u16) -> u8 {
        self.owners[usize::from(slot)]
    }

    /// A node carries a command out, or says who can. `slot` is the key's, which the sender has worked out already.
    pub(super) fn apply(
        &mut self,
        shard: u8,
        slot: u16,
        key: &Key,
        command: Command,
        now: Instant,
    ) -> (Answer, Option<Change>) {
        let owner = self.owner(slot);
        if owner == shard {
            self.masters[usize::from(shard)].apply(key, command, now)
        } else {
            (Answer::Moved(owner), None)
        }
    }

    /// A replica takes over what its master changed.
    pub(super) fn replay(&mut self, shard: u8, key: &Key, change: Change) {
        self.replicas[usize::from(shard)].replay(key, change);
    }

    /// Gives a slot to another shard, with its keys, as resharding does: whoever still asks the old owner is told
    /// MOVED.
    pub(super) fn give(&mut self, slot: u16, shard: u8) {
        let from = usize::from(self.owner(slot));
        for nodes in [&mut self.masters, &mut self.replicas] {
            let moving = nodes[from].0.extract_if(.., |key, _| self::slot(key.as_str()) == slot);
            let moving: Vec<_> = moving.collect();
            nodes[usize::from(shard)].0.extend(moving);
        }
        self.owners[usize::from(slot)] = shard;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Stamp, Value, Version};

    const MINUTE: Duration = Duration::from_mins(1);

    fn entry(version: u64) -> Entry {
        let stamp = Stamp { version: Version(version), as_of: Instant(0) };
        Entry { value: Some(Value::new(version.to_string())), stamp }
    }

    fn key() -> Key {
        Key::new("product:1")
    }

    #[test]
    fn a_node_that_does_not_own_the_slot_says_moved() {
        let mut cluster = Cluster::new(3);
        let slot = slot(key().as_str());
        let owner = cluster.owner(slot);
        let other = (owner + 1) % 3;
        let (answer, change) = cluster.apply(other, slot, &key(), Command::Get, Instant(0));
        assert_eq!(answer, Answer::Moved(owner));
        assert!(change.is_none());
        cluster.give(slot, other);
        assert_eq!(cluster.apply(owner, slot, &key(), Command::Get, Instant(0)).0, Answer::Moved(other));
    }

    #[test]
    fn a_write_voids_a_lease_and_a_late_fill_is_refused() {
        let mut node = Node::default();
        let lease = Token(7);
        assert_eq!(node.apply(&key(), Command::Lease(lease, MINUTE), Instant(0)).0, Answer::Granted);
        assert_eq!(node.apply(&key(), Command::Lease(Token(8), MINUTE), Instant(1)).0, Answer::Held);
        node.apply(&key(), Command::Delete, Instant(2));
        assert_eq!(node.apply(&key(), Command::Fill(lease, entry(1), MINUTE), Instant(3)).0, Answer::Refused);
        assert_eq!(node.apply(&key(), Command::Get, Instant(4)).0, Answer::Nothing);
    }

    #[test]
    fn an_older_version_is_refused_and_an_expired_one_is_nothing() {
        let mut node = Node::default();
        node.apply(&key(), Command::Set(entry(2), MINUTE), Instant(0));
        assert_eq!(node.apply(&key(), Command::SetIfNewer(entry(1), MINUTE), Instant(1)).0, Answer::Refused);
        assert_eq!(node.apply(&key(), Command::Get, Instant(2)).0, Answer::Found(entry(2)));
        let later = Instant(0).after(MINUTE);
        assert_eq!(node.apply(&key(), Command::Get, later).0, Answer::Nothing);
        assert_eq!(node.apply(&key(), Command::SetIfNewer(entry(1), MINUTE), later).0, Answer::Done);
    }

    #[test]
    fn only_its_owner_frees_a_lock() {
        let mut node = Node::default();
        assert_eq!(node.apply(&key(), Command::Lock(Token(1), MINUTE), Instant(0)).0, Answer::Granted);
        assert_eq!(node.apply(&key(), Command::Lock(Token(2), MINUTE), Instant(1)).0, Answer::Held);
        assert_eq!(node.apply(&key(), Command::Unlock(Token(2)), Instant(2)).0, Answer::NotHeld);
        assert_eq!(node.apply(&key(), Command::Unlock(Token(1)), Instant(3)).0, Answer::Released);
        assert_eq!(node.apply(&key(), Command::Lock(Token(2), MINUTE), Instant(4)).0, Answer::Granted);
    }
}
