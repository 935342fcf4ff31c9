//! The load balancer: which server a request goes to. It is plain arithmetic, so both worlds use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::{Key, ServerId};

/// Points that each server has on the ring of consistent hashing: enough that shares differ by some percent only.
const POINTS_PER_SERVER: u32 = 64;

/// How the load balancer chooses a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balancing {
    /// One after another.
    RoundRobin,
    /// The one with the fewest requests in progress.
    LeastConnections,
    /// By the key, so that a key always meets the same server.
    ConsistentHash,
}

/// The balancer's state.
#[derive(Clone, Debug)]
pub struct Balancer {
    balancing: Balancing,
    servers: u8,
    next: u8,
    /// Requests in progress, by server.
    open: Vec<u32>,
    /// Points of the servers on the ring.
    ring: BTreeMap<u64, ServerId>,
}

impl Balancer {
    /// A balancer before so many servers, which are numbered from 1.
    pub fn new(balancing: Balancing, servers: u8) -> Self {
        let points = |server| {
            (0..POINTS_PER_SERVER)
                .map(move |point| (hash(&format!("srv-{server}#{point}")), ServerId(server)))
        };
        Self {
            balancing,
            servers,
            next: 0,
            open: vec![0; usize::from(servers)],
            ring: (1..=servers).flat_map(points).collect(),
        }
    }

    /// Chooses a server for a request and counts it as open.
    pub fn choose(&mut self, key: &Key) -> ServerId {
        let server = match self.balancing {
            Balancing::RoundRobin => {
                self.next = self.next % self.servers + 1;
                ServerId(self.next)
            }
            Balancing::LeastConnections => self.least_open(),
            Balancing::ConsistentHash => self.on_ring(key),
        };
        self.opened(server);
        server
    }

    /// A request went to this server without being asked for: it counts all the same.
    pub fn opened(&mut self, server: ServerId) {
        self.open[server.index()] += 1;
    }

    /// A request of this server is over.
    pub fn closed(&mut self, server: ServerId) {
        self.open[server.index()] -= 1;
    }

    fn least_open(&self) -> ServerId {
        let least = self.open.iter().enumerate().min_by_key(|(_, open)| **open).map_or(0, |(index, _)| index);
        ServerId(u8::try_from(least + 1).unwrap_or(1))
    }

    fn on_ring(&self, key: &Key) -> ServerId {
        let after = self.ring.range(hash(key.as_str())..).next();
        let point = after.or_else(|| self.ring.first_key_value());
        point.map_or(ServerId(1), |(_, server)| *server)
    }
}

fn hash(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(balancer: &mut Balancer, keys: u32) -> Vec<u8> {
        (0..keys).map(|n| balancer.choose(&Key::new(format!("key:{n}"))).0).collect()
    }

    #[test]
    fn round_robin_takes_one_after_another() {
        assert_eq!(chosen(&mut Balancer::new(Balancing::RoundRobin, 3), 6), [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn least_connections_takes_the_idlest() {
        let mut balancer = Balancer::new(Balancing::LeastConnections, 3);
        assert_eq!(chosen(&mut balancer, 3), [1, 2, 3]);
        balancer.closed(ServerId(2));
        assert_eq!(chosen(&mut balancer, 1), [2]);
    }

    #[test]
    fn a_key_stays_with_its_server_when_another_joins() {
        let before = chosen(&mut Balancer::new(Balancing::ConsistentHash, 4), 1000);
        let after = chosen(&mut Balancer::new(Balancing::ConsistentHash, 5), 1000);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(moved < 350, "a fifth of the keys should move to the new server, {moved} of 1000 did");
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *after == 5));
    }
}
