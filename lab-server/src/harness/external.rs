//! Servers that somebody else runs, named by `--redis` and `--postgres`: finds their nodes and roles. Starts and
//! breaks nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, RedisResult, Value, cmd};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::endpoints::{Address, PostgresEndpoint, RedisEndpoint};
use super::error::HarnessError;
use super::operator::{Operator, OperatorError, describe};
use super::place::{PostgresNode, RedisNode};

/// A connection to a Redis node with its start-up, and then each answer.
const REDIS_WITHIN: Duration = Duration::from_secs(3);

/// The slots of every cluster.
const SLOTS: usize = 16384;

/// What a password does to a URL that it is a part of: where a piece of it is taken for the host, that piece would be
/// looked up and shown.
const ENCODE: &str = "in a password, @ is written %40, / %2F, a comma %2C, ? %3F, # %23 and % itself %25";

/// One line of CLUSTER SLOTS: a range, and the nodes that hold it, the master first.
type Range = (RangeInclusive<u16>, Vec<Address>);

/// Whom the URLs name. Nobody is asked yet.
pub(crate) fn redis_clients(urls: &[String]) -> Result<Vec<Client>, HarnessError> {
    urls.iter().map(|url| redis_client(url)).collect()
}

fn redis_client(url: &str) -> Result<Client, HarnessError> {
    // The URL itself is not shown: it may hold a password.
    let wrong = |why: &str| {
        HarnessError::named("--redis", format!("this is no address like redis://host:port ({why}); {ENCODE}"))
    };
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    if address.split_once(['/', '?', '#']).is_some_and(|(_, rest)| rest.contains('@')) {
        return Err(wrong("an @ comes after its host and port"));
    }
    Client::open(url).map_err(|error| wrong(&error.to_string()))
}

/// The nodes of the cluster that the first reachable node belongs to, and how to log in.
pub(crate) async fn redis(
    clients: &[Client],
) -> Result<(Vec<RedisEndpoint>, RedisConnectionInfo), HarnessError> {
    let mut failure = HarnessError::named("--redis", "it names no node");
    for client in clients {
        let node = format!("the Redis node at {}", client.get_connection_info().addr());
        match cluster_slots(client).await {
            Ok((ranges, settings)) => {
                check_covered(&node, &ranges)?;
                return Ok((redis_endpoints(ranges), settings));
            }
            Err(error) if error.to_string().contains("cluster support disabled") => {
                failure = HarnessError::named(node, "it is no part of a cluster (cluster-enabled is off)");
            }
            Err(error) if error.is_timeout() => {
                let why = format!(
                    "it did not answer within {REDIS_WITHIN:?} (does something other than Redis listen there, or \
                     has the node stopped?)"
                );
                failure = HarnessError::named(node, why);
            }
            Err(error) => failure = HarnessError::named(node, error.to_string()),
        }
    }
    Err(failure)
}

/// A cluster that is being built, or has lost a shard, would refuse some of the keys.
fn check_covered(node: &str, ranges: &[Range]) -> Result<(), HarnessError> {
    let covered: usize = ranges.iter().map(|(range, _)| range.len()).sum();
    if covered == SLOTS {
        return Ok(());
    }
    Err(HarnessError::named(node, format!("its cluster has nodes for {covered} of its {SLOTS} slots only")))
}

async fn cluster_slots(client: &Client) -> RedisResult<(Vec<Range>, RedisConnectionInfo)> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_WITHIN))
        .set_response_timeout(Some(REDIS_WITHIN));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let lines: Vec<(u16, u16, Vec<Value>)> =
        slot_lines(cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?)?;
    let info = client.get_connection_info();
    let asked = info.addr().to_string();
    let host = asked.rsplit_once(':').map_or(asked.as_str(), |(host, _)| host);
    let mut ranges = Vec::new();
    for (first, last, nodes) in lines {
        let nodes = nodes.into_iter().map(|node| address(node, host)).collect::<RedisResult<_>>()?;
        ranges.push((first..=last, nodes));
    }
    Ok((ranges, info.redis_settings().clone()))
}

fn slot_lines(lines: Vec<Vec<Value>>) -> RedisResult<Vec<(u16, u16, Vec<Value>)>> {
    let mut read = Vec::new();
    for line in lines {
        let mut words = line.into_iter();
        let (first, last) = (words.next().unwrap_or(Value::Nil), words.next().unwrap_or(Value::Nil));
        read.push((redis::from_redis_value(first)?, redis::from_redis_value(last)?, words.collect()));
    }
    Ok(read)
}

