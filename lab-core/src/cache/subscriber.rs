//! What arrives on the bus, and what is missing; and the tasks that keep a server a member.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::TieredCache;
use crate::policy::{Acknowledge, Outbox};
use crate::ports::{
    Arrival, Audience, Body, Bus, BusError, Clock, Member, Membership, Notice, Ports, Subscription, Tasks,
};
use crate::trace::{self, Kind, Why};
use crate::value::{Key, ServerId};

/// How long a server waits before it subscribes or renews anew after a failure.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// The last number heard of each publisher's life.
#[derive(Default)]
struct Heard(BTreeMap<ServerId, (u64, u64)>);

impl Heard {
    /// Takes in a number and says how many are missing before it. Of a life that is new to us everything before
    /// counts as missing: L1 may have been filled since we subscribed, and nobody knows what was said meanwhile.
    fn missing(&mut self, notice: &Notice) -> u64 {
        let life = notice.incarnation;
        let known = self.0.get(&notice.from).filter(|(incarnation, _)| *incarnation == life);
        let last = known.map_or(0, |(_, last)| *last);
        let last = if kept!("gap.new-life") || known.is_some() { last } else { notice.number };
        self.0.insert(
            notice.from,
            (life, if kept!("gap.never-back") { last.max(notice.number) } else { notice.number }),
        );
        // A beat and an acknowledgement repeat the last number; a broadcast is the next one.
        notice.number.saturating_sub(last).saturating_sub(u64::from(is_broadcast(&notice.body)))
    }
}

fn is_broadcast(body: &Body) -> bool {
    matches!(body, Body::Invalidate { .. } | Body::Filled { .. })
}

impl<P: Ports> TieredCache<P> {
    /// Subscribes, becomes a member where the policy needs it, and starts what runs beside requests.
    ///
    /// # Errors
    /// When the bus cannot be subscribed to.
    pub async fn start(&self) -> Result<(), BusError> {
        let ports = &self.shared.ports;
        let subscription = ports.bus().subscribe().await?;
        self.shared.local.heard(self.now());
        let subscriber = self.clone();
        ports.tasks().spawn(Box::pin(async move { subscriber.follow(subscription).await }));
        if let Acknowledge::Members { lease_ms, renew_ms, .. } = self.shared.policy.write.acknowledge {
            let lease = Duration::from_millis(lease_ms);
            // A server that is no member yet does not serve L1: the task below tries again.
            let sent = self.now();
            if ports.membership().renew(lease).await.is_ok() || !kept!("join.renewed") {
                self.shared.local.renewed(sent, lease);
            }
            let member = self.clone();
            let every = Duration::from_millis(renew_ms);
            ports.tasks().spawn(Box::pin(async move { member.stay(lease, every).await }));
        }
        if self.shared.policy.bus.beat_ms > 0 {
            let publisher = self.clone();
            ports.tasks().spawn(Box::pin(async move { publisher.beat().await }));
        }
        if let Outbox::Relay { after_ms, every_ms } = self.shared.policy.write.outbox {
            let (after, every) = (Duration::from_millis(after_ms), Duration::from_millis(every_ms));
            let relay = self.clone();
            ports.tasks().spawn(Box::pin(async move { relay.relay(after, every).await }));
        }
        Ok(())
    }

    /// Carries out what arrives, for ever; subscribes anew when the subscription ends.
    async fn follow(&self, mut subscription: <P::Bus as Bus>::Subscription) {
        let mut heard = Heard::default();
        loop {
            match subscription.next().await {
                Arrival::Notice(notice, delivery) => {
                    trace::scope(None, delivery, async { self.receive(&mut heard, notice) }).await;
                }
                Arrival::Closed => {
                    subscription = self.subscribe_anew().await;
                    // What was published in between is lost, and nobody knows what it was.
                    if kept!("gap.closed") {
                        self.lose_notices();
                    }
                }
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
    fn receive(&self, heard: &mut Heard, notice: Notice) {
        let own = notice.from == self.shared.ports.server();
        let missed = heard.missing(&notice);
        if kept!("gap.noticed") && missed > 0 && !own {
            self.note_bare(Kind::GapNoticed { from: notice.from, missed });
            self.lose_notices();
        }
        // After the hole: L1 may have been withheld for silence, and must not be served again before it is emptied.
        if kept!("silence.heard") {
            self.shared.local.heard(self.now());
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
    fn lose_notices(&self) {
        if self.shared.policy.bus.gaps {
            self.empty_local(Why::Gap);
        }
    }

    /// Renews the membership, for ever; but not while the bus is silent: a server that cannot hear an invalidation
    /// must not be waited for.
    async fn stay(&self, lease: Duration, every: Duration) {
        loop {
            self.shared.ports.clock().sleep(every).await;
            if !self.shared.local.deaf(self.now()) {
                self.renew(lease).await;
            }
        }
    }

    async fn renew(&self, lease: Duration) {
        let sent = self.now();
        // A failed renewal is tried again at the next turn; meanwhile the lease runs on.
        if self.shared.ports.membership().renew(lease).await.is_ok() {
            // While it was no member, nobody waited for its acknowledgement: whoever joins does so with an empty L1, and
            // with nothing on its way into it.
            if kept!("join.empty") && !self.shared.local.is_member(self.now()) {
                self.empty_local(Why::LeaseRanOut);
            }
            let since = if kept!("renew.from-sending") { sent } else { self.now() };
            self.shared.local.renewed(since, lease);
        }
    }

    /// Publishes a sign of life, for ever.
    async fn beat(&self) {
        let every = Duration::from_millis(self.shared.policy.bus.beat_ms);
        let every = if kept!("bus.beats") { every } else { Duration::MAX };
        loop {
            self.shared.ports.clock().sleep(every).await;
            let last = self.shared.broadcasts.load(Ordering::Acquire);
            let _ = self.shared.ports.bus().publish(Audience::All, self.notice(last, Body::Beat)).await;
        }
    }
}
