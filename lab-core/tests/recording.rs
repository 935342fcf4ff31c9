//! A recording comes back whole or not at all, and says what is wrong with it.

use lab_core::recording::{EVENTS_MAX, LINE_BYTES_MAX, Recording, RecordingError, UNFINISHED_MAX};
use lab_core::report::WorldKind;
use lab_core::scenario::{RunSpec, ScenarioId};
use lab_core::sim;

fn recording(scenario: ScenarioId, preset: &str) -> Recording {
    let mut spec = RunSpec::preset(scenario, preset, 1).expect("the catalogue names its presets");
    if scenario == ScenarioId::ThunderingHerd {
        spec.settings.set(scenario, "clients", 60).expect("60 clients are allowed");
    }
    let run = sim::run(&spec).unwrap_or_else(|error| panic!("{scenario} {preset}: {error}"));
    Recording { spec, world: WorldKind::Sim, unfinished: None, trace: run.trace }
}

fn text() -> String {
    recording(ScenarioId::InvalidationDelay, "lesson").to_json_lines().expect("events are JSON")
}

fn error(text: &str) -> RecordingError {
    Recording::read(text).expect_err("it is no whole recording")
}

/// The text with its first line changed.
fn with_header(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let text = text();
    let (header, events) = text.split_once('\n').expect("a header and events");
    let mut header = serde_json::from_str(header).expect("the header is JSON");
    change(&mut header);
    format!("{header}\n{events}")
}

#[test]
fn every_preset_comes_back_as_it_was() {
    for id in ScenarioId::ALL {
        for preset in id.scenario().presets {
            let recording = recording(id, preset.name);
            let lines = recording.to_json_lines().expect("events are JSON");
            assert_eq!(Recording::read(&lines).expect("what we wrote we can read"), recording);
            // As a file comes back from another system.
            let lines = lines.replace('\n', "\r\n");
            assert_eq!(Recording::read(&lines).expect("what we wrote we can read"), recording);
            let unfinished = Recording { unfinished: Some("\"redis-a\" ended:\n{}".to_owned()), ..recording };
            let lines = unfinished.to_json_lines().expect("events are JSON");
            assert_eq!(Recording::read(&lines).expect("what we wrote we can read"), unfinished);
        }
    }
}

#[test]
fn a_long_reason_does_not_make_a_recording_that_cannot_be_read() {
    let unfinished = Some("\u{1}".repeat(LINE_BYTES_MAX));
    let long = Recording { unfinished, ..recording(ScenarioId::InvalidationDelay, "lesson") };
    let read = Recording::read(&long.to_json_lines().expect("events are JSON"));
    let why = read.expect("what we wrote we can read").unfinished;
    assert_eq!(why.map(|why| why.len()), Some(UNFINISHED_MAX));
}

#[test]
fn a_file_that_does_not_say_which_run_it_is_is_refused() {
    let text = text();
    let (_, events) = text.split_once('\n').expect("a header and events");
    assert_eq!(error(events), RecordingError::NoHeader, "bare events, as an older lab wrote them");
    assert!(error(events).to_string().contains("lab run SCENARIO --trace FILE"));
    assert_eq!(error("not JSON at all"), RecordingError::NoHeader);
    assert_eq!(error(""), RecordingError::Empty);
}

#[test]
fn a_header_must_be_one_that_can_be() {
    for other in [1, 2, 4] {
        let another = error(&with_header(|header| header["format"] = other.into()));
        assert_eq!(another, RecordingError::UnknownFormat(other));
        assert!(another.to_string().contains("record it anew with this lab"), "{another}");
    }
    let lacking = with_header(|header| drop(header.as_object_mut().map(|fields| fields.remove("seed"))));
    assert!(matches!(error(&lacking), RecordingError::BadHeader(why) if why.contains("seed")));
    let more = with_header(|header| header["verified"] = true.into());
    assert!(matches!(error(&more), RecordingError::BadHeader(why) if why.contains("verified")));
    let absurd = with_header(|header| header["settings"]["bus-delay-ms"] = 1_000_000.into());
    assert!(matches!(error(&absurd), RecordingError::Impossible(why) if why.contains("bus-delay-ms")));
    let many = with_header(|header| header["events"] = (EVENTS_MAX + 1).into());
    assert_eq!(error(&many), RecordingError::TooManyEvents(EVENTS_MAX + 1));
}

#[test]
fn a_file_that_was_cut_off_is_not_shown_as_a_shorter_run() {
    let text = text();
    let events = text.lines().count() as u64 - 1;
    let whole_lines = text.lines().take(11).collect::<Vec<_>>().join("\n");
    let broken_line = &text[..text.len() - 20];
    assert_eq!(error(&whole_lines), RecordingError::WrongCount { found: 10, wanted: events });
    assert_eq!(error(broken_line), RecordingError::WrongCount { found: events - 1, wanted: events });
    let last = text.lines().last().expect("events");
    let longer = format!("{text}{last}\n");
    assert_eq!(error(&longer), RecordingError::WrongCount { found: events + 1, wanted: events });
}

#[test]
fn a_file_that_was_changed_is_told() {
    let text = text();
    let changed = text.replacen("\"value\":\"50\"", "\"value\":\"51\"", 1);
    assert_ne!(changed, text);
    assert_eq!(error(&changed), RecordingError::WrongDigest);
    // Also what decides no run's own digest, and what only says which run it is.
    for (was, becomes) in [
        ("\"line\":", "\"line\":1"),
        ("lab-core/src/", "lab-core/crs/"),
        ("\"seed\":1,", "\"seed\":2,"),
        ("\"world\":\"sim\"", "\"world\":\"real\""),
        ("\"events\":", "\"unfinished\":\"why\",\"events\":"),
        (",", ", "),
    ] {
        let changed = text.replacen(was, becomes, 1);
        assert_ne!(changed, text);
        assert_eq!(error(&changed), RecordingError::WrongDigest, "{was} became {becomes}");
    }
    let digest = with_header(|header| header["digest"] = "0000000000000000".into());
    assert_eq!(error(&digest), RecordingError::WrongDigest);
}

#[test]
fn a_line_that_cannot_be_is_named() {
    let text = text();
    let lines: Vec<&str> = text.lines().collect();
    let with_line = |place: usize, line: &str| {
        let mut lines = lines.clone();
        lines[place] = line;
        error(&lines.join("\n"))
    };
    let bad = |error: &RecordingError, wanted: &str| matches!(error, RecordingError::BadEvent { line: 6, why } if why.contains(wanted));
    let no_event = with_line(5, "{\"at\":1}");
    assert!(bad(&no_event, "actor"), "{no_event}");
    let long = "x".repeat(LINE_BYTES_MAX + 1);
    assert_eq!(with_line(5, &long), RecordingError::LongLine(6));
    let phase = |rest: &str| {
        format!("{{\"at\":999999999999,\"actor\":\"lab\",\"kind\":{{\"phase\":{{\"name\":\"x\"}}}}{rest}}}")
    };
    let operation = with_line(5, &phase(",\"operation\":4000000000"));
    assert!(bad(&operation, "request"), "{operation}");
    let message = with_line(5, &phase(",\"message\":4000000000"));
    assert!(bad(&message, "call"), "{message}");
    let never = with_line(5, &phase("").replace("999999999999", "18446744073709551615"));
    assert!(bad(&never, "later than a run"), "{never}");
    let cause = with_line(5, &phase(",\"cause\":5"));
    assert!(bad(&cause, "cause"), "{cause}");
    let late = with_line(4, &phase(""));
    assert!(bad(&late, "time goes back"), "{late}");
}
