//! The command line: exit codes, the shape of its JSON, and what it says to wrong usage.

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

use lab_core::recording::Recording;
use lab_core::report::WorldKind;
use lab_core::scenario::{Lang, Role, ScenarioId};
use rustix::process::Signal;
use serde_json::Value;
use support::{Running, descendants, run, told};

fn code(arguments: &str) -> i32 {
    let output = run(arguments);
    output.status.code().unwrap_or_else(|| panic!("lab {arguments} was killed: {}", told(&output)))
}

fn json(arguments: &str) -> Value {
    let output = run(arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("lab {arguments}: {error}: {}", told(&output)))
}

#[test]
fn a_red_run_fails_and_says_how_to_see_it_again() {
    let output = run("run invalidation-delay --seeds 3 --set bus-delay-ms=80");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("(scenario invalidation-delay, policy lesson, seed 1)"), "{said}");
    let again = said.lines().find_map(|line| line.trim().strip_prefix("lab ")).expect("a command to copy");
    assert_eq!(again, "run invalidation-delay --policy lesson --seed 1 --set bus-delay-ms=80");
    assert_eq!(code(again), 1);
}

#[test]
fn a_green_run_holds() {
    assert_eq!(code("run invalidation-delay --policy acknowledged --seeds 10"), 0);
    assert_eq!(code("run stampede-lock --policy lock --seed 7"), 0);
}

/// What a green names as its limit is told as that, with what went wrong besides; what it survives is no failure.
#[test]
fn a_green_in_trouble_says_what_broke_and_whether_that_is_its_limit() {
    let output = run("run thundering-herd --policy lease --seed 8 --under redis-away");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let (said, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("beyond its bound: one-query; this policy names that as its limit"), "{said}");
    let struck: Vec<f64> = noted
        .lines()
        .filter_map(|line| line.trim().strip_prefix("at ")?.split_whitespace().next()?.parse().ok())
        .collect();
    assert!(!struck.is_empty() && struck.is_sorted(), "{noted}");

    let survived =
        "run stampede-lock --policy lock --seed 25 --under server-killed,redis-restarted,primary-restarted";
    let output = run(survived);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("less    all-answered") && !said.contains("FAILED"), "{said}");
    let report = json(&format!("{survived} --json"));
    assert_eq!(report["overstepped"], Value::Array(Vec::new()), "{report}");
    assert!(!report["interventions"].as_array().is_some_and(Vec::is_empty), "{report}");
    assert_eq!(json("run stampede-lock --json")["interventions"], Value::Null);

    assert_eq!(code("run stampede-lock --under all --world real"), 2, "it is for the simulator");
    assert_eq!(code("run stampede-lock --under all --seeds 3"), 2, "and for one seed");
    assert_eq!(code("run stampede-lock --under nonsense"), 2);
}

#[test]
fn the_report_is_json_with_its_fields() {
    let report = json("run stampede-lock --seeds 4 --json");
    assert_eq!(report["scenario"], "stampede-lock");
    assert_eq!(report["world"], "sim");
    assert_eq!(report["policy"], "unprotected");
    assert_eq!(report["seeds"]["tried"], 4);
    assert_eq!(report["seeds"]["held"], 0);
    assert_eq!(report["seeds"]["first_failing"], 1);
    assert_eq!(report["demonstration"], true);
    assert!(report["figures"]["computations"]["value"].as_f64().is_some_and(|computed| computed > 1.0));
    let check = &report["checks"][0];
    assert_eq!(check["id"], "computed-once");
    assert_eq!(check["holds"], false);
    assert!(check["seen"].is_u64() && check["wanted"].is_object(), "{check}");
    assert_eq!(json("run stampede-lock --policy lock --json")["seeds"]["first_failing"], Value::Null);
}

#[test]
fn the_same_seed_gives_the_same_run_and_the_trace_is_that_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("run.jsonl");
    let arguments = format!("run stampede-lock --seed 5 --json --trace {}", file.display());
    let report = json(&arguments);
    let lines = fs::read_to_string(&file).expect("the trace");
    let recording = Recording::read(&lines).expect("a whole recording");
    assert_eq!((recording.spec.seed, recording.world), (5, WorldKind::Sim));
    let trace = recording.trace;
    assert_eq!(report["digest"], format!("{:016x}", trace.digest()));
    assert_eq!(report["events"], trace.events.len());
    assert_eq!(json(&arguments), report);
    assert_ne!(json("run stampede-lock --seed 6 --json")["digest"], report["digest"]);
}

