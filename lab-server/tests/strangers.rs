//! Another user of the machine gets nothing of the lab's servers: no port answers without a password, no file can be
//! read, and neither the process list nor a log shows a password. The stranger is the user number 65534, whom only
//! root can become: where the tests are not root, they say what they leave out.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lab_server::harness::{AppServer, Harness, HarnessSpec, PostgresNode, Reach};
use rustix::process::geteuid;
use support::{Process, descendants};
use tokio_postgres::NoTls;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;

/// A user of no group that owns anything.
const STRANGER: u32 = 65534;

/// One of each kind: what reads, writes, runs code, spies, copies everything and ends the server.
const COMMANDS: &str = "PING
INFO
GET a
SET a 1
EVAL 'return 1' 0
CONFIG GET *
DEBUG SLEEP 0
CLUSTER NODES
KEYS *
SUBSCRIBE bus
MONITOR
REPLICAOF 127.0.0.1 1
MODULE LIST
ACL LIST
FLUSHALL
SHUTDOWN NOSAVE
SYNC
";

/// A command that another user gives; ours, where we cannot be another.
fn as_stranger(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={STRANGER}"), format!("--regid={STRANGER}")];
    command.args(user).args(["--clear-groups", "--"]).arg(program).current_dir("/");
    command
}

/// What a command of the stranger's prints, on both outputs.
fn hears(mut command: Command, input: &str) -> String {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("setpriv (util-linux) and the stranger's program can be started");
    let mut stdin = child.stdin.take().expect("a pipe");
    // At the same time: what it answers may fill its pipe before it has read all.
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).expect("it reads what it is told"));
        child.wait_with_output().expect("it ends")
    });
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A client program on this machine.
fn client(name: &str, package: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let directories = versions.map(|version| version.path().join("bin")).chain(["/usr/bin".into()]);
    let found = directories.map(|directory| directory.join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"))
}

/// Every way to reach a node: directly, as the cluster calls it, and by an app server's own addresses.
fn reaches(harness: &Harness) -> [&Reach; 2] {
    let endpoints = harness.endpoints();
    [endpoints.direct(), endpoints.server(AppServer(1)).expect("an app server")]
}

fn no_redis_answers(harness: &Harness) {
    let redis_cli = client("redis-cli", "redis-tools");
    let nodes = reaches(harness).into_iter().flat_map(|reach| &reach.redis);
    let addresses: BTreeSet<_> = nodes.flat_map(|node| [&node.advertised, &node.data, &node.bus]).collect();
    assert_eq!(addresses.len(), 2 * 4, "two nodes, each at four addresses");
    for address in addresses {
        // Who is let in to subscribe would listen for ever.
        let mut command = as_stranger(Path::new("timeout"));
        command.args(["20s".as_ref(), redis_cli.as_os_str()]);
        command.args(["-h", &address.host, "-p", &address.port.to_string()]);
        let heard = hears(command, COMMANDS);
        // DEBUG is refused before anybody asks who is there; redis-cli announces what SYNC would bring.
        let refused = |line: &&str| line.contains("NOAUTH") || line.contains("DEBUG command not allowed");
        let more = |line: &&str| !line.is_empty() && !line.starts_with("Entering") && !refused(line);
        assert_eq!(heard.lines().filter(refused).count(), COMMANDS.lines().count(), "{address}: {heard}");
        assert_eq!(heard.lines().filter(more).count(), 0, "{address}: {heard}");
    }
}

fn no_role_of_postgres_may_log_in(harness: &Harness) {
    let psql = client("psql", "postgresql-client");
    let configs = reaches(harness).into_iter().flat_map(|reach| &reach.postgres);
    for config in configs.map(|endpoint| &endpoint.config) {
        let (Host::Tcp(host), port) = (&config.get_hosts()[0], config.get_ports()[0]) else {
            panic!("a host of TCP")
        };
        for role in ["lab", "lab_operator", "postgres", "lab_replication"] {
            for more in
                ["dbname=lab", "dbname=postgres", "replication=true", "dbname=lab replication=database"]
            {
                for guess in ["", "password=lab"] {
                    let mut command = as_stranger(&psql);
                    command.args(["-w", "-c", "COPY t FROM PROGRAM 'id'", "-d"]);
                    command
                        .arg(format!("host={host} port={port} user={role} {more} {guess} connect_timeout=5"));
                    let heard = hears(command, "");
                    let refused = ["no password supplied", "authentication failed", "pg_hba.conf"];
                    let is_refused = refused.iter().any(|words| heard.contains(words));
                    assert!(is_refused, "{role} {more} {guess} at {host}:{port}: {heard}");
                }
            }
        }
    }
}

/// Even who has the app servers' password can run no command of the system's.
async fn the_apps_role_is_no_superuser(harness: &Harness) {
    let endpoint = &harness.endpoints().direct().postgres[0];
    let (client, connection) = endpoint.config.connect(NoTls).await.expect("logged in");
    tokio::spawn(connection);
    let row = client
        .query_one(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls \
             FROM pg_roles WHERE rolname = current_user",
            &[],
        )
        .await;
    assert!(!row.expect("a role").get::<_, bool>(0), "the role has a right that no app server needs");
    client.batch_execute("CREATE TABLE t (line text)").await.expect("it owns its database");
    for attack in
        ["COPY t FROM PROGRAM 'id'", "SELECT pg_read_file('pg_hba.conf')", "ALTER SYSTEM SET fsync = on"]
    {
        let refused = client.batch_execute(attack).await.expect_err(attack);
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{attack}: {refused}");
    }
    let mut redis = harness.redis_servers().expect("our own")[0].connect().await.expect("logged in");
    let debug = redis::cmd("DEBUG").arg("SLEEP").arg("0").query_async::<()>(&mut redis).await;
    assert!(debug.expect_err("nobody needs DEBUG").to_string().contains("not allowed"));
}

/// The command lines of this process' descendants while something goes on.
fn watch(until: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !until.load(Ordering::Relaxed) {
        seen.extend(descendants(std::process::id()).into_iter().map(|process| process.command));
    }
    seen
}

/// The directory, and what is below to a depth of three: a node's data directory is looked into, not through.
fn tree(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let mut level = found.clone();
    for _ in 0..3 {
        let below = level.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten();
        level = below.map(|entry| entry.path()).collect();
        found.extend_from_slice(&level);
    }
    found
}

/// Every drawn password, by the files that hold them.
fn passwords(directory: &Path) -> (Vec<PathBuf>, BTreeSet<String>) {
    let files = ["redis.password", "redis/redis.conf", "pgpass", "postgres/replication.pgpass"];
    let files: Vec<_> = files.map(|file| directory.join(file)).into();
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("ours to read")).collect();
    let words = text.split(|c: char| c.is_whitespace() || c == ':');
    let is_password = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found: BTreeSet<_> = words.filter(is_password).map(str::to_owned).collect();
    assert_eq!(found.len(), 5, "Redis, its replicas, the operator, the app servers, PostgreSQL's replicas");
    (files, found)
}

