//! The figures of a run as of an event, and how they came about: so that what stands beside the stage is never
//! ahead of it. At the last event they are those of the core's report, which a test holds them to.

use lab_core::report::{Figure, Unit, figure};
use lab_core::trace::{Actor, Event, Kind, NoticeKind, RequestKind, Verb};
use lab_core::value::Tier;

use super::{Operation, Replay};

/// Parts of a run, in the small pictures.
const PARTS: usize = 12;
/// Points of a line, in the small pictures.
const POINTS: usize = 24;

/// An answer that reached its client.
#[derive(Clone, Debug)]
struct Answer {
    index: usize,
    request: RequestKind,
    took_ns: u64,
    tier: Option<Tier>,
    /// How long a newer version had been acknowledged; 0 for an answer that is not stale.
    stale_ns: u64,
}

/// What counts, found once for a run: indices of events since the phase `act`, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    queries: Vec<usize>,
    redis_calls: Vec<usize>,
    notices: Vec<usize>,
    computations: Vec<usize>,
    /// Reads as they were sent: one that is never answered is no hit.
    reads_sent: Vec<usize>,
    answers: Vec<Answer>,
}

impl Series {
    /// Reads a run from the event `act` on.
    pub(super) fn new(events: &[Event], operations: &[Option<Operation>], act: usize) -> Self {
        let since = |wanted: &dyn Fn(&Event) -> bool| -> Vec<usize> {
            let events = events.iter().enumerate().skip(act);
            events.filter(|(_, event)| wanted(event)).map(|(index, _)| index).collect()
        };
        let mut answers: Vec<Answer> = operations
            .iter()
            .flatten()
            .filter(|operation| operation.requested >= act)
            .filter_map(|operation| {
                let (index, at) = operation.completed?;
                Some(Answer {
                    index,
                    request: operation.request,
                    took_ns: at.0.saturating_sub(operation.requested_at.0),
                    tier: operation.tier,
                    stale_ns: operation.stale_since.map_or(0, |since| at.0.saturating_sub(since.0)),
                })
            })
            .collect();
        answers.sort_by_key(|answer| answer.index);
        let served = |event: &Event| match event.kind {
            Kind::Served { verb, .. } if event.message.is_some() => Some(verb),
            _ => None,
        };
        Self {
            queries: since(&|event| event.actor == Actor::Primary && served(event) == Some(Verb::Select)),
            redis_calls: since(&|event| {
                matches!(event.actor, Actor::RedisMaster(_) | Actor::RedisReplica(_))
                    && served(event).is_some()
            }),
            notices: since(
                &|event| matches!(event.kind, Kind::Delivered { notice, .. } if notice != NoticeKind::Beat),
            ),
            computations: since(&|event| matches!(event.kind, Kind::Computed { .. })),
            reads_sent: since(&|event| {
                event.operation.is_some()
                    && matches!(event.kind, Kind::Requested { request: RequestKind::Read, .. })
            }),
            answers,
        }
    }

    /// The events that a figure counts.
    fn counted(&self, id: &str) -> &[usize] {
        match id {
            figure::DB_QUERIES => &self.queries,
            figure::REDIS_CALLS => &self.redis_calls,
            figure::BUS_NOTICES => &self.notices,
            figure::COMPUTATIONS => &self.computations,
            _ => &[],
        }
    }

    /// Answers up to an event.
    fn answers(&self, index: usize) -> &[Answer] {
        &self.answers[..self.answers.partition_point(|answer| answer.index <= index)]
    }

    /// How many reads were sent up to an event.
    fn reads_sent(&self, index: usize) -> usize {
        self.reads_sent.partition_point(|sent| *sent <= index)
    }

    fn reads(&self, index: usize) -> impl Iterator<Item = &Answer> {
        self.answers(index).iter().filter(|answer| answer.request == RequestKind::Read)
    }
}

