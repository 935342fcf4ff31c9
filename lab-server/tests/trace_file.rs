//! A recording is written whole or not at all: what was there before stays until then, keeps its rights, and is not
//! replaced where it is no file.

mod support;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use lab_core::recording::Recording;
use support::{lab, told};

/// A run whose recording has some hundred kilobytes.
const RUN: &str = "run stampede-lock --policy lock";

/// Runs `lab` from a shell, after `first` and before `then`.
fn shell(first: &str, then: &str) -> Output {
    let line = format!("{first}; exec {} {RUN} {then}", lab().get_program().display());
    Command::new("sh").args(["-c", &line]).output().expect("a shell")
}

fn expect_recording(text: &str) {
    Recording::read(text).unwrap_or_else(|error| panic!("{error}"));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A limit on the size of a file ends a write as a full disk does.
#[test]
fn a_full_disk_costs_no_older_recording() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("run.jsonl");
    let full = || shell("trap '' XFSZ; ulimit -f 8", &format!("--trace {}", file.display()));
    let output = full();
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("write") && told(&output).contains("run.jsonl"), "{}", told(&output));
    assert!(names(directory.path()).is_empty(), "a part of a recording is of no use");
    assert!(told(&output).contains("the goal held"), "the verdict is not lost: {}", told(&output));

    fs::write(&file, "an older one").expect("written");
    let output = full();
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "an older one");
    assert_eq!(names(directory.path()), ["run.jsonl"]);
}

#[test]
fn a_file_keeps_its_rights_and_a_link_its_target() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, link) = (directory.path().join("run.jsonl"), directory.path().join("link"));
    symlink("run.jsonl", &link).expect("a link");
    let trace = format!("--trace {}", link.display());
    // What is behind a link need not exist.
    let output = shell("umask 027", &trace);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(mode(&file), 0o640, "a new file has what the umask leaves");
    fs::set_permissions(&file, Permissions::from_mode(0o604)).expect("it is ours");
    fs::write(&file, "an older one").expect("written");
    let output = shell(":", &trace);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(mode(&file), 0o604);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    expect_recording(&fs::read_to_string(&file).expect("text"));
    assert_eq!(names(directory.path()).len(), 2, "{:?}", names(directory.path()));
}

#[test]
fn what_is_no_file_is_written_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let reader = {
        let pipe = pipe.clone();
        thread::spawn(move || fs::read_to_string(pipe).expect("text"))
    };
    let output = shell(":", &format!("--trace {}", pipe.display()));
    assert!(output.status.success(), "{}", told(&output));
    expect_recording(&reader.join().expect("no panic"));

    let output = shell(":", "--trace /dev/full");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(
        told(&output).contains("/dev/full") && told(&output).contains("the goal held"),
        "{}",
        told(&output)
    );
}

/// Also where it is a file: both are written one after the other.
#[test]
fn standard_output_takes_the_recording_and_then_the_report() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("out");
    let mut command = lab();
    command.args(RUN.split_whitespace()).args(["--trace", "/dev/stdout"]).stdin(Stdio::null());
    let status = command.stdout(File::create(&file).expect("a file")).status().expect("lab runs");
    assert!(status.success(), "{status}");
    let text = fs::read_to_string(&file).expect("text");
    let (recording, report) = text.split_once("stampede-lock: ").expect("a report behind the recording");
    expect_recording(recording);
    assert!(report.contains("the goal held"), "{report}");
}
