//! How a Redis Cluster goes on when one of its nodes falls silent: the others notice, its replica is elected, and whoever
//! comes back follows. The times are those that real clusters took (Redis 7.0, `cluster-node-timeout` of a second).
//!
//! What the nodes tell one another is not sent: who is silent to all, because he is dead or stands still, is noticed after the
//! node timeout, and a fault on a link between two nodes is noticed by nobody.

use std::time::Duration;

use super::connections::{Connection, Purpose, Way};
use super::{Envelope, Number, Parcel, State, What};
use crate::cluster::{Actor, Role};
use crate::ports::l2::{Content, Slot};
use crate::sim::redis::{Keys, shard_of};
use crate::trace::{EventId, Kind, Note, Verb};
use crate::value::{Instant, Key};
use crate::world::deadline::NODE_TIMEOUT;

/// A second look, a report of the majority: so long after the node timeout everybody calls a silent master failed, in
/// nanoseconds.
const NOTICED_NS: (u64, u64) = (100_000_000, 800_000_000);
/// A replica waits so long before it asks for votes, and has them then: half a second and as much again at most, and the
/// nodes' own tick.
const ELECTED_NS: (u64, u64) = (520_000_000, 1_100_000_000);
/// A replica that could not be elected tries again after so long.
const ELECT_AGAIN: Duration = Duration::from_secs(1);
/// A node that was born hears from the others after so long, and one that stood still; that one takes up before what has
/// reached its connections.
const HEARD_BORN_NS: (u64, u64) = (10_000_000, 60_000_000);
const HEARD_RESUMED_NS: (u64, u64) = (1_000_000, 10_000_000);
/// A replica looks for its master once a second.
const FOLLOWS_NS: (u64, u64) = (20_000_000, 1_000_000_000);
/// A master that is born takes nothing for so long, lest it lead a shard that has another master by now
/// (`CLUSTER_WRITABLE_DELAY`).
const WRITABLE_AFTER: Duration = Duration::from_secs(2);
/// A failed master whose place nobody has taken counts as well again after so many node timeouts.
const FORGIVEN_AFTER: u32 = 2;

/// What a cluster does by itself when the time for it has come.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// The shard's leader is called failed, unless something has happened to it since that turn.
    Fails(u8, u32),
    /// The shard's replica is elected, if its leader still counts as failed since then.
    Elects(u8, Instant),
    /// The shard's leader, failed since then, counts as well again.
    Forgives(u8, Instant),
    /// The node learns that another leads its shard.
    Deposes(Actor),
    /// The shard's replica is sent all that its master holds.
    Follows(u8),
}

impl State {
    fn later(&mut self, (least, most): (u64, u64)) -> Instant {
        self.now.after(Duration::from_nanos(self.service.between(least, most)))
    }

    /// A Redis node does nothing from now on: it died, or stands still.
    pub(super) fn fell_silent(&mut self, node: Actor) {
        let Some(shard) = shard_of(node) else { return };
        self.touch();
        if self.redis.leads(node) {
            let turn = self.redis.turn(shard);
            let at = self.later(NOTICED_NS).after(NODE_TIMEOUT);
            self.schedule(at, What::Step(Step::Fails(shard, turn)));
        }
    }

    /// A Redis node goes on; where it was born again, with nothing in memory.
    pub(super) fn is_heard(&mut self, node: Actor, is_born: bool) {
        let Some(shard) = shard_of(node) else { return };
        self.touch();
        if is_born && self.redis.role(node) == Role::Master {
            self.redis.delay(node, self.now.after(WRITABLE_AFTER));
        }
        if self.redis.leads(node) {
            self.redis.turn(shard);
            if let Some(since) = self.redis.failed(shard) {
                let at = since.after(FORGIVEN_AFTER * NODE_TIMEOUT).max(self.now);
                self.schedule(at, What::Step(Step::Forgives(shard, since)));
            }
        } else if self.redis.role(node) == Role::Master {
            let at = self.later(if is_born { HEARD_BORN_NS } else { HEARD_RESUMED_NS });
            self.schedule(at, What::Step(Step::Deposes(node)));
        }
        if is_born {
            let at = self.later(FOLLOWS_NS);
            self.schedule(at, What::Step(Step::Follows(shard)));
        }
    }

    /// From now on it matters which node does what.
    pub(super) fn touch(&mut self) {
        if self.redis.is_touched() {
            return;
        }
        self.redis.touch();
        for shard in self.shards_with_replica() {
            let (replica, master) = (Actor::RedisReplica(shard), Actor::RedisMaster(shard));
            self.connections.only(replica, master, Purpose::Replication);
        }
    }

