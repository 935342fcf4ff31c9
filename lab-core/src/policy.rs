//! Every protection as a named choice.
//!
//! A [`Policy`] is plain data: it can be shown, switched, sent and stored. The cache reads it and does what it says;
//! the lesson's own code is one such value among others ([`Policy::lesson`]).

mod answers;
mod switch;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use answers::{AnswerRule, Created, HitTest};
pub use switch::Switch;

use crate::consistency::Level;

/// What the servers do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The local cache of each server.
    pub local: Local,
    /// How long an entry lives in L2, in milliseconds.
    pub shared_ttl_ms: u64,
    /// What a write does to the caches, and in which order.
    pub write: WriteRule,
    /// Who reads the database when nobody has the value.
    pub miss: MissRule,
    /// What the caches take for an answer.
    #[serde(default)]
    pub answers: AnswerRule,
    /// What a read promises.
    pub level: Level,
    /// What protects an expensive computation.
    pub compute: ComputeRule,
    /// How a subscriber learns that it missed something.
    pub bus: BusRule,
}

/// The local cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// Entries that it holds at most.
    pub capacity: u32,
    /// How long an entry may be served, in milliseconds.
    pub ttl_ms: u64,
    /// Independently locked parts of the store. A part is evicted from by itself, and which part a key falls into
    /// depends on the platform's word size: with more than one, runs that evict differ between platforms.
    pub shards: u16,
    /// Whether a value is refused when an invalidation came while it was on its way; see also [`Policy::needs_epochs`].
    pub epochs: bool,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteRule {
    /// To L2, after the commit.
    pub shared: SharedWrite,
    /// To the writer's own L1.
    pub local: LocalWrite,
    /// When the invalidation is published.
    pub publish: Publish,
    /// Whether the write returns before or after everybody has forgotten the old value.
    pub acknowledge: Acknowledge,
    /// After how long the key is deleted from L2 and invalidated once more, in milliseconds; 0 = never.
    #[serde(default)]
    pub again_ms: u64,
    /// Whether a committed write is known to whoever can tell the servers in the writer's place.
    #[serde(default, skip_serializing_if = "Outbox::is_none")]
    pub outbox: Outbox,
}

/// What a write does to L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedWrite {
    /// Nothing: the old value stays until its time to live.
    Leave,
    /// Store the new value, whatever is there.
    Set,
    /// Store the new value unless a newer version is there.
    SetIfNewer,
    /// Delete the key.
    Delete,
    /// Store the new value in place of an older one, and nowhere else. An empty slot takes a value only from a read that
    /// took a token there before it asked the database.
    ReplaceOlder,
}

/// What a write does to the writer's own L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalWrite {
    /// Store the new value.
    Set,
    /// Forget the key.
    Drop,
}

/// When a write publishes its invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// Before the database commits.
    BeforeCommit,
    /// After the commit and after L2 was written.
    AfterCommit,
}

/// Whether a write waits for the other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// Fire and forget.
    No,
    /// Until every live member has acknowledged, or its membership lease has run out.
    Members {
        /// How long a membership lease lasts, in milliseconds.
        lease_ms: u64,
        /// How often a member renews it, in milliseconds.
        renew_ms: u64,
        /// After how long an unacknowledged invalidation is published again, in milliseconds.
        again_ms: u64,
    },
}

/// Whether a committed write is known to whoever can tell the servers in the writer's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outbox {
    /// It is not: if the writer dies, or gives the write up before it is committed, nobody is told.
    #[default]
    None,
    /// A write leaves its name in a table, in its own transaction. Any server publishes what lies there for too long, and a
    /// write whose outcome is unknown is looked up there, or forbidden for good.
    Relay {
        /// After how long a write is published in its writer's place, in milliseconds.
        after_ms: u64,
        /// How often a server looks, in milliseconds.
        every_ms: u64,
    },
}

