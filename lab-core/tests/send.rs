//! Every public future is `Send`: a real server spawns them on a runtime with threads. It fails to compile otherwise.

use std::time::Duration;

use lab_core::cache::TieredCache;
use lab_core::consistency::{Demand, Level, Session};
use lab_core::policy::Policy;
use lab_core::ports::{Ports, contract};
use lab_core::scenario::{self, ScenarioId, Settings};
use lab_core::service::{self, Request};
use lab_core::trace;
use lab_core::value::{ClientId, Key, Value};
use lab_core::world::{ClusterSpec, Fault, Link, Route, World};

fn send<T: Send>(_: T) {}

#[allow(dead_code, reason = "it is compiled, never run")]
fn of_a_cache<P: Ports>(cache: &TieredCache<P>, key: &Key, value: &Value, session: &Session) {
    send(cache.start());
    send(cache.get(key));
    send(cache.read(key, Demand::level(Level::Eventual)));
    send(cache.write(key, value));
    send(cache.get_with_lock(key, std::future::ready(value.clone())));
    send(service::serve(cache, session, Request::Read(key.clone())));
    send(contract::suite(cache.ports(), cache.ports()));
    send(trace::scope(None, None, cache.get(key)));
}

#[allow(dead_code, reason = "it is compiled, never run")]
fn of_a_world<W: World>(world: &W, key: &Key, value: &Value, policy: &Policy, settings: &Settings) {
    send(world.start(ClusterSpec::new(policy.clone())));
    send(world.insert(key, value));
    send(world.delete_shared(key));
    send(world.request(ClientId(1), Route::Balanced, Request::Read(key.clone())));
    send(world.inject(Fault::Heal(Link::BusTo(lab_core::value::ServerId(1)))));
    send(world.sleep(Duration::ZERO));
    for id in ScenarioId::ALL {
        send(scenario::play(id, world, policy, settings));
    }
}

#[test]
fn handles_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<lab_core::sim::SimPorts>();
    shared::<lab_core::sim::SimWorld>();
    shared::<TieredCache<lab_core::sim::SimPorts>>();
}
