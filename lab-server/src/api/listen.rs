//! Where the server listens: what the user may write, the sockets, and the addresses under which a browser finds them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::{TcpListener, lookup_host};

/// How often a free port is asked for that every address has.
const TRIES: u8 = 16;

/// Addresses of this machine that are printed; one with many (containers) has more than anybody reads.
const LINKS_MAX: usize = 8;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// `localhost`, which browsers look for at 127.0.0.1 and at `::1`.
    Loopback,
    Address(IpAddr),
    Name(String),
}

/// Sockets that listen, all on one port.
pub struct Listening {
    /// The sockets.
    pub listeners: Vec<TcpListener>,
    /// Their port.
    pub port: u16,
    /// Whether nobody but this machine's users can reach them.
    pub is_loopback: bool,
    /// What a browser finds them under: `host:port`.
    pub names: Vec<String>,
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address}: {source} ({advice})")]
pub struct ListenError {
    address: String,
    advice: &'static str,
    source: io::Error,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = port.parse().map_err(|_| {
            format!("{port:?} is no port: write PORT, ADDRESS:PORT or NAME:PORT, as in 8787, 0.0.0.0:8787, localhost:8787")
        })?;
        Ok(Self { host: host.parse()?, port })
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            let address =
                address.ok_or_else(|| format!("{text} is no IPv6 address in brackets, as in [::1]"))?;
            return Ok(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        if text.is_empty() || text.eq_ignore_ascii_case("localhost") {
            return Ok(Self::Loopback);
        }
        let is_name =
            text.chars().all(|character| character.is_ascii_alphanumeric() || "-._".contains(character));
        match (is_name, text) {
            // Nothing but digits and dots is a mistyped address, which a resolver may take for another one.
            (true, name) if !name.chars().all(|character| character.is_ascii_digit() || character == '.') => {
                Ok(Self::Name(name.to_owned()))
            }
            (_, "*") => Err("for every address of this machine, write 0.0.0.0:PORT or [::]:PORT".to_owned()),
            (_, text) if text.contains(':') => {
                Err(format!("{text} is no name: an IPv6 address stands in brackets, as in [::1]:8787"))
            }
            (_, text) => Err(format!("{text:?} is neither an address nor a name")),
        }
    }
}

impl Listen {
    /// Opens the sockets.
    ///
    /// # Errors
    /// When the port or the address cannot be had; says what to do.
    pub async fn bind(&self) -> Result<Listening, ListenError> {
        let addresses = self.addresses().await.map_err(|error| self.error(error))?;
        let mut tries = 0;
        let listeners = loop {
            tries += 1;
            match bind_all(&addresses, self.port).await {
                Ok(listeners) => break listeners,
                // The system's choice is free at the first address and need not be at the second.
                Err(error) if self.port == 0 && is_taken(&error) && tries < TRIES => {}
                Err(error) => return Err(self.error(error)),
            }
        };
        let bound = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>();
        let bound = bound.map_err(|error| self.error(error))?;
        let port = bound.first().map_or(self.port, SocketAddr::port);
        let hosts = match &self.host {
            Host::Loopback => vec!["localhost".to_owned()],
            Host::Name(name) => vec![name.clone()],
            Host::Address(address) if address.is_unspecified() => own_addresses(*address),
            Host::Address(address) => vec![written(*address)],
        };
        Ok(Listening {
            listeners,
            port,
            is_loopback: bound.iter().all(|address| address.ip().to_canonical().is_loopback()),
            names: hosts.iter().map(|host| format!("{host}:{port}")).collect(),
        })
    }

    async fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        match &self.host {
            Host::Loopback => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            // Most systems take IPv4 there as well; where they do not, it gets a socket of its own.
            Host::Address(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => {
                Ok(vec![Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()])
            }
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name) => {
                let mut found: Vec<_> =
                    lookup_host((name.as_str(), 0)).await?.map(|found| found.ip()).collect();
                found.sort_unstable();
                found.dedup();
                Ok(found)
            }
        }
    }

    fn error(&self, source: io::Error) -> ListenError {
        let address = match &self.host {
            Host::Loopback => format!("localhost:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
            Host::Address(address) => format!("{}:{}", written(*address), self.port),
        };
        let advice = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program does, perhaps another `lab serve`: end it, or take another port with --listen"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 are root's: take another with --listen",
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address: give --listen one that it has"
            }
            _ => "give --listen another address",
        };
        ListenError { address, advice, source }
    }
}

/// A socket for each address, on one port. Of several, those that this machine does not have are left out.
async fn bind_all(addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut missing = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let port = match listeners.first() {
            Some(first) => first.local_addr()?.port(),
            None => port,
        };
        match TcpListener::bind((*address, port)).await {
            Ok(listener) => listeners.push(listener),
            // The one for IPv6 has it already.
            Err(error) if is_taken(&error) && address.is_unspecified() && !listeners.is_empty() => {}
            Err(error) if is_missing(&error) => missing = error,
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() { Err(missing) } else { Ok(listeners) }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Whether the machine has no such address, or no such kind of address.
fn is_missing(error: &io::Error) -> bool {
    let no_such_family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(no_such_family)
}

/// The addresses by which others reach a socket that listens on all of them, and at last this machine itself.
fn own_addresses(unspecified: IpAddr) -> Vec<String> {
    // Where the system does not tell, loopback is left, which is always there.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let mut addresses: Vec<_> = addresses.filter(|address| is_reachable(*address, unspecified)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(LINKS_MAX);
    addresses.push(Ipv4Addr::LOCALHOST.into());
    addresses.into_iter().map(written).collect()
}

/// Whether a link can name this address: one that is only good together with an interface cannot be written there.
fn is_reachable(address: IpAddr, unspecified: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => {
            unspecified.is_ipv6() && !address.is_loopback() && !address.is_unicast_link_local()
        }
    }
}

/// An address as it stands in a URL.
fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        let v6 = |text: &str| Host::Address(IpAddr::V6(text.parse().expect("an address")));
        for (text, host, port) in [
            ("8787", Host::Loopback, 8787),
            (":8787", Host::Loopback, 8787),
            ("LocalHost:0", Host::Loopback, 0),
            ("0.0.0.0:8787", Host::Address(Ipv4Addr::UNSPECIFIED.into()), 8787),
            ("127.0.0.1:1", Host::Address(Ipv4Addr::LOCALHOST.into()), 1),
            ("[::1]:8787", v6("::1"), 8787),
            ("[::]:8787", v6("::"), 8787),
            ("lab-1.example:80", Host::Name("lab-1.example".to_owned()), 80),
        ] {
            assert_eq!(text.parse(), Ok(Listen { host, port }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_says_how_to_write_it() {
        for (text, hint) in [
            ("", "PORT"),
            ("nowhere", "ADDRESS:PORT"),
            ("0.0.0.0", "ADDRESS:PORT"),
            ("127.0.0.1:65536", "no port"),
            ("::1:8787", "[::1]:8787"),
            ("[127.0.0.1]:8787", "[::1]"),
            ("1.2.3:8787", "neither"),
            ("*:8787", "0.0.0.0:PORT"),
            ("http://127.0.0.1:8787", "brackets"),
            ("a b:8787", "neither"),
        ] {
            let refused = text.parse::<Listen>().expect_err(text);
            assert!(refused.contains(hint), "{text:?} is answered {refused:?}, without {hint:?}");
        }
    }
}
