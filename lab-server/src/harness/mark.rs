//! What tells the harness's children, and all that these start, from everybody else's processes: each has one
//! empty file of ours open, as its standard input and as descriptor 9. A session of its own, another group, the
//! death of its parent or of the lab takes neither away, and nobody else opens that file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::family::{self, Member};

const FILE: &str = "children";

/// Where a child has it open. A shell gives what it starts in the background another standard input; some
/// programs close what they were not told of.
const DESCRIPTORS: [u8; 2] = [0, 9];

/// Between two looks at those who are dying.
const POLL: Duration = Duration::from_millis(2);

/// The file by which children are known.
#[derive(Clone, Debug)]
pub(crate) struct Mark(PathBuf);

impl Mark {
    /// Makes the file.
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let mark = Self::of(directory);
        File::create_new(&mark.0)?;
        Ok(mark)
    }

    /// The mark of a directory that may be somebody else's, whose path has no link in it.
    pub(crate) fn of(directory: &Path) -> Self {
        Self(directory.join(FILE))
    }

    /// For a child's standard input; from there it goes to descriptor 9.
    pub(crate) fn open(&self) -> io::Result<File> {
        File::open(&self.0)
    }

    /// Who has it open. The links are read, not followed: whatever hangs behind somebody's is left alone.
    pub(crate) fn bearers(&self) -> Vec<Member> {
        let ourselves = rustix::process::getpid();
        let bears = |member: &Member| {
            let pid = member.pid.as_raw_pid();
            DESCRIPTORS.iter().any(|descriptor| {
                fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).is_ok_and(|target| target == self.0)
            })
        };
        family::everybody().into_iter().filter(|member| member.pid != ourselves && bears(member)).collect()
    }

    /// Kills them all, and waits until they are gone: whether they are.
    pub(crate) fn end_all(&self, within: Duration) -> bool {
        self.end(within, |_| true)
    }

    /// The same of those that work in this directory.
    pub(crate) fn end_all_in(&self, directory: &Path, within: Duration) -> bool {
        self.end(within, |member| member.works_in(directory))
    }

    fn end(&self, within: Duration, is_meant: impl Fn(&Member) -> bool) -> bool {
        let limit = Instant::now() + within;
        // One that forks and ends between two looks shows at the second.
        let mut clear_looks = 0;
        while clear_looks < 2 {
            let mut bearers = self.bearers();
            bearers.retain(&is_meant);
            clear_looks = if bearers.is_empty() { clear_looks + 1 } else { 0 };
            for bearer in &bearers {
                bearer.signal(Signal::KILL);
            }
            while bearers.iter().any(Member::is_living) {
                if Instant::now() > limit {
                    return false;
                }
                thread::sleep(POLL);
            }
        }
        true
    }
}
