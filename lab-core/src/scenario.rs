//! The catalogue: fifteen failures, each one lesson, each one file with one body for both worlds.
//!
//! A scenario file holds the body ([`play`]), what it is judged by ([`judge`]) and what the lab says about it (its
//! [`Scenario`]). The lab shows that very file as "the failing test", so it is written to be read.

mod invalidation_delay;
mod settings;
mod stampede_lock;
mod thundering_herd;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use settings::{Knob, Settings, SettingsError};

use crate::policy::{Policy, Switch};
use crate::report::Report;
use crate::trace::Trace;
use crate::world::{World, WorldError};

/// A scenario that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioId {
    /// An invalidation takes its time, and readers are answered the old value meanwhile.
    InvalidationDelay,
    /// A thousand clients miss at once.
    ThunderingHerd,
    /// Ten requests want one expensive computation.
    StampedeLock,
}

impl ScenarioId {
    /// Every scenario that can be run, in the order of the catalogue.
    pub const ALL: [Self; 3] = [Self::InvalidationDelay, Self::ThunderingHerd, Self::StampedeLock];

    /// What the lab says about it.
    pub fn scenario(self) -> &'static Scenario {
        match self {
            Self::InvalidationDelay => &invalidation_delay::SCENARIO,
            Self::ThunderingHerd => &thundering_herd::SCENARIO,
            Self::StampedeLock => &stampede_lock::SCENARIO,
        }
    }

    /// Its name in commands and links.
    pub fn slug(self) -> &'static str {
        self.scenario().slug
    }
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// A name that no scenario has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no scenario is called {asked:?}; there are: {}", listed(ScenarioId::ALL.map(ScenarioId::slug)))]
pub struct UnknownScenario {
    /// What was asked for.
    pub asked: String,
}

/// A name that no preset of the scenario has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{scenario} has no policy called {asked:?}; it has: {}",
    listed(scenario.scenario().presets.iter().map(|preset| preset.name))
)]
pub struct UnknownPreset {
    /// The scenario.
    pub scenario: ScenarioId,
    /// What was asked for.
    pub asked: String,
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

impl FromStr for ScenarioId {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        let found = Self::ALL.into_iter().find(|id| id.slug() == text);
        found.ok_or_else(|| UnknownScenario { asked: text.to_owned() })
    }
}

/// A part of the course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chapter {
    /// How a cache comes to answer something old.
    Freshness,
    /// What many readers do to one source.
    HerdsAndLocks,
    /// What a reader may count on.
    Consistency,
    /// What happens when parts are gone.
    Failure,
    /// What more servers bring.
    Growth,
}

/// A line of the course rail.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// Its number in the catalogue.
    pub number: u8,
    /// Its name in commands and links.
    pub slug: &'static str,
    /// Its English title.
    pub title: &'static str,
    /// The part of the course that it belongs to.
    pub chapter: Chapter,
    /// The scenario, where it can be run already.
    pub scenario: Option<ScenarioId>,
}

const fn coming(number: u8, slug: &'static str, title: &'static str, chapter: Chapter) -> Lesson {
    Lesson { number, slug, title, chapter, scenario: None }
}

const fn ready(
    id: ScenarioId,
    number: u8,
    slug: &'static str,
    title: &'static str,
    chapter: Chapter,
) -> Lesson {
    Lesson { number, slug, title, chapter, scenario: Some(id) }
}

/// The whole course.
pub const COURSE: [Lesson; 15] = [
    ready(ScenarioId::InvalidationDelay, 1, "invalidation-delay", "Invalidation delay", Chapter::Freshness),
    coming(2, "lost-invalidation", "Lost invalidation", Chapter::Freshness),
    coming(3, "stale-set-race", "Stale-set race", Chapter::Freshness),
    ready(ScenarioId::ThunderingHerd, 4, "thundering-herd", "Thundering herd", Chapter::HerdsAndLocks),
    ready(ScenarioId::StampedeLock, 5, "stampede-lock", "Stampede lock", Chapter::HerdsAndLocks),
    coming(6, "lock-expiry", "Lock expiry & fencing", Chapter::HerdsAndLocks),
    coming(7, "mass-expiry", "Mass expiry & early refresh", Chapter::HerdsAndLocks),
    coming(8, "consistency-levels", "Consistency levels", Chapter::Consistency),
    coming(9, "replication-lag", "Replication lag", Chapter::Consistency),
    coming(10, "cold-start", "Cold start & warming", Chapter::Failure),
    coming(11, "node-failure", "Node failure", Chapter::Failure),
    coming(12, "quorum-write", "Partition & quorum writes", Chapter::Failure),
    coming(13, "split-brain", "Split brain", Chapter::Failure),
    coming(14, "scaling-out", "Scaling out", Chapter::Growth),
    coming(15, "absent-and-zero", "Absent & zero", Chapter::Freshness),
];

