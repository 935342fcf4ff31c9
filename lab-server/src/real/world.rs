//! The real world, as a scenario drives it.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future;
use lab_core::cluster::Balancer;
use lab_core::consistency::Session;
use lab_core::ports::Clock as _;
use lab_core::service::{Request, Response};
use lab_core::trace::{Actor, EventId, Kind, Note, Outcome, Verb};
use lab_core::value::{ClientId, Instant, Key, ServerId, Value, Version};
use lab_core::world::ledger::Ledger;
use lab_core::world::{Balancing, ClusterSpec, Fault, Route, World, WorldError, deadline, refused};
use tokio::sync::{mpsc, oneshot};

use super::error::StoresError;
use super::faults;
use super::roles::Roles;
use super::server::{self, Job, Server};
use super::stores::{SERVERS_MAX, Stores};
use super::witness::{Held, Replicas, Witness};
use crate::adapters::Connect;
use crate::adapters::observer::Recorder;
use crate::harness::RedisNode;

/// Between two tries of a server to start.
const START_EVERY: Duration = Duration::from_millis(100);

/// Between two looks at a thread that ends.
const POLL: Duration = Duration::from_millis(1);

/// App servers before real stores. Cloning gives another handle to the same world.
#[derive(Clone)]
pub struct RealWorld {
    shared: Arc<Shared>,
}

struct Shared {
    stores: Arc<Stores>,
    recorder: Arc<Recorder>,
    replicas: Arc<Replicas>,
    fleet: Mutex<Fleet>,
}

struct Fleet {
    /// By number, the first is server 1; `None` for a dead one.
    servers: Vec<Option<Server>>,
    ledger: Ledger,
    /// Threads of dead servers, to be joined.
    dying: Vec<JoinHandle<()>>,
    balancer: Balancer,
    sessions: BTreeMap<ClientId, Arc<Session>>,
    witness: Option<Witness>,
    /// From the first fault of a Redis node on.
    roles: Option<Roles>,
    /// What the servers were started as.
    spec: Option<ClusterSpec>,
}

/// Where a request goes.
struct Routed {
    server: ServerId,
    /// `None` for a dead server.
    jobs: Option<mpsc::Sender<Job>>,
    session: Arc<Session>,
}

impl RealWorld {
    /// A world without servers: the scenario starts them.
    pub fn new(stores: Arc<Stores>, recorder: Arc<Recorder>) -> Self {
        let fleet = Fleet {
            servers: Vec::new(),
            ledger: Ledger::new(stores.topology(SERVERS_MAX)),
            dying: Vec::new(),
            balancer: Balancer::new(Balancing::RoundRobin, 1),
            sessions: BTreeMap::new(),
            witness: None,
            roles: None,
            spec: None,
        };
        let replicas = Arc::new(Replicas::new(Arc::clone(&recorder)));
        Self { shared: Arc::new(Shared { stores, recorder, replicas, fleet: Mutex::new(fleet) }) }
    }

    /// Ends every server and waits until its thread is gone. Stores that were paused or killed are as before then.
    pub async fn end(&self) {
        let ledger = self.fleet().ledger.clone();
        faults::mend(self.shared.stores.harness(), &ledger).await;
        let (witness, roles) = {
            let mut fleet = self.fleet();
            (fleet.witness.take(), fleet.roles.take())
        };
        if let Some(roles) = roles {
            roles.end().await;
        }
        if let Some(witness) = witness {
            witness.end().await;
        }
        let threads = {
            let mut fleet = self.fleet();
            let servers = std::mem::take(&mut fleet.servers);
            let mut threads = std::mem::take(&mut fleet.dying);
            threads.extend(servers.into_iter().flatten().map(|server| server.kill().1));
            threads
        };
        for thread in threads {
            // To wait for it on a thread of its own would need one, and there may be none.
            while !thread.is_finished() {
                tokio::time::sleep(POLL).await;
            }
            // A server that panicked has told so on standard error; its requests were answered Unknown.
            let _ = thread.join();
        }
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.shared.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, actor: Actor, note: Note, line: &'static Location<'static>) -> EventId {
        self.shared.recorder.note(actor, note.source(line))
    }

