//! The fold against real traces of the simulator: every scenario under every preset.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use lab_core::cluster::Role;
use lab_core::recording::Recording;
use lab_core::report::figure;
use lab_core::scenario::{ScenarioId, judge};
use lab_core::sim;
use lab_core::trace::RequestKind;
use lab_core::value::ServerId;
use lab_core::world::Fault;

use super::*;
use crate::stage::{Geometry, capsules};
use crate::state::Lab;
use crate::text::{Lang, sentence};

fn replay(id: ScenarioId, preset: &str) -> Replay {
    let spec = RunSpec::preset(id, preset, 1).expect("the preset exists");
    let run = sim::run(&spec).expect("the simulator finishes");
    Replay::new(spec, WorldKind::Sim, run)
}

fn everything() -> impl Iterator<Item = Replay> {
    ScenarioId::ALL.into_iter().flat_map(|id| {
        id.scenario().presets.iter().map(move |preset| {
            let mut spec = Lab::lesson_spec(id);
            spec.policy = (preset.policy)();
            if id == ScenarioId::ThunderingHerd {
                spec.settings.set(id, "clients", 60).expect("60 clients are allowed");
            }
            let run = sim::run(&spec).expect("the simulator finishes");
            Replay::new(spec, WorldKind::Sim, run)
        })
    })
}

#[test]
fn a_keyframe_shows_what_the_whole_fold_shows() {
    for replay in everything() {
        let mut state = StageState::empty(&replay.topology, replay.homes.len());
        for (index, event) in replay.trace.events.iter().enumerate() {
            state.apply(index, event, &replay);
            if index % 97 == 0 || index == replay.last() {
                assert_eq!(*replay.stage(index), state, "{} at event {index}", replay.spec.scenario);
            }
        }
    }
}

#[test]
fn the_way_to_an_event_does_not_change_what_is_shown_there() {
    let replay = replay(ScenarioId::InvalidationDelay, "lesson");
    let straight: Vec<StageState> = (0..=replay.last()).map(|index| (*replay.stage(index)).clone()).collect();
    let wandering = [60, 61, 3, 3, 90, 2, 0, replay.last(), 61, 62, 64];
    for index in wandering {
        assert_eq!(*replay.stage(index), straight[index], "at event {index}");
    }
}

#[test]
fn when_the_run_is_over_nothing_of_a_client_is_under_way() {
    for replay in everything() {
        let state = replay.stage(replay.last());
        assert!(state.operations.is_empty(), "{}: {:?}", replay.spec.scenario, state.operations);
        assert!(state.servers.iter().all(|server| server.open == 0 && server.waiting == 0));
    }
}

#[test]
fn with_a_server_goes_what_it_held_what_it_asked_and_what_it_was_asked() {
    let red = replay(ScenarioId::LostInvalidation, "forget");
    let killed = |event: &Event| {
        matches!(event.kind, Kind::Injected { fault: Fault::Kill(Actor::Server(ServerId(1))) })
    };
    let death = red.trace.events.iter().position(killed).expect("its server 1 dies");
    let (before, after) = (red.stage(death - 1), red.stage(death));
    assert_eq!((before.calls.len(), before.operations.len(), before.servers[0].open), (1, 1, 1));
    assert_eq!(before.clients[0], ClientState::Waiting);
    assert_eq!((after.calls.len(), after.operations.len(), after.servers[0].open), (0, 0, 0));
    assert_eq!(after.clients[0], ClientState::Failed);
    assert!(after.servers[0].entries.is_empty() && after.servers[1].entries.contains_key(&red.focus));
    let died_at = red.trace.events[death].at;
    assert!(red.bands.iter().all(|band| band.server != 0 || band.to <= died_at), "the dead hold something");
}

