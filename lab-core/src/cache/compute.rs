//! An expensive computation under a lock of the fleet: the lesson's `getWithLock`.
//!
//! The computation's result has no row behind it; its stamp is the instant at which the computation began.

use std::time::Duration;

use super::TieredCache;
use super::answer::Read;
use super::owed::Owed;
use crate::consistency::{Demand, Level};
use crate::lock::Lock;
use crate::policy::{ComputeRule, LockRule, LockWait};
use crate::ports::{Body, Clock, Entropy, Ports, SharedCache, SharedError};
use crate::trace::{Kind, WaitFor};
use crate::value::{Entry, Key, Stamp, Tier, Token, Value, Version};

/// Why a request got no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// Somebody else held the lock for too long.
    #[error("somebody else held the lock on this computation for longer than the deadline")]
    Deadline,
    /// L2 could not be asked for the lock or for the result.
    #[error(transparent)]
    Lock(#[from] SharedError),
}

/// How the wait for the lock ended.
enum Acquired<P: Ports> {
    /// The lock is one's own.
    Lock(Owed<P>),
    /// Somebody else's result is there.
    Found(Read),
    /// The rule says to go on without the lock.
    WaitedOnce,
}

impl<P: Ports> TieredCache<P> {
    /// Gives the cached result, or computes it as the policy's rule says.
    ///
    /// # Errors
    /// When the lock could not be had in time, or L2 could not be asked.
    pub async fn get_with_lock<F>(&self, key: &Key, compute: F) -> Result<Read, ComputeError>
    where
        F: Future<Output = Value> + Send,
    {
        let started = self.now();
        let read = self.find_or_compute(key, compute).await;
        let took = self.now().since(started);
        match &read {
            Ok(read) => self.shared.metrics.answered(read.tier, &read.entry, took),
            Err(_) => self.shared.metrics.error(took),
        }
        read
    }

    async fn find_or_compute<F>(&self, key: &Key, compute: F) -> Result<Read, ComputeError>
    where
        F: Future<Output = Value> + Send,
    {
        if let Some(read) = self.look(key).await? {
            return Ok(read);
        }
        let ComputeRule::Lock(rule) = self.shared.policy.compute else {
            return Ok(self.compute(key, compute).await);
        };
        match self.acquire(key, rule).await? {
            Acquired::Found(read) => Ok(read),
            Acquired::WaitedOnce => match self.look(key).await? {
                Some(read) if kept!("compute.looks-after-waiting") => Ok(read),
                _ => Ok(self.compute(key, compute).await),
            },
            Acquired::Lock(owed) => {
                let read = self.compute_alone(key, rule, compute).await;
                owed.give_back().await;
                read
            }
        }
    }

    /// Looks once more under the lock, where the rule says so, and computes.
    async fn compute_alone<F>(&self, key: &Key, rule: LockRule, compute: F) -> Result<Read, ComputeError>
    where
        F: Future<Output = Value> + Send,
    {
        let found = if kept!("compute.rechecks") && rule.recheck { self.look(key).await? } else { None };
        match found {
            Some(read) => Ok(read),
            None => Ok(self.compute(key, compute).await),
        }
    }

    /// Takes the lock, waiting as the rule says.
    async fn acquire(&self, key: &Key, rule: LockRule) -> Result<Acquired<P>, ComputeError> {
        let (name, ttl) = (Lock::name_for(key), Duration::from_millis(rule.ttl_ms));
        let token = Token(self.shared.ports.entropy().draw() * u64::from(kept!("compute.token")));
        let deadline = self.now().after(Duration::from_millis(rule.deadline_ms));
        loop {
            // The ticket comes before the questions: the holder may tell of its result between them and our waiting.
            let ticket = self.shared.fills.ticket(key);
            // Where no answer comes the lock may be one's own all the same: then it goes back.
            let owed = Owed::new(self, name.clone(), token, key);
            if Lock::acquire(self.shared.ports.shared(), &name, token, ttl).await?.is_some() {
                return Ok(Acquired::Lock(owed));
            }
            owed.settle();
            if kept!("compute.looks-while-held")
                && rule.recheck
                && let Some(read) = self.look(key).await?
            {
                return Ok(Acquired::Found(read));
            }
            if kept!("compute.deadline") && self.now() >= deadline {
                return Err(ComputeError::Deadline);
            }
            match rule.wait {
                LockWait::Retry { every_ms } => self.pause(key, Duration::from_millis(every_ms)).await,
                LockWait::Push { at_most_ms } => {
                    self.await_fill(key, ticket, Duration::from_millis(at_most_ms)).await;
                }
                LockWait::Once { for_ms } => {
                    self.pause(key, Duration::from_millis(for_ms)).await;
                    return Ok(Acquired::WaitedOnce);
                }
            }
        }
    }

    async fn pause(&self, key: &Key, time: Duration) {
        self.note(Kind::Waiting { on: WaitFor::Retry }, key, None);
        self.shared.ports.clock().sleep(time).await;
        self.note(Kind::Woken { on: WaitFor::Retry }, key, None);
    }

    /// Looks in both caches. No database stands behind a computation, so [`Level::Strong`] asks no more than any
    /// other level.
    async fn look(&self, key: &Key) -> Result<Option<Read>, ComputeError> {
        let level = match self.shared.policy.level {
            Level::Strong => Level::Eventual,
            level => level,
        };
        let demand = Demand::level(level);
        if let Some(entry) = self.read_local(key, demand, self.now()) {
            return Ok(Some(Read { entry, tier: Tier::L1 }));
        }
        let epoch = self.shared.local.epoch(key);
        let found = self.shared.ports.shared().get(key).await?;
        Ok(self.fit(found, demand).map(|entry| {
            self.store_local(key, &entry, epoch);
            Read { entry, tier: Tier::L2 }
        }))
    }

    /// Computes, stores the result in both caches and wakes who waits.
    async fn compute(&self, key: &Key, compute: impl Future<Output = Value> + Send) -> Read {
        let (started, epoch) = (self.now(), self.shared.local.epoch(key));
        self.note(Kind::ComputeStarted, key, None);
        let value = compute.await;
        self.note(Kind::Computed { value: value.clone() }, key, None);
        let entry = Entry { value: Some(value), stamp: Stamp { version: Version(1), as_of: started } };
        if self.shared.ports.shared().set(key, &entry, self.shared_ttl(&entry)).await.is_ok()
            || !kept!("compute.l2-took-it")
        {
            self.store_local(key, &entry, epoch);
            if kept!("compute.wakes") && self.pushes_results() {
                self.tell(Body::Filled { key: key.clone() }).await;
            }
        } else {
            self.refuse_local(key, &entry);
        }
        Read { entry, tier: Tier::Computed }
    }

    fn pushes_results(&self) -> bool {
        matches!(self.shared.policy.compute, ComputeRule::Lock(LockRule { wait: LockWait::Push { .. }, .. }))
    }
}