impl Outbox {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What a read does when L1 misses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissRule {
    /// Whether requests of one server share one read.
    pub single_flight: bool,
    /// What keeps the servers from reading the database all at once.
    pub fleet: Fleet,
    /// Whether a fill publishes an invalidation, as the lesson's `set` does.
    pub publish_fill: bool,
}

/// What keeps the servers from reading the database all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fleet {
    /// Nothing.
    None,
    /// A lease in the value's own slot: one server fills, the others are woken.
    Lease {
        /// After how long the lease is void, in milliseconds.
        ttl_ms: u64,
        /// The longest wait for the holder before asking again, in milliseconds.
        wait_ms: u64,
        /// After how long a reader gives up waiting and reads the database without caching, in milliseconds.
        deadline_ms: u64,
    },
}

/// What protects an expensive computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComputeRule {
    /// Nothing: whoever misses computes.
    Unprotected,
    /// Whoever misses takes a lock over the fleet; the others wait.
    Lock(LockRule),
}

/// How the lock over an expensive computation is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockRule {
    /// After how long a lock is void, in milliseconds (the lesson's `lockTimeout`).
    pub ttl_ms: u64,
    /// How those wait who did not get it.
    pub wait: LockWait,
    /// Whether the caches are read again after a wait and after the lock was got.
    pub recheck: bool,
    /// After how long a waiter gives up with an error, in milliseconds.
    pub deadline_ms: u64,
}

/// How a request waits for somebody else's computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockWait {
    /// Try again every so often (the lesson's `lockRetry`).
    Retry {
        /// Milliseconds between tries.
        every_ms: u64,
    },
    /// Sleep until the holder's notice, or until this long has passed.
    Push {
        /// Milliseconds after which to try again without a notice.
        at_most_ms: u64,
    },
    /// Wait once, then compute without the lock if the value is still missing.
    Once {
        /// Milliseconds.
        for_ms: u64,
    },
}

/// How a subscriber learns that it missed something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusRule {
    /// Whether L1 is emptied when a notice's sequence number shows a hole; see also [`Policy::needs_gaps`].
    pub gaps: bool,
    /// How often a server publishes a sign of life with its last sequence number, in milliseconds; 0 = never, unless
    /// something else rests on it ([`Policy::beat`]).
    pub beat_ms: u64,
    /// After how long without any notice L1 is not served, in milliseconds; 0 = never, unless something else
    /// rests on it ([`Policy::silence_limit`]).
    pub silence_ms: u64,
}

/// Between two signs of life, where the policy does not say it.
const BEAT_MS: u64 = 100;
/// How long a bus may be silent before it is taken for dead, where the policy does not say it.
const SILENCE_MS: u64 = 500;
const DAY_MS: u64 = 86_400_000;
/// A wait shorter than this would melt the machine that the servers run on, instead of the simulated one.
const PAUSE_MIN_MS: u64 = 5;

/// A policy that no server can live with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A number is out of its bounds.
    #[error("{what} must be between {min} and {max}, not {value}")]
    OutOfBounds {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: u64,
        /// The least that it may be.
        min: u64,
        /// The most that it may be.
        max: u64,
    },
    /// Two choices that do not go together.
    #[error("{one} does not go with {other}: {why}")]
    Contradiction {
        /// A choice.
        one: &'static str,
        /// Another.
        other: &'static str,
        /// What would happen.
        why: &'static str,
    },
}

impl Policy {
    /// The lesson's code: L1 for 60 s, L2 for 3600 s, an update that writes the database, L2 and its own L1 and then
    /// publishes, fire and forget; and no lock, which is its second step. Its `set` also publishes each *fill*
    /// ([`MissRule::publish_fill`]); that fault is told by itself and is off here.
    pub fn lesson() -> Self {
        Self {
            local: Local { capacity: 10_000, shards: 1, ttl_ms: 60_000, epochs: false },
            shared_ttl_ms: 3_600_000,
            write: WriteRule {
                shared: SharedWrite::Set,
                local: LocalWrite::Set,
                publish: Publish::AfterCommit,
                acknowledge: Acknowledge::No,
                again_ms: 0,
                outbox: Outbox::None,
            },
            miss: MissRule { single_flight: false, fleet: Fleet::None, publish_fill: false },
            answers: AnswerRule::default(),
            level: Level::Eventual,
            compute: ComputeRule::Unprotected,
            bus: BusRule { gaps: false, beat_ms: 0, silence_ms: 0 },
        }
    }

