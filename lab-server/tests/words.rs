//! What the lab says of servers that somebody else runs, when they refuse or are not what they were named as: a real
//! `redis-server` of the test's own in one bad state after another, then a whole fleet with dead replicas.

mod support;

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use lab_core::scenario::{RunSpec, ScenarioId};
use lab_server::adapters::observer::Recorder;
use lab_server::harness::{Endpoints, PostgresNode, RedisNode};
use lab_server::real;
use lab_server::real::error::{RunError, StoresError};
use rustix::process::Signal;
use support::node::Node;
use support::owner::Owner;
use support::{Running, lab, told};
use tokio::net::{TcpSocket, TcpStream};

/// Long before anybody would give up.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Nobody is there.
const NO_POSTGRES: &str = "postgresql://lab@127.0.0.1:1/lab";

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
    let replica = Node::start(&[]).await;
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
    let node = Node::whole_cluster(&[]).await;
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

    for limited in ["ROLE lab", "DATABASE lab"] {
        owner.execute(&format!("ALTER {limited} CONNECTION LIMIT 10")).await;
        let said = run(&stores).await.expect_err("there is no room").to_string();
        let limit = format!("CONNECTION LIMIT 10 of the {}", limited.to_lowercase());
        for words in ["pg-primary at 127.0.", "which you named", "needs 30", &limit] {
            assert!(said.contains(words), "{words:?} is missing: {said}");
        }
        owner.execute(&format!("ALTER {limited} CONNECTION LIMIT -1")).await;
        owner.expect_clean("a run that did not begin").await;
    }
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
    assert!(said.contains("opens up to 30 connections to the primary"), "{said}");
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

/// Whoever starts it is there to read what is wrong; the first run may come hours later.
fn serve_looks_at_named_servers_when_it_starts(owner: &Owner) {
    let (redis, postgres) = owner.urls();
    let (redis_password, postgres_password) = owner.passwords();
    let wrong = |url: &str, password: &str| url.replace(password, "geheim");
    let start = |redis: &str, postgres: &str| {
        let mut command = lab();
        command.args(["serve", "--listen", "127.0.0.1:0", "--redis", redis, "--postgres", postgres]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("lab can be started"))
    };
    let cases: [(String, String, &[&str]); 4] = [
        (
            wrong(&redis, &redis_password),
            postgres.clone(),
            &["the Redis node at 127.0.", "authentication failed"],
        ),
        (
            "redis://:geheim@127.0.0.1:1".to_owned(),
            postgres.clone(),
            &["127.0.0.1:1, which you named", "refused"],
        ),
        (
            redis.clone(),
            wrong(&postgres, &postgres_password),
            &["PostgreSQL at 127.0.", "password authentication failed"],
        ),
        (redis.clone(), NO_POSTGRES.replace("lab@", "lab:geheim@"), FIT),
    ];
    for (redis, postgres, words) in cases {
        let mut serving = start(&redis, &postgres);
        let code = serving.ends_within(ENDS_WITHIN);
        assert!(code.is_some(), "it serves, with servers that it cannot use: {words:?}");
        let (mut out, mut said) = (String::new(), String::new());
        serving.0.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
        serving.0.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert_eq!((code, out.as_str()), (Some(3), ""), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing: {said}");
        }
        for secret in ["geheim", &redis_password, &postgres_password, "panicked"] {
            assert!(!said.contains(secret), "{secret} is shown: {said}");
        }
    }
    let mut serving = start(&redis, &postgres);
    serving.read_to("http://127.0.0.1:");
    serving.signal(Signal::INT);
    assert_eq!(serving.ends_within(ENDS_WITHIN), Some(0));
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
    serve_looks_at_named_servers_when_it_starts(&owner);
    a_run_without_room_does_not_begin(&owner).await;
    a_dead_replica_stops_no_run(&owner).await;
}
