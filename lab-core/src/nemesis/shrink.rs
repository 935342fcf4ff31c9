//! The smallest plan that still breaks a promise: what is told to a person has no part that it does not need.

use super::plan::Plan;
use crate::scenario::{Deed, Intervention, RunSpec};

/// Takes away from a plan what it can lose while `breaks` stays true: faults first, then clients, then steps; then the
/// numbers become small. It ends because each accepted candidate is smaller than the one before.
pub fn shrink(plan: Plan, mut breaks: impl FnMut(&Plan) -> bool) -> Plan {
    let mut smallest = plan;
    loop {
        let smaller = candidates(&smallest).find(|candidate| breaks(candidate));
        match smaller {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

/// Takes away from a branch the strikes that it can lose while `breaks` stays true, each with its end.
pub fn shrink_branch(branch: RunSpec, mut breaks: impl FnMut(&RunSpec) -> bool) -> RunSpec {
    let mut smallest = branch;
    loop {
        let places = 0..smallest.interventions.len();
        let smaller = places.filter_map(|place| without_strike(&smallest, place)).find(|less| breaks(less));
        match smaller {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

/// The branch without the strike that begins there, and its end, which stands right behind it; nothing if none begins.
fn without_strike(branch: &RunSpec, place: usize) -> Option<RunSpec> {
    let fault = |intervention: &Intervention| match intervention.deed {
        Deed::Fault(fault) => Some(fault),
        Deed::Request { .. } => None,
    };
    let begins = fault(&branch.interventions[place]).filter(|begins| !begins.mends())?;
    let ends = begins.remedy();
    let mut less = branch.clone();
    less.interventions.remove(place);
    if ends.is_some() && less.interventions.get(place).and_then(fault) == ends {
        less.interventions.remove(place);
    }
    Some(less)
}

/// The plans that are one step smaller.
fn candidates(plan: &Plan) -> impl Iterator<Item = Plan> {
    let strikes = (0..plan.strikes.len()).map(|index| {
        with(plan, |plan| {
            plan.strikes.remove(index);
        })
    });
    let clients = (0..plan.clients.len()).map(|index| with(plan, |plan| drop(plan.clients.remove(index))));
    let places = plan
        .clients
        .iter()
        .enumerate()
        .flat_map(|(client, steps)| (0..steps.len()).map(move |step| (client, step)));
    let steps = places.clone().map(|(client, step)| {
        with(plan, |plan| {
            plan.clients[client].remove(step);
        })
    });
    let pauses = places.filter(|(client, step)| plan.clients[*client][*step].after_ms > 0).flat_map(
        |(client, step)| {
            let halves = [0, plan.clients[client][step].after_ms / 2];
            halves.map(|after_ms| with(plan, |plan| plan.clients[client][step].after_ms = after_ms))
        },
    );
    let idle = plan.busy.then(|| with(plan, |plan| plan.busy = false));
    idle.into_iter().chain(strikes).chain(clients).chain(steps).chain(pauses)
}

fn with(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut changed = plan.clone();
    change(&mut changed);
    changed
}
