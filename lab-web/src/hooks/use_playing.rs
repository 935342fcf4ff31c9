//! Lets virtual time run while playing: with the screen's frames, or event by event where motion is unwanted.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Interval;
use lab_core::value::Instant;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

use crate::compute::now_ms;
use crate::state::{Action, Lab, SPEEDS};

/// Where motion is unwanted, two events a second.
const STILL_MS: u32 = 500;
/// A folded gap is crossed in this many milliseconds of real time at least.
const FOLD_MS: f64 = 350.0;

/// Whether the system asks for less motion.
pub(crate) fn motion_unwanted() -> bool {
    let query =
        web_sys::window().and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok());
    query.flatten().is_some_and(|query| query.matches())
}

type Frame = Closure<dyn FnMut(f64)>;

/// Advances the clock while [`Lab::playing`].
#[hook]
pub(crate) fn use_playing(lab: &UseReducerHandle<Lab>) {
    let newest = use_mut_ref(|| lab.clone());
    newest.replace(lab.clone());
    use_effect_with(lab.playing, move |playing| -> Box<dyn FnOnce()> {
        if !playing {
            return Box::new(|| ());
        }
        if motion_unwanted() {
            let interval = Interval::new(STILL_MS, move || event_by_event(&newest.borrow()));
            return Box::new(move || drop(interval));
        }
        let alive = Rc::new(RefCell::new(true));
        run_frames(newest, alive.clone());
        Box::new(move || *alive.borrow_mut() = false)
    });
}

fn event_by_event(lab: &UseReducerHandle<Lab>) {
    let next = lab.shown().and_then(|replay| replay.event(lab.index + 1).map(|event| event.at));
    if let Some(at) = next {
        lab.dispatch(Action::Tick(at));
    }
}

fn run_frames(newest: Rc<RefCell<UseReducerHandle<Lab>>>, alive: Rc<RefCell<bool>>) {
    let slot: Rc<RefCell<Option<Frame>>> = Rc::new(RefCell::new(None));
    let own = slot.clone();
    let mut before = now_ms();
    *slot.borrow_mut() = Some(Closure::new(move |_| {
        if !*alive.borrow() {
            own.borrow_mut().take();
            return;
        }
        let now = now_ms();
        let passed = (now - before).clamp(0.0, 100.0);
        before = now;
        let lab = newest.borrow().clone();
        lab.dispatch(Action::Tick(advanced(&lab, passed)));
        request_frame(&own);
    }));
    request_frame(&slot);
}

/// The instant after `passed` milliseconds of real time.
fn advanced(lab: &Lab, passed: f64) -> Instant {
    let rate = f64::from(SPEEDS[lab.speed]) / 1_000.0;
    let mut by = passed * rate * 1e6;
    if let Some(end) = lab.shown().and_then(|replay| replay.ruler_of(lab.view).fold_end(lab.now)) {
        by = by.max((end.0 - lab.now.0) as f64 * passed / FOLD_MS);
    }
    Instant(lab.now.0.saturating_add(by as u64))
}

fn request_frame(slot: &Rc<RefCell<Option<Frame>>>) {
    if let (Some(window), Some(frame)) = (web_sys::window(), slot.borrow().as_ref()) {
        let _ = window.request_animation_frame(frame.as_ref().unchecked_ref());
    }
}
