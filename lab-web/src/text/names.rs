//! The words of a scenario for its ids. An id that it has no word for can only come from another lab's recording, and is
//! shown as it is.

use lab_core::scenario::{RunSpec, ScenarioId, words};

use super::Lang;
use super::lesson::humanised;

/// An answer to the question of a run's scenario: the answer itself, and a thought that may stand behind it.
pub(crate) fn answer(spec: &RunSpec, id: &str, lang: Lang) -> (String, String) {
    let told = |text| words::told(text, spec.scenario, &spec.settings);
    let words = spec.scenario.words(lang).answer(id);
    words.map_or_else(|| (humanised(id), String::new()), |(text, thought)| (told(text), told(thought)))
}

/// What a check asks for.
pub(crate) fn check(scenario: ScenarioId, id: &str, lang: Lang) -> String {
    scenario.words(lang).check(id).map_or_else(|| humanised(id), str::to_owned)
}

/// Name and sentence of a preset.
pub(crate) fn preset(scenario: ScenarioId, name: &str, lang: Lang) -> (String, &'static str) {
    let words = scenario.words(lang).preset(name);
    words.map_or_else(|| (humanised(name), ""), |(name, sentence)| (name.to_owned(), sentence))
}

/// Name and unit of a knob.
pub(crate) fn knob(scenario: ScenarioId, name: &str, lang: Lang) -> (String, &'static str) {
    let unit = if name.ends_with("-ms") { "ms" } else { "" };
    let word = scenario.words(lang).knob(name);
    (word.map_or_else(|| humanised(name.trim_end_matches("-ms")), str::to_owned), unit)
}

/// The name of a part of a run.
pub(crate) fn phase(scenario: ScenarioId, name: &str, lang: Lang) -> String {
    scenario.words(lang).phase(name).map_or_else(|| name.to_owned(), |(name, _)| name.to_owned())
}

/// What begins with a part of a run, if the scenario has a sentence for it.
pub(crate) fn begins(scenario: ScenarioId, name: &str, lang: Lang) -> Option<&'static str> {
    scenario.words(lang).phase(name).map(|(_, sentence)| sentence)
}
