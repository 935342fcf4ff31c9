//! Every red is red and every green is green, under every seed tried; and no event points at a line that is not
//! embedded.

use std::collections::BTreeMap;

use lab_core::policy::Acknowledge;
use lab_core::report::{Verdict, figure};
use lab_core::scenario::{Preset, Role, Run, RunSpec, ScenarioId, Settings};
use lab_core::sim;
use lab_core::source;
use lab_core::trace::{Kind, OperationId, RequestKind};
use lab_core::value::Version;

/// Light scenarios are tried under many seeds; the herd, whose runs are long, under fewer.
fn seeds(scenario: ScenarioId) -> u64 {
    if scenario == ScenarioId::ThunderingHerd { 20 } else { 200 }
}

/// Scenarios in which little can come before or after something else, and why.
const FEW_SCHEDULES: &[(ScenarioId, &str)] = &[(
    ScenarioId::InvalidationDelay,
    "it reads one server after another, writes once, and reads each server once: only the notice, the copies to replicas \
     and the client that reads twice have an order to take",
)];

fn presets() -> impl Iterator<Item = (ScenarioId, &'static Preset)> {
    ScenarioId::ALL.into_iter().flat_map(|id| id.scenario().presets.iter().map(move |preset| (id, preset)))
}

fn run(scenario: ScenarioId, preset: &str, seed: u64) -> Run {
    let spec = RunSpec::preset(scenario, preset, seed).expect("the catalogue names its presets");
    sim::run(&spec).unwrap_or_else(|error| panic!("{scenario} {preset} seed {seed}: {error}"))
}

#[test]
fn every_preset_does_what_its_role_says() {
    for (scenario, preset) in presets() {
        let mut verdict = Verdict::default();
        for seed in 1..=seeds(scenario) {
            let run = run(scenario, preset.name, seed);
            assert!(
                run.report.demonstration,
                "{scenario} {} seed {seed}: nothing was demonstrated",
                preset.name
            );
            verdict.add(seed, &run.report, run.trace.schedule());
            if let Role::Partial(promised) = preset.role {
                for check in run.report.checks.iter().filter(|check| promised.contains(&check.id.as_str())) {
                    assert!(check.holds, "{scenario} {} seed {seed}: {check:?}", preset.name);
                }
            }
        }
        let Verdict { tried, held, .. } = verdict;
        match preset.role {
            Role::Green(_) => assert_eq!(held, tried, "{scenario} {}: {verdict:?}", preset.name),
            Role::Red => assert_eq!(held, 0, "{scenario} {}: {verdict:?}", preset.name),
            Role::Wrong | Role::Partial(_) => {
                assert!(held < tried, "{scenario} {}: no seed broke it", preset.name);
            }
        }
        let schedules = verdict.schedules.len();
        let one_in = if FEW_SCHEDULES.iter().any(|(few, _)| *few == scenario) { 10 } else { 4 };
        assert!(
            schedules * one_in >= tried as usize,
            "{scenario} {}: {schedules} schedules in {tried}",
            preset.name
        );
    }
}

