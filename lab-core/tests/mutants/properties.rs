//! What must hold, in the order in which it is asked: what `lab verify` runs, the nemesis, the port contract, and what
//! single tests say.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{barring, caches, leases, members, relays, threads, traces, unknown};
use lab_core::nemesis::{self, Plan};
use lab_core::policy::{Policy, Switch};
use lab_core::ports::contract;
use lab_core::scenario::{Preset, Role, RunSpec, ScenarioId};
use lab_core::sim;

/// Who sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// What `lab verify` runs.
    Verify,
    /// Something that the tests run besides.
    Tests,
}

/// Something that must hold under every seed.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) sees: Sees,
    /// So many seeds are tried; one where chance plays no part.
    pub(crate) seeds: u64,
    /// Whether it is broken under a seed; a panic says so too.
    broken: fn(u64) -> bool,
}

impl Property {
    /// The number of seeds until it is red, itself counted; nothing if it stays green.
    pub(crate) fn seeds_to_red(&self, from: u64, seeds: u64) -> Option<u64> {
        let broken = |seed| catch_unwind(AssertUnwindSafe(|| (self.broken)(seed))).unwrap_or(true);
        (0..seeds).find(|offset| broken(from + offset)).map(|offset| offset + 1)
    }
}

const fn property(name: &'static str, by: Sees, seeds: u64, broken: fn(u64) -> bool) -> Property {
    Property { name, sees: by, seeds, broken }
}

/// Seeds of the nemesis: it is the slowest to ask.
const NEMESIS: u64 = 150;