fn no_file_is_open_to_strangers(directory: &Path, holders: &[PathBuf], secrets: &BTreeSet<String>) {
    let all = tree(directory);
    let mode = |path: &Path| fs::metadata(path).expect("ours to see").permissions().mode() & 0o777;
    for holder in holders {
        assert_eq!(mode(holder), 0o600, "{}", holder.display());
    }
    assert_eq!(mode(directory) & 0o007, 0, "others may not even pass");
    for log in all.iter().filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
        let text = String::from_utf8_lossy(&fs::read(log).expect("ours to read")).into_owned();
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{}: {text}", log.display());
    }
    if !geteuid().is_root() {
        eprintln!(
            "not root: the modes of the files were looked at, and no other user has tried to read them"
        );
        return;
    }
    let list: Vec<_> = all.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    let mut command = as_stranger(Path::new("/bin/sh"));
    command.args(["-c", r#"while read -r path; do cat "$path" 2>&1; ls "$path" 2>&1; done"#]);
    let heard = hears(command, &(list.join("\n") + "\n"));
    let refused = heard.lines().filter(|line| line.ends_with("Permission denied")).count();
    assert_eq!((refused, heard.lines().count()), (2 * list.len(), 2 * list.len()), "{heard}");
}

/// What a stranger sees of all processes.
fn the_process_list_tells_nothing(secrets: &BTreeSet<String>) {
    let mut command = as_stranger(Path::new("/bin/sh"));
    let script =
        "for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do cat $file 2>/dev/null; echo; done";
    command.args(["-c", script]);
    let heard = hears(command, "");
    assert!(heard.contains("redis-server"), "it sees the servers");
    assert!(!secrets.iter().any(|secret| heard.contains(secret)), "{heard}");
}

fn no_server_is_root() {
    let servers = descendants(std::process::id());
    // What becomes a server, and the shell that cleans up after a lab that was killed, are no servers.
    let is_server =
        |process: &&Process| !process.command.contains("setpriv") && !process.command.contains("last-will");
    let servers: Vec<_> = servers.iter().filter(is_server).collect();
    assert!(servers.len() > 4, "{servers:?}");
    for server in servers {
        let owner = fs::metadata(format!("/proc/{}", server.pid)).map(|metadata| metadata.uid());
        assert_ne!(owner.unwrap_or(STRANGER), 0, "{server:?} runs as root");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_user_of_the_machine_gets_nothing() {
    let started = AtomicBool::new(false);
    let spec = HarnessSpec { masters: 1, postgres_replicas: 1, servers: 1, ..HarnessSpec::default() };
    let (harness, seen) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&started));
        let harness =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Harness::start(spec)));
        started.store(true, Ordering::Relaxed);
        (harness.unwrap_or_else(|error| panic!("{error}")), watching.join().expect("it only looks"))
    });
    let directory =
        harness.password_files().expect("our own").redis.parent().expect("a directory").to_owned();
    let (holders, secrets) = passwords(&directory);
    for program in ["initdb", "pg_basebackup", "redis-server"] {
        assert!(seen.iter().any(|command| command.contains(program)), "{program} was not seen: {seen:?}");
    }
    let told: Vec<_> =
        seen.iter().filter(|command| secrets.iter().any(|secret| command.contains(secret))).collect();
    assert!(told.is_empty(), "{told:?}");

    no_file_is_open_to_strangers(&directory, &holders, &secrets);
    the_process_list_tells_nothing(&secrets);
    no_server_is_root();
    no_redis_answers(&harness);
    no_role_of_postgres_may_log_in(&harness);
    the_apps_role_is_no_superuser(&harness).await;
    assert!(harness.postgres(PostgresNode::Primary).is_ok());
    drop(harness);
    assert!(!directory.exists(), "the passwords are gone with the servers");
}
