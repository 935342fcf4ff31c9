//! One server of the fleet fills; the others are woken.
//!
//! The lease lies in the value's own slot in L2: who finds the slot empty leaves a token there in the same round
//! trip, reads the database, and stores the value only if its token is still there. A write voids the lease, so a
//! slow fill cannot bring an old value back. (The mechanism is memcache's, NSDI 2013, section 3.2.1; the token in
//! the slot is rueidisaside's.)

use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;

use super::TieredCache;
use super::answer::{Landing, Read};
use super::local::Epoch;
use super::owed::Owed;
use super::signal::Ticket;
use crate::consistency::Demand;
use crate::policy::Fleet;
use crate::ports::{Body, Clock, Entropy, Leased, Ports, SharedCache, Stored};
use crate::trace::{Kind, WaitFor};
use crate::value::{Key, Lookup, Tier, Token};

/// How long a slot is kept for a fill that nobody waits for.
const GUARD: Duration = Duration::from_secs(2);

impl<P: Ports> TieredCache<P> {
    /// Reads from L2, or fills it under a lease, or waits for who does.
    pub(super) async fn read_leased(&self, key: &Key, demand: Demand, epoch: Epoch) -> Landing {
        let Fleet::Lease { ttl_ms, wait_ms, deadline_ms } = self.shared.policy.miss.fleet else {
            return self.read_database(key).await;
        };
        let deadline = self.now().after(Duration::from_millis(deadline_ms));
        loop {
            // The ticket comes before the question: the holder may fill between the answer and our waiting.
            let ticket = self.shared.fills.ticket(key);
            let token = Token(self.shared.ports.entropy().draw());
            let lease = Duration::from_millis(ttl_ms);
            let owed = Owed::new(self, key.clone(), token, key);
            match self.shared.ports.shared().get_or_lease(key, token, lease).await {
                Ok(Leased::Found(entry)) => {
                    owed.settle();
                    let Some(entry) = self.fit(Lookup::from(Some(entry)), demand) else {
                        return self.refresh(key, epoch).await;
                    };
                    self.store_local(key, &entry, epoch);
                    return Ok(Read { entry, tier: Tier::L2 });
                }
                Ok(Leased::Granted) => return self.fill(key, owed, None, epoch).await,
                Ok(Leased::Held) if self.now() < deadline || !kept!("lease.deadline") => {
                    owed.settle();
                    self.await_fill(key, ticket, Duration::from_millis(wait_ms)).await;
                }
                // The wait was too long: the reader is served, the caches are left alone.
                Ok(Leased::Held) => {
                    owed.settle();
                    return self.read_database(key).await;
                }
                // L2 gave no answer. The lease may be one's own all the same: it goes back.
                Err(_) => {
                    if !kept!("lease.unknown-is-owed") {
                        owed.settle();
                    }
                    return self.read_database(key).await;
                }
            }
        }
    }

    /// Reads from L2, or fills it under a lease, or reads the database and leaves the caches alone: nobody waits. The lease
    /// is there for the slot's sake: it takes no row that was read before it was empty.
    pub(super) async fn read_guarded(&self, key: &Key, demand: Demand, epoch: Epoch) -> Landing {
        let token = Token(self.shared.ports.entropy().draw());
        let owed = Owed::new(self, key.clone(), token, key);
        let early = if kept!("fill.row-after-token") { None } else { Some(self.read_database(key).await) };
        let found = match self.shared.ports.shared().get_or_lease(key, token, GUARD).await {
            Ok(Leased::Granted) => return self.fill(key, owed, early, epoch).await,
            // L2 could not be asked.
            Err(_) => return self.read_database(key).await,
            Ok(Leased::Found(entry)) => entry,
            // Somebody else fills.
            Ok(Leased::Held) => {
                owed.settle();
                return self.read_database(key).await;
            }
        };
        owed.settle();
        let Some(entry) = self.fit(Lookup::from(Some(found)), demand) else {
            return self.refresh(key, epoch).await;
        };
        self.store_local(key, &entry, epoch);
        Ok(Read { entry, tier: Tier::L2 })
    }

    /// Reads the database and stores the row in place of the lease; then wakes who waits.
    async fn fill(&self, key: &Key, owed: Owed<P>, early: Option<Landing>, epoch: Epoch) -> Landing {
        let landing = match early {
            None => self.read_database(key).await,
            Some(early) => early,
        };
        let read = match landing {
            Ok(read) => read,
            Err(error) => {
                // Nothing to fill with: the lease goes back, and whoever waits may try.
                if kept!("lease.failed-fill-gives-back") {
                    owed.give_back().await;
                } else {
                    owed.settle();
                }
                if kept!("lease.failed-fill-wakes") {
                    self.tell(Body::Filled { key: key.clone() }).await;
                }
                return Err(error);
            }
        };
        let ttl = self.shared_ttl(&read.entry);
        let filled = self.shared.ports.shared().fill(key, owed.token(), &read.entry, ttl).await;
        if filled.is_ok() || !kept!("lease.unknown-fill-is-owed") {
            owed.settle();
        }
        if filled == Ok(Stored::Stored) || !kept!("lease.l2-took-it") {
            self.store_local(key, &read.entry, epoch);
        } else {
            self.refuse_local(key, &read.entry);
        }
        // Whoever waits is woken either way: a refused fill means that L2 holds something else by now.
        if kept!("lease.wakes") {
            self.tell(Body::Filled { key: key.clone() }).await;
        }
        Ok(read)
    }

    /// Waits for the holder's notice, but no longer than `at_most`: a notice can be lost.
    pub(super) async fn await_fill(&self, key: &Key, ticket: Ticket, at_most: Duration) {
        self.note(Kind::Waiting { on: WaitFor::Push }, key, None);
        let ticket = if kept!("wait.ticket-first") { ticket } else { self.shared.fills.ticket(key) };
        let at_most = if kept!("wait.bounded") { at_most } else { Duration::MAX };
        let timer = self.shared.ports.clock().sleep(at_most);
        select(pin!(ticket.rung()), pin!(timer)).await;
        self.note(Kind::Woken { on: WaitFor::Push }, key, None);
    }
}
