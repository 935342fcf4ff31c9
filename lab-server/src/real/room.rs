//! How many connections a run opens at each server that somebody else runs, and whether there is room for them. That is
//! asked before anything is brought there: a run that comes to an end for want of a connection says nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use lab_core::scenario::{self, RunSpec};
use lab_core::service::{Request, Response};
use lab_core::value::{ClientId, Instant, Key, Value, Version};
use lab_core::world::{ClusterSpec, Fault, Route, World, WorldError};
use redis::cmd;
use tokio_postgres::error::SqlState;

use super::error::StoresError;
use super::stores::Stores;
use crate::harness::{PostgresEndpoint, PostgresNode, RedisEndpoint, RedisNode};

/// The lab's own beside the app servers': one for an operator, and one that is kept so that the lab can leave.
const OPERATORS: u32 = 2;
/// On a replica: one to look at what it holds, and one to wait until it follows.
const WITNESSES: u32 = 2;
/// What an app server opens at a Redis node: one for commands, and at one of them one to subscribe.
const PER_REDIS_NODE: u32 = 2;
/// The seat of an app server among those that must acknowledge has connections of its own: one to renew its lease, one to
/// ask who is live.
const SEATS: u32 = 2;

/// How many connections a run opens at once, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// At the primary.
    pub primary: u32,
    /// At each PostgreSQL replica.
    pub replica: u32,
    /// At each Redis master.
    pub master: u32,
    /// At each Redis replica.
    pub redis_replica: u32,
}

impl Need {
    /// What a run of this spec needs: its scenario's body is asked which cluster it starts. `None` where it starts none.
    pub fn of(spec: &RunSpec) -> Option<Self> {
        let world = Ask::default();
        let body = scenario::play(spec.scenario, &world, &spec.policy, &spec.settings);
        // Nothing in such a world waits. A body that panics will do so in its run too, and be told there.
        let _ = std::panic::AssertUnwindSafe(body).catch_unwind().now_or_never();
        let asked = world.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        asked.map(|cluster| Self::of_cluster(&cluster))
    }

    fn of_cluster(cluster: &ClusterSpec) -> Self {
        let servers = u32::from(cluster.topology.servers);
        Self {
            primary: servers * (cluster.connections_per_server + SEATS) + OPERATORS,
            replica: WITNESSES,
            master: servers * PER_REDIS_NODE + OPERATORS,
            redis_replica: servers + WITNESSES,
        }
    }

    /// The larger of two, at each server.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            primary: self.primary.max(other.primary),
            replica: self.replica.max(other.replica),
            master: self.master.max(other.master),
            redis_replica: self.redis_replica.max(other.redis_replica),
        }
    }
}

/// A world that only listens to which cluster a scenario wants, and starts none.
#[derive(Clone, Default)]
struct Ask(Arc<Mutex<Option<ClusterSpec>>>);

impl World for Ask {
    async fn start(&self, spec: ClusterSpec) -> Result<(), WorldError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(spec);
        Err(WorldError::Broken("it was only asked".to_owned()))
    }

    async fn insert(&self, _: &Key, _: &Value) -> Result<Version, WorldError> {
        Ok(Version(1))
    }

    async fn delete_shared(&self, _: &Key) -> Result<(), WorldError> {
        Ok(())
    }

    async fn request(&self, _: ClientId, _: Route, _: Request) -> Response {
        Response::Unknown
    }

    async fn inject(&self, _: Fault) -> Result<(), WorldError> {
        Ok(())
    }

    fn remedies(&self) -> Vec<Fault> {
        Vec::new()
    }

    fn now(&self) -> Instant {
        Instant(0)
    }

    async fn sleep(&self, _: Duration) {}

    fn phase(&self, _: &'static str) {}
}

/// How many more connections a server takes, and why no more.
struct Room {
    left: i64,
    /// The limit with its name, and what is used of it.
    limit: String,
}

