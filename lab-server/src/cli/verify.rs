//! `lab verify`: that every red is red and every green is green.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use lab_core::nemesis::Broke;
use lab_core::report::WorldKind;
use lab_core::scenario::{Preset, Role, RunSpec, ScenarioId, Settings};
use lab_core::world::WorldError;

use super::batch::{self, Asked, watched_hold};
use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, output, scenarios, seed_count, stores, text};
use crate::real::error::RunError;
use crate::real::stores::Stores;

/// A real run that kept its goal without its situation says nothing, and is made anew so many times at most.
const REAL_ATTEMPTS: u32 = 3;

const LEGEND: &str = "\
The table:
  expected   red: the goal fails under every seed
             green: it holds under every seed
             wrong: some seed breaks it
             partial: it breaks, and the policy's smaller promise holds
  held       runs in which the goal held
  schedules  runs that differ in the order of some actor's own events; few
             where each does one thing after another
  arose      runs that showed the scenario's situation; others say nothing
  endured    of a green, in the simulator: runs that kept every bound while one
             to three faults of any kind struck, but for what it names as its
             limits (`lab scenarios`), and under whose seed the nemesis broke
             no promise
  verdict    ok, NOT OK, or ERROR where a run has none; the other lines are
             checked all the same. One real run is one schedule, so a wrong or
             partial fix may get away with it there: that is ok, and said

Examples:
  lab verify --seeds 1000                 every policy, in the simulator
  lab verify --world real                 each policy once on real servers
  lab verify --world real --only wrong,partial
                                          do the fixes that look right, and
                                          are not, break there, too?

Exit codes:
  0    everything is as expected
  1    something is not
  2    wrong usage
  3    some line has no verdict: the world, or a part of it, was not there
  130  interrupted (143 by SIGTERM, 129 by SIGHUP)
";

#[derive(Debug, Args)]
#[command(after_help = LEGEND)]
pub(super) struct Options {
    /// Where to verify
    #[arg(long, value_enum, default_value_t)]
    world: Worlds,
    /// Try the seeds 1 to N in the simulator; real servers run each policy once
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = seed_count, allow_negative_numbers = true)]
    seeds: u32,
    /// Only the policies that are expected to be so, as in wrong,partial; without it, all
    #[arg(long, value_enum, value_name = "EXPECTED", value_delimiter = ',')]
    only: Vec<Expected>,
    #[command(flatten)]
    named: NamedServers,
}

/// What a policy is expected to be, as the table says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Expected {
    /// The lesson's own code: its goal fails
    Red,
    /// A fix
    Green,
    /// It looks like a fix
    Wrong,
    /// It keeps a smaller promise
    Partial,
}

impl From<Role> for Expected {
    fn from(role: Role) -> Self {
        match role {
            Role::Red => Self::Red,
            Role::Green(_) => Self::Green,
            Role::Wrong => Self::Wrong,
            Role::Partial(_) => Self::Partial,
        }
    }
}

impl Options {
    /// The policies that are asked for.
    fn presets(&self) -> impl Iterator<Item = (ScenarioId, &'static Preset)> {
        let all = ScenarioId::ALL.into_iter();
        let all = all.flat_map(|id| id.scenario().presets.iter().map(move |preset| (id, preset)));
        all.filter(|(_, preset)| self.only.is_empty() || self.only.contains(&preset.role.into()))
    }
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
    /// Of a green in the simulator: runs that nothing broke in trouble.
    endured: Option<u32>,
    first_broken: Option<(u64, Broke)>,
}

pub(super) fn run(options: &Options) -> Result<Held, CliError> {
    if options.world == Worlds::Sim {
        options.named.expect_none()?;
    }
    let runtime = super::runtime::runtime()?;
    if options.world == Worlds::Both {
        // Servers that are not there are told of now, not after all the simulations.
        runtime.block_on(stores::reach(&options.named))?;
    }
    let mut table = Table::default();
    if options.world != Worlds::Real {
        for (scenario, preset) in options.presets() {
            match simulated(scenario, preset, options.seeds) {
                Ok(row) => table.add(&row),
                Err(error) => table.add_error(scenario, preset, "sim", &error),
            }
            // A table that nobody can read is not gone on with, and is no error of its lines.
            output::check()?;
        }
    }
    if options.world != Worlds::Sim {
        runtime.block_on(verify_real(options, &mut table))?;
    }
    table.end()
}

