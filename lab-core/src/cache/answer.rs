//! What a read answers, and why it may not.

use crate::ports::DatabaseError;
use crate::trace::EventId;
use crate::value::{Entry, Tier};

/// An answer to a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The row.
    pub entry: Entry,
    /// Where it came from.
    pub tier: Tier,
}

/// Why a reader got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The last resort failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The result of a read, alone or shared.
pub(super) type Landing = Result<Read, ReadError>;

/// A landing, and the last event of the read, from which the passengers' next events follow.
pub(super) type Arrived = (Landing, Option<EventId>);
