//! A run has a verdict only if nothing happened that its scenario is not about: no server died or was stopped, none refused, and the lab
//! itself did not stand still. Each of these makes a right policy look wrong, and is told instead.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab_core::recording::Recording;
use lab_core::scenario::{Run, RunSpec, ScenarioId, Settings};
use lab_core::trace::Kind;
use lab_core::value::Key;
use lab_server::adapters::observer::Recorder;
use lab_server::adapters::refusals::{Answer, Store};
use lab_server::harness::{PostgresNode, RedisNode};
use lab_server::real;
use lab_server::real::disturbance::Disturbance;
use lab_server::real::error::RunError;
use lab_server::real::stores::Stores;
use redis::{Client, cmd};
use rustix::process::{Pid, Signal, kill_process};
use support::owner::Owner;
use support::runs::{run, slow};
use support::{Running, descendants, lab, told};

/// A death is noticed at once; what its end takes is a matter of the servers that are left.
const NOTICED_WITHIN: Duration = Duration::from_secs(15);

/// A node that was killed answers again, and the others know it.
const BACK_WITHIN: Duration = Duration::from_secs(20);

/// For how long the lab is stopped.
const STOP: Duration = Duration::from_millis(500);

fn spec(scenario: ScenarioId, policy: &str) -> RunSpec {
    RunSpec::preset(scenario, policy, 1).expect("a preset")
}

/// A herd that should cost one query.
fn herd() -> RunSpec {
    spec(ScenarioId::ThunderingHerd, "lease")
}

/// Makes the slow run, and `strike`s while it computes.
async fn struck(stores: &Arc<Stores>, strike: impl AsyncFnOnce()) -> Result<Run, RunError> {
    let (recorder, stores) = (Recorder::start(), Arc::clone(stores));
    let mut progress = recorder.follow();
    let (spec, journal) = (slow(), Arc::clone(&recorder));
    let running =
        tokio::spawn(async move { real::run(&stores, &spec, journal, std::future::pending()).await });
    let computes = || {
        let events = recorder.events(0, usize::MAX);
        events.iter().any(|event| matches!(event.kind, Kind::ComputeStarted))
    };
    while !computes() {
        progress.changed().await.expect("it is written");
        assert!(!progress.borrow().closed, "it was over before it began");
    }
    strike().await;
    running.await.expect("no panic")
}

/// What happened to a run that has no verdict.
fn disturbances(run: Result<Run, RunError>) -> Vec<Disturbance> {
    match run {
        Err(RunError::NoVerdict { disturbances, .. }) => disturbances,
        Err(error) => panic!("another error: {error}"),
        Ok(run) => panic!("it has a verdict: {:#?}", run.report),
    }
}

/// A herd over one query, which is longer than the limit.
fn herd_over_a_long_query() -> RunSpec {
    let settings = Settings::with(ScenarioId::ThunderingHerd, [("query-ms".to_owned(), 500)]);
    RunSpec { settings: settings.expect("a knob within its bounds"), ..herd() }
}

/// Tells every node something, as their operator may.
async fn tell(stores: &Stores, command: &str) {
    let direct = stores.harness().endpoints().direct();
    for endpoint in &direct.redis {
        let address = direct.redis_connection(&endpoint.data).expect("an address");
        let client = Client::open(address).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let mut words = command.split_whitespace();
        let mut order = cmd(words.next().expect("a command"));
        let told = order.arg(words.collect::<Vec<_>>()).query_async::<()>(&mut connection).await;
        told.unwrap_or_else(|error| panic!("{command}: {error}"));
    }
}

/// Executes a statement, as PostgreSQL's operator may.
async fn execute(stores: &Stores, statement: &str) {
    let primary = stores.harness().postgres(PostgresNode::Primary).expect("the primary is ours");
    let client = primary.connect().await.expect("a connection");
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
}

async fn a_run_that_nothing_disturbs_has_a_verdict(stores: &Arc<Stores>) {
    let green = run(stores, &herd()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(green.report.goal_held(), "{:#?}", green.report);
    // The scenario's own faults disturb nothing.
    let red = spec(ScenarioId::InvalidationDelay, "lesson");
    let red = run(stores, &red).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!red.report.goal_held(), "{:#?}", red.report);
}

fn expect_refusals(run: Result<Run, RunError>, wanted: Store, wanted_code: &str) {
    let said = disturbances(run);
    let found = said.iter().find_map(|disturbance| match disturbance {
        Disturbance::Refused(refusal) => Some(refusal),
        _ => None,
    });
    let refusal = found.unwrap_or_else(|| panic!("no refusal among {said:?}"));
    let Answer::Refused { code } = &refusal.answer else { panic!("{refusal}") };
    assert_eq!((refusal.store, code.as_str()), (wanted, wanted_code), "{refusal}");
    assert!(refusal.count > 0 && refusal.words.len() > code.len(), "{refusal}");
}