    /// The time for a step has come.
    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Fails(shard, turn) if self.redis.turns(shard) == turn => self.fails(shard),
            Step::Elects(shard, since) if self.redis.failed(shard) == Some(since) => self.elects(shard),
            Step::Forgives(shard, since) if self.redis.failed(shard) == Some(since) => {
                if !self.is_silent(self.redis.leader(shard)) {
                    self.redis.fail(shard, None);
                }
            }
            Step::Deposes(node) => self.deposes(node),
            Step::Follows(shard) => self.follows(shard),
            Step::Fails(..) | Step::Elects(..) | Step::Forgives(..) => {}
        }
    }

    fn fails(&mut self, shard: u8) {
        let since = self.now;
        self.redis.fail(shard, Some(since));
        if self.has_replica(shard) {
            let at = self.later(ELECTED_NS);
            self.schedule(at, What::Step(Step::Elects(shard, since)));
        }
    }

    /// The replica leads with what it has replayed by now, if the masters that are left are a majority to vote for it.
    fn elects(&mut self, shard: u8) {
        let (before, elected) = (self.redis.leader(shard), self.redis.follower(shard));
        let masters = self.topology.masters();
        let voters = (0..masters).filter(|shard| !self.is_silent(self.redis.leader(*shard))).count();
        let is_electable = !self.is_silent(elected) && self.redis.role(elected) == Role::Replica;
        if !is_electable || voters <= usize::from(masters) / 2 {
            let since = self.redis.failed(shard).unwrap_or(self.now);
            self.schedule(self.now.after(ELECT_AGAIN), What::Step(Step::Elects(shard, since)));
            return;
        }
        self.redis.promote(shard);
        self.end_replication(shard);
        self.note(elected, Note::new(Kind::RoleChanged { role: Role::Master }).operation(None).cause(None));
        if !self.is_silent(before) {
            let at = self.later(HEARD_BORN_NS);
            self.schedule(at, What::Step(Step::Deposes(before)));
        }
    }

    fn deposes(&mut self, node: Actor) {
        let is_news = self.redis.role(node) == Role::Master && !self.redis.leads(node);
        if !is_news || self.is_silent(node) {
            return;
        }
        self.redis.demote(node);
        self.note(node, Note::new(Kind::RoleChanged { role: Role::Replica }).operation(None).cause(None));
        if let Some(shard) = shard_of(node) {
            self.follows(shard);
        }
    }

    /// A replica asks its master for all that it holds: after that, and in its order, comes what the master changes.
    fn follows(&mut self, shard: u8) {
        let (master, replica) = (self.redis.leader(shard), self.redis.follower(shard));
        let is_replica = self.has_replica(shard) && self.redis.role(replica) == Role::Replica;
        if !is_replica || [master, replica].iter().any(|node| self.ledger.is_dead(*node)) {
            return;
        }
        if self.ledger.is_paused(master) || self.ledger.is_paused(replica) {
            let at = self.later(FOLLOWS_NS);
            return self.schedule(at, What::Step(Step::Follows(shard)));
        }
        self.end_replication(shard);
        let connection = self.connections.only(replica, master, Purpose::Replication);
        let all = Box::new(self.redis.keys(master).clone());
        self.send(Envelope::of_copy((master, replica), connection, Parcel::Copy(all)));
    }

    fn end_replication(&mut self, shard: u8) {
        let is_its =
            |open: &Connection| open.purpose == Purpose::Replication && shard_of(open.opener) == Some(shard);
        for connection in self.connections.numbers(is_its) {
            self.close(connection);
        }
    }

    /// The connection over which a master sends what it changed, and to whom; none where nobody follows it.
    pub(super) fn replication(&mut self, shard: u8, master: Actor) -> Option<(Actor, Number)> {
        if !self.redis.is_touched() {
            let replica = Actor::RedisReplica(shard);
            return Some((replica, self.connections.only(replica, master, Purpose::Replication)));
        }
        let replica = self.redis.follower(shard);
        let connection = self.connections.existing(replica, master, Purpose::Replication)?;
        (self.redis.leader(shard) == master).then_some((replica, connection))
    }

    /// Connections between two Redis nodes ended: where a replica followed over them, it opens another.
    pub(super) fn replication_was_reset(&mut self, from: Actor, to: Actor) {
        if let (Some(shard), Some(other)) = (shard_of(from), shard_of(to))
            && shard == other
        {
            let at = self.later(FOLLOWS_NS);
            self.schedule(at, What::Step(Step::Follows(shard)));
        }
    }

    /// A replica holds what its master held when it sent this, and forgets what else it had.
    pub(super) fn replay_copy(&mut self, replica: Actor, cause: Option<EventId>, all: Keys) {
        let new = all.clone();
        let old = self.redis.install(replica, all);
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            self.note_copied(replica, cause, key, None);
        }
        for (key, slot) in &new {
            if old.get(key) != Some(slot) {
                self.note_copied(replica, cause, key, Some(slot));
            }
        }
    }

    fn note_copied(&mut self, replica: Actor, cause: Option<EventId>, key: &Key, slot: Option<&Slot>) {
        let held = slot.and_then(|slot| slot.live(self.now));
        let (verb, entry) = match held {
            Some(Content::Value(entry)) => (Verb::Set, Some(entry)),
            Some(Content::Token(_)) => return,
            None => (Verb::Delete, None),
        };
        let value = entry.and_then(|entry| entry.value.clone());
        let note = Note::new(Kind::Replayed { verb, value, lsn: None }).key(key);
        let note = note.version(entry.map(|entry| entry.stamp.version));
        self.note(replica, note.cause(cause).operation(None));
    }
}

impl Envelope {
    /// All that a master holds, on its way to its replica.
    fn of_copy((from, to): (Actor, Actor), connection: Number, parcel: Parcel) -> Self {
        let lane = Some((connection, Way::Back));
        Self { from, to, lane, order: 0, call: None, message: None, operation: None, cause: None, parcel }
    }
}
