//! A scenario's own run, and what it may meet besides: branches of it, with faults drawn from the kinds that a green says
//! it survives, or does not.

use std::fmt;
use std::time::Duration;

use super::plan::{Plan, Trouble};
use super::promise::Promise;
use super::shrink::shrink_branch;
use crate::cluster::{Actor, Topology, slot};
use crate::fault::{Link, Peril};
use crate::scenario::{Deed, Intervention, Limit, Point, Run, RunSpec, phase};
use crate::sim;
use crate::sim::random::{Purpose, Stream};
use crate::trace::{Kind, Trace};
use crate::value::{Instant, ServerId};
use crate::world::WorldError;

/// Strikes of a run, at most.
const STRIKES_MAX: u32 = 3;
/// A delay, in milliseconds: a nuisance, or around the deadlines of calls and leases.
const DELAYS_MS: [(u64, u64); 2] = [(5, 200), (400, 2_500)];
/// How much longer a slow statement takes, in milliseconds.
const SLOW_MS: (u64, u64) = (5, 4_000);
/// How far a clock is off at most, in milliseconds.
const SKEW_MS: u64 = 3_000;
/// The longest strike, in milliseconds.
const LONGEST_MS: u64 = 4_000;
/// Of a hundred strikes at Redis so many hit the shard of the scenario's row.
const FOCUS_PERCENT: u32 = 70;

/// Draws one of its kind.
fn trouble(peril: Peril, chance: &mut Stream, place: &Place) -> Trouble {
    let server = ServerId(1 + number(chance, place.servers));
    let delay = |chance: &mut Stream, link| {
        let (least, most) = DELAYS_MS[chance.below(2) as usize];
        Trouble::Delay(link, chance.between(least, most))
    };
    match peril {
        Peril::BusLate => {
            let link = bus(chance, server);
            if chance.chance(70) { delay(chance, link) } else { Trouble::Hold(link) }
        }
        Peril::BusLost => {
            let link = bus(chance, server);
            [Trouble::Cut(link), Trouble::BlackHole(link), Trouble::Reset(link)][chance.below(3) as usize]
        }
        Peril::RedisAway => {
            let store = master(chance, place);
            away(chance, server, store, delay)
        }
        Peril::DatabaseAway if chance.chance(20) => Trouble::Slow(chance.between(SLOW_MS.0, SLOW_MS.1)),
        Peril::DatabaseAway => away(chance, server, Actor::Primary, delay),
        Peril::ServerPaused => Trouble::Pause(server),
        Peril::ServerKilled => [Trouble::Kill(server), Trouble::Bounce(server)][chance.below(2) as usize],
        Peril::ClockOff => {
            let by_ms = i64::try_from(chance.between(1, SKEW_MS)).unwrap_or(i64::MAX);
            Trouble::Skew(server, if chance.chance(50) { by_ms } else { -by_ms })
        }
        Peril::PrimaryRestarted => Trouble::BouncePrimary,
        Peril::PrimaryPaused => Trouble::PausePrimary,
        Peril::RedisRestarted => Trouble::BounceRedis(master(chance, place)),
        Peril::RedisPaused => Trouble::PauseRedis(master(chance, place)),
    }
}

/// What of a run can be struck, and when.
struct Place {
    servers: u8,
    shards: u8,
    /// The shard of the scenario's row.
    shard: u8,
    begins: Instant,
    length_ms: u64,
}

impl Place {
    /// Where the plain run could be struck; nothing if it has no act.
    fn of(spec: &RunSpec, plain: &Trace) -> Option<Self> {
        let topology = plain.events.iter().find_map(|event| match &event.kind {
            Kind::Started { topology } => Some(topology),
            _ => None,
        })?;
        let act = plain
            .events
            .iter()
            .find(|event| matches!(&event.kind, Kind::Phase { name } if name == phase::ACT))?;
        let length = plain.events.last()?.at.since(act.at);
        Some(Self {
            servers: topology.servers,
            shards: u8::try_from(topology.shards.len()).unwrap_or(u8::MAX),
            shard: shard(topology, spec.scenario.scenario().focus),
            begins: act.at,
            length_ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1),
        })
    }

    /// A beginning within the act, and an end.
    fn time(&self, chance: &mut Stream) -> (Instant, Instant) {
        let begins = self.begins.after(Duration::from_millis(chance.between(0, self.length_ms)));
        let longest = [self.length_ms / 4, self.length_ms, LONGEST_MS][chance.below(3) as usize].max(1);
        (begins, begins.after(Duration::from_millis(chance.between(1, longest))))
    }
}

/// A scenario's run that meets more than its own fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The run.
    pub spec: RunSpec,
    /// The kinds of trouble that it meets.
    pub struck: Vec<Peril>,
}

