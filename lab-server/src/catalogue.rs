//! The course as JSON: the same for `lab scenarios --json` and for the API.

use lab_core::policy::{Policy, Switch};
use lab_core::scenario::{COURSE, Chapter, Lang, Lesson, Role, ScenarioId};
use serde::Serialize;

/// A line of the course.
#[derive(Debug, Serialize)]
pub struct Entry {
    number: u8,
    slug: &'static str,
    title: &'static str,
    chapter: Chapter,
    /// Whether it can be run already.
    available: bool,
    #[serde(flatten)]
    details: Option<Details>,
}

/// What there is of a scenario that can be run.
#[derive(Debug, Serialize)]
struct Details {
    goal: String,
    knobs: Vec<KnobEntry>,
    presets: Vec<PresetEntry>,
    switches: &'static [Switch],
    focus: &'static str,
    file: &'static str,
}

#[derive(Debug, Serialize)]
struct KnobEntry {
    name: &'static str,
    default: u64,
    min: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct PresetEntry {
    name: &'static str,
    sentence: &'static str,
    role: Role,
    breaking_seed: Option<u64>,
    policy: Policy,
}

/// The whole course.
pub fn course() -> Vec<Entry> {
    COURSE.iter().map(entry).collect()
}

fn entry(lesson: &Lesson) -> Entry {
    let Lesson { number, slug, chapter, scenario, .. } = *lesson;
    let (title, details) = (lesson.title(Lang::En), scenario.map(details));
    Entry { number, slug, title, chapter, available: scenario.is_some(), details }
}

fn details(id: ScenarioId) -> Details {
    let (scenario, words) = (id.scenario(), id.words(Lang::En));
    let knobs = scenario.knobs.iter().map(|knob| {
        let lab_core::scenario::Knob { name, default, min, max } = *knob;
        KnobEntry { name, default, min, max }
    });
    let presets = scenario.presets.iter().map(|preset| PresetEntry {
        name: preset.name,
        sentence: words.preset(preset.name).map_or("", |(_, sentence)| sentence),
        role: preset.role,
        breaking_seed: preset.breaking_seed,
        policy: (preset.policy)(),
    });
    Details {
        goal: words.goal(),
        knobs: knobs.collect(),
        presets: presets.collect(),
        switches: scenario.switches,
        focus: scenario.focus,
        file: id.file(),
    }
}
