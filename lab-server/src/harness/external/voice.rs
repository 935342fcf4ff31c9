//! What listens at an address that did not talk like the server that was expected there. A server that refuses says why
//! before it closes, but a client that has written by then sees only a broken pipe: so this one listens first. It is
//! asked after something has failed, and its connections say nothing that a server would act on.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::endpoints::Address;

/// A connection of TCP.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// A refusal without being asked: it is sent as the connection is accepted.
const REFUSE_WITHIN: Duration = Duration::from_millis(300);
/// An answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// What is read of it at most.
const BYTES_MAX: usize = 512;
/// What is shown of it at most.
const SHOWN_MAX: usize = 160;

/// For Redis an inline command, for a web server a request.
const PING: &[u8] = b"PING / HTTP/1.0\r\n\r\n";
/// `PostgreSQL`'s question for TLS, which it answers with one letter: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// A TLS handshake record without a sense: whoever speaks TLS answers with an alert.
const HANDSHAKE: [u8; 9] = [22, 3, 1, 0, 4, 1, 0, 0, 0];

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// A Redis that refuses, with its own words.
    Refuses(String),
    Redis,
    Postgres,
    /// A web server, with its first line.
    Http(String),
    Tls,
    /// Something else that talks, with what can be read of it.
    Other(String),
    /// Nobody, or nobody who says anything.
    Silent,
}

/// Listens to what is at an address.
pub(super) async fn hear(address: &Address) -> Voice {
    let mut heard = match exchange(address, &[]).await {
        Some(said) if !said.is_empty() => said,
        Some(_) => exchange(address, PING).await.unwrap_or_default(),
        None => return Voice::Silent,
    };
    if heard.is_empty() {
        heard = exchange(address, &SSL_REQUEST).await.unwrap_or_default();
        if matches!(heard.first(), Some(b'S' | b'N' | b'E')) {
            return Voice::Postgres;
        }
    }
    if heard.is_empty() {
        heard = exchange(address, &HANDSHAKE).await.unwrap_or_default();
    }
    recognise(&heard)
}

/// What is answered to some bytes on a connection of their own; `None` where there is no connection.
async fn exchange(address: &Address, bytes: &[u8]) -> Option<Vec<u8>> {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let mut stream = timeout(CONNECT_WITHIN, connecting).await.ok()?.ok()?;
    let within = if bytes.is_empty() { REFUSE_WITHIN } else { ANSWER_WITHIN };
    let mut said = Vec::new();
    // What was read before an error, or before the time was over, was said.
    let _ = timeout(within, async {
        stream.write_all(bytes).await?;
        let mut more = [0; BYTES_MAX];
        while said.len() < BYTES_MAX && !said.contains(&b'\n') {
            match stream.read(&mut more).await? {
                0 => break,
                count => said.extend_from_slice(&more[..count]),
            }
            if said.len() <= 2 {
                // One letter may be all, and is enough.
                break;
            }
        }
        std::io::Result::Ok(())
    })
    .await;
    Some(said)
}

fn recognise(said: &[u8]) -> Voice {
    let line = said.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let readable = |bytes: &[u8]| -> String {
        let text = String::from_utf8_lossy(bytes);
        text.chars().filter(|letter| !letter.is_control()).take(SHOWN_MAX).collect()
    };
    match said {
        [] => Voice::Silent,
        [b'-', b'E' | b'N' | b'W', ..] if is_answer(line) => Voice::Redis,
        [b'-', ..] => Voice::Refuses(readable(&line[1..])),
        [b'+' | b':' | b'$' | b'*', ..] => Voice::Redis,
        [b'H', b'T', b'T', b'P', b'/', ..] => Voice::Http(readable(line)),
        [21 | 22, 3, ..] => Voice::Tls,
        _ => Voice::Other(readable(line)),
    }
}

/// What a Redis that takes connections says to our PING: that it has too many words, or that nobody is logged in.
fn is_answer(line: &[u8]) -> bool {
    line.starts_with(b"-ERR wrong number") || line.starts_with(b"-NOAUTH") || line.starts_with(b"-NOPERM")
}

impl Voice {
    /// What to say where a Redis was expected; nothing where one was found.
    pub(super) fn instead_of_redis(&self) -> Option<String> {
        match self {
            Self::Refuses(words) => Some(format!("it refuses connections: {words}{}", advice(words))),
            Self::Postgres => Some("PostgreSQL listens there: name it with --postgres".to_owned()),
            Self::Redis | Self::Silent => None,
            other => Some(format!("{other} listens there")),
        }
    }

    /// What to say where a `PostgreSQL` was expected; nothing where one was found.
    pub(super) fn instead_of_postgres(&self) -> Option<String> {
        match self {
            Self::Redis | Self::Refuses(_) => Some("Redis listens there: name it with --redis".to_owned()),
            Self::Postgres | Self::Silent => None,
            other => Some(format!("{other} listens there")),
        }
    }
}

impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(line) => write!(f, "a web server ({line:?})"),
            Self::Tls => write!(f, "something that wants TLS ({})", super::TUNNEL),
            Self::Other(words) => write!(f, "something else, which says {words:?},"),
            Self::Refuses(_) | Self::Redis => f.write_str("Redis"),
            Self::Postgres => f.write_str("PostgreSQL"),
            Self::Silent => f.write_str("nobody"),
        }
    }
}

/// What can be done about a refusal, where that is known.
fn advice(words: &str) -> &'static str {
    if words.starts_with("DENIED") {
        " (protected mode: give it a password with requirepass, or run the lab beside it)"
    } else if words.contains("max number of clients") {
        " (raise its maxclients, or end some of its clients)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_known_by_its_first_bytes() {
        let refuses = |words: &str| Voice::Refuses(words.to_owned());
        let cases: [(&[u8], Voice); 12] = [
            (b"", Voice::Silent),
            (b"-ERR max number of clients reached\r\n", refuses("ERR max number of clients reached")),
            (
                b"-DENIED Redis is running in protected mode\r\n",
                refuses("DENIED Redis is running in protected mode"),
            ),
            (b"-ERR wrong number of arguments for 'ping' command\r\n", Voice::Redis),
            (b"-NOAUTH Authentication required.\r\n", Voice::Redis),
            (b"+PONG\r\n", Voice::Redis),
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n",
                Voice::Http("HTTP/1.1 400 Bad Request".to_owned()),
            ),
            (b"\x15\x03\x01\x00\x02\x02\x46", Voice::Tls),
            (b"\x15\x03", Voice::Tls),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Voice::Other("SSH-2.0-OpenSSH_9.2".to_owned())),
            (b"\x1b[2Jhello", Voice::Other("[2Jhello".to_owned())),
            (b"\xff\xfe\n", Voice::Other("\u{fffd}\u{fffd}".to_owned())),
        ];
        for (said, voice) in cases {
            assert_eq!(recognise(said), voice, "{}", String::from_utf8_lossy(said));
        }
    }
}
