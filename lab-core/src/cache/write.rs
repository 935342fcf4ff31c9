//! A write: the order of its effects is the policy's.

use std::time::Duration;

use futures_util::FutureExt;

use super::TieredCache;
use super::local::Epoch;
use super::seen_through::SeenThrough;
use crate::policy::{Acknowledge, Created, LocalWrite, Publish, SharedWrite};
use crate::ports::{Clock, Database, DatabaseError, Ports, Replaced, Settled, SharedCache, Stored, Tasks};
use crate::trace::{self, Kind, Why};
use crate::value::{Entry, Key, Stamp, Value, Version};

/// Why a write did not happen that was given up before it was committed.
const CALLED_OFF: &str = "PostgreSQL did not answer in time, and the write was called off";

/// Why a write did not return a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It did not happen.
    #[error("the write did not happen: {0}")]
    Failed(String),
    /// Nobody knows whether it happened.
    #[error("the write may have happened or not")]
    Unknown,
    /// It is committed, but some server may still answer the old value.
    #[error("committed as {0}, but not every server has confirmed that it forgot the old value")]
    Unacknowledged(Version),
}

impl<P: Ports> TieredCache<P> {
    /// Writes a row, and returns when the policy's promise about the caches holds. If the caller goes away, it goes on.
    ///
    /// # Errors
    /// When the database refused, when nobody knows whether it committed, or when a server did not confirm.
    pub async fn write(&self, key: &Key, value: &Value) -> Result<Version, WriteError> {
        let (cache, key, value) = (self.clone(), key.clone(), value.clone());
        SeenThrough::new(self, async move { cache.write_row(&key, &value).await }.boxed()).await
    }

    async fn write_row(&self, key: &Key, value: &Value) -> Result<Version, WriteError> {
        let epoch = self.shared.local.epoch(key);
        let early = self.shared.policy.write.publish == Publish::BeforeCommit;
        if early {
            self.invalidate_others(key, None).await;
        }
        let (id, sent) = (self.name_write(), self.now());
        let stamp = match self.shared.ports.database().update(key, value, id).await {
            Ok(committed) => Stamp { version: committed.version, as_of: committed.as_of },
            Err(DatabaseError::Failed(why)) => return Err(WriteError::Failed(why)),
            Err(DatabaseError::Unknown) => match self.settle(id).await.filter(|_| kept!("unknown.settles")) {
                Some(Settled::Committed(version)) => Stamp { version, as_of: sent },
                Some(Settled::Refused) => return Err(WriteError::Failed(CALLED_OFF.to_owned())),
                None => {
                    if kept!("unknown.distrusts") {
                        self.distrust(key).await;
                    }
                    return Err(WriteError::Unknown);
                }
            },
        };
        if self.leaves_caches(stamp.version) {
            return Ok(stamp.version);
        }
        let entry = Entry { value: Some(value.clone()), stamp };
        let shared = self.write_shared(key, &entry).await;
        self.write_local(key, &entry, epoch, shared);
        self.delete_again(key, stamp.version);
        // What was published before the commit has told nobody of what is committed.
        let told = !early && self.announce(key, stamp.version).await;
        // Everybody may have forgotten the old value, but would find it in L2 again.
        if told && (shared != SharedAfter::Unknown || !kept!("write.l2-confirmed")) {
            self.forget_write(id);
        } else if kept!("write.says-unconfirmed") && self.promises_freshness() {
            return Err(WriteError::Unacknowledged(stamp.version));
        }
        Ok(stamp.version)
    }

    /// Whether this write made the row, and the policy thinks that nobody can have cached what did not exist.
    fn leaves_caches(&self, version: Version) -> bool {
        self.shared.policy.answers.created == Created::LeavesCaches && version == Version(1)
    }

