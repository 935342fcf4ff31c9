//! Who computes a verdict: a background worker, or the page itself in slices where no worker starts or the one at
//! work falls silent. It knows nothing of Yew; [`crate::hooks::use_verdict`] shows what it reports.
//!
//! A worker can end in two ways. The browser may end it without a word (it was short of memory): then the page goes
//! on with the next seed. Or the module in it fails on a seed: the page, which runs the same module, would fail on
//! that seed too and take the whole lab with it; so the verdict says that it failed, and can be asked for again.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use gloo_timers::callback::Interval;
use gloo_timers::future::TimeoutFuture;
use lab_core::scenario::RunSpec;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, MessageEvent, Worker};

use super::{Answer, Failure, Job, Tally, cell_of, seeds_of};
use crate::compute::{now_ms, run};
use crate::worker::READY;

/// How often the page looks whether the worker has said anything, in milliseconds.
const LOOK_MS: u32 = 500;
/// A worker that has said nothing for so many looks is given up. Looks are counted instead of time, so that a page
/// that was asleep does not mistake its own sleep for the worker's silence.
const SILENT_LOOKS_MAX: u32 = 12;
/// A slice on the page, in milliseconds.
const SLICE_MS: f64 = 8.0;
/// The page's breath between two slices, in milliseconds.
const BREATH_MS: u32 = 4;

/// Computes one verdict at a time.
#[derive(Clone)]
pub(crate) struct Bench(Rc<Shared>);

struct Shared {
    hire: Box<dyn Fn() -> Option<Worker>>,
    show: Box<dyn Fn(Tally)>,
    look_ms: u32,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    engine: Engine,
    worker: Option<Hired>,
    /// The verdict in progress.
    job: Option<Job>,
    /// The number of the newest job.
    number: u32,
    /// Looks since the worker last said something.
    silent_looks: u32,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Engine {
    /// No worker; the next job hires one.
    #[default]
    None,
    /// A worker was hired and has not said anything yet.
    Starting,
    /// A worker listens.
    Ready,
    /// No worker starts here: the page computes.
    Page,
}

/// A worker with its listeners. It ends when this is dropped.
struct Hired {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
    _look: Interval,
}

impl Drop for Hired {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

impl Bench {
    /// A bench that hires its worker with `hire`, when it is first needed, and tells the verdict to `show`.
    pub(crate) fn new(hire: impl Fn() -> Option<Worker> + 'static, show: impl Fn(Tally) + 'static) -> Self {
        Self::looking_every(LOOK_MS, hire, show)
    }

    fn looking_every(
        look_ms: u32,
        hire: impl Fn() -> Option<Worker> + 'static,
        show: impl Fn(Tally) + 'static,
    ) -> Self {
        let state = RefCell::default();
        Self(Rc::new(Shared { hire: Box::new(hire), show: Box::new(show), look_ms, state }))
    }

    /// Begins the verdict of a policy; an earlier one ends.
    pub(crate) fn start(&self, spec: RunSpec) {
        let wanted = seeds_of(spec.scenario);
        let (job, engine) = {
            let mut state = self.0.state.borrow_mut();
            state.number += 1;
            state.silent_looks = 0;
            state.tally = Tally { spec: Some(spec.clone()), wanted, running: true, ..Tally::default() };
            let job = Job { number: state.number, spec: Some(spec), from: 1, seeds: wanted };
            state.job = Some(job.clone());
            (job, state.engine)
        };
        self.report();
        match engine {
            Engine::None => self.hire(),
            Engine::Starting => {} // it is given the newest job as soon as it is ready
            Engine::Ready => self.send(&job),
            Engine::Page => self.go_on_here(),
        }
    }

    /// Ends the verdict in progress; what is known of it stays.
    pub(crate) fn stop(&self) {
        let nothing = {
            let mut state = self.0.state.borrow_mut();
            state.number += 1;
            state.job = None;
            state.tally.running = false;
            Job { number: state.number, spec: None, from: 1, seeds: 0 }
        };
        self.send(&nothing);
        self.report();
    }

    fn report(&self) {
        let tally = self.0.state.borrow().tally.clone();
        (self.0.show)(tally);
    }

