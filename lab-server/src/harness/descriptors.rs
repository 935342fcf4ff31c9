//! How many files the harness has open: a listener for each address of each app server, and two sockets for each
//! connection between nodes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::HarnessSpec;
use super::error::HarnessError;

/// For what is not counted here: the program's own, and the connections of a run.
const OTHERS: u64 = 128;

/// Raises what this process may open as far as it may, and answers whether that is enough.
pub(crate) fn provide(spec: &HarnessSpec) -> Result<(), HarnessError> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // What is refused is told below, or was not needed.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
    let needed = needed(spec);
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(HarnessError::OpenFiles { allowed, needed }),
        _ => Ok(()),
    }
}

fn needed(spec: &HarnessSpec) -> u64 {
    let (masters, copies) = (u64::from(spec.masters), u64::from(spec.replicas_per_master));
    let redis = masters * (1 + copies);
    let replicas = u64::from(spec.postgres_replicas);
    let addresses = u64::from(spec.servers) * (2 * redis + 1 + replicas);
    let announced = 2 * redis;
    let between_nodes = 2 * (redis * (redis - 1) + masters * copies + replicas);
    addresses + announced + between_nodes + replicas + OTHERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_harness_needs_more_than_the_usual_limit() {
        assert!(needed(&HarnessSpec::default()) < 1024);
        let largest =
            HarnessSpec { masters: 12, postgres_replicas: 8, servers: 32, ..HarnessSpec::default() };
        assert!(needed(&largest) > 1024);
    }
}
