//! What the learner has done, kept in the browser: predictions, red seen, green, verified on real.

use std::collections::BTreeMap;

use lab_core::scenario::ScenarioId;
use serde::{Deserialize, Serialize};

/// The name under which the browser keeps it.
const STORED_AS: &str = "cache-lab-progress";

/// How far a lesson is, furthest last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mark {
    /// Nothing yet.
    #[default]
    Todo,
    /// The failure was seen.
    Red,
    /// Every seed was green.
    Green,
    /// Green on real servers.
    Real,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Lesson {
    mark: Mark,
    guess: Option<usize>,
}

/// The progress over all lessons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Progress(BTreeMap<String, Lesson>);

impl Progress {
    /// What the browser has kept; nothing where it keeps nothing or what it kept cannot be read.
    pub(crate) fn load() -> Self {
        let stored = storage().and_then(|storage| storage.get_item(STORED_AS).ok().flatten());
        stored.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps it. A browser that refuses storage only forgets.
    pub(crate) fn store(&self) {
        if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(self)) {
            let _ = storage.set_item(STORED_AS, &text);
        }
    }

    /// How far the lesson is.
    pub(crate) fn of(&self, scenario: ScenarioId) -> Mark {
        self.0.get(scenario.slug()).map_or(Mark::Todo, |lesson| lesson.mark)
    }

    /// The answer that was given.
    pub(crate) fn guess(&self, scenario: ScenarioId) -> Option<usize> {
        self.0.get(scenario.slug()).and_then(|lesson| lesson.guess)
    }

    /// Notes an answer. The first one stays.
    pub(crate) fn predict(&mut self, scenario: ScenarioId, answer: usize) {
        self.0.entry(scenario.slug().to_owned()).or_default().guess.get_or_insert(answer);
    }

    /// Notes that the lesson is this far, unless it is further already.
    pub(crate) fn mark(&mut self, scenario: ScenarioId, mark: Mark) {
        let lesson = self.0.entry(scenario.slug().to_owned()).or_default();
        lesson.mark = mark.max(lesson.mark);
    }
}

/// The browser's storage, where it may be used.
pub(crate) fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}
