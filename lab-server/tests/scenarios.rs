//! Every scenario on real servers: its red ones fail and its green ones hold, in runs that showed their situation.

use std::sync::Arc;

use lab_core::scenario::{Role, Run, RunSpec, ScenarioId};
use lab_server::adapters::observer::Recorder;
use lab_server::real::{self, stores::Stores};

/// A run that kept its goal without its situation says nothing: it is made anew so many times at most.
const ATTEMPTS: u32 = 3;

async fn telling(stores: &Arc<Stores>, spec: &RunSpec) -> Run {
    let mut attempt = 1;
    loop {
        let run = real::run(stores, spec, Recorder::start(), std::future::pending())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        // A goal that broke is never tried again.
        if run.report.demonstration || !run.report.goal_held() {
            return run;
        }
        assert!(attempt < ATTEMPTS, "{}: its situation did not arise in {ATTEMPTS} runs", spec.scenario);
        attempt += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reds_are_red_and_greens_are_green() {
    let stores = Arc::new(Stores::start().await.unwrap_or_else(|error| panic!("{error}")));
    for id in ScenarioId::ALL {
        for preset in id.scenario().presets {
            let goal_held = match preset.role {
                Role::Red => false,
                Role::Green(_) => true,
                Role::Wrong | Role::Partial(_) => continue,
            };
            let spec = RunSpec::preset(id, preset.name, 1).expect("a preset of the scenario");
            let run = telling(&stores, &spec).await;
            let trace = &run.trace.events;
            assert!(trace.is_sorted_by_key(|event| event.at), "{id} {}: time went back", preset.name);
            assert_eq!(
                run.report.goal_held(),
                goal_held,
                "{id} {}: {:#?}; again: lab run {id} --world real --policy {}",
                preset.name,
                run.report,
                preset.name
            );
        }
    }
}
