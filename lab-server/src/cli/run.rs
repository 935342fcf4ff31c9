//! `lab run`: one scenario, one policy, one or many seeds.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lab_core::recording::Recording;
use lab_core::report::{Check, Figure, Verdict, WorldKind};
use lab_core::scenario::{Role, Run, RunSpec, ScenarioId, Settings};
use serde::Serialize;

use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, WorldChoice, batch, seed_count, stores, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// What to run; `lab scenarios` tells more of each
    #[arg(value_parser = scenario())]
    scenario: ScenarioId,
    /// Where it runs
    #[arg(long, value_enum, default_value_t)]
    world: WorldChoice,
    /// What the servers do, one of the scenario's policies: see `lab scenarios` [default: the first, which fails]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Where all chance comes from [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "seeds", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Try the seeds 1 to N
    #[arg(long, value_name = "N", value_parser = seed_count, allow_negative_numbers = true)]
    seeds: Option<u32>,
    /// Set a knob of the scenario (several times, if need be)
    #[arg(long, value_name = "KNOB=VALUE", value_parser = knob)]
    set: Vec<(String, u64)>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Record a run in a file, to open it in the lab: of the first failing seed, or else of the first
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    named: NamedServers,
}

/// The scenarios by their names, with what each shows.
fn scenario() -> impl TypedValueParser<Value = ScenarioId> {
    let names = ScenarioId::ALL.map(|id| PossibleValue::new(id.slug()).help(id.scenario().goal));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ScenarioId>())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

fn knob(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("expected KNOB=VALUE, as in bus-delay-ms=100")?;
    let value = value.parse().map_err(|_| format!("{value:?} is not a whole number"))?;
    Ok((name.to_owned(), value))
}

/// A checked request.
struct Plan<'a> {
    options: &'a Options,
    policy: &'static str,
    role: Role,
    spec: RunSpec,
    seeds: std::ops::RangeInclusive<u64>,
}

/// What came of it: the verdict over all seeds, and the run that is shown.
struct Outcome {
    verdict: Verdict,
    seed: u64,
    shown: Run,
}

pub(super) fn run(options: &Options) -> Result<Held, CliError> {
    let plan = plan(options)?;
    // Before the run: one that took minutes is not to be lost.
    let trace = options.trace.as_deref().map(Output::open).transpose()?;
    let outcome = match options.world {
        WorldChoice::Sim => simulate(&plan)?,
        WorldChoice::Real => super::runtime()?.block_on(on_servers(&plan))?,
    };
    if let Some(file) = trace {
        let spec = RunSpec { seed: outcome.seed, ..plan.spec.clone() };
        let trace = outcome.shown.trace.clone();
        file.write(&Recording { spec, world: options.world.into(), trace })?;
    }
    tell(&plan, &outcome)?;
    Ok(if outcome.verdict.held == outcome.verdict.tried { Held::Yes } else { Held::No })
}

/// Where a trace goes.
struct Output<'a> {
    path: &'a Path,
    /// What was there before the run, as it was; nothing otherwise, so that a run that fails leaves nothing.
    file: Option<File>,
}

impl<'a> Output<'a> {
    /// Makes sure that it can be written.
    fn open(path: &'a Path) -> Result<Self, CliError> {
        let refused = |error| CliError::Usage(format!("cannot write --trace {}: {error}", path.display()));
        match File::create_new(path) {
            Ok(_) => {
                fs::remove_file(path).map_err(refused)?;
                Ok(Self { path, file: None })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // What is behind a link need not exist.
                let file = File::options().create(true).truncate(false).write(true).open(path);
                Ok(Self { path, file: Some(file.map_err(refused)?) })
            }
            Err(error) => Err(refused(error)),
        }
    }

    fn write(self, recording: &Recording) -> Result<(), CliError> {
        let Self { path, file } = self;
        let is_new = file.is_none();
        let writing = |error| CliError::Io(format!("write {}", path.display()), error);
        let lines = recording.to_json_lines().map_err(|error| writing(error.into()))?;
        let written = file.map_or_else(|| File::create(path), Ok).and_then(|file| fill(file, &lines));
        if written.is_err() && is_new {
            // A part of a recording is of no use. If it cannot go either, the first error says enough.
            let _ = fs::remove_file(path);
        }
        written.map_err(writing)
    }
}

/// Gives a file its content.
fn fill(mut file: File, lines: &str) -> io::Result<()> {
    // A pipe cannot be emptied.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(lines.as_bytes())
}

fn plan(options: &Options) -> Result<Plan<'_>, CliError> {
    let scenario = options.scenario.scenario();
    if options.world == WorldChoice::Sim {
        options.named.expect_none()?;
    }
    let preset = match &options.policy {
        Some(name) => {
            scenario.preset(name).map_err(|error| CliError::Usage(format!("{error}; see `lab scenarios`")))?
        }
        None => &scenario.presets[0],
    };
    let settings = Settings::with(options.scenario, options.set.iter().cloned());
    let settings = settings.map_err(|error| CliError::Usage(error.to_string()))?;
    let seeds = match options.seeds {
        Some(count) => 1..=u64::from(count),
        None => options.seed.unwrap_or(1)..=options.seed.unwrap_or(1),
    };
    let spec =
        RunSpec { scenario: options.scenario, policy: (preset.policy)(), seed: *seeds.start(), settings };
    Ok(Plan { options, policy: preset.name, role: preset.role, spec, seeds })
}

