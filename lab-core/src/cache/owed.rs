//! What must be given back, whatever becomes of who took it: a lock or a lease, on every way out.

use super::TieredCache;
use crate::ports::{Body, Ports, SharedCache, Tasks};
use crate::trace;
use crate::value::{Key, Token};

/// A token in L2 that is one's own until it is given back. Dropping it gives it back too: a caller that goes away must not
/// keep the fleet waiting for the token's time to run out.
pub(super) struct Owed<P: Ports> {
    cache: TieredCache<P>,
    /// The slot that holds the token.
    slot: Key,
    token: Token,
    /// The row that others may be waiting for.
    row: Key,
    settled: bool,
}

impl<P: Ports> Owed<P> {
    pub(super) fn new(cache: &TieredCache<P>, slot: Key, token: Token, row: &Key) -> Self {
        Self { cache: cache.clone(), slot, token, row: row.clone(), settled: false }
    }

    /// What proves that it is one's own.
    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// Gives the token back, and waits until that is done. If L2 cannot be asked, its time runs out by itself.
    pub(super) async fn give_back(mut self) {
        self.settled = true;
        if kept!("owed.gives-back") {
            let _ = self.cache.shared.ports.shared().unlock(&self.slot, self.token).await;
        }
    }

    /// There is nothing to give back: the token was not taken, or the value stands in its place.
    pub(super) fn settle(mut self) {
        self.settled = true;
    }
}

impl<P: Ports> Drop for Owed<P> {
    fn drop(&mut self) {
        if self.settled || !kept!("owed.dropped-gives-back") {
            return;
        }
        let (cache, slot, token, key) = (self.cache.clone(), self.slot.clone(), self.token, self.row.clone());
        let giving_back = async move {
            let _ = cache.shared.ports.shared().unlock(&slot, token).await;
            cache.tell(Body::Filled { key }).await;
        };
        let scoped = trace::scope(trace::current(), trace::cause(), giving_back);
        self.cache.shared.ports.tasks().spawn(Box::pin(scoped));
    }
}
