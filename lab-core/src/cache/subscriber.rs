//! What arrives on the bus, and what is missing; and the tasks that keep a server a member.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::TieredCache;
use crate::policy::{Acknowledge, Outbox};
use crate::ports::{
    Arrival, Audience, Body, Bus, BusError, Clock, DatabaseError, Member, Membership, Notice, Ports, Renewal,
    Subscription, Tasks,
};
use crate::trace::{self, Kind, Why};
use crate::value::{Instant, Key, ServerId};

/// How long a server waits before it subscribes or renews anew after a failure.
pub(super) const RETRY: Duration = Duration::from_millis(100);

impl<P: Ports> TieredCache<P> {
    /// Subscribes, becomes a member where the policy needs it, and starts what runs beside requests.
    ///
    /// # Errors
    /// When the bus cannot be subscribed to.
    pub async fn start(&self) -> Result<(), BusError> {
        let ports = &self.shared.ports;
        let subscription = ports.bus().subscribe().await?;
        self.shared.local.hearing.listens(self.now());
        let subscriber = self.clone();
        ports.tasks().spawn(Box::pin(async move { subscriber.follow(subscription).await }));
        if let Acknowledge::Members { lease_ms, renew_ms, .. } = self.shared.policy.write.acknowledge {
            let lease = Duration::from_millis(lease_ms);
            // A server that is no member yet does not serve L1: the task below tries again.
            self.renew(lease).await;
            if !kept!("join.renewed") {
                self.shared.local.renewed(self.now(), lease);
            }
            let member = self.clone();
            let every = Duration::from_millis(renew_ms);
            ports.tasks().spawn(Box::pin(async move { member.stay(lease, every).await }));
        }
        if let Some(every) = self.shared.policy.beat() {
            let publisher = self.clone();
            ports.tasks().spawn(Box::pin(async move { publisher.beat(every).await }));
        }
        if let Outbox::Relay { after_ms, every_ms } = self.shared.policy.write.outbox {
            let (after, every) = (Duration::from_millis(after_ms), Duration::from_millis(every_ms));
            let relay = self.clone();
            ports.tasks().spawn(Box::pin(async move { relay.relay(after, every).await }));
        }
        Ok(())
    }

    /// Carries out what arrives, for ever; subscribes anew when the subscription ends, or when nothing comes that should.
    async fn follow(&self, mut subscription: <P::Bus as Bus>::Subscription) {
        loop {
            let why = self.follow_one(&mut subscription).await;
            // Before the next is opened: a bus that still holds the old one may take both for one.
            drop(subscription);
            subscription = self.subscribe_anew().await;
            self.shared.local.hearing.listens(self.now());
            // What was published in between is lost, and nobody knows what it was.
            if kept!("gap.closed") {
                self.lose_notices(why);
            }
        }
    }

    /// Carries out what arrives until the subscription ends, and says why it did.
    async fn follow_one(&self, subscription: &mut <P::Bus as Bus>::Subscription) -> Why {
        let mut silence = pin!(self.silence());
        loop {
            let arrived = match select(pin!(subscription.next()), silence.as_mut()).await {
                Either::Left((arrived, _)) => arrived,
                Either::Right(((), _)) => return Why::Silence,
            };
            match arrived {
                Arrival::Notice(notice, delivery) => {
                    trace::scope(None, delivery, async { self.receive(notice) }).await;
                }
                Arrival::Closed => return Why::Gap,
            }
        }
    }

    /// Waits until nobody is heard although others are live: the connection may be half open, and then nothing tells of its
    /// end. It is found after twice the limit at the latest.
    async fn silence(&self) {
        let Some(limit) = self.shared.policy.silence_limit() else {
            return pending().await;
        };
        loop {
            self.shared.ports.clock().sleep(limit).await;
            if kept!("silence.reopens") && self.shared.local.hearing.is_deaf(self.now()) {
                return;
            }
        }
    }

    async fn subscribe_anew(&self) -> <P::Bus as Bus>::Subscription {
        loop {
            self.shared.ports.clock().sleep(RETRY).await;
            if let Ok(subscription) = self.shared.ports.bus().subscribe().await {
                return subscription;
            }
        }
    }

