//! What a client may ask for: a scenario, a policy by name or in full, a seed, knobs. Whatever a stranger may send is
//! checked here, before anything runs.

use std::collections::BTreeMap;

use lab_core::policy::Policy;
use lab_core::scenario::{RunSpec, ScenarioId, Settings, UnknownScenario};
use serde::Deserialize;
use serde_json::Value;

use super::problem::{Kind, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRequest {
    scenario: String,
    policy: Value,
    #[serde(default = "first_seed")]
    seed: u64,
    #[serde(default)]
    settings: BTreeMap<String, u64>,
}

fn first_seed() -> u64 {
    1
}

/// Reads a request for a run: the spec, and the preset's name where one was named.
pub(super) fn read(body: &[u8]) -> Result<(RunSpec, Option<&'static str>), Problem> {
    let request: RunRequest = serde_json::from_slice(body).map_err(|error| {
        let shape = r#"{"scenario":"stampede-lock","policy":"lock","seed":1,"settings":{}}"#;
        Problem::new(Kind::BadRequest, format!("{error}; a request for a run looks like {shape}"))
    })?;
    let impossible = |detail: String| Problem::new(Kind::Impossible, detail);
    let scenario: ScenarioId =
        request.scenario.parse().map_err(|error: UnknownScenario| impossible(error.to_string()))?;
    let (policy, name) = policy(scenario, request.policy)?;
    let settings =
        Settings::with(scenario, request.settings).map_err(|error| impossible(error.to_string()))?;
    Ok((RunSpec { scenario, policy, seed: request.seed, settings, interventions: Vec::new() }, name))
}

fn policy(scenario: ScenarioId, asked: Value) -> Result<(Policy, Option<&'static str>), Problem> {
    let impossible = |detail: String| Problem::new(Kind::Impossible, detail);
    if let Value::String(name) = asked {
        let preset = scenario.scenario().preset(&name).map_err(|error| impossible(error.to_string()))?;
        return Ok(((preset.policy)(), Some(preset.name)));
    }
    let policy: Policy = serde_json::from_value(asked).map_err(|error| {
        impossible(format!("the policy is none: {error}; see GET /api/scenarios for whole ones"))
    })?;
    policy.validate().map_err(|error| impossible(format!("the policy cannot be run: {error}")))?;
    Ok((policy, None))
}
