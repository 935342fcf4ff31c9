//! PostgreSQL: a primary and streaming replicas, each on an address of its own (127.0.3.j).
//!
//! Set for speed (`fsync=off`): a killed process loses nothing, since the operating system keeps its pages; a
//! killed machine would.
//!
//! Three roles, each with a drawn password: the superuser is the harness's own and an operator's; the app servers' role
//! owns its database and nothing else; the replicas' role streams and cannot log in otherwise.

use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use rustix::process::Signal;
use tokio_postgres::{Client, Config};

use super::binaries::Binaries;
use super::casualty::{Casualty, Stopped};
use super::error::HarnessError;
use super::links::Link;
use super::listener::Owner;
use super::mark::Mark;
use super::node::{Node, while_all_live};
use super::operator::Operator;
use super::password::{Password, Passwords};
use super::place::PostgresNode;
use super::ports;
use super::private;
use super::process::{Account, Deadline, Launch, Process};
use super::proxy::Proxy;

/// The superuser.
pub(crate) const OPERATOR: &str = "lab_operator";
/// The role of the app servers, and the database that it owns.
pub(crate) const APP: &str = "lab";
const DATABASE: &str = "lab";
/// The role of the replicas.
const REPLICATION: &str = "lab_replication";

/// How often a node is tried on another port when another program took its own.
const PORT_ATTEMPTS: usize = 5;

const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How long an immediate shutdown may take before the node is killed.
const SHUTDOWN_WITHIN: Duration = Duration::from_millis(500);

/// The same on every node. Slots keep the log of a stopped replica only up to a limit. Shared memory lies in
/// the data directory, so that a killed server leaves nothing in `/dev/shm`. A replica whose primary was out
/// of reach tries again soon.
const SETTINGS: &str = "
unix_socket_directories = ''
max_connections = 100
authentication_timeout = 5s
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
fsync = off
full_page_writes = off
wal_level = replica
wal_keep_size = 64MB
max_wal_senders = 10
max_replication_slots = 10
max_slot_wal_keep_size = 256MB
wal_retrieve_retry_interval = 200ms
hot_standby = on
";

/// Who may connect at all (`all` does not mean replication). Every local user can try.
fn host_authentication() -> String {
    format!(
        "host all {REPLICATION} all reject\n\
         host all all 127.0.0.0/8 scram-sha-256\n\
         host replication {REPLICATION} 127.0.0.0/8 scram-sha-256\n"
    )
}

/// A primary, then its replicas. Dropping it ends them.
pub(crate) struct PostgresCluster {
    pub(crate) nodes: Vec<PostgresServer>,
    /// The app servers'.
    password: Password,
}

/// One PostgreSQL node.
pub struct PostgresServer {
    name: PostgresNode,
    listens: SocketAddr,
    /// The superuser's.
    password: Password,
    owner: Owner,
    node: Node,
}

impl Drop for PostgresCluster {
    /// Lets all nodes shut down at once; each is then waited for.
    fn drop(&mut self) {
        for server in &self.nodes {
            server.shut_down();
        }
    }
}

impl Drop for PostgresServer {
    /// An immediate shutdown, as after a crash, but with the postmaster there to free its shared memory.
    fn drop(&mut self) {
        self.shut_down();
        self.process().end_within(SHUTDOWN_WITHIN);
    }
}

/// Where nodes live, as whom they run, and who may log in.
pub(crate) struct Site<'a> {
    pub(crate) binaries: &'a Binaries,
    pub(crate) mark: &'a Mark,
    /// Not there yet.
    pub(crate) directory: PathBuf,
    /// Another account than ours to run as.
    pub(crate) account: Option<&'a Account>,
    pub(crate) passwords: &'a Passwords,
    /// Whose programs the nodes are.
    pub(crate) owner: Owner,
    pub(crate) deadline: Deadline,
}