    /// Carries out a notice. It waits for nothing: what comes behind it must not be late because of it.
    fn receive(&self, notice: Notice) {
        let own = notice.from == self.shared.ports.server();
        if !own || !kept!("silence.own-proves-nothing") {
            let hearing = &self.shared.local.hearing;
            let missed = hearing.missing(&notice);
            if kept!("gap.noticed") && missed > 0 {
                self.note_bare(Kind::GapNoticed { from: notice.from, missed });
                self.lose_notices(Why::Gap);
            }
            // After the hole: L1 may have been withheld for silence, and must not be served again before it is emptied.
            hearing.heard(&notice, if kept!("silence.heard") { self.now() } else { Instant::default() });
        }
        match notice.body {
            Body::Invalidate { .. } if own => {}
            Body::Invalidate { key, version, acknowledge } => {
                if kept!("invalidate.heard") {
                    self.drop_local(&key, version, Why::Invalidated);
                }
                // Whoever waits for a fill may find the new value in L2.
                if kept!("invalidate.wakes") {
                    self.shared.fills.ring(&key);
                }
                if acknowledge && kept!("acknowledge.answers") {
                    self.acknowledge(notice.from, notice.number, notice.incarnation, key);
                }
            }
            Body::Filled { key } => self.shared.fills.ring(&key),
            Body::Acknowledge { number, incarnation, .. }
                if incarnation == self.shared.ports.incarnation() || !kept!("acknowledge.own-life") =>
            {
                let member = Member { server: notice.from, incarnation: notice.incarnation };
                self.shared.acknowledgements.arrived(number, member);
            }
            Body::Acknowledge { .. } | Body::Beat => {}
        }
    }

    /// Acknowledges an invalidation that was carried out, beside whatever else arrives.
    fn acknowledge(&self, to: ServerId, number: u64, incarnation: u64, key: Key) {
        let last = self.shared.broadcasts.load(Ordering::Acquire);
        let notice = self.notice(last, Body::Acknowledge { number, incarnation, key });
        let cache = self.clone();
        let acknowledging = async move {
            // A lost acknowledgement is asked for again by the writer.
            let _ = cache.shared.ports.bus().publish(Audience::One(to), notice).await;
        };
        let scoped = trace::scope(None, trace::cause(), acknowledging);
        self.shared.ports.tasks().spawn(Box::pin(scoped));
    }

    /// Notices were missed: whatever L1 holds may be old.
    fn lose_notices(&self, why: Why) {
        if self.shared.policy.needs_gaps() {
            self.empty_local(why);
        }
    }

    /// Renews the membership, for ever; but not while nobody is heard, or the bus takes nothing: a server that cannot hear an
    /// invalidation, or cannot say that it did, must not be waited for.
    async fn stay(&self, lease: Duration, every: Duration) {
        loop {
            self.shared.ports.clock().sleep(every).await;
            if kept!("depart.renews-no-more") && self.shared.departing.load(Ordering::Acquire) {
                return;
            }
            let (hearing, now) = (&self.shared.local.hearing, self.now());
            let deaf = kept!("renew.deaf") && hearing.is_deaf(now);
            let mute = kept!("renew.mute") && hearing.is_mute(now);
            if !deaf && !mute {
                self.renew(lease).await;
            } else if let Ok(live) = self.shared.ports.membership().live().await {
                // Whoever is not heard may be gone.
                hearing.members(&live, self.shared.ports.server(), self.now());
            }
        }
    }

    async fn renew(&self, lease: Duration) {
        let (local, sent) = (&self.shared.local, self.now());
        match self.shared.ports.membership().renew(lease).await {
            Ok(Renewal::Member(live)) => {
                // While it was no member, nobody waited for its acknowledgement: whoever joins does so with an empty L1, and
                // with nothing on its way into it.
                if kept!("join.empty") && !local.is_member(self.now()) {
                    self.empty_local(Why::LeaseRanOut);
                }
                local.hearing.members(&live, self.shared.ports.server(), self.now());
                if !kept!("depart.late-renewal") || !self.shared.departing.load(Ordering::Acquire) {
                    local.renewed(if kept!("renew.from-sending") { sent } else { self.now() }, lease);
                }
            }
            // Somebody waits for nothing but the end of this lease.
            Ok(Renewal::Barred) if kept!("barred.leaves") => local.leave(),
            // It is tried again at the next turn; meanwhile the lease runs on.
            Ok(Renewal::Barred) | Err(_) => {}
        }
    }

    /// Stops to serve L1 and gives the membership back, so that no write waits for a server that goes. What it is doing goes
    /// on, without L1.
    ///
    /// # Errors
    /// When the table of members could not be asked; then the lease runs out by itself.
    pub async fn depart(&self) -> Result<(), DatabaseError> {
        if self.shared.policy.write.acknowledge == Acknowledge::No {
            return Ok(());
        }
        self.shared.departing.store(true, Ordering::Release);
        if kept!("depart.leaves") {
            self.shared.local.leave();
        }
        self.empty_local(Why::LeaseRanOut);
        if kept!("depart.gives-back") { self.shared.ports.membership().leave().await } else { Ok(()) }
    }

    /// Publishes a sign of life, for ever.
    async fn beat(&self, every: Duration) {
        let every = if kept!("bus.beats") { every } else { Duration::MAX };
        loop {
            self.shared.ports.clock().sleep(every).await;
            let (last, sent) = (self.shared.broadcasts.load(Ordering::Acquire), self.now());
            let notice = self.notice(if kept!("gap.at-the-end") { last } else { 0 }, Body::Beat);
            if self.shared.ports.bus().publish(Audience::All, notice).await.is_ok() {
                self.shared.local.hearing.spoke(sent);
            }
        }
    }
}
