//! Which nodes a run has, and who owns which slots: what a trace begins with, and what the page computes its layout from.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{Actor, range};
use crate::value::ServerId;

/// The nodes of a run.
///
/// # Example
/// ```
/// use lab_core::cluster::{Topology, slot};
///
/// let topology = Topology::new(4, 3, 1, 2);
/// assert_eq!(topology.shards[1].slots, [(5461, 10922)]);
/// assert_eq!(topology.shard_of(slot("product:1")), 0);
/// assert_eq!(topology.nodes().count(), 4 + 3 + 3 + 1 + 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Topology {
    /// App servers, numbered from 1.
    pub servers: u8,
    /// The shards of the Redis Cluster, in order of their letters, of which there are 26.
    pub shards: Vec<Shard>,
    /// `PostgreSQL` replicas beside the primary, numbered from 1.
    pub postgres_replicas: u8,
}

/// A shard of a Redis Cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shard {
    /// The slots that it owns: the first and the last of each range.
    pub slots: Vec<(u16, u16)>,
    /// Whether its master has a replica.
    pub replica: bool,
}

/// A topology that no run can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cluster has {least} to {most} {what}, not {asked}", least = .bounds.0, most = .bounds.1)]
pub struct TopologyError {
    what: &'static str,
    bounds: (u8, u8),
    asked: usize,
}

impl Topology {
    /// App servers that a run can have.
    pub const SERVERS: RangeInclusive<u8> = 1..=8;
    /// Redis masters that a run can have.
    pub const MASTERS: RangeInclusive<u8> = 1..=26;
    /// `PostgreSQL` replicas that a run can have.
    pub const POSTGRES_REPLICAS: RangeInclusive<u8> = 0..=8;

    /// A cluster whose masters share all slots in equal ranges, as `redis-cli --cluster create` cuts them; each master
    /// has a replica if `redis_replicas` is not 0.
    pub fn new(servers: u8, masters: u8, redis_replicas: u8, postgres_replicas: u8) -> Self {
        let shard = |shard| Shard { slots: vec![range(shard, masters)], replica: redis_replicas > 0 };
        Self { servers, shards: (0..masters).map(shard).collect(), postgres_replicas }
    }

    /// Whether a run can have it: it may come from a recording.
    ///
    /// # Errors
    /// The first bound that it breaks.
    pub fn validate(&self) -> Result<(), TopologyError> {
        let within = |what, bounds: RangeInclusive<u8>, asked: usize| {
            let fits = u8::try_from(asked).is_ok_and(|asked| bounds.contains(&asked));
            if fits {
                Ok(())
            } else {
                Err(TopologyError { what, bounds: (*bounds.start(), *bounds.end()), asked })
            }
        };
        within("app servers", Self::SERVERS, self.servers.into())?;
        within("Redis masters", Self::MASTERS, self.shards.len())?;
        within("PostgreSQL replicas", Self::POSTGRES_REPLICAS, self.postgres_replicas.into())
    }

    /// Its Redis masters.
    pub fn masters(&self) -> u8 {
        u8::try_from(self.shards.len()).unwrap_or(u8::MAX)
    }

    /// The shard that owns a slot; the first one if nobody does.
    pub fn shard_of(&self, slot: u16) -> u8 {
        let owns = |shard: &Shard| shard.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot));
        self.shards.iter().position(owns).and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
    }

    /// The slots that a Redis master owns, as ranges; none for any other node.
    pub fn slots_of(&self, node: Actor) -> &[(u16, u16)] {
        let Actor::RedisMaster(shard) = node else { return &[] };
        self.shards.get(usize::from(shard)).map_or(&[], |shard| &shard.slots)
    }

    /// Every node, in the order of the stage: app servers, Redis, `PostgreSQL`.
    pub fn nodes(&self) -> impl Iterator<Item = Actor> {
        let servers = (1..=self.servers).map(|server| Actor::Server(ServerId(server)));
        let numbered = || (0..).zip(&self.shards);
        let masters = numbered().map(|(shard, _)| Actor::RedisMaster(shard));
        let replicas =
            numbered().filter(|(_, shard)| shard.replica).map(|(shard, _)| Actor::RedisReplica(shard));
        let postgres = (1..=self.postgres_replicas).map(Actor::Replica);
        servers.chain(masters).chain(replicas).chain([Actor::Primary]).chain(postgres)
    }
}

/// Four servers before three masters with a replica each, and a primary with two replicas.
impl Default for Topology {
    fn default() -> Self {
        Self::new(4, 3, 1, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_its_shard() {
        use super::super::{SLOTS, shard_of_slot};
        for masters in Topology::MASTERS {
            let topology = Topology::new(1, masters, 0, 0);
            for slot in 0..SLOTS {
                assert_eq!(topology.shard_of(slot), shard_of_slot(slot, masters));
            }
        }
    }

    #[test]
    fn what_no_run_can_have_is_told() {
        assert_eq!(Topology::default().validate(), Ok(()));
        for (topology, told) in [
            (Topology::new(0, 3, 1, 2), "1 to 8 app servers, not 0"),
            (Topology::new(9, 3, 1, 2), "1 to 8 app servers, not 9"),
            (Topology::new(4, 0, 1, 2), "1 to 26 Redis masters, not 0"),
            (Topology::new(4, 27, 1, 2), "1 to 26 Redis masters, not 27"),
            (Topology::new(4, 3, 1, 9), "0 to 8 PostgreSQL replicas, not 9"),
        ] {
            let error = topology.validate().expect_err("it is out of bounds").to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
