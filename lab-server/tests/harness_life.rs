//! The life of the harness's children: no end of ours leaves one behind, and nodes can be killed, started again
//! and paused. One harness at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use lab_server::harness::{Harness, HarnessSpec, PostgresNode, RedisNode};
use redis::cmd;
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(20);

/// Two sets of servers at a time would make a small machine miss deadlines.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn eventually<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) {
    let begun = Instant::now();
    while !probe().await {
        assert!(begun.elapsed() < LIMIT, "not seen within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_killed_holder_leaves_no_child() {
    let _turn = TURN.lock().await;
    let mut holder = Holder::start();
    holder.wait_until_ready();
    let left = holder.kill();
    // Six Redis nodes, three postmasters, and what these have forked.
    assert!(left.len() > 9, "{left:?}");
    all_end(&left).await;
}

/// The programs that run for a moment only have children of their own, too.
#[tokio::test]
async fn a_holder_killed_while_it_starts_leaves_no_child() {
    let _turn = TURN.lock().await;
    for moment in ["initdb", "pg_basebackup"] {
        let holder = Holder::start();
        let begun = Instant::now();
        while !descendants(holder.0.id()).values().any(|name| name == moment) {
            assert!(begun.elapsed() < LIMIT, "{moment} never ran");
        }
        all_end(&holder.kill()).await;
    }
}

async fn all_end(left: &[u32]) {
    let killed = Instant::now();
    while left.iter().any(|pid| is_running(*pid)) {
        assert!(killed.elapsed() < Duration::from_secs(2), "left behind: {:?}", describe(left));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("{} processes are gone {:?} after the kill", left.len(), killed.elapsed());
}

/// Another process that holds a harness: this test program, running the test below.
struct Holder(Child);

impl Holder {
    fn start() -> Self {
        let mut program = Command::new(env::current_exe().expect("this program"));
        program.args(["--ignored", "--exact", "holds_a_harness_until_it_is_killed", "--nocapture"]);
        Self(program.stdout(Stdio::piped()).spawn().expect("another process"))
    }

    /// Waits until its servers are ready and one of its PostgreSQL nodes is paused.
    fn wait_until_ready(&mut self) {
        let output = self.0.stdout.take().expect("a pipe");
        let ready = BufReader::new(output).lines().map_while(Result::ok).any(|line| line.contains("holding"));
        assert!(ready, "the holder ended before its servers were ready");
    }

    /// Kills it, and answers with the processes that it had below it.
    fn kill(mut self) -> Vec<u32> {
        let left = descendants(self.0.id()).into_keys().collect();
        self.0.kill().expect("SIGKILL");
        left
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "runs as a process of its own, started and killed by the tests above"]
async fn holds_a_harness_until_it_is_killed() {
    let harness = Harness::start(HarnessSpec::default()).await.expect("the servers start");
    // The hardest case: stopped backends do not notice that their postmaster dies.
    harness.postgres(PostgresNode::Replica(1)).expect("a replica").pause().expect("paused");
    println!("holding");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nodes_are_killed_restarted_and_paused() {
    let _turn = TURN.lock().await;
    let harness = Harness::start(HarnessSpec::default()).await.expect("the servers start");
    a_replica_stops_replaying_and_catches_up(&harness).await;
    a_paused_postgres_answers_nothing_until_it_is_resumed(&harness).await;
    a_crashed_primary_recovers(&harness).await;
    a_primary_is_started_again_although_its_backends_were_left(&harness).await;
    a_killed_master_is_replaced_and_comes_back_as_replica(&harness).await;
    let pids: Vec<u32> = descendants(std::process::id()).into_keys().collect();
    drop(harness);
    assert!(!pids.iter().any(|pid| is_running(*pid)), "left behind: {:?}", describe(&pids));
}

async fn a_replica_stops_replaying_and_catches_up(harness: &Harness) {
    let primary =
        harness.postgres(PostgresNode::Primary).expect("the primary").connect().await.expect("connected");
    let frozen = harness.postgres(PostgresNode::Replica(1)).expect("a replica");
    let reader = &frozen.connect().await.expect("connected");
    let rows = || async { reader.query("SELECT n FROM t", &[]).await.map_or(0, |rows| rows.len()) };
    primary.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.expect("a row");
    eventually("the first row", || async { rows().await == 1 }).await;
    frozen.pause_replay().await.expect("paused");
    primary.batch_execute("INSERT INTO t VALUES (2)").await.expect("a row");
    let other =
        harness.postgres(PostgresNode::Replica(2)).expect("a replica").connect().await.expect("connected");
    let other = &other;
    let elsewhere = || async { other.query("SELECT n FROM t", &[]).await.is_ok_and(|rows| rows.len() == 2) };
    eventually("the second row on the other replica", elsewhere).await;
    assert_eq!(rows().await, 1);
    frozen.resume_replay().await.expect("resumed");
    eventually("the second row", || async { rows().await == 2 }).await;
}

async fn a_paused_postgres_answers_nothing_until_it_is_resumed(harness: &Harness) {
    let replica = harness.postgres(PostgresNode::Replica(2)).expect("a replica");
    let client = replica.connect().await.expect("connected");
    replica.pause().expect("paused");
    let question = client.query_one("SELECT 1", &[]);
    tokio::pin!(question);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut question).await;
    assert!(early.is_err(), "a paused node answers");
    replica.resume();
    tokio::time::timeout(LIMIT, question).await.expect("in time").expect("an answer");
}

async fn a_crashed_primary_recovers(harness: &Harness) {
    let primary = harness.postgres(PostgresNode::Primary).expect("the primary");
    let before = primary.pid();
    primary.kill();
    assert!(primary.connect().await.is_err());
    primary.restart(LIMIT).await.expect("restarted");
    assert_ne!(primary.pid(), before);
    let client = primary.connect().await.expect("connected");
    client.batch_execute("INSERT INTO t VALUES (3)").await.expect("a row");
    let replica =
        harness.postgres(PostgresNode::Replica(1)).expect("a replica").connect().await.expect("connected");
    let replica = &replica;
    let follows = || async { replica.query("SELECT n FROM t", &[]).await.is_ok_and(|rows| rows.len() == 3) };
    eventually("the replica follows again", follows).await;
}

/// By somebody else's hand: then its backends are nobody's, and one that hangs would keep the data from every other
/// postmaster.
async fn a_primary_is_started_again_although_its_backends_were_left(harness: &Harness) {
    let primary = harness.postgres(PostgresNode::Primary).expect("the primary");
    let client = primary.connect().await.expect("connected");
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("an answer");
    let backend = row.get::<_, i32>(0).cast_unsigned();
    let signal = |pid: u32, signal| {
        let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
        kill_process(pid, signal).expect("it is there");
    };
    signal(backend, Signal::STOP);
    signal(primary.pid(), Signal::KILL);
    eventually("its death", || async { primary.casualty().is_some() }).await;
    assert!(is_running(backend), "it is stopped, and does not see it");
    primary.restart(LIMIT).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!is_running(backend));
    assert!(primary.connect().await.is_ok());
}

async fn a_killed_master_is_replaced_and_comes_back_as_replica(harness: &Harness) {
    let master = harness.redis(RedisNode::Master(0)).expect("a master");
    let heir = harness.redis(RedisNode::Replica(0)).expect("its replica");
    let heir_connection = &heir.connect().await.expect("connected");
    let killed = Instant::now();
    master.kill();
    let writes = || async {
        cmd("SET").arg("b").arg("1").query_async::<()>(&mut heir_connection.clone()).await.is_ok()
    };
    eventually("the replica takes writes", writes).await;
    println!("the replica takes writes {:?} after the kill", killed.elapsed());
    master.restart(LIMIT).await.expect("restarted");
    let connection = &master.connect().await.expect("connected");
    let follows = || async {
        let role = cmd("INFO").arg("replication").query_async::<String>(&mut connection.clone()).await;
        role.is_ok_and(|role| role.contains("role:slave") && role.contains("master_link_status:up"))
    };
    eventually("the old master follows the new one", follows).await;
    println!("the old master follows {:?} after the kill", killed.elapsed());
}

/// All processes below this one, with their names.
fn descendants(root: u32) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for entry in fs::read_dir("/proc").expect("Linux").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if let Some((name, 'R' | 'S' | 'D' | 'T', above)) = stat(pid)
                && above == parent
            {
                found.insert(pid, name);
                parents.push(pid);
            }
        }
    }
    found
}

/// A zombie has ended; only its parent can clear it away.
fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(_, state, _)| state != 'Z')
}

fn describe(pids: &[u32]) -> Vec<String> {
    let running = pids.iter().filter(|pid| is_running(**pid));
    running.map(|&pid| format!("{pid} {:?}", stat(pid))).collect()
}

/// Name, state and parent of a process.
fn stat(pid: u32) -> Option<(String, char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, fields) = text.split_once(" (")?.1.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    Some((name.to_owned(), fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