impl PostgresCluster {
    /// Starts the primary, then all replicas at once; ready when every replica streams and has replayed what
    /// the primary had. Each replica reaches the primary through a link of its own.
    pub(crate) async fn start(site: &Site<'_>, replicas: u8, proxy: &Proxy) -> Result<Self, HarnessError> {
        site.prepare()?;
        site.initdb().await?;
        let primary = site.start_node(PostgresNode::Primary, Vec::new()).await?;
        site.create_roles(&primary).await?;
        let names = (1..=replicas).map(PostgresNode::Replica);
        let starts = names.map(|name| {
            let primary = &primary;
            async move {
                let upstream = proxy.listen(upstream_address(name), primary.listens, Link::Wal(name))?;
                site.start_replica(name, primary, upstream).await
            }
        });
        let mut replicas = while_all_live(&[primary.process()], try_join_all(starts)).await?;
        let mut nodes = vec![primary];
        nodes.append(&mut replicas);
        Ok(Self { nodes, password: site.passwords.app.clone() })
    }

    /// How an app server connects to a node, directly or through the proxy.
    pub(crate) fn app_config(&self, address: SocketAddr) -> Config {
        config(address, APP, &self.password)
    }
}

impl Site<'_> {
    fn prepare(&self) -> Result<(), HarnessError> {
        private::make_passage(&self.directory, self.account)?;
        private::write(&self.configuration(), SETTINGS, self.account)?;
        private::write(&self.host_authentication(), &host_authentication(), self.account)?;
        let password = self.passwords.replication.as_str();
        private::write(&self.pass_file(), &format!("*:*:*:{REPLICATION}:{password}\n"), self.account)
    }

    /// One for all nodes, in the place of what initdb writes.
    fn configuration(&self) -> PathBuf {
        self.directory.join("postgresql.conf")
    }

    fn host_authentication(&self) -> PathBuf {
        self.directory.join("pg_hba.conf")
    }

    /// Where the replicas find their password.
    fn pass_file(&self) -> PathBuf {
        self.directory.join("replication.pgpass")
    }

    fn data_directory(&self, name: PostgresNode) -> PathBuf {
        self.directory.join(name.to_string())
    }

    fn launch(&self, name: String, program: &Path, arguments: Vec<OsString>) -> Launch {
        Launch {
            setpriv: self.binaries.setpriv.clone(),
            mark: self.mark.clone(),
            account: self.account.cloned(),
            program: program.to_owned(),
            arguments,
            directory: self.directory.clone(),
            log: self.directory.join(format!("{name}.log")),
            name,
        }
    }

    async fn initdb(&self) -> Result<(), HarnessError> {
        let data = self.data_directory(PostgresNode::Primary);
        private::make_directory(&data, self.account)?;
        let password = self.directory.join("operator.password");
        private::write(&password, self.passwords.operator.as_str(), self.account)?;
        let mut arguments: Vec<OsString> = vec!["-D".into(), data.into()];
        arguments.extend(["-U", OPERATOR, "-E", "UTF8", "--locale=C"].map(OsString::from));
        arguments.extend(["--auth=scram-sha-256", "--no-sync", "--no-instructions"].map(OsString::from));
        arguments.push(assigned("--pwfile=", &password));
        self.launch("initdb".to_owned(), &self.binaries.initdb, arguments).run(self.deadline).await?;
        fs::remove_file(&password).map_err(HarnessError::io(format!("remove {}", password.display())))
    }

    /// The roles and the database, before anybody else connects.
    async fn create_roles(&self, primary: &PostgresServer) -> Result<(), HarnessError> {
        let (app, replication) = (self.passwords.app.verifier(), self.passwords.replication.verifier());
        let roles = format!(
            "CREATE ROLE {APP} LOGIN PASSWORD '{app}'; \
             CREATE ROLE {REPLICATION} LOGIN REPLICATION PASSWORD '{replication}'"
        );
        let operator = primary.connect_to("postgres").await?;
        let created = operator.batch_execute(&roles).await;
        created.map_err(HarnessError::postgres("create the roles of the lab"))?;
        // A statement of its own: a database is not created within a transaction.
        let created = operator.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {APP}")).await;
        created.map_err(HarnessError::postgres(format!("create the database {DATABASE}")))
    }

    async fn start_replica(
        &self,
        name: PostgresNode,
        primary: &PostgresServer,
        upstream: SocketAddr,
    ) -> Result<PostgresServer, HarnessError> {
        // The name of a slot allows no hyphen.
        let slot = name.to_string().replace('-', "_");
        let data = self.data_directory(name);
        private::make_directory(&data, self.account)?;
        let mut arguments: Vec<OsString> = vec!["-D".into(), data.into()];
        arguments.extend(["-d".into(), self.connection_string(primary.listens, name)]);
        arguments.extend(["-C", "-S", &slot, "-R", "-X", "stream"].map(OsString::from));
        arguments.extend(["--checkpoint=fast", "--no-sync"].map(OsString::from));
        let copy = format!("pg_basebackup of {name}");
        self.launch(copy, &self.binaries.pg_basebackup, arguments).run(self.deadline).await?;
        let mut upstream_setting = OsString::from("primary_conninfo=");
        upstream_setting.push(self.connection_string(upstream, name));
        let replica = self.start_node(name, vec!["-c".into(), upstream_setting]).await?;
        primary.is_followed_by(&replica, self.deadline).await?;
        Ok(replica)
    }

    /// How a replica reaches the primary. Others can read it in the process list: the password is in a file.
    fn connection_string(&self, address: SocketAddr, name: PostgresNode) -> OsString {
        let (host, port) = (address.ip(), address.port());
        let to = format!(
            "host={host} port={port} user={REPLICATION} application_name={name} connect_timeout=2 passfile="
        );
        let mut text = OsString::from(to);
        text.push(quoted(&self.pass_file()));
        text
    }

    /// Starts a node on its data directory; on a port clash again on another port.
    async fn start_node(
        &self,
        name: PostgresNode,
        more: Vec<OsString>,
    ) -> Result<PostgresServer, HarnessError> {
        let mut attempt = 1;
        loop {
            match self.try_start_node(name, &more).await {
                Err(HarnessError::PortClash { .. }) if attempt < PORT_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_start_node(
        &self,
        name: PostgresNode,
        more: &[OsString],
    ) -> Result<PostgresServer, HarnessError> {
        let address = address(name);
        let (port, held) = ports::reserve(&name.to_string(), [(address, 0)])?;
        drop(held);
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data_directory(name).into()];
        let settings = [
            format!("listen_addresses={address}").into(),
            format!("port={port}").into(),
            assigned("config_file=", &self.configuration()),
            assigned("hba_file=", &self.host_authentication()),
        ];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting]));
        arguments.extend_from_slice(more);
        let launch = self.launch(name.to_string(), &self.binaries.postgres, arguments);
        let listens = SocketAddr::new(IpAddr::V4(address), port);
        let password = self.passwords.operator.clone();
        let (owner, node) = (self.owner, Node::start(launch).await?);
        let server = PostgresServer { name, listens, password, owner, node };
        server.answers(self.deadline).await.map_err(|error| port_clash(error, port))?;
        Ok(server)
    }
}

