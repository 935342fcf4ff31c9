//! What a PostgreSQL URL says, word by word: each acts, or is refused by its name with what to do instead. Nobody is
//! asked yet.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::passwords::{self, Passwords, Seat};
use super::{ENCODE, TUNNEL, has_stray_percent};
use crate::harness::error::HarnessError;
use crate::harness::notices::Notices;
use crate::harness::operator::describe;

/// The port of a host that names none.
const PORT: u16 = 5432;

/// One host of the URL, with all that the URL says.
#[derive(Clone)]
pub(crate) struct NamedHost {
    pub(crate) config: Config,
    /// Where its password came from, for whoever is refused.
    pub(crate) password: passwords::From,
}

/// What is read of the URL, before it is known for which host.
#[derive(Default)]
struct Words {
    hosts: Vec<Host>,
    /// Where to connect instead of asking for the host's address.
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
    /// Whatever is the same for every host.
    common: Config,
    password_file: Option<PathBuf>,
}

/// The hosts that a URL (or a list of `word=value`) names.
pub(crate) fn hosts(
    url: &str,
    passwords: &Passwords,
    notices: &Notices,
) -> Result<Vec<NamedHost>, HarnessError> {
    // The URL itself is not shown: it may hold a password.
    let hosts = Words::read(url).and_then(|words| words.hosts(passwords, notices));
    hosts.map_err(|why| HarnessError::named("--postgres", why))
}

fn no_address(why: impl fmt::Display) -> String {
    format!("this is no address like postgresql://user@host:port/database ({why}); {ENCODE}")
}

impl Words {
    fn read(text: &str) -> Result<Self, String> {
        let url = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"));
        let mut words = Self::default();
        let pairs = match url {
            Some(url) => {
                let (place, query) = url.split_once('?').unwrap_or((url, ""));
                check_at(place, query)?;
                words.take_place(place)?;
                pairs_of_query(query)?
            }
            None if text.contains("://") => return Err(no_address("another scheme stands before ://")),
            None => pairs_of_list(text)?,
        };
        // What follows a password may be a piece of it.
        let mut named = true;
        for (word, value) in pairs {
            words.take(&word, &value).map_err(|why| match (why, named) {
                (Refused::Unknown, true) => {
                    format!("it says {word}=, which the lab does not know: leave it out")
                }
                (Refused::Unknown, false) => {
                    format!("after its password= comes a word that the lab does not know; {ENCODE}")
                }
                (Refused::Value(why), _) => format!("its {word}= {why}"),
            })?;
            named &= word != "password";
        }
        Ok(words)
    }

    /// What stands before the `?`: `user:password@host:port,host/database`.
    fn take_place(&mut self, place: &str) -> Result<(), String> {
        let parsed: Config =
            format!("postgresql://{place}").parse().map_err(|error| no_address(describe(&error)))?;
        self.hosts = parsed.get_hosts().to_vec();
        self.ports = parsed.get_ports().to_vec();
        if let Some(user) = parsed.get_user() {
            self.common.user(user);
        }
        if let Some(password) = parsed.get_password() {
            self.common.password(password);
        }
        if let Some(database) = parsed.get_dbname() {
            self.common.dbname(database);
        }
        Ok(())
    }

    /// Lets a word act.
    fn take(&mut self, word: &str, value: &str) -> Result<(), Refused> {
        match word {
            "user" => {
                self.common.user(value);
            }
            "password" => {
                self.common.password(value);
            }
            "dbname" => {
                self.common.dbname(value);
            }
            "host" => self.hosts = value.split(',').map(host).collect(),
            "hostaddr" => self.addresses = all(value, "is no list of numeric addresses")?,
            "port" => self.ports = ports(value)?,
            "passfile" => self.password_file = Some(PathBuf::from(value)),
            "options" => {
                self.common.options(value);
            }
            "connect_timeout" => {
                if let Some(within) = seconds(value)? {
                    self.common.connect_timeout(within);
                }
            }
            word if word.starts_with("keepalives") || word == "tcp_user_timeout" => self.keep(word, value)?,
            word => agreed(word, value)?,
        }
        Ok(())
    }

