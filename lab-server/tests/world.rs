//! The real world's own promises: a server that dies answers nobody, the others go on, and a fault that cannot be done
//! is a typed answer.

use std::sync::Arc;
use std::time::Duration;

use lab_core::cluster::Role;
use lab_core::policy::Policy;
use lab_core::service::{Request, Response};
use lab_core::trace::{Actor, Event, Kind, Trace};
use lab_core::value::{ClientId, Key, ServerId, Value};
use lab_core::world::{Balancing, ClusterSpec, Fault, Link, Route, World, WorldError, contract, deadline};
use lab_server::adapters::observer::Recorder;
use lab_server::real::stores::Stores;
use lab_server::real::world::RealWorld;

/// Waits until the journal has so many such events.
async fn journal_has(recorder: &Recorder, count: usize, wanted: impl Fn(&Event) -> bool) {
    let mut progress = recorder.follow();
    while recorder.events(0, usize::MAX).iter().filter(|event| wanted(event)).count() < count {
        let grown = tokio::time::timeout(Duration::from_secs(10), progress.changed()).await;
        grown.expect("they come").expect("the journal is open");
    }
}

async fn a_killed_server_answers_nobody(world: &RealWorld, recorder: &Recorder) {
    let key = Key::new("row");
    world.insert(&key, &Value::new("x")).await.expect("inserted");
    let compute = Request::Compute(Key::new("slow"), Duration::from_secs(30));
    let asking = tokio::spawn({
        let world = world.clone();
        async move { world.request(ClientId(1), Route::To(ServerId(2)), compute).await }
    });
    journal_has(recorder, 1, |event| event.kind == Kind::ComputeStarted).await;
    world.inject(Fault::Kill(Actor::Server(ServerId(2)))).await.expect("a server can be killed");
    assert_eq!(asking.await.expect("no panic"), Response::Unknown);

    let read = Request::Read(key);
    assert!(matches!(world.request(ClientId(1), Route::To(ServerId(1)), read).await, Response::Row(..)));
}

/// Many requests wait in the server's queue and for its connections: its death is noted when it is dead, and it does
/// nothing more.
async fn a_killed_server_does_nothing_more(world: &RealWorld, recorder: &Recorder) {
    const REQUESTS: usize = 500;
    let (server, actor) = (ServerId(3), Actor::Server(ServerId(3)));
    let asking = (0..REQUESTS).map(|number| {
        let world = world.clone();
        let read = Request::Read(Key::new(format!("row:{number}")));
        tokio::spawn(async move { world.request(ClientId(1), Route::To(server), read).await })
    });
    let asking: Vec<_> = asking.collect();
    let requested = |event: &Event| matches!(event.kind, Kind::Requested { server: to, .. } if to == server);
    journal_has(recorder, REQUESTS, requested).await;
    world.inject(Fault::Kill(actor)).await.expect("a server can be killed");
    for asked in asking {
        assert_eq!(asked.await.expect("no panic"), Response::Unknown);
    }
    // Another server answers, slowly: a dead one that went on would be seen meanwhile.
    let read = Request::Read(Key::new("row"));
    assert!(matches!(world.request(ClientId(1), Route::To(ServerId(1)), read).await, Response::Row(..)));

    let events = recorder.events(0, usize::MAX);
    let killed = |event: &Event| event.kind == Kind::Injected { fault: Fault::Kill(actor) };
    let killed = events.iter().position(killed).expect("its death is noted");
    let after: Vec<_> = events[killed..].iter().filter(|event| event.actor == actor).collect();
    assert!(after.is_empty(), "{} events after its death, the first {:?}", after.len(), after[0]);
}

/// Publications and commands share a connection: one cannot be struck without the other.
async fn what_cannot_be_done_is_told(world: &RealWorld) {
    let to_bus = Link::From(Actor::Server(ServerId(1)), Actor::Bus);
    let told = world.inject(Fault::Cut(to_bus)).await;
    assert!(matches!(told, Err(WorldError::Unsupported { .. })), "{told:?}");
}

#[tokio::test]
async fn real_servers_keep_the_fault_contract_and_die_for_good() {
    let stores = Arc::new(Stores::start().await.unwrap_or_else(|error| panic!("{error}")));
    servers_die_and_impossible_faults_are_told(&stores).await;
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let recorder = Recorder::start();
    let world = RealWorld::new(Arc::clone(&stores), Arc::clone(&recorder));
    let kept = contract::suite(&world).await;
    world.end().await;
    kept.unwrap_or_else(|violation| panic!("{violation}"));
    elections_are_noted(&recorder.close());
    roles_come_back(&stores).await;
}

/// The contract kills a master, then the one that was elected, and lets a master stand still for long.
fn elections_are_noted(trace: &Trace) {
    let (master, replica) = (Actor::RedisMaster(0), Actor::RedisReplica(0));
    let role_after = |fault: Fault, node: Actor, role: Role| {
        let began = trace.events.iter().rposition(|event| event.kind == Kind::Injected { fault });
        let began = began.unwrap_or_else(|| panic!("{fault:?} is noted"));
        let is_it = |event: &&Event| event.actor == node && event.kind == Kind::RoleChanged { role };
        let changed = trace.events[began..].iter().find(is_it);
        let changed = changed.unwrap_or_else(|| panic!("{node} is {role:?} after {fault:?}"));
        Duration::from_nanos(changed.at.0 - trace.events[began].at.0)
    };
    let took = [
        role_after(Fault::Kill(master), replica, Role::Master),
        role_after(Fault::Kill(replica), master, Role::Master),
        role_after(Fault::Pause(master), replica, Role::Master),
    ];
    println!("elected after {took:?}");
    assert!(took.iter().all(|time| *time > deadline::NODE_TIMEOUT), "{took:?}");
    role_after(Fault::Restart(master), master, Role::Replica);
}

/// The next run finds every node in the role that it began with.
async fn roles_come_back(stores: &Stores) {
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    for node in stores.harness().redis_servers().expect("they are ours") {
        let mut connection = node.connect().await.expect("it answers");
        let wanted = if node.slots().is_some() { Role::Master } else { Role::Replica };
        assert_eq!(node.role(&mut connection).await.expect("it has a role"), wanted, "{}", node.name());
    }
}

async fn servers_die_and_impossible_faults_are_told(stores: &Arc<Stores>) {
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let recorder = Recorder::start();
    let world = RealWorld::new(Arc::clone(stores), Arc::clone(&recorder));
    let spec = ClusterSpec {
        balancing: Balancing::LeastConnections,
        query_time: Duration::from_millis(500),
        ..ClusterSpec::new(Policy::lesson())
    };
    world.start(spec).await.unwrap_or_else(|error| panic!("{error}"));
    a_killed_server_answers_nobody(&world, &recorder).await;
    a_killed_server_does_nothing_more(&world, &recorder).await;
    what_cannot_be_done_is_told(&world).await;
    world.end().await;

    let trace = recorder.close();
    assert!(trace.events.iter().any(|event| matches!(event.kind, Kind::Injected { .. })));
    let length = trace.events.len();
    world.phase("after the end");
    assert_eq!(recorder.events(0, usize::MAX).len(), length, "nothing is added to a closed journal");
}