impl Replay {
    /// A figure as of the event `index`; `None` while there is nothing to measure.
    pub(crate) fn figure(&self, id: &str, index: usize) -> Option<Figure> {
        let series = &self.series;
        let millis = |value: f64| Figure { value, unit: Unit::Millis };
        let from = |tiers: &[Tier]| {
            let hit = |read: &&Answer| read.tier.is_some_and(|tier| tiers.contains(&tier));
            let (hits, sent) = (series.reads(index).filter(hit).count(), series.reads_sent(index));
            (sent > 0).then(|| Figure { value: hits as f64 / sent as f64, unit: Unit::Share })
        };
        let count = |count: usize| Figure { value: count as f64, unit: Unit::Count };
        let mean = |took: Vec<u64>| {
            let total = took.iter().sum::<u64>() as f64;
            (!took.is_empty()).then(|| millis(total / took.len() as f64 / 1e6))
        };
        match id {
            figure::DB_QUERIES | figure::REDIS_CALLS | figure::BUS_NOTICES | figure::COMPUTATIONS => {
                Some(count(series.counted(id).partition_point(|event| *event <= index)))
            }
            figure::STALE_READS => Some(count(series.reads(index).filter(|read| read.stale_ns > 0).count())),
            figure::WRITE_MEAN => {
                let writes = series.answers(index).iter().filter(|one| one.request == RequestKind::Write);
                mean(writes.map(|one| one.took_ns).collect())
            }
            figure::L1_HIT_SHARE => from(&[Tier::L1]),
            figure::HIT_SHARE => from(&[Tier::L1, Tier::L2]),
            figure::READ_P50 => quantile(series, index, 50).map(millis),
            figure::READ_P99 => quantile(series, index, 99).map(millis),
            figure::STALENESS_MAX => {
                let oldest = series.reads(index).map(|read| read.stale_ns).max().unwrap_or(0);
                Some(millis(oldest as f64 / 1e6))
            }
            figure::WAITER_MEAN => {
                let waited =
                    |one: &&Answer| one.request == RequestKind::Compute && one.tier != Some(Tier::Computed);
                mean(series.answers(index).iter().filter(waited).map(|one| one.took_ns).collect())
            }
            _ => None,
        }
    }

    /// How often what a figure counts happened up to the event `index`, in twelve parts of the run since `act`.
    pub(crate) fn counts(&self, id: &str, index: usize) -> Vec<usize> {
        let begin = self.event(self.act()).map_or(0.0, |event| self.ruler.x(event.at));
        let mut counts = vec![0; PARTS];
        for event in self.series.counted(id).iter().take_while(|event| **event <= index) {
            let x = self.event(*event).map_or(0.0, |event| self.ruler.x(event.at));
            let share = (x - begin) / (1.0 - begin).max(1e-9);
            counts[((share * PARTS as f64) as usize).min(PARTS - 1)] += 1;
        }
        counts
    }

    /// How many reads took how long up to the event `index`, from the quickest to the slowest of the run.
    pub(crate) fn latencies(&self, index: usize) -> Vec<usize> {
        let reads = |index| self.series.answers(index).iter().filter(|one| is_read(one.request));
        let most = reads(self.last()).map(|read| read.took_ns).max().unwrap_or(0).max(1);
        let mut counts = vec![0; PARTS];
        for read in reads(index) {
            let share = read.took_ns as f64 / most as f64;
            counts[((share * PARTS as f64) as usize).min(PARTS - 1)] += 1;
        }
        counts
    }

    /// The share of the reads sent that L1 had answered, at each answer up to the event `index`.
    pub(crate) fn hit_shares(&self, index: usize) -> Vec<f64> {
        let mut hits = 0.0;
        let shares: Vec<f64> = self
            .series
            .reads(index)
            .map(|read| {
                hits += if read.tier == Some(Tier::L1) { 1.0 } else { 0.0 };
                hits / self.series.reads_sent(read.index) as f64
            })
            .collect();
        let step = shares.len().div_ceil(POINTS).max(1);
        shares.into_iter().step_by(step).collect()
    }

    /// The longest that a notice was under way, in milliseconds: what staleness is measured against.
    pub(crate) fn longest_ms(&self) -> f64 {
        let ns = self.publications.iter().map(|notice| notice.to.0.saturating_sub(notice.from.0)).max();
        ns.unwrap_or(0) as f64 / 1e6
    }
}

fn is_read(request: RequestKind) -> bool {
    matches!(request, RequestKind::Read | RequestKind::Compute)
}

/// The latency at or below which so many percent of the reads lie (nearest rank), in milliseconds.
fn quantile(series: &Series, index: usize, percent: usize) -> Option<f64> {
    let mut took: Vec<u64> = series.reads(index).map(|read| read.took_ns).collect();
    let rank = (took.len() * percent).div_ceil(100).max(1);
    (rank <= took.len()).then(|| *took.select_nth_unstable(rank - 1).1 as f64 / 1e6)
}