    async fn start_servers(
        &self,
        spec: ClusterSpec,
        line: &'static Location<'static>,
    ) -> Result<(), WorldError> {
        let topology = self.shared.stores.topology(spec.topology.servers);
        topology.validate().map_err(|error| WorldError::Broken(error.to_string()))?;
        self.note(Actor::Lab, Note::new(Kind::Started { topology }), line);
        let mut starting = Vec::new();
        for server in (1..=spec.topology.servers).map(ServerId) {
            let (spawned, is_ready) = Server::spawn(self.connect(server, &spec)?, spec.policy.clone())?;
            // From here on it ends with the world, even if nobody waits for its start any more.
            self.fleet().servers.push(Some(spawned));
            starting.push(server::ready(server, is_ready));
        }
        future::try_join_all(starting).await?;
        let witness = Witness::start(&self.shared.stores, Arc::clone(&self.shared.replicas)).await;
        let mut fleet = self.fleet();
        fleet.witness = Some(witness);
        fleet.balancer = Balancer::new(spec.balancing, spec.topology.servers);
        fleet.ledger.started(self.shared.stores.topology(spec.topology.servers));
        fleet.spec = Some(spec);
        Ok(())
    }

    /// What a server needs to know to connect.
    fn connect(&self, server: ServerId, spec: &ClusterSpec) -> Result<Connect, WorldError> {
        let reach = self.shared.stores.reach(faults::app_server(server));
        Ok(Connect {
            server,
            reach: reach.map_err(|error| WorldError::Broken(error.to_string()))?,
            connections: spec.connections_per_server,
            query_time: spec.query_time,
            keyspace: self.shared.stores.keyspace(),
            recorder: Arc::clone(&self.shared.recorder),
        })
    }

    /// Begins a dead server's new life, and tries again until it takes requests, or is dead again.
    async fn restart(&self, server: ServerId) -> Result<(), WorldError> {
        let spec = self.fleet().spec.clone();
        let spec = spec.ok_or_else(|| WorldError::Broken(format!("{server} was never started")))?;
        loop {
            let (spawned, is_ready) = Server::spawn(self.connect(server, &spec)?, spec.policy.clone())?;
            let is_ready = server::ready(server, is_ready).await.is_ok();
            {
                let mut fleet = self.fleet();
                let is_dead = fleet.ledger.is_dead(Actor::Server(server));
                if is_ready && !is_dead {
                    fleet.servers[server.index()] = Some(spawned);
                    return Ok(());
                }
                fleet.dying.push(spawned.kill().1);
                if is_dead {
                    return Ok(());
                }
            }
            tokio::time::sleep(START_EVERY).await;
        }
    }

    /// A Redis node that dies or stands still may lose its role.
    fn watch_roles(&self, fault: Fault) {
        if let Fault::Kill(actor) | Fault::Pause(actor) = fault
            && matches!(actor, Actor::RedisMaster(_) | Actor::RedisReplica(_))
        {
            let (stores, recorder) = (Arc::clone(&self.shared.stores), Arc::clone(&self.shared.recorder));
            self.fleet().roles.get_or_insert_with(|| Roles::start(stores, recorder));
        }
    }

    /// Lets a server stand still, or go on.
    async fn pause(&self, server: ServerId) {
        let paused = self.fleet().servers.get_mut(server.index()).and_then(Option::as_mut).map(Server::pause);
        if let Some(paused) = paused {
            let _ = paused.await;
        }
    }

    fn resume(&self, server: ServerId) {
        if let Some(server) = self.fleet().servers.get_mut(server.index()).and_then(Option::as_mut) {
            server.resume();
        }
    }

    /// Chooses the server of a request and counts it as open; fails with the server that is not there.
    fn route(&self, client: ClientId, route: Route, key: &Key) -> Result<Routed, ServerId> {
        let mut fleet = self.fleet();
        let server = match route {
            Route::To(server) => {
                if server.0 == 0 || server.index() >= fleet.servers.len() {
                    return Err(server);
                }
                fleet.balancer.opened(server);
                server
            }
            Route::Balanced => fleet.balancer.choose(key),
        };
        let jobs = fleet.servers.get(server.index()).ok_or(server)?.as_ref().map(Server::jobs);
        let session = Arc::clone(fleet.sessions.entry(client).or_default());
        Ok(Routed { server, jobs, session })
    }

    async fn ask(
        &self,
        client: ClientId,
        routed: Routed,
        request: Request,
        line: &'static Location<'static>,
    ) -> Response {
        let key = request.key().clone();
        let operation = self.shared.recorder.next_operation();
        let requested = Note::new(Kind::Requested { request: request.kind(), server: routed.server });
        let requested = requested.key(&key).operation(operation).cause(None);
        let sent = self.note(Actor::Client(client), requested, line);
        let (response, answered) = match routed.jobs {
            None => (refused(routed.server), sent),
            Some(jobs) => {
                let (reply, answer) = oneshot::channel();
                let job = Job { request, session: routed.session, operation, sent, reply };
                let answer = async {
                    jobs.send(job).await.ok()?;
                    answer.await.ok()
                };
                // A server that dies drops the request, and no answer ever comes.
                match tokio::time::timeout(deadline::ANSWER, answer).await {
                    Ok(Some(answered)) => answered,
                    Ok(None) | Err(_) => return Response::Unknown,
                }
            }
        };
        let completed = response.completed(&key).operation(operation).cause(Some(answered));
        self.shared.recorder.note(Actor::Client(client), completed);
        response
    }

