//! Redis Cluster: slots over masters, a replica each. What a command does to a key is the command's own matter
//! ([`Command::apply`]).
//!
//! The rules are those of the Redis Cluster specification: a node that does not own a key's slot answers MOVED; a write
//! is acknowledged before the replica has it; while a shard has nobody who leads it, every node answers CLUSTERDOWN
//! (`cluster-require-full-coverage`). Who notices what when is the kernel's matter (`kernel::failover`).

use std::collections::BTreeMap;

use crate::cluster::{Actor, Role, SLOTS, shard_of_slot, slot};
use crate::ports::l2::{Change, Command, Reply, Slot};
use crate::value::{Instant, Key};

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Reply(Reply),
    /// That node leads the shard that the slot belongs to.
    Moved(Actor),
    /// A shard has nobody who leads it, or the node has only just been born: nothing was done.
    Down,
}

/// What a node holds.
pub(super) type Keys = BTreeMap<Key, Slot>;

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    keys: Keys,
    /// What it believes to be.
    role: Role,
    /// Since it was born it takes nothing before.
    ready: Instant,
}

impl Node {
    fn new(role: Role) -> Self {
        Self { keys: Keys::new(), role, ready: Instant(0) }
    }

    /// Carries a command out and says what it changed.
    fn apply(&mut self, key: &Key, command: &Command, now: Instant) -> (Reply, Option<Change>) {
        let mut fresh = Slot::default();
        let slot = self.keys.get_mut(key).unwrap_or(&mut fresh);
        let reply = command.apply(slot, now);
        let change = slot.take_change();
        if !fresh.is_empty() {
            self.keys.insert(key.clone(), fresh);
        }
        (reply, change)
    }
}

/// Who leads a shard, and whether anybody does.
#[derive(Clone, Debug, Default)]
struct Shard {
    /// The node that began as the replica leads.
    swapped: bool,
    /// Since when its leader counts as failed.
    failed: Option<Instant>,
    /// How often its leader fell silent, was heard again, or was another.
    turns: u32,
}

/// The masters with their replicas, named by the roles that they began with, and who owns which slots.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    masters: Vec<Node>,
    replicas: Vec<Node>,
    shards: Vec<Shard>,
    /// The owner of each slot.
    owners: Vec<u8>,
    /// Whether any node ever fell silent. As long as none did, nobody need look whether one has.
    is_touched: bool,
}

/// The shard of a Redis node.
pub(super) fn shard_of(node: Actor) -> Option<u8> {
    match node {
        Actor::RedisMaster(shard) | Actor::RedisReplica(shard) => Some(shard),
        _ => None,
    }
}

impl Cluster {
    pub(super) fn new(masters: u8) -> Self {
        let nodes = |role| vec![Node::new(role); usize::from(masters)];
        let owners = (0..SLOTS).map(|slot| shard_of_slot(slot, masters)).collect();
        Self {
            masters: nodes(Role::Master),
            replicas: nodes(Role::Replica),
            shards: vec![Shard::default(); usize::from(masters)],
            owners,
            is_touched: false,
        }
    }

    /// The shard that owns a slot.
    pub(super) fn owner(&self, slot: u16) -> u8 {
        self.owners[usize::from(slot)]
    }

    /// A node carries a command out, or says who can. `slot` is the key's, which the sender has worked out already.
    pub(super) fn apply(
        &mut self,
        node: Actor,
        slot: u16,
        key: &Key,
        command: &Command,
        now: Instant,
    ) -> (Answer, Option<Change>) {
        let owner = self.owner(slot);
        if self.is_touched
            && let Some(refusal) = self.refusal(node, owner, now)
        {
            return (refusal, None);
        }
        if shard_of(node) != Some(owner) {
            return (Answer::Moved(self.leader(owner)), None);
        }
        let (reply, change) = self.node_mut(node).apply(key, command, now);
        (Answer::Reply(reply), change)
    }

    /// Why a node does not carry out what is asked of it, where nodes have fallen silent. One that stood still while
    /// another was elected in its place carries out what it finds, until it hears of that.
    fn refusal(&self, node: Actor, owner: u8, now: Instant) -> Option<Answer> {
        let asked = self.node(node);
        let is_unaware =
            asked.role == Role::Master && (self.is_failed(node) || !self.leads(node)) && now >= asked.ready;
        if now < asked.ready || (self.is_down() && !is_unaware) {
            return Some(Answer::Down);
        }
        (asked.role == Role::Replica).then(|| Answer::Moved(self.leader(owner)))
    }

    /// A replica takes over what its master changed.
    pub(super) fn replay(&mut self, node: Actor, key: &Key, change: Change) {
        self.node_mut(node).keys.entry(key.clone()).or_default().replay(change);
    }

    /// The node that leads a shard, or led it last.
    pub(super) fn leader(&self, shard: u8) -> Actor {
        if self.shards[usize::from(shard)].swapped {
            Actor::RedisReplica(shard)
        } else {
            Actor::RedisMaster(shard)
        }
    }

