//! What the real adapters answer when the way to a store is broken: what may have been done is `Unknown`, and a server
//! finds its way again when the fault is over, or when a replica has taken the place of its master.

use std::sync::Arc;
use std::time::{Duration, Instant as Wall};

use lab_core::ports::{
    Arrival, Audience, Body, Bus, Database, DatabaseError, Locked, Notice, Ports, ReadFrom, SharedCache,
    SharedError, Subscription,
};
use lab_core::trace::Actor;
use lab_core::value::{Entry, Instant, Key, Lookup, ServerId, Stamp, Token, Value, Version};
use lab_server::adapters::bus::CHANNEL;
use lab_server::adapters::keyspace::Keyspace;
use lab_server::adapters::observer::Recorder;
use lab_server::adapters::{Connect, RealPorts};
use lab_server::harness::{AppServer, Link, Links, PostgresNode, RedisNode, Way};
use lab_server::real::stores::Stores;

const TTL: Duration = Duration::from_mins(1);

/// A server has found its way again by then, failover and all.
const RECOVERED_WITHIN: Duration = Duration::from_secs(20);

async fn ports(stores: &Stores, server: u8) -> RealPorts {
    let reach = stores.harness().endpoints().server(AppServer(server)).expect("the harness has this server");
    let connect = Connect {
        server: ServerId(server),
        reach: reach.clone(),
        connections: 2,
        query_time: Duration::ZERO,
        keyspace: Keyspace::default(),
        recorder: Recorder::start(),
    };
    RealPorts::connect(connect).await.unwrap_or_else(|error| panic!("{error}"))
}

fn entry(version: u64) -> Entry {
    let stamp = Stamp { version: Version(version), as_of: Instant(0) };
    Entry { value: Some(Value::new("x")), stamp }
}

fn notice(number: u64) -> Notice {
    Notice { from: ServerId(1), incarnation: 1, number, body: Body::Filled { key: Key::new("k") } }
}

/// Tries until it goes well.
async fn in_the_end<T, E: std::fmt::Debug>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let until = Wall::now() + RECOVERED_WITHIN;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Wall::now() < until, "{what}: {error:?} after {RECOVERED_WITHIN:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A key, and the master that holds its slot.
fn placed(ports: &RealPorts, name: &str) -> (Key, RedisNode) {
    let key = Key::new(name);
    match ports.shared().home(&key) {
        Actor::RedisMaster(shard) => (key, RedisNode::Master(shard)),
        other => panic!("{name} is at home at {other}"),
    }
}

async fn a_lock_whose_answer_is_lost_is_unknown(ports: &RealPorts, links: &Links) {
    let (name, node) = placed(ports, "outcome:lock");
    let link = Link::Data(AppServer(1), node);
    links.cut(link, Way::Back).expect("the link is there");
    let begun = Wall::now();
    assert_eq!(ports.shared().lock(&name, Token(1), TTL).await, Err(SharedError::Unknown));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    links.heal(link).expect("the link is there");
    // It had been granted: nobody else gets it, and its owner can free it.
    let held = in_the_end("lock", async || ports.shared().lock(&name, Token(2), TTL).await).await;
    assert_eq!(held, Locked::Held);
    in_the_end("unlock", async || ports.shared().unlock(&name, Token(1)).await).await;
}

async fn a_commit_whose_answer_is_lost_is_unknown(ports: &RealPorts, links: &Links) {
    let key = Key::new("outcome:row");
    let link = Link::Sql(AppServer(1), PostgresNode::Primary);
    links.cut(link, Way::Back).expect("the link is there");
    assert_eq!(ports.database().update(&key, &Value::new("x"), None).await, Err(DatabaseError::Unknown));
    links.heal(link).expect("the link is there");
    let row = in_the_end("read", async || ports.database().read(&key, ReadFrom::Primary).await).await;
    assert_eq!((row.value, row.version), (Some(Value::new("x")), Version(1)));
}

async fn the_end_of_a_subscription_is_told(ports: &RealPorts, links: &Links) {
    let mut subscription = ports.bus().subscribe().await.expect("a subscription");
    for link in links.all().filter(|link| matches!(link, Link::Bus(AppServer(1), _))) {
        links.reset(link).expect("the link is there");
    }
    assert_eq!(subscription.next().await, Arrival::Closed);
    assert_eq!(subscription.next().await, Arrival::Closed, "it stays closed");
    let mut subscription = ports.bus().subscribe().await.expect("a new subscription");
    ports.bus().publish(Audience::All, notice(1)).await.expect("published");
    assert!(matches!(subscription.next().await, Arrival::Notice(arrived, _) if arrived == notice(1)));
}

/// Last, since the cluster is another one afterwards.
async fn a_replica_takes_over(ports: &RealPorts, stores: &Stores) {
    // The bus is at home where its channel's slot is.
    let (_, node) = placed(ports, CHANNEL);
    let key = (0..1_000).map(|number| format!("outcome:{number}")).find(|name| placed(ports, name).1 == node);
    let key = Key::new(key.expect("a key of that shard"));
    let mut subscription = ports.bus().subscribe().await.expect("a subscription");
    ports.shared().set(&key, &entry(1), TTL).await.expect("stored");

    stores.harness().redis(node).expect("the node is there").kill();
    assert_eq!(subscription.next().await, Arrival::Closed);
    in_the_end("set", async || ports.shared().set(&key, &entry(2), TTL).await).await;
    assert_eq!(ports.shared().get(&key).await, Ok(Lookup::Hit(entry(2))));

    let mut subscription = in_the_end("subscribe", async || ports.bus().subscribe().await).await;
    in_the_end("publish", async || ports.bus().publish(Audience::All, notice(2)).await).await;
    let arrived = tokio::time::timeout(RECOVERED_WITHIN, subscription.next()).await.expect("it arrives");
    assert!(matches!(arrived, Arrival::Notice(arrived, _) if arrived == notice(2)));
}

#[tokio::test]
async fn what_may_have_been_done_is_unknown() {
    let stores = Arc::new(Stores::start().await.unwrap_or_else(|error| panic!("{error}")));
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let links = stores.harness().links().expect("the servers are ours");
    let ports = ports(&stores, 1).await;
    a_lock_whose_answer_is_lost_is_unknown(&ports, links).await;
    a_commit_whose_answer_is_lost_is_unknown(&ports, links).await;
    the_end_of_a_subscription_is_told(&ports, links).await;
    a_replica_takes_over(&ports, &stores).await;
}