/// Refuses a run that has not room for its connections at some server that somebody else runs. Where a server does not
/// tell its limits, the run is tried.
///
/// # Errors
/// The first server that has no room, with the numbers.
pub(super) async fn expect(stores: &Stores, spec: &RunSpec) -> Result<(), StoresError> {
    let Some(need) = Need::of(spec).filter(|_| !stores.harness().is_own()) else {
        return Ok(());
    };
    let direct = stores.harness().endpoints().direct();
    let postgres = direct.postgres.iter().map(async |endpoint| {
        let needs = if endpoint.node == PostgresNode::Primary { need.primary } else { need.replica };
        (endpoint.to_string(), needs, postgres_room(stores, endpoint).await)
    });
    let redis = direct.redis.iter().map(async |endpoint| {
        let is_master = matches!(endpoint.node, RedisNode::Master(_));
        let needs = if is_master { need.master } else { need.redis_replica };
        (endpoint.to_string(), needs, redis_room(stores, endpoint).await)
    });
    let (postgres, redis) = futures_util::future::join(join_all(postgres), join_all(redis)).await;
    for (server, needs, room) in postgres.into_iter().chain(redis) {
        if let Some(Room { left, limit }) = room.filter(|room| room.left < i64::from(needs)) {
            return Err(StoresError::NoRoom { server, needs, left: left.max(0), limit });
        }
    }
    Ok(())
}

/// Every limit on the connections of our role to our database, with what is used of it. A superuser is held to the
/// first only, and may use the seats that are kept for superusers.
const POSTGRES_LIMITS: &str = "
    WITH me AS (SELECT oid, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = current_user),
         here AS (SELECT oid, datconnlimit FROM pg_database WHERE datname = current_database())
    SELECT 'max_connections = ' || current_setting('max_connections')
             || CASE WHEN rolsuper THEN '' ELSE ', of which '
             || current_setting('superuser_reserved_connections') || ' are kept for superusers' END,
           current_setting('max_connections')::bigint
             - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::bigint END,
           (SELECT coalesce(sum(numbackends), 0)::bigint FROM pg_stat_database WHERE datid <> 0)
      FROM me
    UNION ALL
    SELECT 'CONNECTION LIMIT ' || rolconnlimit || ' of the role ' || current_user, rolconnlimit::bigint,
           (SELECT count(*) FROM pg_stat_activity WHERE usesysid = me.oid)
      FROM me WHERE rolconnlimit >= 0 AND NOT rolsuper
    UNION ALL
    SELECT 'CONNECTION LIMIT ' || datconnlimit || ' of the database ' || current_database(), datconnlimit::bigint,
           (SELECT numbackends::bigint FROM pg_stat_database WHERE datid = here.oid)
      FROM here, me WHERE datconnlimit >= 0 AND NOT rolsuper";

async fn postgres_room(stores: &Stores, endpoint: &PostgresEndpoint) -> Option<Room> {
    let operator = match stores.operator(endpoint).await {
        Ok(operator) => operator,
        // Not even for this look.
        Err(full) if full.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
            return Some(Room { left: 0, limit: full.to_string() });
        }
        Err(_) => return None,
    };
    let rows = operator.query(POSTGRES_LIMITS).await.ok()?;
    let rooms = rows.iter().map(|row| {
        let (limit, most, used): (&str, i64, i64) = (row.get(0), row.get(1), row.get(2));
        // This look is one of those in use, and ends before the run.
        let used = used - 1;
        Room { left: most - used, limit: format!("{limit}; {used} in use") }
    });
    rooms.min_by_key(|room| room.left)
}

async fn redis_room(stores: &Stores, endpoint: &RedisEndpoint) -> Option<Room> {
    let mut connection = stores.redis(endpoint).await.ok()?;
    let info: String = cmd("INFO").arg("clients").query_async(&mut connection).await.ok()?;
    let number = |name: &str| -> Option<i64> {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
    };
    // A cluster's nodes count their links to each other as clients; this look ends before the run.
    let most = number("maxclients")?;
    let used = number("connected_clients")? + number("cluster_connections").unwrap_or(0) - 1;
    Some(Room { left: most - used, limit: format!("maxclients = {most}; {used} in use") })
}

#[cfg(test)]
mod tests {
    use lab_core::scenario::ScenarioId;

    use super::*;

    #[test]
    fn every_scenario_tells_what_it_needs_before_it_starts() {
        for id in ScenarioId::ALL {
            for preset in id.scenario().presets {
                let spec = RunSpec::preset(id, preset.name, 1).expect("a preset");
                let need = Need::of(&spec).unwrap_or_else(|| panic!("{id} {} starts a cluster", preset.name));
                // Four servers with five connections and a seat each, and the lab's own two.
                assert_eq!(need, Need { primary: 30, replica: 2, master: 10, redis_replica: 6 });
            }
        }
    }
}
