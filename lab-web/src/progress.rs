//! What the learner has done, kept in the browser: predictions, red seen, green, verified on real.
//!
//! Other tabs keep theirs in the same place, and so may a newer version of this page: what is stored is therefore
//! added to, and what cannot be read of it stays as it is. Only [`Progress::forget`] takes anything away.
//!
//! It can be written to a file and read again. A file is a stranger's: it is taken in whole or not at all, and it
//! only ever adds to what is there.

use std::collections::BTreeMap;

use lab_core::scenario::ScenarioId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name under which the browser keeps it.
const STORED_AS: &str = "cache-lab-progress";
/// The name under which something that is no progress at all is put aside, before progress takes its place.
const ASIDE_AS: &str = "cache-lab-progress-unreadable";

/// The format of the file, and the only one that is read.
const FORMAT: u64 = 1;
/// The largest file that is read, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 64 * 1024;

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
#[serde(default, deny_unknown_fields)]
struct Lesson {
    mark: Mark,
    guess: Option<usize>,
}

/// The progress over all lessons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Progress(BTreeMap<String, Lesson>);

/// What is stored, as it stands there: lessons and marks of a newer version are kept without being understood.
type Stored = Map<String, Value>;

/// The file that progress is exported to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: u64,
    lessons: Progress,
}

/// Why a file is no progress that can be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProgressError {
    /// It is larger than [`FILE_BYTES_MAX`].
    TooBig,
    /// It is not such a file; with what the reader says.
    Unreadable(String),
    /// It has a format that is not known here.
    UnknownFormat(u64),
    /// It names a lesson that there is not.
    UnknownLesson(String),
    /// It names an answer that the lesson's question does not have.
    UnknownAnswer(String),
}

/// The browser keeps nothing: storage is blocked or full, or what stands there must not be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotKept;

