//! A write that returns when everybody has forgotten the old value.
//!
//! Everybody is every live member: a server that cannot acknowledge stops to serve L1 when its membership lease runs out.
//! It does not renew the lease while it hears nobody or the bus takes nothing of it; and if it does not know of its trouble, a
//! writer bars it. So the write ends either way.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::TieredCache;
use super::single_flight::{Boarding, Seat};
use crate::policy::Acknowledge;
use crate::ports::{Audience, Body, Bus, Clock, DatabaseError, Member, Membership, Notice, Ports};
use crate::trace::{self, EventId, Kind, WaitFor};
use crate::value::{Instant, Key, Version};

/// A write gives up after so many membership leases. One is enough for whoever cannot hear; the rest is for those who
/// come and go.
const PATIENCE_LEASES: u32 = 5;

/// Who is live, and the last event of the question, from which the writers' next events follow.
pub(super) type Roster = (Result<Vec<Member>, DatabaseError>, Option<EventId>);

/// Invalidations of this server that wait for acknowledgements, by number.
#[derive(Default)]
pub(super) struct Acknowledgements(Mutex<BTreeMap<u64, Pending>>);

/// How a write waits for acknowledgements.
#[derive(Clone, Copy)]
struct Waits {
    /// After which time it publishes again.
    again: Duration,
    /// How long a member's lease runs at most.
    lease: Duration,
    /// When it bars those who have not acknowledged.
    patience: Instant,
    /// When it gives up.
    until: Instant,
}

#[derive(Default)]
struct Pending {
    from: BTreeSet<Member>,
    /// The delivery of the last acknowledgement.
    cause: Option<EventId>,
    waker: Option<Waker>,
}

impl Acknowledgements {
    fn open(&self, number: u64) {
        self.0.lock().expect("no holder panics").insert(number, Pending::default());
    }

    fn close(&self, number: u64) {
        self.0.lock().expect("no holder panics").remove(&number);
    }