/// What a preset must do besides its role, under every seed: checks by id, or a figure between two bounds.
enum Expect {
    Holds(&'static str),
    Fails(&'static str),
    Figure(&'static str, f64, f64),
}

#[rustfmt::skip]
const EXPECTED: &[(&str, &str, Expect)] = &[
    // The lesson's first test: stale at once, agreed after a second; its first listing never agrees.
    ("invalidation-delay", "lesson",        Expect::Fails("no-stale-read")),
    ("invalidation-delay", "lesson",        Expect::Holds("fresh-after-settling")),
    ("invalidation-delay", "first-listing", Expect::Fails("no-stale-read")),
    ("invalidation-delay", "first-listing", Expect::Fails("fresh-after-settling")),
    ("invalidation-delay", "session-reads", Expect::Fails("no-stale-read")),
    ("invalidation-delay", "session-reads", Expect::Holds("read-your-writes")),
    ("invalidation-delay", "short-ttl",     Expect::Fails("no-stale-read")),
    ("invalidation-delay", "publish-first", Expect::Fails("no-stale-read")),
    ("invalidation-delay", "acknowledged",  Expect::Figure(figure::WRITE_MEAN, 50.0, 200.0)),
    // The lesson's second test: more than a hundred, one a server, one.
    ("thundering-herd",    "unprotected",   Expect::Figure(figure::DB_QUERIES, 101.0, 1000.0)),
    ("thundering-herd",    "single-flight", Expect::Figure(figure::DB_QUERIES, 4.0, 4.0)),
    ("thundering-herd",    "single-flight", Expect::Holds("queries-under-100")),
    ("thundering-herd",    "lease",         Expect::Figure(figure::DB_QUERIES, 1.0, 1.0)),
    ("thundering-herd",    "short-lease",   Expect::Figure(figure::DB_QUERIES, 2.0, 20.0)),
    // The lesson's third test: each computes; one computes.
    ("stampede-lock",      "unprotected",   Expect::Figure(figure::COMPUTATIONS, 10.0, 10.0)),
    ("stampede-lock",      "lock",          Expect::Figure(figure::COMPUTATIONS, 1.0, 1.0)),
    ("stampede-lock",      "lock-push",     Expect::Figure(figure::COMPUTATIONS, 1.0, 1.0)),
    ("stampede-lock",      "no-recheck",    Expect::Figure(figure::COMPUTATIONS, 10.0, 10.0)),
    ("stampede-lock",      "fixed-wait",    Expect::Figure(figure::COMPUTATIONS, 2.0, 10.0)),
    // Nobody tells the deaf server, then or later, unless it takes silence itself for the sign.
    ("lost-invalidation",  "forget",            Expect::Fails("fresh-in-time")),
    ("lost-invalidation",  "forget",            Expect::Fails("fresh-after-heal")),
    ("lost-invalidation",  "forget",            Expect::Fails("fresh-after-crash")),
    ("lost-invalidation",  "numbers-only",      Expect::Fails("fresh-in-time")),
    ("lost-invalidation",  "numbers-and-beats", Expect::Fails("fresh-in-time")),
    // Whoever hears everything that is published hears nothing of what nobody published; each half has its own job.
    ("lost-invalidation",  "silence-limit",     Expect::Fails("fresh-after-crash")),
    ("lost-invalidation",  "outbox-only",       Expect::Fails("fresh-in-time")),
    ("lost-invalidation",  "publish-first",     Expect::Fails("fresh-after-crash")),
    ("lost-invalidation",  "say-it-twice",      Expect::Holds("fresh-after-heal")),
    ("lost-invalidation",  "say-it-twice",      Expect::Fails("fresh-after-crash")),
    // The old row comes back into both tiers; each wrong fix leaves its own hole.
    ("stale-set-race",     "delete",           Expect::Fails("l1-not-behind")),
    ("stale-set-race",     "delete",           Expect::Fails("l2-not-behind")),
    ("stale-set-race",     "delete",           Expect::Fails("late-answer-not-kept")),
    ("stale-set-race",     "token-only",       Expect::Holds("l1-not-behind")),
    ("stale-set-race",     "token-only",       Expect::Holds("l2-not-behind")),
    ("stale-set-race",     "token-only",       Expect::Fails("late-answer-not-kept")),
    ("stale-set-race",     "compare-versions", Expect::Holds("late-answer-not-kept")),
    ("stale-set-race",     "compare-versions", Expect::Holds("l1-not-behind")),
    ("stale-set-race",     "compare-versions", Expect::Fails("l2-not-behind")),
    ("stale-set-race",     "delete-twice",     Expect::Fails("l1-not-behind")),
    ("stale-set-race",     "delete-twice",     Expect::Fails("l2-not-behind")),
    // The lesson's `if (value)`: every read of what is falsy or absent is a query; each half of the fix has its own job.
    ("absent-and-zero",    "truthy",        Expect::Figure(figure::DB_QUERIES, 84.0, 84.0)),
    ("absent-and-zero",    "truthy",        Expect::Holds("new-row-seen")),
    ("absent-and-zero",    "not-null",      Expect::Figure(figure::DB_QUERIES, 24.0, 24.0)),
    ("absent-and-zero",    "not-null",      Expect::Holds("new-row-seen")),
    ("absent-and-zero",    "silent-create", Expect::Holds("one-query-a-key")),
    ("absent-and-zero",    "silent-create", Expect::Fails("new-row-seen")),
    ("absent-and-zero",    "known",         Expect::Figure(figure::DB_QUERIES, 4.0, 4.0)),
];

#[test]
fn presets_fail_and_hold_for_their_own_reason() {
    for (scenario, preset, expect) in EXPECTED {
        let scenario: ScenarioId = scenario.parse().expect("the table names scenarios");
        for seed in 1..=seeds(scenario) / 2 {
            let report = run(scenario, preset, seed).report;
            let holds = |id: &str| {
                let check = report.checks.iter().find(|check| check.id == id);
                check.unwrap_or_else(|| panic!("{scenario} has no check {id}")).holds
            };
            let as_expected = match expect {
                Expect::Holds(id) => holds(id),
                Expect::Fails(id) => !holds(id),
                Expect::Figure(id, least, most) => (*least..=*most).contains(&report.figures[*id].value),
            };
            assert!(as_expected, "{scenario} {preset} seed {seed}: {report:#?}");
        }
    }
}

#[test]
fn what_cannot_run_is_refused_in_words() {
    let mut spec = RunSpec::preset(ScenarioId::InvalidationDelay, "acknowledged", 1).expect("it is a preset");
    spec.policy.write.acknowledge = Acknowledge::Members { lease_ms: 2_000, renew_ms: 0, again_ms: 200 };
    let refused = sim::run(&spec).expect_err("a renewal without a pause would never end");
    assert_eq!(refused.to_string(), "write.acknowledge.renew_ms must be between 50 and 1000, not 0");
    let mut spec = RunSpec::preset(ScenarioId::StampedeLock, "lock", 1).expect("it is a preset");
    spec.settings = Settings::defaults(ScenarioId::ThunderingHerd);
    let refused = sim::run(&spec).expect_err("these are another scenario's knobs");
    assert_eq!(refused.to_string(), "stampede-lock needs a value for requests");
}

#[test]
fn recorded_seeds_still_break_what_they_broke() {
    for (scenario, preset) in presets() {
        let broken = !matches!(preset.role, Role::Green(_));
        assert_eq!(preset.breaking_seed.is_some(), broken, "{scenario} {}", preset.name);
        if let Some(seed) = preset.breaking_seed {
            let report = run(scenario, preset.name, seed).report;
            assert!(!report.goal_held(), "{scenario} {} seed {seed}: {report:?}", preset.name);
        }
    }
}

#[test]
fn the_same_spec_gives_the_same_run() {
    for (scenario, preset) in presets() {
        let (one, other) = (run(scenario, preset.name, 7), run(scenario, preset.name, 7));
        let differs = one.trace.events.iter().zip(&other.trace.events).position(|(one, other)| one != other);
        assert_eq!(differs, None, "{scenario} {}: the first event that differs", preset.name);
        assert_eq!(one.trace.digest(), other.trace.digest(), "{scenario} {}", preset.name);
    }
}

#[test]
fn every_line_that_an_event_names_is_embedded() {
    for (scenario, preset) in presets() {
        for event in run(scenario, preset.name, 1).trace.events {
            let Some(line) = event.source else { continue };
            let text = source::text(&line.file).unwrap_or_else(|| panic!("{} is not embedded", line.file));
            let shown = text.lines().nth(line.line as usize - 1).unwrap_or_default().trim();
            let is_code = !shown.is_empty() && !shown.starts_with("//");
            assert!(is_code, "{}:{} is {shown:?}", line.file, line.line);
        }
    }
}

#[test]
fn a_check_of_answers_names_the_requests_that_break_it() {
    for (scenario, preset) in presets() {
        let report = run(scenario, preset.name, 2).report;
        for check in &report.checks {
            let json = serde_json::to_value(check).expect("a check is JSON");
            assert_eq!(json.get("offenders").is_some(), !check.offenders.is_empty(), "{json}");
            assert!(!check.holds || check.offenders.is_empty(), "{scenario} {}: {json}", preset.name);
        }
    }
}

/// There is one write, from version 1 to version 2: after its acknowledgement whoever is answered version 1 breaks the check
/// of the phase in which it asked.
#[test]
fn the_reads_that_are_answered_the_old_price_break_freshness_and_no_others() {
    let scenario = ScenarioId::InvalidationDelay;
    let mut broken = 0;
    for (_, preset) in presets().filter(|(id, _)| *id == scenario) {
        let Run { trace, report } = run(scenario, preset.name, 2);
        let (mut asked_in, mut phase) = (BTreeMap::new(), "");
        let mut old: BTreeMap<&str, Vec<OperationId>> = BTreeMap::new();
        for event in &trace.events {
            match (&event.kind, event.operation) {
                (Kind::Phase { name }, _) => phase = name,
                (Kind::Requested { request: RequestKind::Read, .. }, Some(read)) => {
                    asked_in.insert(read, phase);
                }
                (Kind::Completed { .. }, Some(read)) if event.version == Some(Version(1)) => {
                    old.entry(asked_in[&read]).or_default().push(read);
                }
                _ => {}
            }
        }
        for (id, phase) in [("no-stale-read", "read at once"), ("fresh-after-settling", "read again")] {
            let check = report.checks.iter().find(|check| check.id == id).expect("it has this check");
            let mut answered_old = old.remove(phase).unwrap_or_default();
            answered_old.sort();
            broken += answered_old.len();
            assert_eq!(check.offenders, answered_old, "{} {id}", preset.name);
        }
    }
    assert!(broken > 10, "only {broken} answers were old");
}

#[test]
fn time_never_goes_back_and_causes_come_first() {
    for (scenario, preset) in presets() {
        let events = run(scenario, preset.name, 3).trace.events;
        assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at), "{scenario} {}", preset.name);
        for (index, event) in events.iter().enumerate() {
            assert!(
                event.cause.is_none_or(|cause| cause.index() < index),
                "{scenario} {} {index}",
                preset.name
            );
        }
    }
}
