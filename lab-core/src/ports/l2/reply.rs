//! What a command answers, and what of it a caller wants to know.

use super::super::SharedError;
use crate::trace::Outcome;
use crate::value::{Entry, Lookup, Token};

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The value, or the knowledge that there is none.
    Found(Entry),
    /// Nothing is known of the row.
    Nothing,
    /// It is done.
    Done,
    /// Something newer is there, or the lease is gone: nothing was changed.
    Refused,
    /// There was no value to replace: the slot is empty, and a lease in it is void.
    Voided,
    /// The lock or the lease is one's own.
    Granted,
    /// Somebody else holds the lock or the lease.
    Held,
    /// The lock or the lease was one's own and is free.
    Released,
    /// The lock or the lease was not one's own (any more).
    NotHeld,
}

impl Reply {
    /// It in the words of the trace, where it was asked for with `token`.
    pub fn outcome(&self, token: Option<Token>) -> Outcome {
        match self {
            Self::Found(entry) if entry.value.is_some() => Outcome::Hit,
            Self::Found(_) => Outcome::Negative,
            Self::Nothing => Outcome::Miss,
            Self::Done => Outcome::Done,
            Self::Refused => Outcome::Refused,
            Self::Voided => Outcome::Voided,
            Self::Granted => token.map_or(Outcome::Done, Outcome::Granted),
            Self::Held => Outcome::Held,
            Self::Released => Outcome::Released,
            Self::NotHeld => Outcome::NotHeld,
        }
    }

    /// An answer that does not belong to its question.
    fn odd(&self) -> SharedError {
        SharedError::Failed(format!("unexpected answer: {self:?}"))
    }
}

/// What a conditional store did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Stored,
    /// Something newer is there, or the lease is gone: nothing was changed.
    Refused,
}

/// What a store did that replaces an older value only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is stored, in place of an older value.
    Stored,
    /// There was no value to replace: the slot is empty now, and a lease in it is void.
    Voided,
    /// A newer value is there: nothing was changed.
    Refused,
}

/// What a try at a lock gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The lock is one's own, until its time runs out.
    Granted,
    /// Somebody holds it.
    Held,
}

/// What became of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// It was one's own and is free.
    Released,
    /// It was not one's own (any more): nothing was changed.
    NotHeld,
}

/// What a read that may take a lease gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leased {
    /// The value (or the knowledge that there is none).
    Found(Entry),
    /// There was nothing; the slot now holds one's own lease: fill it.
    Granted,
    /// There was nothing, and somebody else holds the lease.
    Held,
}

/// Which replies a caller takes, and as what; every other one is no answer to its question.
macro_rules! answers {
    ($answer:ty { $($reply:pat => $as:expr),+ $(,)? }) => {
        impl TryFrom<Reply> for $answer {
            type Error = SharedError;

            fn try_from(reply: Reply) -> Result<Self, SharedError> {
                match reply {
                    $($reply => Ok($as),)+
                    other => Err(other.odd()),
                }
            }
        }
    };
}

answers!(() { Reply::Done => () });
answers!(Lookup { Reply::Found(entry) => Self::from(Some(entry)), Reply::Nothing => Self::Miss });
answers!(Stored { Reply::Done => Self::Stored, Reply::Refused => Self::Refused });
answers!(Replaced {
    Reply::Done => Self::Stored,
    Reply::Voided => Self::Voided,
    Reply::Refused => Self::Refused,
});
answers!(Leased {
    Reply::Found(entry) => Self::Found(entry),
    Reply::Granted => Self::Granted,
    Reply::Held => Self::Held,
});
answers!(Locked { Reply::Granted => Self::Granted, Reply::Held => Self::Held });
answers!(Unlocked { Reply::Released => Self::Released, Reply::NotHeld => Self::NotHeld });
