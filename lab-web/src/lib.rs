//! The lab in the browser: it draws a run, lets the learner step through it, predict, and change the policy.
//!
//! It holds no cache and no scenario: runs come from the simulator of `lab-core` or, recorded, from real servers.
//! What is drawn is a function of a trace, an index into it, and the state of the view.
//!
//! # Layout
//! * [`state`]: the state of the view and its one reducer; [`link`], [`progress`]: what outlives a reload
//! * [`replay`]: a run made ready to be looked at; [`stage_state`]: the fold of a trace up to an event
//! * [`stage`], [`ruler`]: geometry; `components`: drawing, one component a file
//! * [`panic`]: what the page says when the lab breaks
//! * [`text`]: every word, in English and Japanese
//! * [`compute`], [`verdict`], [`worker`]: running the simulator without freezing the page
//! * [`real`]: the API of `lab serve`, and recorded traces
//! * `hooks`: the effects

mod app;
mod components;
mod compute;
mod hooks;
mod link;
mod panic;
mod progress;
mod real;
mod replay;
mod ruler;
mod stage;
mod stage_state;
mod state;
mod text;
mod verdict;
mod worker;

use wasm_bindgen::JsCast;
use web_sys::DedicatedWorkerGlobalScope;

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Starts what this instance of the module is for: the lab on a page, the bench for verdicts in a worker.
pub fn start() {
    if let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() {
        worker::listen(&scope);
    } else {
        panic::watch();
        yew::Renderer::<app::App>::new().render();
    }
}
