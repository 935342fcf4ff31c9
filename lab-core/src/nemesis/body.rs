//! Carries a plan out in a world: the load with its faults, the healing, the quiet, and a last look at every server.

use std::time::Duration;

use futures_util::future::{join, join_all, try_join_all};

use super::plan::{Action, Plan, Step, Strike, Trouble};
use crate::cluster::Topology;
use crate::service::Request;
use crate::value::{ClientId, ServerId, Value};
use crate::world::{ClusterSpec, Fault, Route, World, WorldError};

/// The client that looks once more when all is quiet.
const WITNESS: ClientId = ClientId(1_000);
/// After the healing: longer than every deadline, lease and silence of a policy.
const QUIET: Duration = Duration::from_secs(30);

/// Plays a plan. The load is the phase `act`, the last look is the phase `look again`.
///
/// # Errors
/// When the world cannot do one of the faults, or broke.
pub async fn play<W: World>(world: &W, plan: &Plan) -> Result<(), WorldError> {
    world.phase("start");
    let topology = Topology { servers: plan.servers, ..Topology::default() };
    world.start(ClusterSpec { topology, ..ClusterSpec::new(plan.policy.clone()) }).await?;
    for key in 0..plan.keys {
        world.insert(&Plan::key(key), &Value::new("first")).await?;
    }

    world.phase("act");
    let clients = (1u16..).zip(&plan.clients);
    let clients = join_all(clients.map(|(client, steps)| follow(world, ClientId(client), steps)));
    let strikes = try_join_all(plan.strikes.iter().map(|strike| carry_out(world, *strike)));
    let (_, struck) = join(clients, strikes).await;
    struck?;

    world.phase("quiet");
    world.heal_all().await?;
    world.sleep(QUIET).await;

    world.phase("look again");
    for server in survivors(plan) {
        for key in (0..plan.keys).map(Plan::key) {
            world.request(WITNESS, Route::To(server), Request::Read(key)).await;
        }
    }
    Ok(())
}

async fn follow<W: World>(world: &W, client: ClientId, steps: &[Step]) {
    for (number, step) in steps.iter().enumerate() {
        world.sleep(Duration::from_millis(step.after_ms)).await;
        let key = Plan::key(step.key);
        let request = match step.action {
            Action::Read => Request::Read(key),
            Action::Write => Request::Write(key, Value::new(format!("{client}, {number}"))),
        };
        world.request(client, Route::To(step.server), request).await;
    }
}

async fn carry_out<W: World>(world: &W, strike: Strike) -> Result<(), WorldError> {
    world.sleep(Duration::from_millis(strike.at_ms)).await;
    if !strikes(world, strike.trouble.begins()).await? {
        return Ok(());
    }
    world.sleep(Duration::from_millis(strike.for_ms)).await;
    if let Some(end) = strike.trouble.ends() {
        strikes(world, end).await?;
    }
    Ok(())
}

/// Whether the fault came about: the dead do not die twice, and another strike may have ended this one.
async fn strikes<W: World>(world: &W, fault: Fault) -> Result<bool, WorldError> {
    match world.inject(fault).await {
        Err(WorldError::NotNow { .. }) => Ok(false),
        struck => struck.map(|()| true),
    }
}

/// The servers that no strike kills.
pub(super) fn survivors(plan: &Plan) -> impl Iterator<Item = ServerId> {
    let killed =
        |server: &ServerId| plan.strikes.iter().any(|strike| strike.trouble == Trouble::Kill(*server));
    (1..=plan.servers).map(ServerId).filter(move |server| !killed(server))
}
