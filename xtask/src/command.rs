//! Run a command: show its command line first, and name it again when it fails.
//!
//! Not a shell: every command is a program with its arguments.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

/// How long the output of a command may stay open after the command itself has ended.
const OUTPUT_LINGERS_MAX: Duration = Duration::from_secs(5);

/// Shows the command line, runs it with the output of xtask itself, and fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    announce(command);
    let status = command.status().with_context(|| could_not_start(command))?;
    judge(command, status)
}

/// Runs the command quietly and returns what it wrote to standard output, or nothing when it cannot be started
/// or fails. For questions to which "no such program" is an ordinary answer.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Like [`run`], and returns the lines that `keep` wants of what the command wrote (to both outputs, in order).
///
/// Fails too when the command has ended and something that it started still holds its output: a test has then
/// left a process behind.
pub(crate) fn run_keeping(mut command: Command, keep: fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
    announce(&command);
    let (reader, writer) = io::pipe().context("could not open a pipe")?;
    command.stdout(writer.try_clone().context("could not open a pipe")?).stderr(writer);
    let mut child = command.spawn().with_context(|| could_not_start(&command))?;
    let line = command_line(&command);
    // The command holds the writing end; while it lives, the reader would wait for ever.
    drop(command);

    let (sender, kept) = mpsc::channel();
    thread::spawn(move || sender.send(pass_through(reader, keep)));
    let status = child.wait().with_context(|| format!("could not wait for `{line}`"))?;
    let kept = kept.recv_timeout(OUTPUT_LINGERS_MAX);
    judge_line(&line, status)?;
    match kept {
        Ok(kept) => kept.with_context(|| format!("could not read what `{line}` wrote")),
        Err(_) => bail!("`{line}` has ended, but a process that it started still holds its output"),
    }
}

/// Copies the reader to standard output line by line and returns the lines that `keep` wants.
fn pass_through(reader: io::PipeReader, keep: fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut reader = BufReader::new(reader);
    let mut kept = Vec::new();
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        io::stdout().write_all(&bytes)?;
        let line = String::from_utf8_lossy(&bytes);
        if keep(line.trim()) {
            kept.push(line.trim_end().to_owned());
        }
        bytes.clear();
    }
    Ok(kept)
}

/// The command as one would type it, with the environment that was set for it but without PATH.
pub(crate) fn command_line(command: &Command) -> String {
    let mut line = String::new();
    for (name, value) in command.get_envs() {
        let (name, value) = (name.to_string_lossy(), value.map(|value| value.to_string_lossy()));
        match value {
            Some(value) if name != "PATH" && name != "NO_COLOR" => {
                let _ = write!(line, "{name}={} ", quoted(&value));
            }
            _ => {}
        }
    }
    line.push_str(&quoted(&command.get_program().to_string_lossy()));
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&quoted(&argument.to_string_lossy()));
    }
    line
}

fn announce(command: &Command) {
    println!("$ {}", command_line(command));
}

fn could_not_start(command: &Command) -> String {
    format!("could not start `{}`", command_line(command))
}

fn judge(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    judge_line(&command_line(command), status)
}

fn judge_line(line: &str, status: ExitStatus) -> anyhow::Result<()> {
    if status.success() { Ok(()) } else { bail!("`{line}` failed: {status}") }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let mut command = Command::new("cargo");
        command.args(["test", "--", "a b", "it's"]).env("CI", "true").env("PATH", "/nowhere");
        assert_eq!(command_line(&command), r"CI=true cargo test -- 'a b' 'it'\''s'");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).expect_err("the shell exits with 3");
        assert_eq!(error.to_string(), "`sh -c 'exit 3'` failed: exit status: 3");
    }

    #[test]
    fn both_outputs_are_kept_in_order() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo keep 1; echo drop; echo keep 2 >&2; echo keep 3"]);
        let kept = run_keeping(command, |line| line.starts_with("keep")).expect("the shell exits with 0");
        assert_eq!(kept, ["keep 1", "keep 2", "keep 3"]);
    }
}