#[test]
fn a_redis_node_that_dies_holds_nothing_and_another_role_is_known_until_it_is_over() {
    let replay = replay(ScenarioId::InvalidationDelay, "lesson");
    let (master, other) = (Actor::RedisMaster(0), Actor::RedisReplica(0));
    let Trace { mut events } = replay.trace.clone();
    let length = events.len();
    let role = |role| Kind::RoleChanged { role };
    let happens = [
        (Actor::Lab, Kind::Injected { fault: Fault::Pause(master) }),
        (Actor::Lab, Kind::Injected { fault: Fault::Kill(master) }),
        (other, role(Role::Master)),
        (Actor::Lab, Kind::Injected { fault: Fault::Restart(master) }),
        (master, role(Role::Replica)),
        (other, role(Role::Replica)),
    ];
    let last = events.last().expect("something happened").clone();
    let noted =
        happens.map(|(actor, kind)| Event { actor, kind, operation: None, message: None, ..last.clone() });
    events.extend(noted);
    let run = Run { trace: Trace { events }, report: replay.report.clone() };
    let replay = Replay::new(replay.spec, WorldKind::Real, run);
    let after = |happened: usize| replay.stage(length + happened - 1);
    let holds = |happened: usize| after(happened).masters[0].rows.contains_key(&replay.focus);
    assert!(holds(1) && !holds(2), "what it held goes with it, and not when it stands still");
    assert!(after(2).redis_replicas[0].rows.contains_key(&replay.focus), "its replica has it still");
    let paused = |happened: usize| after(happened).faults.contains(&Fault::Pause(master));
    assert!(paused(1) && !paused(2) && !paused(4), "the dead do not stand still, nor does who is born");
    assert_eq!(after(3).roles.get(&other), Some(&Role::Master));
    assert_eq!(after(5).roles.get(&master), Some(&Role::Replica));
    assert_eq!(after(6).roles.get(&other), None, "that is what it began with");
}

#[test]
fn the_lesson_shows_stale_copies_on_three_servers_and_the_fix_none_when_acknowledged() {
    let red = replay(ScenarioId::InvalidationDelay, "lesson");
    let violation = red.first_violation().expect("the lesson's code is red");
    let state = red.stage(violation);
    let version =
        |server: u8| state.servers[ServerId(server).index()].entries.get(&red.focus).map(|held| held.version);
    assert_eq!(version(1), Some(Version(2)));
    assert_eq!([2, 3, 4].map(version), [Some(Version(1)); 3]);
    assert!(red.superseded(&red.focus, Version(1), violation).is_some());
    assert!(red.marks.iter().any(|mark| mark.bad));

    let green = replay(ScenarioId::InvalidationDelay, "acknowledged");
    assert_eq!(green.first_violation(), None);
    assert!(!green.marks.iter().any(|mark| mark.bad));
}

#[test]
fn every_event_has_a_sentence_in_both_languages() {
    let is_japanese =
        |text: &str| text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'));
    for replay in everything() {
        for index in 0..=replay.last() {
            let english = sentence::sentence(&replay, index, Lang::En);
            let japanese = sentence::sentence(&replay, index, Lang::Ja);
            let ends = english.trim_end_matches('*').ends_with(['.', '?']);
            assert!(ends && !is_japanese(&english), "event {index}: {english}");
            let ends = japanese.trim_end_matches('*').ends_with('。');
            assert!(ends && is_japanese(&japanese), "event {index}: {japanese}");
        }
    }
}

#[test]
fn at_most_six_capsules_stand_within_the_stage() {
    for replay in everything() {
        let geometry = Geometry::desktop(&replay.topology, true, true);
        for index in (0..=replay.last()).step_by(7) {
            let state = replay.stage(index);
            let now = replay.event(index).map_or(Instant(0), |event| event.at);
            let shown = capsules(&replay, &state, &geometry, index, now);
            assert!(shown.len() <= 6);
            let mut ids: Vec<&str> = shown.iter().map(|capsule| capsule.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), shown.len(), "two capsules have one name");
            for capsule in &shown {
                let ((x, y), _) = capsule.route.at(capsule.share);
                assert!((80.0..=840.0).contains(&x) && (0.0..=geometry.height).contains(&y), "{capsule:?}");
            }
        }
    }
}

