//! How long each kind of call is waited for: one table for both worlds, so that a fault that outlasts a deadline is
//! noticed at the same moment in both.

use std::time::Duration;

use crate::policy::{Acknowledge, Outbox, Policy};

/// A client waits so long for its answer, which is unknown then. Longer than a request may wait for a connection and for
/// its statement.
pub const ANSWER: Duration = Duration::from_secs(90);

/// One answer of a Redis node, of the bus too.
pub const REDIS: Duration = Duration::from_secs(1);

/// A node of a Redis Cluster that says nothing for so long counts as failed when most masters find so
/// (`cluster-node-timeout`).
pub const NODE_TIMEOUT: Duration = Duration::from_secs(1);

/// A Redis command that was surely not done (refused, or not even sent) is sent again for so long, so often.
pub const RESEND: Duration = Duration::from_secs(1);
/// Between two tries.
pub const RESEND_EVERY: Duration = Duration::from_millis(20);

/// One answer of `PostgreSQL`, besides the time that the statement was told to take.
pub const STATEMENT: Duration = Duration::from_secs(3);

/// The wait for a connection of a server's pool. A herd of a thousand over four servers, each with five connections and half
/// a second a query, waits 25 s.
pub const POOL: Duration = Duration::from_mins(1);

/// The opening of one connection to `PostgreSQL`: what wanted to use it was not done then.
pub const OPEN: Duration = Duration::from_secs(3);

/// A subscription's confirmation.
pub const SUBSCRIBE: Duration = Duration::from_secs(3);

/// When every fault is healed, a policy has found its way again after so long: each call that was under way has ended, each
/// lease has run out or was renewed, each silence was noticed.
pub fn quiet(policy: &Policy) -> Duration {
    let lease = match policy.write.acknowledge {
        Acknowledge::Members { lease_ms, .. } => Duration::from_millis(lease_ms),
        Acknowledge::No => Duration::ZERO,
    };
    let silence = policy.silence_limit().unwrap_or(Duration::ZERO);
    let calls = REDIS + RESEND + OPEN + STATEMENT + SUBSCRIBE;
    // What lies in the outbox is looked for, and published by whoever finds it as a write is.
    let relay = match policy.write.outbox {
        Outbox::Relay { after_ms, every_ms } => {
            Duration::from_millis(after_ms + every_ms) + calls + 6 * lease
        }
        Outbox::None => Duration::ZERO,
    };
    // A write waits for leases again and again, and a reader behind it fills anew.
    calls + 6 * lease + 2 * silence + relay
}
