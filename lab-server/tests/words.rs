//! What the lab says of servers that somebody else runs, when they refuse or are not what they were named as: a real
//! `redis-server` of the test's own in one bad state after another, then a whole fleet with dead replicas.

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab_core::scenario::{RunSpec, ScenarioId};
use lab_server::adapters::observer::Recorder;
use lab_server::harness::{Endpoints, PostgresNode, RedisNode};
use lab_server::real;
use lab_server::real::error::{RunError, StoresError};
use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, RedisResult};
use support::owner::Owner;
use support::{Running, lab, told};
use tokio::net::{TcpSocket, TcpStream};

/// A start, or the death of a node as others see it.
const SOON: Duration = Duration::from_secs(20);

/// Nobody is there.
const NO_POSTGRES: &str = "postgresql://lab@127.0.0.1:1/lab";

/// A node of a Redis Cluster, of the test's own.
struct Node {
    port: u16,
    _process: Running,
    _directory: tempfile::TempDir,
    connection: MultiplexedConnection,
}

impl Node {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The bus takes the port that is 10000 higher.
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        let port = 20_000 + port % 10_000;
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "-::1",
            "--cluster-enabled",
            "yes",
        ]);
        command.args(["--save", "", "--appendonly", "no", "--cluster-node-timeout", "60000", "--dir"]);
        command.arg(directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().expect("redis-server is installed (cargo xtask setup)");
        let client = Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
        let begun = Instant::now();
        let connection = loop {
            match client.get_multiplexed_async_connection().await {
                Ok(connection) => break connection,
                Err(error) => assert!(begun.elapsed() < SOON, "redis-server does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        Self { port, _process: Running(process), _directory: directory, connection }
    }

    async fn try_ask<T: FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap_or_default());
        for word in words {
            asked.arg(word);
        }
        asked.query_async(&mut self.connection.clone()).await
    }

    async fn ask(&self, command: &str) {
        self.try_ask::<redis::Value>(command).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// Polls until its answer has these words.
    async fn until(&self, command: &str, words: &str) {
        let begun = Instant::now();
        loop {
            let answer = format!("{:?}", self.try_ask::<redis::Value>(command).await);
            if answer.contains(words) {
                return;
            }
            assert!(begun.elapsed() < SOON, "waited in vain for {words:?} in {command}: {answer}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

async fn refusal(redis: &str, postgres: &str) -> String {
    let refused = Endpoints::connect_to(&[redis.to_owned()], postgres).await;
    refused.err().unwrap_or_else(|| panic!("{redis} is taken")).to_string()
}

/// Says these words, and no password.
async fn expect(redis: &str, words: &[&str]) {
    let said = refusal(redis, NO_POSTGRES).await;
    for word in words {
        assert!(said.contains(word), "{redis}: {word:?} is missing: {said}");
    }
    assert!(!said.contains("geheim"), "{redis}: {said}");
}

/// Redis is as it should be: what is said is of PostgreSQL.
const FIT: &[&str] = &["the PostgreSQL at 127.0.0.1:1, which you named", "refused"];

async fn logging_in_is_taught(node: &Node) {
    let port = node.port;
    let login = |user: &str| format!("redis://{user}@127.0.0.1:{port}");
    node.ask("CONFIG SET requirepass geheim%").await;
    let named = format!("127.0.0.1:{port}, which you named");
    expect(&node.url(), &["NOAUTH", &named, "redis://:password@host", "REDISCLI_AUTH", "%40"]).await;
    expect(&login(":geheim-not"), &["authentication failed", &named, "%25"]).await;
    expect(&login(":geheim%"), &["%25"]).await;
    expect(&login(":geheim%25"), FIT).await;
    node.ask("ACL SETUSER reader on >geheim ~* &* +@all -cluster").await;
    expect(&login("reader:geheim"), &["NOPERM", &named, "ACL SETUSER"]).await;

    // The password comes from the environment, and shows nowhere.
    let mut command = lab();
    let arguments = ["run", "stampede-lock", "--world", "real"];
    command.args(arguments).env("LAB_REDIS", node.url()).env("LAB_POSTGRES", NO_POSTGRES);
    let output = command.env("REDISCLI_AUTH", "geheim%").output().expect("lab can be started");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = told(&output);
    assert!(FIT.iter().all(|words| said.contains(words)) && !said.contains("geheim"), "{said}");
    node.ask("CONFIG SET requirepass ").await;
}

async fn a_crowded_server_says_so(node: &Node) {
    node.ask("CONFIG SET maxclients 3").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(TcpStream::connect(("127.0.0.1", node.port)).await.expect("it listens"));
    }
    expect(&node.url(), &["max number of clients", "raise its maxclients"]).await;
    drop(others);
    node.ask("CONFIG SET maxclients 1000").await;
    node.until("INFO clients", "connected_clients:1\\r").await;
}

/// Carries connections from another address of the loopback, which is none to protected mode.
async fn from_elsewhere(to: u16) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).expect("all of 127/8 is ours");
            let mut there = socket.connect(([127, 0, 0, 1], to).into()).await.expect("it listens");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut here, &mut there).await });
        }
    });
    address
}

