//! A client that writes what it likes to a socket, and reads what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes as long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// A connection. Dropping it closes it.
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Connects, and says nothing.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).expect("a limit");
        Self(stream)
    }

    /// Says something; whether the other side still takes it.
    pub(crate) fn say(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).is_ok()
    }

    /// Asks for a path, keeping the connection.
    pub(crate) fn ask(&mut self, host: &str, path: &str, headers: &str) {
        assert!(self.say(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")));
    }

    /// Reads until `wanted` has come; all of it up to there. The end of the connection is told as what came before.
    pub(crate) fn read_until(&mut self, wanted: &str) -> String {
        let (mut told, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&told).into_owned();
            if !wanted.is_empty() && text.contains(wanted) {
                return text;
            }
            match self.0.read(&mut chunk) {
                Ok(0) => return text,
                Ok(count) => told.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return text,
                Err(error) => panic!("{error}, after {text:?}"),
            }
        }
    }

    /// Reads until the other side closes.
    pub(crate) fn read_all(&mut self) -> String {
        self.read_until("")
    }
}

/// One question, with its whole answer.
pub(crate) fn ask(address: SocketAddr, host: &str, path: &str, headers: &str) -> String {
    let mut socket = Socket::open(address);
    socket.ask(host, path, &format!("Connection: close\r\n{headers}"));
    socket.read_all()
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("{answer:?} is no answer"))
}

/// A header of an answer.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