#[test]
fn a_recorded_trace_shows_the_same_as_the_run_that_it_records() {
    let run = replay(ScenarioId::StampedeLock, "lock");
    let (spec, trace) = (run.spec.clone(), run.trace.clone());
    let recording = Recording { spec, world: WorldKind::Real, unfinished: None, trace };
    let lines = recording.to_json_lines().expect("events serialise");
    let recorded = crate::real::opened(&Recording::read(&lines).expect("what was written can be read"));
    assert_eq!(recorded.report.goal_held(), run.report.goal_held());
    assert_eq!(recorded.stage(40), run.stage(40));
    let comparison = Comparison::new(&recorded, &run);
    assert_eq!(comparison.same, Some(comparison.both));
    assert!(comparison.only_real.is_empty() && comparison.only_simulated.is_empty());
}

#[test]
fn at_the_last_event_the_figures_are_those_of_the_report() {
    for replay in everything() {
        for (id, reported) in &replay.report.figures {
            let own = replay.figure(id, replay.last());
            let own = own.unwrap_or_else(|| panic!("the page does not draw {id}"));
            assert_eq!(own.unit, reported.unit, "{id} of {}", replay.spec.scenario);
            let apart = (own.value - reported.value).abs();
            assert!(apart < 1e-6, "{id} of {}: {own:?}, not {reported:?}", replay.spec.scenario);
        }
    }
}

/// A real run in which the last request was never answered, as one that ends at its deadline leaves it.
fn with_a_lost_request(id: ScenarioId) -> (Replay, usize) {
    let replay = replay(id, id.scenario().presets[0].name);
    let events = &replay.trace.events;
    let end = events.iter().rposition(|event| matches!(event.kind, Kind::Answered { .. }));
    let end = end.expect("requests are answered");
    let lost = events[end].operation.and_then(|id| replay.operation(id)).expect("it was sent").requested;
    let trace = Trace { events: events[..end].to_vec() };
    let report = judge(id, &trace, &replay.spec.settings);
    (Replay::new(replay.spec, WorldKind::Real, Run { trace, report }), lost)
}

#[test]
fn a_read_that_is_never_answered_is_no_hit_here_and_in_the_report() {
    for id in [ScenarioId::InvalidationDelay, ScenarioId::ThunderingHerd] {
        let (replay, _) = with_a_lost_request(id);
        for share in [figure::L1_HIT_SHARE, figure::HIT_SHARE] {
            let own = replay.figure(share, replay.last()).expect("reads were sent");
            let reported = replay.report.figures[share];
            assert!((own.value - reported.value).abs() < 1e-9, "{share} of {id}: {own:?}, not {reported:?}");
        }
    }
}

#[test]
fn that_a_request_is_never_answered_is_known_only_at_the_end() {
    let (replay, lost) = with_a_lost_request(ScenarioId::StampedeLock);
    let check = replay.report.checks.iter().find(|check| check.id == "all-answered").expect("it is asked");
    assert!(!check.holds && check.goal);
    assert_eq!(replay.broken_at(check), replay.last());
    let sender = replay.event(lost).and_then(|event| event.operation).expect("it has a number");
    assert!(!replay.violates(sender), "there is no answer that could break the goal");
    let marked: Vec<usize> = replay.marks.iter().map(|mark| mark.index).collect();
    assert!(
        !marked.contains(&lost) && !marked.contains(&replay.last()),
        "nothing happened there: {marked:?}"
    );
}

#[test]
fn before_the_act_nothing_is_counted_and_counts_never_fall() {
    for replay in everything() {
        for id in [figure::DB_QUERIES, figure::REDIS_CALLS, figure::COMPUTATIONS, figure::STALENESS_MAX] {
            let at = |index| replay.figure(id, index).map_or(0.0, |figure| figure.value);
            assert!(at(replay.act()) < 1e-9, "{id} of {}", replay.spec.scenario);
            let values: Vec<f64> = (0..=replay.last()).map(at).collect();
            assert!(values.is_sorted(), "{id} of {}", replay.spec.scenario);
        }
    }
}

