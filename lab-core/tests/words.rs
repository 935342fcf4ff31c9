//! Each scenario has a word for each of its ids in each language, and none for anything else.

use std::collections::BTreeSet;

use lab_core::scenario::{COURSE, Lang, RunSpec, ScenarioId, Words};
use lab_core::sim;
use lab_core::trace::Kind;

/// Every (scenario, language) with its words.
fn all() -> impl Iterator<Item = (ScenarioId, Lang, &'static Words)> {
    ScenarioId::ALL.into_iter().flat_map(|id| Lang::ALL.map(|lang| (id, lang, id.words(lang))))
}

/// Every text that a scenario says in one language.
fn texts(words: &Words) -> Vec<&'static str> {
    let Words { title, story, promise, question, hint, why, .. } = words;
    let phrases = [words.answers, words.presets, words.phases].concat();
    let words = [words.knobs, words.checks].concat();
    let single = [title, story, promise, question, hint, why].into_iter().copied();
    let phrases = phrases.into_iter().flat_map(|(_, word, sentence)| [word, sentence]);
    single.chain(phrases).chain(words.into_iter().map(|(_, word)| word)).collect()
}

fn is_japanese(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'))
}

#[test]
fn every_id_has_one_word_and_every_word_an_id() {
    for (id, lang, words) in all() {
        let scenario = id.scenario();
        let names = |phrases: &[(&'static str, &str, &str)]| -> Vec<_> {
            phrases.iter().map(|(id, ..)| *id).collect()
        };
        let presets: Vec<_> = scenario.presets.iter().map(|preset| preset.name).collect();
        let knobs: Vec<_> = scenario.knobs.iter().map(|knob| knob.name).collect();
        assert_eq!(names(words.answers), scenario.answers, "answers of {id} in {lang:?}");
        assert_eq!(names(words.presets), presets, "presets of {id} in {lang:?}");
        assert_eq!(names(words.phases), scenario.phases, "phases of {id} in {lang:?}");
        let names = |words: &[(&'static str, &str)]| -> Vec<_> { words.iter().map(|(id, _)| *id).collect() };
        assert_eq!(names(words.knobs), knobs, "knobs of {id} in {lang:?}");
        assert_eq!(names(words.checks), scenario.checks, "checks of {id} in {lang:?}");
    }
}

#[test]
fn every_text_is_in_its_language_and_names_only_knobs() {
    for (id, lang, words) in all() {
        for text in texts(words) {
            assert!(!text.is_empty(), "{id} has an empty text in {lang:?}");
            assert!(!words.goal().contains('{'), "the promise of {id} is told where no knob is set");
            assert_eq!(is_japanese(text), lang == Lang::Ja, "{id} in {lang:?}: {text}");
            assert_eq!(text.matches("**").count() % 2, 0, "{id} leaves bold print open: {text}");
            for parameter in text.split('{').skip(1).map(|rest| rest.split('}').next()) {
                let known = id.scenario().knobs.iter().any(|knob| Some(knob.name) == parameter);
                assert!(known, "{id} in {lang:?} names no knob with {parameter:?}: {text}");
            }
        }
    }
}

/// What a run really has, under any of its policies: nothing that the lists leave out, and all that they hold.
#[test]
fn the_lists_of_ids_are_those_of_the_runs() {
    for id in ScenarioId::ALL {
        let scenario = id.scenario();
        let mut phases = BTreeSet::new();
        for preset in scenario.presets {
            let spec = RunSpec::preset(id, preset.name, 1).expect("a preset of the scenario");
            let run = sim::run(&spec).unwrap_or_else(|error| panic!("{id} {}: {error}", preset.name));
            let checks: Vec<_> = run.report.checks.iter().map(|check| check.id.as_str()).collect();
            assert_eq!(checks, scenario.checks, "{id} {}", preset.name);
            phases.extend(run.trace.events.into_iter().filter_map(|event| match event.kind {
                Kind::Phase { name } => Some(name),
                _ => None,
            }));
        }
        let listed: BTreeSet<_> = scenario.phases.iter().map(ToString::to_string).collect();
        assert_eq!(phases, listed, "{id}");
    }
}

#[test]
fn the_course_has_each_of_its_fifteen_lessons_once() {
    let numbers: Vec<_> = COURSE.iter().map(|lesson| lesson.number).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    for lesson in COURSE.iter() {
        let ready = ScenarioId::ALL.into_iter().find(|id| id.scenario().number == lesson.number);
        assert_eq!(lesson.scenario, ready, "{}", lesson.slug);
        if let Some(id) = ready {
            assert_eq!(serde_json::to_value(id).expect("a name"), id.slug());
            assert_eq!(id.file(), format!("lab-core/src/scenario/{}/body.rs", id.slug().replace('-', "_")));
            assert_eq!(id.scenario().id, id);
        }
    }
}
