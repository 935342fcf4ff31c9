//! Who is heard on the bus, and who should be.
//!
//! Silence counts by publisher. Who should be heard is every other live member, as the server's own renewal last read it;
//! where there is no table of members, anybody else at all. One's own signs of life prove nothing: whoever hands them back
//! may hand back nothing else. While a live member is not heard, its invalidations may be lost, and L1 is not served.
//!
//! # The bound
//! A copy whose invalidation was lost is served no longer than from the commit on: the time between two renewals (until the
//! publisher is known to be live, if it has just joined), the silence limit, and the delivery of a notice. For whoever
//! joins, the limit begins with its own first renewal.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ports::{Body, Member, Notice};
use crate::value::{Instant, ServerId};

/// What this server has heard, and from whom.
pub(super) struct Hearing {
    /// A publisher may be silent for so long; `None`: for ever.
    limit: Option<Duration>,
    /// From when on L1 is not served, unless something is heard until then.
    silent_from: AtomicU64,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    publishers: BTreeMap<ServerId, Publisher>,
    /// The other live members, and since when they are known to be live; `None`: no table of members was read yet.
    live: Option<BTreeMap<Member, Instant>>,
    /// The last sign of life of anybody else; until the first, since when this server has been listening.
    anybody: Instant,
    /// When the bus last took a sign of life of our own.
    spoke: Instant,
}

/// One publisher's life, as far as it was heard.
struct Publisher {
    incarnation: u64,
    /// The number of its last broadcast.
    last: u64,
    at: Instant,
}

impl Heard {
    /// From when on somebody who should be heard has been silent for too long.
    fn silent_from(&self, limit: Duration) -> Instant {
        let live = self.live.as_ref().filter(|_| kept!("silence.each-member"));
        let Some(live) = live else { return self.anybody.after(limit) };
        let heard = live.iter().map(|(member, since)| self.last_sign_of(*member).max(*since));
        heard.min().map_or(Instant::FAR, |longest_ago| longest_ago.after(limit))
    }

    fn last_sign_of(&self, member: Member) -> Instant {
        let publisher = self.publishers.get(&member.server);
        publisher.filter(|known| known.incarnation == member.incarnation).map_or(Instant(0), |known| known.at)
    }
}

impl Hearing {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        let silent_from = AtomicU64::new(if limit.is_some() { 0 } else { u64::MAX });
        Self { limit, silent_from, heard: Mutex::default() }
    }

    /// This server has subscribed, for the first time or anew.
    pub(super) fn listens(&self, now: Instant) {
        self.change(|heard| (heard.anybody, heard.spoke) = (now, heard.spoke.max(now)));
    }

    /// Takes in somebody else's notice, and says how many are missing before it. Of a life that is new to us everything
    /// before counts as missing: L1 may have been filled since we subscribed, and nobody knows what was said meanwhile.
    pub(super) fn missing(&self, notice: &Notice) -> u64 {
        let heard = self.heard.lock().expect("no holder panics");
        let known = heard.publishers.get(&notice.from);
        let known = known.filter(|known| known.incarnation == notice.incarnation);
        let new = if kept!("gap.new-life") { 0 } else { notice.number };
        let last = known.map_or(new, |known| known.last);
        // A beat and an acknowledgement repeat the last number; a broadcast is the next one.
        let is_broadcast = matches!(notice.body, Body::Invalidate { .. } | Body::Filled { .. });
        notice.number.saturating_sub(last).saturating_sub(u64::from(is_broadcast))
    }

    /// Somebody else gave a sign of life.
    pub(super) fn heard(&self, notice: &Notice, now: Instant) {
        self.change(|heard| {
            heard.anybody = now;
            let incarnation = notice.incarnation;
            let new = Publisher { incarnation, last: 0, at: now };
            let known = heard.publishers.entry(notice.from).or_insert(new);
            if known.incarnation != incarnation {
                *known = Publisher { incarnation, last: 0, at: now };
            }
            let last = if kept!("gap.never-back") { known.last.max(notice.number) } else { notice.number };
            (known.last, known.at) = (last, now);
        });
    }

    /// These are live, by the table of members; `me` need not be heard.
    pub(super) fn members(&self, live: &[Member], me: ServerId, now: Instant) {
        self.change(|heard| {
            let known = heard.live.take().unwrap_or_default();
            let others = live.iter().filter(|member| member.server != me);
            let since = |member: &Member| (*member, known.get(member).copied().unwrap_or(now));
            heard.live = Some(others.map(since).collect());
        });
    }

    /// The bus took a sign of life of our own, which had been sent then.
    pub(super) fn spoke(&self, sent: Instant) {
        self.change(|heard| heard.spoke = heard.spoke.max(sent));
    }

    /// Whether somebody who should be heard is not.
    #[inline]
    pub(super) fn misses_somebody(&self, now: Instant) -> bool {
        now.0 > self.silent_from.load(Ordering::Acquire)
    }

    /// Whether others should be heard and nobody is: then it is our own ear, and nobody else's mouth.
    pub(super) fn is_deaf(&self, now: Instant) -> bool {
        let (Some(limit), heard) = (self.limit, self.heard.lock().expect("no holder panics")) else {
            return false;
        };
        let alone = kept!("renew.alone") && heard.live.as_ref().is_some_and(BTreeMap::is_empty);
        !alone && now.since(heard.anybody) > limit
    }

    /// Whether the bus has taken nothing of ours for too long.
    pub(super) fn is_mute(&self, now: Instant) -> bool {
        let heard = self.heard.lock().expect("no holder panics");
        self.limit.is_some_and(|limit| now.since(heard.spoke) > limit)
    }

    /// Whether somebody else has been heard within the limit: only then is another's silence its own.
    pub(super) fn hears_somebody(&self, now: Instant) -> bool {
        let heard = self.heard.lock().expect("no holder panics");
        let limit = self.limit.unwrap_or(Duration::MAX);
        heard.publishers.values().any(|publisher| now.since(publisher.at) <= limit)
    }

    /// Changes what is known, and what follows from it for L1.
    fn change(&self, change: impl FnOnce(&mut Heard)) {
        let mut heard = self.heard.lock().expect("no holder panics");
        change(&mut heard);
        if let Some(limit) = self.limit {
            self.silent_from.store(heard.silent_from(limit).0, Ordering::Release);
        }
    }
}
