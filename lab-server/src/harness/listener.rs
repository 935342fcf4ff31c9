//! Whose program listens at an address. Every local user can take a port that a server of ours has let go, or is about
//! to take, and would be told a password by whoever logs in there. So nobody connects to a server of ours before this
//! was asked.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};

use super::process::Account;

/// Connections and listeners of IPv4, one a line: number, local address, remote address, state, …, the user as the 8th.
const SOCKETS: &str = "/proc/net/tcp";

/// The state of a socket that listens.
const LISTENS: &str = "0A";

/// The user whose programs our servers are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner(u32);

impl Owner {
    /// The servers' account where we are root, else ourselves.
    pub(crate) fn of_servers(account: Option<&Account>) -> Self {
        Self(account.map_or_else(|| rustix::process::geteuid().as_raw(), |account| account.user_id))
    }

    /// Whether a program of this user listens at this very address. No two users can at a time.
    ///
    /// # Errors
    /// Nobody does, or a program of another user.
    pub(crate) fn expect(self, address: SocketAddr) -> io::Result<()> {
        match listener(BufReader::new(File::open(SOCKETS)?), address)? {
            Some(user) if user == self.0 => Ok(()),
            Some(user) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("a program of user {user} listens on {address}, and would be told our passwords"),
            )),
            None => {
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens on {address}")))
            }
        }
    }
}

/// The user of the program that listens at this address. Listeners come first, and the rest, which may be long and costs
/// the system time, is not read.
fn listener(sockets: impl BufRead, address: SocketAddr) -> io::Result<Option<u32>> {
    let IpAddr::V4(host) = address.ip() else {
        return Ok(None);
    };
    // The kernel prints the address as the number that its bytes are in memory.
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(host.octets()), address.port());
    for line in sockets.lines().skip(1) {
        let line = line?;
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next(), fields.nth(1));
        if state != Some(LISTENS) {
            break;
        }
        if local == Some(&wanted) {
            return Ok(fields.nth(3).and_then(|user| user.parse().ok()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn only_our_own_listener_is_trusted() {
        let ours = Owner::of_servers(None);
        let theirs = Owner(ours.0 + 1);
        let listener = TcpListener::bind("127.0.3.77:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        ours.expect(address).expect("it is ours");
        let refused = theirs.expect(address).expect_err("it is another's");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        // Another address with the same port is another listener's.
        let elsewhere = SocketAddr::new("127.0.3.78".parse().expect("an address"), address.port());
        let refused = ours.expect(elsewhere).expect_err("nobody is there");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(listener);
        ours.expect(address).expect_err("nobody is there any more");
    }
}
