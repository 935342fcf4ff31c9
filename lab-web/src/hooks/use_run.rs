//! Computes the run that is wanted, and the one of the lesson's own code beside it.

use std::cell::Cell;
use std::rc::Rc;

use lab_core::scenario::RunSpec;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::compute::compute;
use crate::replay::Replay;
use crate::state::{Action, Lab};

/// Keeps [`Lab::simulated`] and [`Lab::baseline`] in step with [`Lab::spec`].
#[hook]
pub(crate) fn use_run(lab: &UseReducerHandle<Lab>) {
    let dispatcher = lab.dispatcher();
    use_computed(lab.spec.clone(), lab.simulated.is_none(), {
        let dispatcher = dispatcher.clone();
        move |result| {
            dispatcher.dispatch(match result {
                Ok(replay) => Action::Computed(replay),
                Err(why) => Action::Failed(why),
            });
        }
    });
    use_computed(lab.baseline_spec(), lab.baseline.is_none(), move |result| {
        if let Ok(replay) = result {
            dispatcher.dispatch(Action::Baseline(replay));
        }
    });
}

/// Runs `spec` whenever it changes, or when its run is gone; a newer wish ends an older one.
#[hook]
fn use_computed(spec: RunSpec, gone: bool, done: impl Fn(Result<Rc<Replay>, String>) + 'static) {
    let newest = use_mut_ref(|| Rc::new(Cell::new(0_u32)));
    use_effect_with((spec, gone), move |(spec, _)| {
        let newest = newest.borrow().clone();
        let own = newest.get() + 1;
        newest.set(own);
        let spec = spec.clone();
        spawn_local(async move {
            if let Some(result) = compute(spec, move || newest.get() == own).await {
                done(result);
            }
        });
    });
}