async fn a_store_that_refuses_is_told_with_its_own_words(stores: &Arc<Stores>) {
    tell(stores, "CONFIG SET maxmemory 1").await;
    expect_refusals(run(stores, &herd()).await, Store::Redis, "OOM");
    tell(stores, "CONFIG SET maxmemory 0").await;

    tell(stores, "ACL SETUSER default -eval -evalsha").await;
    expect_refusals(run(stores, &herd()).await, Store::Redis, "NOPERM");
    tell(stores, "ACL SETUSER default +@all").await;

    execute(stores, "ALTER DATABASE lab SET statement_timeout = '400ms'").await;
    expect_refusals(run(stores, &herd_over_a_long_query()).await, Store::Postgres, "57014");
    execute(stores, "ALTER DATABASE lab RESET statement_timeout").await;
}

async fn a_lab_that_was_stopped_says_so(stores: &Arc<Stores>) {
    let stopped = struck(stores, async || {
        let script = format!("kill -STOP $PPID; sleep {}; kill -CONT $PPID", STOP.as_secs_f64());
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", &script]).stdin(Stdio::null()).spawn().expect("a shell");
        shell.wait().expect("it ends");
    });
    let said = disturbances(stopped.await);
    let [Disturbance::Paused(pause)] = said[..] else { panic!("{said:?}") };
    assert!(pause.time > STOP / 2 && pause.was_continued, "{pause:?}");
}

async fn a_server_that_somebody_stopped_is_told(stores: &Arc<Stores>) {
    let primary = stores.harness().postgres(PostgresNode::Primary).expect("the primary is ours");
    let signal = |signal| {
        let pid = Pid::from_raw(primary.pid().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("it is there");
    };
    let begun = Instant::now();
    let run = struck(stores, async || signal(Signal::STOP)).await;
    let took = begun.elapsed();
    signal(Signal::CONT);
    let text = run.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let said = disturbances(run);
    let is_it = |disturbance: &Disturbance| matches!(disturbance, Disturbance::Stopped(stopped) if stopped.server == "pg-primary");
    assert!(said.iter().any(is_it), "{said:?}");
    assert!(text.contains("pg-primary was stopped") && text.contains("kill -CONT"), "{text}");
    assert!(took < NOTICED_WITHIN, "after {took:?}");
    // What the lab stops itself is none of these.
    primary.pause().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(stores.harness().stopped(), []);
    primary.resume();
}

/// SIGKILL from outside, as the system does when memory is short.
fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
    kill_process(pid, Signal::KILL).expect("it is there");
}

async fn expect_death(stores: &Arc<Stores>, pid: u32, name: &str) {
    let begun = Instant::now();
    let run = struck(stores, async || kill(pid)).await;
    let took = begun.elapsed();
    let text = run.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let said = disturbances(run);
    let death = said.iter().find_map(|disturbance| match disturbance {
        Disturbance::Died(casualty) => Some(casualty),
        _ => None,
    });
    let death = death.unwrap_or_else(|| panic!("no death among {said:?}"));
    assert_eq!(death.server, name, "{death}");
    assert!(death.how.contains("SIGKILL") && !death.log_tail.is_empty(), "{death}");
    assert!(text.contains("there is no verdict") && text.contains(name), "{text}");
    assert!(took < NOTICED_WITHIN, "after {took:?}");
}

