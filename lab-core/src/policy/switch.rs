//! The switches of the Policy panel: each one changes one protection, and looks like any other, right or wrong.

use serde::{Deserialize, Serialize};

use super::{
    Acknowledge, BEAT_MS, ComputeRule, Created, Fleet, HitTest, LockRule, LockWait, Outbox, Policy, Publish,
    SILENCE_MS, SharedWrite,
};
use crate::consistency::Level;

/// One protection that a learner can turn on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A write stores the new value in L2.
    WriteShared,
    /// A write returns when every live server has forgotten the old value.
    AcknowledgedInvalidation,
    /// Every read asks the primary.
    StrongReads,
    /// A read is never below what its own session wrote or read.
    SessionReads,
    /// L1 keeps entries for one second instead of a minute.
    ShortLocalTtl,
    /// The invalidation is published before the commit.
    PublishBeforeCommit,
    /// Requests of one server share one read.
    SingleFlight,
    /// One server of the fleet fills; the others are woken.
    FleetLease,
    /// The lease is void after 20 ms.
    ShortLease,
    /// A lock over the fleet around the computation.
    Lock,
    /// The caches are read once more after the lock was got.
    RecheckAfterLock,
    /// Waiters are woken by the holder instead of trying every 100 ms.
    PushWaiters,
    /// Waiters wait once for half a second, then compute themselves.
    FixedWait,
    /// A zero, an empty text and `false` are hits.
    ZeroIsAnswer,
    /// "There is no such row" is a hit.
    AbsentIsAnswer,
    /// A write that creates a row invalidates as any other does.
    CreateInvalidates,
    /// An empty slot takes a value only from a read whose token is still in it, and L1 only if no invalidation came.
    GuardedFills,
    /// Who stores compares its version with the stored one.
    CompareVersions,
    /// A write deletes the key once more after a pause.
    DeleteTwice,
    /// A committed write that its writer did not publish is published by another server.
    Outbox,
    /// Notices are numbered, and a hole in the numbers empties L1.
    SequenceNumbers,
    /// Each server publishes its last number ten times a second.
    Heartbeats,
    /// L1 is not served after half a second without any notice.
    SilenceLimit,
}

