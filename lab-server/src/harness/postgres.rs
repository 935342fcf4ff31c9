//! PostgreSQL: a primary and streaming replicas, each on an address of its own (127.0.3.j).
//!
//! Set for speed (`fsync=off`): a killed process loses nothing, since the operating system keeps its pages; a
//! killed machine would.

use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use rustix::process::Signal;
use tokio_postgres::{Client, Config};

use super::binaries::Binaries;
use super::casualty::Casualty;
use super::error::HarnessError;
use super::links::Link;
use super::node::Node;
use super::operator::{Operator, OperatorError};
use super::place::PostgresNode;
use super::ports;
use super::process::{Account, Deadline, Launch, Process};
use super::proxy::Proxy;

/// The account, the database and its user: all without a password, on loopback only.
const OS_USER: &str = "postgres";
pub(crate) const USER: &str = "lab";
pub(crate) const DATABASE: &str = "lab";

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

const HOST_AUTHENTICATION: &str = "
host all all 127.0.0.0/8 trust
host replication all 127.0.0.0/8 trust
";

/// A primary, then its replicas. Dropping it ends them.
pub(crate) struct PostgresCluster {
    pub(crate) nodes: Vec<PostgresServer>,
}

/// One PostgreSQL node.
pub struct PostgresServer {
    name: PostgresNode,
    listens: SocketAddr,
    data_directory: PathBuf,
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

/// Where nodes live and as whom they run.
struct Site<'a> {
    binaries: &'a Binaries,
    directory: PathBuf,
    account: Option<Account>,
    deadline: Deadline,
}

impl PostgresCluster {
    /// Starts the primary, then all replicas at once; ready when every replica streams and has replayed what
    /// the primary had. Each replica reaches the primary through a link of its own.
    pub(crate) async fn start(
        binaries: &Binaries,
        directory: PathBuf,
        replicas: u8,
        proxy: &Proxy,
        deadline: Deadline,
    ) -> Result<Self, HarnessError> {
        let site = Site { binaries, directory, account: server_account()?, deadline };
        site.make_directory()?;
        site.initdb().await?;
        let primary = site.start_node(PostgresNode::Primary, Vec::new()).await?;
        let client = primary.connect_to("postgres").await?;
        let created = client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await;
        created.map_err(HarnessError::postgres(format!("create the database {DATABASE}")))?;
        let names = (1..=replicas).map(PostgresNode::Replica);
        let starts = names.map(|name| {
            let (site, primary) = (&site, &primary);
            async move {
                let upstream = proxy.listen(upstream_address(name), primary.listens, Link::Wal(name))?;
                site.start_replica(name, primary, upstream).await
            }
        });
        let mut replicas = try_join_all(starts).await?;
        let mut nodes = vec![primary];
        nodes.append(&mut replicas);
        Ok(Self { nodes })
    }
}

