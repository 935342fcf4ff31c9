//! The same (scenario, policy, seed) gives the same run natively and in wasm.
//!
//! Both platforms are held against one recorded file. After a change that is meant to change runs, write it anew:
//! `LAB_RECORD_DIGESTS=1 cargo test -p lab-core --test determinism`, and look at what else the change touched.

use lab_core::scenario::{RunSpec, ScenarioId};
use lab_core::sim;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test_configure!(run_in_browser);

const RECORDED: &str = include_str!("digests.txt");
const SEEDS: u64 = 100;

/// A line a preset: scenario, preset, and for each seed the first eight hex digits of its digest.
fn line(scenario: ScenarioId, preset: &str) -> String {
    let digest = |seed| {
        let spec = RunSpec::preset(scenario, preset, seed).expect("the catalogue names its presets");
        let run = sim::run(&spec).unwrap_or_else(|error| panic!("{scenario} {preset} seed {seed}: {error}"));
        format!(" {:08x}", run.trace.digest() >> 32)
    };
    format!("{scenario} {preset}{}", (1..=SEEDS).map(digest).collect::<String>())
}

fn lines(scenario: ScenarioId) -> impl Iterator<Item = String> {
    scenario.scenario().presets.iter().map(move |preset| line(scenario, preset.name))
}

fn runs_are_as_recorded(scenario: ScenarioId) {
    for line in lines(scenario) {
        let name: Vec<_> = line.split(' ').take(2).collect();
        let recorded =
            RECORDED.lines().find(|recorded| recorded.starts_with(&format!("{} ", name.join(" "))));
        let recorded = recorded.unwrap_or_else(|| panic!("{name:?} is not recorded"));
        let differs =
            line.split(' ').zip(recorded.split(' ')).skip(2).position(|(ran, recorded)| ran != recorded);
        let seed = differs.map(|index| index + 1);
        assert_eq!(seed, None, "{name:?}: the first seed whose run is not the recorded one");
        assert_eq!(line.len(), recorded.len(), "{name:?}: another number of seeds is recorded");
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn every_run_is_as_recorded() {
    for id in ScenarioId::ALL {
        runs_are_as_recorded(id);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn every_preset_is_recorded() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digests.txt");
    if std::env::var_os("LAB_RECORD_DIGESTS").is_some() {
        let all: String = ScenarioId::ALL.into_iter().flat_map(lines).map(|line| line + "\n").collect();
        std::fs::write(&path, all).expect("the file can be written");
        return;
    }
    let recorded = RECORDED.lines().map(|line| line.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" "));
    let presets = ScenarioId::ALL
        .into_iter()
        .flat_map(|id| id.scenario().presets.iter().map(move |preset| format!("{id} {}", preset.name)));
    let (recorded, presets): (Vec<_>, Vec<_>) = (recorded.collect(), presets.collect());
    assert_eq!(recorded, presets, "a preset is missing, gone or elsewhere in {}", path.display());
}
