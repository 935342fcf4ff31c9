//! How the lab leaves servers that somebody else runs when they fail it, and what it asks of them before it comes. The
//! somebody is a harness of the test's.

mod support;

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use lab_core::scenario::{RunSpec, ScenarioId};
use lab_server::adapters::observer::Recorder;
use lab_server::harness::{PostgresNode, RedisServer};
use lab_server::real;
use lab_server::real::error::{RunError, StoresError};
use lab_server::real::remains::Remains;
use lab_server::real::stores::Stores;
use rustix::process::{Pid, Signal, kill_process};
use support::node::Node;
use support::owner::Owner;
use support::pooler::Pooler;
use support::runs::{ENDED_WITHIN, run, slow, spec};

/// Of a test's patience, for servers that are gone for good.
const LEAVE_WITHIN: Duration = Duration::from_secs(4);

/// A Redis Cluster has elected another master for a silent one long before.
const ELECTED_WITHIN: Duration = Duration::from_secs(20);

/// What comes soon, however the servers are.
const PATIENCE: Duration = Duration::from_secs(30);

/// The URL of the primary, for another user, at another address, or with another database.
fn postgres(owner: &Owner, user: &str, database: &str) -> String {
    format!("postgresql://{user}@{}/{database}", owner.primary_server().listens())
}

fn lab_user(owner: &Owner) -> String {
    format!("lab:{}", owner.passwords().1)
}

/// Executes what was told, as a shell does.
fn obey(owner: &Owner, remains: &[Remains]) {
    let (redis, postgres) = owner.passwords();
    for Remains { command, .. } in remains {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("REDISCLI_AUTH", &redis).env("PGPASSWORD", &postgres);
        let done = shell.output().expect("a shell");
        assert!(done.status.success(), "{command}\n{}", support::told(&done));
    }
}

async fn what_is_needed_to_leave_is_asked_for_first(owner: &Owner) {
    for command in ["SCAN", "DEL", "EVAL", "PUBLISH"] {
        owner.tell(&["ACL", "SETUSER", "default", &format!("-{command}")]).await;
        let refused =
            run(&owner.invite().await, &spec("lock")).await.map(drop).expect_err("it could not leave");
        owner.tell(&["ACL", "SETUSER", "default", &format!("+{command}")]).await;
        let RunError::Stores(StoresError::Refuses { command: told, .. }) = &refused else {
            panic!("{command}: {refused}")
        };
        assert_eq!(*told, command);
        assert!(refused.to_string().contains("no permissions"), "{refused}");
        owner.expect_clean(command).await;
    }
}

/// A command that the server's own configuration takes away: that is read when the server starts.
async fn a_command_that_has_another_name_is_asked_for_first(owner: &Owner) {
    for command in ["SCAN", "DEL", "EVALSHA"] {
        let node = Node::whole_cluster(&["--rename-command", command, ""]).await;
        let stores = Stores::connect_for(&[node.url()], &owner.urls().1, PATIENCE).await;
        let stores = std::sync::Arc::new(stores.unwrap_or_else(|error| panic!("{error}")));
        let refused = run(&stores, &spec("lock")).await.map(drop).expect_err("it could not leave");
        let RunError::Stores(StoresError::Refuses { command: told, .. }) = &refused else {
            panic!("{command}: {refused}")
        };
        assert_eq!(*told, command);
        assert!(refused.to_string().contains("unknown command"), "{refused}");
        assert_eq!(node.try_ask::<u64>("DBSIZE").await.expect("an answer"), 0, "{command}");
        owner.expect_clean("a command that is not there").await;
    }
}

async fn one_connection_is_not_enough_and_is_told(owner: &Owner) {
    let guest = owner.role("guest_of_one", "CONNECTION LIMIT 1").await;
    let refused = run(&owner.invite_to(&postgres(owner, &guest, "lab"), PATIENCE).await, &spec("lock"))
        .await
        .map(drop)
        .expect_err("a run needs more");
    // Its limit by name, or the server's own words where not even one connection is to be had.
    let RunError::Stores(StoresError::NoRoom { needs, left, .. }) = &refused else { panic!("{refused}") };
    assert!(*needs > 1 && *left <= 1, "{refused}");
    owner.expect_clean("a refusal for want of connections").await;

    // The same limit on the database, which the owner's own session counts for too.
    let stores = owner.invite().await;
    owner.execute("ALTER DATABASE lab CONNECTION LIMIT 1").await;
    let refused = run(&stores, &spec("lock")).await.map(drop).expect_err("a run needs more");
    owner.execute("ALTER DATABASE lab CONNECTION LIMIT -1").await;
    let RunError::Stores(StoresError::NoRoom { left: 0, .. }) = &refused else { panic!("{refused}") };
    assert!(refused.to_string().contains("too many connections for database \"lab\""), "{refused}");
    owner.expect_clean("a refusal for want of connections to the database").await;
}

