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

/// From one port to the next that is tried: it shares no factor with the range's length, so that every port has its
/// turn.
const STRIDE: usize = 7;

/// Finds a port that is free on every claimed (address, offset) at once. The listeners hold it, one for each claim
/// in the same order: dropping one frees its address for the server that will listen there.
pub(crate) fn reserve<const N: usize>(
    server: &str,
    claims: [(Ipv4Addr, u16); N],
) -> Result<(u16, [TcpListener; N]), HarnessError> {
    // A random start keeps concurrent harnesses apart.
    let start = RandomState::new().hash_one(server) as usize % RANGE.len();
    let mut held = turns(start).filter_map(|port| Some((port, hold(port, claims)?)));
    held.next().ok_or_else(|| HarnessError::NoFreePort {
        server: server.to_owned(),
        first: RANGE.start,
        last: RANGE.end - 1,
    })
}

/// Every port of the range once, the one at `start` first.
fn turns(start: usize) -> impl Iterator<Item = u16> {
    (0..RANGE.len()).map(move |turn| RANGE.start + ((start + turn * STRIDE) % RANGE.len()) as u16)
}

fn hold<const N: usize>(port: u16, claims: [(Ipv4Addr, u16); N]) -> Option<[TcpListener; N]> {
    let held: Option<Vec<TcpListener>> =
        claims.iter().map(|&(address, offset)| TcpListener::bind((address, port + offset)).ok()).collect();
    held?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_free_port_among_ten_thousand_is_found() {
        for start in [0, 1, RANGE.len() / 2, RANGE.len() - 1] {
            let tried: Vec<u16> = turns(start).collect();
            assert_eq!(tried.len(), RANGE.len(), "no port twice");
            assert_eq!(tried.into_iter().collect::<BTreeSet<_>>(), RANGE.collect(), "every port");
        }
    }

    #[test]
    fn where_no_port_is_to_be_had_the_range_is_told() {
        // An address for documentation (RFC 5737), which no machine has.
        let nowhere = [(Ipv4Addr::new(192, 0, 2, 1), 0)];
        let refused = reserve("redis master 1", nowhere).map(drop).expect_err("nobody has that address");
        let told = refused.to_string();
        for word in ["redis master 1", "12000", "21999", "ss -ltnp"] {
            assert!(told.contains(word), "{told}, without {word}");
        }
    }

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
