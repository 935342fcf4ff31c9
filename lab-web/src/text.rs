//! Every word that the page shows, in English and Japanese; those of a scenario stand in its own folder in lab-core.
//!
//! A [`Text`] cannot be written without both languages, and a test fails when one of them is empty or is not in
//! its language. Sentences about events are in [`sentence`], what surrounds a lesson in [`lesson`], the words of its
//! ids in [`names`], why a file cannot be opened in [`recording`].

pub(crate) mod lesson;
pub(crate) mod names;
pub(crate) mod recording;
pub(crate) mod sentence;
pub(crate) mod ui;

use std::borrow::Cow;

pub(crate) use lab_core::scenario::Lang;
use lab_core::trace::Kind;
use lab_core::value::Instant;

/// One text in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    en: &'static str,
    ja: &'static str,
}

impl Text {
    /// A text in both languages.
    pub(crate) const fn new(en: &'static str, ja: &'static str) -> Self {
        Self { en, ja }
    }

    /// The text in one language.
    pub(crate) fn get(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Ja => self.ja,
        }
    }

    /// The text with `{}` replaced, in order, by `parts`. Of a choice such as `[event|events]` the first word is taken
    /// when the part before it is `1`.
    pub(crate) fn with(self, lang: Lang, parts: &[&str]) -> String {
        let mut text = String::new();
        let mut parts = parts.iter();
        for (place, piece) in self.get(lang).split("{}").enumerate() {
            let part = if place > 0 { parts.next().copied().unwrap_or_default() } else { "" };
            text.push_str(part);
            text.push_str(&chosen(piece, part == "1"));
        }
        text
    }
}

/// The piece of a text with each of its choices, `[one|many]`, made.
fn chosen(piece: &str, is_one: bool) -> Cow<'_, str> {
    let choice = piece.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)));
    let Some((before, (words, after))) = choice else { return Cow::Borrowed(piece) };
    let (one, many) = words.split_once('|').unwrap_or((words, words));
    Cow::Owned(format!("{before}{}{}", if is_one { one } else { many }, chosen(after, is_one)))
}

/// A count and what is counted, in English: `1 event`, `2 events`.
pub(crate) fn numbered(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// The word of the Events list for a kind of event: protocol words and the words of the field, in any language.
pub(crate) fn event_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Phase { .. } => "PHASE",
        Kind::Injected { .. } => "FAULT",
        Kind::Requested { .. } => "REQUEST",
        Kind::Received { .. } => "RECEIVE",
        Kind::Answered { .. } => "ANSWER",
        Kind::Completed { .. } => "COMPLETE",
        Kind::L1Hit => "L1 HIT",
        Kind::L1Miss => "L1 MISS",
        Kind::L1Unfit { .. } => "L1 UNFIT",
        Kind::L1Stored { .. } => "L1 STORE",
        Kind::L1Refused { .. } => "L1 REFUSE",
        Kind::L1Dropped { .. } => "L1 DROP",
        Kind::L1Flushed { .. } => "L1 FLUSH",
        Kind::FlightLed => "LEAD",
        Kind::FlightJoined => "JOIN",
        Kind::FlightDetached => "DETACH",
        Kind::Waiting { .. } => "WAIT",
        Kind::Woken { .. } => "WAKE",
        Kind::ComputeStarted => "COMPUTE",
        Kind::Computed { .. } => "COMPUTED",
        Kind::Called { verb, .. } | Kind::Served { verb, .. } | Kind::Returned { verb, .. } => verb.as_str(),
        Kind::Queued { .. } => "QUEUE",
        Kind::Replayed { .. } => "REPLAY",
        Kind::Delivered { .. } => "DELIVER",
        Kind::GapNoticed { .. } => "GAP",
        Kind::Started { .. } => "START",
        Kind::RoleChanged { .. } => "ROLE",
    }
}

/// An instant as on the clock: `+132.4`, in milliseconds.
pub(crate) fn clock(at: Instant) -> String {
    format!("+{:.1}", at.as_millis_f64())
}