/// A node in CLUSTER SLOTS: its preferred host, port, id and more. No host means the one that was asked.
fn address(node: Value, asked: &str) -> RedisResult<Address> {
    let words: Vec<Value> = redis::from_redis_value(node)?;
    let mut words = words.into_iter();
    let host: Option<String> = redis::from_redis_value(words.next().unwrap_or(Value::Nil))?;
    let port = redis::from_redis_value(words.next().unwrap_or(Value::Nil))?;
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.to_owned());
    Ok(Address { host, port })
}

/// Shards are named in the order of their first slots. The lab shows one replica of each shard: others are left
/// out.
fn redis_endpoints(mut ranges: Vec<Range>) -> Vec<RedisEndpoint> {
    ranges.sort_by_key(|(range, _)| *range.start());
    let mut shards: BTreeMap<u16, (Vec<RangeInclusive<u16>>, Vec<Address>)> = BTreeMap::new();
    for (range, nodes) in ranges {
        match shards.values_mut().find(|(_, known)| known.first() == nodes.first()) {
            Some((slots, _)) => slots.push(range),
            None => drop(shards.insert(*range.start(), (vec![range], nodes))),
        }
    }
    let endpoint = |node, slots: &[RangeInclusive<u16>], address: &Address| RedisEndpoint {
        node,
        slots: slots.to_vec(),
        advertised: address.clone(),
        data: address.clone(),
        bus: address.clone(),
    };
    let (mut masters, mut replicas) = (Vec::new(), Vec::new());
    for (shard, (slots, nodes)) in (0..).zip(shards.values()) {
        masters.extend(nodes.first().map(|address| endpoint(RedisNode::Master(shard), slots, address)));
        replicas.extend(nodes.get(1).map(|address| endpoint(RedisNode::Replica(shard), slots, address)));
    }
    masters.append(&mut replicas);
    masters
}

/// What a PostgreSQL URL says. Nobody is asked yet.
pub(crate) fn postgres_config(url: &str) -> Result<Config, HarnessError> {
    let misread = |why: &str| HarnessError::named("--postgres", format!("{why}; {ENCODE}"));
    // The crate takes the host to begin after the first.
    if url.contains("://") && url.matches('@').count() > 1 {
        return Err(misread("it has more than one @, so that nobody can tell where its host begins"));
    }
    let whole: Config = url.parse().map_err(|error| {
        let why =
            format!("this is no address like postgresql://user@host:port/database ({})", describe(&error));
        HarnessError::named("--postgres", why)
    })?;
    if whole.get_ssl_mode() == SslMode::Require {
        return Err(HarnessError::named(
            "--postgres",
            "it wants TLS (sslmode=require), which the lab cannot do",
        ));
    }
    if whole.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if !may_be_host(name))) {
        return Err(misread("what stands where its host does is no host's name"));
    }
    Ok(whole)
}

fn may_be_host(name: &str) -> bool {
    !name.contains(['@', '/', '?', '#']) && !name.contains(char::is_whitespace)
}

/// The nodes of that PostgreSQL, the primary first.
pub(crate) async fn postgres(whole: &Config) -> Result<Vec<PostgresEndpoint>, HarnessError> {
    let (mut primaries, mut replicas) = (Vec::new(), Vec::new());
    for (index, host) in whole.get_hosts().iter().enumerate() {
        let config = single_host(whole, host, index);
        let is_replica = is_replica(&config).await.map_err(|error| {
            HarnessError::named(format!("the PostgreSQL at {}", address_of(&config)), error.to_string())
        })?;
        if is_replica {
            replicas.push(config);
        } else {
            primaries.push(config);
        }
    }
    let [primary] = <[Config; 1]>::try_from(primaries).map_err(|primaries| {
        let why = format!("one of its hosts must be a primary, and {} are", primaries.len());
        HarnessError::named("--postgres", why)
    })?;
    let replicas = (1..).map(PostgresNode::Replica).zip(replicas);
    let nodes = std::iter::once((PostgresNode::Primary, primary)).chain(replicas);
    Ok(nodes.map(|(node, config)| PostgresEndpoint { node, config }).collect())
}

async fn is_replica(config: &Config) -> Result<bool, OperatorError> {
    let operator = Operator::connect(config).await?;
    Ok(operator.query_one("SELECT pg_is_in_recovery()", &[]).await?.get(0))
}