    /// The lesson's first listing: database, own L1, publish; L2 keeps the old value.
    pub fn lesson_first_listing() -> Self {
        Self::lesson().with(Switch::WriteShared, false)
    }

    /// Cache-aside as it is most often written: a write deletes the key from L2 and from its own L1, then publishes.
    pub fn cache_aside() -> Self {
        let mut policy = Self::lesson();
        policy.write.shared = SharedWrite::Delete;
        policy.write.local = LocalWrite::Drop;
        policy
    }

    /// The lesson's `if (value)`, which the caches ask before they answer; told by itself, and off in [`Policy::lesson`].
    pub fn lesson_truthy() -> Self {
        let answers =
            AnswerRule { hit: HitTest::Truthy, absent_ttl_ms: 5_000, created: Created::Invalidates };
        Self { answers, ..Self::lesson() }
    }

    /// Whether every number of it is one that a server can live with: a policy may come from a link or a request.
    ///
    /// # Errors
    /// The first number that is out of bounds, or else the first two choices that contradict each other.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let within = |what: &'static str, value: u64, min: u64, max: u64| {
            let fits = (min..=max).contains(&value);
            if fits { Ok(()) } else { Err(PolicyError::OutOfBounds { what, value, min, max }) }
        };
        within("local.capacity", self.local.capacity.into(), 16, 1_000_000)?;
        within("local.shards", self.local.shards.into(), 1, 64)?;
        within("local.ttl_ms", self.local.ttl_ms, 1, DAY_MS)?;
        within("shared_ttl_ms", self.shared_ttl_ms, 1, DAY_MS)?;
        within("answers.absent_ttl_ms", self.answers.absent_ttl_ms, 1, DAY_MS)?;
        within("write.again_ms", self.write.again_ms, 0, 60_000)?;
        if let Acknowledge::Members { lease_ms, renew_ms, again_ms } = self.write.acknowledge {
            within("write.acknowledge.lease_ms", lease_ms, 500, 60_000)?;
            within("write.acknowledge.renew_ms", renew_ms, 50, lease_ms / 2)?;
            within("write.acknowledge.again_ms", again_ms, 10, 60_000)?;
        }
        if let Outbox::Relay { after_ms, every_ms } = self.write.outbox {
            within("write.outbox.after_ms", after_ms, 100, 600_000)?;
            within("write.outbox.every_ms", every_ms, 100, 600_000)?;
        }
        if let Fleet::Lease { ttl_ms, wait_ms, deadline_ms } = self.miss.fleet {
            within("miss.fleet.ttl_ms", ttl_ms, 1, 60_000)?;
            within("miss.fleet.wait_ms", wait_ms, PAUSE_MIN_MS, 60_000)?;
            within("miss.fleet.deadline_ms", deadline_ms, 1, 60_000)?;
        }
        if let ComputeRule::Lock(LockRule { ttl_ms, wait, deadline_ms, .. }) = self.compute {
            within("compute.lock.ttl_ms", ttl_ms, 1, 60_000)?;
            within("compute.lock.deadline_ms", deadline_ms, 1, 120_000)?;
            let (LockWait::Retry { every_ms: wait_ms }
            | LockWait::Push { at_most_ms: wait_ms }
            | LockWait::Once { for_ms: wait_ms }) = wait;
            within("compute.lock.wait", wait_ms, PAUSE_MIN_MS, 60_000)?;
        }
        if self.bus.beat_ms > 0 {
            within("bus.beat_ms", self.bus.beat_ms, 10, 60_000)?;
        }
        if self.bus.silence_ms > 0 {
            within("bus.silence_ms", self.bus.silence_ms, 20, 600_000)?;
        }
        if let Level::Bounded { within_ms } = self.level {
            within("level.bounded.within_ms", within_ms, 1, DAY_MS)?;
        }
        self.contradiction().map_or(Ok(()), Err)
    }

    /// Two choices that are fine by themselves and not together.
    fn contradiction(&self) -> Option<PolicyError> {
        let acknowledged = self.write.acknowledge != Acknowledge::No;
        let pairs = [
            (
                kept!("contradiction.too-early")
                    && acknowledged
                    && self.write.publish == Publish::BeforeCommit,
                ("write.acknowledge", "write.publish = before-commit"),
                "everybody would confirm to have forgotten the old row while it is still the newest",
            ),
            (
                self.beat()
                    .zip(self.silence_limit())
                    .is_some_and(|(beat, limit)| limit <= beat && kept!("contradiction.always-missed")),
                ("bus.silence_ms", "bus.beat_ms that is as long or longer"),
                "every server would be taken for silent between two of its signs of life",
            ),
        ];
        let found = pairs.into_iter().find(|(contradicts, ..)| *contradicts);
        found.map(|(_, (one, other), why)| PolicyError::Contradiction { one, other, why })
    }

    /// Whether L1 refuses what was on its way while an invalidation came: where the policy says so, and where something else
    /// rests on it.
    pub fn needs_epochs(&self) -> bool {
        self.local.epochs
            || (kept!("epochs.acknowledged") && self.write.acknowledge != Acknowledge::No)
            || (kept!("epochs.leased") && self.miss.fleet != Fleet::None)
    }

    /// Whether a hole in the notices empties L1: where the policy says so, and where something else rests on it.
    pub fn needs_gaps(&self) -> bool {
        self.bus.gaps || (kept!("gaps.acknowledged") && self.write.acknowledge != Acknowledge::No)
    }

    /// What a write does to L2: as the policy says; but where writes are acknowledged, no write that stores puts its value
    /// over a newer one.
    pub fn shared_write(&self) -> SharedWrite {
        let acknowledged = kept!("guarded.acknowledged") && self.write.acknowledge != Acknowledge::No;
        match self.write.shared {
            SharedWrite::Set if acknowledged => SharedWrite::ReplaceOlder,
            as_it_is => as_it_is,
        }
    }

    /// How often a server publishes a sign of life: as the policy says, and ten times a second where it says nothing and
    /// writes are acknowledged.
    pub fn beat(&self) -> Option<Duration> {
        self.rests_on(self.bus.beat_ms, BEAT_MS)
    }

    /// After how long without any notice L1 is not served: as the policy says, and half a second where it says nothing and
    /// writes are acknowledged. A server that hears nothing would stay a member, and each write would wait for it.
    pub fn silence_limit(&self) -> Option<Duration> {
        self.rests_on(self.bus.silence_ms, SILENCE_MS)
    }

    /// A time that acknowledged invalidation cannot do without.
    fn rests_on(&self, said_ms: u64, else_ms: u64) -> Option<Duration> {
        let acknowledged = kept!("hearing.acknowledged") && self.write.acknowledge != Acknowledge::No;
        let ms = if said_ms == 0 && acknowledged { else_ms } else { said_ms };
        (ms > 0).then(|| Duration::from_millis(ms))
    }

    /// This policy with one switch turned.
    #[must_use]
    pub fn with(mut self, switch: Switch, on: bool) -> Self {
        switch.set(&mut self, on);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused_by_its_names() {
        let acknowledged = Policy::lesson().with(Switch::AcknowledgedInvalidation, true);
        let changed = |change: fn(&mut Policy)| {
            let mut policy = acknowledged.clone();
            change(&mut policy);
            policy.validate().map_err(|error| error.to_string())
        };
        assert_eq!(changed(|_| ()), Ok(()));
        for (change, names) in [
            (
                (|policy| policy.write.publish = Publish::BeforeCommit) as fn(&mut Policy),
                ["write.acknowledge", "write.publish"],
            ),
            (|policy| policy.bus.silence_ms = 100, ["bus.silence_ms", "bus.beat_ms"]),
            (|policy| policy.bus.beat_ms = 500, ["bus.silence_ms", "bus.beat_ms"]),
        ] {
            let refused = changed(change).expect_err("they contradict each other");
            assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
        }
    }
}
