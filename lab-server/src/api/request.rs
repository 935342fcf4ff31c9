//! What a client may ask for: a scenario, a policy by name or in full, a seed, knobs. Whatever a stranger may send is
//! checked here, before anything runs.

use std::collections::BTreeMap;

use lab_core::policy::{Acknowledge, ComputeRule, Fleet, LockWait, Policy};
use lab_core::scenario::{RunSpec, ScenarioId, Settings};
use serde::Deserialize;
use serde_json::Value;

use super::problem::{Kind, Problem};

/// Entries of L1: more would take memory, and no scenario has as many keys.
const CAPACITY_MAX: u32 = 1_000_000;

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
    let scenario: ScenarioId = request
        .scenario
        .parse()
        .map_err(|error: lab_core::scenario::UnknownScenario| impossible(error.to_string()))?;
    let (policy, name) = policy(scenario, request.policy)?;
    let settings =
        Settings::with(scenario, request.settings).map_err(|error| impossible(error.to_string()))?;
    Ok((RunSpec { scenario, policy, seed: request.seed, settings }, name))
}

fn policy(scenario: ScenarioId, asked: Value) -> Result<(Policy, Option<&'static str>), Problem> {
    let impossible = |detail: String| Problem::new(Kind::Impossible, detail);
    if let Value::String(name) = asked {
        let presets = scenario.scenario().presets;
        let preset = presets.iter().find(|preset| preset.name == name).ok_or_else(|| {
            let known: Vec<_> = presets.iter().map(|preset| preset.name).collect();
            impossible(format!("{scenario} has no policy called {name:?}; it has: {}", known.join(", ")))
        })?;
        return Ok(((preset.policy)(), Some(preset.name)));
    }
    let policy: Policy = serde_json::from_value(asked).map_err(|error| {
        impossible(format!("the policy is none: {error}; see GET /api/scenarios for whole ones"))
    })?;
    bounded(&policy).map_err(|what| impossible(format!("the policy cannot be run: {what}")))?;
    Ok((policy, None))
}

/// Refuses what would melt the machine instead of the simulated database: a retry without a pause, a cache without
/// an end.
fn bounded(policy: &Policy) -> Result<(), String> {
    if policy.local.capacity > CAPACITY_MAX {
        return Err(format!("local.capacity may be {CAPACITY_MAX} at most"));
    }
    let mut pauses = Vec::new();
    if let Acknowledge::Members { renew_ms, again_ms, .. } = policy.write.acknowledge {
        pauses.extend([("renew_ms", renew_ms), ("again_ms", again_ms)]);
    }
    if let Fleet::Lease { wait_ms, .. } = policy.miss.fleet {
        pauses.push(("wait_ms", wait_ms));
    }
    if let ComputeRule::Lock(rule) = policy.compute {
        pauses.push(match rule.wait {
            LockWait::Retry { every_ms } => ("every_ms", every_ms),
            LockWait::Push { at_most_ms } => ("at_most_ms", at_most_ms),
            LockWait::Once { for_ms } => ("for_ms", for_ms),
        });
    }
    if policy.bus.beat_ms > 0 {
        pauses.push(("beat_ms", policy.bus.beat_ms));
    }
    match pauses.iter().find(|(_, pause)| *pause < 5) {
        Some((name, pause)) => Err(format!("{name} is {pause}, and must be 5 at least")),
        None => Ok(()),
    }
}
