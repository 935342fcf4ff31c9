//! The knobs of a scenario: named numbers with bounds, checked before anything runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ScenarioId;

/// A number that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knob {
    /// Its name; the unit is its last word where it has one (`bus-delay-ms`).
    pub name: &'static str,
    /// Its value where nothing is said.
    pub default: u64,
    /// The least that it may be.
    pub min: u64,
    /// The most that it may be.
    pub max: u64,
}

/// The values of a scenario's knobs. Each knob has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, u64>);

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The scenario has no such knob.
    #[error("{scenario} has no knob called {name:?}; it has: {known}")]
    Unknown {
        /// The scenario.
        scenario: ScenarioId,
        /// What was asked for.
        name: String,
        /// The knobs that there are.
        known: String,
    },
    /// A knob has no value.
    #[error("{scenario} needs a value for {name}")]
    Missing {
        /// The scenario.
        scenario: ScenarioId,
        /// The knob.
        name: &'static str,
    },
    /// The value is out of bounds.
    #[error("{name} must be between {min} and {max}, not {value}")]
    OutOfBounds {
        /// The knob.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// Its least value.
        min: u64,
        /// Its greatest value.
        max: u64,
    },
}

impl Settings {
    /// Every knob at its default.
    pub fn defaults(scenario: ScenarioId) -> Self {
        Self(scenario.scenario().knobs.iter().map(|knob| (knob.name.to_owned(), knob.default)).collect())
    }

    /// The defaults, with some knobs set.
    ///
    /// # Errors
    /// When the scenario has no such knob, or a value is out of bounds.
    pub fn with(
        scenario: ScenarioId,
        set: impl IntoIterator<Item = (String, u64)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::defaults(scenario);
        for (name, value) in set {
            settings.set(scenario, &name, value)?;
        }
        Ok(settings)
    }

    /// Sets one knob.
    ///
    /// # Errors
    /// When the scenario has no such knob, or the value is out of bounds.
    pub fn set(&mut self, scenario: ScenarioId, name: &str, value: u64) -> Result<(), SettingsError> {
        let knobs = scenario.scenario().knobs;
        let Some(knob) = knobs.iter().find(|knob| knob.name == name) else {
            let known = knobs.iter().map(|knob| knob.name).collect::<Vec<_>>().join(", ");
            return Err(SettingsError::Unknown { scenario, name: name.to_owned(), known });
        };
        if !(knob.min..=knob.max).contains(&value) {
            let Knob { name, min, max, .. } = *knob;
            return Err(SettingsError::OutOfBounds { name, value, min, max });
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Whether they are this scenario's settings, each knob with a value within its bounds.
    ///
    /// # Errors
    /// When a knob is missing, unknown or out of bounds.
    pub fn validate(&self, scenario: ScenarioId) -> Result<(), SettingsError> {
        if let Some(knob) = scenario.scenario().knobs.iter().find(|knob| !self.0.contains_key(knob.name)) {
            return Err(SettingsError::Missing { scenario, name: knob.name });
        }
        Self::with(scenario, self.0.clone()).map(drop)
    }

    /// The value of a knob: of settings that belong to another scenario, the knob's default.
    pub fn get(&self, knob: &Knob) -> u64 {
        self.0.get(knob.name).copied().unwrap_or(knob.default)
    }

    /// Every knob with its value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}
