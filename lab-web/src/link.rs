//! A view as a link: `#lesson/step/code?policy=lesson&seed=7&knob-ms=50&at=41&digest=1a2b3c4d`.
//!
//! Links are sent through mails, chats and forms, which encode them once more, write `&amp;` for `&`, or take the full
//! stop of the sentence along: all that is undone first. Whatever cannot be read then falls back to the nearest valid
//! state, and is told.

use lab_core::policy::{Policy, Switch};
use lab_core::scenario::{RunSpec, Scenario, ScenarioId};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::state::{Lab, Step, Tab};
use crate::text::{Lang, ui};

/// No more letters of an address are read: the longest link that the lab writes has half as many.
const LETTERS_MAX: usize = 4_096;
/// So often a link may have been encoded on its way.
const ENCODED_MAX: usize = 3;
/// So many pieces that were ignored are told, and so many letters of each.
const TOLD_MAX: usize = 5;
const TOLD_LETTERS_MAX: usize = 40;

/// What stands after a link in a sentence, and is no part of it.
const AFTERWARDS: &[char] = &[
    '.', ',', ';', ':', '!', '?', '"', '\'', ')', ']', '>', '*', '_', '»', '”', '’', '。', '、', '」', '』',
    '）', '】', '\u{200b}',
];

/// What a policy as JSON must not bring into an address.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b'{').add(b'}').add(b'[').add(b']').add(b'"').add(b'&').add(b'#').add(b'%').add(b' ');

/// What a link says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    /// The run.
    pub(crate) spec: RunSpec,
    /// The step of the lesson.
    pub(crate) step: Step,
    /// The panel.
    pub(crate) tab: Tab,
    /// The event.
    pub(crate) at: Option<usize>,
    /// The first eight hexadecimal digits of the run's digest.
    pub(crate) digest: Option<u32>,
    /// What could not be read.
    pub(crate) ignored: Vec<Ignored>,
}

/// A part of a link that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// It names a lesson that cannot be run here.
    Lesson(String),
    /// It is no step, no panel, and nothing that a run has; or its value is none.
    Part(String),
}

impl Link {
    /// The beginning of a lesson.
    pub(crate) fn start(scenario: ScenarioId) -> Self {
        Self {
            spec: Lab::lesson_spec(scenario),
            step: Step::Predict,
            tab: Tab::Story,
            at: None,
            digest: None,
            ignored: Vec::new(),
        }
    }

    /// Reads the part of an address from `#` on.
    pub(crate) fn parse(hash: &str) -> Self {
        let text = plain(hash);
        let (path, query) = text.split_once('?').unwrap_or((&text, ""));
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut ignored = Vec::new();
        let scenario = parts.next().map_or(ScenarioId::FIRST, |slug| {
            slug.parse().unwrap_or_else(|_| {
                ignored.push(Ignored::Lesson(slug.to_owned()));
                ScenarioId::FIRST
            })
        });
        let mut link = Self { ignored, ..Self::start(scenario) };
        for part in parts {
            if let Some(step) = Step::ALL.into_iter().find(|step| step.slug() == part) {
                link.step = step;
                link.tab = step.tab();
            } else if let Some(tab) = Tab::ALL.into_iter().find(|tab| tab.slug() == part) {
                link.tab = tab;
            } else {
                link.ignored.push(Ignored::Part(part.to_owned()));
            }
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if link.take(name, value).is_none() {
                link.ignored.push(Ignored::Part(pair.to_owned()));
            }
        }
        link
    }

    /// What was ignored, each in a sentence.
    pub(crate) fn told(&self, lang: Lang) -> Vec<String> {
        let quoted = |text: &str| {
            let mut short: String = text.chars().take(TOLD_LETTERS_MAX).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            ui::QUOTED.with(lang, &[&short])
        };
        let lesson = self.ignored.iter().find_map(|ignored| match ignored {
            Ignored::Lesson(slug) => Some(ui::LINK_LESSON.with(lang, &[&quoted(slug)])),
            Ignored::Part(_) => None,
        });
        let mut parts: Vec<String> = self
            .ignored
            .iter()
            .filter_map(|ignored| match ignored {
                Ignored::Part(part) => Some(quoted(part)),
                Ignored::Lesson(_) => None,
            })
            .collect();
        if parts.len() > TOLD_MAX {
            parts.truncate(TOLD_MAX);
            parts.push("…".to_owned());
        }
        let rest = (!parts.is_empty())
            .then(|| ui::LINK_IGNORED.with(lang, &[&parts.join(ui::LIST_COMMA.get(lang))]));
        lesson.into_iter().chain(rest).collect()
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let scenario = self.spec.scenario;
        match name {
            "policy" => self.spec.policy = read_policy(scenario.scenario(), value)?,
            "seed" => self.spec.seed = value.parse().ok()?,
            "at" => self.at = Some(value.parse().ok()?),
            "digest" => self.digest = Some(u32::from_str_radix(value, 16).ok()?),
            knob => self.spec.settings.set(scenario, knob, value.parse().ok()?).ok()?,
        }
        Some(())
    }

