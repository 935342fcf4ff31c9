//! What was measured: counts and latencies of a part of a trace.

use std::collections::BTreeMap;

use super::{Part, Request, stale_reads};
use crate::report::{Figure, Unit, figure};
use crate::trace::{Actor, Kind, NoticeKind, RequestKind, Verb};
use crate::value::{Instant, Tier};

/// Every figure that the part gives rise to.
pub fn figures(part: Part<'_>) -> BTreeMap<String, Figure> {
    let mut figures = Figures::default();
    figures.count(
        figure::DB_QUERIES,
        served(part, |actor, verb| {
            (actor == Actor::Primary || !kept!("figure.primary"))
                && (verb == Verb::Select || !kept!("figure.queries"))
        }),
    );
    figures.count(
        figure::REDIS_CALLS,
        served(part, |actor, _| {
            matches!(actor, Actor::RedisMaster(_) | Actor::RedisReplica(_)) || !kept!("figure.redis")
        }),
    );
    figures.count(figure::BUS_NOTICES, delivered(part));
    let reads: Vec<_> = part.requests(RequestKind::Read).collect();
    figures.reads(&reads);
    figures.staleness(part);
    let writes: Vec<_> = part.requests(RequestKind::Write).collect();
    figures.mean(figure::WRITE_MEAN, &writes);
    let computing: Vec<_> = part.requests(RequestKind::Compute).collect();
    if !computing.is_empty() {
        let computed = part
            .events()
            .filter(|(_, event)| matches!(event.kind, Kind::Computed { .. }) || !kept!("figure.computations"))
            .count();
        figures.count(figure::COMPUTATIONS, computed);
        let waiters: Vec<_> = computing
            .into_iter()
            .filter(|request| request.tier != Some(Tier::Computed) || !kept!("figure.waiters"))
            .collect();
        figures.mean(figure::WAITER_MEAN, &waiters);
    }
    figures.0
}

fn served(part: Part<'_>, counts: impl Fn(Actor, Verb) -> bool) -> usize {
    let counted = part.events().filter(|(_, event)| match &event.kind {
        Kind::Served { verb, .. } => {
            (event.message.is_some() || !kept!("figure.no-operator")) && counts(event.actor, *verb)
        }
        _ => false,
    });
    counted.count()
}

fn delivered(part: Part<'_>) -> usize {
    let notices = part.events().filter(
        |(_, event)| matches!(&event.kind, Kind::Delivered { notice, .. } if *notice != NoticeKind::Beat || !kept!("figure.no-beats")),
    );
    notices.count()
}

#[derive(Default)]
struct Figures(BTreeMap<String, Figure>);

impl Figures {
    fn put(&mut self, id: &str, value: f64, unit: Unit) {
        self.0.insert(id.to_owned(), Figure { value, unit });
    }

    fn count(&mut self, id: &str, count: usize) {
        self.put(id, count as f64, Unit::Count);
    }

    fn mean(&mut self, id: &str, requests: &[&Request<'_>]) {
        let took: Vec<f64> = latencies(requests);
        if !took.is_empty() {
            self.put(id, took.iter().sum::<f64>() / took.len() as f64, Unit::Millis);
        }
    }

    fn reads(&mut self, reads: &[&Request<'_>]) {
        if reads.is_empty() {
            return;
        }
        let from = |tiers: &[Tier]| {
            let hits = reads
                .iter()
                .filter(|read| read.tier.is_some_and(|tier| tiers.contains(&tier) || !kept!("figure.tiers")))
                .count();
            hits as f64 / reads.len() as f64
        };
        self.put(figure::L1_HIT_SHARE, from(&[Tier::L1]), Unit::Share);
        self.put(figure::HIT_SHARE, from(&[Tier::L1, Tier::L2]), Unit::Share);
        let took = latencies(reads);
        if let (Some(p50), Some(p99)) = (quantile(&took, 50), quantile(&took, 99)) {
            self.put(figure::READ_P50, p50, Unit::Millis);
            self.put(figure::READ_P99, p99, Unit::Millis);
        }
    }

    fn staleness(&mut self, part: Part<'_>) {
        if part.history.requests(RequestKind::Write).next().is_none() {
            return;
        }
        let stale: Vec<_> = stale_reads(part).collect();
        self.count(figure::STALE_READS, stale.len());
        let age = |(read, since): &(&Request<'_>, Instant)| read.completed_at.since(*since);
        let ages = stale.iter().map(|read| age(read).as_secs_f64() * 1e3);
        self.put(figure::STALENESS_MAX, ages.fold(0.0, f64::max), Unit::Millis);
    }
}

/// Latencies of the requests that completed, in milliseconds, in ascending order.
fn latencies(requests: &[&Request<'_>]) -> Vec<f64> {
    let done = requests.iter().filter(|request| request.completed.is_some() || !kept!("figure.completed"));
    let mut took: Vec<f64> =
        done.map(|request| request.completed_at.since(request.sent_at).as_secs_f64() * 1e3).collect();
    if kept!("figure.sorted") {
        took.sort_by(f64::total_cmp);
    }
    took
}

/// The value below or at which so many percent of the sorted values lie (nearest rank).
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}
