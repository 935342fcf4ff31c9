//! The verdict over many seeds, for Yew: a [`Bench`] that lives as long as the page, and its tally as state.

use std::rc::Rc;

use lab_core::scenario::RunSpec;
use yew::prelude::*;

use crate::verdict::{Bench, Tally};
use crate::worker;

/// The verdict, and how to ask for one.
#[derive(Clone, PartialEq)]
pub(crate) struct Verdicts {
    /// The verdict so far.
    pub(crate) tally: Rc<Tally>,
    /// Asks for the verdict of a policy.
    pub(crate) start: Callback<RunSpec>,
    /// Stops.
    pub(crate) stop: Callback<()>,
}

/// Keeps a verdict.
#[hook]
pub(crate) fn use_verdict() -> Verdicts {
    let tally = use_state(|| Rc::new(Tally::default()));
    let (start, stop) = {
        let setter = tally.setter();
        let bench = use_mut_ref(move || Bench::new(worker::start, move |now| setter.set(Rc::new(now))));
        let (starting, stopping) = (bench.borrow().clone(), bench.borrow().clone());
        (
            use_callback((), move |spec, ()| starting.start(spec)),
            use_callback((), move |(), ()| stopping.stop()),
        )
    };
    Verdicts { tally: (*tally).clone(), start, stop }
}
