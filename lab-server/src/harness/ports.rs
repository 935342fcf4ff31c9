//! Free ports on loopback addresses. A port is held from the probe until its owner takes over, so that only a
//! program outside the lab can come between; that is noticed and retried by the caller.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use super::error::HarnessError;

/// How far a Redis node's cluster bus lies above its client port.
pub(crate) const BUS_OFFSET: u16 = 10_000;

/// Ports are drawn from here: the bus port too stays below 32768, where Linux begins to draw the ports of
/// outgoing connections.
const RANGE: Range<u16> = 12_000..22_000;

/// How many ports are tried before giving up.
const ATTEMPTS: usize = 500;

/// Finds a port that is free on every claimed (address, offset) at once. The listeners hold it, one for each claim
/// in the same order: dropping one frees its address for the server that will listen there.
pub(crate) fn reserve<const N: usize>(
    server: &str,
    claims: [(Ipv4Addr, u16); N],
) -> Result<(u16, [TcpListener; N]), HarnessError> {
    // A random start keeps concurrent harnesses apart.
    let start = RandomState::new().hash_one(server) as usize % RANGE.len();
    for attempt in 0..ATTEMPTS {
        let port = RANGE.start + ((start + attempt * 7) % RANGE.len()) as u16;
        if let Some(held) = hold(port, claims) {
            return Ok((port, held));
        }
    }
    Err(HarnessError::NoFreePort { server: server.to_owned(), first: RANGE.start, end: RANGE.end })
}

fn hold<const N: usize>(port: u16, claims: [(Ipv4Addr, u16); N]) -> Option<[TcpListener; N]> {
    let held: Option<Vec<TcpListener>> =
        claims.iter().map(|&(address, offset)| TcpListener::bind((address, port + offset)).ok()).collect();
    held?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_taken_at_any_claim_is_not_given_out() {
        let claims = [(Ipv4Addr::LOCALHOST, 0), (Ipv4Addr::LOCALHOST, BUS_OFFSET)];
        let (first, held) = reserve("one", claims).expect("a free port");
        assert!(RANGE.contains(&first));
        assert!(hold(first, claims).is_none());
        let (second, _held) = reserve("two", claims).expect("another free port");
        assert_ne!(first, second);
        drop(held);
        assert!(hold(first, claims).is_some());
    }
}
