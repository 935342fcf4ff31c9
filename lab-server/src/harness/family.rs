//! Which processes belong together, as `/proc` tells: who descends from whom, and who is in whose process group.
//! One file a process is read anew at each look, and no list is kept that could be out of date.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A process as it was at one look. When it was started tells it apart from a later one with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: Pid,
    state: char,
    parent: i32,
    group: i32,
    started: u64,
}

impl Member {
    /// The process of that number, if there is one.
    pub(crate) fn look(pid: Pid) -> Option<Self> {
        // Number, name in parentheses (which may hold anything, so that fields are counted from its end), state,
        // parent, group; the 20th of these is the start.
        let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            pid,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether it was more than a zombie at that look.
    pub(crate) fn lived(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    /// Whether it could still fork at that look: it lived, and was not stopped.
    pub(crate) fn moved(&self) -> bool {
        self.lived() && !matches!(self.state, 'T' | 't')
    }

    /// Whether it was stopped at that look.
    pub(crate) fn was_stopped(&self) -> bool {
        self.state == 'T'
    }

    /// Whether it lives now, running or stopped.
    pub(crate) fn is_living(&self) -> bool {
        Self::look(self.pid).is_some_and(|now| now.started == self.started && now.lived())
    }

    /// Whether this is its working directory.
    pub(crate) fn works_in(&self, directory: &Path) -> bool {
        fs::read_link(format!("/proc/{}/cwd", self.pid.as_raw_pid())).is_ok_and(|works| works == directory)
    }

    /// Sends it a signal. The only failure left is that it has just ended.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }

    /// Whether this process was forked by that one.
    pub(crate) fn is_child_of(&self, parent: Pid) -> bool {
        self.parent == parent.as_raw_pid()
    }
}

/// Every process that lives now.
pub(crate) fn everybody() -> Vec<Member> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.flatten().filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter_map(Member::look).filter(Member::lived).collect()
}

/// The process, whoever is in its group, and all that descend from these: the group still holds grandchildren
/// whose parents have ended, and descent finds those who have made a session of their own, as PostgreSQL's
/// backends do.
pub(crate) fn of(root: Pid) -> Vec<Member> {
    let (mut family, mut others): (Vec<_>, Vec<_>) =
        everybody().into_iter().partition(|member| member.pid == root || member.group == root.as_raw_pid());
    let mut next = 0;
    while let Some(parent) = family.get(next).map(|member| member.pid) {
        family.extend(others.extract_if(.., |member| member.is_child_of(parent)));
        next += 1;
    }
    family
}
