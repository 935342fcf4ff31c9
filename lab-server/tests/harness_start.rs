//! Starting the harness: how long it takes at several sizes, and what is said and left when it fails. One
//! harness at a time.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use lab_server::harness::{Harness, HarnessError, HarnessSpec, RedisNode, Search};
use redis::cmd;

/// Two sets of servers at a time would make a small machine miss deadlines.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn small() -> HarnessSpec {
    HarnessSpec {
        masters: 1,
        replicas_per_master: 0,
        postgres_replicas: 0,
        servers: 1,
        ..HarnessSpec::default()
    }
}

#[tokio::test]
async fn one_to_twelve_masters_form_a_cluster() {
    let _turn = TURN.lock().await;
    for (masters, replicas_per_master) in [(1, 0), (2, 1), (12, 0)] {
        let begun = Instant::now();
        let spec = HarnessSpec { masters, replicas_per_master, ..small() };
        let harness = Harness::start(spec).await.expect("the servers start");
        println!("{masters} masters with {replicas_per_master} replicas: ready after {:?}", begun.elapsed());
        let mut last =
            harness.redis(RedisNode::Master(masters - 1)).expect("it").connect().await.expect("connected");
        let info: String = cmd("CLUSTER").arg("INFO").query_async(&mut last).await.expect("an answer");
        assert!(info.contains("cluster_slots_ok:16384") && info.contains(&format!("cluster_size:{masters}")));
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_said_in_types() {
    let nowhere = Search::Only(vec![env::temp_dir().join("no-programs-here")]);
    let missing = Harness::start(HarnessSpec { search: nowhere, ..small() }).await.err();
    let Some(HarnessError::MissingBinary { .. }) = &missing else { panic!("{missing:?}") };
    assert!(missing.is_some_and(|error| error.to_string().contains("cargo xtask setup")));
}

#[tokio::test]
async fn sizes_out_of_bounds_are_refused() {
    let cases = [
        (HarnessSpec { masters: 0, ..small() }, "1 to 12 Redis masters, not 0"),
        (HarnessSpec { masters: 13, ..small() }, "1 to 12 Redis masters, not 13"),
        (HarnessSpec { replicas_per_master: 2, ..small() }, "0 to 1 replicas for each"),
        (HarnessSpec { postgres_replicas: 9, ..small() }, "0 to 8 PostgreSQL replicas, not 9"),
        (HarnessSpec { servers: 0, ..small() }, "1 to 32 app servers, not 0"),
        (HarnessSpec { servers: 33, ..small() }, "1 to 32 app servers, not 33"),
        (HarnessSpec { servers: u8::MAX, ..small() }, "1 to 32 app servers, not 255"),
        (HarnessSpec { node_timeout: Duration::ZERO, ..small() }, "cluster-node-timeout of 100ms to 60s"),
        (HarnessSpec { node_timeout: Duration::MAX, ..small() }, "cluster-node-timeout of 100ms to 60s"),
        (HarnessSpec { ready_within: Duration::ZERO, ..small() }, "time to get ready of 1ms to 600s"),
    ];
    for (spec, hint) in cases {
        let refused = Harness::start(spec).await.err();
        let Some(HarnessError::Spec(why)) = &refused else { panic!("{hint}: {refused:?}") };
        assert!(why.contains(hint), "{why:?} has no {hint:?}");
    }
}

#[tokio::test]
async fn a_server_that_dies_at_its_start_shows_its_log() {
    let _turn = TURN.lock().await;
    let instead = Instead::of("redis-server", "echo 'this is the last line of the log'; exit 7");
    let error = Harness::start(HarnessSpec { search: instead.search(), ..small() }).await.err();
    let Some(HarnessError::Died { server, status, log_tail }) = error else { panic!("{error:?}") };
    assert_eq!((server.as_str(), status.as_str()), ("redis-a", "exit status: 7"));
    assert_eq!(log_tail, "this is the last line of the log");
}

/// Another program takes the port between the probe and the start: here a Redis that is no part of the cluster.
#[tokio::test]
async fn a_port_that_is_taken_is_given_up_for_another() {
    let _turn = TURN.lock().await;
    let of_postgres = Instead::of(
        "postgres",
        r#"if test "$1" = -D && mkdir "$HERE/once"; then
             setpriv --pdeathsig KILL /usr/bin/redis-server --port "${6#*=}" --bind "${4#*=}" >"$HERE/log" &
             until grep -q 'Ready to accept' "$HERE/log"; do sleep 0.01; done
           fi
           exec "$(ls -d /usr/lib/postgresql/*/bin/postgres | tail -1)" "$@""#,
    );
    Harness::start(HarnessSpec { search: of_postgres.search(), ..small() }).await.expect("on another port");
    assert!(of_postgres.directory.path().join("once").exists());
    let instead = Instead::of(
        "redis-server",
        r#"if mkdir "$HERE/once"; then
             setpriv --pdeathsig KILL /usr/bin/redis-server --port "$3" --bind "$5" --save '' >"$HERE/log" &
             until grep -q 'Ready to accept' "$HERE/log"; do sleep 0.01; done
           fi
           exec /usr/bin/redis-server "$@""#,
    );
    Harness::start(HarnessSpec { search: instead.search(), ..small() }).await.expect("on another port");
    assert!(instead.directory.path().join("once").exists());
}

/// A directory with a script of ours in the place of one of the servers.
struct Instead {
    directory: tempfile::TempDir,
}

impl Instead {
    fn of(program: &str, script: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join(program);
        let here = directory.path().display();
        fs::write(&program, format!("#!/bin/sh\nHERE={here}\n{script}\n")).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        // PostgreSQL may run as another user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("open to all");
        Self { directory }
    }

    /// Its directory first, then where the other programs are.
    fn search(&self) -> Search {
        let mut directories = vec![self.directory.path().to_owned()];
        directories.extend(env::split_paths(&env::var_os("PATH").expect("PATH")));
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        directories.extend(versions.map(|version| version.path().join("bin")));
        let has_postgres = |directory: &PathBuf| Path::new(directory).join("initdb").is_file();
        assert!(directories.iter().any(has_postgres), "PostgreSQL is on PATH or in /usr/lib/postgresql");
        Search::Only(directories)
    }
}
