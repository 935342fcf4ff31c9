//! The nemesis against every policy that is called green, under many seeds: `cargo xtask soak`.
//!
//! Prints a line a policy when it is through: what was tried, what was held against a promise, what broke. Of what broke,
//! the first seed, and the smallest plan that still breaks it, as JSON. Ends with 1 if a promise was broken.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use lab_core::nemesis::{self, Plan, Promise, Trouble};
use lab_core::policy::Policy;
use lab_core::scenario::{Role, ScenarioId};

/// Seeds where nothing is said.
const SEEDS: u64 = 10_000;

/// What came of a policy's runs so far.
#[derive(Default)]
struct Sum {
    runs: u64,
    virtual_hours: f64,
    checked: u64,
    faults: BTreeMap<&'static str, u64>,
    /// How many runs broke a promise, and the least seed that did.
    broken: BTreeMap<Promise, (u64, u64)>,
    /// Runs that did not end, with the words of the first.
    stuck: Option<(u64, String)>,
}

impl Sum {
    fn add(&mut self, seed: u64, plan: &Plan) {
        self.runs += 1;
        for strike in &plan.strikes {
            *self.faults.entry(name(strike.trouble)).or_default() += 1;
        }
        match nemesis::run(plan) {
            Ok(found) => {
                self.checked += found.checked;
                self.virtual_hours +=
                    found.trace.events.last().map_or(0.0, |last| last.at.as_millis_f64() / 3.6e6);
                let mut promises: Vec<_> =
                    found.violations.iter().map(|violation| violation.promise).collect();
                promises.dedup();
                for promise in promises {
                    let (count, least) = self.broken.entry(promise).or_insert((0, seed));
                    (*count, *least) = (*count + 1, seed.min(*least));
                }
            }
            Err(error) => drop(self.stuck.get_or_insert_with(|| (seed, error.to_string()))),
        }
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.virtual_hours += other.virtual_hours;
        self.checked += other.checked;
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (promise, (count, least)) in other.broken {
            let (all, first) = self.broken.entry(promise).or_insert((0, least));
            (*all, *first) = (*all + count, least.min(*first));
        }
        self.stuck = self.stuck.take().or(other.stuck);
    }
}

fn name(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Delay(..) => "delay",
        Trouble::Cut(_) => "cut",
        Trouble::BlackHole(_) => "black hole",
        Trouble::Kill(_) => "kill",
        Trouble::Bounce(_) => "restart",
        Trouble::Pause(_) => "pause",
        Trouble::Skew(..) => "skew",
        Trouble::Reset(_) => "reset",
        Trouble::Hold(_) => "hold",
        Trouble::Slow(_) => "slow",
        Trouble::BouncePrimary => "primary restart",
        Trouble::PausePrimary => "primary pause",
        Trouble::BounceRedis(_) => "redis restart",
        Trouble::PauseRedis(_) => "redis pause",
    }
}

/// The greens that promise more than that nothing is invented, with their names.
fn greens() -> impl Iterator<Item = (String, Policy)> {
    let presets = ScenarioId::ALL.into_iter().flat_map(|id| {
        id.scenario().presets.iter().map(move |preset| (format!("{id} {}", preset.name), preset))
    });
    let greens = presets.filter(|(_, preset)| matches!(preset.role, Role::Green(_)));
    greens.map(|(name, preset)| (name, (preset.policy)()))
}

fn soak(policy: &Policy, seeds: u64) -> Sum {
    let (next, sum) = (AtomicU64::new(1), Mutex::new(Sum::default()));
    let work = || {
        let mut own = Sum::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                break;
            }
            own.add(seed, &Plan::draw(policy, seed));
            if seed.is_multiple_of((seeds / 20).max(1)) {
                eprintln!("  {seed} of {seeds}");
            }
        }
        sum.lock().expect("no worker panics").merge(own);
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    sum.into_inner().expect("no worker panics")
}

fn tell(name: &str, sum: &Sum) {
    let faults: Vec<_> = sum.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!(
        "{name:<36} {:>7} runs  {:>7.1} h  {:>9} answers checked  faults: {}  violations: {}",
        sum.runs,
        sum.virtual_hours,
        sum.checked,
        faults.join(", "),
        sum.broken.values().map(|(count, _)| count).sum::<u64>(),
    );
}

/// Shows the smallest plan that breaks a promise as this seed does.
fn show(policy: &Policy, promise: Promise, (count, seed): (u64, u64)) {
    let breaks =
        |plan: &Plan| nemesis::run_against(&[promise], plan).is_ok_and(|found| !found.violations.is_empty());
    let small = nemesis::shrink(Plan::draw(policy, seed), breaks);
    let told = serde_json::to_string(&small).expect("a plan is JSON");
    println!("  {promise:?}: {count} runs, the first with seed {seed}; the smallest plan like it:\n  {told}");
}

fn main() -> ExitCode {
    let seeds = match std::env::args().nth(1).map(|text| text.parse()) {
        None => SEEDS,
        Some(Ok(seeds)) if (1..=10_000_000).contains(&seeds) => seeds,
        Some(_) => {
            eprintln!("soak: how many seeds? A whole number from 1 to 10000000, please");
            return ExitCode::from(2);
        }
    };
    let mut held = true;
    for (name, policy) in greens() {
        eprintln!("{name}");
        let sum = soak(&policy, seeds);
        tell(&name, &sum);
        for (promise, found) in &sum.broken {
            show(&policy, *promise, *found);
        }
        if let Some((seed, why)) = &sum.stuck {
            println!("  seed {seed} did not end: {why}");
        }
        held &= sum.broken.is_empty() && sum.stuck.is_none();
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