/// An instant with a finer hand, for code and lists: `+132.42 ms`.
pub(crate) fn moment(at: Instant) -> String {
    format!("+{:.2} ms", at.as_millis_f64())
}

/// A length of time in the unit that suits it: `340 µs`, `24 ms`, `1.8 s`.
pub(crate) fn span(ns: u64) -> String {
    let ms = ns as f64 / 1e6;
    match ms {
        ms if ms < 1.0 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 100_000.0 => format!("{:.1} s", ms / 1e3),
        ms => format!("{:.0} s", ms / 1e3),
    }
}

/// A count with separators: `1,204`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use lab_core::scenario::{Role, ScenarioId};

    use super::*;

    fn is_japanese(text: &str) -> bool {
        text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'))
    }

    /// Words that are the same in both languages: names and protocol words.
    const SHARED: [&str; 6] = ["Cache Lab", "Postgres", "Redis", "pub/sub", "SQL", "L1"];

    #[test]
    fn every_text_is_in_both_languages() {
        for text in ui::ALL {
            assert!(!text.en.is_empty() && !text.ja.is_empty(), "{text:?} lacks a language");
            assert!(!is_japanese(text.en), "the English of {text:?} is Japanese");
            let wordless = !text.ja.chars().any(char::is_alphabetic);
            assert!(
                wordless || is_japanese(text.ja) || SHARED.contains(&text.ja),
                "the Japanese of {text:?} is not"
            );
            let holes = |text: &str| text.matches("{}").count();
            assert_eq!(holes(text.en), holes(text.ja), "{text:?} has not the same number of parts");
        }
    }

    /// The step that looks for a cure comes later than the reason: that names the cause alone.
    #[test]
    fn a_reason_names_no_cure() {
        for (id, lang) in ScenarioId::ALL.into_iter().flat_map(|id| Lang::ALL.map(|lang| (id, lang))) {
            let (words, scenario) = (id.words(lang), id.scenario());
            let switches = scenario.switches.iter().map(|switch| lesson::switch(*switch, lang).0);
            let cures = scenario.presets.iter().filter(|preset| preset.role != Role::Red);
            let cures = cures.filter_map(|preset| Some(words.preset(preset.name)?.0));
            for cure in switches.chain(cures) {
                let told = words.why.to_lowercase().contains(&cure.to_lowercase());
                assert!(!told, "the reason of {id} in {lang:?} names {cure:?}: {}", words.why);
            }
        }
    }

    #[test]
    fn one_is_no_plural() {
        let text = Text::new("{} of {} [check fails|checks fail], {} [key|keys]", "{}/{}、{}");
        assert_eq!(text.with(Lang::En, &["1", "2", "1"]), "1 of 2 checks fail, 1 key");
        assert_eq!(text.with(Lang::En, &["1", "1", "0"]), "1 of 1 check fails, 0 keys");
        assert_eq!(text.with(Lang::Ja, &["1", "1", "0"]), "1/1、0");
        assert_eq!(ui::N_EVENTS.with(Lang::En, &["1"]), "1 event");
        assert_eq!(numbered(1, "query waits", "queries wait"), "1 query waits");
        assert_eq!(numbered(1_200, "query waits", "queries wait"), "1,200 queries wait");
        let choice = |text: &&Text| text.en.contains(['[', ']', '|']) || text.ja.contains(['[', ']', '|']);
        for text in ui::ALL.iter().filter(choice) {
            let told = text.with(Lang::En, &["1", "1", "1"]);
            assert!(!told.contains(['[', ']', '|']), "{told}");
            assert!(!text.ja.contains(['[', ']', '|']), "Japanese has no plural: {text:?}");
        }
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(1_204), "1,204");
        assert_eq!(grouped(999), "999");
        assert_eq!(span(24_400_000), "24 ms");
        assert_eq!(span(1_800_000_000), "1.8 s");
        assert_eq!(clock(Instant(132_420_000)), "+132.4");
    }
}