    /// The link as text, from `#` on. The shared one carries the event and the digest too.
    pub(crate) fn format(&self, shared: bool) -> String {
        let scenario = self.spec.scenario.scenario();
        let mut text = format!("#{}/{}", scenario.slug, self.step.slug());
        if self.tab != self.step.tab() {
            text.push('/');
            text.push_str(self.tab.slug());
        }
        let mut query = vec![
            format!("policy={}", write_policy(scenario, &self.spec.policy)),
            format!("seed={}", self.spec.seed),
        ];
        for knob in scenario.knobs {
            let value = self.spec.settings.get(knob);
            if value != knob.default {
                query.push(format!("{}={value}", knob.name));
            }
        }
        if let Some(at) = self.at {
            query.push(format!("at={at}"));
        }
        if let (true, Some(digest)) = (shared, self.digest) {
            query.push(format!("digest={digest:08x}"));
        }
        text.push('?');
        text.push_str(&query.join("&"));
        text
    }
}

/// A policy as text: the name of its preset; or else the switches that are on, joined by `+`; or else the whole
/// policy as JSON.
fn write_policy(scenario: &Scenario, policy: &Policy) -> String {
    if let Some(preset) = scenario.presets.iter().find(|preset| (preset.policy)() == *policy) {
        return preset.name.to_owned();
    }
    let names: Vec<String> =
        scenario.switches.iter().filter(|switch| switch.is_on(policy)).map(|switch| slug(*switch)).collect();
    let switches = format!("+{}", names.join("+"));
    if read_policy(scenario, &switches).as_ref() == Some(policy) {
        return switches;
    }
    let json = serde_json::to_string(policy).unwrap_or_default();
    utf8_percent_encode(&json, ESCAPED).to_string()
}

/// A link as it was written, whatever it went through since. No part of one holds a letter that must stay encoded.
fn plain(hash: &str) -> String {
    let mut text: String = hash.chars().take(LETTERS_MAX).collect();
    for _ in 0..ENCODED_MAX {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().replace("&amp;", "&");
        if decoded == text {
            break;
        }
        text = decoded;
    }
    text.trim_start_matches('#')
        .trim_end_matches(|c: char| c.is_whitespace() || AFTERWARDS.contains(&c))
        .to_owned()
}

fn read_policy(scenario: &Scenario, text: &str) -> Option<Policy> {
    if let Ok(preset) = scenario.preset(text) {
        return Some((preset.policy)());
    }
    // A form writes a blank for each `+`.
    let Some(names) = text.strip_prefix(['+', ' ']) else {
        let policy: Policy = serde_json::from_str(text).ok()?;
        return policy.validate().is_ok().then_some(policy);
    };
    let wanted: Vec<&str> = names.split(['+', ' ']).filter(|name| !name.is_empty()).collect();
    let known = |name: &&str| scenario.switches.iter().any(|switch| slug(*switch) == **name);
    if !wanted.iter().all(known) {
        return None;
    }
    let mut policy = (scenario.presets[0].policy)();
    for switch in scenario.switches {
        let on = wanted.contains(&slug(*switch).as_str());
        if switch.is_on(&policy) != on {
            switch.set(&mut policy, on);
        }
    }
    Some(policy)
}

