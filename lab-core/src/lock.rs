//! A lock over the fleet: a random token stored with `SET NX PX`, and freed only by who holds that token.
//!
//! Such a lock is for efficiency: it runs out by itself, and then two may believe that they hold it. What must not
//! happen twice has to be refused where it takes effect (a fencing token, or the lease in the value's slot).

use std::time::Duration;

use crate::ports::{Locked, SharedCache, SharedError, Unlocked};
use crate::value::{Key, Token};

/// A lock that is held, or was until its time ran out.
#[derive(Clone, Debug)]
pub struct Lock {
    name: Key,
    token: Token,
}

impl Lock {
    /// The name of the lock that protects `key`, in the key's own hash slot.
    pub fn name_for(key: &Key) -> Key {
        Key::new(format!("lock:{{{key}}}"))
    }

    /// Tries once to take the lock: `None` if somebody holds it.
    ///
    /// # Errors
    /// When the store gave no answer; the lock may then be held by this token until its time runs out.
    #[track_caller]
    pub fn acquire<S: SharedCache>(
        shared: &S,
        name: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<Self>, SharedError>> + Send {
        let (lock, answer) = (Self { name: name.clone(), token }, shared.lock(name, token, ttl));
        async move { Ok((answer.await? == Locked::Granted || !kept!("lock.granted-only")).then_some(lock)) }
    }

    /// Frees the lock if it is still one's own.
    ///
    /// # Errors
    /// When the store gave no answer; the lock then runs out by itself.
    #[track_caller]
    pub fn release<S: SharedCache>(
        &self,
        shared: &S,
    ) -> impl Future<Output = Result<Unlocked, SharedError>> + Send {
        shared.unlock(&self.name, self.token)
    }
}