/// What a preset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The naive policy: the goal fails under every seed.
    Red,
    /// A fix: the goal holds under every seed.
    Green,
    /// It looks right and is not: some seed breaks the goal ([`Preset::breaking_seed`]).
    Wrong,
    /// It keeps a smaller promise: the goal fails, and the checks named here hold.
    Partial(&'static [&'static str]),
}

/// A named policy of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in commands and links.
    pub name: &'static str,
    /// What it is, in one English sentence.
    pub sentence: &'static str,
    /// What it is for.
    pub role: Role,
    /// The policy itself.
    pub policy: fn() -> Policy,
    /// For a red or wrong one: a recorded seed under which the goal fails.
    pub breaking_seed: Option<u64>,
}

/// What the lab says about a scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Which one.
    pub id: ScenarioId,
    /// Its number in the catalogue.
    pub number: u8,
    /// Its name in commands and links.
    pub slug: &'static str,
    /// Its English title.
    pub title: &'static str,
    /// What must hold, in one English sentence.
    pub goal: &'static str,
    /// What can be set.
    pub knobs: &'static [Knob],
    /// The policies that it comes with; the first is the red one that the lab opens with.
    pub presets: &'static [Preset],
    /// The switches that the Policy panel offers, right and wrong ones alike.
    pub switches: &'static [Switch],
    /// The answers to the question asked before the run, by id; [`truth`] says which one is right.
    pub answers: &'static [&'static str],
    /// The row that the stage shows.
    pub focus: &'static str,
    /// Its source file, from the root of the repository.
    pub file: &'static str,
}

impl Scenario {
    /// The preset of that name.
    ///
    /// # Errors
    /// When the scenario has no such preset; the error lists those that it has.
    pub fn preset(&self, name: &str) -> Result<&'static Preset, UnknownPreset> {
        let found = self.presets.iter().find(|preset| preset.name == name);
        found.ok_or_else(|| UnknownPreset { scenario: self.id, asked: name.to_owned() })
    }
}

/// Runs a scenario's body in a world.
///
/// # Errors
/// When the world cannot do what the scenario asks, or broke.
pub async fn play<W: World>(
    id: ScenarioId,
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    match id {
        ScenarioId::InvalidationDelay => invalidation_delay::play(world, policy, settings).await,
        ScenarioId::ThunderingHerd => thundering_herd::play(world, policy, settings).await,
        ScenarioId::StampedeLock => stampede_lock::play(world, policy, settings).await,
    }
}

/// Says what a run of the scenario amounts to. It reads nothing but the trace and the settings.
pub fn judge(id: ScenarioId, trace: &Trace, settings: &Settings) -> Report {
    match id {
        ScenarioId::InvalidationDelay => invalidation_delay::judge(trace, settings),
        ScenarioId::ThunderingHerd => thundering_herd::judge(trace, settings),
        ScenarioId::StampedeLock => stampede_lock::judge(trace, settings),
    }
}

/// Which of [`Scenario::answers`] the run gave, as an index.
pub fn truth(id: ScenarioId, report: &Report) -> usize {
    match id {
        ScenarioId::InvalidationDelay => invalidation_delay::truth(report),
        ScenarioId::ThunderingHerd => thundering_herd::truth(report),
        ScenarioId::StampedeLock => stampede_lock::truth(report),
    }
}

/// Everything that decides a run in the simulator: the same spec, the same trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Which scenario.
    pub scenario: ScenarioId,
    /// What the servers do.
    pub policy: Policy,
    /// Where all chance comes from.
    pub seed: u64,
    /// The scenario's knobs.
    pub settings: Settings,
}

impl RunSpec {
    /// Whether it can run: a spec may come from a link or a request.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn validate(&self) -> Result<(), WorldError> {
        let wrong = |error: &dyn fmt::Display| WorldError::Broken(error.to_string());
        self.policy.validate().map_err(|error| wrong(&error))?;
        self.settings.validate(self.scenario).map_err(|error| wrong(&error))
    }

    /// A preset of a scenario at its default settings.
    ///
    /// # Errors
    /// When the scenario has no such preset.
    pub fn preset(scenario: ScenarioId, preset: &str, seed: u64) -> Result<Self, UnknownPreset> {
        let policy = (scenario.scenario().preset(preset)?.policy)();
        Ok(Self { scenario, policy, seed, settings: Settings::defaults(scenario) })
    }
}

/// A run that took place.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened.
    pub trace: Trace,
    /// What it amounts to.
    pub report: Report,
}