/// The name of a switch, as everywhere in JSON.
pub(crate) fn slug(switch: Switch) -> String {
    serde_json::to_string(&switch).unwrap_or_default().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_preset_and_every_switch_comes_back() {
        for id in ScenarioId::ALL {
            let scenario = id.scenario();
            let mut link = Link::start(id);
            link.step = Step::Through;
            link.tab = Tab::Events;
            link.at = Some(41);
            link.digest = Some(0x1a2b_3c4d);
            for preset in scenario.presets {
                link.spec.policy = (preset.policy)();
                assert_eq!(Link::parse(&link.format(true)), link, "{}", preset.name);
                for switch in scenario.switches {
                    for on in [false, true] {
                        link.spec.policy = (preset.policy)().with(*switch, on);
                        assert_eq!(
                            Link::parse(&link.format(true)),
                            link,
                            "{} with {switch:?} {on}",
                            preset.name
                        );
                    }
                }
            }
        }
    }

    /// A link with all that a link can hold, and what it says.
    fn full() -> (String, Link) {
        let mut link = Link::start(ScenarioId::InvalidationDelay);
        (link.step, link.tab, link.at) = (Step::Through, Tab::Events, Some(41));
        link.spec.policy =
            link.spec.policy.with(Switch::AcknowledgedInvalidation, true).with(Switch::StrongReads, true);
        link.spec
            .settings
            .set(ScenarioId::InvalidationDelay, "bus-delay-ms", 70)
            .expect("the bus may take 70 ms");
        (link.format(true), link)
    }

    #[test]
    fn a_link_survives_what_mails_chats_and_forms_do_to_it() {
        let (text, wanted) = full();
        assert!(text.contains("policy=+"), "the policy is a list of switches: {text}");
        let bare = text.trim_start_matches('#');
        let every = percent_encoding::NON_ALPHANUMERIC;
        let once = utf8_percent_encode(bare, every).to_string();
        let spoilt = [
            text.replace('+', "%2B"),
            text.replace('+', "%2b"),
            text.replace('+', "%252B"),
            text.replace('+', "%20"),
            text.replace('&', "&amp;"),
            text.replace('&', "&amp;amp;"),
            text.replace('&', "%26amp%3B"),
            format!("#{once}"),
            format!("#{}", utf8_percent_encode(&once, every)),
            format!("#/{bare}"),
            format!("{text}%29"),
            format!("{text}%3E%20"),
        ];
        for spoilt in spoilt {
            assert_eq!(Link::parse(&spoilt), wanted, "{spoilt}");
        }
        for after in [".", ",", ")", ").", "]", ">", "\"", "”", "。", "）。", "」", " ", "\u{200b}"] {
            assert_eq!(Link::parse(&format!("{text}{after}")), wanted, "{after:?} after it");
        }
    }

    #[test]
    fn a_policy_that_is_no_list_of_switches_survives_it_too() {
        let mut link = Link::start(ScenarioId::InvalidationDelay);
        link.at = Some(3);
        link.spec.policy = Policy { shared_ttl_ms: 12_345, ..link.spec.policy };
        let text = link.format(false);
        assert!(text.contains("policy=%7B"), "the policy is written as JSON: {text}");
        assert_eq!(Link::parse(&text), link);
        assert_eq!(Link::parse(&format!("{}.", text.replace('%', "%25"))), link);
    }

    #[test]
    fn a_bad_link_says_what_it_ignored_in_sentences() {
        let link = Link::parse("#no-such-lesson/step/nowhere?seed=seven&policy=lesson&bus-delay-ms=70");
        assert_eq!(link.spec.scenario, ScenarioId::InvalidationDelay);
        assert_eq!(link.step, Step::Through);
        let told = link.told(Lang::En);
        assert_eq!(
            told,
            [
                "This lab has no lesson “no-such-lesson” that can be run; the first one is shown.",
                "Not understood in the link, and left out: “nowhere”, “seed=seven”.",
            ]
        );
        let told = link.told(Lang::Ja).concat();
        assert!(
            told.contains("「no-such-lesson」") && told.contains("「nowhere」、「seed=seven」"),
            "{told}"
        );
        assert!(Link::parse("#stampede-lock/hold?seed=3").told(Lang::En).is_empty());
    }

    #[test]
    fn a_link_of_any_length_is_told_in_a_few_words() {
        let long = format!("#stampede-lock/{}", "nowhere/".repeat(100_000));
        let told = Link::parse(&long).told(Lang::En);
        assert!(told.len() == 1 && told[0].len() < 200, "{told:?}");
        let torn = Link::parse(&format!("#stampede-lock/hold?{}=%FF%", "x".repeat(3_000)));
        assert!(torn.told(Lang::Ja).concat().chars().count() < 100, "{torn:?}");
    }
}
