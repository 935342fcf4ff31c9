//! Starting the harness: how long it takes at several sizes, and what is said and left when it fails. One
//! harness at a time.

mod support;

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

/// Another program takes the port between the probe and the start: here a Redis that is no part of the cluster, and
/// no child of whoever should be.
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
             (setsid /usr/bin/redis-server --port "$3" --bind "$5" --save '' >"$HERE/log" &)
             until grep -q 'Ready to accept' "$HERE/log"; do sleep 0.01; done
           fi
           exec /usr/bin/redis-server "$@""#,
    );
    Harness::start(HarnessSpec { search: instead.search(), ..small() }).await.expect("on another port");
    assert!(instead.directory.path().join("once").exists());
}

/// A fault would strike the wrapper. What it has started ends with it.
#[tokio::test]
async fn a_wrapper_that_does_not_become_the_server_is_refused() {
    let _turn = TURN.lock().await;
    let real = "$(ls -d /usr/lib/postgresql/*/bin/postgres | tail -1)";
    for (program, real) in [("redis-server", "/usr/bin/redis-server"), ("postgres", real)] {
        let instead = Instead::of(
            program,
            &format!(
                r#"test "$1" = --version && exec {real} "$@"; {real} "$@" & echo $! >>"$HERE/pids"; wait"#
            ),
        );
        let error = Harness::start(HarnessSpec { search: instead.search(), ..small() }).await.err();
        let Some(HarnessError::Wrapper { .. }) = error else { panic!("{program}: {error:?}") };
        for pid in instead.pids() {
            assert!(!support::is_running(pid), "{program} {pid} outlives its wrapper");
        }
    }
}

/// Others see a connection that breaks, or wait in vain: neither is what happened.
#[tokio::test]
async fn the_node_that_dies_while_the_cluster_forms_is_the_one_that_is_named() {
    let _turn = TURN.lock().await;
    // The slots that the second master is given are written into its directory; then it is to meet the others.
    let dies = r#"case "$PWD" in
      */redis-b) (until grep -q 5461-10922 nodes.conf; do sleep 0.001; done; kill -KILL $$) 2>"$HERE/log" & ;;
    esac; exec /usr/bin/redis-server "$@""#;
    let instead = Instead::of("redis-server", dies);
    let spec = HarnessSpec { search: instead.search(), masters: 3, replicas_per_master: 1, ..small() };
    let begun = Instant::now();
    let error = Harness::start(spec).await.err();
    let Some(HarnessError::Died { server, .. }) = error else { panic!("{error:?}") };
    assert_eq!(server, "redis-b");
    assert!(begun.elapsed() < HarnessSpec::default().ready_within, "it was waited for");
    // The primary dies while it is copied for its replica.
    let kills = r#"kill -KILL "$(head -n 1 pg-primary/postmaster.pid)"
      exec "$(ls -d /usr/lib/postgresql/*/bin/pg_basebackup | tail -1)" "$@""#;
    let instead = Instead::of("pg_basebackup", kills);
    let error =
        Harness::start(HarnessSpec { search: instead.search(), postgres_replicas: 2, ..small() }).await.err();
    let Some(HarnessError::Died { server, .. }) = error else { panic!("{error:?}") };
    assert_eq!(server, "pg-primary");
}

/// As the API does when a run is given up while its servers start. Whoever drops the future finds all of it gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_given_up_leaves_nothing() {
    let _turn = TURN.lock().await;
    for after_ms in [0, 20, 150, 400, 700, 1_000, 1_400] {
        let spec = HarnessSpec { postgres_replicas: 1, ..small() };
        let started = tokio::time::timeout(Duration::from_millis(after_ms), Harness::start(spec)).await;
        drop(started);
        assert_eq!(directories(), Vec::<PathBuf>::new(), "given up after {after_ms} ms");
        assert_eq!(support::descendants(std::process::id()), [], "given up after {after_ms} ms");
    }
}

/// The directories of this process in the temporary directory.
fn directories() -> Vec<PathBuf> {
    let ours = format!("cache-lab-{}-", std::process::id());
    let entries = fs::read_dir(env::temp_dir()).expect("a temporary directory").flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(&ours)).collect()
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

    /// The processes that the script has noted.
    fn pids(&self) -> Vec<u32> {
        let noted = fs::read_to_string(self.directory.path().join("pids")).expect("it was run");
        noted.lines().map(|pid| pid.parse().expect("a pid")).collect()
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
