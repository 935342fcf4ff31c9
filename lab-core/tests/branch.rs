//! A run with an intervention is a branch of the one without it: the same up to there, and then another one.

use lab_core::cluster::Actor;
use lab_core::fault::{Fault, Link};
use lab_core::recording::Recording;
use lab_core::report::WorldKind;
use lab_core::scenario::{Deed, INTERVENTIONS_MAX, Intervention, Point, RunSpec, ScenarioId};
use lab_core::service::Request;
use lab_core::sim;
use lab_core::trace::{EventId, Kind, Trace};
use lab_core::value::{ClientId, Instant, Key, ServerId};

const SEEDS: u64 = 20;

fn spec(scenario: ScenarioId, seed: u64) -> RunSpec {
    RunSpec::preset(scenario, scenario.scenario().presets[0].name, seed).expect("it names its presets")
}

fn trace(spec: &RunSpec) -> Trace {
    sim::run(spec).unwrap_or_else(|error| panic!("{spec:?}: {error}")).trace
}

fn branch(spec: &RunSpec, at: Point, deed: Deed) -> RunSpec {
    RunSpec { interventions: vec![Intervention { at, deed }], ..spec.clone() }
}

fn slow_bus() -> Deed {
    Deed::Fault(Fault::Delay { link: Link::BusTo(ServerId(2)), by_ms: 7 })
}

fn injected(trace: &Trace, deed: &Deed) -> usize {
    let Deed::Fault(wanted) = deed else { panic!("a fault is looked for") };
    let is_it = |kind: &Kind| matches!(kind, Kind::Injected { fault } if fault == wanted);
    trace.events.iter().position(|event| is_it(&event.kind)).expect("the fault is in the trace")
}

#[test]
fn up_to_its_event_a_branch_is_its_parent() {
    for seed in 1..=SEEDS {
        let parent = spec(ScenarioId::InvalidationDelay, seed);
        let whole = trace(&parent);
        for after in [0, 17, 40, whole.events.len() / 2] {
            let point = Point::After(EventId(u32::try_from(after).expect("a short run")));
            let branched = branch(&parent, point, slow_bus());
            let other = trace(&branched);
            assert_eq!(whole.events[..=after], other.events[..=after], "seed {seed}, event {after}");
            let begun = injected(&other, &slow_bus());
            assert!(begun > after && whole.events.get(begun) != Some(&other.events[begun]));
            // It happens as soon as whoever was at it has had its turn.
            assert_eq!(other.events[begun].at, other.events[after].at, "seed {seed}, event {after}");
            assert_eq!(other.digest(), trace(&branched).digest(), "a branch is deterministic");
        }
    }
}

#[test]
fn an_intervention_at_an_instant_comes_after_all_that_happens_then() {
    for seed in 1..=SEEDS {
        let parent = spec(ScenarioId::InvalidationDelay, seed);
        let whole = trace(&parent);
        let middle = whole.events[whole.events.len() / 2].at;
        for at in [middle, Instant(middle.0 + 1)] {
            let other = trace(&branch(&parent, Point::At(at), slow_bus()));
            let begun = injected(&other, &slow_bus());
            assert_eq!(other.events[begun].at, at, "seed {seed}");
            assert_eq!(whole.events[..begun], other.events[..begun], "seed {seed}");
            assert!(whole.events.get(begun).is_none_or(|next| next.at > at), "seed {seed}");
        }
    }
}

#[test]
fn a_request_of_ones_own_is_answered() {
    let parent = spec(ScenarioId::StampedeLock, 3);
    let key = Key::new(parent.scenario.scenario().focus);
    let deed =
        Deed::Request { client: ClientId(900), server: Some(ServerId(2)), request: Request::Forget(key) };
    let other = trace(&branch(&parent, Point::After(EventId(30)), deed));
    let own = |kind: fn(&Kind) -> bool| {
        other.events.iter().any(|event| event.actor == Actor::Client(ClientId(900)) && kind(&event.kind))
    };
    assert!(own(|kind| matches!(kind, Kind::Requested { .. })));
    assert!(own(|kind| matches!(kind, Kind::Completed { .. })));
}

#[test]
fn what_cannot_be_done_ends_the_run_with_the_reason() {
    let parent = spec(ScenarioId::InvalidationDelay, 1);
    let deed = Deed::Fault(Fault::Kill(Actor::Balancer));
    let error = sim::run(&branch(&parent, Point::After(EventId(3)), deed)).expect_err("no balancer dies");
    assert!(error.to_string().contains("cannot"), "{error}");
    let many = Intervention { at: Point::At(Instant(0)), deed: slow_bus() };
    let spec = RunSpec { interventions: vec![many; INTERVENTIONS_MAX + 1], ..parent };
    let error = sim::run(&spec).expect_err("that is too much").to_string();
    assert!(error.contains("at most 64"), "{error}");
}

#[test]
fn a_recording_names_its_interventions() {
    let spec = branch(&spec(ScenarioId::InvalidationDelay, 1), Point::At(Instant(5)), slow_bus());
    let trace = trace(&spec);
    let recording = Recording { spec, world: WorldKind::Sim, unfinished: None, trace };
    let text = recording.to_json_lines().expect("it serialises");
    assert!(text.contains(r#""interventions":[{"at":{"at":5}"#), "{}", &text[..800]);
    assert_eq!(Recording::read(&text), Ok(recording));
}

/// The herd waits for its query, and nothing happens for 50 ms.
#[test]
fn interventions_in_one_silence_come_in_their_order_and_at_their_instants() {
    let parent = RunSpec::preset(ScenarioId::ThunderingHerd, "lease", 4).expect("a preset");
    let events = trace(&parent).events;
    let silence = events.windows(2).find(|pair| pair[1].at.since(pair[0].at).as_millis() > 20);
    let begins = silence.expect("a query takes its time")[0].at;
    let at = |ms: u64| Instant(begins.0 + ms * 1_000_000);
    let slow = |by_ms: u64| Deed::Fault(Fault::Delay { link: Link::BusTo(ServerId(2)), by_ms });
    let interventions = [(9, slow(9)), (3, slow(3)), (6, slow(6))];
    let interventions = interventions.map(|(ms, deed)| Intervention { at: Point::At(at(ms)), deed });
    let branched = trace(&RunSpec { interventions: interventions.to_vec(), ..parent });
    let injected = branched.events.iter().filter(|event| matches!(event.kind, Kind::Injected { .. }));
    assert_eq!(injected.map(|event| event.at).collect::<Vec<_>>(), [at(3), at(6), at(9)]);
}