    /// Kills a server, and returns when it is dead.
    async fn kill(&self, server: ServerId) {
        let dead = {
            let mut fleet = self.fleet();
            let Some(server) = fleet.servers.get_mut(server.index()).and_then(Option::take) else {
                return;
            };
            let (dead, thread) = server.kill();
            fleet.dying.push(thread);
            dead
        };
        // Nothing is ever sent: it is closed when the thread has let go of everything.
        let _ = dead.await;
    }
}

impl World for RealWorld {
    #[track_caller]
    fn start(&self, spec: ClusterSpec) -> impl Future<Output = Result<(), WorldError>> + Send {
        self.start_servers(spec, Location::caller())
    }

    #[track_caller]
    fn insert(&self, key: &Key, value: &Value) -> impl Future<Output = Result<Version, WorldError>> + Send {
        let line = Location::caller();
        async move {
            let (stores, broken) =
                (&self.shared.stores, |error: StoresError| WorldError::Broken(error.to_string()));
            let inserted = stores.insert(key, value).await.map_err(broken)?;
            let (verb, lsn, value) = (Verb::Update, Some(inserted.lsn), Some(value.clone()));
            let served = Kind::Served { verb, outcome: Outcome::Done, value: value.clone(), lsn };
            self.note(Actor::Primary, Note::new(served).key(key).version(inserted.version), line);
            stores.await_replicas(inserted.lsn).await.map_err(broken)?;
            let now = Held { verb, value, version: Some(inserted.version), lsn };
            for replica in stores.replica_numbers().map(Actor::Replica) {
                self.shared.replicas.saw(replica, key, now.clone(), |note| note.source(line));
            }
            Ok(inserted.version)
        }
    }

    #[track_caller]
    fn delete_shared(&self, key: &Key) -> impl Future<Output = Result<(), WorldError>> + Send {
        let line = Location::caller();
        async move {
            let deleted = self.shared.stores.delete_shared(key).await;
            let (node, replayed) = deleted.map_err(|error| WorldError::Broken(error.to_string()))?;
            let (at, other) = match node {
                RedisNode::Master(shard) => (Actor::RedisMaster(shard), Actor::RedisReplica(shard)),
                RedisNode::Replica(shard) => (Actor::RedisReplica(shard), Actor::RedisMaster(shard)),
            };
            let verb = Verb::Delete;
            let served = Kind::Served { verb, outcome: Outcome::Done, value: None, lsn: None };
            self.note(at, Note::new(served).key(key), line);
            if replayed {
                let gone = Held { verb, value: None, version: None, lsn: None };
                self.shared.replicas.saw(other, key, gone, |note| note.source(line));
            }
            Ok(())
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
            let routed = match self.route(client, route, request.key()) {
                Ok(routed) => routed,
                Err(nobody) => return refused(nobody),
            };
            let server = routed.server;
            let response = self.ask(client, routed, request, line).await;
            self.fleet().balancer.closed(server);
            response
        }
    }

    #[track_caller]
    fn inject(&self, fault: Fault) -> impl Future<Output = Result<(), WorldError>> + Send {
        let line = Location::caller();
        async move {
            self.fleet().ledger.admit(fault)?;
            self.watch_roles(fault);
            match fault {
                Fault::Kill(Actor::Server(server)) => self.kill(server).await,
                Fault::Pause(Actor::Server(server)) => self.pause(server).await,
                Fault::Resume(Actor::Server(server)) => self.resume(server),
                Fault::Skew { server, by_ms } => self.shared.recorder.clock_of(server).skew(by_ms),
                // It takes time, and may be killed meanwhile.
                Fault::Restart(Actor::Server(_)) => {}
                fault => faults::inject(self.shared.stores.harness(), fault).await?,
            }
            self.fleet().ledger.note(fault);
            self.note(Actor::Lab, Note::new(Kind::Injected { fault }), line);
            match fault {
                Fault::Restart(Actor::Server(server)) => self.restart(server).await,
                _ => Ok(()),
            }
        }
    }

    fn remedies(&self) -> Vec<Fault> {
        self.fleet().ledger.remedies()
    }

    fn now(&self) -> Instant {
        self.shared.recorder.clock().now()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    #[track_caller]
    fn phase(&self, name: &'static str) {
        self.note(Actor::Lab, Note::new(Kind::Phase { name: name.to_owned() }), Location::caller());
    }
}
