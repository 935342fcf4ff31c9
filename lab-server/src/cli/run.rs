//! `lab run`: one scenario, one policy, one or many seeds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lab_core::fault::Peril;
use lab_core::nemesis::{self, Branch};
use lab_core::recording::Recording;
use lab_core::report::{Check, Figure, Report, Verdict, WorldKind};
use lab_core::scenario::{Intervention, Lang, Limit, Role, Run, RunSpec, ScenarioId, Settings};
use lab_core::trace::{Kind, Trace};
use serde::Serialize;

use super::batch::Asked;
use super::interrupt::Interrupt;
use super::trace_file::TraceFile;
use super::{CliError, Held, NamedServers, WorldChoice, batch, seed_count, stores, text};
use crate::adapters::observer::Recorder;
use crate::real::error::RunError;

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
    /// Let it meet trouble of these kinds besides (`all` for any), drawn from the seed; in the simulator, under one seed
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = peril(), conflicts_with = "seeds")]
    under: Vec<Kinds>,
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
    let names = ScenarioId::ALL.map(|id| PossibleValue::new(id.slug()).help(id.words(Lang::En).goal()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ScenarioId>())
}

/// Kinds of trouble that one word stands for.
#[derive(Clone, Debug)]
struct Kinds(Vec<Peril>);

const ALL_KINDS: &str = "all";

/// The kinds of trouble by their names.
fn peril() -> impl TypedValueParser<Value = Kinds> {
    let names = Peril::ALL.map(|peril| PossibleValue::new(peril.slug()).help(peril.sentence()));
    let all = PossibleValue::new(ALL_KINDS).help("Any of these");
    PossibleValuesParser::new(names.into_iter().chain([all])).try_map(|name| {
        let all = || Peril::ALL.to_vec();
        if name == ALL_KINDS { Ok(Kinds(all())) } else { name.parse().map(|peril| Kinds(vec![peril])) }
    })
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
    /// The kinds of trouble that it meets besides.
    struck: Vec<Peril>,
    seeds: std::ops::RangeInclusive<u64>,
}

/// What came of it: the verdict over all seeds, and the run that is shown.
#[derive(Default)]
struct Outcome {
    verdict: Verdict,
    /// Nothing where the very first run did not come to its end.
    shown: Option<(u64, Run)>,
    /// Why not all seeds were tried, or not all was taken away after the last.
    broke: Option<Broke>,
}

/// The end of a command before its time.
struct Broke {
    error: CliError,
    /// A run that was played and has no verdict.
    unfinished: Option<(u64, Trace)>,
}

pub(super) fn run(options: &Options) -> Result<Held, CliError> {
    let plan = plan(options)?;
    // Before the run: one that took minutes is not to be lost.
    let trace = options.trace.as_deref().map(TraceFile::open).transpose()?;
    let mut outcome = match options.world {
        WorldChoice::Sim => simulate(&plan)?,
        WorldChoice::Real => super::runtime::runtime()?.block_on(on_servers(&plan))?,
    };
    // What there is comes before what went wrong: a run that is over is never lost.
    let recorded = match (trace, outcome.recording(&plan)) {
        (Some(file), Some(recording)) => file.write(&recording),
        _ => Ok(()),
    };
    if let Some((seed, run)) = &outcome.shown {
        tell(&plan, &outcome.verdict, *seed, run)?;
    }
    match outcome.broke.take() {
        Some(broke) => {
            if let Err(error) = recorded {
                note!("error: {error}");
            }
            Err(broke.error)
        }
        None => recorded.map(|()| outcome.held(&plan)),
    }
}

impl Outcome {
    /// The run that is recorded: one that has no verdict, since somebody will want to know why, or the one that is
    /// shown.
    fn recording(&self, plan: &Plan<'_>) -> Option<Recording> {
        let broke = self.broke.as_ref();
        let unfinished = broke.and_then(|broke| Some((broke.unfinished.as_ref()?, broke.error.to_string())));
        let (seed, trace, unfinished) = match (unfinished, &self.shown) {
            (Some(((seed, trace), why)), _) => (*seed, trace.clone(), Some(why)),
            (None, Some((seed, run))) => (*seed, run.trace.clone(), None),
            (None, None) => return None,
        };
        let spec = RunSpec { seed, ..plan.spec.clone() };
        Some(Recording { spec, world: plan.options.world.into(), unfinished, trace })
    }

    /// Whether every goal held; in trouble, whether nothing happened that must not.
    fn held(&self, plan: &Plan<'_>) -> Held {
        let in_trouble = !plan.options.under.is_empty();
        let held = match &self.shown {
            Some((_, run)) if in_trouble => run.report.overstepped().next().is_none(),
            _ => self.verdict.held == self.verdict.tried,
        };
        if held { Held::Yes } else { Held::No }
    }

    /// Keeps what there is of a run on real servers that ended the command.
    fn end(&mut self, seed: u64, error: RunError, recorder: &Recorder, interrupt: &Interrupt) -> Broke {
        let mut unfinished = None;
        let error = match error {
            RunError::Interrupted => interrupt.error(),
            RunError::Left { run, left } => {
                self.add(seed, *run);
                CliError::Left(left)
            }
            error => {
                if error.disturbances().is_some() {
                    unfinished = Some((seed, Arc::unwrap_or_clone(recorder.close())));
                }
                error.into()
            }
        };
        Broke { error, unfinished }
    }

