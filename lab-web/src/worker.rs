//! The second entry of the one wasm module: in a worker it computes verdicts and draws nothing.
//!
//! The page starts it from a Blob that imports the page's own script, whose address trunk leaves in the page's
//! preload links; so the simulator is downloaded once.

use std::cell::Cell as Slot;

use gloo_timers::future::TimeoutFuture;
use js_sys::Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    Blob, BlobPropertyBag, DedicatedWorkerGlobalScope, MessageEvent, Url, Worker, WorkerOptions, WorkerType,
};

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
    let address = |selector: &str| {
        let link = document.query_selector(selector).ok()??;
        let href = link.get_attribute("href")?;
        Url::new_with_base(&href, &document.base_uri().ok()??).ok().map(|url| url.href())
    };
    let script = address("link[rel=modulepreload][href*='lab-web']")?;
    let module = address("link[rel=preload][href$='.wasm']")?;
    let text = format!(
        "import init from {};\nawait init({{ module_or_path: {} }});\n",
        serde_json::to_string(&script).ok()?,
        serde_json::to_string(&module).ok()?
    );
    let options = BlobPropertyBag::new();
    options.set_type("text/javascript");
    let parts = Array::of1(&JsValue::from_str(&text));
    let blob = Blob::new_with_str_sequence_and_options(&parts, &options).ok()?;
    let url = Url::create_object_url_with_blob(&blob).ok()?;
    let as_module = WorkerOptions::new();
    as_module.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&url, &as_module).ok();
    // The address is not revoked at once: the worker may not have read it yet. It is one small text.
    worker
}