async fn verify_real(options: &Options, table: &mut Table) -> Result<(), CliError> {
    let (named, interrupt) = (&options.named, Interrupt::listen()?);
    let mut servers = Some(stores::open(named, &interrupt).await?);
    for (scenario, preset) in options.presets() {
        match on_servers(&mut servers, named, scenario, preset, &interrupt).await {
            Ok(row) => table.add(&row),
            Err(CliError::Run(RunError::World(WorldError::Unsupported { why, .. }))) => {
                table.add_not_run(scenario, preset, why);
            }
            Err(error @ (CliError::Interrupted { .. } | CliError::Unread)) => return Err(error),
            Err(error) => {
                table.add_error(scenario, preset, "real", &error);
                // After an error a server may be gone: the next line begins with new ones.
                servers = None;
            }
        }
        output::check()?;
    }
    Ok(())
}

fn spec(scenario: ScenarioId, preset: &Preset, seed: u64) -> RunSpec {
    let settings = Settings::defaults(scenario);
    RunSpec { scenario, policy: (preset.policy)(), seed, settings, interventions: Vec::new() }
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
    let survives = if let Role::Green(limits) = preset.role { Some(limits) } else { None };
    let asked = Asked { watched: promised(preset.role), survives };
    let batch = batch::simulate(&spec(scenario, preset, 1), seeds, asked, &progress);
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
        endured: survives.map(|_| batch.endured),
        first_broken: batch.first_broken,
    })
}

/// One real run that says something, or the last of several that do not.
async fn on_servers(
    servers: &mut Option<Arc<Stores>>,
    named: &NamedServers,
    scenario: ScenarioId,
    preset: &'static Preset,
    interrupt: &Interrupt,
) -> Result<Row, CliError> {
    let stores = match servers {
        Some(stores) => stores,
        None => servers.insert(stores::open(named, interrupt).await?),
    };
    let progress = text::spinner(format!("{scenario} {} on real servers", preset.name));
    let mut attempt = 1;
    let run = loop {
        let run = stores::run(stores, &spec(scenario, preset, 1), interrupt).await?;
        // A goal that broke says something at once, whether or not the situation was seen.
        let says_something = run.report.demonstration || !run.report.goal_held();
        if says_something || attempt == REAL_ATTEMPTS {
            break run;
        }
        attempt += 1;
        progress.set_message(format!(
            "{scenario} {} on real servers, run {attempt}: its situation has not arisen yet",
            preset.name
        ));
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
        endured: None,
        first_broken: None,
    })
}

impl Row {
    /// What is not as it should be. A green that broke is a violation whatever was seen; runs that kept their goal without
    /// their situation say nothing, so all must have shown it.
    fn complaint(&self) -> Option<String> {
        if let (Role::Green(_), Some(seed)) = (self.preset.role, self.first_failing) {
            return Some(format!(
                "a green that fails: {}",
                text::triple(self.scenario, self.preset.name, seed)
            ));
        }
        if let Some((seed, broke)) = &self.first_broken {
            return Some(self.broken_in_trouble(*seed, broke));
        }
        if self.demonstrated < self.tried {
            return Some("its situation did not arise".to_owned());
        }
        let (held, all) = (self.held, self.tried);
        if self.promised < all {
            return Some("it breaks its smaller promise".to_owned());
        }
        let as_expected = match self.preset.role {
            Role::Red => held == 0,
            Role::Green(_) => held == all,
            Role::Wrong | Role::Partial(_) => held < all || self.got_away(),
        };
        (!as_expected).then(|| match self.preset.role {
            Role::Green(_) => format!("a green that held under {held} of {all}"),
            Role::Red => format!("a red that holds under {held} of {all}"),
            Role::Wrong | Role::Partial(_) => "no seed breaks it".to_owned(),
        })
    }

    /// Which schedule a real run takes is chance: what fails in some only may get away with one.
    fn got_away(&self) -> bool {
        let fails_in_some = matches!(self.preset.role, Role::Wrong | Role::Partial(_));
        fails_in_some && self.world == WorldKind::Real && self.held == self.tried
    }

