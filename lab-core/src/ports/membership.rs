//! Who must acknowledge: a table in `PostgreSQL` with a lease a server.
//!
//! It is in `PostgreSQL` because a failover of Redis can lose it; and it is a table because whoever `PUBLISH` counted
//! as receivers is not whoever still serves an old value.

use std::time::Duration;

use super::DatabaseError;
use crate::value::ServerId;

/// A server whose lease has not run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Which server.
    pub server: ServerId,
    /// Which life of it.
    pub incarnation: u64,
}

/// The table of members.
pub trait Membership: Send + Sync {
    /// Renews this server's lease: it lasts for `lease` from the commit, by the database's clock.
    #[track_caller]
    fn renew(&self, lease: Duration) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Members whose lease has not run out by the database's clock, in the order of their numbers.
    #[track_caller]
    fn live(&self) -> impl Future<Output = Result<Vec<Member>, DatabaseError>> + Send;
}
