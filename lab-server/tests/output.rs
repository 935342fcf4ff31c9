//! Where the output of a command goes, and what it says of a recording.

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Running, lab, run, told};

/// The simulator's part of it takes less than a second.
const SOON: Duration = Duration::from_secs(20);

const RED: &str = "run stampede-lock --seed 1";

fn command(arguments: &str) -> Command {
    let mut command = lab();
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("Linux has /dev/full")
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let commands = [
        "--help",
        "run --help",
        "--version",
        "scenarios",
        "scenarios --json",
        "run stampede-lock --policy lock --json",
        "run stampede-lock --policy lock",
        RED,
        "verify --seeds 1",
    ];
    for arguments in commands {
        let output = command(arguments).stdout(full()).output().expect("lab can be started");
        assert_eq!(output.status.code(), Some(3), "lab {arguments}: {}", told(&output));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("write to standard output: No space left"), "lab {arguments}: {said}");
    }
}

/// As of `lab verify | head -1`: what was wanted has been read.
#[test]
fn a_reader_that_has_seen_enough_ends_it_without_a_word() {
    for (arguments, codes) in
        [("scenarios --json", [0, 0]), (RED, [1, 1]), ("verify --seeds 3000", [141, 141])]
    {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("lab can be started");
        let mut first = [0];
        let mut reader = child.stdout.take().expect("its output is the test's to read");
        if arguments.starts_with("verify") {
            reader.read_exact(&mut first).expect("it says something");
        }
        drop(reader);
        let mut running = Running(child);
        let code = running.ends_within(SOON).unwrap_or_else(|| panic!("lab {arguments} goes on"));
        assert!(codes.contains(&code), "lab {arguments}: {code}");
        let mut said = String::new();
        let stderr = running.0.stderr.as_mut().expect("its errors are the test's to read");
        stderr.read_to_string(&mut said).expect("text");
        assert!(!said.contains("error") && !said.contains("panic"), "lab {arguments}: {said}");
    }
}

/// Neither a full nor a closed standard error changes what a command does.
#[test]
fn nobody_at_standard_error_is_no_panic() {
    let usage = "run nothing";
    let nowhere =
        "run stampede-lock --world real --redis redis://127.0.0.1:1 --postgres postgresql://u@127.0.0.1:1/x";
    for (arguments, code) in [(RED, 1), ("scenarios", 0), (usage, 2), (nowhere, 3)] {
        let output = command(arguments).stderr(full()).output().expect("lab can be started");
        assert_eq!(output.status.code(), Some(code), "lab {arguments} 2>/dev/full");
        let line = format!("exec {} {arguments} 2>&-", lab().get_program().to_string_lossy());
        let closed = Command::new("sh").arg("-c").arg(line).output().expect("a shell");
        assert_eq!(closed.status.code(), Some(code), "lab {arguments} 2>&-");
        assert_eq!(output.stdout, closed.stdout);
        let mut child = command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("lab");
        drop(child.stderr.take());
        assert_eq!(Running(child).ends_within(SOON), Some(code), "lab {arguments}, with errors nobody reads");
    }
}

#[test]
fn a_recording_is_checked() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("run.jsonl");
    let check = format!("recording check {}", file.display());
    let fails = |code: i32, words: &str| {
        let output = run(&check);
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(output.stdout.is_empty(), "{}", told(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{words}: {}", told(&output));
    };
    fails(3, "No such file");
    assert_eq!(run(&format!("{RED} --trace {}", file.display())).status.code(), Some(1));

    let output = run(&check);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = ["stampede-lock", "policy unprotected", "in the simulator", "seed 1", "events", "digest"];
    assert!(words.iter().all(|word| said.contains(word)) && said.lines().count() == 1, "{said}");
    let piped =
        lab().args(["recording", "check", "-"]).stdin(File::open(&file).expect("it is there")).output();
    assert_eq!(piped.expect("lab can be started").status.code(), Some(0));

    let whole = fs::read_to_string(&file).expect("text");
    let lines: Vec<_> = whole.lines().collect();
    for (text, words) in [
        (String::new(), "it is empty"),
        (lines[..lines.len() - 1].join("\n"), "it was cut off"),
        (lines[1..].join("\n"), "does not say which run it is"),
        (whole.replacen("\"seed\":1", "\"seed\":1,\"more\":2", 1), "more"),
    ] {
        fs::write(&file, text).expect("it can be written");
        fails(1, words);
    }
    fs::write(&file, [0xff, 0xfe]).expect("it can be written");
    fails(1, "it is no text");
    let directory = run(&format!("recording check {}", directory.path().display()));
    assert_eq!(directory.status.code(), Some(3), "{}", told(&directory));
}
