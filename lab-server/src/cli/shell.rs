//! Words for a POSIX shell: what is printed to be copied means the same there.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A path as one word of a command.
pub(super) fn word(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match path.to_str() {
        Some(text) if !text.contains(|c: char| c == '\'' || c.is_control()) => format!("'{text}'"),
        // A terminal may show other bytes otherwise than they are.
        _ => {
            let mut octal = String::new();
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = if is_plain(byte) && *byte != b'%' {
                    write!(octal, "{}", char::from(*byte))
                } else {
                    write!(octal, "\\{byte:03o}")
                };
            }
            format!("\"$(printf '{octal}')\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_the_same_path() {
        for path in [
            b"/tmp/cache-lab-1-aB/pgpass".as_slice(),
            b"/tmp/two words/$HOME `id`/pgpass",
            b"/tmp/it's \"so\"/pgpass",
            "/tmp/キャッシュ/pgpass".as_bytes(),
            b"/tmp/\xff\xfe 100%/pgpass",
        ] {
            let path = Path::new(OsStr::from_bytes(path));
            let script = format!("printf %s {}", word(path));
            let shell = Command::new("/bin/sh").args(["-c", &script]).output().expect("a shell");
            assert_eq!(shell.stdout, path.as_os_str().as_bytes(), "{script}");
        }
        assert_eq!(word(Path::new("/tmp/a-b/c")), "/tmp/a-b/c");
    }
}
