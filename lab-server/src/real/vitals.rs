//! Whether servers that somebody else runs have lived through a run. Their processes cannot be watched, so each node is
//! asked before the run and after it which life it is in and which role it has there. A replica is not: nothing but the
//! witness reads from it, which tells by itself that it was lost.

use std::collections::BTreeMap;

use futures_util::future;
use redis::{InfoDict, cmd};

use super::disturbance::Disturbance;
use super::stores::Stores;
use crate::harness::{Operator, PostgresEndpoint, PostgresNode, RedisEndpoint};

/// When the postmaster was started, and the role that it has since.
const LIFE: &str = "SELECT concat(pg_postmaster_start_time(), ', replica: ', pg_is_in_recovery())";

/// What every node said of itself.
pub(super) struct Vitals(BTreeMap<String, Pulse>);

/// What a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pulse {
    /// It is in this life.
    Lives(String),
    /// It answers, but does not tell.
    Reticent,
    /// It does not answer, and why.
    Silent(String),
}

impl Vitals {
    /// Asks every node that takes writes, of servers that somebody else runs, all at once. Our own are watched all the time.
    pub(super) async fn ask(stores: &Stores) -> Self {
        if stores.harness().is_own() {
            return Self(BTreeMap::new());
        }
        let direct = stores.harness().endpoints().direct();
        let redis = stores.masters().map(async |node| (node.to_string(), pulse_of_redis(stores, node).await));
        let primaries = direct.postgres.iter().filter(|node| node.node == PostgresNode::Primary);
        let postgres = primaries.map(async |node| (node.to_string(), pulse_of_postgres(node).await));
        let (redis, postgres) = future::join(future::join_all(redis), future::join_all(postgres)).await;
        Self(redis.into_iter().chain(postgres).collect())
    }

    /// What has become of the nodes since. One that was silent before was no part of the run.
    pub(super) fn compare(self, now: &Self) -> Vec<Disturbance> {
        let changed = |(node, before): (String, Pulse)| match (before, now.0.get(&node)?) {
            (Pulse::Lives(_) | Pulse::Reticent, Pulse::Silent(why)) => {
                Some(Disturbance::Gone { node, why: why.clone() })
            }
            (Pulse::Lives(before), Pulse::Lives(now)) if before != *now => {
                Some(Disturbance::Reborn { node, before, now: now.clone() })
            }
            _ => None,
        };
        self.0.into_iter().filter_map(changed).collect()
    }
}

async fn pulse_of_redis(stores: &Stores, node: &RedisEndpoint) -> Pulse {
    let mut connection = match stores.redis(node).await {
        Ok(connection) => connection,
        Err(error) => return Pulse::Silent(error.to_string()),
    };
    match cmd("INFO").query_async::<InfoDict>(&mut connection).await {
        Ok(info) => match (info.get::<String>("run_id"), info.get::<String>("role")) {
            (Some(run), Some(role)) => Pulse::Lives(format!("run_id {run}, {role}")),
            _ => Pulse::Reticent,
        },
        // It refuses to tell, and so it lives.
        Err(error) if error.code().is_some() => Pulse::Reticent,
        Err(error) => Pulse::Silent(error.to_string()),
    }
}

async fn pulse_of_postgres(node: &PostgresEndpoint) -> Pulse {
    let asked = async { Operator::connect(&node.config).await?.query_one(LIFE, &[]).await };
    match asked.await {
        Ok(row) => Pulse::Lives(format!("started {}", row.get::<_, String>(0))),
        Err(error) if error.code().is_some() => Pulse::Reticent,
        Err(error) => Pulse::Silent(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(pulse: Pulse) -> Vitals {
        Vitals([("redis-a".to_owned(), pulse)].into())
    }

    fn lives(life: &str) -> Pulse {
        Pulse::Lives(life.to_owned())
    }

    #[test]
    fn another_life_and_none_are_told() {
        let silent = || Pulse::Silent("connection refused".to_owned());
        for (before, now, told) in [
            (lives("1"), lives("1"), None),
            (lives("1"), lives("2"), Some("was restarted")),
            (lives("1"), silent(), Some("connection refused")),
            (Pulse::Reticent, silent(), Some("connection refused")),
            (Pulse::Reticent, Pulse::Reticent, None),
            (lives("1"), Pulse::Reticent, None),
            // It was no part of the run.
            (silent(), silent(), None),
            (silent(), lives("1"), None),
        ] {
            let changed = vitals(before.clone()).compare(&vitals(now.clone()));
            let said = changed.first().map(ToString::to_string);
            let as_wanted = match (&said, told) {
                (Some(said), Some(told)) => said.contains(told) && said.contains("redis-a"),
                (None, None) => true,
                _ => false,
            };
            assert!(as_wanted, "{before:?} became {now:?}: {said:?}");
        }
    }
}