/// Every property.
pub(crate) const PROPERTIES: &[Property] = &[
    property("verify: a role of the catalogue", Sees::Verify, 60, light_role),
    property("verify: a role of the herd", Sees::Verify, 4, herd_role),
    property("verify: a wrong fix that no seed breaks", Sees::Verify, 1, wrong_never_breaks),
    property("verify: a green in trouble", Sees::Verify, 100, green_in_trouble),
    property("nemesis: acknowledged", Sees::Tests, NEMESIS, |seed| nemesis(&acknowledged(), seed)),
    property("nemesis: strong reads", Sees::Tests, 400, |seed| {
        nemesis(&switched(&[Switch::StrongReads]), seed)
    }),
    property("nemesis: acknowledged, lease, single flight", Sees::Tests, 400, |seed| {
        nemesis(&everything(), seed)
    }),
    property("nemesis: session reads", Sees::Tests, 400, |seed| {
        nemesis(&switched(&[Switch::SessionReads]), seed)
    }),
    property("the port contract", Sees::Tests, 3, port_contract),
    property("checks: which read is stale", Sees::Tests, 1, traces::staleness),
    property("checks: what a session owes itself", Sees::Tests, 1, traces::own_writes),
    property("checks: an answer that was lost", Sees::Tests, 1, traces::lost_answers),
    property("checks: which read is behind the commits", Sees::Tests, 1, traces::behind),
    property("policies: what does not go together", Sees::Tests, 1, traces::contradictions),
    property("checks: what belongs to a phase", Sees::Tests, 1, traces::phases),
    property("figures: each counts what its name says", Sees::Tests, 1, traces::figures),
    property("verdicts: bounds, goal and demonstration", Sees::Tests, 1, traces::verdicts),
    property("the nemesis: what breaks a promise", Sees::Tests, 1, traces::promises),
    property("cache: a hole in the notices", Sees::Tests, 5, caches::gaps),
    property("cache: a silent bus", Sees::Tests, 5, caches::silence),
    property("cache: time to live in L1", Sees::Tests, 5, caches::time_to_live),
    property("cache: a bound in every tier", Sees::Tests, 5, caches::bounded),
    property("session: its floor", Sees::Tests, 1, caches::session),
    property("cache: flights", Sees::Tests, 5, caches::flights),
    property("lease: its waiters are woken", Sees::Tests, 100, leases::woken),
    property("lease: a write wakes its waiters", Sees::Tests, 5, leases::woken_by_a_write),
    property("lease: waiters are served in time", Sees::Tests, 3, leases::served_in_time),
    property("lease: what is owed goes back", Sees::Tests, 10, leases::owed_leases),
    property("lock: waiters are told, or end in time", Sees::Tests, 3, leases::computation),
    property("lock: overtaken by the next holder", Sees::Tests, 3, leases::overtaken_lock),
    property("lock: a result that L2 did not take", Sees::Tests, 3, leases::untaken_result),
    property("member: L1 ends with the lease", Sees::Tests, 3, leases::lease_of_a_member),
    property("members: a healthy cluster", Sees::Tests, 3, members::healthy),
    property("members: what nobody confirmed", Sees::Tests, 3, members::unconfirmed),
    property("members: an acknowledgement of an earlier life", Sees::Tests, 3, members::earlier_life),
    property("members: who joins", Sees::Tests, 3, members::joining),
    property("members: who steps down", Sees::Tests, 3, members::stepping_down),
    property("members: a late renewal", Sees::Tests, 3, members::late_renewal),
    property("members: between two subscriptions", Sees::Tests, 3, members::between_subscriptions),
    property("members: what was not heard is said again", Sees::Tests, 3, members::published_again),
    property("members: who is heard", Sees::Tests, 3, members::hearing),
    property("members: a sign of life", Sees::Tests, 1, members::last_number),
    property("members: asked after the commit", Sees::Tests, 3, members::asked_after_the_commit),
    property("barring: who does not answer", Sees::Tests, 3, barring::stubborn_members),
    property("barring: whatever its clock says", Sees::Tests, 3, barring::barred_for_good),
    property("members: who departs", Sees::Tests, 3, barring::departing),
    property("outbox: published by another", Sees::Tests, 3, relays::published_by_another),
    property("outbox: taken and not told", Sees::Tests, 10, relays::taken_and_not_told),
    property("unknown: a write that was given up", Sees::Tests, 3, unknown::given_up_write),
    property("unknown: a write with a name", Sees::Tests, 3, unknown::settled),
    property("unknown: what L2 holds after a write", Sees::Tests, 3, unknown::confirmed_by_l2),
    property("unknown: what was not answered", Sees::Tests, 3, unknown::no_answer),
    property("unknown: a fill", Sees::Tests, 3, unknown::unknown_fill),
    property("L2: what it refused", Sees::Tests, 3, unknown::refused_by_l2),
    property("L2: while it does not answer", Sees::Tests, 3, unknown::silent_l2),
    property("strong: the primary alone", Sees::Tests, 3, unknown::strong_read),
    property("flights: each ends for itself", Sees::Tests, 3, unknown::flights_of_their_own),
    property("flights: while L1 is withheld", Sees::Tests, 3, unknown::flights_while_withheld),
    property("cache: what protections rest on", Sees::Tests, 3, unknown::rests_on),
    property("cache: deleted again", Sees::Tests, 3, unknown::deleted_again),
    property("cache: a bound, though clocks differ", Sees::Tests, 1, caches::skewed_bound),
    property("cache: a write whose caller goes away", Sees::Tests, 3, caches::seen_through),
    property("session: a write that nobody confirmed", Sees::Tests, 3, unknown::own_unconfirmed_write),
    property("lease: a failure wakes its waiters", Sees::Tests, 3, leases::woken_by_a_failure),
    property("lock: a result before the lock is free", Sees::Tests, 3, leases::found_while_held),
    property("lock: who waits once", Sees::Tests, 3, leases::waited_once),
    property("threads: an invalidation is complete", Sees::Tests, 1, threads::invalidation),
    property("threads: a flush is complete", Sees::Tests, 1, threads::flush),
    property("L1: never back to an older version", Sees::Tests, 1, threads::never_back),
    property("L1: served by members only", Sees::Tests, 1, threads::membership),
    property("the lesson breaks its promises", Sees::Tests, 1, lesson_holds),
];