    /// Adds a run on real servers; the first that fails is the one to show.
    fn add(&mut self, seed: u64, run: Run) {
        let was_failing = self.verdict.first_failing.is_some();
        self.verdict.add(seed, &run.report, run.trace.schedule());
        if self.shown.is_none() || (!was_failing && self.verdict.first_failing.is_some()) {
            self.shown = Some((seed, run));
        }
    }
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
    let spec = RunSpec {
        scenario: options.scenario,
        policy: (preset.policy)(),
        seed: *seeds.start(),
        settings,
        interventions: Vec::new(),
    };
    let plain = Branch { spec, struck: Vec::new() };
    let Branch { spec, struck } =
        if options.under.is_empty() { plain } else { in_trouble(options, plain.spec)? };
    Ok(Plan { struck, options, policy: preset.name, role: preset.role, spec, seeds })
}

/// The run with what goes wrong besides.
fn in_trouble(options: &Options, spec: RunSpec) -> Result<Branch, CliError> {
    if options.world != WorldChoice::Sim {
        let why = "--under is for the simulator: leave out --world real";
        return Err(CliError::Usage(why.to_owned()));
    }
    let plain = batch::once(&spec, spec.seed)?;
    let kinds: Vec<_> = options.under.iter().flat_map(|Kinds(kinds)| kinds.iter().copied()).collect();
    Ok(nemesis::branch(&spec, &plain.trace, &kinds).unwrap_or(Branch { spec, struck: Vec::new() }))
}

fn simulate(plan: &Plan<'_>) -> Result<Outcome, CliError> {
    let count = plan.seeds.end() - plan.seeds.start() + 1;
    let progress = text::progress(count, format!("{} {}", plan.spec.scenario, plan.policy));
    let batch = batch::simulate(&plan.spec, plan.seeds.clone(), Asked::default(), &progress);
    progress.finish_and_clear();
    let verdict = batch?.verdict;
    let seed = verdict.first_failing.unwrap_or(*plan.seeds.start());
    // The same seed gives the same run: nothing had to be kept.
    let shown = Some((seed, batch::once(&plan.spec, seed)?));
    Ok(Outcome { verdict, shown, broke: None })
}

async fn on_servers(plan: &Plan<'_>) -> Result<Outcome, CliError> {
    let interrupt = Interrupt::listen()?;
    let stores = stores::open(&plan.options.named, &interrupt).await?;
    let count = plan.seeds.end() - plan.seeds.start() + 1;
    let progress = text::progress(count, format!("{} {} on real servers", plan.spec.scenario, plan.policy));
    let mut outcome = Outcome::default();
    for seed in plan.seeds.clone() {
        let spec = RunSpec { seed, ..plan.spec.clone() };
        let recorder = Recorder::start();
        let run = stores::make(&stores, &spec, Arc::clone(&recorder), &interrupt).await;
        progress.inc(1);
        match run {
            Ok(run) => outcome.add(seed, run),
            Err(error) => {
                outcome.broke = Some(outcome.end(seed, error, &recorder, &interrupt));
                break;
            }
        }
    }
    progress.finish_and_clear();
    Ok(outcome)
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
    /// What was done to the run from outside.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    interventions: &'a [Intervention],
    /// In trouble it is not the goal that counts, but what happened more often than it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    overstepped: Option<Vec<&'a str>>,
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

fn tell(plan: &Plan<'_>, verdict: &Verdict, seed: u64, shown: &Run) -> Result<(), CliError> {
    let (scenario, policy) = (plan.spec.scenario, plan.policy);
    let in_trouble = !plan.options.under.is_empty();
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
            seed,
            checks: &shown.report.checks,
            demonstration: shown.report.demonstration,
            interventions: &plan.spec.interventions,
            overstepped: in_trouble
                .then(|| shown.report.overstepped().map(|check| check.id.as_str()).collect()),
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
        say!("{scenario}: {}", scenario.words(Lang::En).goal());
        say!("policy {policy}, {world}, seed {seed}: {events} events, digest {digest:016x}");
        text::report(&shown.report, in_trouble);
        say!("{}", if in_trouble { bounds(plan, &shown.report) } else { sum(verdict) });
    }
    if in_trouble {
        tell_trouble(shown);
    } else if let Some(failing) = verdict.first_failing {
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

/// In trouble requests fail; what counts is that nothing happened more often than it may.
fn bounds(plan: &Plan<'_>, report: &Report) -> String {
    let overstepped: Vec<_> = report.overstepped().map(|check| check.id.as_str()).collect();
    if overstepped.is_empty() {
        return "in trouble: every bound of the goal held".to_owned();
    }
    let told = format!("in trouble: beyond its bound: {}", overstepped.join(", "));
    match plan.role {
        Role::Green(limits) if overstepped.iter().all(|id| Limit::covers(limits, &plan.struck, id)) => {
            format!("{told}; this policy names that as its limit (`lab scenarios`)")
        }
        Role::Green(_) => format!("{told}; this policy does not name that as its limit"),
        _ => told,
    }
}

/// Tells what went wrong besides: what came about, which is not all that was drawn.
fn tell_trouble(shown: &Run) {
    // What no line of the scenario asked for came from outside.
    let outside = shown.trace.events.iter().filter(|event| event.source.is_none());
    note!("besides, this went wrong:");
    for event in outside {
        if let Kind::Injected { fault } = event.kind {
            note!("  at {:>8.2} ms  {fault}", event.at.as_millis_f64());
        }
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
