//! The second entry of the one wasm module: in a worker it computes verdicts and draws nothing.
//!
//! The page hands over the module that it runs itself, and the address of its script, which trunk leaves in the page's
//! preload links; so the simulator is downloaded and compiled once. `lab-web/start/worker.js` starts it.

use std::cell::Cell as Slot;

use gloo_timers::future::TimeoutFuture;
use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Url, Worker, WorkerOptions, WorkerType};

use crate::verdict::{Answer, Job, try_seed};

/// What the worker says first.
pub(crate) const READY: &str = "ready";
/// Results are sent when this much time has passed, in milliseconds: often enough for a grid that fills.
const BATCH_MS: f64 = 40.0;

thread_local! {
    static CURRENT: Slot<u32> = const { Slot::new(0) };
}

/// Listens for jobs, in the worker.
pub(crate) fn listen(scope: &DedicatedWorkerGlobalScope) {
    let own = scope.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let Some(job) = event.data().as_string().and_then(|text| serde_json::from_str::<Job>(&text).ok())
        else {
            return;
        };
        CURRENT.set(job.number);
        if job.spec.is_some() {
            spawn_local(work(own.clone(), job));
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    let _ = scope.post_message(&JsValue::from_str(READY));
}

async fn work(scope: DedicatedWorkerGlobalScope, job: Job) {
    let Some(spec) = job.spec else { return };
    let mut seed = job.from;
    while seed <= u64::from(job.seeds) {
        let mut answer = Answer::to(job.number);
        let begun = js_sys::Date::now();
        while seed <= u64::from(job.seeds) && js_sys::Date::now() - begun < BATCH_MS {
            match try_seed(&spec, seed) {
                Ok(cell) => answer.cells.push(cell),
                Err(why) => {
                    answer.failure = Some(why);
                    seed = u64::MAX - 1;
                }
            }
            seed += 1;
        }
        if let Ok(text) = serde_json::to_string(&answer) {
            let _ = scope.post_message(&JsValue::from_str(&text));
        }
        // A breath lets the next job, or Stop, in.
        TimeoutFuture::new(0).await;
        if CURRENT.get() != job.number {
            return;
        }
    }
}

/// Starts the worker, on the page; `None` where the page was not built by trunk or the browser refuses.
pub(crate) fn start() -> Option<Worker> {
    let document = web_sys::window()?.document()?;
    let link = document.query_selector("link[rel=modulepreload][href*='lab-web']").ok()??;
    let script = Url::new_with_base(&link.get_attribute("href")?, &document.base_uri().ok()??).ok()?.href();
    let as_module = WorkerOptions::new();
    as_module.set_type(WorkerType::Module);
    let worker = Worker::new_with_options("worker.js", &as_module).ok()?;
    let what = Object::new();
    Reflect::set(&what, &"script".into(), &script.into()).ok()?;
    Reflect::set(&what, &"module".into(), &wasm_bindgen::module()).ok()?;
    worker.post_message(&what).ok()?;
    Some(worker)
}