    fn send(&self, job: &Job) {
        if let (Some(hired), Ok(text)) = (&self.0.state.borrow().worker, serde_json::to_string(job)) {
            let _ = hired.worker.post_message(&JsValue::from_str(&text));
        }
    }

    fn hire(&self) {
        let Some(worker) = (self.0.hire)() else { return self.lost() };
        let on_message = {
            let bench = self.weak();
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                if let (Some(bench), Some(text)) = (Self::of(&bench), event.data().as_string()) {
                    bench.hear(&text);
                }
            })
        };
        let on_error = {
            let bench = self.weak();
            Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
                if let Some(bench) = Self::of(&bench) {
                    bench.broke(event.message());
                }
            })
        };
        let look = {
            let bench = self.weak();
            Interval::new(self.0.look_ms, move || {
                if let Some(bench) = Self::of(&bench) {
                    bench.look();
                }
            })
        };
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let mut state = self.0.state.borrow_mut();
        state.engine = Engine::Starting;
        state.worker = Some(Hired { worker, _on_message: on_message, _on_error: on_error, _look: look });
    }

    fn weak(&self) -> Weak<Shared> {
        Rc::downgrade(&self.0)
    }

    fn of(shared: &Weak<Shared>) -> Option<Self> {
        shared.upgrade().map(Self)
    }

    fn hear(&self, text: &str) {
        self.0.state.borrow_mut().silent_looks = 0;
        if text == READY {
            let job = {
                let mut state = self.0.state.borrow_mut();
                state.engine = Engine::Ready;
                state.job.clone()
            };
            if let Some(job) = job {
                self.send(&job);
            }
        } else if let Ok(answer) = serde_json::from_str::<Answer>(text) {
            self.take(answer);
        }
    }

    fn look(&self) {
        let silent = {
            let mut state = self.0.state.borrow_mut();
            if state.job.is_none() {
                return; // nothing is asked of it: its silence says nothing
            }
            state.silent_looks += 1;
            state.silent_looks >= SILENT_LOOKS_MAX
        };
        if silent {
            self.lost();
        }
    }

    /// The worker is gone, or never was: the page goes on.
    fn lost(&self) {
        let hired = {
            let mut state = self.0.state.borrow_mut();
            // One that had started was ended by the browser: the next verdict may have a new one.
            state.engine = if state.engine == Engine::Ready { Engine::None } else { Engine::Page };
            state.worker.take()
        };
        drop(hired);
        self.go_on_here();
    }

    /// The module in the worker failed.
    fn broke(&self, why: String) {
        if self.0.state.borrow().engine != Engine::Ready {
            return self.lost();
        }
        let hired = {
            let mut state = self.0.state.borrow_mut();
            state.engine = Engine::None;
            if state.job.take().is_some() {
                state.tally.running = false;
                state.tally.failure = Some(Failure::Worker(why));
            }
            state.worker.take()
        };
        drop(hired);
        self.report();
    }

    fn take(&self, answer: Answer) {
        {
            let mut state = self.0.state.borrow_mut();
            if answer.number != state.number {
                return;
            }
            let tally = &mut state.tally;
            tally.cells.extend(answer.cells);
            tally.failure = answer.failure.map(Failure::Simulator);
            tally.running = tally.cells.len() < tally.wanted as usize && tally.failure.is_none();
            if !tally.running {
                state.job = None;
            }
        }
        self.report();
    }

    /// Goes on with the verdict in progress on the page, after the last seed that is known.
    fn go_on_here(&self) {
        let job = {
            let mut state = self.0.state.borrow_mut();
            let known = state.tally.cells.last().map_or(0, |cell| cell.seed);
            let Some(job) = &mut state.job else { return };
            job.from = known + 1;
            let job = job.clone();
            state.tally.on_page = true;
            job
        };
        self.report();
        spawn_local(compute_here(self.clone(), job));
    }

    fn wants(&self, number: u32) -> bool {
        let state = self.0.state.borrow();
        state.number == number && state.job.is_some()
    }
}