impl PostgresServer {
    /// The node's name, by the role that it started with.
    pub fn name(&self) -> PostgresNode {
        self.name
    }

    /// Where it really listens: for the harness's own observation, past every fault.
    pub fn listens(&self) -> SocketAddr {
        self.listens
    }

    /// The postmaster that runs now, or ran last.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// How it ended, if nothing here ended it.
    pub fn casualty(&self) -> Option<Casualty> {
        self.node.casualty()
    }

    /// That it is stopped, if nothing here stopped it.
    pub fn stopped(&self) -> Option<Stopped> {
        self.node.stopped()
    }

    /// SIGKILL to the postmaster and all its backends: a crash.
    pub fn kill(&self) {
        self.node.kill();
    }

    /// Starts it again on its data, and waits until it has recovered and answers.
    pub async fn restart(&self, within: Duration) -> Result<(), HarnessError> {
        self.node.respawn().await?;
        self.answers(Deadline::after(within)).await
    }

    /// SIGSTOP to the postmaster and all its backends: connections stay, nothing answers.
    pub fn pause(&self) -> Result<(), HarnessError> {
        self.node.pause()
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.node.resume();
    }

    /// The superuser's connection to the lab's database, not through the proxy.
    pub async fn connect(&self) -> Result<Client, HarnessError> {
        Ok(self.connect_to(DATABASE).await?.into_client())
    }

    /// A replica stops replaying what it receives; its readers see an older state until
    /// [`resume_replay`](Self::resume_replay).
    pub async fn pause_replay(&self) -> Result<(), HarnessError> {
        self.execute("SELECT pg_wal_replay_pause()").await
    }

    /// A replica replays again, first what it received meanwhile.
    pub async fn resume_replay(&self) -> Result<(), HarnessError> {
        self.execute("SELECT pg_wal_replay_resume()").await
    }

