//! `lab run`: one scenario, one policy, one or many seeds.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use lab_core::recording::Recording;
use lab_core::report::{Check, Figure, Verdict, WorldKind};
use lab_core::scenario::{Run, RunSpec, ScenarioId, Settings};
use serde::Serialize;

use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, WorldChoice, batch, stores, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Which scenario: see `lab scenarios`
    scenario: ScenarioId,
    /// Where it runs
    #[arg(long, value_enum, default_value_t)]
    world: WorldChoice,
    /// What the servers do: a policy of the scenario [default: the first, which fails]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Where all chance comes from [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Try the seeds 1 to N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
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

fn knob(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("expected KNOB=VALUE, as in bus-delay-ms=100")?;
    let value = value.parse().map_err(|_| format!("{value:?} is not a whole number"))?;
    Ok((name.to_owned(), value))
}

/// A checked request.
struct Plan<'a> {
    options: &'a Options,
    policy: &'a str,
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
    let outcome = match options.world {
        WorldChoice::Sim => simulate(&plan)?,
        WorldChoice::Real => super::runtime()?.block_on(on_servers(&plan))?,
    };
    if let Some(file) = &options.trace {
        let writing = |error| CliError::Io(format!("write {}", file.display()), error);
        let spec = RunSpec { seed: outcome.seed, ..plan.spec.clone() };
        let trace = outcome.shown.trace.clone();
        let recording = Recording { spec, world: options.world.into(), trace };
        let lines = recording.to_json_lines().map_err(|error| writing(error.into()))?;
        fs::write(file, lines).map_err(writing)?;
    }
    tell(&plan, &outcome)?;
    Ok(if outcome.verdict.held == outcome.verdict.tried { Held::Yes } else { Held::No })
}

fn plan(options: &Options) -> Result<Plan<'_>, CliError> {
    let scenario = options.scenario.scenario();
    if options.world == WorldChoice::Sim && options.named.postgres.is_some() {
        let why = "--redis and --postgres name real servers: add --world real";
        return Err(CliError::Usage(why.to_owned()));
    }
    let preset = match &options.policy {
        Some(name) => scenario.preset(name).map_err(|error| CliError::Usage(error.to_string()))?,
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
    Ok(Plan { options, policy: preset.name, spec, seeds })
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
        say!("{}: {}", scenario, scenario.scenario().goal);
        say!("{} events under seed {seed}, digest {:016x}", shown.trace.events.len(), shown.trace.digest());
        text::report(&shown.report);
        say!("the goal held under {} of {} seeds", verdict.held, verdict.tried);
    }
    if let Some(failing) = verdict.first_failing {
        let world = if plan.options.world == WorldChoice::Real { " --world real" } else { "" };
        let set = text::set_options(scenario, &plan.spec.settings);
        eprintln!("it failed at {}; again:", text::triple(scenario, policy, failing));
        eprintln!("  lab run {scenario}{world} --policy {policy} --seed {failing}{set}");
    }
    Ok(())
}