    /// Lets a word act on the connection's TCP.
    fn keep(&mut self, word: &str, value: &str) -> Result<(), Refused> {
        match word {
            "keepalives" => {
                self.common.keepalives(number(value)? != 0);
            }
            "keepalives_idle" => {
                if let Some(idle) = seconds(value)? {
                    self.common.keepalives_idle(idle);
                }
            }
            "keepalives_interval" => {
                if let Some(interval) = seconds(value)? {
                    self.common.keepalives_interval(interval);
                }
            }
            "keepalives_count" | "keepalives_retries" => {
                self.common.keepalives_retries(number(value)?);
            }
            // In milliseconds, as libpq's manual says; the crate's own reading takes them for seconds.
            "tcp_user_timeout" => {
                self.common.tcp_user_timeout(Duration::from_millis(number(value)?.into()));
            }
            _ => return Err(Refused::Unknown),
        }
        Ok(())
    }

    fn hosts(self, passwords: &Passwords, notices: &Notices) -> Result<Vec<NamedHost>, String> {
        let count = self.hosts.len().max(self.addresses.len());
        if count == 0 {
            return Err(
                "it names no host: write it between // and / as in postgresql://user@host/database, or a \
                        socket's directory as in postgresql://user@/database?host=/run/postgresql"
                    .to_owned(),
            );
        }
        if !self.hosts.is_empty() && !self.addresses.is_empty() && self.hosts.len() != self.addresses.len() {
            let (hosts, addresses) = (self.hosts.len(), self.addresses.len());
            return Err(format!("it has {hosts} hosts and {addresses} in hostaddr=: give each host one"));
        }
        if self.ports.len() > 1 && self.ports.len() != count {
            return Err(format!(
                "it has {count} hosts and {} ports: give one for all, or each its own",
                self.ports.len()
            ));
        }
        if self.hosts.iter().any(|host| matches!(host, Host::Tcp(name) if !may_be_host(name))) {
            return Err(format!("what stands where its host does is no host's name; {ENCODE}"));
        }
        let file = match passwords.postgres {
            None if self.common.get_password().is_none() => {
                passwords.open(self.password_file.as_deref(), notices)
            }
            _ => None,
        };
        Ok((0..count).map(|index| self.host(index, passwords, file.as_ref())).collect())
    }

    /// All that is said of one host.
    fn host(&self, index: usize, passwords: &Passwords, file: Option<&passwords::PasswordFile>) -> NamedHost {
        let mut config = self.common.clone();
        let port = self.ports.get(index).or_else(|| self.ports.first()).copied().unwrap_or(PORT);
        config.port(port);
        match (self.addresses.get(index), self.hosts.get(index)) {
            (Some(address), _) => {
                config.host(address.to_string());
            }
            (None, Some(Host::Tcp(name))) => {
                config.host(name);
            }
            (None, Some(Host::Unix(directory))) => {
                config.host_path(directory);
            }
            (None, None) => {}
        }
        let mut from = passwords::From::Url;
        if config.get_password().is_none() {
            let found = match &passwords.postgres {
                Some(password) => Some((password.clone().into_bytes(), passwords::From::Variable)),
                None => file.and_then(|file| self.look_up(file, index, port)),
            };
            from = passwords::From::Nowhere;
            if let Some((password, place)) = found {
                config.password(password);
                from = place;
            }
        }
        NamedHost { config, password: from }
    }

    fn look_up(
        &self,
        file: &passwords::PasswordFile,
        index: usize,
        port: u16,
    ) -> Option<(Vec<u8>, passwords::From)> {
        let account = whoami::username().unwrap_or_default();
        let user = self.common.get_user().unwrap_or(&account);
        let address = self.addresses.get(index).map(ToString::to_string);
        let host = match self.hosts.get(index) {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(directory)) if is_usual(directory) => "localhost".to_owned(),
            Some(Host::Unix(directory)) => directory.display().to_string(),
            None => address?,
        };
        let database = self.common.get_dbname().unwrap_or(user);
        file.password(Seat { host: &host, port, database, user })
    }
}

/// Why a word does not act.
enum Refused {
    /// The lab does not know it.
    Unknown,
    /// Not with this value.
    Value(String),
}

/// Where sockets are by default; in password files it goes by the name of localhost.
fn is_usual(directory: &Path) -> bool {
    [Path::new("/tmp"), Path::new("/run/postgresql"), Path::new("/var/run/postgresql")].contains(&directory)
}

