//! The simulated world, as a scenario drives it.

use std::panic::Location;
use std::time::Duration;

use super::adapters::SimPorts;
use super::kernel::{Kernel, Pending, Reply};
use crate::cache::TieredCache;
use crate::ports::traced::Traced;
use crate::service::{Request, Response};
use crate::trace::{self, Actor, Kind, Note, Outcome, Verb};
use crate::value::{ClientId, Instant, Key, ServerId, Value, Version};
use crate::world::{ClusterSpec, Fault, Route, World, WorldError, refused};

/// Between two tries of a server to start.
const START_EVERY: Duration = Duration::from_millis(100);

/// A cluster in virtual time.
#[derive(Clone)]
pub struct SimWorld {
    kernel: Kernel,
    /// Whether lines of the lesson's code ask it. Nobody's line does what is done to a run from outside.
    has_lines: bool,
}

impl SimWorld {
    pub(super) fn new(kernel: Kernel) -> Self {
        Self { kernel, has_lines: true }
    }

    /// The world for whoever does something to a run from outside.
    pub(super) fn from_outside(kernel: Kernel) -> Self {
        Self { kernel, has_lines: false }
    }

    fn line(&self, caller: &'static Location<'static>) -> Option<&'static Location<'static>> {
        self.has_lines.then_some(caller)
    }

    /// Gives a key's slot, with what is in it, to another shard (counted from 0), as resharding does. Servers learn of
    /// it when the old owner answers MOVED.
    pub fn reshard(&self, key: &Key, shard: u8) {
        self.kernel.state().reshard(key, shard);
    }

    /// Adds a server whose cache is not started yet.
    pub(super) fn add_server(&self, server: ServerId, spec: &ClusterSpec) -> SimPorts {
        let ports = SimPorts::new(self.kernel.clone(), server, 1);
        let cache = TieredCache::new(Traced::new(ports.clone()), spec.policy.clone());
        self.kernel.state().add_server(server, cache, spec.connections_per_server);
        ports
    }

    /// Begins a dead server's new life, and waits until it takes requests, or is dead again.
    async fn restart(&self, server: ServerId) {
        let kernel = &self.kernel;
        let (spec, incarnation) = {
            let mut state = kernel.state();
            (state.spec().clone(), state.next_incarnation(server))
        };
        let ports = SimPorts::new(kernel.clone(), server, incarnation);
        let cache = TieredCache::new(Traced::new(ports), spec.policy);
        // What it was before is dropped outside the lock: its parts hold handles to this kernel.
        let before = kernel.state().revive(server, cache.clone(), spec.connections_per_server);
        drop(before);
        let call = kernel.state().begin_start(server);
        let starter = kernel.clone();
        let start = async move {
            while cache.start().await.is_err() {
                starter.sleep(START_EVERY).await;
            }
            let waker = starter.state().started(server, call);
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        kernel.state().spawn(Actor::Server(server), Box::pin(trace::scope(None, None, start)));
        Pending::new(kernel.clone(), call).await;
    }

    fn note(&self, note: Note, line: &'static Location<'static>) {
        self.kernel.state().note(Actor::Lab, note.source(self.line(line)));
    }
}

impl World for SimWorld {
    #[track_caller]
    fn start(&self, spec: ClusterSpec) -> impl Future<Output = Result<(), WorldError>> + Send {
        let (kernel, line) = (self.kernel.clone(), Location::caller());
        async move {
            spec.topology.validate().map_err(|error| WorldError::Broken(error.to_string()))?;
            if spec.policy.local.shards > 1 {
                let why =
                    "L1 has one shard in the simulator, which runs on one thread; ask for one".to_owned();
                return Err(WorldError::Unfit { why });
            }
            kernel.state().configure(&spec);
            self.note(Note::new(Kind::Started { topology: spec.topology.clone() }), line);
            for server in (1..=spec.topology.servers).map(ServerId) {
                self.add_server(server, &spec);
                let cache = kernel.state().servers[server.index()].cache.clone();
                cache.start().await.map_err(|error| WorldError::Broken(error.to_string()))?;
            }
            Ok(())
        }
    }

    #[track_caller]
    fn insert(&self, key: &Key, value: &Value) -> impl Future<Output = Result<Version, WorldError>> + Send {
        let line = Location::caller();
        async move {
            let inserted = self.kernel.state().insert(key, value);
            let unreached = || out_of_reach(format!("insert {key}"), Actor::Primary);
            let (record, replicas) = inserted.ok_or_else(unreached)?;
            let (verb, lsn) = (Verb::Update, Some(record.lsn));
            let value = Some(value.clone());
            let served = Kind::Served { verb, outcome: Outcome::Done, value: value.clone(), lsn };
            let mut state = self.kernel.state();
            let note = |kind| Note::new(kind).key(key).version(record.version).source(line);
            state.note(Actor::Primary, note(served));
            for replica in &replicas {
                let replayed = Kind::Replayed { verb, value: value.clone(), lsn };
                state.note(Actor::Replica(*replica), note(replayed));
            }
            let lagging = (1..=state.topology.postgres_replicas).find(|number| !replicas.contains(number));
            match lagging.map(Actor::Replica) {
                None => Ok(record.version),
                Some(lagging) => Err(out_of_reach(format!("insert {key}"), lagging)),
            }
        }
    }

    #[track_caller]
    fn delete_shared(&self, key: &Key) -> impl Future<Output = Result<(), WorldError>> + Send {
        let line = Location::caller();
        async move {
            let deleted = self.kernel.state().delete_shared(key, line);
            deleted.map_err(|node| out_of_reach(format!("delete {key}"), node))
        }
    }

    #[track_caller]
    fn request(
        &self,
        client: ClientId,
        route: Route,
        request: Request,
    ) -> impl Future<Output = Response> + Send {
        let line = Location::caller();
        async move {
            let (call, server) = match self.kernel.state().request(client, route, request, self.line(line)) {
                Ok(sent) => sent,
                Err(nobody) => return refused(nobody),
            };
            if let Reply::Response(response) = Pending::new(self.kernel.clone(), call).await {
                return response;
            }
            self.kernel.state().balancer.closed(server);
            Response::Unknown
        }
    }

    #[track_caller]
    fn inject(&self, fault: Fault) -> impl Future<Output = Result<(), WorldError>> + Send {
        let line = Location::caller();
        async move {
            self.kernel.state().inject(fault)?;
            self.note(Note::new(Kind::Injected { fault }), line);
            if let Fault::Restart(Actor::Server(server)) = fault {
                self.restart(server).await;
            }
            Ok(())
        }
    }

    fn remedies(&self) -> Vec<Fault> {
        self.kernel.state().ledger.remedies()
    }

    fn now(&self) -> Instant {
        self.kernel.now()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.kernel.sleep(time)
    }

    #[track_caller]
    fn phase(&self, name: &'static str) {
        self.note(Note::new(Kind::Phase { name: name.to_owned() }), Location::caller());
    }
}

fn out_of_reach(what: String, node: Actor) -> WorldError {
    WorldError::OutOfReach { what, node }
}