async fn without_the_right_to_make_a_schema_nothing_is_written(owner: &Owner) {
    let guest = owner.role("guest_without_rights", "").await;
    owner.execute("REVOKE CREATE ON DATABASE lab FROM guest_without_rights").await;
    let refused = run(&owner.invite_to(&postgres(owner, &guest, "lab"), PATIENCE).await, &spec("lock"))
        .await
        .map(drop)
        .expect_err("it may not");
    assert!(matches!(refused, RunError::Stores(StoresError::NoRight { .. })), "{refused}");
    owner.expect_clean("a refusal for want of rights").await;
}

/// Each commit waits for ever there, and goes through when the wait ends.
async fn a_standby_that_is_nobody_holds_nobody_up(owner: &Owner) {
    owner.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    owner.execute("SELECT pg_reload_conf()").await;
    owner
        .until("it is in force", async || {
            owner.count("pg_settings WHERE name = 'synchronous_standby_names' AND setting = 'nobody'").await
                == 1
        })
        .await;
    let begun = Instant::now();
    let stores = owner.invite().await;
    // It begins with a row.
    let herd = RunSpec::preset(ScenarioId::ThunderingHerd, "lease", 1).expect("a preset");
    let failed = run(&stores, &herd).await;
    let took = begun.elapsed();
    owner.expect_clean("commits that wait for nobody").await;
    owner.execute("ALTER SYSTEM RESET synchronous_standby_names").await;
    owner.execute("SELECT pg_reload_conf()").await;
    assert!(failed.is_err(), "a row's commit is never acknowledged");
    assert!(took < ENDED_WITHIN, "{took:?}");
    owner.expect_clean("a reload").await;
}

/// Whoever has begun to make the schema and has not said whether it stays.
async fn arriving_hears_an_interrupt_and_brings_nothing_later(owner: &Owner) {
    let other = owner.primary_server().connect().await.expect("connected");
    other.batch_execute("BEGIN; CREATE SCHEMA cache_lab").await.expect("it is not there yet");
    let stores = owner.invite().await;
    let waits = owner.until("it waits for the other's end", async || {
        owner.count("pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%cache_lab%'").await > 0
    });
    let begun = Instant::now();
    let interrupted = real::run(&stores, &spec("lock"), Recorder::start(), waits).await;
    assert!(matches!(interrupted, Err(RunError::Interrupted)), "{:?}", interrupted.err());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    other.batch_execute("ROLLBACK").await.expect("rolled back");
    owner
        .until("its session is gone", async || {
            owner.count("pg_stat_activity WHERE application_name LIKE 'Cache Lab%' AND state <> 'idle'").await
                == 0
        })
        .await;
    owner.expect_clean("an interrupted arrival").await;
}

async fn one_redis_has_one_lab_whatever_its_databases(owner: &Owner) {
    owner.execute("CREATE DATABASE another OWNER lab").await;
    let first = owner.invite().await;
    let second = owner.invite_to(&postgres(owner, &lab_user(owner), "another"), PATIENCE).await;
    assert!(run(&first, &spec("lock")).await.is_ok());
    let meanwhile = async {
        owner.begun().await;
        run(&second, &spec("lock")).await
    };
    let slow = slow();
    let (done, refused) = tokio::join!(run(&first, &slow), meanwhile);
    assert!(done.is_ok(), "{:?}", done.err());
    let refused = refused.map(drop).expect_err("somebody is there");
    let RunError::Stores(StoresError::Occupied { who }) = &refused else { panic!("{refused}") };
    assert!(who.contains("Cache Lab, run ") && who.contains("since "), "{who}");
    assert!(run(&second, &spec("lock")).await.is_ok(), "the other is gone");
    owner.expect_clean("two labs").await;
    drop(second);
    owner
        .until("its sessions are gone", async || {
            owner.count("pg_stat_activity WHERE datname = 'another'").await == 0
        })
        .await;
    owner.execute("DROP DATABASE another").await;
}

