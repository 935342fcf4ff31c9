//! Redis Cluster: 16384 slots over masters, a replica each, and the commands that the cache uses.
//!
//! The rules are those of the Redis Cluster specification: a key's slot is CRC16 of its hash tag modulo 16384; a
//! node that does not own the slot answers MOVED; a write is acknowledged before the replica has it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::value::{Entry, Instant, Key, Token};

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: CRC16 (XMODEM) of the part between the first `{` and the next `}`, if there is one and it is
/// not empty, else of the whole key. (Redis Cluster specification, "Hash tags".)
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

/// The shard, counted from 0, that owns a slot when so many masters share all slots in equal ranges.
pub fn shard_of_slot(slot: u16, masters: u8) -> u8 {
    (0..masters).find(|shard| slot <= range(*shard, masters).1).unwrap_or(masters - 1)
}

/// The first and the last slot of a shard, rounded as `redis-cli --cluster create` does: 0–5460, 5461–10922 and
/// 10923–16383 for three masters.
pub fn range(shard: u8, masters: u8) -> (u16, u16) {
    let last = |shard: u8| {
        let (ordinal, masters) = (u32::from(shard) + 1, u32::from(masters));
        let last = (2 * ordinal * u32::from(SLOTS) - masters) / (2 * masters);
        u16::try_from(last).expect("a slot is below 16384")
    };
    (if shard == 0 { 0 } else { last(shard - 1) + 1 }, last(shard))
}

/// CRC16 (XMODEM) of every byte value, so that a key costs one look-up a byte.
const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

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

    /// The specification's own example, and the slots that a real Redis 7 prints for `CLUSTER KEYSLOT`.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot("item:42"), 7184);
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
    }

    #[test]
    fn three_masters_share_the_slots_as_redis_cli_does() {
        assert_eq!([range(0, 3), range(1, 3), range(2, 3)], [(0, 5460), (5461, 10922), (10923, 16383)]);
        assert_eq!([5460, 5461, 10922, 10923].map(|slot| shard_of_slot(slot, 3)), [0, 1, 1, 2]);
    }

    #[test]
    fn every_slot_has_one_owner() {
        for masters in 1..=12 {
            for shard in 0..masters {
                let (first, last) = range(shard, masters);
                assert_eq!(shard_of_slot(first, masters), shard);
                assert_eq!(shard_of_slot(last, masters), shard);
            }
        }
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
