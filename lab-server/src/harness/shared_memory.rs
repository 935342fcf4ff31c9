//! The System V shared memory of PostgreSQL servers that were killed: one segment of 56 bytes each, by which a
//! server sees that another uses its data directory. A killed server cannot free it, and the system allows some
//! thousand in all.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A segment as the system names it.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    key: u32,
    id: u32,
}

/// Frees the segments of the servers whose data directories lie in this one. Their processes are dead; what
/// cannot be freed stays, and does no harm.
pub(crate) fn free(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let Ok(in_use) = fs::read_to_string("/proc/sysvipc/shm") else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(pid_file) = fs::read_to_string(entry.path().join("postmaster.pid")) else {
            continue;
        };
        if let Some(segment) = segment_of(&pid_file)
            && is_abandoned(&segment, &in_use)
        {
            let _ = Command::new("ipcrm").args(["-m", &segment.id.to_string()]).output();
        }
    }
}

/// Line 7 of `postmaster.pid`: key and id.
fn segment_of(pid_file: &str) -> Option<Segment> {
    let mut words = pid_file.lines().nth(6)?.split_whitespace();
    Some(Segment { key: words.next()?.parse().ok()?, id: words.next()?.parse().ok()? })
}

/// Whether the system still has this very segment and nobody is attached to it. Columns of `/proc/sysvipc/shm`:
/// key (signed), id, permissions, size, creator, last user, number attached.
fn is_abandoned(segment: &Segment, in_use: &str) -> bool {
    in_use.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [key, id, _, _, _, _, attached, ..] = columns[..] else {
            return false;
        };
        key.parse::<i32>().is_ok_and(|key| key.cast_unsigned() == segment.key)
            && id.parse() == Ok(segment.id)
            && attached == "0"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_USE: &str = "
       key      shmid perms                  size  cpid  lpid nattch   uid   gid
  10019080      65537   600                    56   747   747      0   105   112
-2137483646     65538   600                    56   748   748      6   105   112";

    #[test]
    fn only_the_abandoned_segment_of_the_same_key_is_freed() {
        let pid_file = "747\n/data\n1795368018\n15432\n\n127.0.3.1\n 10019080     65537\nready\n";
        let segment = segment_of(pid_file).expect("a segment");
        assert_eq!(segment, Segment { key: 10_019_080, id: 65537 });
        assert!(is_abandoned(&segment, IN_USE));
        assert!(!is_abandoned(&Segment { key: 10_019_081, id: 65537 }, IN_USE), "another program's by now");
        assert!(!is_abandoned(&Segment { key: 2_157_483_650, id: 65538 }, IN_USE), "somebody is attached");
        assert_eq!(segment_of("747\n/data\n"), None);
    }
}
