//! How the figures of a run came about: counts over its length, latencies, shares. Only for small pictures; the
//! figures themselves come from the core's report.

use lab_core::report::figure;
use lab_core::trace::{Actor, Event, Kind, RequestKind, Verb};
use lab_core::value::Tier;

use super::Replay;

/// Parts of a run.
const PARTS: usize = 12;

impl Replay {
    /// How often what a figure counts happened, in twelve parts of the run since `act`.
    pub(crate) fn counts(&self, id: &str) -> Vec<usize> {
        let wanted = |event: &Event| match id {
            figure::DB_QUERIES => {
                event.actor == Actor::Primary && matches!(event.kind, Kind::Served { verb: Verb::Select, .. })
            }
            figure::REDIS_CALLS => {
                matches!(event.actor, Actor::RedisMaster(_)) && matches!(event.kind, Kind::Served { .. })
            }
            figure::COMPUTATIONS => matches!(event.kind, Kind::ComputeStarted),
            figure::WAITER_MEAN => matches!(event.kind, Kind::Woken { .. }),
            _ => matches!(event.kind, Kind::Completed { .. }),
        };
        let begin = self.trace.events.get(self.act()).map_or(0.0, |event| self.ruler.x(event.at));
        let mut counts = vec![0; PARTS];
        for event in self.trace.events.iter().skip(self.act()).filter(|event| wanted(event)) {
            let share = (self.ruler.x(event.at) - begin) / (1.0 - begin).max(1e-9);
            counts[((share * PARTS as f64) as usize).min(PARTS - 1)] += 1;
        }
        counts
    }

    /// How many reads took how long, from the quickest to the slowest.
    pub(crate) fn latencies(&self) -> Vec<usize> {
        let reads = self.operations.iter().flatten().filter(|operation| {
            operation.requested >= self.act()
                && matches!(operation.request, RequestKind::Read | RequestKind::Compute)
        });
        let took: Vec<u64> =
            reads.filter_map(|read| Some(read.completed?.1.0.saturating_sub(read.requested_at.0))).collect();
        let most = took.iter().copied().max().unwrap_or(0).max(1);
        let mut counts = vec![0; PARTS];
        for ns in took {
            counts[((ns as f64 / most as f64 * PARTS as f64) as usize).min(PARTS - 1)] += 1;
        }
        counts
    }

    /// The share of reads that L1 answered, as it went.
    pub(crate) fn hit_shares(&self) -> Vec<f64> {
        let tiers: Vec<Tier> = self
            .trace
            .events
            .iter()
            .skip(self.act())
            .filter_map(|event| match &event.kind {
                Kind::Completed { tier, .. } => *tier,
                _ => None,
            })
            .collect();
        let mut hits = 0.0;
        let shares: Vec<f64> = tiers
            .iter()
            .enumerate()
            .map(|(place, tier)| {
                hits += if *tier == Tier::L1 { 1.0 } else { 0.0 };
                hits / (place + 1) as f64
            })
            .collect();
        let step = shares.len().div_ceil(24).max(1);
        shares.into_iter().step_by(step).collect()
    }

    /// The longest that a notice was under way, in milliseconds: what staleness is measured against.
    pub(crate) fn longest_ms(&self) -> f64 {
        let ns = self.publications.iter().map(|notice| notice.to.0.saturating_sub(notice.from.0)).max();
        ns.unwrap_or(0) as f64 / 1e6
    }
}
