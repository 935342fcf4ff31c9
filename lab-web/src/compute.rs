//! Running the simulator without freezing the page: in slices, with a breath between them.

use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use lab_core::report::WorldKind;
use lab_core::scenario::{Run, RunSpec};
use lab_core::sim::{Progress, Simulation};

use crate::replay::Replay;

/// Scheduler steps between two looks at the clock.
const STEPS_A_LOOK: u32 = 2_000;
/// A slice ends when it has taken this long, in milliseconds: the rest of a frame is the page's.
const SLICE_MS: f64 = 9.0;

/// Runs a spec to its end; `None` when `wanted` says that nobody waits for it any more.
pub(crate) async fn run(spec: &RunSpec, wanted: impl Fn() -> bool) -> Option<Result<Run, String>> {
    let mut simulation = Simulation::new(spec);
    loop {
        let begun = now_ms();
        while now_ms() - begun < SLICE_MS {
            if let Progress::Done(result) = simulation.advance(STEPS_A_LOOK) {
                return Some(result.map_err(|error| error.to_string()));
            }
        }
        TimeoutFuture::new(0).await;
        if !wanted() {
            return None;
        }
    }
}

/// The same, made ready to be looked at.
pub(crate) async fn compute(spec: RunSpec, wanted: impl Fn() -> bool) -> Option<Result<Rc<Replay>, String>> {
    let run = run(&spec, wanted).await?;
    Some(run.map(|run| Rc::new(Replay::new(spec, WorldKind::Sim, run))))
}

/// Milliseconds since the page was opened.
pub(crate) fn now_ms() -> f64 {
    web_sys::window()
        .and_then(|window| window.performance())
        .map_or_else(js_sys::Date::now, |clock| clock.now())
}
