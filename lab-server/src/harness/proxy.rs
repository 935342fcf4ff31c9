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

/// How a connection ends before its two sides have closed it.
enum Fate {
    Reset,
    Swallowed,
}

async fn carry(mut client: TcpStream, upstream: SocketAddr, owner: Owner, mut rule: watch::Receiver<Rule>) {
    let at_accept = rule.borrow_and_update().clone();
    if at_accept.black_hole {
        return swallow(client, rule, at_accept.resets).await;
    }
    let mut fate_rule = rule.clone();
    let fate = fate(&mut fate_rule, &at_accept);
    tokio::pin!(fate);
    let opened = select! {
        biased;
        fate = &mut fate => Err(fate),
        opened = open(&client, upstream, owner, &mut rule) => opened.map_err(|_| Fate::Reset),
    };
    let (server, end) = match opened {
        Ok(mut server) => {
            let end = select! {
                biased;
                fate = &mut fate => Some(fate),
                end = exchange(&mut client, &mut server, &mut rule) => end.err().map(|_| Fate::Reset),
            };
            (Some(server), end)
        }
        Err(fate) => (None, Some(fate)),
    };
    match end {
        None => {}
        Some(Fate::Swallowed) => {
            drop(server);
            swallow(client, rule, at_accept.resets).await;
        }
        Some(Fate::Reset) => {
            // Zero linger turns the close into RST; a socket on which that fails is closed already.
            let _ = client.set_zero_linger();
            let _ = server.map(|server| server.set_zero_linger());
        }
    }
}

/// Waits for a fault that ends the connection.
async fn fate(rule: &mut watch::Receiver<Rule>, at_accept: &Rule) -> Fate {
    let struck = |rule: &Rule| rule.resets != at_accept.resets || rule.black_holes != at_accept.black_holes;
    let reset = rule.wait_for(struck).await.map(|rule| rule.resets != at_accept.resets);
    match reset {
        Ok(true) => Fate::Reset,
        Ok(false) => Fate::Swallowed,
        // The harness is being dropped, and this task with it.
        Err(_) => future::pending().await,
    }
}

/// Opens the far side, which a cut either way prevents.
async fn open(
    client: &TcpStream,
    upstream: SocketAddr,
    owner: Owner,
    rule: &mut watch::Receiver<Rule>,
) -> io::Result<TcpStream> {
    passable(rule, |rule| rule.forth.cut || rule.back.cut).await;
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
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let forth = pump(from_client, to_server, rule.clone(), |rule| &rule.forth);
    let back = pump(from_server, to_client, rule.clone(), |rule| &rule.back);
    let ended = try_join!(forth, back);
    if ended.is_err() {
        // The other side must not learn of the failure through a cut.
        passable(rule, |rule| rule.forth.cut || rule.back.cut).await;
    }
    ended.map(|_| ())
}

/// What was read and when it is due on the far side; nothing read is the end of the stream.
type Chunk = (Instant, Vec<u8>);

async fn pump(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    rule: watch::Receiver<Rule>,
    way: fn(&Rule) -> &WayRule,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(CHUNKS_UNDER_WAY);
    try_join!(take_in(from, sender, rule.clone(), way), hand_out(to, receiver, rule, way))?;
    Ok(())
}

/// Reads as fast as bytes come, so that each gets its own due time: a delay, not a throttle.
async fn take_in(
    mut from: impl AsyncRead + Unpin,
    under_way: mpsc::Sender<Chunk>,
    rule: watch::Receiver<Rule>,
    way: fn(&Rule) -> &WayRule,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        let due = Instant::now() + way(&rule.borrow()).delay;
        let sent = under_way.send((due, buffer[..length].to_vec())).await;
        if length == 0 || sent.is_err() {
            return Ok(());
        }
    }
}

async fn hand_out(
    mut to: impl AsyncWrite + Unpin,
    mut under_way: mpsc::Receiver<Chunk>,
    mut rule: watch::Receiver<Rule>,
    way: fn(&Rule) -> &WayRule,
) -> io::Result<()> {
    while let Some((due, bytes)) = under_way.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        passable(&mut rule, |rule| way(rule).cut).await;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(&bytes).await?;
    }
    Ok(())
}

/// Keeps the client's socket open and silent, and discards what it sends, until it closes or is reset.
async fn swallow(mut client: TcpStream, mut rule: watch::Receiver<Rule>, resets: u64) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = select! {
            Ok(_) = rule.wait_for(|rule| rule.resets != resets) => {
                let _ = client.set_zero_linger();
                return;
            }
            read = client.read(&mut buffer) => read,
        };
        if !matches!(read, Ok(length) if length > 0) {
            return;
        }
    }
}

/// Waits until the rule no longer bars the way.
async fn passable(rule: &mut watch::Receiver<Rule>, barred: impl Fn(&Rule) -> bool) {
    // An error means that the harness is being dropped, and this task with it.
    let _ = rule.wait_for(|rule| !barred(rule)).await;
}
