//! A request that never gets an answer: which checks it breaks, and from when on that is known.

use lab_core::report::{Check, Report};
use lab_core::scenario::{self, RunSpec, ScenarioId};
use lab_core::sim;
use lab_core::trace::{Actor, EventId, Kind, OperationId, Trace};
use lab_core::value::ClientId;

/// A run in which the last answer to this client got lost, before the next phase, judged: the lost request, the
/// trace, the verdict.
fn losing_an_answer(id: ScenarioId, preset: &str, phase: &str, client: u16) -> (OperationId, Trace, Report) {
    let spec = RunSpec::preset(id, preset, 1).expect("the preset exists");
    let mut trace = sim::run(&spec).expect("the simulator finishes").trace;
    let is_phase = |kind: &Kind| matches!(kind, Kind::Phase { name } if name == phase);
    let begin = trace.events.iter().position(|event| is_phase(&event.kind)).expect("the run gets there");
    let next = trace.events[begin + 1..].iter().position(|event| matches!(event.kind, Kind::Phase { .. }));
    let end = next.map_or(trace.events.len(), |offset| begin + 1 + offset);
    let completed = trace.events[..end].iter().rposition(|event| {
        event.actor == Actor::Client(ClientId(client)) && matches!(event.kind, Kind::Completed { .. })
    });
    let lost =
        trace.events.remove(completed.expect("something was answered")).operation.expect("of a request");
    let report = scenario::judge(id, &trace, &spec.settings);
    (lost, trace, report)
}

fn check<'a>(report: &'a Report, id: &str) -> &'a Check {
    report.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("there is no check {id}"))
}

#[test]
fn it_is_named_and_known_at_the_end_of_the_run() {
    let (lost, trace, report) =
        losing_an_answer(ScenarioId::InvalidationDelay, "acknowledged", "read at once", 3);
    let answered = check(&report, "all-answered");
    assert!(!answered.holds);
    assert_eq!(answered.offenders, [lost]);
    assert_eq!(answered.event.map(EventId::index), Some(trace.events.len() - 1));
}

#[test]
fn it_is_no_older_than_what_its_session_wrote() {
    let (_, _, report) = losing_an_answer(ScenarioId::InvalidationDelay, "acknowledged", "read at once", 1);
    let own = check(&report, "read-your-writes");
    assert_eq!((own.seen, own.offenders.len()), (0, 0), "{own:?}");
}

#[test]
fn it_differs_from_no_other_answer() {
    let (_, _, report) = losing_an_answer(ScenarioId::StampedeLock, "lock", "act", 4);
    let equal = check(&report, "equal-answers");
    assert!(equal.holds && equal.offenders.is_empty() && equal.event.is_none(), "{equal:?}");
}
