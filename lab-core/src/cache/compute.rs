//! An expensive computation under a lock of the fleet: the lesson's `getWithLock`.
//!
//! The computation's result has no row behind it; its stamp is the instant at which the computation began.

use std::time::Duration;

use super::TieredCache;
use super::read::{Demand, Read};
use crate::lock::Lock;
use crate::policy::{ComputeRule, LockRule, LockWait};
use crate::ports::{Body, Clock, Entropy, Ports, SharedCache, SharedError};
use crate::trace::{Kind, WaitFor};
use crate::value::{Entry, Instant, Key, Stamp, Tier, Token, Value, Version};

/// Why a request got no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// Somebody else held the lock for too long.
    #[error("somebody else held the lock on this computation for longer than the deadline")]
    Deadline,
    /// The lock could not be asked for.
    #[error(transparent)]
    Lock(#[from] SharedError),
}

impl<P: Ports> TieredCache<P> {
    /// Gives the cached result, or computes it as the policy's rule says.
    ///
    /// # Errors
    /// When the lock could not be had in time.
    pub async fn get_with_lock<F>(&self, key: &Key, compute: F) -> Result<Read, ComputeError>
    where
        F: Future<Output = Value> + Send,
    {
        if let Some(read) = self.look(key).await {
            return Ok(read);
        }
        let ComputeRule::Lock(rule) = self.shared.policy.compute else {
            return Ok(self.compute(key, compute).await);
        };
        let deadline = self.now().after(Duration::from_millis(rule.deadline_ms));
        let Some(lock) = self.acquire(key, rule, deadline).await? else {
            // Who waited is done waiting: either the value is there, or the rule says to go on without the lock.
            return match self.look(key).await {
                Some(read) => Ok(read),
                None => Ok(self.compute(key, compute).await),
            };
        };
        let found = if rule.recheck { self.look(key).await } else { None };
        let read = match found {
            Some(read) => read,
            None => self.compute(key, compute).await,
        };
        // A failed release is harmless: the lock runs out by itself.
        let _ = lock.release(self.shared.ports.shared()).await;
        Ok(read)
    }

    /// Takes the lock, waiting as the rule says. `None`: the wait is over and the lock is not needed.
    async fn acquire(
        &self,
        key: &Key,
        rule: LockRule,
        deadline: Instant,
    ) -> Result<Option<Lock>, ComputeError> {
        let (name, ttl) = (Lock::name_for(key), Duration::from_millis(rule.ttl_ms));
        let token = Token(self.shared.ports.entropy().draw());
        loop {
            let ticket = self.shared.fills.ticket(key);
            if let Some(lock) = Lock::acquire(self.shared.ports.shared(), &name, token, ttl).await? {
                return Ok(Some(lock));
            }
            if self.now() >= deadline {
                return Err(ComputeError::Deadline);
            }
            match rule.wait {
                LockWait::Retry { every_ms } => self.pause(key, Duration::from_millis(every_ms)).await,
                LockWait::Once { for_ms } => {
                    self.pause(key, Duration::from_millis(for_ms)).await;
                    return Ok(None);
                }
                LockWait::Push { at_most_ms } => {
                    self.await_fill(key, ticket, Duration::from_millis(at_most_ms)).await;
                }
            }
            if rule.recheck && self.look(key).await.is_some() {
                return Ok(None);
            }
        }
    }

    async fn pause(&self, key: &Key, time: Duration) {
        self.note(Kind::Waiting { on: WaitFor::Retry }, key, None);
        self.shared.ports.clock().sleep(time).await;
        self.note(Kind::Woken { on: WaitFor::Retry }, key, None);
    }

    /// Looks in both caches.
    async fn look(&self, key: &Key) -> Option<Read> {
        let (started, demand) = (self.now(), Demand::level(self.shared.policy.level));
        if let Some(entry) = self.read_local(key, demand, started) {
            self.shared.metrics.hit(Tier::L1, self.now().since(started));
            return Some(Read { entry, tier: Tier::L1 });
        }
        let epoch = self.shared.local.epoch(key);
        let found = self.shared.ports.shared().get(key).await.ok()?;
        let entry = self.fit(found, demand)?;
        self.store_local(key, &entry, epoch);
        self.shared.metrics.hit(Tier::L2, self.now().since(started));
        Some(Read { entry, tier: Tier::L2 })
    }

    /// Computes, stores the result in both caches and wakes who waits.
    async fn compute(&self, key: &Key, compute: impl Future<Output = Value> + Send) -> Read {
        let (started, epoch) = (self.now(), self.shared.local.epoch(key));
        self.note(Kind::ComputeStarted, key, None);
        let value = compute.await;
        self.note(Kind::Computed { value: value.clone() }, key, None);
        let entry = Entry { value: Some(value), stamp: Stamp { version: Version(1), as_of: started } };
        if self.shared.ports.shared().set(key, &entry, self.shared_ttl()).await.is_ok() {
            self.store_local(key, &entry, epoch);
            if self.pushes_results() {
                self.tell(Body::Filled { key: key.clone() }).await;
            }
        } else {
            self.refuse_local(key, &entry);
        }
        self.shared.metrics.hit(Tier::Computed, self.now().since(started));
        Read { entry, tier: Tier::Computed }
    }

    fn pushes_results(&self) -> bool {
        matches!(self.shared.policy.compute, ComputeRule::Lock(LockRule { wait: LockWait::Push { .. }, .. }))
    }
}