#[test]
fn a_run_that_fails_leaves_the_place_of_its_trace_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("run.jsonl");
    let nowhere = "--redis redis://127.0.0.1:1 --postgres postgresql://lab@127.0.0.1:1/lab";
    let fails = format!("run stampede-lock --world real {nowhere} --trace {}", file.display());
    assert_eq!(code(&fails), 3);
    assert!(!file.exists(), "an empty file is no recording");

    // Longer than the recording that takes its place in the end.
    let notes = "mine\n".repeat(1_000_000);
    fs::write(&file, &notes).expect("a file of the user's");
    assert_eq!(code(&fails), 3);
    assert!(fs::read_to_string(&file).expect("it is there") == notes, "the user's file was changed");
    assert_eq!(code(&format!("run stampede-lock --policy lock --trace {}", file.display())), 0);
    Recording::read(&fs::read_to_string(&file).expect("the trace")).expect("a whole recording");
}

#[test]
fn wrong_usage_is_told_apart() {
    let cases = [
        ("", "Usage"),
        ("run", "<SCENARIO>"),
        ("run nothing", "stampede-lock"),
        ("run stampede-lock --policy lease", "lock-push"),
        ("run stampede-lock --set clients=3", "compute-ms"),
        ("run stampede-lock --set requests=1000", "between"),
        ("run stampede-lock --set requests", "KNOB=VALUE"),
        ("run stampede-lock --seed 1 --seeds 2", "cannot be used with"),
        ("run stampede-lok", "'stampede-lock'"),
        ("run stampede-lock --seeds 0", "from 1 to 1000000"),
        ("run stampede-lock --seeds -1", "from 1 to 1000000"),
        ("run stampede-lock --seed one", "a whole number"),
        ("verify --seeds 1000001", "from 1 to 1000000"),
        ("run stampede-lock --trace /nonexistent/run.jsonl", "--trace /nonexistent/run.jsonl"),
        ("run stampede-lock --world moon", "sim, real"),
        ("run stampede-lock --world real --redis redis://127.0.0.1:1", "--postgres"),
        (
            "run stampede-lock --redis redis://127.0.0.1:1 --postgres postgresql://127.0.0.1:1/x",
            "--world real",
        ),
        ("serve --dist /nonexistent", "index.html"),
        ("serve --listen nowhere", "--listen"),
    ];
    for (arguments, hint) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "lab {arguments}: {}", told(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(hint), "lab {arguments}: {}", told(&output));
    }
}

#[test]
fn a_world_that_cannot_be_had_is_told_apart() {
    let nowhere = "--redis redis://127.0.0.1:1 --postgres postgresql://lab@127.0.0.1:1/lab";
    let output = run(&format!("run stampede-lock --world real {nowhere}"));
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("127.0.0.1:1") && said.contains("lab up"), "{said}");
    // At once, before any simulation.
    let output = run(&format!("verify --world both {nowhere}"));
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(output.stdout.is_empty(), "{}", told(&output));
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address");
    let output = run(&format!("serve --listen {address}"));
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&address.to_string()) && said.contains("another port with --listen"), "{said}");
}

/// A passphrase in a URL is the user's.
#[test]
fn no_password_is_printed() {
    let nowhere = "--redis redis://u:geheim@127.0.0.1:1 --postgres postgresql://lab:geheim@127.0.0.1:1/lab";
    for urls in [nowhere, "--redis redis:geheim --postgres postgresql://lab:geheim@127.0.0.1:1/lab"] {
        let output = run(&format!("run stampede-lock --world real {urls}"));
        assert!(!told(&output).contains("geheim"), "{}", told(&output));
    }
    // A piece of these would be taken for the host.
    for urls in [
        "--redis redis://127.0.0.1:1 --postgres postgresql://lab:ge@heim@127.0.0.1:1/lab",
        "--redis redis://u:12?heim@127.0.0.1:1 --postgres postgresql://lab@127.0.0.1:1/lab",
        "--redis redis://u:12,heim@127.0.0.1:1 --postgres postgresql://lab@127.0.0.1:1/lab",
    ] {
        let output = run(&format!("run stampede-lock --world real {urls}"));
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        assert!(!told(&output).contains("heim"), "{}", told(&output));
        assert!(told(&output).contains("@ is written %40"), "{}", told(&output));
    }
}

#[test]
fn the_help_teaches() {
    let help = String::from_utf8(run("--help").stdout).expect("text");
    assert!(help.contains("lab run invalidation-delay --policy acknowledged"), "{help}");
    assert!(help.contains("Exit codes"), "{help}");
    // It is wrapped to the terminal.
    let words: Vec<_> = help.split_whitespace().collect();
    for id in ScenarioId::ALL {
        assert!(words.join(" ").contains(&id.words(Lang::En).goal()), "{help}");
    }
}

#[test]
fn the_course_is_listed() {
    let course = json("scenarios --json");
    assert_eq!(course.as_array().map(Vec::len), Some(15));
    assert_eq!(course[3]["slug"], "thundering-herd");
    assert_eq!(course[3]["presets"][0]["role"], "red");
    let listed = String::from_utf8(run("scenarios").stdout).expect("text");
    let coming = listed.lines().filter(|line| line.ends_with("(coming)")).count();
    assert_eq!(coming, 15 - ScenarioId::ALL.len(), "{listed}");
}