async fn a_pooler_is_recognised(owner: &Owner) {
    let password = owner.passwords().1;
    for (pool_mode, works) in [("transaction", false), ("session", true)] {
        let pooler = Pooler::start(owner.primary_server().listens(), "lab", &password, pool_mode);
        for _ in 0..2 {
            let stores = owner
                .invite_to(&format!("postgresql://{}@{}/lab", lab_user(owner), pooler.listens), PATIENCE)
                .await;
            let made = run(&stores, &spec("lock")).await;
            if works {
                assert!(made.is_ok(), "{:?}", made.err());
            } else {
                let refused = made.map(drop).expect_err("its sessions are everybody's");
                assert!(matches!(refused, RunError::Stores(StoresError::Pooler(_))), "{refused}");
                assert!(refused.to_string().contains("pool_mode = session"), "{refused}");
            }
            owner.expect_clean(pool_mode).await;
        }
    }
}

/// A primary that stands still in the midst of a run, for longer than the guest tries.
async fn a_silent_primary_keeps_only_what_is_named(owner: &Owner) {
    let stores = owner.invite_to(&postgres(owner, &lab_user(owner), "lab"), LEAVE_WITHIN).await;
    let spec = slow();
    let meanwhile = async {
        owner.begun().await;
        owner.primary_server().pause().expect("it can be stopped");
    };
    let (left, ()) = tokio::join!(run(&stores, &spec), meanwhile);
    owner.primary_server().resume();
    let left = left.map(drop).expect_err("the schema cannot go");
    let (RunError::Remains { left, .. } | RunError::Left { left, .. }) = &left else { panic!("{left}") };
    let [schema] = left.as_slice() else { panic!("{left:#?}") };
    assert!(schema.what.contains("schema cache_lab"), "{schema}");
    assert_eq!(owner.keys().await, 0, "the keys are another server's");
    owner.execute("CREATE TABLE public.data (key text)").await;
    obey(owner, left);
    owner.expect_clean("the command that was told").await;
    owner.execute("DROP TABLE public.data").await;
}

/// As `pg_ctl stop -m fast` does: sessions are ended in good order, and nobody listens there any more.
async fn stop(owner: &Owner) {
    let postmaster = Pid::from_raw(owner.primary_server().pid().cast_signed()).expect("a number");
    kill_process(postmaster, Signal::INT).expect("it runs");
    owner.until("PostgreSQL has stopped", async || owner.primary_server().casualty().is_some()).await;
}

