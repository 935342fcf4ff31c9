//! The verdict over many seeds, computed in the worker; or in slices on the page where no worker starts.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use gloo_timers::future::TimeoutFuture;
use lab_core::scenario::RunSpec;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, Worker};
use yew::prelude::*;

use crate::compute::now_ms;
use crate::verdict::{Answer, Job, Tally, seeds_of, try_seed};
use crate::worker::{self, READY};

/// A worker that has not said anything after this long is given up, in milliseconds.
const START_MS_MAX: u32 = 6_000;
/// A slice on the page, in milliseconds.
const SLICE_MS: f64 = 8.0;

/// The verdict, and how to ask for one.
#[derive(Clone, PartialEq)]
pub(crate) struct Verdicts {
    /// The verdict so far.
    pub(crate) tally: Rc<Tally>,
    /// Whether the page computes it because no worker started.
    pub(crate) on_page: bool,
    /// Asks for the verdict of a policy.
    pub(crate) start: Callback<RunSpec>,
    /// Stops.
    pub(crate) stop: Callback<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    None,
    Starting,
    Ready,
    Page,
}

struct Bench {
    engine: Engine,
    worker: Option<Worker>,
    number: u32,
    waiting: Option<Job>,
    tally: Tally,
}

/// Keeps a verdict.
#[hook]
pub(crate) fn use_verdict() -> Verdicts {
    let tally = use_state(|| Rc::new(Tally::default()));
    let on_page = use_state(|| false);
    let bench = use_mut_ref(|| Bench {
        engine: Engine::None,
        worker: None,
        number: 0,
        waiting: None,
        tally: Tally::default(),
    });
    let show = {
        let (tally, on_page) = (tally.setter(), on_page.setter());
        Callback::from(move |(now, page): (Tally, bool)| {
            tally.set(Rc::new(now));
            on_page.set(page);
        })
    };
    let start = {
        let (bench, show) = (bench.clone(), show.clone());
        Callback::from(move |spec: RunSpec| {
            let job = {
                let mut bench = bench.borrow_mut();
                bench.number += 1;
                let wanted = seeds_of(spec.scenario);
                bench.tally = Tally { spec: Some(spec.clone()), wanted, running: true, ..Tally::default() };
                Job { number: bench.number, spec: Some(spec), seeds: wanted }
            };
            report(&bench, &show);
            give(&bench, &show, job);
        })
    };
    let stop = Callback::from(move |()| {
        let job = {
            let mut bench = bench.borrow_mut();
            bench.number += 1;
            bench.waiting = None;
            bench.tally.running = false;
            Job { number: bench.number, spec: None, seeds: 0 }
        };
        send(&bench.borrow(), &job);
        report(&bench, &show);
    });
    Verdicts { tally: (*tally).clone(), on_page: *on_page, start, stop }
}

type Shared = Rc<RefCell<Bench>>;
type Show = Callback<(Tally, bool)>;

fn report(bench: &Shared, show: &Show) {
    let (tally, page) = {
        let bench = bench.borrow();
        (bench.tally.clone(), bench.engine == Engine::Page)
    };
    show.emit((tally, page));
}

fn send(bench: &Bench, job: &Job) {
    if let (Some(worker), Ok(text)) = (&bench.worker, serde_json::to_string(job)) {
        let _ = worker.post_message(&JsValue::from_str(&text));
    }
}

fn give(bench: &Shared, show: &Show, job: Job) {
    let engine = bench.borrow().engine;
    match engine {
        Engine::Ready => send(&bench.borrow(), &job),
        Engine::Starting => bench.borrow_mut().waiting = Some(job),
        Engine::Page => on_page(bench.clone(), show.clone(), job),
        Engine::None => {
            bench.borrow_mut().waiting = Some(job);
            begin(bench, show);
        }
    }
}

/// Starts the worker, and falls back to the page when it cannot start or stays silent.
fn begin(bench: &Shared, show: &Show) {
    let Some(worker) = worker::start() else { return fall_back(bench, show) };
    bench.borrow_mut().engine = Engine::Starting;
    let on_message = {
        let (bench, show) = (bench.clone(), show.clone());
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let Some(text) = event.data().as_string() else { return };
            if text == READY {
                let waiting = {
                    let mut bench = bench.borrow_mut();
                    bench.engine = Engine::Ready;
                    bench.waiting.take()
                };
                if let Some(job) = waiting {
                    send(&bench.borrow(), &job);
                }
            } else if let Ok(answer) = serde_json::from_str::<Answer>(&text) {
                take(&bench, &show, answer);
            }
        })
    };
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    let on_error = {
        let (bench, show) = (bench.clone(), show.clone());
        Closure::<dyn FnMut(web_sys::Event)>::new(move |_| fall_back(&bench, &show))
    };
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    on_error.forget();
    bench.borrow_mut().worker = Some(worker);
    let (bench, show) = (bench.clone(), show.clone());
    Timeout::new(START_MS_MAX, move || {
        let silent = bench.borrow().engine == Engine::Starting;
        if silent {
            fall_back(&bench, &show);
        }
    })
    .forget();
}

fn fall_back(bench: &Shared, show: &Show) {
    let waiting = {
        let mut bench = bench.borrow_mut();
        bench.engine = Engine::Page;
        if let Some(worker) = bench.worker.take() {
            worker.terminate();
        }
        bench.waiting.take()
    };
    if let Some(job) = waiting {
        on_page(bench.clone(), show.clone(), job);
    }
}

fn take(bench: &Shared, show: &Show, answer: Answer) {
    {
        let mut bench = bench.borrow_mut();
        if answer.number != bench.number {
            return;
        }
        bench.tally.cells.extend(answer.cells);
        bench.tally.failure = answer.failure;
        let done = bench.tally.cells.len() >= bench.tally.wanted as usize || bench.tally.failure.is_some();
        bench.tally.running = !done;
    }
    report(bench, show);
}

fn on_page(bench: Shared, show: Show, job: Job) {
    let Some(spec) = job.spec else { return };
    spawn_local(async move {
        let mut seed = 1;
        while seed <= u64::from(job.seeds) && bench.borrow().number == job.number {
            let mut answer = Answer { number: job.number, cells: Vec::new(), failure: None };
            let begun = now_ms();
            while seed <= u64::from(job.seeds) && now_ms() - begun < SLICE_MS && answer.failure.is_none() {
                match try_seed(&spec, seed) {
                    Ok(cell) => answer.cells.push(cell),
                    Err(why) => answer.failure = Some(why),
                }
                seed += 1;
            }
            let failed = answer.failure.is_some();
            take(&bench, &show, answer);
            if failed {
                return;
            }
            TimeoutFuture::new(4).await;
        }
    });
}
