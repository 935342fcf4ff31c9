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
    let lacks =
        |have: &Option<Rc<Replay>>, spec: &RunSpec| have.as_ref().is_none_or(|replay| replay.spec != *spec);
    let wish = (lab.spec.clone(), lab.retries);
    use_computed(wish, lacks(&lab.simulated, &lab.spec), {
        let dispatcher = dispatcher.clone();
        move |result| {
            dispatcher.dispatch(match result {
                Ok(replay) => Action::Computed(replay),
                Err(why) => Action::Failed(why),
            });
        }
    });
    let baseline = lab.baseline_spec();
    let lacking = lacks(&lab.baseline, &baseline);
    use_computed((baseline, lab.retries), lacking, move |result| {
        if let Ok(replay) = result {
            dispatcher.dispatch(Action::Baseline(replay));
        }
    });
}

/// Runs what is wished for whenever its run is lacking; a newer wish ends an older one. A wish is a spec, and how
/// often it was asked for again.
#[hook]
fn use_computed(wish: (RunSpec, u32), lacking: bool, done: impl Fn(Result<Rc<Replay>, String>) + 'static) {
    let newest = use_mut_ref(|| Rc::new(Cell::new(0_u32)));
    use_effect_with((wish, lacking), move |((spec, _), lacking)| {
        if !lacking {
            return;
        }
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
