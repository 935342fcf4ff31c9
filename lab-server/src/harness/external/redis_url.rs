//! What a Redis URL says, word by word: each acts, or is refused by its name with what to do instead. Nobody is asked
//! yet.

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use super::passwords::Passwords;
use super::{ENCODE, TUNNEL, has_stray_percent};
use crate::harness::endpoints::Address;
use crate::harness::error::HarnessError;

/// A node that the URLs name.
#[derive(Clone, Debug)]
pub(crate) struct NamedNode {
    pub(crate) address: Address,
    pub(crate) client: Client,
}

/// The nodes that the URLs name; all of them are logged in to in one way, as the nodes that the cluster tells will be.
pub(crate) fn nodes(urls: &[String], passwords: &Passwords) -> Result<Vec<NamedNode>, HarnessError> {
    // The URLs themselves are not shown: they may hold a password.
    let refused = |why: String| HarnessError::named("--redis", why);
    let nodes =
        urls.iter().map(|url| node(url, passwords)).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let mut logins = nodes.iter().map(|node| login(&node.client));
    if let Some(first) = logins.next()
        && logins.any(|login| login != first)
    {
        return Err(refused(
            "its URLs log in differently, and the lab logs in to every node of a cluster in one way: give each the \
             same user, password and protocol"
                .to_owned(),
        ));
    }
    Ok(nodes)
}

fn login(client: &Client) -> (Option<String>, Option<String>, bool) {
    let settings = client.get_connection_info().redis_settings();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let is_third = settings.protocol() == redis::ProtocolVersion::RESP3;
    (owned(settings.username()), owned(settings.password()), is_third)
}

fn no_address(why: &str) -> String {
    format!("this is no address like redis://host:port ({why}); {ENCODE}")
}

fn node(url: &str, passwords: &Passwords) -> Result<NamedNode, String> {
    let (scheme, place) =
        url.split_once("://").ok_or_else(|| no_address("redis:// does not stand before it"))?;
    match scheme {
        "redis" | "valkey" => {}
        "rediss" | "valkeys" => return Err(format!("{scheme}:// cannot be had: {TUNNEL}")),
        "unix" | "redis+unix" | "valkey+unix" => {
            let why = "cannot be had: the nodes of a cluster are reached by TCP, so write redis://host:port";
            return Err(format!("{scheme}:// {why}"));
        }
        _ => return Err(no_address("redis:// does not stand before it")),
    }
    if place.split_once(['/', '?', '#']).is_some_and(|(_, rest)| rest.contains('@')) {
        return Err(no_address("an @ comes after its host and port"));
    }
    if has_stray_percent(place) {
        return Err(no_address("a % stands there without two hexadecimal digits after it"));
    }
    check_rest(place)?;
    let info = format!("redis://{place}").into_connection_info();
    let info = info.map_err(|error| no_address(&error.to_string()))?;
    let ConnectionAddr::Tcp(host, port) = info.addr() else {
        return Err(no_address("it does not lead to a TCP port"));
    };
    let address = Address { host: host.clone(), port: *port };
    let settings = log_in(&info, passwords)?;
    let client = Client::open(info.set_redis_settings(settings));
    Ok(NamedNode { address, client: client.map_err(|error| no_address(&error.to_string()))? })
}

/// What comes after host and port: `/database?word=value`.
fn check_rest(place: &str) -> Result<(), String> {
    let (place, fragment) = place.split_once('#').unwrap_or((place, ""));
    if !fragment.is_empty() {
        return Err(no_address("it has a #, which only TLS would have a use for"));
    }
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let database = place.split_once('/').map_or("", |(_, path)| path.trim_matches('/'));
    if !["", "0"].contains(&database) {
        return Err(match database.parse::<u64>() {
            Ok(number) => {
                format!(
                    "its /{number} chooses a database, and a cluster has number 0 only: leave /{number} out"
                )
            }
            Err(_) => no_address("what comes after the / is no database; a cluster has number 0 only"),
        });
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (word, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (word, value) {
            ("protocol", "2" | "3" | "resp2" | "resp3") => {}
            ("protocol", _) => return Err("its protocol= can be resp2 or resp3 only".to_owned()),
            ("db", _) => {
                return Err(
                    "its db= has no use, since a cluster has database 0 only: leave it out".to_owned()
                );
            }
            ("user" | "username" | "pass" | "password", _) => {
                return Err(format!(
                    "its {word}= stands in the wrong place: write redis://user:password@host; {ENCODE}"
                ));
            }
            (word, _) if word.starts_with("ssl") || word.starts_with("tls") => {
                return Err(format!("its {word}= cannot be had: {TUNNEL}"));
            }
            (word, _) if word.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '_') => {
                return Err(format!("it says {word}=, which the lab does not know: leave it out"));
            }
            _ => return Err(no_address("the lab does not know what comes after the ?")),
        }
    }
    Ok(())
}

/// The user and the password, which may stand in the environment.
fn log_in(info: &ConnectionInfo, passwords: &Passwords) -> Result<RedisConnectionInfo, String> {
    let mut settings = info.redis_settings().clone();
    if settings.password().is_none() {
        if let Some(password) = &passwords.redis {
            settings = settings.set_password(password);
        } else if settings.username().is_some() {
            return Err(
                "it names a user without a password: write redis://user:password@host, or give the password \
                        in REDISCLI_AUTH"
                    .to_owned(),
            );
        }
    }
    Ok(settings)
}
