//! Real servers for a command, started by the lab or named by the user, and runs on them that can be interrupted.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use lab_core::scenario::{Run, RunSpec, ScenarioId};

use super::interrupt::Interrupt;
use super::named::{Named, NamedServers};
use super::{CliError, output, text};
use crate::adapters::observer::Recorder;
use crate::real;
use crate::real::error::RunError;
use crate::real::remains::Remains;
use crate::real::room::Need;
use crate::real::stores::Stores;

/// Leaving takes milliseconds where every server answers.
const TOLD_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn open(named: &NamedServers, interrupt: &Interrupt) -> Result<Arc<Stores>, CliError> {
    let servers = named.servers()?;
    // Nothing is written to named servers here, and what was started of our own ends when it is dropped.
    let opening = async {
        if let Some(Named { redis, postgres, leave_within }) = &servers {
            let stores = Stores::connect_for(redis, postgres, *leave_within).await?;
            announce(&stores);
            return Ok(stores);
        }
        start().await
    };
    let stores = interrupt.or(opening).await.map(Arc::new)?;
    // It must not keep servers of our own alive.
    let left = Arc::downgrade(&stores);
    interrupt.say_last(move || {
        for remains in left.upgrade().iter().flat_map(|stores| stores.remains()) {
            note!("left behind: {remains}");
        }
    });
    Ok(stores)
}

/// Servers of the lab's own, whatever others are named.
pub(super) async fn start() -> Result<Stores, CliError> {
    let spinner = text::spinner("starting a Redis Cluster and PostgreSQL".to_owned());
    let started = Stores::start().await;
    spinner.finish_and_clear();
    Ok(started?)
}

/// Tells what a run will ask of named servers, and what is not as it should be there although it stops nothing.
fn announce(stores: &Stores) {
    let presets = ScenarioId::ALL
        .into_iter()
        .flat_map(|id| id.scenario().presets.iter().map(move |preset| (id, preset)));
    let specs = presets.filter_map(|(id, preset)| RunSpec::preset(id, preset.name, 1).ok());
    let Need { primary, replica, master, redis_replica } =
        specs.filter_map(|spec| Need::of(&spec)).fold(Need::default(), Need::or);
    note!(
        "note: a run opens up to {primary} connections to the primary, {replica} to each PostgreSQL replica, \
         {master} to each Redis master and {redis_replica} to each Redis replica"
    );
    tell_notices(stores);
}

fn tell_notices(stores: &Stores) {
    for notice in stores.harness().endpoints().notices().take() {
        note!("note: {notice}");
    }
}

/// The servers that the user named, if any, once they were reached.
pub(super) async fn reach(named: &NamedServers) -> Result<Option<Named>, CliError> {
    let named = named.servers()?;
    if let Some(Named { redis, postgres, .. }) = &named {
        announce(&Stores::connect_to(redis, postgres).await?);
    }
    Ok(named)
}

/// Makes a run, or gives it up when the command is asked to end, and cleans up after it either way.
pub(super) async fn run(
    stores: &Arc<Stores>,
    spec: &RunSpec,
    interrupt: &Interrupt,
) -> Result<Run, CliError> {
    output::check()?;
    make(stores, spec, Recorder::start(), interrupt).await.map_err(|error| match error {
        RunError::Interrupted => interrupt.error(),
        error => error.into(),
    })
}

/// Makes a run with a journal of the caller's, and tells what is to be told meanwhile.
pub(super) async fn make(
    stores: &Arc<Stores>,
    spec: &RunSpec,
    recorder: Arc<Recorder>,
    interrupt: &Interrupt,
) -> Result<Run, RunError> {
    let run = tokio::select! {
        run = real::run(stores, spec, recorder, interrupt.asked()) => run,
        never = tell_slow_leaving(stores) => match never {},
    };
    tell_notices(stores);
    run
}

/// Tells what the lab waits for where it cannot leave at once.
async fn tell_slow_leaving(stores: &Stores) -> Infallible {
    stores.leaving_for(TOLD_AFTER).await;
    note!("cleaning up on the named servers, for {:?} at most:", stores.leave_within());
    for Remains { what, at, why, .. } in stores.remains() {
        note!("  {what} on {at} ({why})");
    }
    std::future::pending().await
}