    /// Notes that `from` carried out the invalidation of that number.
    pub(super) fn arrived(&self, number: u64, from: Member) {
        let waker = match self.0.lock().expect("no holder panics").get_mut(&number) {
            Some(pending) => {
                pending.from.insert(from);
                pending.cause = trace::cause();
                pending.waker.take()
            }
            None => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Those of `members` who have not acknowledged.
    fn missing(&self, number: u64, members: &BTreeSet<Member>) -> Vec<Member> {
        let all = self.0.lock().expect("no holder panics");
        let from = all.get(&number).map(|pending| &pending.from);
        members.iter().filter(|member| from.is_none_or(|from| !from.contains(member))).copied().collect()
    }

    /// Waits until all of `members` have acknowledged; what follows is the last acknowledgement's consequence.
    async fn all(&self, number: u64, members: &BTreeSet<Member>) {
        poll_fn(|cx| {
            let mut all = self.0.lock().expect("no holder panics");
            match all.get_mut(&number) {
                Some(pending)
                    if kept!("acknowledge.waits")
                        && !members.is_subset(&pending.from)
                        && (kept!("acknowledge.all") || pending.from.is_empty()) =>
                {
                    pending.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                Some(pending) => {
                    if pending.cause.is_some() {
                        trace::set_cause(pending.cause);
                    }
                    Poll::Ready(())
                }
                None => Poll::Ready(()),
            }
        })
        .await;
    }
}

impl<P: Ports> TieredCache<P> {
    /// Tells every server that the row changed, waits as long as the policy says, and says whether everybody has heard, as
    /// far as the policy asks.
    pub(super) async fn announce(&self, key: &Key, version: Version) -> bool {
        let Acknowledge::Members { lease_ms, again_ms, .. } = self.shared.policy.write.acknowledge else {
            return self.invalidate_others(key, Some(version)).await;
        };
        let number = self.next_broadcast();
        self.shared.acknowledgements.open(number);
        let (now, lease) = (self.now(), Duration::from_millis(lease_ms));
        let waits = Waits {
            again: if kept!("acknowledge.again") { Duration::from_millis(again_ms) } else { Duration::MAX },
            lease,
            patience: now.after(lease),
            until: now.after(lease * PATIENCE_LEASES),
        };
        let heard = self.until_acknowledged(key, version, number, waits).await;
        self.shared.acknowledgements.close(number);
        heard
    }

    async fn until_acknowledged(
        &self,
        key: &Key,
        version: Version,
        number: u64,
        Waits { again, lease, patience, until }: Waits,
    ) -> bool {
        let ports = &self.shared.ports;
        let mut barred = BTreeMap::new();
        while self.now() < until {
            let body = Body::Invalidate { key: key.clone(), version: Some(version), acknowledge: true };
            // A publication that failed is like one that was lost: it is made again.
            let _ = ports.bus().publish(Audience::All, self.notice(number, body)).await;
            // The members are read after the commit: who joins, or joins again, later does so with an empty L1.
            let live = self.live().await;
            let live = if kept!("acknowledge.members-known") { live } else { live.or(Ok(Vec::new())) };
            let Ok(live) = live else {
                ports.clock().sleep(again).await;
                continue;
            };
            let now = self.now();
            let owes = |member: &Member| {
                member.server != ports.server() && barred.get(member).is_none_or(|until| now < *until)
            };
            let others: BTreeSet<_> = live.into_iter().filter(owes).collect();
            self.note(Kind::Waiting { on: WaitFor::Acknowledgements }, key, Some(version));
            let acknowledged = pin!(self.shared.acknowledgements.all(number, &others));
            let too_late = pin!(ports.clock().sleep(again));
            if matches!(select(acknowledged, too_late).await, Either::Left(_)) {
                self.note(Kind::Woken { on: WaitFor::Acknowledgements }, key, Some(version));
                return true;
            }
            if self.now() >= patience {
                let missing = self.shared.acknowledgements.missing(number, &others);
                self.bar(missing, lease, &mut barred).await;
            }
        }
        !kept!("acknowledge.gives-up")
    }

    /// Bars members that have not acknowledged, and notes when the last of their leases has run out: if they are members
    /// then, they have joined again, with an empty L1. Who hears nobody bars nobody: it may be the only one who does not hear
    /// what they say.
    async fn bar(&self, mut members: Vec<Member>, lease: Duration, barred: &mut BTreeMap<Member, Instant>) {
        members.retain(|member| !barred.contains_key(member));
        let hears = !kept!("bar.not-by-the-deaf") || self.shared.local.hearing.hears_somebody(self.now());
        if members.is_empty() || !hears || !kept!("bar.silent-members") {
            return;
        }
        if self.shared.ports.membership().bar(members.clone()).await.is_ok() {
            let until =
                self.now().after(if kept!("bar.waits-for-the-lease") { lease } else { Duration::ZERO });
            barred.extend(members.into_iter().map(|member| (member, until)));
        }
    }

    /// Who is live, by a question that was asked after this call. One question serves all who came before it was sent, so
    /// that a herd of writes asks twice.
    async fn live(&self) -> Result<Vec<Member>, DatabaseError> {
        let ask = || {
            let cache = self.clone();
            let asking = async move {
                let live = cache.shared.ports.membership().live().await;
                (live, trace::cause())
            };
            trace::scope(trace::current(), trace::cause(), asking).boxed()
        };
        let boarding =
            if kept!("acknowledge.asked-after") { Boarding::BeforeDeparture } else { Boarding::Any };
        let (departure, flight) = match self.shared.rosters.board(&(), boarding, ask) {
            Seat::Leads(departure, flight) => (Some(departure), flight),
            Seat::Joins(flight) => (None, flight),
        };
        let (live, last) = flight.await;
        trace::set_cause(last);
        drop(departure);
        live
    }

    /// Publishes an invalidation, does not wait for anybody, and says whether the bus took it.
    pub(super) async fn invalidate_others(&self, key: &Key, version: Option<Version>) -> bool {
        self.tell(Body::Invalidate { key: key.clone(), version, acknowledge: false }).await
    }

    /// Publishes to everybody, and says whether the bus took it. A publication that fails is lost, as with any such bus:
    /// subscribers see the hole.
    pub(super) async fn tell(&self, body: Body) -> bool {
        let notice = self.notice(self.next_broadcast(), body);
        self.shared.ports.bus().publish(Audience::All, notice).await.is_ok()
    }

    fn next_broadcast(&self) -> u64 {
        self.shared.broadcasts.fetch_add(u64::from(kept!("gap.numbered")), Ordering::AcqRel) + 1
    }

    pub(super) fn notice(&self, number: u64, body: Body) -> Notice {
        let ports = &self.shared.ports;
        Notice { from: ports.server(), incarnation: ports.incarnation(), number, body }
    }
}
