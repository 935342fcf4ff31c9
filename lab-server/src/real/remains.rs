//! What the lab could not take away from servers that somebody else runs: named, each with the command that removes it
//! and touches nothing else.

use std::fmt;

use redis::RedisConnectionInfo;
use serde::Serialize;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::harness::Address;

/// Something of the lab's that is still at somebody else's server, or may be: one that gave no answer cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remains {
    /// Where it is: the node and its address.
    pub at: String,
    /// What it is.
    pub what: String,
    /// Why it could not be taken away.
    pub why: String,
    /// The shell's command that takes it away, and touches nothing of anybody else's. No password is in it:
    /// `REDISCLI_AUTH` and `PGPASSWORD` may hold them.
    pub command: String,
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, what, why, command } = self;
        write!(f, "{what} on {at} ({why}); this takes it away, once the server answers:\n  {command}")
    }
}

/// Several, one below the other.
pub(crate) fn list(remains: &[Remains]) -> String {
    let lines: Vec<String> = remains.iter().map(Remains::to_string).collect();
    lines.join("\n")
}

/// How `redis-cli` reaches a node, and where it sends its commands when the node is no master any more.
pub(super) fn redis_cli(address: &Address, settings: &RedisConnectionInfo) -> String {
    let user = settings.username().map(|user| format!(" --user {}", quoted(user))).unwrap_or_default();
    format!("redis-cli -c -h {} -p {}{user}", quoted(&address.host), address.port)
}

/// How `psql` executes statements at a node.
pub(super) fn psql(config: &Config, statements: &str) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => Some(name.clone()),
        Some(Host::Unix(directory)) => Some(directory.display().to_string()),
        None => None,
    };
    let port = config.get_ports().first().map(u16::to_string);
    let words = [
        ("-h", host.as_deref()),
        ("-p", port.as_deref()),
        ("-U", config.get_user()),
        ("-d", config.get_dbname()),
        ("-c", Some(statements)),
    ];
    let words = words.into_iter().filter_map(|(option, word)| Some(format!(" {option} {}", quoted(word?))));
    format!("psql{}", words.collect::<String>())
}

/// A word as the shell reads it: an address may have been told by a server, and shall be no command.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._:/-".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_no_command() {
        let address = Address { host: "db'; touch /tmp/x; '".to_owned(), port: 7000 };
        let command = redis_cli(&address, &RedisConnectionInfo::default());
        assert_eq!(command, r"redis-cli -c -h 'db'\''; touch /tmp/x; '\''' -p 7000");
    }

    #[test]
    fn a_node_is_reached_as_the_lab_reached_it_without_a_word_of_its_password() {
        let config: Config = "postgresql://lab:geheim@db:5433/shop".parse().expect("an address");
        assert_eq!(psql(&config, "SELECT 1"), "psql -h db -p 5433 -U lab -d shop -c 'SELECT 1'");
        let config: Config = "host=/run/postgresql user='the lab'".parse().expect("an address");
        assert_eq!(psql(&config, "S"), "psql -h /run/postgresql -U 'the lab' -c S");
        let settings = RedisConnectionInfo::default().set_username("guest").set_password("geheim");
        let address = Address { host: "::1".to_owned(), port: 7000 };
        assert_eq!(redis_cli(&address, &settings), "redis-cli -c -h ::1 -p 7000 --user guest");
    }
}
