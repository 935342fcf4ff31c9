//! What a scenario says to a learner: one [`Words`] a language, in files of the scenario's own folder.
//!
//! Words belong to (scenario, id, language). An id is a constant of the scenario, so a word for one that is gone does
//! not compile; `tests/words.rs` finds the id that has no word. A text may name a knob in braces (`{clients}`): the
//! value that is set stands there, wherever the language wants it.

use super::{ScenarioId, Settings};

/// A language of the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// The tag of the language, for `lang` attributes and storage.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The language of a tag such as `ja-JP`.
    pub fn of_tag(tag: &str) -> Self {
        if tag.starts_with("ja") { Self::Ja } else { Self::En }
    }
}

/// An id, and the word for it.
pub type Word = (&'static str, &'static str);

/// An id, the word for it, and a sentence.
pub type Phrase = (&'static str, &'static str, &'static str);

/// All that a scenario says in one language. `**…**` is set in bold.
#[derive(Debug)]
pub struct Words {
    /// The name of the lesson.
    pub title: &'static str,
    /// The situation, in a few sentences.
    pub story: &'static str,
    /// What must hold.
    pub promise: &'static str,
    /// The question before the run.
    pub question: &'static str,
    /// A nudge.
    pub hint: &'static str,
    /// The reason, told with the answer.
    pub why: &'static str,
    /// Each answer to the question, and a thought that may stand behind it.
    pub answers: &'static [Phrase],
    /// Each preset: its name, and what it does.
    pub presets: &'static [Phrase],
    /// Each knob.
    pub knobs: &'static [Word],
    /// What each check asks for.
    pub checks: &'static [Word],
    /// Each part of the run: its name, and what begins with it.
    pub phases: &'static [Phrase],
}

impl Words {
    /// The answer of that id: the answer itself, and the thought.
    pub fn answer(&self, id: &str) -> Option<(&'static str, &'static str)> {
        phrase(self.answers, id)
    }

    /// The preset of that name: its name for learners, and its sentence.
    pub fn preset(&self, name: &str) -> Option<(&'static str, &'static str)> {
        phrase(self.presets, name)
    }

    /// The phase of that name: its name for learners, and its sentence.
    pub fn phase(&self, name: &str) -> Option<(&'static str, &'static str)> {
        phrase(self.phases, name)
    }

    /// The name of a knob.
    pub fn knob(&self, name: &str) -> Option<&'static str> {
        word(self.knobs, name)
    }

    /// What a check asks for.
    pub fn check(&self, id: &str) -> Option<&'static str> {
        word(self.checks, id)
    }

    /// The promise as plain text, for a command line.
    pub fn goal(&self) -> String {
        self.promise.replace("**", "")
    }
}

fn word(words: &[Word], id: &str) -> Option<&'static str> {
    words.iter().find(|(own, _)| *own == id).map(|(_, word)| *word)
}

fn phrase(phrases: &[Phrase], id: &str) -> Option<(&'static str, &'static str)> {
    phrases.iter().find(|(own, ..)| *own == id).map(|(_, word, sentence)| (*word, *sentence))
}

/// A text of the scenario with the values of the knobs that it names.
pub fn told(text: &str, scenario: ScenarioId, settings: &Settings) -> String {
    scenario.scenario().knobs.iter().fold(text.to_owned(), |text, knob| {
        text.replace(&format!("{{{}}}", knob.name), &settings.get(knob).to_string())
    })
}
