//! On servers that somebody else runs the lab is a guest. It comes only where there is room and where it can leave, says
//! that it is there, brings one schema and keys that bear its mark, and takes away what bears the mark and nothing else.
//! What it cannot take away it names.
//!
//! * `claim`: the key that keeps other labs out; `nodes`: the keys on the Redis nodes; `schema`: the tables

mod claim;
mod nodes;
mod schema;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant, SystemTime};
use std::{env, process};

use futures_util::FutureExt as _;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use redis::cluster_routing::Slot;
use tokio::sync::{Mutex, watch};

use super::error::StoresError;
use super::remains::Remains;
use super::stores::Stores;
use crate::adapters::keyspace::Keyspace;
use crate::harness::{Address, Operator, RedisEndpoint};
use claim::{Renewal, Shard};

/// How the comment on every schema of the lab begins.
const MARK: &str = "Cache Lab";

/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// The least that one try is given.
const LAST_TRY_WITHIN: Duration = Duration::from_secs(2);

/// Letters of a name in the environment that go into the claim.
const NAME_MAX: usize = 40;

/// A guest with the mark that proves what is its own.
pub(super) struct Guest {
    mark: String,
    keyspace: Keyspace,
    leave_within: Duration,
    /// Since when the guest has been leaving.
    leaving: watch::Sender<Option<Instant>>,
    /// What was brought and may still be there, with why: noted before it is brought, since the answer may be lost.
    brought: watch::Sender<Brought>,
    kept: Mutex<Kept>,
    /// Who has taken the guest's place, if it lost its claim.
    displaced: watch::Sender<Option<String>>,
}

/// What a guest has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Brought {
    claim: Option<String>,
    schema: Option<String>,
    /// The masters that may hold keys.
    keys: BTreeMap<Address, String>,
}

/// Connections from the arrival on, since there may be no others when it is time to leave.
#[derive(Default)]
struct Kept {
    primary: Option<Operator>,
    nodes: BTreeMap<Address, MultiplexedConnection>,
    renewal: Option<Renewal>,
}

impl Brought {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Guest {
    pub(super) fn new(leave_within: Duration) -> Self {
        let number = format!("{:016x}", RandomState::new().hash_one(process::id()));
        Self {
            mark: format!("{MARK}, run {number}"),
            keyspace: Keyspace::marked(&number),
            leave_within,
            leaving: watch::Sender::default(),
            brought: watch::Sender::default(),
            kept: Mutex::default(),
            displaced: watch::Sender::default(),
        }
    }

    /// How every session of the guest is called in PostgreSQL, and how the comment on its schema reads.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    pub(super) fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// Secures all that is needed to leave, says that the guest is here, and makes the schema: where Redis holds no key
    /// and PostgreSQL has no such schema.
    pub(super) async fn arrive(&self, stores: &Stores) -> Result<(), StoresError> {
        let mut kept = self.kept.lock().await;
        *kept = Kept::default();
        let Kept { primary, nodes, renewal } = &mut *kept;
        let claims = claims_master(stores)?;
        let mut connection = stores.redis(claims).await?;
        let held = claim::held_by(&mut connection).await.map_err(claiming(claims))?;
        if let Some(who) = held {
            return Err(StoresError::Occupied { who });
        }
        let primary = &*primary.insert(schema::secure(stores).await?);
        for master in stores.masters() {
            let connection = nodes::secure(stores, master, &self.keyspace).await?;
            nodes.insert(master.data.clone(), connection);
        }
        *renewal = Some(self.claim(stores, claims, &mut connection).await?);
        self.brought.send_modify(|brought| {
            let masters = stores.masters().map(|master| (master.data.clone(), unasked()));
            brought.keys.extend(masters);
        });
        schema::make(primary, &self.mark).await?;
        self.brought.send_modify(|brought| brought.schema = Some(unasked()));
        primary.commit().await.map_err(StoresError::postgres("make the lab's tables"))
    }

    /// Says that the guest is here, as long as the answer lives.
    async fn claim(
        &self,
        stores: &Stores,
        master: &RedisEndpoint,
        connection: &mut MultiplexedConnection,
    ) -> Result<Renewal, StoresError> {
        let text = format!("{}, {}", self.mark, who_and_since());
        self.brought.send_modify(|brought| brought.claim = Some(unasked()));
        if !claim::take(connection, &text).await.map_err(claiming(master))? {
            self.brought.send_modify(|brought| brought.claim = None);
            let held = claim::held_by(connection).await.map_err(claiming(master))?;
            return Err(StoresError::Occupied { who: held.unwrap_or_default() });
        }
        self.displaced.send_replace(None);
        let shard = Shard::new(stores.harness().endpoints().direct().clone(), master.node.shard());
        Ok(Renewal::start(shard, text, self.displaced.clone()))
    }

    /// Comes when another lab has taken the place of this one, whose claim's time was over.
    pub(super) async fn displaced(&self) -> StoresError {
        let mut displaced = self.displaced.subscribe();
        let who = displaced.wait_for(Option::is_some).await.ok().and_then(|who| who.clone());
        match who {
            Some(who) => StoresError::Occupied { who },
            // The sender lives as long as the guest.
            None => std::future::pending().await,
        }
    }