impl Lesson {
    /// Whether the lesson of that name can have come this far.
    fn validate(&self, slug: &str) -> Result<(), ProgressError> {
        let scenario: ScenarioId = slug.parse().map_err(|_| ProgressError::UnknownLesson(slug.to_owned()))?;
        match self.guess {
            Some(guess) if guess >= scenario.scenario().answers.len() => {
                Err(ProgressError::UnknownAnswer(slug.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Adds this to the stored fields of the same lesson: the further mark stays, and the answer that was given
    /// first. A field that cannot be read is left as it is.
    fn add_to(&self, fields: &mut Map<String, Value>) {
        let further = match fields.get("mark") {
            None => self.mark > Mark::Todo,
            Some(mark) => serde_json::from_value::<Mark>(mark.clone()).is_ok_and(|mark| mark < self.mark),
        };
        if let (true, Ok(mark)) = (further, serde_json::to_value(self.mark)) {
            fields.insert("mark".to_owned(), mark);
        }
        if let (Some(guess), None | Some(Value::Null)) = (self.guess, fields.get("guess")) {
            fields.insert("guess".to_owned(), guess.into());
        }
    }
}

impl Progress {
    /// What the browser has kept. A lesson that cannot be read is left out, and does not cost the others.
    pub(crate) fn load() -> Self {
        let stored = storage().and_then(|storage| storage.get_item(STORED_AS).ok().flatten());
        stored.map_or_else(Self::default, |text| Self::of_stored(&text))
    }

    fn of_stored(text: &str) -> Self {
        let lessons: BTreeMap<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let readable = lessons.into_iter().filter_map(|(slug, lesson)| {
            let lesson: Lesson = serde_json::from_value(lesson).ok()?;
            lesson.validate(&slug).ok()?;
            Some((slug, lesson))
        });
        Self(readable.collect())
    }

    /// The content of a file that [`Progress::import`] reads.
    pub(crate) fn export(&self) -> String {
        let export = Export { format: FORMAT, lessons: self.clone() };
        serde_json::to_string_pretty(&export).unwrap_or_default()
    }

    /// Reads an exported file.
    pub(crate) fn import(text: &str) -> Result<Self, ProgressError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(ProgressError::TooBig);
        }
        let unreadable = |error: serde_json::Error| ProgressError::Unreadable(error.to_string());
        let export: Value = serde_json::from_str(text).map_err(unreadable)?;
        if let Some(format) = export.get("format").and_then(Value::as_u64).filter(|format| *format != FORMAT)
        {
            return Err(ProgressError::UnknownFormat(format));
        }
        let Export { lessons, .. } = serde_json::from_value(export).map_err(unreadable)?;
        lessons.0.iter().try_for_each(|(slug, lesson)| lesson.validate(slug))?;
        Ok(lessons)
    }

    /// Takes other progress in: of each lesson the further mark stays, and the answer that was given here.
    pub(crate) fn add(&mut self, other: Self) {
        for (slug, lesson) in other.0 {
            let own = self.0.entry(slug).or_default();
            own.mark = own.mark.max(lesson.mark);
            own.guess = own.guess.or(lesson.guess);
        }
    }

    /// Adds it to what the browser has kept. What stands there and is no progress at all may be dear to somebody: it is
    /// put aside first, or nothing is written.
    pub(crate) fn store(&self) -> Result<(), NotKept> {
        let Some(storage) = storage() else { return if self.0.is_empty() { Ok(()) } else { Err(NotKept) } };
        let read = |name: &str| storage.get_item(name).map_err(|_| NotKept);
        let write = |name: &str, text: &str| storage.set_item(name, text).map_err(|_| NotKept);
        let stored = read(STORED_AS)?;
        let Some(text) = self.added_to(stored.as_deref()) else { return Ok(()) };
        if let Some(rubbish) = stored.filter(|text| serde_json::from_str::<Stored>(text).is_err()) {
            match read(ASIDE_AS)? {
                None => write(ASIDE_AS, &rubbish)?,
                Some(aside) if aside == rubbish => {}
                Some(_) => return Err(NotKept),
            }
        }
        write(STORED_AS, &text)
    }

    /// What is to be stored now; `None` where everything is stored already.
    fn added_to(&self, stored: Option<&str>) -> Option<String> {
        let before: Stored = stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut after = before.clone();
        for (slug, lesson) in &self.0 {
            let kept = after.entry(slug.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(fields) = kept.as_object_mut() {
                lesson.add_to(fields);
            }
        }
        (after != before).then(|| serde_json::to_string(&after).ok()).flatten()
    }

    /// Takes away all that the browser has kept, also what cannot be read here: that is what was asked for.
    pub(crate) fn forget() {
        if let Some(storage) = storage() {
            let _ = storage.set_item(STORED_AS, "{}");
            let _ = storage.remove_item(ASIDE_AS);
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

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn some() -> Progress {
        let mut progress = Progress::default();
        progress.predict(ScenarioId::InvalidationDelay, 1);
        progress.mark(ScenarioId::InvalidationDelay, Mark::Green);
        progress.mark(ScenarioId::StampedeLock, Mark::Red);
        progress
    }

    #[test]
    fn what_was_exported_is_imported() {
        assert_eq!(Progress::import(&some().export()), Ok(some()));
    }

    #[test]
    fn an_import_only_adds() {
        let mut progress = Progress::default();
        progress.predict(ScenarioId::InvalidationDelay, 2);
        progress.mark(ScenarioId::InvalidationDelay, Mark::Red);
        progress.mark(ScenarioId::StampedeLock, Mark::Real);
        progress.add(some());
        assert_eq!(progress.of(ScenarioId::InvalidationDelay), Mark::Green);
        assert_eq!(progress.of(ScenarioId::StampedeLock), Mark::Real);
        assert_eq!(progress.guess(ScenarioId::InvalidationDelay), Some(2), "the own answer stays");
    }

    #[test]
    fn a_file_is_taken_in_whole_or_not_at_all() {
        let with = |lessons: &str| format!(r#"{{"format":1,"lessons":{lessons}}}"#);
        let refused = |text: &str| Progress::import(text).expect_err("it is no progress");
        assert!(matches!(refused("not JSON"), ProgressError::Unreadable(_)));
        assert!(matches!(refused("{}"), ProgressError::Unreadable(_)));
        assert_eq!(refused(r#"{"format":2,"lessons":{}}"#), ProgressError::UnknownFormat(2));
        assert_eq!(
            refused(&with(r#"{"stampede-lock":{"mark":"red"},"no-such":{"mark":"red"}}"#)),
            ProgressError::UnknownLesson("no-such".to_owned())
        );
        assert_eq!(
            refused(&with(r#"{"stampede-lock":{"guess":3}}"#)),
            ProgressError::UnknownAnswer("stampede-lock".to_owned())
        );
        assert!(matches!(
            refused(&with(r#"{"stampede-lock":{"mark":"won"}}"#)),
            ProgressError::Unreadable(_)
        ));
        assert_eq!(refused(&" ".repeat(FILE_BYTES_MAX + 1)), ProgressError::TooBig);
    }

    #[test]
    fn a_stored_lesson_that_cannot_be_read_does_not_cost_the_others() {
        let stored = r#"{"stampede-lock":{"mark":"red","guess":null},"thundering-herd":{"mark":"won"}}"#;
        let progress = Progress::of_stored(stored);
        assert_eq!(progress.of(ScenarioId::StampedeLock), Mark::Red);
        assert_eq!(progress.of(ScenarioId::ThunderingHerd), Mark::Todo);
    }

    #[test]
    fn what_is_stored_is_added_to_and_never_taken_away() {
        let stored = concat!(
            r#"{"stampede-lock":{"mark":"real","guess":0},"thundering-herd":{"mark":"won","guess":null,"stars":3},"#,
            r#""split-brain":{"mark":"red"},"mass-expiry":7}"#
        );
        let mut own = some();
        own.predict(ScenarioId::StampedeLock, 2);
        own.predict(ScenarioId::ThunderingHerd, 1);
        own.mark(ScenarioId::ThunderingHerd, Mark::Green);
        let text = own.added_to(Some(stored)).expect("there is something to add");
        let after: Value = serde_json::from_str(&text).expect("it is JSON");
        let wanted = serde_json::json!({
            "invalidation-delay": { "mark": "green", "guess": 1 },
            "stampede-lock": { "mark": "real", "guess": 0 },
            "thundering-herd": { "mark": "won", "guess": 1, "stars": 3 },
            "split-brain": { "mark": "red" },
            "mass-expiry": 7,
        });
        assert_eq!(after, wanted);
        assert_eq!(own.added_to(Some(&text)), None, "nothing is written where nothing changed");
    }

    #[test]
    fn opening_the_page_writes_nothing() {
        let stored =
            r#"{"stampede-lock":{"mark":"red"},"thundering-herd":{"mark":"won"},"no-such":{"mark":"red"}}"#;
        for stored in [Some(stored), Some("{}"), Some("not JSON"), None] {
            let loaded = stored.map_or_else(Progress::default, Progress::of_stored);
            assert_eq!(loaded.added_to(stored), None, "{stored:?}");
        }
    }
}
