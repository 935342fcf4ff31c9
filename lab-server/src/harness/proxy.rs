//! Carries every connection between two sockets by the rule of its link. It reads no protocol: a link is told by
//! the listener, and between nodes by the address that the peer connects from.
//!
//! It has a thread and runtime of its own, so that a busy caller does not add to the delays.

use std::convert::Infallible;
use std::future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio::{select, try_join};

use super::error::HarnessError;
use super::links::{Link, Links, Rule, WayRule};
use super::listener::Owner;

/// The most that is read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Bound on what is under way on one way of one connection, 16 MiB. Beyond it the sender is held up, as by a
/// full window.
const CHUNKS_UNDER_WAY: usize = 1024;

/// Listeners and connections, all ended when it is dropped.
pub(crate) struct Proxy {
    runtime: Handle,
    links: Arc<Links>,
    owner: Owner,
    /// Its end ends the thread.
    _stop: oneshot::Sender<Infallible>,
}

impl Proxy {
    /// Connects to programs of `owner` only.
    pub(crate) fn new(links: Links, owner: Owner) -> Result<Self, HarnessError> {
        let starting = || HarnessError::spawning("the thread of the links");
        let (started, is_started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        // tokio's own threads would panic where the system gives none.
        let thread = thread::Builder::new().name("links".to_owned());
        thread.spawn(move || run(&started, stopped)).map_err(starting())?;
        let runtime = is_started.recv().map_err(|_| io::Error::other("it has ended")).flatten();
        Ok(Self { runtime: runtime.map_err(starting())?, links: Arc::new(links), owner, _stop: stop })
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Listens on a free port of this address; every connection is carried on this link.
    pub(crate) fn listen(
        &self,
        address: Ipv4Addr,
        upstream: SocketAddr,
        link: Link,
    ) -> Result<SocketAddr, HarnessError> {
        let doing = || HarnessError::io(format!("listen on {address} for {link}"));
        let listener = std::net::TcpListener::bind((address, 0)).map_err(doing())?;
        let listens = listener.local_addr().map_err(doing())?;
        self.serve(listener, upstream, move |_| Some(link))?;
        Ok(listens)
    }

    /// Serves a listener; `link_of` tells the link by the address that a peer connects from. A connection of no
    /// link is carried without faults.
    pub(crate) fn serve(
        &self,
        listener: std::net::TcpListener,
        upstream: SocketAddr,
        link_of: impl Fn(IpAddr) -> Option<Link> + Send + 'static,
    ) -> Result<(), HarnessError> {
        let doing = || HarnessError::io(format!("serve the links to {upstream}"));
        listener.set_nonblocking(true).map_err(doing())?;
        let entered = self.runtime.enter();
        let listener = TcpListener::from_std(listener).map_err(doing())?;
        drop(entered);
        let (links, owner) = (Arc::clone(&self.links), self.owner);
        self.runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((client, peer)) => {
                        let rule = links.rule(link_of(peer.ip()));
                        tokio::spawn(carry(client, upstream, owner, rule));
                    }
                    // Out of file descriptors, or the peer is gone already: others may fare better soon.
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Ok(())
    }
}

/// The thread's whole life.
fn run(started: &std::sync::mpsc::Sender<io::Result<Handle>>, stopped: oneshot::Receiver<Infallible>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    // Without a reader the other end is gone, too, and the next line ends at once.
    let _ = started.send(Ok(runtime.handle().clone()));
    let _ = runtime.block_on(stopped);
}

async fn carry(mut client: TcpStream, upstream: SocketAddr, owner: Owner, mut rule: watch::Receiver<Rule>) {
    let at_accept = rule.borrow_and_update().clone();
    let mut reset_rule = rule.clone();
    let reset = reset(&mut reset_rule, at_accept.resets);
    tokio::pin!(reset);
    let opened = select! {
        biased;
        () = &mut reset => Err(io::ErrorKind::ConnectionReset.into()),
        opened = open(&client, upstream, owner, &mut rule) => opened,
    };
    let (server, is_over) = match opened {
        Ok(mut server) => {
            let is_over = select! {
                biased;
                () = &mut reset => false,
                end = exchange(&mut client, &mut server, &mut rule, &at_accept) => end.is_ok(),
            };
            (Some(server), is_over)
        }
        Err(_) => (None, false),
    };
    if !is_over {
        // Zero linger turns the close into RST; a socket on which that fails is closed already.
        let _ = client.set_zero_linger();
        let _ = server.map(|server| server.set_zero_linger());
    }
}

/// Waits for a reset.
async fn reset(rule: &mut watch::Receiver<Rule>, at_accept: u64) {
    let is_reset = rule.wait_for(|rule| rule.resets != at_accept).await.is_ok();
    if !is_reset {
        // The harness is being dropped, and this task with it.
        future::pending::<()>().await;
    }
}

/// Opens the far side, which a cut either way prevents.
async fn open(
    client: &TcpStream,
    upstream: SocketAddr,
    owner: Owner,
    rule: &mut watch::Receiver<Rule>,
) -> io::Result<TcpStream> {
    passable(rule, Rule::is_cut).await;
    owner.expect(upstream)?;
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// Carries bytes both ways until both sides have closed, or one has failed.
async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    rule: &mut watch::Receiver<Rule>,
    at_accept: &Rule,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let forth = pump(from_client, to_server, Lane::new(rule, |rule| &rule.forth, at_accept));
    let back = pump(from_server, to_client, Lane::new(rule, |rule| &rule.back, at_accept));
    let ended = try_join!(forth, back);
    if ended.is_err() {
        // The other side must not learn of the failure through a cut or a black hole.
        let is_barred = |rule: &Rule| rule.is_cut() || rule.forth.black_hole || rule.back.black_hole;
        passable(rule, is_barred).await;
    }
    ended.map(|_| ())
}

/// One way of a connection, with the rule that is in force on it.
#[derive(Clone)]
struct Lane {
    rule: watch::Receiver<Rule>,
    way: fn(&Rule) -> &WayRule,
    /// How often a black hole had opened when the connection began; `None` if it began in one.
    black_holes: Option<u64>,
}

impl Lane {
    fn new(rule: &watch::Receiver<Rule>, way: fn(&Rule) -> &WayRule, at_accept: &Rule) -> Self {
        let then = way(at_accept);
        let black_holes = (!then.black_hole).then_some(then.black_holes);
        Self { rule: rule.clone(), way, black_holes }
    }

    fn now(&self) -> WayRule {
        *(self.way)(&self.rule.borrow())
    }

    /// Once mute, always mute.
    fn is_mute(&self) -> bool {
        self.black_holes != Some(self.now().black_holes)
    }

    /// Waits until nothing bars the way, or nothing passes any more.
    async fn passable(&mut self, barred: impl Fn(&WayRule) -> bool) {
        let (way, black_holes) = (self.way, self.black_holes);
        let passable = |rule: &Rule| {
            let rule = way(rule);
            !barred(rule) || black_holes != Some(rule.black_holes)
        };
        // An error means that the harness is being dropped, and this task with it.
        let _ = self.rule.wait_for(passable).await;
    }
}

/// What was read, when it is due on the far side, and whether it was held; nothing read is the end of the stream.
struct Chunk {
    due: Instant,
    held: bool,
    bytes: Vec<u8>,
}

async fn pump(from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin, lane: Lane) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(CHUNKS_UNDER_WAY);
    try_join!(take_in(from, sender, lane.clone()), hand_out(to, receiver, lane))?;
    Ok(())
}

/// Reads as fast as bytes come, so that each gets its own due time: a delay, not a throttle.
async fn take_in(
    mut from: impl AsyncRead + Unpin,
    under_way: mpsc::Sender<Chunk>,
    lane: Lane,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        let WayRule { delay, held, .. } = lane.now();
        let chunk = Chunk { due: Instant::now() + delay, held, bytes: buffer[..length].to_vec() };
        let sent = under_way.send(chunk).await;
        if length == 0 || sent.is_err() {
            return Ok(());
        }
    }
}

async fn hand_out(
    mut to: impl AsyncWrite + Unpin,
    mut under_way: mpsc::Receiver<Chunk>,
    mut lane: Lane,
) -> io::Result<()> {
    while let Some(Chunk { due, held, bytes }) = under_way.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        lane.passable(|rule| rule.cut || (held && rule.held)).await;
        match (bytes.is_empty(), lane.is_mute()) {
            (false, false) => to.write_all(&bytes).await?,
            (false, true) => {}
            (true, false) => return to.shutdown().await,
            (true, true) => {
                // The far side does not learn of the end before the heal; then what is left of the connection goes.
                let way = lane.way;
                let _ = lane.rule.wait_for(|rule| !way(rule).black_hole).await;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
    }
    Ok(())
}

/// Waits until the rule no longer bars the way.
async fn passable(rule: &mut watch::Receiver<Rule>, barred: impl Fn(&Rule) -> bool) {
    // An error means that the harness is being dropped, and this task with it.
    let _ = rule.wait_for(|rule| !barred(rule)).await;
}