async fn start_again(owner: &mut Owner) {
    owner.primary_server().restart(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
    owner.reconnect().await;
}

/// A primary that is stopped in the midst of a run: started again in time, it keeps nothing; else only what is named.
async fn a_stopped_primary_keeps_only_what_is_named(owner: &mut Owner, leave_within: Duration) {
    let stores = owner.invite_to(&postgres(owner, &lab_user(owner), "lab"), leave_within).await;
    let comes_back = leave_within > LEAVE_WITHIN;
    let (spec, leaves) = (slow(), std::sync::Arc::clone(&stores));
    let ended = {
        let meanwhile = async {
            owner.begun().await;
            stop(owner).await;
            if comes_back {
                // It has tried, and in vain.
                leaves.leaving_for(Duration::from_millis(500)).await;
                start_again(owner).await;
            }
        };
        tokio::join!(run(&stores, &spec), meanwhile).0
    };
    if !comes_back {
        start_again(owner).await;
    }
    assert_eq!(owner.keys().await, 0, "the keys are another server's");
    let error = ended.map(drop).expect_err("its server was stopped");
    match &error {
        RunError::Remains { left, .. } => {
            assert!(!comes_back, "it was there again: {error}");
            let [schema] = left.as_slice() else { panic!("{left:#?}") };
            assert!(schema.what.contains("schema cache_lab") && owner.has_schema().await, "{schema}");
            obey(owner, left);
        }
        RunError::NoVerdict { .. } => assert!(comes_back, "nothing is named: {error}"),
        other => panic!("{other}"),
    }
    owner.expect_clean("a stopped primary").await;
}

/// The node that is a shard's master now.
async fn master_of(owner: &Owner, shard: u8) -> &RedisServer {
    let masters = owner.masters().await;
    let name = masters.iter().map(|(name, _)| *name).find(|name| name.shard() == shard);
    owner.redis_server(name.expect("every shard has a master"))
}

/// A master that stands still in the midst of a run: whoever takes its place has its keys. With enough time nothing
/// remains, the claim neither.
async fn a_silent_master_keeps_only_what_is_named(owner: &Owner, shard: u8, leave_within: Duration) {
    let master = master_of(owner, shard).await;
    let stores = owner.invite_to(&postgres(owner, &lab_user(owner), "lab"), leave_within).await;
    let spec = slow();
    let meanwhile = async {
        owner.begun().await;
        master.pause().expect("it can be stopped");
    };
    let (ended, ()) = tokio::join!(run(&stores, &spec), meanwhile);
    master.resume();
    owner.await_cluster().await;
    assert!(!owner.has_schema().await, "PostgreSQL is another server");
    if let Err(RunError::Remains { left, .. } | RunError::Left { left, .. }) = &ended {
        assert!(leave_within < ELECTED_WITHIN, "another master was elected: {left:#?}");
        obey(owner, left);
    }
    owner.expect_clean("a silent master").await;
}

/// A master that stands still when the lab has come, and asks it which life it is in: that takes seconds.
async fn asking_a_silent_master_hears_an_interrupt(owner: &Owner) {
    let master = master_of(owner, 0).await;
    let replica = owner.harness().postgres(PostgresNode::Replica(1)).expect("a replica");
    let stores = owner.invite_to(&postgres(owner, &lab_user(owner), "lab"), Duration::from_secs(1)).await;
    // The lab waits for the replica when it has come.
    replica.pause_replay().await.expect("it can be held");
    let asks_the_master = async {
        owner.until("the lab has come", async || owner.has_schema().await).await;
        master.pause().expect("it can be stopped");
        let mut fewest = connections_to(master.listens());
        replica.resume_replay().await.expect("it goes on");
        let begun = Instant::now();
        loop {
            let now = connections_to(master.listens());
            if now > fewest {
                return;
            }
            fewest = now;
            assert!(begun.elapsed() < ENDED_WITHIN, "it asks nobody");
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::sync::Notify::new();
    let heard = async {
        asks_the_master.await;
        asked.notify_one();
        let begun = Instant::now();
        stores.leaving_for(Duration::ZERO).await;
        begun.elapsed()
    };
    let spec = spec("lock");
    let (run, heard) = tokio::join!(real::run(&stores, &spec, Recorder::start(), asked.notified()), heard);
    master.resume();
    owner.await_cluster().await;
    let error = run.map(drop).expect_err("it was interrupted");
    let left = match &error {
        RunError::Remains { why, left } if matches!(**why, RunError::Interrupted) => left.as_slice(),
        RunError::Interrupted => &[],
        other => panic!("{other}"),
    };
    obey(owner, left);
    owner.expect_clean("an interrupt before the first request").await;
    assert!(heard < Duration::from_secs(1), "it was deaf for {heard:?}");
}

/// How many connections to an address of this machine there are, on the caller's side.
fn connections_to(address: SocketAddr) -> usize {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    let IpAddr::V4(ip) = address.ip() else { panic!("the harness listens at {address}") };
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
    let is_one = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next() == Some(&remote) && fields.next() == Some(ESTABLISHED)
    };
    table.lines().filter(is_one).count()
}

/// One test, since two clusters at a time would make a small machine miss deadlines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_leaves_what_fails_it() {
    let mut owner = Owner::start().await;
    what_is_needed_to_leave_is_asked_for_first(&owner).await;
    a_command_that_has_another_name_is_asked_for_first(&owner).await;
    one_connection_is_not_enough_and_is_told(&owner).await;
    without_the_right_to_make_a_schema_nothing_is_written(&owner).await;
    Box::pin(one_redis_has_one_lab_whatever_its_databases(&owner)).await;
    a_pooler_is_recognised(&owner).await;
    arriving_hears_an_interrupt_and_brings_nothing_later(&owner).await;
    a_standby_that_is_nobody_holds_nobody_up(&owner).await;
    a_silent_primary_keeps_only_what_is_named(&owner).await;
    for leave_within in [LEAVE_WITHIN, PATIENCE] {
        Box::pin(a_stopped_primary_keeps_only_what_is_named(&mut owner, leave_within)).await;
    }
    Box::pin(asking_a_silent_master_hears_an_interrupt(&owner)).await;
    for (shard, leave_within) in [(1, Duration::from_secs(1)), (0, ELECTED_WITHIN), (2, ELECTED_WITHIN)] {
        a_silent_master_keeps_only_what_is_named(&owner, shard, leave_within).await;
    }
}