fn simulate(plan: &Plan<'_>) -> Result<Outcome, CliError> {
    let count = plan.seeds.end() - plan.seeds.start() + 1;
    let progress = text::progress(count, format!("{} {}", plan.spec.scenario, plan.policy));
    let batch = batch::simulate(&plan.spec, plan.seeds.clone(), &[], &progress);
    progress.finish_and_clear();
    let verdict = batch?.verdict;
    let seed = verdict.first_failing.unwrap_or(*plan.seeds.start());
    // The same seed gives the same run: nothing had to be kept.
    Ok(Outcome { verdict, seed, shown: batch::once(&plan.spec, seed)? })
}

async fn on_servers(plan: &Plan<'_>) -> Result<Outcome, CliError> {
    let interrupt = Interrupt::listen()?;
    let stores = stores::open(&plan.options.named, &interrupt).await?;
    let count = plan.seeds.end() - plan.seeds.start() + 1;
    let progress = text::progress(count, format!("{} {} on real servers", plan.spec.scenario, plan.policy));
    let mut verdict = Verdict::default();
    let mut shown: Option<(u64, Run)> = None;
    for seed in plan.seeds.clone() {
        let spec = RunSpec { seed, ..plan.spec.clone() };
        let run = stores::run(&stores, &spec, &interrupt).await?;
        progress.inc(1);
        let was_failing = verdict.first_failing.is_some();
        verdict.add(seed, &run.report, run.trace.schedule());
        if shown.is_none() || (!was_failing && verdict.first_failing.is_some()) {
            shown = Some((seed, run));
        }
    }
    progress.finish_and_clear();
    let (seed, shown) = shown.ok_or_else(|| CliError::Usage("there is no seed to run".to_owned()))?;
    Ok(Outcome { verdict, seed, shown })
}

/// The report of a command, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    scenario: ScenarioId,
    world: WorldKind,
    policy: &'a str,
    settings: &'a Settings,
    seeds: Seeds,
    /// The seed whose run the rest tells of.
    seed: u64,
    checks: &'a [Check],
    demonstration: bool,
    figures: &'a BTreeMap<String, Figure>,
    /// The fingerprint of that run; the same in every simulation of it.
    digest: String,
    events: usize,
}

#[derive(Serialize)]
struct Seeds {
    tried: u32,
    held: u32,
    demonstrated: u32,
    distinct_schedules: usize,
    first_failing: Option<u64>,
}

fn tell(plan: &Plan<'_>, outcome: &Outcome) -> Result<(), CliError> {
    let Outcome { verdict, seed, shown } = outcome;
    let (scenario, policy) = (plan.spec.scenario, plan.policy);
    if plan.options.json {
        let told = Told {
            scenario,
            world: plan.options.world.into(),
            policy,
            settings: &plan.spec.settings,
            seeds: Seeds {
                tried: verdict.tried,
                held: verdict.held,
                demonstrated: verdict.demonstrated,
                distinct_schedules: verdict.schedules.len(),
                first_failing: verdict.first_failing,
            },
            seed: *seed,
            checks: &shown.report.checks,
            demonstration: shown.report.demonstration,
            figures: &shown.report.figures,
            digest: format!("{:016x}", shown.trace.digest()),
            events: shown.trace.events.len(),
        };
        let json = serde_json::to_string_pretty(&told);
        say!("{}", json.map_err(|error| CliError::Io("write JSON".to_owned(), error.into()))?);
    } else {
        let world = match plan.options.world {
            WorldChoice::Sim => "in the simulator",
            WorldChoice::Real => "on real servers",
        };
        let (events, digest) = (shown.trace.events.len(), shown.trace.digest());
        say!("{scenario}: {}", scenario.scenario().goal);
        say!("policy {policy}, {world}, seed {seed}: {events} events, digest {digest:016x}");
        text::report(&shown.report);
        say!("{}", sum(verdict));
    }
    if let Some(failing) = verdict.first_failing {
        tell_failure(plan, failing);
    }
    Ok(())
}

fn sum(verdict: &Verdict) -> String {
    match (verdict.tried, verdict.held) {
        (1, 1) => "the goal held".to_owned(),
        (1, _) => "the goal did not hold".to_owned(),
        (tried, held) => format!("the goal held under {held} of {tried} seeds"),
    }
}

/// Tells how to see it again, and what comes next.
fn tell_failure(plan: &Plan<'_>, failing: u64) {
    let (scenario, policy) = (plan.spec.scenario, plan.policy);
    let world = if plan.options.world == WorldChoice::Real { " --world real" } else { "" };
    let set = text::set_options(scenario, &plan.spec.settings);
    let named =
        plan.options.world == WorldChoice::Real && matches!(plan.options.named.servers(), Ok(Some(_)));
    let same = if named { ", with the same --redis and --postgres" } else { "" };
    note!("it failed at {}; again{same}:", text::triple(scenario, policy, failing));
    note!("  lab run {scenario}{world} --policy {policy} --seed {failing}{set}");
    if plan.role == Role::Red {
        note!("this policy is meant to fail: find out why, then try another (`lab scenarios` lists them)");
    }
}