#[test]
fn the_commit_is_in_the_past_of_a_read_only_where_something_told_the_server() {
    // Client 1 wrote, and asks server 2 next: it could have told. Nobody else could, unless the write waited.
    for (preset, others_are_told) in [("lesson", false), ("acknowledged", true)] {
        let replay = replay(ScenarioId::InvalidationDelay, preset);
        let commit = replay.commits.last().expect("there is a write").index;
        let reads: Vec<&Operation> = replay.operations.iter().flatten().collect();
        let write = reads.iter().find(|one| one.request == RequestKind::Write).expect("there is a write");
        let written = write.completed.expect("it ended").0;
        let at_once = reads.iter().filter(|read| read.requested > written).take(4);
        let mut seen = 0;
        for read in at_once.filter(|read| read.server != ServerId(2) || read.client == write.client) {
            let answer = read.answered.expect("it was answered").0;
            let past = replay.space_time.past(&replay.trace.events, answer);
            let told = others_are_told || read.client == write.client;
            assert_eq!(
                past.has(Actor::Primary, commit),
                told,
                "{preset}: {} at {}",
                read.client,
                read.server
            );
            assert!(past.has(Actor::Server(read.server), answer), "an event is in its own past");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }
}

/// The trace as a real run notes it: a node's part of a call is known only when the answer is back.
fn as_noted_on_real_servers(trace: &Trace) -> Trace {
    let mut events: Vec<Event> = Vec::new();
    let mut served: Vec<Event> = Vec::new();
    for event in &trace.events {
        let event = Event { cause: None, ..event.clone() };
        match event.kind {
            Kind::Served { .. } if event.message.is_some() => served.push(event),
            Kind::Returned { .. } => {
                let own = served.iter().position(|served| served.message == event.message);
                events.extend(own.map(|own| Event { at: event.at, ..served.remove(own) }));
                events.push(event);
            }
            _ => events.push(event),
        }
    }
    Trace { events }
}

#[test]
fn every_notice_and_every_answer_is_an_arrow_in_both_worlds() {
    for replay in everything() {
        let real = as_noted_on_real_servers(&replay.trace);
        let run = Run { report: replay.report.clone(), trace: real };
        let real = Replay::new(replay.spec.clone(), WorldKind::Real, run);
        for replay in [&replay, &real] {
            let events = &replay.trace.events;
            let wanted = |kind: fn(&Kind) -> bool| {
                events.iter().filter(|event| kind(&event.kind) && !is_background_event(event)).count()
            };
            let drawn = |carries: Carries| {
                replay.space_time.arrows.iter().filter(|arrow| arrow.carries == carries).count()
            };
            let name = format!("{} in {:?}", replay.spec.scenario, replay.world);
            assert_eq!(
                drawn(Carries::Notice),
                wanted(|kind| matches!(kind, Kind::Delivered { .. })),
                "{name}"
            );
            assert_eq!(
                drawn(Carries::Answer),
                wanted(|kind| matches!(kind, Kind::Completed { .. })),
                "{name}"
            );
            for arrow in &replay.space_time.arrows {
                let (from, to) = (events[arrow.from].actor, events[arrow.to].actor);
                // Where the bus's own instant is not known, a server hears its own notice from itself.
                assert!(from != to || arrow.carries == Carries::Notice, "{name}: {arrow:?}");
            }
        }
    }
}

#[test]
fn every_lane_knows_its_row() {
    for servers in [1, 4, 8] {
        let rows: Vec<usize> = lanes_of(servers).into_iter().map(|lane| lane.row(servers)).collect();
        assert_eq!(rows, (0..servers + 4).collect::<Vec<_>>());
    }
}
