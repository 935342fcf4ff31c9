//! The catalogue: each failure is one lesson, one folder here, and one line in [`catalogue!`].
//!
//! A scenario's folder holds what it is (`mod.rs`: constants, presets, question), its body with what it is judged by
//! (`body.rs`), and its words, one file a language. The lab shows `body.rs` as "the failing test", so it is written to
//! be read. Phases, checks and knobs are constants: what is mistyped does not compile.

mod course;
mod intervention;
mod settings;
pub mod words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use course::{COURSE, Chapter, Lesson};
pub use intervention::{Deed, INTERVENTIONS_MAX, Intervention, Point, TooManyInterventions};
pub use settings::{Knob, Settings, SettingsError};
pub use words::{Lang, Words};

use crate::fault::Peril;
use crate::policy::{Policy, Switch};
use crate::report::Report;
use crate::trace::Trace;
use crate::world::{World, WorldError};

/// Makes of a line a scenario: its module, its id, its place in every list and dispatch, its embedded source.
macro_rules! catalogue {
    ($($module:ident => $id:ident),+ $(,)?) => {
        $(mod $module;)+

        /// A scenario that can be run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum ScenarioId {
            $(
                #[doc = concat!("The scenario in the folder `", stringify!($module), "`.")]
                $id,
            )+
        }

        /// What the lab says about each scenario, in the order of [`ScenarioId::ALL`].
        static SCENARIOS: &[&Scenario] = &[$(&$module::SCENARIO),+];

        /// The failing tests, each by its path from the root of the repository.
        pub(crate) const SOURCES: &[(&str, &str)] = &[$((
            concat!("lab-core/src/scenario/", stringify!($module), "/body.rs"),
            include_str!(concat!("scenario/", stringify!($module), "/body.rs")),
        )),+];

        impl ScenarioId {
            /// Every scenario that can be run, in the order of the catalogue.
            pub const ALL: [Self; [$(stringify!($id)),+].len()] = [$(Self::$id),+];

            /// What it says to a learner.
            pub fn words(self, lang: Lang) -> &'static Words {
                match (self, lang) {
                    $(
                        (Self::$id, Lang::En) => &$module::en::WORDS,
                        (Self::$id, Lang::Ja) => &$module::ja::WORDS,
                    )+
                }
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
                $(ScenarioId::$id => $module::body::play(world, policy, settings).await,)+
            }
        }

        /// Judges a run.
        pub fn judge(id: ScenarioId, trace: &Trace, settings: &Settings) -> Report {
            match id {
                $(ScenarioId::$id => $module::body::judge(trace, settings),)+
            }
        }

        /// Which of [`Scenario::answers`] the run gave, as an index.
        pub fn truth(id: ScenarioId, report: &Report) -> usize {
            match id {
                $(ScenarioId::$id => $module::truth(report),)+
            }
        }
    };
}

catalogue! {
    invalidation_delay => InvalidationDelay,
    lost_invalidation => LostInvalidation,
    stale_set_race => StaleSetRace,
    thundering_herd => ThunderingHerd,
    stampede_lock => StampedeLock,
    absent_and_zero => AbsentAndZero,
}

/// Parts of a run that more than one scenario has.
pub mod phase {
    /// The servers start.
    pub const START: &str = "start";
    /// The caches are filled.
    pub const WARM: &str = "warm";
    /// Copies are thrown away.
    pub const FORGET: &str = "forget";
    /// The failure that the scenario is about: load and checks count from here.
    pub const ACT: &str = "act";
}

impl ScenarioId {
    /// What the lab says about it.
    pub fn scenario(self) -> &'static Scenario {
        SCENARIOS[self as usize]
    }

    /// The scenario that the course begins with.
    pub const FIRST: Self = Self::ALL[0];

    /// Its name in commands and links.
    pub fn slug(self) -> &'static str {
        self.scenario().slug
    }

    /// The file of its body, from the root of the repository.
    pub fn file(self) -> &'static str {
        SOURCES[self as usize].0
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

/// What a preset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The naive policy: the goal fails under every seed.
    Red,
    /// A fix: the goal holds under every seed, and what must not happen does not happen under any kind of trouble either,
    /// but for what is named here.
    Green(&'static [Limit]),
    /// It looks right and is not: some seed breaks the goal ([`Preset::breaking_seed`]).
    Wrong,
    /// It keeps a smaller promise: the goal fails, and the checks named here hold.
    Partial(&'static [&'static str]),
}

/// What a green does not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Limit {
    /// Under which kind of trouble.
    pub peril: Peril,
    /// The check that it then breaks.
    pub check: &'static str,
    /// A recorded seed under which it does (`nemesis::branch`); none where the scenario's own run is too short to show it.
    pub seed: Option<u64>,
}

impl Limit {
    /// Under `peril` this seed breaks `check`.
    const fn new(peril: Peril, check: &'static str, seed: u64) -> Self {
        Self { peril, check, seed: Some(seed) }
    }

    /// Under `peril` nothing promises `check`, although the scenario's own run is seldom long enough to show it.
    const fn unseen(peril: Peril, check: &'static str) -> Self {
        Self { peril, check, seed: None }
    }

    /// Whether one of these limits says that `check` does not survive what struck.
    pub fn covers(limits: &[Self], struck: &[Peril], check: &str) -> bool {
        limits.iter().any(|limit| limit.check == check && struck.contains(&limit.peril))
    }
}

/// A named policy of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in commands and links.
    pub name: &'static str,
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
    /// The part of the course that it belongs to.
    pub chapter: Chapter,
    /// What can be set.
    pub knobs: &'static [Knob],
    /// The parts of its run, in order.
    pub phases: &'static [&'static str],
    /// The ids of its checks, in order.
    pub checks: &'static [&'static str],
    /// The policies that it comes with; the first is the red one that the lab opens with.
    pub presets: &'static [Preset],
    /// The switches that the Policy panel offers, right and wrong ones alike.
    pub switches: &'static [Switch],
    /// The answers to the question asked before the run, by id; [`truth`] says which one is right.
    pub answers: &'static [&'static str],
    /// The row that the stage shows.
    pub focus: &'static str,
    /// The figures that it is about: always the same ones, so that none tells by its absence.
    pub figures: &'static [&'static str],
    /// How many times slower than life it is played, so that its interesting part takes some ten seconds.
    pub slow_motion: u32,
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
    /// What is done to it under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<Intervention>,
}

impl RunSpec {
    /// Whether it can run: a spec may come from a link or a request.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn validate(&self) -> Result<(), WorldError> {
        let wrong = |error: &dyn fmt::Display| WorldError::Broken(error.to_string());
        self.policy.validate().map_err(|error| wrong(&error))?;
        if self.interventions.len() > INTERVENTIONS_MAX {
            return Err(wrong(&TooManyInterventions(self.interventions.len())));
        }
        self.settings.validate(self.scenario).map_err(|error| wrong(&error))
    }

    /// A preset of a scenario at its default settings.
    ///
    /// # Errors
    /// When the scenario has no such preset.
    pub fn preset(scenario: ScenarioId, preset: &str, seed: u64) -> Result<Self, UnknownPreset> {
        let policy = (scenario.scenario().preset(preset)?.policy)();
        let settings = Settings::defaults(scenario);
        Ok(Self { scenario, policy, seed, settings, interventions: Vec::new() })
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
