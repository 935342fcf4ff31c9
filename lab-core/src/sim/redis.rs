//! Redis Cluster: slots over masters, a replica each. What a command does to a key is the command's own matter
//! ([`Command::apply`]).
//!
//! The rules are those of the Redis Cluster specification: a node that does not own a key's slot answers MOVED; a write
//! is acknowledged before the replica has it.

use std::collections::BTreeMap;

use crate::cluster::{SLOTS, shard_of_slot, slot};
use crate::ports::l2::{Change, Command, Reply, Slot};
use crate::value::{Instant, Key};

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Reply(Reply),
    /// The slot belongs to that shard's master.
    Moved(u8),
}

/// The keys of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Node(BTreeMap<Key, Slot>);

impl Node {
    /// Carries a command out and says what it changed.
    pub(super) fn apply(&mut self, key: &Key, command: &Command, now: Instant) -> (Reply, Option<Change>) {
        let mut fresh = Slot::default();
        let slot = self.0.get_mut(key).unwrap_or(&mut fresh);
        let reply = command.apply(slot, now);
        let change = slot.take_change();
        if !fresh.is_empty() {
            self.0.insert(key.clone(), fresh);
        }
        (reply, change)
    }

    /// Takes over what a master changed.
    pub(super) fn replay(&mut self, key: &Key, change: Change) {
        self.0.entry(key.clone()).or_default().replay(change);
    }
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
        command: &Command,
        now: Instant,
    ) -> (Answer, Option<Change>) {
        let owner = self.owner(slot);
        if owner == shard {
            let (reply, change) = self.masters[usize::from(shard)].apply(key, command, now);
            (Answer::Reply(reply), change)
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
    use crate::ports::l2::Get;

    fn key() -> Key {
        Key::new("product:1")
    }

    #[test]
    fn a_node_that_does_not_own_the_slot_says_moved() {
        let mut cluster = Cluster::new(3);
        let slot = slot(key().as_str());
        let owner = cluster.owner(slot);
        let other = (owner + 1) % 3;
        let (answer, change) = cluster.apply(other, slot, &key(), &Get.into(), Instant(0));
        assert_eq!(answer, Answer::Moved(owner));
        assert!(change.is_none());
        cluster.give(slot, other);
        assert_eq!(cluster.apply(owner, slot, &key(), &Get.into(), Instant(0)).0, Answer::Moved(other));
    }
}
