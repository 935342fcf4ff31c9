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

/// What became of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease runs; these are live, this server among them, in the order of their numbers.
    Member(Vec<Member>),
    /// Somebody has barred this life of the server, and its lease has not run out yet: nothing was changed.
    Barred,
}

/// The table of members. A renewal never waits behind other questions.
pub trait Membership: Send + Sync {
    /// Renews this server's lease: it lasts for `lease` from the commit, by the database's clock. A member that was barred
    /// comes back when its lease has run out.
    #[track_caller]
    fn renew(&self, lease: Duration) -> impl Future<Output = Result<Renewal, DatabaseError>> + Send;

    /// Members whose lease has not run out by the database's clock, in the order of their numbers, barred ones among them.
    #[track_caller]
    fn live(&self) -> impl Future<Output = Result<Vec<Member>, DatabaseError>> + Send;

    /// Bars members: none of their leases is renewed before it has run out.
    #[track_caller]
    fn bar(&self, members: Vec<Member>) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Gives this server's lease back: from now on it is no member.
    #[track_caller]
    fn leave(&self) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}