    /// The other node of the shard, whether there is one or not.
    pub(super) fn follower(&self, shard: u8) -> Actor {
        if self.shards[usize::from(shard)].swapped {
            Actor::RedisMaster(shard)
        } else {
            Actor::RedisReplica(shard)
        }
    }

    pub(super) fn leads(&self, node: Actor) -> bool {
        shard_of(node).is_some_and(|shard| self.leader(shard) == node)
    }

    /// Whether it leads a shard and counts as failed.
    fn is_failed(&self, node: Actor) -> bool {
        let failed = shard_of(node).and_then(|shard| self.shards[usize::from(shard)].failed);
        failed.is_some() && self.leads(node)
    }

    /// Whether a shard has nobody who leads it.
    fn is_down(&self) -> bool {
        self.shards.iter().any(|shard| shard.failed.is_some())
    }

    pub(super) fn role(&self, node: Actor) -> Role {
        self.node(node).role
    }

    fn node(&self, node: Actor) -> &Node {
        match node {
            Actor::RedisReplica(shard) => &self.replicas[usize::from(shard)],
            Actor::RedisMaster(shard) => &self.masters[usize::from(shard)],
            other => unreachable!("{other} is no node of a Redis Cluster"),
        }
    }

    fn node_mut(&mut self, node: Actor) -> &mut Node {
        match node {
            Actor::RedisReplica(shard) => &mut self.replicas[usize::from(shard)],
            Actor::RedisMaster(shard) => &mut self.masters[usize::from(shard)],
            other => unreachable!("{other} is no node of a Redis Cluster"),
        }
    }

    /// Whether a node ever fell silent.
    pub(super) fn is_touched(&self) -> bool {
        self.is_touched
    }

    pub(super) fn touch(&mut self) {
        self.is_touched = true;
    }

    /// Something happened to a shard's leader; answers the how-manieth such thing it was.
    pub(super) fn turn(&mut self, shard: u8) -> u32 {
        let turns = &mut self.shards[usize::from(shard)].turns;
        *turns += 1;
        *turns
    }

    pub(super) fn turns(&self, shard: u8) -> u32 {
        self.shards[usize::from(shard)].turns
    }

    /// Since when a shard's leader counts as failed.
    pub(super) fn failed(&self, shard: u8) -> Option<Instant> {
        self.shards[usize::from(shard)].failed
    }

    /// A shard's leader counts as failed since then, or no more.
    pub(super) fn fail(&mut self, shard: u8, since: Option<Instant>) {
        self.shards[usize::from(shard)].failed = since;
    }

    /// A shard's replica leads it from now on.
    pub(super) fn promote(&mut self, shard: u8) {
        let follower = self.follower(shard);
        self.node_mut(follower).role = Role::Master;
        let shard = &mut self.shards[usize::from(shard)];
        (shard.swapped, shard.failed, shard.turns) = (!shard.swapped, None, shard.turns + 1);
    }

    /// A node learns that another leads its shard.
    pub(super) fn demote(&mut self, node: Actor) {
        let node = self.node_mut(node);
        (node.role, node.ready) = (Role::Replica, Instant(0));
    }

    /// A node has nothing in memory any more.
    pub(super) fn wipe(&mut self, node: Actor) {
        self.node_mut(node).keys.clear();
    }

    /// A node that is born takes nothing before this.
    pub(super) fn delay(&mut self, node: Actor, ready: Instant) {
        self.node_mut(node).ready = ready;
    }

    /// All that a node holds.
    pub(super) fn keys(&self, node: Actor) -> &Keys {
        &self.node(node).keys
    }

    /// A node holds this, and nothing else; answers what it held before.
    pub(super) fn install(&mut self, node: Actor, keys: Keys) -> Keys {
        std::mem::replace(&mut self.node_mut(node).keys, keys)
    }

    /// Gives a slot to another shard, with its keys, as resharding does: whoever still asks the old owner is told
    /// MOVED.
    pub(super) fn give(&mut self, slot: u16, shard: u8) {
        let from = usize::from(self.owner(slot));
        for nodes in [&mut self.masters, &mut self.replicas] {
            let moving = nodes[from].keys.extract_if(.., |key, _| self::slot(key.as_str()) == slot);
            let moving: Vec<_> = moving.collect();
            nodes[usize::from(shard)].keys.extend(moving);
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
        let ask = |cluster: &mut Cluster, shard| {
            cluster.apply(Actor::RedisMaster(shard), slot, &key(), &Get.into(), Instant(0))
        };
        assert_eq!(ask(&mut cluster, other), (Answer::Moved(Actor::RedisMaster(owner)), None));
        cluster.give(slot, other);
        assert_eq!(ask(&mut cluster, owner), (Answer::Moved(Actor::RedisMaster(other)), None));
    }
}
