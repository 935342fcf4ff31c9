//! The real world's own promises: a server that dies answers nobody, the others go on, and a fault that cannot be done
//! is a typed answer.

use std::sync::Arc;
use std::time::Duration;

use lab_core::policy::Policy;
use lab_core::service::{Request, Response};
use lab_core::trace::{Actor, Kind};
use lab_core::value::{ClientId, Key, ServerId, Value};
use lab_core::world::{Balancing, ClusterSpec, Fault, Link, Route, World, WorldError};
use lab_server::adapters::observer::Recorder;
use lab_server::real::stores::Stores;
use lab_server::real::world::RealWorld;

async fn a_killed_server_answers_nobody(world: &RealWorld, recorder: &Recorder) {
    let key = Key::new("row");
    world.insert(&key, &Value::new("x")).await.expect("inserted");
    let compute = Request::Compute(Key::new("slow"), Duration::from_secs(30));
    let asking = tokio::spawn({
        let world = world.clone();
        async move { world.request(ClientId(1), Route::To(ServerId(2)), compute).await }
    });
    // The computation has begun when the journal says so.
    let mut progress = recorder.follow();
    let begun = |recorder: &Recorder| {
        recorder.events(0, usize::MAX).iter().any(|event| event.kind == Kind::ComputeStarted)
    };
    while !begun(recorder) {
        let grown = tokio::time::timeout(Duration::from_secs(10), progress.changed()).await;
        grown.expect("it begins").expect("the journal is open");
    }
    world.inject(Fault::Kill(Actor::Server(ServerId(2)))).await.expect("a server can be killed");
    assert_eq!(asking.await.expect("no panic"), Response::Unknown);

    let read = || Request::Read(key.clone());
    assert_eq!(world.request(ClientId(1), Route::To(ServerId(2)), read()).await, Response::Unknown);
    assert!(matches!(world.request(ClientId(1), Route::To(ServerId(1)), read()).await, Response::Row(..)));
    assert!(matches!(world.request(ClientId(1), Route::To(ServerId(9)), read()).await, Response::Failed(_)));
}

async fn what_cannot_be_done_is_told(world: &RealWorld) {
    let faults = [
        Fault::Kill(Actor::Primary),
        Fault::Kill(Actor::Server(ServerId(2))),
        Fault::Cut(Link::BusTo(ServerId(99))),
        Fault::Delay { link: Link::From(Actor::Lab, Actor::Bus), by_ms: 1 },
    ];
    for fault in faults {
        let told = world.inject(fault).await;
        assert!(matches!(told, Err(WorldError::Unsupported { .. })), "{fault:?}: {told:?}");
    }
}

#[tokio::test]
async fn servers_die_and_impossible_faults_are_told() {
    let stores = Arc::new(Stores::start().await.unwrap_or_else(|error| panic!("{error}")));
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let recorder = Recorder::start();
    let world = RealWorld::new(Arc::clone(&stores), Arc::clone(&recorder));
    let spec = ClusterSpec { balancing: Balancing::LeastConnections, ..ClusterSpec::new(Policy::lesson()) };
    world.start(spec).await.unwrap_or_else(|error| panic!("{error}"));
    a_killed_server_answers_nobody(&world, &recorder).await;
    what_cannot_be_done_is_told(&world).await;
    world.end().await;

    let trace = recorder.close();
    assert!(trace.events.iter().any(|event| matches!(event.kind, Kind::Injected { .. })));
    let length = trace.events.len();
    world.phase("after the end");
    assert_eq!(recorder.events(0, usize::MAX).len(), length, "nothing is added to a closed journal");
}