    /// What broke while more went wrong than the scenario's own fault, and how to see it again.
    fn broken_in_trouble(&self, seed: u64, broke: &Broke) -> String {
        let (scenario, preset) = (self.scenario, self.preset);
        let told = format!("in trouble it breaks at {}: {broke}", text::triple(scenario, preset.name, seed));
        match broke {
            Broke::Bounds(..) => format!(
                "{told}; again: lab run {scenario} --policy {} --seed {seed} --under all",
                preset.name
            ),
            Broke::Promise(_) | Broke::Stuck(_) => told,
        }
    }
}

/// The table while it is printed, line by line.
#[derive(Default)]
struct Table {
    as_expected: u32,
    not_as_expected: u32,
    /// Lines that have no verdict.
    errors: u32,
    /// Lines that could not be run, and why.
    not_run: u32,
    why_not: Option<String>,
}

impl Table {
    fn add(&mut self, row: &Row) {
        let (held, arose) =
            (format!("{}/{}", row.held, row.tried), format!("{}/{}", row.demonstrated, row.tried));
        let endured =
            row.endured.map_or_else(|| "-".to_owned(), |endured| format!("{endured}/{}", row.tried));
        let (world, schedules) = match row.world {
            WorldKind::Sim => ("sim", row.schedules.to_string()),
            WorldKind::Real => ("real", "-".to_owned()),
        };
        let complaint = row.complaint();
        let as_expected = complaint.is_none();
        let ok = if row.got_away() { "ok: it got away with this run" } else { "ok" };
        let verdict = complaint.map_or_else(|| ok.to_owned(), |why| format!("NOT OK: {why}"));
        self.print(row.scenario, row.preset, world, [&held, &schedules, &arose, &endured], &verdict);
        self.as_expected += u32::from(as_expected);
        self.not_as_expected += u32::from(!as_expected);
    }

    /// A scenario that asks for a fault that these servers do not allow.
    fn add_not_run(&mut self, scenario: ScenarioId, preset: &Preset, why: String) {
        self.print(scenario, preset, "real", ["-"; 4], "not run: it needs faults");
        self.not_run += 1;
        self.why_not = Some(why);
    }

    /// A line that has no verdict. What can be said in a line is, and the rest beside the table.
    fn add_error(&mut self, scenario: ScenarioId, preset: &Preset, world: &str, error: &CliError) {
        let happened = match error {
            CliError::Run(error) => error.disturbances().and_then(|all| all.first()),
            _ => None,
        };
        let brief = happened.map(ToString::to_string);
        let whole = error.to_string();
        let brief = brief.unwrap_or_else(|| whole.clone());
        let line = brief.lines().next().unwrap_or_default();
        self.print(scenario, preset, world, ["-"; 4], &format!("ERROR: {line}"));
        if whole.lines().nth(1).is_some() {
            note!("{scenario} {}: {whole}", preset.name);
        }
        self.errors += 1;
    }

    fn lines(&self) -> u32 {
        self.as_expected + self.not_as_expected + self.errors + self.not_run
    }

    fn print(&self, scenario: ScenarioId, preset: &Preset, world: &str, counts: [&str; 4], verdict: &str) {
        if self.lines() == 0 {
            print_line([
                "scenario",
                "policy",
                "expected",
                "world",
                "held",
                "schedules",
                "arose",
                "endured",
                "verdict",
            ]);
        }
        let [held, schedules, arose, endured] = counts;
        let role = scenarios::role(preset.role);
        print_line([scenario.slug(), preset.name, role, world, held, schedules, arose, endured, verdict]);
    }

    fn end(self) -> Result<Held, CliError> {
        say!("{} of {} as expected", self.as_expected, self.lines());
        match self.why_not {
            _ if self.errors > 0 => Err(CliError::NoVerdicts(self.errors, self.lines())),
            _ if self.not_as_expected > 0 => Ok(Held::No),
            Some(why) => Err(CliError::Incomplete(why)),
            None => Ok(Held::Yes),
        }
    }
}

fn print_line(columns: [&str; 9]) {
    let [scenario, policy, expected, world, held, schedules, arose, endured, verdict] = columns;
    say!(
        "{scenario:<20} {policy:<18} {expected:<8} {world:<5} {held:>11} {schedules:>10} {arose:>10} {endured:>10}  {verdict}"
    );
}
