//! A view as a link: `#invalidation-delay/step/code?policy=lesson&seed=7&bus-delay-ms=50&at=41&digest=1a2b3c4d`.
//!
//! Whatever cannot be read falls back to the nearest valid state, and the link says what was ignored.

use lab_core::policy::{Policy, Switch};
use lab_core::scenario::{RunSpec, Scenario, ScenarioId};

use crate::state::{Lab, Step, Tab};

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
    pub(crate) ignored: Vec<String>,
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
        let text = hash.trim_start_matches('#');
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut ignored = Vec::new();
        let scenario = parts.next().map(|slug| slug.parse::<ScenarioId>().map_err(|error| error.to_string()));
        let scenario = match scenario {
            Some(Ok(scenario)) => scenario,
            Some(Err(why)) => {
                ignored.push(why);
                ScenarioId::InvalidationDelay
            }
            None => ScenarioId::InvalidationDelay,
        };
        let mut link = Self::start(scenario);
        link.ignored = ignored;
        for part in parts {
            if let Some(step) = Step::ALL.into_iter().find(|step| step.slug() == part) {
                link.step = step;
                link.tab = step.tab();
            } else if let Some(tab) = Tab::ALL.into_iter().find(|tab| tab.slug() == part) {
                link.tab = tab;
            } else {
                link.ignored.push(part.to_owned());
            }
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if link.take(name, value).is_none() {
                link.ignored.push(pair.to_owned());
            }
        }
        link
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
            let value = self.spec.settings.get(knob.name);
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
    json.chars()
        .flat_map(|c| if matches!(c, '{' | '}' | '"' | '&' | '#' | '%') { escaped(c) } else { vec![c] })
        .collect()
}

fn read_policy(scenario: &Scenario, text: &str) -> Option<Policy> {
    if let Ok(preset) = scenario.preset(text) {
        return Some((preset.policy)());
    }
    let Some(names) = text.strip_prefix('+') else {
        let policy: Policy = serde_json::from_str(&unescaped(text)?).ok()?;
        return policy.validate().is_ok().then_some(policy);
    };
    let wanted: Vec<&str> = names.split('+').filter(|name| !name.is_empty()).collect();
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

fn escaped(c: char) -> Vec<char> {
    format!("%{:02X}", c as u32).chars().collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
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

    #[test]
    fn a_bad_link_says_what_it_ignored() {
        let link = Link::parse("#no-such-lesson/step/nowhere?seed=seven&policy=lesson&bus-delay-ms=70");
        assert_eq!(link.spec.scenario, ScenarioId::InvalidationDelay);
        assert_eq!(link.step, Step::Through);
        assert_eq!(link.ignored.len(), 3, "{:?}", link.ignored);
    }
}