impl Site<'_> {
    fn make_directory(&self) -> Result<(), HarnessError> {
        let doing = || HarnessError::io(format!("make {}", self.directory.display()));
        fs::create_dir(&self.directory).map_err(doing())?;
        if let Some(account) = &self.account {
            chown(&self.directory, Some(account.user_id), Some(account.group_id)).map_err(doing())?;
        }
        Ok(())
    }

    fn data_directory(&self, name: PostgresNode) -> PathBuf {
        self.directory.join(name.to_string())
    }

    fn launch(&self, name: String, program: &Path, arguments: Vec<OsString>) -> Launch {
        Launch {
            setpriv: self.binaries.setpriv.clone(),
            account: self.account.clone(),
            program: program.to_owned(),
            arguments,
            directory: self.directory.clone(),
            log: self.directory.join(format!("{name}.log")),
            name,
        }
    }

    async fn initdb(&self) -> Result<(), HarnessError> {
        let data = self.data_directory(PostgresNode::Primary);
        let mut arguments: Vec<OsString> = vec!["-D".into(), data.clone().into()];
        arguments.extend(["-U", USER, "-E", "UTF8", "--locale=C", "--auth=trust"].map(OsString::from));
        arguments.extend(["--no-sync", "--no-instructions"].map(OsString::from));
        self.launch("initdb".to_owned(), &self.binaries.initdb, arguments).run(self.deadline).await?;
        append(&data.join("postgresql.conf"), SETTINGS)?;
        append(&data.join("pg_hba.conf"), HOST_AUTHENTICATION)
    }

    async fn start_replica(
        &self,
        name: PostgresNode,
        primary: &PostgresServer,
        upstream: SocketAddr,
    ) -> Result<PostgresServer, HarnessError> {
        // The name of a slot allows no hyphen.
        let slot = name.to_string().replace('-', "_");
        let source = connection_string(primary.listens, name);
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data_directory(name).into()];
        arguments.extend(["-d", &source, "-C", "-S", &slot, "-R", "-X", "stream"].map(OsString::from));
        arguments.extend(["--checkpoint=fast", "--no-sync"].map(OsString::from));
        let copy = format!("pg_basebackup of {name}");
        self.launch(copy, &self.binaries.pg_basebackup, arguments).run(self.deadline).await?;
        let upstream = format!("primary_conninfo={}", connection_string(upstream, name));
        let replica = self.start_node(name, vec!["-c".into(), upstream.into()]).await?;
        primary.is_followed_by(&replica, self.deadline).await?;
        Ok(replica)
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
        let data_directory = self.data_directory(name);
        let mut arguments: Vec<OsString> = vec!["-D".into(), data_directory.clone().into()];
        for setting in [format!("listen_addresses={address}"), format!("port={port}")] {
            arguments.extend(["-c".into(), setting.into()]);
        }
        arguments.extend_from_slice(more);
        let launch = self.launch(name.to_string(), &self.binaries.postgres, arguments);
        let listens = SocketAddr::new(IpAddr::V4(address), port);
        let server = PostgresServer { name, listens, data_directory, node: Node::start(launch).await? };
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

    /// A connection to the lab's database, not through the proxy.
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
        let connected = Operator::connect(&config(self.listens, database)).await;
        connected.map_err(HarnessError::postgres(format!("connect to {}", self.name)))
    }

    /// Waits until it accepts connections (a replica does once it has replayed to a consistent state), and not
    /// another PostgreSQL that took its port.
    async fn answers(&self, deadline: Deadline) -> Result<(), HarnessError> {
        let process = self.process();
        let config = config(self.listens, "postgres");
        let probe = async || {
            let row = Operator::connect(&config).await?.query_one("SHOW data_directory", &[]).await?;
            Ok::<_, OperatorError>(Path::new(row.get::<_, &str>(0)) == self.data_directory)
        };
        let answers = || async {
            match probe().await {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("{} on {}", self.name, self.listens)),
                Err(error) => Err(error.to_string()),
            }
        };
        process.ready(deadline, answers).await
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
pub(crate) fn config(address: SocketAddr, database: &str) -> Config {
    let mut config = Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user(USER).dbname(database).connect_timeout(CONNECT_WITHIN);
    config
}

fn connection_string(address: SocketAddr, name: PostgresNode) -> String {
    let (host, port) = (address.ip(), address.port());
    format!("host={host} port={port} user={USER} application_name={name} connect_timeout=2")
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

fn append(file: &Path, text: &str) -> Result<(), HarnessError> {
    use std::io::Write as _;
    let doing = || HarnessError::io(format!("write {}", file.display()));
    let mut file = fs::File::options().append(true).open(file).map_err(doing())?;
    file.write_all(text.as_bytes()).map_err(doing())
}

fn port_clash(error: HarnessError, port: u16) -> HarnessError {
    match error {
        HarnessError::Died { server, log_tail, .. } if log_tail.contains("could not bind") => {
            HarnessError::PortClash { server, port, log_tail }
        }
        other => other,
    }
}

/// PostgreSQL refuses to run as root: then it runs as the account that its package made.
fn server_account() -> Result<Option<Account>, HarnessError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    Ok(Some(Account { user_id: number_of("-u")?, group_id: number_of("-g")? }))
}

fn number_of(flag: &str) -> Result<u32, HarnessError> {
    let output = Command::new("id")
        .args([flag, OS_USER])
        .output()
        .map_err(HarnessError::io(format!("id {flag} {OS_USER}")))?;
    let missing = || HarnessError::MissingBinary {
        program: format!("PostgreSQL's own account ({OS_USER})"),
        package: "postgresql",
    };
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| missing())
}
