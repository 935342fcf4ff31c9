//! `PgBouncer` before a PostgreSQL, as a process of the test's.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::poll;

/// Where Debian puts it, and where others do.
const PROGRAMS: [&str; 2] = ["/usr/sbin/pgbouncer", "pgbouncer"];

/// A running `PgBouncer`. It ends when the test forgets it.
pub(crate) struct Pooler {
    process: Child,
    /// Where it listens.
    pub(crate) listens: SocketAddr,
    _directory: TempDir,
}

impl Pooler {
    /// Starts one that hands out sessions of `postgres` by the session or by the transaction.
    pub(crate) fn start(postgres: SocketAddr, user: &str, password: &str, pool_mode: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let place = directory.path();
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let listens = free_address();
        let users = place.join("users.txt");
        fs::write(&users, format!("\"{user}\" \"{password}\"\n")).expect("a file");
        let settings = place.join("pgbouncer.ini");
        let (host, port) = (postgres.ip(), postgres.port());
        let text = format!(
            "[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = {pool_mode}\n\
             default_pool_size = 60\n",
            listens.ip(),
            listens.port(),
            users.display()
        );
        fs::write(&settings, text).expect("a file");
        let process = PROGRAMS.iter().find_map(|program| {
            // It refuses to run as root.
            let mut command = if rustix::process::getuid().is_root() {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
                command
            } else {
                Command::new(program)
            };
            let found = Command::new(program).arg("--version").output().is_ok();
            let command = command.arg("--quiet").arg(&settings).stdin(Stdio::null());
            found.then(|| command.spawn().expect("pgbouncer can be started"))
        });
        let process = process
            .expect("pgbouncer is not installed: run `cargo xtask setup`, or `apt-get install pgbouncer`");
        let pooler = Self { process, listens, _directory: directory };
        poll(Duration::from_secs(10), || TcpStream::connect(listens).ok()).expect("pgbouncer listens");
        pooler
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