/// Words that change nothing here with the one value, and cannot be had with any other.
fn agreed(word: &str, value: &str) -> Result<(), Refused> {
    let (allowed, instead): (&[&str], String) = match word {
        "sslmode" => (&["disable", "allow", "prefer"], TUNNEL.to_owned()),
        "sslnegotiation" => (&["postgres"], TUNNEL.to_owned()),
        "channel_binding" => (&["disable", "prefer"], format!("it needs TLS: {TUNNEL}")),
        word if word.starts_with("ssl") || word == "requiressl" => (&[], TUNNEL.to_owned()),
        "gssencmode" => (&["disable", "prefer"], TUNNEL.to_owned()),
        "target_session_attrs" => {
            (&["any"], "the lab asks every host itself whether it is the primary: leave it out".to_owned())
        }
        "load_balance_hosts" => {
            (&["disable"], "the lab connects to every host that is named: leave it out".to_owned())
        }
        "client_encoding" => (&["UTF8", "utf8", "UTF-8", "auto"], "the lab speaks UTF8".to_owned()),
        "application_name" | "fallback_application_name" => {
            (&[], "the lab names its sessions itself, to find them again: leave it out".to_owned())
        }
        "service" | "servicefile" => {
            (&[], "the lab reads no service file: write its words into the URL".to_owned())
        }
        _ => return Err(Refused::Unknown),
    };
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(Refused::Value(match allowed {
        [] => format!("cannot be had: {instead}"),
        allowed => format!("can be {} only: {instead}", allowed.join(" or ")),
    }))
}

fn host(name: &str) -> Host {
    if name.starts_with('/') { Host::Unix(PathBuf::from(name)) } else { Host::Tcp(name.to_owned()) }
}

fn may_be_host(name: &str) -> bool {
    !name.is_empty() && !name.contains(['@', '/', '?', '#']) && !name.contains(char::is_whitespace)
}

fn all<T: std::str::FromStr>(value: &str, wrong: &str) -> Result<Vec<T>, Refused> {
    let parsed: Result<_, _> = value.split(',').map(str::parse).collect();
    parsed.map_err(|_| Refused::Value(wrong.to_owned()))
}

fn ports(value: &str) -> Result<Vec<u16>, Refused> {
    let port = |text: &str| if text.is_empty() { Ok(PORT) } else { text.parse() };
    let parsed: Result<_, _> = value.split(',').map(port).collect();
    parsed.map_err(|_| Refused::Value("is no port (1 to 65535)".to_owned()))
}

fn number(value: &str) -> Result<u32, Refused> {
    value.parse().map_err(|_| Refused::Value("is no whole number".to_owned()))
}

/// Seconds; zero and less mean the default, as in libpq.
fn seconds(value: &str) -> Result<Option<Duration>, Refused> {
    let seconds: i32 =
        value.parse().map_err(|_| Refused::Value("is no whole number of seconds".to_owned()))?;
    Ok(u64::try_from(seconds).ok().filter(|&seconds| seconds > 0).map(Duration::from_secs))
}

/// One `@`, and before the host's end: anything else comes of a password with such a character, a piece of which
/// would be taken for the host, looked up and shown.
fn check_at(place: &str, query: &str) -> Result<(), String> {
    if place.matches('@').count() + query.matches('@').count() > 1 {
        return Err(format!(
            "it has more than one @, so that nobody can tell where its host begins; {ENCODE}"
        ));
    }
    let after_host = place.split_once('/').map_or("", |(_, rest)| rest);
    if after_host.contains('@') || query.contains('@') {
        return Err(no_address("an @ comes after its host and port"));
    }
    if has_stray_percent(place) || has_stray_percent(query) {
        return Err(no_address("a % stands there without two hexadecimal digits after it"));
    }
    Ok(())
}

type Pairs = Vec<(String, String)>;

/// `word=value&word=value`.
fn pairs_of_query(query: &str) -> Result<Pairs, String> {
    let decoded = |text: &str| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8();
        text.map(std::borrow::Cow::into_owned).map_err(|_| no_address("after the ? comes no UTF-8"))
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (word, value) =
            pair.split_once('=').ok_or_else(|| no_address("after the ? comes a word without a ="))?;
        Ok((decoded(word)?, decoded(value)?))
    });
    pairs.collect()
}

/// `word=value word='value'`, with `\` before what is to be taken as it stands.
fn pairs_of_list(text: &str) -> Result<Pairs, String> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, value) =
            rest.split_once('=').ok_or_else(|| no_address("a word stands there without a ="))?;
        let word = word.trim_end();
        if word.is_empty() || word.contains(char::is_whitespace) {
            return Err(no_address(
                "a word stands there without a =, or a value with a space without quotes",
            ));
        }
        let (value, after) = value_in(value.trim_start())?;
        pairs.push((word.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

fn value_in(text: &str) -> Result<(String, &str), String> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[index + 1..])),
            space if !quoted && space.is_whitespace() => return Ok((value, &text[index..])),
            character => value.push(character),
        }
    }
    if quoted { Err(no_address("a quote is not closed")) } else { Ok((value, "")) }
}