async fn compute_here(bench: Bench, job: Job) {
    let Some(spec) = job.spec else { return };
    let mut answer = Answer::to(job.number);
    let mut begun = now_ms();
    for seed in job.from..=u64::from(job.seeds) {
        let spec = RunSpec { seed, ..spec.clone() };
        match run(&spec, || bench.wants(job.number)).await {
            None => return,
            Some(Ok(run)) => answer.cells.push(cell_of(seed, &run)),
            Some(Err(why)) => answer.failure = Some(why),
        }
        if answer.failure.is_some() || now_ms() - begun >= SLICE_MS || seed == u64::from(job.seeds) {
            bench.take(std::mem::replace(&mut answer, Answer::to(job.number)));
            TimeoutFuture::new(BREATH_MS).await;
            begun = now_ms();
        }
        if !bench.wants(job.number) {
            return;
        }
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use std::cell::Cell as Slot;

    use js_sys::Array;
    use lab_core::scenario::ScenarioId;
    use wasm_bindgen_test::wasm_bindgen_test;
    use web_sys::{Blob, Url};

    use super::*;
    use crate::state::Lab;

    /// A worker that runs `script`.
    fn hired(script: &str) -> Option<Worker> {
        let blob = Blob::new_with_str_sequence(&Array::of1(&JsValue::from_str(script))).ok()?;
        Worker::new(&Url::create_object_url_with_blob(&blob).ok()?).ok()
    }

    /// The verdict of the lesson's code for the stampede, as it ends on a bench with such a worker.
    async fn verdict(hire: impl Fn() -> Option<Worker> + 'static) -> Tally {
        let last = Rc::new(RefCell::new(Tally::default()));
        let bench = {
            let last = last.clone();
            Bench::looking_every(20, hire, move |tally| *last.borrow_mut() = tally)
        };
        bench.start(Lab::lesson_spec(ScenarioId::StampedeLock));
        let deadline = now_ms() + 60_000.0;
        while last.borrow().running {
            assert!(now_ms() < deadline, "the verdict still runs: {} seeds", last.borrow().cells.len());
            TimeoutFuture::new(10).await;
        }
        last.take()
    }

    fn is_whole(tally: &Tally) -> bool {
        let seeds: Vec<u64> = tally.cells.iter().map(|cell| cell.seed).collect();
        tally.failure.is_none() && seeds == (1..=u64::from(tally.wanted)).collect::<Vec<_>>()
    }

    #[wasm_bindgen_test]
    async fn a_worker_that_ends_without_a_word_is_replaced_by_the_page() {
        let tally = verdict(|| hired("postMessage('ready'); onmessage = () => close();")).await;
        assert!(is_whole(&tally) && tally.on_page, "{:?}", tally.failure);
    }

    #[wasm_bindgen_test]
    async fn the_page_goes_on_after_the_seeds_that_the_worker_had_sent() {
        let script = "postMessage('ready'); onmessage = ({ data }) => {
            const { number } = JSON.parse(data);
            const cell = (seed) => ({ seed, held: false, demonstrated: true, schedule: 7 });
            postMessage(JSON.stringify({ number, cells: [cell(1), cell(2)], failure: null }));
            close();
        };";
        let tally = verdict(move || hired(script)).await;
        assert!(is_whole(&tally) && tally.on_page, "{:?}", tally.failure);
        assert_eq!(tally.cells[1].schedule, 7, "what the worker had sent is kept");
    }

    #[wasm_bindgen_test]
    async fn a_worker_that_never_starts_is_replaced_by_the_page() {
        assert!(is_whole(&verdict(|| None).await));
        assert!(is_whole(&verdict(|| hired("throw new Error('no module here');")).await));
        assert!(is_whole(&verdict(|| hired("close();")).await));
    }

    #[wasm_bindgen_test]
    async fn a_module_that_fails_is_told_and_not_tried_again_unasked() {
        let hires = Rc::new(Slot::new(0));
        let broken = "postMessage('ready'); onmessage = () => { throw new Error('seed 3 broke it'); };";
        let count = hires.clone();
        let tally = verdict(move || {
            count.set(count.get() + 1);
            hired(broken)
        })
        .await;
        let Some(Failure::Worker(why)) = &tally.failure else { panic!("{:?}", tally.failure) };
        assert!(why.contains("seed 3 broke it"), "{why}");
        assert_eq!(hires.get(), 1, "it is not tried again unasked");
    }
}
