//! The switches of the Policy panel: each one changes one protection, and looks like any other, right or wrong.

use serde::{Deserialize, Serialize};

use super::{Acknowledge, ComputeRule, Fleet, LockRule, LockWait, Policy, Publish, SharedWrite};
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
}

const LEASE: Fleet = Fleet::Lease { ttl_ms: 2_000, wait_ms: 500, deadline_ms: 10_000 };
const SHORT_LEASE: Fleet = Fleet::Lease { ttl_ms: 20, wait_ms: 20, deadline_ms: 10_000 };
const ACKNOWLEDGED: Acknowledge = Acknowledge::Members { lease_ms: 2_000, renew_ms: 500, again_ms: 200 };
const LOCK: LockRule =
    LockRule { ttl_ms: 5_000, wait: LockWait::Retry { every_ms: 100 }, recheck: true, deadline_ms: 20_000 };

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 13] = [
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
        }
    }

    /// Turns it on or off. A switch that needs another one turns that on as well (a short lease is a lease); one
    /// that excludes another turns that off (a read has one level).
    pub fn set(self, policy: &mut Policy, on: bool) {
        match self {
            Self::WriteShared => {
                policy.write.shared = if on { SharedWrite::Set } else { SharedWrite::Leave };
            }
            Self::AcknowledgedInvalidation => Self::acknowledge(policy, on),
            Self::StrongReads => policy.level = if on { Level::Strong } else { Level::Eventual },
            Self::SessionReads => policy.level = if on { Level::Session } else { Level::Eventual },
            Self::ShortLocalTtl => policy.local.ttl_ms = if on { 1_000 } else { 60_000 },
            Self::PublishBeforeCommit => {
                policy.write.publish = if on { Publish::BeforeCommit } else { Publish::AfterCommit };
            }
            Self::SingleFlight => policy.miss.single_flight = on,
            Self::FleetLease => {
                policy.miss.fleet = if on { LEASE } else { Fleet::None };
                policy.local.epochs = on;
                policy.miss.single_flight |= on;
            }
            Self::ShortLease => {
                policy.miss.fleet = if on { SHORT_LEASE } else { LEASE };
                policy.miss.single_flight = true;
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
        }
    }

    /// Acknowledged invalidation rests on three things: nobody keeps what is on its way while an invalidation
    /// comes, L2 never goes back, and a hole in the notices is noticed.
    fn acknowledge(policy: &mut Policy, on: bool) {
        policy.write.acknowledge = if on { ACKNOWLEDGED } else { Acknowledge::No };
        policy.local.epochs = on;
        policy.bus.gaps = on;
        policy.bus.beat_ms = if on { 100 } else { 0 };
        policy.bus.silence_ms = if on { 500 } else { 0 };
        if policy.write.shared != SharedWrite::Leave || on {
            policy.write.shared = if on { SharedWrite::SetIfNewer } else { SharedWrite::Set };
        }
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
