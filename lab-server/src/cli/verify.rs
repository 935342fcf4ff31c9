//! `lab verify`: that every red is red and every green is green.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use lab_core::report::WorldKind;
use lab_core::scenario::{Preset, Role, RunSpec, ScenarioId, Settings};
use lab_core::world::WorldError;

use super::batch::{self, watched_hold};
use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, scenarios, stores, text};
use crate::real::error::RunError;
use crate::real::stores::Stores;

/// A real run that did not show its situation is made anew so many times at most: it says nothing.
const REAL_ATTEMPTS: u32 = 3;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to verify
    #[arg(long, value_enum, default_value_t)]
    world: Worlds,
    /// Try the seeds 1 to N in the simulator; real servers run each policy once
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    seeds: u32,
    #[command(flatten)]
    named: NamedServers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Worlds {
    /// In the simulator
    #[default]
    Sim,
    /// On a real Redis Cluster and PostgreSQL
    Real,
    /// In both
    Both,
}

/// A line of the table.
struct Row {
    scenario: ScenarioId,
    preset: &'static Preset,
    world: WorldKind,
    tried: u32,
    held: u32,
    demonstrated: u32,
    schedules: usize,
    /// Runs in which the checks that a partial fix promises held.
    promised: u32,
    first_failing: Option<u64>,
}

pub(super) fn run(options: &Options) -> Result<Held, CliError> {
    if options.world == Worlds::Sim && options.named.postgres.is_some() {
        return Err(CliError::Usage("--redis and --postgres name real servers: add --world real".to_owned()));
    }
    let mut all_ok = true;
    say!(
        "{:<20} {:<15} {:<8} {:<5} {:>11} {:>10} {:>10}  verdict",
        "scenario",
        "policy",
        "expected",
        "world",
        "held",
        "schedules",
        "arose"
    );
    if options.world != Worlds::Real {
        for (scenario, preset) in presets() {
            all_ok &= print(&simulated(scenario, preset, options.seeds)?);
        }
    }
    if options.world != Worlds::Sim {
        all_ok &= super::runtime()?.block_on(verify_real(&options.named))?;
    }
    Ok(if all_ok { Held::Yes } else { Held::No })
}

async fn verify_real(named: &NamedServers) -> Result<bool, CliError> {
    let interrupt = Interrupt::listen()?;
    let stores = stores::open(named, &interrupt).await?;
    let mut all_ok = true;
    let mut not_run = None;
    for (scenario, preset) in presets() {
        match on_servers(&stores, scenario, preset, &interrupt).await {
            Ok(row) => all_ok &= print(&row),
            Err(CliError::Run(RunError::World(WorldError::Unsupported { why, .. }))) => {
                print_not_run(scenario, preset);
                not_run = Some(why);
            }
            Err(error) => return Err(error),
        }
    }
    match not_run {
        Some(why) if all_ok => Err(CliError::Incomplete(why)),
        _ => Ok(all_ok),
    }
}

fn presets() -> impl Iterator<Item = (ScenarioId, &'static Preset)> {
    ScenarioId::ALL.into_iter().flat_map(|id| id.scenario().presets.iter().map(move |preset| (id, preset)))
}

fn spec(scenario: ScenarioId, preset: &Preset, seed: u64) -> RunSpec {
    RunSpec { scenario, policy: (preset.policy)(), seed, settings: Settings::defaults(scenario) }
}

fn promised(role: Role) -> &'static [&'static str] {
    match role {
        Role::Partial(checks) => checks,
        _ => &[],
    }
}

fn simulated(scenario: ScenarioId, preset: &'static Preset, seeds: u32) -> Result<Row, CliError> {
    let progress = text::progress(u64::from(seeds), format!("{scenario} {}", preset.name));
    let seeds = 1..=u64::from(seeds);
    let batch = batch::simulate(&spec(scenario, preset, 1), seeds, promised(preset.role), &progress);
    progress.finish_and_clear();
    let batch = batch?;
    Ok(Row {
        scenario,
        preset,
        world: WorldKind::Sim,
        tried: batch.verdict.tried,
        held: batch.verdict.held,
        demonstrated: batch.verdict.demonstrated,
        schedules: batch.verdict.schedules.len(),
        promised: batch.watched_held,
        first_failing: batch.verdict.first_failing,
    })
}

/// One real run that showed its situation, or the last of several that did not.
async fn on_servers(
    stores: &Arc<Stores>,
    scenario: ScenarioId,
    preset: &'static Preset,
    interrupt: &Interrupt,
) -> Result<Row, CliError> {
    let progress = text::spinner(format!("{scenario} {} on real servers", preset.name));
    let mut attempt = 1;
    let run = loop {
        let run = stores::run(stores, &spec(scenario, preset, 1), interrupt).await?;
        if run.report.demonstration || attempt == REAL_ATTEMPTS {
            break run;
        }
        attempt += 1;
    };
    progress.finish_and_clear();
    let held = run.report.goal_held();
    Ok(Row {
        scenario,
        preset,
        world: WorldKind::Real,
        tried: 1,
        held: u32::from(held),
        demonstrated: u32::from(run.report.demonstration),
        schedules: 1,
        promised: u32::from(watched_hold(&run, promised(preset.role))),
        first_failing: (!held).then_some(1),
    })
}

impl Row {
    /// What is not as it should be. Runs that did not show their situation say nothing, so all must have shown it.
    fn complaint(&self) -> Option<String> {
        if self.demonstrated < self.tried {
            return Some("its situation did not arise".to_owned());
        }
        let (held, all) = (self.held, self.tried);
        if self.promised < all {
            return Some("it breaks its smaller promise".to_owned());
        }
        let as_expected = match self.preset.role {
            Role::Red => held == 0,
            Role::Green => held == all,
            // Which schedule a real run takes is chance: what fails in some only may get away with one.
            Role::Wrong | Role::Partial(_) => held < all || self.world == WorldKind::Real,
        };
        (!as_expected).then(|| match self.preset.role {
            Role::Green => {
                let seed = self.first_failing.unwrap_or(1);
                format!("a green that fails: {}", text::triple(self.scenario, self.preset.name, seed))
            }
            Role::Red => format!("a red that holds under {held} of {all}"),
            Role::Wrong | Role::Partial(_) => "no seed breaks it".to_owned(),
        })
    }
}

/// Prints a line; answers whether it is as it should be.
fn print(row: &Row) -> bool {
    let (held, arose) =
        (format!("{}/{}", row.held, row.tried), format!("{}/{}", row.demonstrated, row.tried));
    let (world, schedules) = match row.world {
        WorldKind::Sim => ("sim", row.schedules.to_string()),
        WorldKind::Real => ("real", "-".to_owned()),
    };
    let complaint = row.complaint();
    let verdict = complaint.as_ref().map_or_else(|| "ok".to_owned(), |why| format!("NOT OK: {why}"));
    print_line(row.scenario, row.preset, world, [&held, &schedules, &arose], &verdict);
    complaint.is_none()
}

/// A scenario that asks for a fault that these servers do not allow.
fn print_not_run(scenario: ScenarioId, preset: &Preset) {
    print_line(scenario, preset, "real", ["-"; 3], "not run: it needs faults");
}

fn print_line(scenario: ScenarioId, preset: &Preset, world: &str, counts: [&str; 3], verdict: &str) {
    let [held, schedules, arose] = counts;
    say!(
        "{:<20} {:<15} {:<8} {world:<5} {held:>11} {schedules:>10} {arose:>10}  {verdict}",
        scenario.slug(),
        preset.name,
        scenarios::role(preset.role),
    );
}
