//! The harness on real servers: it starts, carries data, and breaks the link that it is told to break and no
//! other. One harness at a time.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lab_server::harness::{
    AppServer, Endpoints, Harness, HarnessError, HarnessSpec, Link, PostgresNode, Reach, RedisNode, Way,
};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncCommands, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// Two sets of servers at a time would make a small machine miss deadlines.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One key on each of three masters, in slots 3300, 7365 and 15495.
const KEYS: [&str; 3] = ["b", "c", "a"];

fn first_master() -> RedisNode {
    RedisNode::Master(0)
}

async fn cluster(reach: &Reach) -> ClusterConnection {
    let client = ClusterClientBuilder::new(reach.redis_nodes().expect("addresses"))
        .node_address_map(reach.redis_address_map())
        .connection_timeout(Duration::from_secs(2))
        .response_timeout(Duration::from_secs(2))
        .build()
        .expect("a cluster client");
    timeout(LIMIT, client.get_async_connection()).await.expect("in time").expect("a connection")
}

async fn subscriber(reach: &Reach, node: RedisNode, channel: &str) -> PubSub {
    let endpoint = reach.redis.iter().find(|endpoint| endpoint.node == node).expect("the node");
    let client = Client::open(reach.redis_connection(&endpoint.bus).expect("an address")).expect("a client");
    let mut subscriber = client.get_async_pubsub().await.expect("a subscriber");
    subscriber.subscribe(channel).await.expect("subscribed");
    subscriber
}

async fn observer(harness: &Harness, node: RedisNode) -> MultiplexedConnection {
    harness.redis(node).expect("the node").connect().await.expect("a connection")
}

/// Polls until `probe` has an answer.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(begun.elapsed() < LIMIT, "not seen within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn starts_in_ten_seconds_and_carries_data_through_every_link() {
    let _turn = TURN.lock().await;
    let begun = Instant::now();
    let harness = Harness::start(HarnessSpec::default()).await.expect("the servers start");
    let took = begun.elapsed();
    println!("ready after {took:?}");
    assert!(took < Duration::from_secs(10), "ready after {took:?}");
    for server in (1..=4).map(AppServer) {
        let reach = harness.endpoints().server(server).expect("an app server");
        redis_answers_on_every_shard(reach).await;
        replicas_stream_a_row(reach, i32::from(server.0)).await;
    }
    let unknown = harness.endpoints().server(AppServer(5));
    assert!(matches!(unknown, Err(HarnessError::UnknownPlace(_))));
    servers_of_somebody_else_are_used_and_not_broken(&harness).await;
    let begun = Instant::now();
    drop(harness);
    println!("ended within {:?}", begun.elapsed());
}

async fn redis_answers_on_every_shard(reach: &Reach) {
    let mut cluster = cluster(reach).await;
    let mut used = Vec::new();
    for key in KEYS {
        let () = cluster.set(key, format!("{key} as set")).await.expect("SET");
        let value: String = cluster.get(key).await.expect("GET");
        assert_eq!(value, format!("{key} as set"));
        let slot: u16 =
            redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut cluster).await.expect("a slot");
        used.push(reach.redis.iter().position(|node| node.slots.iter().any(|slots| slots.contains(&slot))));
    }
    assert_eq!(used, [Some(0), Some(1), Some(2)]);
}

async fn replicas_stream_a_row(reach: &Reach, number: i32) {
    let primary = postgres(reach, PostgresNode::Primary).await;
    primary.batch_execute("CREATE TABLE IF NOT EXISTS item (number int PRIMARY KEY)").await.expect("a table");
    primary.execute("INSERT INTO item VALUES ($1)", &[&number]).await.expect("a row");
    for replica in [PostgresNode::Replica(1), PostgresNode::Replica(2)] {
        let replica = &postgres(reach, replica).await;
        eventually("the row on the replica", || async move {
            replica.query_opt("SELECT 1 FROM item WHERE number = $1", &[&number]).await.ok().flatten()
        })
        .await;
    }
}