const LEASE: Fleet = Fleet::Lease { ttl_ms: 2_000, wait_ms: 500, deadline_ms: 10_000 };
const SHORT_LEASE: Fleet = Fleet::Lease { ttl_ms: 20, wait_ms: 20, deadline_ms: 10_000 };
const ACKNOWLEDGED: Acknowledge = Acknowledge::Members { lease_ms: 2_000, renew_ms: 500, again_ms: 200 };
/// The pause between two deletions.
const PAUSE_MS: u64 = 200;
const OUTBOX: Outbox = Outbox::Relay { after_ms: 3_000, every_ms: 1_000 };
const LOCK: LockRule =
    LockRule { ttl_ms: 5_000, wait: LockWait::Retry { every_ms: 100 }, recheck: true, deadline_ms: 20_000 };

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 23] = [
        Self::WriteShared,
        Self::AcknowledgedInvalidation,
        Self::StrongReads,
        Self::SessionReads,
        Self::ShortLocalTtl,
        Self::PublishBeforeCommit,
        Self::SingleFlight,
        Self::FleetLease,
        Self::ShortLease,
        Self::Lock,
        Self::RecheckAfterLock,
        Self::PushWaiters,
        Self::FixedWait,
        Self::ZeroIsAnswer,
        Self::AbsentIsAnswer,
        Self::CreateInvalidates,
        Self::GuardedFills,
        Self::CompareVersions,
        Self::DeleteTwice,
        Self::Outbox,
        Self::SequenceNumbers,
        Self::Heartbeats,
        Self::SilenceLimit,
    ];

    /// Whether it is on in `policy`.
    pub fn is_on(self, policy: &Policy) -> bool {
        let lock =
            |test: fn(&LockRule) -> bool| matches!(&policy.compute, ComputeRule::Lock(rule) if test(rule));
        match self {
            Self::WriteShared => policy.write.shared != SharedWrite::Leave,
            Self::AcknowledgedInvalidation => policy.write.acknowledge != Acknowledge::No,
            Self::StrongReads => policy.level == Level::Strong,
            Self::SessionReads => policy.level == Level::Session,
            Self::ShortLocalTtl => policy.local.ttl_ms <= 1_000,
            Self::PublishBeforeCommit => policy.write.publish == Publish::BeforeCommit,
            Self::SingleFlight => policy.miss.single_flight,
            Self::FleetLease => policy.miss.fleet != Fleet::None,
            Self::ShortLease => policy.miss.fleet == SHORT_LEASE,
            Self::Lock => lock(|_| true),
            Self::RecheckAfterLock => lock(|rule| rule.recheck),
            Self::PushWaiters => lock(|rule| matches!(rule.wait, LockWait::Push { .. })),
            Self::FixedWait => lock(|rule| matches!(rule.wait, LockWait::Once { .. })),
            Self::ZeroIsAnswer => policy.answers.hit != HitTest::Truthy,
            Self::AbsentIsAnswer => policy.answers.hit == HitTest::Known,
            Self::CreateInvalidates => policy.answers.created == Created::Invalidates,
            Self::GuardedFills => policy.write.shared == SharedWrite::ReplaceOlder && policy.local.epochs,
            Self::CompareVersions => policy.write.shared == SharedWrite::SetIfNewer,
            Self::DeleteTwice => policy.write.again_ms > 0,
            Self::Outbox => policy.write.outbox != Outbox::None,
            Self::SequenceNumbers => policy.bus.gaps,
            Self::Heartbeats => policy.bus.beat_ms > 0,
            Self::SilenceLimit => policy.bus.silence_ms > 0,
        }
    }

    /// Turns it on or off; nothing changes if it is so already. A switch that needs another one turns that on as well
    /// (a short lease is a lease); one that excludes another turns that off (a read has one level). What acknowledged
    /// invalidation rests on is not turned on with it, but derived where it is asked ([`Policy::shared_write`],
    /// [`Policy::beat`], [`Policy::silence_limit`], [`Policy::needs_epochs`], [`Policy::needs_gaps`]): no other switch can
    /// take it away.
    pub fn set(self, policy: &mut Policy, on: bool) {
        if self.is_on(policy) == on {
            return;
        }
        match self {
            Self::WriteShared => {
                policy.write.shared = if on { SharedWrite::Set } else { SharedWrite::Leave };
            }
            Self::AcknowledgedInvalidation => {
                policy.write.acknowledge = if on { ACKNOWLEDGED } else { Acknowledge::No };
                if on {
                    // Who publishes before the commit has nothing to wait for: the old row is still there.
                    policy.write.publish = Publish::AfterCommit;
                }
            }
            Self::StrongReads => policy.level = if on { Level::Strong } else { Level::Eventual },
            Self::SessionReads => policy.level = if on { Level::Session } else { Level::Eventual },
            Self::ShortLocalTtl => policy.local.ttl_ms = if on { 1_000 } else { 60_000 },
            Self::PublishBeforeCommit => {
                policy.write.publish = if on { Publish::BeforeCommit } else { Publish::AfterCommit };
                if on {
                    policy.write.acknowledge = Acknowledge::No;
                }
            }
            Self::SingleFlight => policy.miss.single_flight = on,
            Self::FleetLease => {
                policy.miss.fleet = if on { LEASE } else { Fleet::None };
                policy.miss.single_flight |= on;
            }
            Self::ShortLease => {
                policy.miss.fleet = if on { SHORT_LEASE } else { LEASE };
                policy.miss.single_flight |= on;
            }
            Self::Lock => {
                policy.compute = if on { ComputeRule::Lock(LOCK) } else { ComputeRule::Unprotected };
            }
            Self::RecheckAfterLock => Self::lock(policy).recheck = on,
            Self::PushWaiters => {
                Self::lock(policy).wait = if on { LockWait::Push { at_most_ms: 1_000 } } else { LOCK.wait };
            }
            Self::FixedWait => {
                Self::lock(policy).wait = if on { LockWait::Once { for_ms: 500 } } else { LOCK.wait };
            }
            Self::ZeroIsAnswer => policy.answers.hit = if on { HitTest::NotNull } else { HitTest::Truthy },
            Self::AbsentIsAnswer => policy.answers.hit = if on { HitTest::Known } else { HitTest::NotNull },
            Self::CreateInvalidates => {
                policy.answers.created = if on { Created::Invalidates } else { Created::LeavesCaches };
            }
            Self::GuardedFills => Self::fills(policy, on, SharedWrite::ReplaceOlder),
            Self::CompareVersions => Self::fills(policy, on, SharedWrite::SetIfNewer),
            Self::DeleteTwice => policy.write.again_ms = if on { PAUSE_MS } else { 0 },
            Self::Outbox => policy.write.outbox = if on { OUTBOX } else { Outbox::None },
            Self::SequenceNumbers => policy.bus.gaps = on,
            Self::Heartbeats | Self::SilenceLimit => self.listen(policy, on),
        }
    }

    /// Heartbeats, and the limit that rests on them: without any, an idle bus would be taken for a dead one.
    fn listen(self, policy: &mut Policy, on: bool) {
        let limited = self == Self::SilenceLimit && on;
        policy.bus.beat_ms = if on || self == Self::SilenceLimit { BEAT_MS } else { 0 };
        policy.bus.silence_ms = if limited { SILENCE_MS } else { 0 };
    }

    /// A write that keeps late fills out in this way, or deletes and leaves it to luck.
    fn fills(policy: &mut Policy, on: bool, shared: SharedWrite) {
        policy.write.shared = if on { shared } else { SharedWrite::Delete };
        policy.local.epochs = on;
    }

    fn lock(policy: &mut Policy) -> &mut LockRule {
        if policy.compute == ComputeRule::Unprotected {
            policy.compute = ComputeRule::Lock(LOCK);
        }
        match &mut policy.compute {
            ComputeRule::Lock(rule) => rule,
            ComputeRule::Unprotected => unreachable!("a lock was put there just now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every policy that two switches, turned on one after the other, lead to.
    fn pairs() -> impl Iterator<Item = (Switch, Switch, Policy)> {
        Switch::ALL.into_iter().flat_map(|first| {
            let after_first = Policy::lesson().with(first, true);
            Switch::ALL.into_iter().map(move |second| (first, second, after_first.clone().with(second, true)))
        })
    }

    #[test]
    fn a_switch_that_is_turned_is_turned() {
        for (first, second, policy) in pairs() {
            assert!(second.is_on(&policy), "{second:?} after {first:?}");
            assert!(!second.is_on(&policy.with(second, false)), "{second:?} off again after {first:?}");
        }
    }

    #[test]
    fn turning_a_switch_to_where_it_stands_changes_nothing() {
        for (_, _, policy) in pairs() {
            for switch in Switch::ALL {
                assert_eq!(policy.clone().with(switch, switch.is_on(&policy)), policy, "{switch:?}");
            }
        }
    }

    #[test]
    fn acknowledged_invalidation_keeps_what_it_rests_on() {
        let policy = Policy::lesson().with(Switch::AcknowledgedInvalidation, true);
        for (switch, on) in Switch::ALL.into_iter().flat_map(|switch| [(switch, true), (switch, false)]) {
            let turned = policy.clone().with(switch, on);
            if turned.write.acknowledge == Acknowledge::No {
                continue;
            }
            assert_ne!(turned.shared_write(), SharedWrite::Set, "L2 may go back after {switch:?}");
            assert!(turned.beat() < turned.silence_limit() && turned.beat().is_some(), "{switch:?}");
            assert!(turned.needs_epochs() && turned.needs_gaps(), "{switch:?}");
        }
    }

    #[test]
    fn a_switch_leaves_alone_what_it_does_not_speak_of() {
        let guarded = Policy::cache_aside().with(Switch::GuardedFills, true).with(Switch::SilenceLimit, true);
        let more = guarded.clone().with(Switch::DeleteTwice, true).with(Switch::SingleFlight, true);
        assert_eq!(more.shared_write(), SharedWrite::ReplaceOlder);
        assert_eq!(more.bus, guarded.bus);
    }

    #[test]
    fn every_switch_leads_to_a_policy_that_can_run() {
        for (first, second, policy) in pairs() {
            assert_eq!(policy.validate(), Ok(()), "{first:?}, {second:?}");
        }
    }
}
