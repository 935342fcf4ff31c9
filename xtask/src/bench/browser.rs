//! The half of the benchmarks that runs in the browser: built like the page, measured by `e2e/measure.mjs`.

use std::{fs, path::PathBuf};

use anyhow::Context as _;

use crate::{command, setup::debian, workspace::Workspace};

use super::{executable, table};

/// The wasm profile is named here and in `index.html`; its other choices are read from there.
const PROFILE: &str = "wasm";

/// Measures the simulator natively and in the browser, by turns, and a step of the built lab; returns the lines with
/// the figures.
pub(super) fn measure(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let browser = debian::browser(workspace).context("there is no Chromium: cargo xtask setup")?;
    let simulator = ["bench", "--package", "lab-core", "--bench", "simulator", "--no-run"];
    let native = executable(workspace, workspace.cargo(simulator))?;
    let page = build_page(workspace, simulator)?;
    let mut measure = workspace.command("node");
    measure.arg("e2e/measure.mjs").arg(native).arg(page).env("CHROMIUM", browser);
    if workspace.path("dist/index.html").is_file() {
        measure.arg(workspace.path("dist"));
    } else {
        println!("page step: there is no dist/ to draw in; `cargo xtask test --only build` makes it");
    }
    command::run_keeping(measure, table::is_figure)
}

/// Builds the simulator's benchmark as trunk builds the page, and returns the directory.
fn build_page(workspace: &Workspace, simulator: [&str; 6]) -> anyhow::Result<PathBuf> {
    let page = workspace.target_dir().join("measure");
    let mut build = workspace.cargo(simulator);
    build.args(["--profile", PROFILE, "--target", "wasm32-unknown-unknown"]);
    let wasm = executable(workspace, build)?;

    let mut bindgen = workspace.command("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", "simulator", "--out-dir"]);
    command::run(bindgen.arg(&page).arg(wasm))?;

    let wasm = page.join("simulator_bg.wasm");
    let html = fs::read_to_string(workspace.path("index.html")).context("could not read index.html")?;
    let mut optimise = workspace.command("wasm-opt");
    optimise.args(wasm_opt_arguments(&html)?).arg(&wasm).arg("--output").arg(&wasm);
    command::run(&mut optimise)?;
    Ok(page)
}

/// The options with which trunk calls wasm-opt for the page.
fn wasm_opt_arguments(html: &str) -> anyhow::Result<Vec<String>> {
    let attribute = |name: &str| {
        let (_, rest) = html.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    let level = attribute("data-wasm-opt").context("index.html has no data-wasm-opt")?;
    let others = attribute("data-wasm-opt-params").unwrap_or_default();
    let others = others.split_whitespace().map(str::to_owned);
    Ok(std::iter::once(format!("-O{level}")).chain(others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasm_opt_is_called_as_trunk_calls_it() {
        let html = r#"<link data-wasm-opt="3" data-wasm-opt-params="--enable-a --enable-b" />"#;
        let arguments = wasm_opt_arguments(html).expect("the level is given");
        assert_eq!(arguments, ["-O3", "--enable-a", "--enable-b"]);
    }

    #[test]
    fn the_page_is_built_with_the_profile_that_is_measured() {
        let workspace = Workspace::locate().expect("the tests run in the repository");
        let html = fs::read_to_string(workspace.path("index.html")).expect("the repository has this file");
        assert!(html.contains(&format!("data-cargo-profile-release=\"{PROFILE}\"")));
        wasm_opt_arguments(&html).expect("index.html says how wasm-opt is called");
    }
}
