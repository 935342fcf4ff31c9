//! Interventions: what is done to a run at a point of it. They come from outside of the run, so they cost it no chance and
//! no place on the agenda before they are due, and everything up to their point is as it is without them.

use std::sync::{Arc, Mutex};

use super::executor::Executor;
use super::kernel::Kernel;
use super::world::SimWorld;
use crate::scenario::{Deed, Intervention, Point};
use crate::trace;
use crate::world::{Route, World, WorldError};

/// The interventions that are still to come, in the order in which they were given, and what went wrong with those that
/// were made.
pub(super) struct Branch {
    coming: Vec<Intervention>,
    /// So many were given.
    all: usize,
    failed: Arc<Mutex<Option<WorldError>>>,
}

impl Branch {
    pub(super) fn new(interventions: &[Intervention]) -> Self {
        Self { coming: interventions.to_vec(), all: interventions.len(), failed: Arc::default() }
    }

    /// Begins what is due now.
    ///
    /// # Errors
    /// When one that was begun before could not be done.
    pub(super) fn intervene(&mut self, executor: &mut Executor, kernel: &Kernel) -> Result<(), WorldError> {
        if self.all == 0 {
            return Ok(());
        }
        if let Some(error) = self.failed.lock().expect("no holder panics").take() {
            return Err(error);
        }
        // Where nothing is on the agenda for long, several instants lie before what comes next: each has its turn, and what is
        // done then its consequences.
        let next = self.coming.iter().filter_map(|intervention| intervention.at.instant()).min();
        let next = next.filter(|next| executor.is_idle(kernel) && kernel.is_before_next(*next));
        let is_due = |intervention: &mut Intervention| match intervention.at {
            Point::After(event) => kernel.events() > event.index(),
            Point::At(instant) => Some(instant) == next,
        };
        let due: Vec<_> = self.coming.extract_if(.., is_due).collect();
        for Intervention { at, deed } in due {
            if let Point::At(instant) = at {
                kernel.advance_to(instant);
            }
            let (world, failed) = (SimWorld::from_outside(kernel.clone()), Arc::clone(&self.failed));
            let deed = async move {
                // What cannot be done at that moment is not done: nobody dies twice. The trace tells what was.
                if let Err(error) = make(&world, deed).await
                    && !matches!(error, WorldError::NotNow { .. })
                {
                    *failed.lock().expect("no holder panics") = Some(error);
                }
            };
            executor.spawn(None, Box::pin(trace::scope(None, None, deed)));
        }
        Ok(())
    }
}

async fn make(world: &SimWorld, deed: Deed) -> Result<(), WorldError> {
    match deed {
        Deed::Fault(fault) => world.inject(fault).await,
        Deed::Request { client, server, request } => {
            world.request(client, server.map_or(Route::Balanced, Route::To), request).await;
            Ok(())
        }
    }
}