async fn a_primary_that_dies_is_told(stores: &Arc<Stores>) {
    let primary = stores.harness().postgres(PostgresNode::Primary).expect("the primary is ours");
    expect_death(stores, primary.pid(), "pg-primary").await;
    assert_eq!(stores.harness().casualties().len(), 1, "whoever wants to run again can see it first");
    primary.restart(BACK_WITHIN).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(stores.harness().casualties().is_empty());
    // Nor is one a casualty that the lab itself has killed.
    primary.kill();
    assert!(stores.harness().casualties().is_empty());
    primary.restart(BACK_WITHIN).await.unwrap_or_else(|error| panic!("{error}"));
    let green = run(stores, &herd()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(green.report.goal_held(), "{:#?}", green.report);
}

async fn a_master_that_dies_is_told(stores: &Arc<Stores>) {
    let (node, _) = stores.delete_shared(&Key::new("expensive:calculation")).await.expect("an answer");
    let master = stores.harness().redis(node).expect("the node is ours");
    expect_death(stores, master.pid(), &node.to_string()).await;
}

/// What `--redis` and `--postgres` are given.
fn named(owner: &Owner) -> [String; 4] {
    let (redis, postgres) = owner.urls();
    ["--redis".to_owned(), redis, "--postgres".to_owned(), postgres]
}

async fn somebody_elses_servers_are_asked_whether_they_lived(owner: &Owner) {
    let stores = owner.invite().await;
    let primary = owner.primary_server();
    let reborn = struck(&stores, async || {
        primary.kill();
        primary.restart(BACK_WITHIN).await.unwrap_or_else(|error| panic!("{error}"));
    });
    let said = disturbances(reborn.await);
    let of_primary = |disturbance: &Disturbance| matches!(disturbance, Disturbance::Reborn { node, .. } if node.starts_with("pg-primary"));
    assert!(said.iter().any(of_primary), "{said:?}");

    let replica = RedisNode::Replica(0);
    let gone = struck(&stores, async || owner.redis_server(replica).kill());
    // Nobody but the witness reads from it.
    gone.await.unwrap_or_else(|error| panic!("{error}"));
    owner.redis_server(replica).restart(BACK_WITHIN).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Somebody's view of the lab's table keeps the table.
async fn a_run_that_is_over_is_told_although_something_is_left(owner: &mut Owner) {
    owner.reconnect().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("run.jsonl");
    let mut command = lab();
    command.args(["run", "stampede-lock", "--policy", "lock", "--set", "compute-ms=1000", "--json"]);
    command.args(["--world", "real", "--trace"]).arg(&file).args(named(owner));
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("lab runs");
    owner.begun().await;
    owner.execute("CREATE VIEW public.mine AS SELECT * FROM cache_lab.data").await;
    let output = running.wait_with_output().expect("it ends");
    owner.execute("DROP VIEW public.mine; DROP SCHEMA cache_lab CASCADE").await;
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the report is whole");
    assert_eq!(report["seeds"]["held"], 1, "{report:#}");
    let recording = Recording::read(&fs::read_to_string(&file).expect("text"));
    assert_eq!(recording.expect("a whole recording").unfinished, None);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the run is over") && said.contains("DROP SCHEMA cache_lab"), "{said}");
}

/// Every line is tried and told, whatever became of those before it.
async fn an_error_stays_in_its_line(owner: &Owner) {
    owner.tell(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let mut command = lab();
    let output = command.args(["verify", "--world", "real"]).args(named(owner)).output().expect("lab runs");
    owner.tell(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    for id in ScenarioId::ALL {
        for preset in id.scenario().presets {
            let is_its =
                |line: &&str| line.starts_with(id.slug()) && line.contains(&format!(" {} ", preset.name));
            let line = table.lines().find(is_its).unwrap_or_else(|| panic!("{id} {}: {table}", preset.name));
            assert!(line.contains("ERROR: ") && line.contains("OOM"), "{line}");
        }
    }
}

/// A recording of a run without a verdict says so.
async fn a_run_without_a_verdict_is_recorded(owner: &Owner) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("run.jsonl");
    let mut command = lab();
    command.args(["run", "stampede-lock", "--policy", "lock", "--set", "compute-ms=2000"]);
    command.args(["--world", "real", "--trace"]).arg(&file).args(named(owner));
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("lab runs");
    owner.begun().await;
    kill_process(Pid::from_child(&running), Signal::STOP).expect("it runs");
    tokio::time::sleep(STOP).await;
    kill_process(Pid::from_child(&running), Signal::CONT).expect("it is there");
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("the lab itself was stopped"), "{}", told(&output));
    let recording = Recording::read(&fs::read_to_string(&file).expect("text")).expect("a whole recording");
    assert!(recording.unfinished.is_some_and(|why| why.contains("the lab itself was stopped")));
    owner.expect_clean("a run without a verdict").await;
}

/// A server of `lab up` that dies is told while it goes on, with what to do.
fn lab_up_tells_of_a_death() {
    let mut command = lab();
    let mut up =
        Running(command.arg("up").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("lab"));
    up.read_until("ready");
    let is_primary = |process: &support::Process| {
        process.command.contains("pg-primary") && !process.command.contains("setpriv")
    };
    let primary = descendants(up.0.id()).into_iter().find(is_primary).expect("a primary");
    kill(primary.pid);
    let mut said = String::new();
    for line in BufReader::new(up.0.stderr.take().expect("a pipe")).lines() {
        said.push_str(&line.expect("text"));
        if said.contains("starts all anew") {
            break;
        }
    }
    assert!(said.contains("pg-primary ended (signal: 9 (SIGKILL))"), "{said}");
    up.signal(Signal::TERM);
    assert_eq!(up.ends_within(BACK_WITHIN), Some(3));
}

/// One test, since two clusters at a time would make a small machine miss deadlines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_scenario_is_not_about_gives_no_verdict() {
    let stores = Arc::new(Stores::start().await.unwrap_or_else(|error| panic!("{error}")));
    a_store_that_refuses_is_told_with_its_own_words(&stores).await;
    a_lab_that_was_stopped_says_so(&stores).await;
    a_server_that_somebody_stopped_is_told(&stores).await;
    a_run_that_nothing_disturbs_has_a_verdict(&stores).await;
    a_primary_that_dies_is_told(&stores).await;
    a_master_that_dies_is_told(&stores).await;
    drop(stores);

    let mut owner = Owner::start().await;
    an_error_stays_in_its_line(&owner).await;
    a_run_without_a_verdict_is_recorded(&owner).await;
    somebody_elses_servers_are_asked_whether_they_lived(&owner).await;
    a_run_that_is_over_is_told_although_something_is_left(&mut owner).await;
    drop(owner);

    lab_up_tells_of_a_death();
}