fn presets() -> usize {
    ScenarioId::ALL.iter().map(|id| id.scenario().presets.len()).sum()
}

#[test]
fn the_table_says_ok_in_the_simulator() {
    let output = run("verify --seeds 3");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(table.lines().filter(|line| line.ends_with("  ok")).count(), presets(), "{table}");
    assert!(table.ends_with(&format!("{0} of {0} as expected\n", presets())), "{table}");
}

#[test]
fn only_the_kinds_that_are_asked_for_are_verified() {
    let output = run("verify --seeds 1 --only wrong,partial");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = ScenarioId::ALL.iter().flat_map(|id| id.scenario().presets);
    let asked = all.filter(|preset| matches!(preset.role, Role::Wrong | Role::Partial(_))).count();
    assert_eq!(table.lines().filter(|line| line.ends_with("  ok")).count(), asked, "{table}");
    assert!(table.ends_with(&format!("{asked} of {asked} as expected\n")), "{table}");
}

/// What a shell makes of a line that was copied into it, with `lab` on its PATH.
fn in_shell(line: &str) -> Output {
    let lab = Path::new(env!("CARGO_BIN_EXE_lab")).parent().expect("a directory").display();
    let path = format!("{lab}:{}", env::var("PATH").expect("a PATH"));
    Command::new("/bin/sh").args(["-c", line]).env("PATH", path).output().expect("a shell")
}

/// Each line is given to a shell as it stands, with a question at its end.
fn what_is_printed_works_when_it_is_copied(lines: &[String]) {
    let ask = |line: &str, question: &str| {
        let command = line.split_once(char::is_whitespace).expect("a node and its command").1;
        let output = in_shell(&format!("{command} {question}"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let (redis, postgres): (Vec<_>, Vec<_>) = (
        lines.iter().filter(|line| line.starts_with("redis-")).collect(),
        lines.iter().filter(|line| line.starts_with("pg-")).collect(),
    );
    assert_eq!((redis.len(), postgres.len()), (6, 3), "{lines:#?}");
    for line in redis {
        assert_eq!(ask(line, "PING"), "PONG", "{line}");
    }
    for line in postgres {
        assert_eq!(ask(line, "-At -c 'SELECT current_user'"), "lab", "{line}");
        assert!(line.contains("//lab@"), "no password stands in a command: {line}");
    }
    let url =
        |start: &str| lines.iter().map(|line| line.trim()).find(|line| line.starts_with(start)).expect(start);
    let redis = format!("x redis-cli --no-auth-warning -u {}", url("redis://"));
    assert_eq!(ask(&redis, "PING"), "PONG", "{redis}");
    let postgres = format!("x psql -At {}", url("postgresql://"));
    assert_eq!(ask(&postgres, "-c 'SELECT 1'"), "1", "{postgres}");
}

/// Servers that somebody else runs, played by a `lab up`: scenarios without faults run there and leave nothing
/// behind; a fault is refused with a reason; and `lab up` ends on SIGTERM with all of its servers.
#[test]
fn named_servers_are_used_and_not_broken() {
    let mut up = Running::start("up");
    let lines = up.read_until("ready");
    what_is_printed_works_when_it_is_copied(&lines);
    let command = lines.iter().find(|line| line.contains(" lab run ")).expect("a command to copy");
    let (environment, of_lab) = command.split_once(" lab ").expect("a command of lab");
    let (as_printed, named) = of_lab.split_at(of_lab.find("--redis").expect("servers to name"));
    let run = |arguments: &str| in_shell(&format!("{environment} lab {arguments} {named}"));
    assert_eq!(run(as_printed).status.code(), Some(1), "an unprotected run is red: {command}");

    for _ in 0..2 {
        let output = run("run stampede-lock --world real --policy lock-push");
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
    let output = run("run invalidation-delay --world real");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("without --redis and --postgres"),
        "{}",
        told(&output)
    );
    // The refused run has left nothing either.
    let output = run("run stampede-lock --world real --policy lock");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));

    let output = run("verify --world real");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let need_faults = [ScenarioId::InvalidationDelay, ScenarioId::LostInvalidation, ScenarioId::StaleSetRace];
    let not_run: usize = need_faults.iter().map(|id| id.scenario().presets.len()).sum();
    assert_eq!(table.lines().filter(|line| line.ends_with("not run: it needs faults")).count(), not_run);
    assert_eq!(table.lines().filter(|line| line.contains("  ok")).count(), presets() - not_run, "{table}");

    let children = descendants(up.0.id());
    up.signal(Signal::TERM);
    assert_eq!(up.0.wait().expect("it ends").code(), Some(0));
    let left: Vec<_> = children.iter().filter(|child| child.is_running()).collect();
    assert!(left.is_empty(), "still running: {left:#?}");
}