async fn postgres(reach: &Reach, node: PostgresNode) -> tokio_postgres::Client {
    let endpoint = reach.postgres.iter().find(|endpoint| endpoint.node == node).expect("the node");
    let (client, connection) = endpoint.config.connect(tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn servers_of_somebody_else_are_used_and_not_broken(harness: &Harness) {
    let direct = harness.endpoints().direct();
    let redis_password = direct.redis_settings.password().expect("a drawn password");
    let node = format!("redis://:{redis_password}@{}", direct.redis[4].advertised);
    let redis = vec![format!("redis://:{redis_password}@127.0.0.1:1"), node];
    let address = |index: usize| harness.postgres_servers().expect("our own")[index].listens();
    let hosts = |list: [SocketAddr; 3]| list.map(|address| address.ip().to_string()).join(",");
    let ports = |list: [SocketAddr; 3]| list.map(|address| address.port().to_string()).join(",");
    // A replica first: roles are asked for, not taken from the order.
    let all = [address(2), address(0), address(1)];
    let password = direct.postgres[0].config.get_password().expect("a drawn password");
    let password = String::from_utf8_lossy(password);
    let login = format!("user=lab password={password} dbname=lab");
    let postgres = format!("host={} port={} {login}", hosts(all), ports(all));
    let theirs = Harness::connect_to(&redis, &postgres).await.expect("running servers");
    let names = |endpoints: &Endpoints| {
        let reach = endpoints.direct();
        let redis = reach.redis.iter().map(|node| (node.node, node.slots.clone(), node.advertised.clone()));
        (redis.collect::<Vec<_>>(), reach.postgres.iter().map(|node| node.node).collect::<Vec<_>>())
    };
    assert_eq!(names(theirs.endpoints()), names(harness.endpoints()));
    redis_answers_on_every_shard(theirs.endpoints().server(AppServer(9)).expect("any app server")).await;
    replicas_stream_a_row(theirs.endpoints().direct(), 100).await;
    assert!(matches!(theirs.links(), Err(HarnessError::External { .. })));
    assert!(matches!(theirs.redis(first_master()), Err(HarnessError::External { .. })));
}

#[tokio::test]
async fn a_fault_strikes_its_link_and_no_other() {
    let _turn = TURN.lock().await;
    let spec =
        HarnessSpec { replicas_per_master: 0, postgres_replicas: 0, servers: 2, ..HarnessSpec::default() };
    let harness = Harness::start(spec).await.expect("the servers start");
    bus_delay_leaves_data_fast(&harness).await;
    delay_keeps_throughput(&harness).await;
    cut_holds_and_heal_releases(&harness).await;
    black_hole_swallows_and_heal_admits_new(&harness).await;
    reset_ends_connections_and_admits_new(&harness).await;
    let links = harness.links().expect("our own");
    let elsewhere = Link::Data(AppServer(3), first_master());
    assert!(matches!(links.cut(elsewhere, Way::Both), Err(HarnessError::UnknownLink(_))));
}

/// The message is published before the reads and arrives after them; the other server has it at once.
async fn bus_delay_leaves_data_fast(harness: &Harness) {
    const DELAY: Duration = Duration::from_millis(500);
    let (slow, fast) = (AppServer(1), AppServer(2));
    let reach = |server| harness.endpoints().server(server).expect("an app server");
    let links = harness.links().expect("our own");
    let mut late = subscriber(reach(slow), first_master(), "bus").await;
    let mut prompt = subscriber(reach(fast), first_master(), "bus").await;
    let mut data = cluster(reach(slow)).await;
    links.delay(Link::Bus(slow, first_master()), Way::Back, DELAY).expect("the link");

    let published = Instant::now();
    let () = observer(harness, first_master()).await.publish("bus", "gone").await.expect("PUBLISH");
    prompt.on_message().next().await.expect("a message");
    let prompt_after = published.elapsed();
    let _: Option<String> = data.get(KEYS[0]).await.expect("GET");
    let read_after = published.elapsed();
    late.on_message().next().await.expect("a message");
    let late_after = published.elapsed();
    println!("published at 0, prompt at {prompt_after:?}, GET at {read_after:?}, delayed at {late_after:?}");
    assert!(late_after >= DELAY);
    assert!(prompt_after < read_after && read_after < late_after);
    links.heal_all();
}

/// Two hundred requests in the pipeline of a link that takes 100 ms: a throttle would need 20 s.
async fn delay_keeps_throughput(harness: &Harness) {
    let (link, mut raw) = raw_link(harness).await;
    harness.links().expect("our own").delay(link, Way::Both, Duration::from_millis(50)).expect("the link");
    let begun = Instant::now();
    for _ in 0..200 {
        raw.write_all(b"PING\r\n").await.expect("written");
    }
    let mut answers = vec![0; 200 * b"+PONG\r\n".len()];
    timeout(LIMIT, raw.read_exact(&mut answers)).await.expect("in time").expect("answers");
    let took = begun.elapsed();
    assert_eq!(answers, b"+PONG\r\n".repeat(200));
    assert!(took >= Duration::from_millis(100) && took < Duration::from_secs(5), "{took:?}");
    harness.links().expect("our own").heal_all();
}

async fn cut_holds_and_heal_releases(harness: &Harness) {
    let (link, mut raw) = raw_link(harness).await;
    let links = harness.links().expect("our own");
    links.cut(link, Way::Back).expect("the link");
    raw.write_all(b"SET held yes\r\n").await.expect("written");
    let observer = &observer(harness, first_master()).await;
    eventually("the request, which is not cut", || async move {
        observer.clone().get::<_, Option<String>>("held").await.ok().flatten()
    })
    .await;
    let answer = timeout(Duration::from_millis(200), raw.read_u8()).await;
    assert!(answer.is_err(), "the answer is held: {answer:?}");
    links.heal(link).expect("the link");
    let mut answer = [0; 5];
    timeout(LIMIT, raw.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"+OK\r\n");
}

async fn black_hole_swallows_and_heal_admits_new(harness: &Harness) {
    let link = Link::Bus(AppServer(1), first_master());
    let links = harness.links().expect("our own");
    let reach = harness.endpoints().server(AppServer(1)).expect("an app server");
    let mut silent = subscriber(reach, first_master(), "swallowed").await;
    let observer = &observer(harness, first_master()).await;
    let receivers =
        || async move { observer.clone().publish::<_, _, u32>("swallowed", "x").await.expect("PUBLISH") };
    assert_eq!(receivers().await, 1);
    silent.on_message().next().await.expect("a message");

    links.black_hole(link, Way::Both).expect("the link");
    assert_eq!(receivers().await, 1, "Redis does not know either");
    let mut stream = silent.into_on_message();
    assert!(
        timeout(Duration::from_millis(200), stream.next()).await.is_err(),
        "neither a message nor an end"
    );
    links.heal(link).expect("the link");
    assert!(
        timeout(Duration::from_millis(200), stream.next()).await.is_err(),
        "an old connection stays silent"
    );
    let mut anew = subscriber(reach, first_master(), "swallowed").await;
    assert_eq!(receivers().await, 2, "the old one is still counted");
    anew.on_message().next().await.expect("a message");
}

async fn reset_ends_connections_and_admits_new(harness: &Harness) {
    let (link, mut raw) = raw_link(harness).await;
    harness.links().expect("our own").reset(link).expect("the link");
    let error = timeout(LIMIT, raw.read_u8()).await.expect("in time").expect_err("no byte comes");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    raw_link(harness).await;
}

/// A plain connection over server 1's data link, which has logged in.
async fn raw_link(harness: &Harness) -> (Link, TcpStream) {
    let reach = harness.endpoints().server(AppServer(1)).expect("an app server");
    let address = &reach.redis[0].data;
    let mut raw = TcpStream::connect((address.host.as_str(), address.port)).await.expect("connected");
    let password = reach.redis_settings.password().expect("a drawn password");
    raw.write_all(format!("AUTH {password}\r\n").as_bytes()).await.expect("written");
    let mut answer = [0; 5];
    timeout(LIMIT, raw.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"+OK\r\n");
    (Link::Data(AppServer(1), first_master()), raw)
}