    /// Takes away what was brought: each server by itself, again and again until the time is over. What remains then is
    /// what [`Guest::remains`] tells.
    pub(super) async fn leave(&self, stores: &Stores) {
        if self.brought.borrow().is_nothing() {
            // A transaction that was left open goes with its connection.
            if let Some(primary) = self.kept.lock().await.primary.take() {
                primary.call_off().await;
            }
            return;
        }
        let mut kept = self.kept.lock().await;
        let Kept { primary, nodes, renewal } = &mut *kept;
        self.leaving.send_replace(Some(Instant::now()));
        let until = Instant::now() + self.leave_within;
        tokio::join!(self.drop_schema(stores, primary, until), self.clear_nodes(stores, nodes, until));
        // Until now others were kept out; where this fails it goes by itself.
        drop(renewal.take());
        self.release(stores, until).await;
        *kept = Kept::default();
        self.leaving.send_replace(None);
    }

    pub(super) fn leave_within(&self) -> Duration {
        self.leave_within
    }

    /// Comes when the guest has been leaving for so long.
    pub(super) async fn leaving_for(&self, time: Duration) {
        let mut leaving = self.leaving.subscribe();
        loop {
            let since = leaving.wait_for(Option::is_some).await.ok().and_then(|since| *since);
            // The sender lives as long as the guest.
            let Some(since) = since else { return std::future::pending().await };
            let left = leaving.wait_for(Option::is_none);
            if tokio::time::timeout(time.saturating_sub(since.elapsed()), left).await.is_err() {
                return;
            }
        }
    }

    async fn drop_schema(&self, stores: &Stores, kept: &mut Option<Operator>, until: Instant) {
        if self.brought.borrow().schema.is_none() {
            if let Some(primary) = kept.take() {
                primary.call_off().await;
            }
            return;
        }
        loop {
            let gone = guarded(schema::take_away(stores, kept, &self.mark), until).await;
            let is_over = gone.is_ok() || Instant::now() > until;
            let left = gone.unwrap_or_else(|error| Some(error.to_string()));
            self.brought.send_modify(|brought| brought.schema = left);
            if is_over {
                return;
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    async fn clear_nodes(
        &self,
        stores: &Stores,
        kept: &mut BTreeMap<Address, MultiplexedConnection>,
        until: Instant,
    ) {
        loop {
            let mut left = self.brought.borrow().keys.clone();
            nodes::clear(stores, &self.keyspace, kept, &mut left, until).await;
            let is_over = left.is_empty() || Instant::now() > until;
            self.brought.send_modify(|brought| brought.keys = left);
            if is_over {
                return;
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    async fn release(&self, stores: &Stores, until: Instant) {
        if self.brought.borrow().claim.is_none() {
            return;
        }
        let Ok(master) = claims_master(stores) else { return };
        let mut shard = Shard::new(stores.harness().endpoints().direct().clone(), master.node.shard());
        loop {
            let released = async { shard.release(&self.mark).await.map_err(claiming(master)) };
            let left = guarded(released, until).await.err().map(|error| error.to_string());
            let is_over = left.is_none() || Instant::now() > until;
            self.brought.send_modify(|brought| brought.claim = left);
            if is_over {
                return;
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    /// What may still be there now, each by its name.
    pub(super) fn remains(&self, stores: &Stores) -> Vec<Remains> {
        let Brought { claim, schema, keys } = self.brought.borrow().clone();
        let keys =
            keys.into_iter().map(|(address, why)| nodes::remains(stores, &self.keyspace, &address, why));
        let claims = claims_master(stores).ok().zip(claim);
        let claims = claims.map(|(master, why)| nodes::claim_remains(stores, master, &self.mark, why));
        let schema = schema.map(|why| schema::remains(stores, &self.mark, why));
        schema.into_iter().chain(keys).chain(claims).collect()
    }
}

/// One try, which a panic ends too (a thread that cannot be had is one), and which is not waited for much beyond the
/// end of all tries.
async fn guarded<T>(
    attempt: impl Future<Output = Result<T, StoresError>>,
    until: Instant,
) -> Result<T, StoresError> {
    let within = until.saturating_duration_since(Instant::now()).max(LAST_TRY_WITHIN);
    match tokio::time::timeout(within, AssertUnwindSafe(attempt).catch_unwind()).await {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => Err(StoresError::Panicked(super::words_of(&*panic))),
        Err(_) => Err(StoresError::Silent(within)),
    }
}

fn unasked() -> String {
    "the lab is still there".to_owned()
}

/// The master that the claim belongs to.
fn claims_master(stores: &Stores) -> Result<&RedisEndpoint, StoresError> {
    let slot = Slot::for_key(claim::KEY);
    let holds = |master: &&RedisEndpoint| {
        master.slots.iter().cloned().flatten().any(|number| Slot::new(number) == Some(slot))
    };
    let nowhere = || RedisError::from((redis::ErrorKind::Client, "no master holds its slot"));
    let found = stores.masters().find(holds);
    found.ok_or_else(nowhere).map_err(StoresError::redis(format!("claim the Redis Cluster ({})", claim::KEY)))
}

fn claiming(master: &RedisEndpoint) -> impl FnOnce(RedisError) -> StoresError {
    StoresError::redis(format!("claim the Redis Cluster at {} ({})", master.node, master.data))
}

/// For whoever finds the claim: whom to ask.
fn who_and_since() -> String {
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    let host = rustix::system::uname();
    let short = |name: &str| name.chars().take(NAME_MAX).collect::<String>();
    format!(
        "process {} of {} on {}, since {}",
        process::id(),
        short(&user),
        short(&host.nodename().to_string_lossy()),
        httpdate::fmt_http_date(SystemTime::now())
    )
}
