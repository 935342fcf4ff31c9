//! What a scenario may do: start a cluster, send requests, wait, break things.
//!
//! There are two worlds: the simulator ([`crate::sim::SimWorld`]) and real servers (`lab-server`). A scenario is
//! written once over this trait, and so is the vocabulary of faults: one word, two interpreters. A fault that a
//! world cannot do is a typed answer ([`WorldError::Unsupported`]), never a silent skip.
//!
//! * [`contract`]: what each fault means, as clauses that both worlds keep
//! * [`deadline`]: how long each kind of call is waited for, in both
//! * [`ledger`]: which faults are in force, and which could be

pub mod contract;
pub mod deadline;
pub mod ledger;

use std::time::Duration;

use crate::cluster::Actor;
pub use crate::cluster::{Balancing, Topology};
pub use crate::fault::{Fault, Link};
use crate::policy::Policy;
use crate::service::{Request, Response};
use crate::value::{ClientId, Instant, Key, ServerId, Value, Version};

/// The cluster that a scenario starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Its nodes. Real stores stand before the run begins: there, only the app servers are as asked for.
    pub topology: Topology,
    /// What they do.
    pub policy: Policy,
    /// How the balancer chooses a server.
    pub balancing: Balancing,
    /// Connections to the primary that each server's pool holds.
    pub connections_per_server: u32,
    /// How long the primary works on a `SELECT`.
    pub query_time: Duration,
}

impl ClusterSpec {
    /// Four servers with five connections each, three masters with a replica each, two `PostgreSQL` replicas, and quick
    /// queries.
    pub fn new(policy: Policy) -> Self {
        Self {
            topology: Topology::default(),
            policy,
            balancing: Balancing::RoundRobin,
            connections_per_server: 5,
            query_time: Duration::ZERO,
        }
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this server, as a test that names its server does.
    To(ServerId),
    /// Wherever the balancer sends it.
    Balanced,
}

/// Why a world could not do what the scenario asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// This world has no such fault.
    #[error("this world cannot do {fault:?}: {why}")]
    Unsupported {
        /// The fault that was asked for.
        fault: Fault,
        /// What is missing.
        why: String,
    },
    /// There is no such place, or nothing travels there.
    #[error("{fault:?} has no place: {what}")]
    Nowhere {
        /// The fault that was asked for.
        fault: Fault,
        /// What is not there.
        what: String,
    },
    /// The place is in a state in which the fault cannot begin: the dead do not die twice.
    #[error("{fault:?} cannot begin now: {why}")]
    NotNow {
        /// The fault that was asked for.
        fault: Fault,
        /// The state.
        why: String,
    },
    /// The world cannot run this policy.
    #[error("this world cannot run the policy: {why}")]
    Unfit {
        /// What is not possible here, and what is.
        why: String,
    },
    /// The scenario's own hand cannot do what it has to, because a fault is in its way.
    #[error("{what}: {node} does not answer")]
    OutOfReach {
        /// What was to be done.
        what: String,
        /// Who does not answer.
        node: Actor,
    },
    /// The world did not start, or broke under way.
    #[error("{0}")]
    Broken(String),
    /// The run did not come to an end.
    #[error("the run does not come to an end; at {} ms there still wait: {blocked}", at.as_millis_f64())]
    Stuck {
        /// The instant at which it was given up.
        at: Instant,
        /// The tasks that still wait.
        blocked: String,
    },
}

/// A cluster with its servers, clients and faults.
pub trait World: Clone + Send + Sync + 'static {
    /// Starts the servers, empty, and returns when all of them are subscribed to the bus.
    #[track_caller]
    fn start(&self, spec: ClusterSpec) -> impl Future<Output = Result<(), WorldError>> + Send;

    /// Puts a row into the database before the load begins, and waits until every replica has it; no cache learns of it. Where
    /// a replica does not follow this fails, although the row is there.
    #[track_caller]
    fn insert(&self, key: &Key, value: &Value) -> impl Future<Output = Result<Version, WorldError>> + Send;

    /// Deletes a key from L2, as an operator would; no server learns of it.
    #[track_caller]
    fn delete_shared(&self, key: &Key) -> impl Future<Output = Result<(), WorldError>> + Send;

    /// Sends a client's request and waits for its answer, for [`deadline::ANSWER`] at most. A request whose answer did not
    /// come is [`Response::Unknown`]; so is one whose server died meanwhile, at once. A server that is not there, or dead,
    /// refuses the connection: [`refused`].
    #[track_caller]
    fn request(
        &self,
        client: ClientId,
        route: Route,
        request: Request,
    ) -> impl Future<Output = Response> + Send;

    /// Begins a fault, or ends one, and returns when that is in force.
    #[track_caller]
    fn inject(&self, fault: Fault) -> impl Future<Output = Result<(), WorldError>> + Send;

    /// What ends every fault in force.
    fn remedies(&self) -> Vec<Fault>;

    /// Ends every fault in force. The dead stay dead.
    #[track_caller]
    fn heal_all(&self) -> impl Future<Output = Result<(), WorldError>> + Send {
        let healing: Vec<_> = self.remedies().into_iter().map(|remedy| self.inject(remedy)).collect();
        async move {
            for healed in healing {
                healed.await?;
            }
            Ok(())
        }
    }

    /// Waits until a policy has found its way again after the healing: [`deadline::quiet`].
    fn quiesce(&self, policy: &Policy) -> impl Future<Output = ()> + Send {
        self.sleep(deadline::quiet(policy))
    }

    /// The time of the run.
    fn now(&self) -> Instant;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Notes that the scenario enters a named part.
    #[track_caller]
    fn phase(&self, name: &'static str);
}

/// What a client is answered whose connection nobody takes: it was not done.
pub fn refused(server: ServerId) -> Response {
    Response::Failed(format!("{server} is not there: the connection is refused"))
}