    /// Deletes the key once more after a pause, where the policy says so: whoever filled an old value meanwhile loses it.
    /// A fill that takes longer than the pause does not.
    fn delete_again(&self, key: &Key, version: Version) {
        let pause = Duration::from_millis(self.shared.policy.write.again_ms);
        if pause.is_zero() {
            return;
        }
        let (cache, key) = (self.clone(), key.clone());
        let again = async move {
            cache.shared.ports.clock().sleep(pause).await;
            if kept!("again.l2") {
                let _ = cache.shared.ports.shared().delete(&key).await;
            }
            if kept!("again.l1") {
                cache.drop_local(&key, Some(version), Why::Written);
            }
            if kept!("again.others") {
                cache.invalidate_others(&key, Some(version)).await;
            }
        };
        self.shared.ports.tasks().spawn(Box::pin(trace::scope(None, trace::cause(), again)));
    }

    fn promises_freshness(&self) -> bool {
        self.shared.policy.write.acknowledge != Acknowledge::No
    }

    /// The row may have changed: nobody may rely on what the caches hold.
    async fn distrust(&self, key: &Key) {
        // If L2 cannot be asked either, its time to live is the last bound; there is nobody left to tell.
        if kept!("unknown.l2") {
            let _ = self.shared.ports.shared().delete(key).await;
        }
        if kept!("unknown.l1") {
            self.drop_local(key, None, Why::Written);
        }
        if kept!("unknown.others") {
            self.invalidate_others(key, None).await;
        }
    }

    async fn write_shared(&self, key: &Key, entry: &Entry) -> SharedAfter {
        let (shared, ttl) = (self.shared.ports.shared(), self.shared_ttl(entry));
        let written = match self.shared.policy.shared_write() {
            SharedWrite::Leave => Ok(Stored::Stored),
            SharedWrite::Set => shared.set(key, entry, ttl).await.map(|()| Stored::Stored),
            SharedWrite::SetIfNewer => shared.set_if_newer(key, entry, ttl).await,
            SharedWrite::ReplaceOlder => match shared.replace_older(key, entry, ttl).await {
                Ok(Replaced::Stored) => Ok(Stored::Stored),
                Ok(Replaced::Voided | Replaced::Refused) => Ok(Stored::Refused),
                Err(error) => Err(error),
            },
            SharedWrite::Delete => shared.delete(key).await.map(|()| Stored::Stored),
        };
        match written {
            Ok(Stored::Stored) => SharedAfter::Ours,
            Ok(Stored::Refused) => SharedAfter::Newer,
            // A second chance for a promise that rests on it: L2 may hold anything but the old value.
            Err(_)
                if kept!("write.second-chance")
                    && self.promises_freshness()
                    && shared.delete(key).await.is_ok() =>
            {
                SharedAfter::Newer
            }
            // An L2 that gave no answer keeps the old value until its time to live: what scenario 11 is about.
            Err(_) => SharedAfter::Unknown,
        }
    }

    /// The writer's own L1 takes the value in only if nothing happened to the row since the write began, and L2 took
    /// it too: another write may have overtaken this one.
    fn write_local(&self, key: &Key, entry: &Entry, began: Epoch, shared: SharedAfter) {
        let dropped = self.drop_local(key, Some(entry.stamp.version), Why::Written);
        if self.shared.policy.write.local == LocalWrite::Drop {
            return;
        }
        if !self.shared.local.undisturbed(began, dropped.before) {
            self.note(Kind::L1Refused { why: Why::EpochMoved }, key, Some(entry.stamp.version));
        } else if shared == SharedAfter::Ours || !kept!("write.l2-took-it") {
            // Not the epoch of now: another write on another thread may have come and gone since.
            self.store_local(key, entry, dropped.after);
        } else {
            self.refuse_local(key, entry);
        }
    }
}

/// What L2 holds after a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SharedAfter {
    /// What the policy wants there.
    Ours,
    /// Something newer, or nothing.
    Newer,
    /// Nobody knows: maybe the old value.
    Unknown,
}
