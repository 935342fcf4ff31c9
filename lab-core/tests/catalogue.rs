//! Every red is red and every green is green, under every seed tried; and no event points at a line that is not
//! embedded.

use lab_core::report::Verdict;
use lab_core::scenario::{Preset, Role, RunSpec, ScenarioId};
use lab_core::sim;
use lab_core::source;
use lab_core::trace::Trace;

/// Light scenarios are tried under many seeds; the herd, whose runs are long, under fewer.
fn seeds(scenario: ScenarioId) -> u64 {
    if scenario == ScenarioId::ThunderingHerd { 20 } else { 200 }
}

fn presets() -> impl Iterator<Item = (ScenarioId, &'static Preset)> {
    ScenarioId::ALL.into_iter().flat_map(|id| id.scenario().presets.iter().map(move |preset| (id, preset)))
}

fn run(scenario: ScenarioId, preset: &str, seed: u64) -> lab_core::scenario::Run {
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
            Role::Green => assert_eq!(held, tried, "{scenario} {}: {verdict:?}", preset.name),
            Role::Red => assert_eq!(held, 0, "{scenario} {}: {verdict:?}", preset.name),
            Role::Wrong | Role::Partial(_) => {
                assert!(held < tried, "{scenario} {}: no seed broke it", preset.name);
            }
        }
        let schedules = verdict.schedules.len();
        assert!(
            schedules * 4 >= tried as usize,
            "{scenario} {}: {schedules} schedules in {tried}",
            preset.name
        );
    }
}

#[test]
fn recorded_seeds_still_break_what_they_broke() {
    for (scenario, preset) in presets() {
        let broken = preset.role != Role::Green;
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
            assert!(text.lines().count() >= line.line as usize, "{}:{}", line.file, line.line);
        }
    }
}

#[test]
fn a_trace_survives_its_json() {
    for (scenario, preset) in presets() {
        let trace = run(scenario, preset.name, 1).trace;
        let lines = trace.to_json_lines().expect("an event is JSON");
        assert_eq!(Trace::from_json_lines(&lines).expect("what we wrote we can read"), trace);
    }
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