/// The run with one to three strikes of these kinds, drawn from its seed, at instants of the plain run's act. Nothing if
/// the plain run has no act.
pub fn branch(spec: &RunSpec, plain: &Trace, perils: &[Peril]) -> Option<Branch> {
    let place = Place::of(spec, plain)?;
    let mut chance = Stream::new(spec.seed, Purpose::Perils);
    let mut branch = Branch { spec: spec.clone(), struck: Vec::new() };
    for _ in 0..=chance.below(STRIKES_MAX) {
        let peril = perils.get(chance.below(u32::try_from(perils.len()).ok()?.max(1)) as usize)?;
        let strike = trouble(*peril, &mut chance, &place);
        let (begins, ends) = place.time(&mut chance);
        let fault = |at, fault| Intervention { at: Point::At(at), deed: Deed::Fault(fault) };
        branch.struck.push(*peril);
        branch.spec.interventions.push(fault(begins, strike.begins()));
        branch.spec.interventions.extend(strike.ends().map(|remedy| fault(ends, remedy)));
    }
    Some(branch)
}

/// How a run broke that met more than its own fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broke {
    /// The scenario's run went beyond these bounds of its goal, under these strikes and no fewer.
    Bounds(Vec<String>, Vec<Intervention>),
    /// The policy broke this promise under the nemesis.
    Promise(Promise),
    /// A run did not end, or the world broke; why.
    Stuck(String),
}

impl fmt::Display for Broke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds(checks, strikes) => {
                write!(f, "beyond its bound: {} (", checks.join(", "))?;
                for (number, strike) in strikes.iter().enumerate() {
                    write!(f, "{}{strike}", if number == 0 { "" } else { "; " })?;
                }
                f.write_str(")")
            }
            Self::Promise(promise) => write!(f, "the nemesis breaks {promise:?}"),
            Self::Stuck(why) => f.write_str(why),
        }
    }
}

/// Runs a branch. Nothing if a fault keeps the scenario's own hands from what they have to do: then it shows nothing.
///
/// # Errors
/// When the run does not come to an end, or the world breaks.
pub fn run_branch(branch: &RunSpec) -> Result<Option<Run>, WorldError> {
    match sim::run(branch) {
        Err(WorldError::OutOfReach { .. }) => Ok(None),
        run => run.map(Some),
    }
}

/// Lets a scenario's run meet any kind of trouble, and its policy the nemesis, both under the seed of the spec.
///
/// # Errors
/// What broke that is no limit of the policy.
pub fn endure(spec: &RunSpec, plain: &Trace, limits: &[Limit]) -> Result<(), Broke> {
    let stuck = |error: WorldError| Broke::Stuck(error.to_string());
    if let Some(Branch { spec, struck }) = branch(spec, plain, &Peril::ALL)
        && let Some(run) = run_branch(&spec).map_err(stuck)?
    {
        let beyond = run.report.overstepped().map(|check| check.id.clone());
        let beyond: Vec<_> = beyond.filter(|check| !Limit::covers(limits, &struck, check)).collect();
        if !beyond.is_empty() {
            let breaks = |less: &RunSpec| {
                let run = run_branch(less).ok().flatten();
                run.is_some_and(|run| run.report.overstepped().any(|check| beyond.contains(&check.id)))
            };
            let smallest = shrink_branch(spec, breaks);
            return Err(Broke::Bounds(beyond, smallest.interventions));
        }
    }
    let found = super::run(&Plan::draw(&spec.policy, spec.seed)).map_err(stuck)?;
    found.violations.first().map_or(Ok(()), |violation| Err(Broke::Promise(violation.promise)))
}

/// A Redis master: more often that of the scenario's row.
fn master(chance: &mut Stream, place: &Place) -> Actor {
    let shard = if chance.chance(FOCUS_PERCENT) { place.shard } else { number(chance, place.shards) };
    Actor::RedisMaster(shard)
}

fn number(chance: &mut Stream, end: u8) -> u8 {
    u8::try_from(chance.below(end.max(1).into())).unwrap_or(0)
}

fn shard(topology: &Topology, row: &str) -> u8 {
    topology.shard_of(slot(row))
}

/// The way of a notice: to a server, or from it.
fn bus(chance: &mut Stream, server: ServerId) -> Link {
    if chance.chance(70) { Link::BusTo(server) } else { Link::From(Actor::Server(server), Actor::Bus) }
}

/// A link between a server and a store that is bad, in one direction.
fn away(
    chance: &mut Stream,
    server: ServerId,
    store: Actor,
    delay: impl Fn(&mut Stream, Link) -> Trouble,
) -> Trouble {
    let server = Actor::Server(server);
    let link = if chance.chance(50) { Link::From(server, store) } else { Link::From(store, server) };
    match chance.below(5) {
        0 => delay(chance, link),
        1 => Trouble::Cut(link),
        2 => Trouble::BlackHole(link),
        3 => Trouble::Hold(link),
        _ => Trouble::Reset(link),
    }
}