fn switched(switches: &[Switch]) -> Policy {
    switches.iter().fold(Policy::lesson(), |policy, switch| policy.with(*switch, true))
}

fn acknowledged() -> Policy {
    switched(&[Switch::AcknowledgedInvalidation])
}

fn everything() -> Policy {
    switched(&[Switch::AcknowledgedInvalidation, Switch::SingleFlight, Switch::FleetLease])
}

fn presets(scenario: ScenarioId) -> impl Iterator<Item = (ScenarioId, &'static Preset)> {
    scenario.scenario().presets.iter().map(move |preset| (scenario, preset))
}

/// Light scenarios are tried under many seeds; the herd, whose runs are long, under fewer.
fn light_role(seed: u64) -> bool {
    let light = ScenarioId::ALL.into_iter().filter(|id| *id != ScenarioId::ThunderingHerd);
    light.flat_map(presets).any(|(scenario, preset)| contradicts_role(scenario, preset, seed))
}

fn herd_role(seed: u64) -> bool {
    presets(ScenarioId::ThunderingHerd).any(|(scenario, preset)| contradicts_role(scenario, preset, seed))
}

/// What `lab verify` complains about under a single seed.
fn contradicts_role(scenario: ScenarioId, preset: &Preset, seed: u64) -> bool {
    let spec = RunSpec::preset(scenario, preset.name, seed).expect("the catalogue names its presets");
    let Ok(run) = sim::run(&spec) else { return true };
    let held = run.report.goal_held();
    let role_broken = match preset.role {
        Role::Green(_) => !held,
        Role::Red => held,
        Role::Wrong => false,
        Role::Partial(promised) => {
            let mut watched = run.report.checks.iter().filter(|check| promised.contains(&check.id.as_str()));
            watched.any(|check| !check.holds)
        }
    };
    role_broken || !run.report.demonstration
}

/// Greens meet what they say they survive, and the nemesis.
fn green_in_trouble(seed: u64) -> bool {
    let greens = ScenarioId::ALL.into_iter().flat_map(presets);
    greens.into_iter().any(|(scenario, preset)| {
        let Role::Green(limits) = preset.role else { return false };
        let spec = RunSpec::preset(scenario, preset.name, seed).expect("the catalogue names its presets");
        let plain = sim::run(&spec);
        plain.is_ok_and(|plain| nemesis::endure(&spec, &plain.trace, limits).is_err())
    })
}

fn wrong_never_breaks(_: u64) -> bool {
    let wrong = ScenarioId::ALL.into_iter().flat_map(presets);
    let mut wrong = wrong.filter(|(_, preset)| matches!(preset.role, Role::Wrong | Role::Partial(_)));
    wrong.any(|(scenario, preset)| {
        (1..=20).all(|seed| {
            let spec = RunSpec::preset(scenario, preset.name, seed).expect("the catalogue names its presets");
            sim::run(&spec).is_ok_and(|run| run.report.goal_held())
        })
    })
}

/// A run of the nemesis that breaks what its policy promises, or does not end.
fn nemesis(policy: &Policy, seed: u64) -> bool {
    nemesis::run(&Plan::draw(policy, seed)).map_or(true, |found| !found.violations.is_empty())
}

fn port_contract(seed: u64) -> bool {
    let kept = sim::on_ports(seed, 2, |ports| async move { contract::suite(&ports[0], &ports[1]).await });
    !matches!(kept, Ok(Ok(())))
}

/// The nemesis finds what the lesson's own code breaks.
fn lesson_holds(_: u64) -> bool {
    use nemesis::Promise;
    let promises = [
        Promise::FreshAfterAcknowledgement,
        Promise::ReadYourWrites,
        Promise::Linearizable,
        Promise::ConvergesWhenQuiet,
    ];
    promises.into_iter().any(|promise| {
        (1..=300).all(|seed| {
            let found = nemesis::run_against(&[promise], &Plan::draw(&Policy::lesson(), seed));
            found.is_ok_and(|found| found.violations.is_empty())
        })
    })
}