    async fn execute(&self, statement: &str) -> Result<(), HarnessError> {
        let operator = self.connect_to(DATABASE).await?;
        let executed = operator.batch_execute(statement).await;
        executed.map_err(HarnessError::postgres(format!("{statement} on {}", self.name)))
    }

    async fn connect_to(&self, database: &str) -> Result<Operator, HarnessError> {
        let doing = HarnessError::io(format!("connect to {}", self.name));
        self.owner.expect(self.listens).map_err(doing)?;
        let connected = Operator::connect(&self.operator(database)).await;
        connected.map_err(HarnessError::postgres(format!("connect to {}", self.name)))
    }

    fn operator(&self, database: &str) -> Config {
        let mut config = config(self.listens, OPERATOR, &self.password);
        config.dbname(database);
        config
    }

    /// Waits until it accepts connections (a replica does once it has replayed to a consistent state). Another
    /// PostgreSQL that took its port knows no such role and password; one that a wrapper has started does.
    async fn answers(&self, deadline: Deadline) -> Result<(), HarnessError> {
        let process = self.process();
        let config = self.operator("postgres");
        let probe = async || Operator::connect(&config).await?.query_one("SELECT 1", &[]).await;
        let answers = || async {
            self.owner.expect(self.listens).map_err(|error| error.to_string())?;
            probe().await.map(drop).map_err(|error| error.to_string())
        };
        process.ready(deadline, answers).await?;
        // Who answers us was forked by the server.
        let connected = self.connect_to("postgres").await?;
        let row = connected.query_one("SELECT pg_backend_pid()", &[]).await;
        let row = row.map_err(HarnessError::postgres(format!("ask {} who answers", self.name)))?;
        if process.has_child(row.get(0)) { Ok(()) } else { Err(self.node.wraps()) }
    }

    /// Waits until the replica streams and has replayed all that was committed here before this call. The
    /// replica itself is asked how far it is: the primary hears of it only every few seconds.
    async fn is_followed_by(&self, replica: &Self, deadline: Deadline) -> Result<(), HarnessError> {
        let (here, there) = (self.connect_to(DATABASE).await?, replica.connect_to("postgres").await?);
        let doing = HarnessError::postgres(format!("ask {} for its position", self.name));
        let row = here.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.map_err(doing)?;
        let position: String = row.get(0);
        let streaming = format!(
            "SELECT count(*) > 0 FROM pg_stat_replication \
             WHERE application_name = '{}' AND state = 'streaming'",
            replica.name
        );
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
        let follows = || async {
            let is_true = async |node: &Operator, question: &str| {
                node.query_one(question, &[]).await.map(|row| row.get(0)).map_err(|error| error.to_string())
            };
            if is_true(&here, &streaming).await? && is_true(&there, &replayed).await? {
                return Ok(());
            }
            Err(format!("streaming, and replayed to {position}"))
        };
        replica.process().ready(deadline, follows).await
    }

    fn shut_down(&self) {
        self.node.resume();
        self.process().signal(Signal::QUIT);
    }

    fn process(&self) -> Arc<Process> {
        self.node.process()
    }
}

/// How to connect to a node of ours at this address.
fn config(address: SocketAddr, role: &str, password: &Password) -> Config {
    let mut config = Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user(role).password(password.as_str()).dbname(DATABASE).connect_timeout(CONNECT_WITHIN);
    config
}

/// An option or a setting whose value is a path, of whatever bytes.
fn assigned(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push(path);
    text
}

/// A path as a value in a connection string.
fn quoted(path: &Path) -> OsString {
    let mut bytes = vec![b'\''];
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\'' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes.push(b'\'');
    OsString::from_vec(bytes)
}

/// Where a node listens.
fn address(name: PostgresNode) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 3, position(name))
}

/// Where a replica finds the primary, through the proxy.
fn upstream_address(replica: PostgresNode) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 4, position(replica))
}

/// The primary is node 1, its replicas follow.
fn position(name: PostgresNode) -> u8 {
    match name {
        PostgresNode::Primary => 1,
        PostgresNode::Replica(number) => 1 + number,
    }
}

fn port_clash(error: HarnessError, port: u16) -> HarnessError {
    match error {
        HarnessError::Died { server, log_tail, .. } if log_tail.contains("could not bind") => {
            HarnessError::PortClash { server, port, log_tail }
        }
        other => other,
    }
}