async fn protected_mode_says_so(node: &Node) {
    let address = from_elsewhere(node.port).await;
    let words = ["DENIED Redis is running in protected mode", "requirepass"];
    expect(&format!("redis://{address}"), &words).await;
}

async fn who_told_of_a_node_is_told(node: &Node) {
    let port = node.port;
    expect(&format!("redis://[::1]:{port}"), FIT).await;
    expect("redis://[::1]:1", &["[::1]:1, which you named"]).await;
    node.ask("CONFIG SET cluster-announce-port 1").await;
    let words = format!("redis-a at 127.0.0.1:1, as the cluster says that you named (127.0.0.1:{port})");
    expect(&node.url(), &[&words, "cluster-announce-port"]).await;
    node.ask("CONFIG SET cluster-announce-port 0").await;
    expect(&node.url(), FIT).await;
}

async fn a_dead_replica_is_left_out(node: &Node) {
    let replica = Node::start().await;
    node.ask(&format!("CLUSTER MEET 127.0.0.1 {}", replica.port)).await;
    let master: String = node.try_ask("CLUSTER MYID").await.expect("its id");
    replica.until(&format!("CLUSTER REPLICATE {master}"), "ok").await;
    node.until("CLUSTER SLOTS", &format!("int({})", replica.port)).await;
    let port = replica.port;
    drop(replica);

    // What is wrong is found before PostgreSQL is asked, so its words come with the refusal of that.
    let output = lab()
        .args(["run", "stampede-lock", "--world", "real", "--redis", &node.url(), "--postgres", NO_POSTGRES])
        .output()
        .expect("lab can be started");
    let said = told(&output);
    assert!(FIT.iter().all(|words| said.contains(words)), "{said}");
    let words = format!("redis-a-replica at 127.0.0.1:{port}, as the cluster says");
    assert!(said.contains(&words) && said.contains("left out"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_is_quoted() {
    let node = Node::start().await;
    node.ask("CLUSTER ADDSLOTSRANGE 0 16383").await;
    node.until("CLUSTER INFO", "cluster_state:ok").await;
    expect(&node.url(), FIT).await;
    logging_in_is_taught(&node).await;
    a_crowded_server_says_so(&node).await;
    protected_mode_says_so(&node).await;
    who_told_of_a_node_is_told(&node).await;
    a_dead_replica_is_left_out(&node).await;
}

async fn ports_that_were_mixed_up_are_told(owner: &Owner) {
    let (redis, postgres) = owner.urls();
    let at = |url: &str| {
        url.split(['/', '@', ',']).find(|part| part.contains("127.")).expect("an address").to_owned()
    };
    let said = refusal(&format!("redis://{}", at(&postgres)), NO_POSTGRES).await;
    assert!(said.contains("PostgreSQL listens there: name it with --postgres"), "{said}");
    let there = format!("postgresql://lab@{}/lab?connect_timeout=1", at(&redis));
    let said = refusal(&redis, &there).await;
    assert!(said.contains("Redis listens there: name it with --redis"), "{said}");
}

async fn run(stores: &std::sync::Arc<real::stores::Stores>) -> Result<lab_core::scenario::Run, RunError> {
    let spec = RunSpec::preset(ScenarioId::StampedeLock, "lock-push", 1).expect("a preset");
    real::run(stores, &spec, Recorder::start(), std::future::pending()).await
}

async fn a_run_without_room_does_not_begin(owner: &Owner) {
    let stores = owner.invite().await;
    let () = owner.ask(&["CONFIG", "SET", "maxclients", "20"]).await;
    let refused = run(&stores).await.expect_err("there is no room");
    let RunError::Stores(StoresError::NoRoom { needs, left, .. }) = &refused else { panic!("{refused}") };
    assert!(i64::from(*needs) > *left, "{refused}");
    let said = refused.to_string();
    for words in ["redis-a at 127.0.", "as the cluster says", "needs 10", "maxclients = 20"] {
        assert!(said.contains(words), "{words:?} is missing: {said}");
    }
    owner.expect_clean("a run that did not begin").await;
    let () = owner.ask(&["CONFIG", "SET", "maxclients", "10000"]).await;

    owner.execute("ALTER ROLE lab CONNECTION LIMIT 10").await;
    let said = run(&stores).await.expect_err("there is no room").to_string();
    for words in
        ["pg-primary at 127.0.", "which you named", "needs 26", "CONNECTION LIMIT 10 of the role lab"]
    {
        assert!(said.contains(words), "{words:?} is missing: {said}");
    }
    owner.execute("ALTER ROLE lab CONNECTION LIMIT -1").await;
    owner.expect_clean("a run that did not begin").await;
}

/// What stands in a command's environment.
type Variables = &'static [(&'static str, &'static str)];

/// A URL without its password.
fn without_password(url: &str) -> (String, String) {
    let (before, place) = url.split_once('@').expect("a user and a password");
    let (user, password) = before.rsplit_once(':').expect("a password");
    (
        format!("{}{place}", if user.ends_with('/') { user.to_owned() } else { format!("{user}@") }),
        password.to_owned(),
    )
}

fn passwords_come_from_the_environment(owner: &Owner) {
    let (redis, postgres) = owner.urls();
    let ((redis, redis_password), (postgres, postgres_password)) =
        (without_password(&redis), without_password(&postgres));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("passwords");
    std::fs::write(&file, format!("*:*:lab:lab:{postgres_password}\n")).expect("it can be written");
    let run = |mode: u32, variables: Variables| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode).expect("it is ours");
        let mut command = lab();
        command.args(["run", "stampede-lock", "--policy", "lock-push", "--world", "real"]);
        command.args(["--redis", &redis, "--postgres", &postgres]).env("REDISCLI_AUTH", &redis_password);
        command.env("PGPASSFILE", &file).envs(variables.iter().copied());
        let output = command.output().expect("lab can be started");
        let said = told(&output);
        assert!(!said.contains(&redis_password) && !said.contains(&postgres_password), "{said}");
        (output.status.code(), said)
    };
    let (code, said) = run(0o600, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("opens up to 26 connections to the primary"), "{said}");
    let cases: [(u32, Variables, &[&str]); 3] = [
        (0o644, &[], &["wants a password", "PGPASSWORD", "is ignored: its mode 0644", "chmod 0600"]),
        (0o600, &[("PGPASSWORD", "no")], &["password authentication failed", "that of PGPASSWORD", "%25"]),
        (
            0o600,
            &[("REDISCLI_AUTH", "no")],
            &["the Redis node at 127.0.", "authentication failed", "REDISCLI_AUTH"],
        ),
    ];
    for (mode, variables, words) in cases {
        let (code, said) = run(mode, variables);
        assert_eq!(code, Some(3), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing: {said}");
        }
    }
}

/// It dies after it was found, and another one before.
async fn a_dead_replica_stops_no_run(owner: &Owner) {
    let stores = owner.invite().await;
    let notices = stores.harness().endpoints().notices();
    assert_eq!(notices.take(), Vec::<String>::new());
    owner.harness().postgres(PostgresNode::Replica(1)).expect("it has one").kill();
    owner.harness().redis(RedisNode::Replica(0)).expect("it has one").kill();
    let done = run(&stores).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(done.report.goal_held(), "{:#?}", done.report);
    let told = notices.take().join("\n");
    for words in ["pg-replica-1 at 127.0.", "redis-a-replica at 127.0.", "is not looked at"] {
        assert!(told.contains(words), "{words:?} is missing: {told}");
    }
    owner.expect_clean("a run beside dead replicas").await;

    let stores = owner.invite().await;
    let told = stores.harness().endpoints().notices().take().join("\n");
    for words in ["PostgreSQL at 127.0.", "left out"] {
        assert!(told.contains(words), "{words:?} is missing: {told}");
    }
    assert_eq!(stores.harness().endpoints().direct().postgres.len(), 1);
    let done = run(&stores).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(done.report.goal_held(), "{:#?}", done.report);
    assert_eq!(stores.harness().endpoints().notices().take(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_with_dead_replicas_is_used() {
    let owner = Owner::start().await;
    ports_that_were_mixed_up_are_told(&owner).await;
    passwords_come_from_the_environment(&owner);
    a_run_without_room_does_not_begin(&owner).await;
    a_dead_replica_stops_no_run(&owner).await;
}
