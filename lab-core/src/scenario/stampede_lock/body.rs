//! Ten requests want one expensive computation.
//!
//! Ten clients ask for `expensive:calculation` at once, over four servers; computing it takes a second. With the
//! lesson's `getWithLock` all of them should be answered the same value, computed once.

use std::time::Duration;

use futures_util::future::join_all;

use super::{COMPUTATION, COMPUTED_ONCE, REQUESTS};
use crate::check::{self, History, Part};
use crate::policy::Policy;
use crate::report::{Bound, Report};
use crate::scenario::{Settings, phase};
use crate::service::Request;
use crate::trace::{Kind, RequestKind, Trace};
use crate::value::{ClientId, Key};
use crate::world::{ClusterSpec, Route, World, WorldError};

/// The scenario's body: the lesson's third test.
pub(in crate::scenario) async fn play<W: World>(
    world: &W,
    policy: &Policy,
    settings: &Settings,
) -> Result<(), WorldError> {
    let calculation = Key::new("expensive:calculation");
    let requests = u16::try_from(settings.get(&REQUESTS)).unwrap_or(u16::MAX);
    let takes = Duration::from_millis(settings.get(&COMPUTATION));

    world.phase(phase::START);
    world.start(ClusterSpec::new(policy.clone())).await?;

    // Everybody asks at once, and nobody has the result yet.
    world.phase(phase::ACT);
    let asked = (1..=requests).map(|client| {
        world.request(ClientId(client), Route::Balanced, Request::Compute(calculation.clone(), takes))
    });
    join_all(asked).await;
    Ok(())
}

/// What must hold.
pub(in crate::scenario) fn judge(trace: &Trace, _: &Settings) -> Report {
    let history = History::of(trace);
    let act = Part::since(&history, phase::ACT);
    let computed = act.events().filter(|(_, event)| matches!(event.kind, Kind::ComputeStarted));
    let computed: Vec<_> = computed.map(|(id, _)| id).collect();
    Report {
        checks: vec![
            check::check(
                COMPUTED_ONCE,
                computed.len() as u64,
                None,
                Bound::Exactly(1),
                computed.get(1).copied(),
            ),
            check::equal_answers(act, RequestKind::Compute),
            check::all_answered(act),
        ],
        demonstration: was_a_stampede(act),
        figures: check::figures(act),
    }
}

/// Whether every request had reached its server before the first computation was done.
fn was_a_stampede(act: Part<'_>) -> bool {
    let computed = act.events().find(|(_, event)| matches!(event.kind, Kind::Computed { .. }));
    let Some((first, _)) = computed else { return false };
    let early = act.events().filter(|(id, event)| matches!(event.kind, Kind::Received { .. }) && *id < first);
    early.count() == act.requests(RequestKind::Compute).count()
}
