//! What a green says it survives breaks none of its bounds, and what it says it does not survive does.

use lab_core::fault::{Fault, Peril};
use lab_core::nemesis::{self, Branch};
use lab_core::scenario::{Deed, Limit, Preset, Role, Run, RunSpec, ScenarioId};
use lab_core::trace::Kind;
use lab_core::{sim, source};

/// Seeds of a light scenario; of the herd, whose runs are long, a tenth.
const SEEDS: u64 = 120;
/// Seeds for each kind of trouble by itself.
const SEEDS_OF_A_KIND: u64 = 20;

fn greens() -> impl Iterator<Item = (ScenarioId, &'static Preset, &'static [Limit])> {
    let presets =
        ScenarioId::ALL.into_iter().flat_map(|id| id.scenario().presets.iter().map(move |p| (id, p)));
    presets.filter_map(|(id, preset)| match preset.role {
        Role::Green(limits) => Some((id, preset, limits)),
        _ => None,
    })
}

fn share(scenario: ScenarioId, seeds: u64) -> u64 {
    if scenario == ScenarioId::ThunderingHerd { seeds / 10 } else { seeds }
}

fn spec(scenario: ScenarioId, preset: &Preset, seed: u64) -> RunSpec {
    RunSpec::preset(scenario, preset.name, seed).expect("the catalogue names its presets")
}

fn run(spec: &RunSpec) -> Run {
    sim::run(spec).unwrap_or_else(|error| panic!("{}: {error}", told(spec)))
}

fn branched(branch: &RunSpec) -> Option<Run> {
    nemesis::run_branch(branch).unwrap_or_else(|error| panic!("{}: {error}", told(branch)))
}

fn told(spec: &RunSpec) -> String {
    serde_json::to_string(spec).expect("a spec is JSON")
}

fn under(spec: &RunSpec, perils: &[Peril]) -> RunSpec {
    branch(spec, perils).spec
}

fn branch(spec: &RunSpec, perils: &[Peril]) -> Branch {
    nemesis::branch(spec, &run(spec).trace, perils).expect("it has an act")
}

fn overstepped(run: &Run) -> Vec<&str> {
    run.report.overstepped().map(|check| check.id.as_str()).collect()
}

/// Faults that began or ended, and that no line of the scenario asked for.
fn struck_from_outside(run: &Run) -> usize {
    let events = run.trace.events.iter().filter(|event| event.source.is_none());
    events.filter(|event| matches!(event.kind, Kind::Injected { .. })).count()
}

#[test]
fn a_green_survives_all_that_it_does_not_name() {
    let mut injected = 0;
    for (scenario, preset, limits) in greens() {
        let mut judged = 0;
        for seed in 1..=share(scenario, SEEDS) {
            let Branch { spec, struck } = branch(&spec(scenario, preset, seed), &Peril::ALL);
            assert!(!spec.interventions.is_empty() && !struck.is_empty());
            let Some(run) = branched(&spec) else { continue };
            judged += 1;
            let beyond: Vec<_> = overstepped(&run)
                .into_iter()
                .filter(|check| !Limit::covers(limits, &struck, check))
                .collect();
            assert_eq!(beyond, [""; 0], "{} breaks under {struck:?}: {}", preset.name, told(&spec));
            injected += struck_from_outside(&run);
        }
        let tried = share(scenario, SEEDS);
        assert!(judged * 10 >= tried * 9, "{}: only {judged} of {tried} runs could be judged", preset.name);
    }
    assert!(injected > 1_000, "only {injected} faults began or ended");
}

/// One kind at a time: what is named for one kind is no excuse under another.
#[test]
fn each_kind_of_trouble_breaks_only_what_is_named_for_it() {
    for (scenario, preset, limits) in greens() {
        for peril in Peril::ALL {
            for seed in 1..=share(scenario, SEEDS_OF_A_KIND) {
                let spec = under(&spec(scenario, preset, seed), &[peril]);
                let Some(run) = branched(&spec) else { continue };
                let beyond = overstepped(&run);
                let beyond: Vec<_> =
                    beyond.into_iter().filter(|check| !Limit::covers(limits, &[peril], check)).collect();
                assert!(beyond.is_empty(), "{} under {peril}: {beyond:?} in {}", preset.name, told(&spec));
            }
        }
    }
}

#[test]
fn what_is_named_as_a_limit_is_one() {
    for (scenario, preset, limits) in greens() {
        for limit in limits {
            assert!(scenario.scenario().checks.contains(&limit.check), "{scenario} has no {}", limit.check);
            let Some(seed) = limit.seed else { continue };
            let broken = run(&under(&spec(scenario, preset, seed), &[limit.peril]));
            assert!(
                overstepped(&broken).contains(&limit.check),
                "{scenario} {} survives {limit:?}",
                preset.name
            );
        }
    }
}

/// What is told of a branch that breaks has no strike that it does not need.
#[test]
fn a_broken_branch_is_told_with_no_more_than_it_needs() {
    let (scenario, preset) = (
        ScenarioId::ThunderingHerd,
        ScenarioId::ThunderingHerd.scenario().preset("lease").expect("a preset"),
    );
    let breaks = |spec: &RunSpec| sim::run(spec).is_ok_and(|run| run.report.overstepped().next().is_some());
    let broken = (1..=20).map(|seed| under(&spec(scenario, preset, seed), &Peril::ALL));
    let broken = broken.filter(|branch| branch.interventions.len() > 2).find(|branch| breaks(branch));
    let broken = broken.expect("some seed strikes more than once, and breaks");
    let small = nemesis::shrink_branch(broken.clone(), breaks);
    assert!(breaks(&small) && small.interventions.len() < broken.interventions.len(), "{}", told(&small));
    // Each fault that stays keeps its end, and none is left that ends nothing.
    let faults = |spec: &RunSpec| -> Vec<Fault> {
        let faults = spec.interventions.iter().map(|intervention| match intervention.deed {
            Deed::Fault(fault) => fault,
            Deed::Request { .. } => panic!("nobody sent a request"),
        });
        faults.collect()
    };
    let (before, after) = (faults(&broken), faults(&small));
    for (place, fault) in after.iter().enumerate() {
        let ends = |end| after.get(place + 1) == Some(&end);
        assert!(
            fault.mends()
                || fault.remedy().is_none_or(ends)
                || !before.contains(&fault.remedy().unwrap_or(*fault)),
            "{}",
            told(&small)
        );
        assert!(
            !fault.mends() || (place > 0 && after[place - 1].remedy() == Some(*fault)),
            "{}",
            told(&small)
        );
    }
}

#[test]
fn lines_that_faults_lead_to_are_embedded_too() {
    for (scenario, preset, _) in greens() {
        for seed in 1..=share(scenario, 20) {
            let run = branched(&under(&spec(scenario, preset, seed), &Peril::ALL));
            for event in run.map_or_else(Vec::new, |run| run.trace.events) {
                let Some(line) = event.source else { continue };
                let text =
                    source::text(&line.file).unwrap_or_else(|| panic!("{} is not embedded", line.file));
                assert!(text.lines().count() >= line.line as usize, "{}:{}", line.file, line.line);
            }
        }
    }
}