/// Where a configuration for one host leads.
fn address_of(config: &Config) -> String {
    let port = config.get_ports().first().unwrap_or(&5432);
    match config.get_hosts().first() {
        Some(Host::Tcp(name)) => format!("{name}:{port}"),
        Some(Host::Unix(directory)) => format!("{} (port {port})", directory.display()),
        None => "nowhere".to_owned(),
    }
}

/// The same settings for one host only, so that the roles stay apart.
fn single_host(whole: &Config, host: &Host, index: usize) -> Config {
    let mut config = Config::new();
    match host {
        Host::Tcp(name) => config.host(name),
        Host::Unix(directory) => config.host_path(directory),
    };
    // One port for all hosts, or one each.
    let ports = whole.get_ports();
    if let Some(port) = ports.get(index).or_else(|| ports.first()) {
        config.port(*port);
    }
    if let Some(user) = whole.get_user() {
        config.user(user);
    }
    if let Some(password) = whole.get_password() {
        config.password(password);
    }
    if let Some(database) = whole.get_dbname() {
        config.dbname(database);
    }
    if let Some(within) = whole.get_connect_timeout() {
        config.connect_timeout(*within);
    }
    config
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::TcpListener;

    use super::*;

    /// Longer than any limit, shorter than for ever.
    const SOON: Duration = Duration::from_secs(20);

    /// Takes every connection, and never says a word.
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        (listener, address)
    }

    async fn refused<T>(asking: impl Future<Output = Result<T, HarnessError>>) -> String {
        let begun = Instant::now();
        let answer = tokio::time::timeout(SOON, asking).await;
        let answer = answer.unwrap_or_else(|_| panic!("nothing after {:?}", begun.elapsed()));
        answer.err().expect("nobody is there").to_string()
    }

    /// Each is written by somebody whose password has a character that ends a part of a URL.
    #[test]
    fn a_piece_of_a_password_is_no_host() {
        for url in [
            "postgresql://lab:ge@heim@db/lab",
            "postgresql://lab:ge@hei/m@db/lab",
            "postgresql://lab:ge@hei?m=1@db/lab",
            "postgresql://lab:ge@heim,x@db/lab",
            "postgresql://lab:x@ge%40heim/lab",
            "host='ge heim' user=lab",
        ] {
            let said = postgres_config(url).expect_err(url).to_string();
            assert!(!said.contains("ge") && !said.contains("hei"), "{url}: {said}");
            assert!(said.contains("%40"), "{url}: {said}");
        }
        for url in
            ["redis://u:12/heim@db", "redis://u:12?heim@db", "redis://u:12#heim@db", "redis://u:12,heim@db"]
        {
            let urls: Vec<_> = url.split(',').map(str::to_owned).collect();
            let said = redis_clients(&urls).expect_err(url).to_string();
            assert!(!said.contains("12") && !said.contains("heim"), "{url}: {said}");
            assert!(said.contains("%40"), "{url}: {said}");
        }
    }

    #[test]
    fn what_is_encoded_is_read() {
        let config = postgres_config("postgresql://lab:ge%40h%2F@db,[::1]:5433/lab").expect("an address");
        assert_eq!(config.get_password(), Some(b"ge@h/".as_slice()));
        assert_eq!(config.get_hosts(), [Host::Tcp("db".to_owned()), Host::Tcp("::1".to_owned())]);
        postgres_config("host=/run/postgresql user=lab").expect("a directory is a host");
        let clients = redis_clients(&["redis://u:ge%40h%2F@db:7000/0".to_owned()]).expect("an address");
        let info = clients[0].get_connection_info();
        assert_eq!(
            (info.redis_settings().password(), info.addr().to_string()),
            (Some("ge@h/"), "db:7000".to_owned())
        );
    }

    #[tokio::test]
    async fn a_silent_postgresql_is_told_and_not_waited_for() {
        let (_listener, address) = silent().await;
        let url = format!("postgresql://lab@{address}/lab?connect_timeout=1");
        let said = refused(postgres(&postgres_config(&url).expect("an address"))).await;
        assert!(said.contains(&address) && said.contains("within 6s"), "{said}");
        assert!(said.contains("something other than PostgreSQL"), "{said}");
    }

    #[tokio::test]
    async fn a_silent_redis_is_told_and_not_waited_for() {
        let (_listener, address) = silent().await;
        let clients = redis_clients(&[format!("redis://{address}")]).expect("an address");
        let said = refused(redis(&clients)).await;
        assert!(said.contains(&address) && said.contains("within 3s"), "{said}");
        assert!(said.contains("something other than Redis"), "{said}");
    }
}
