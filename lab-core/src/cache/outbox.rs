//! The outbox: a committed write is told to everybody, whatever becomes of its writer.
//!
//! A write leaves its name in a table, in its own transaction. Its writer takes the name out when everybody has heard; what
//! lies there for too long is published by whoever finds it. And where no answer says whether a write is committed, the
//! table does: its name is in there, or is put in there as refused, and then the write can no longer happen.

use std::time::Duration;

use futures_util::future::join_all;

use super::TieredCache;
use super::subscriber::RETRY;
use crate::policy::Outbox;
use crate::ports::{Clock, Database, Entropy, Ports, Settled, SharedCache, Tasks, Unpublished};
use crate::trace::Why;
use crate::value::WriteId;

/// So long a writer tries to find out what became of its write. After that whoever looks into the outbox publishes it.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);

impl<P: Ports> TieredCache<P> {
    /// A name for a write, where it needs one.
    pub(super) fn name_write(&self) -> Option<WriteId> {
        let entropy = self.shared.ports.entropy();
        let named = kept!("outbox.names-writes") && self.shared.policy.write.outbox != Outbox::None;
        named.then(|| WriteId(u128::from(entropy.draw()) << 64 | u128::from(entropy.draw())))
    }

    /// Finds out what became of a write, and makes sure that it stays so; `None` if the database does not say.
    pub(super) async fn settle(&self, id: Option<WriteId>) -> Option<Settled> {
        let (ports, id) = (&self.shared.ports, id?);
        let deadline = self.now().after(SETTLE_WITHIN);
        loop {
            if let Ok(settled) = ports.database().settle(id).await {
                return Some(settled);
            }
            if self.now() >= deadline || !kept!("settle.tries-again") {
                return None;
            }
            ports.clock().sleep(RETRY).await;
        }
    }

    /// Everybody has heard of the write, and nobody will ask what became of it.
    pub(super) fn forget_write(&self, id: Option<WriteId>) {
        let Some(id) = id else { return };
        let cache = self.clone();
        let forgetting = async move {
            // A name that stays is published once more, which does no harm.
            let _ = cache.shared.ports.database().published(id, true).await;
        };
        self.shared.ports.tasks().spawn(Box::pin(forgetting));
    }

    /// Publishes what others have left in the outbox, for ever.
    pub(super) async fn relay(&self, after: Duration, every: Duration) {
        let ports = &self.shared.ports;
        loop {
            ports.clock().sleep(every).await;
            // What cannot be asked for now is there at the next turn.
            let writes = ports.database().unpublished(after).await.unwrap_or_default();
            join_all(writes.into_iter().map(|write| self.publish_for(write))).await;
        }
    }

    /// Tells everybody of a write in its writer's place. What fails is taken up again by whoever finds it next.
    async fn publish_for(&self, Unpublished { id, key, version }: Unpublished) {
        let ports = &self.shared.ports;
        // First L2: who forgets the old value would find it there again. Its slot is emptied, and so is a lease in it void,
        // whose holder may have read the row before.
        let emptied = !kept!("relay.l2") || ports.shared().delete(&key).await.is_ok();
        if !emptied && kept!("relay.l2-first") {
            return;
        }
        if kept!("relay.l1") {
            self.drop_local(&key, Some(version), Why::Invalidated);
        }
        let heard = !kept!("relay.others") || self.announce(&key, version).await;
        if heard || !kept!("relay.until-heard") {
            // A name that stays is published once more.
            let _ = ports.database().published(id, false).await;
        }
    }
}
