//! Links between places, and the rule in force on each. `proxy.rs` carries the bytes by these rules.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use super::error::HarnessError;
use super::place::{AppServer, PostgresNode, RedisNode};

/// A kind of connection between two places, named by who opens it. Each can be broken by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// A server's connections for commands (also PUBLISH) to a Redis node.
    Data(AppServer, RedisNode),
    /// A server's subscriber connections to a Redis node: what the bus delivers.
    Bus(AppServer, RedisNode),
    /// A server's connections to a PostgreSQL node.
    Sql(AppServer, PostgresNode),
    /// The first Redis node's cluster-bus connection to the second: its pings, and the answers. Each pair of
    /// nodes has two such links, one opened by each.
    Gossip(RedisNode, RedisNode),
    /// The first Redis node's connection to the second as its replica.
    Replication(RedisNode, RedisNode),
    /// A PostgreSQL replica's stream of the primary's write-ahead log.
    Wal(PostgresNode),
}

/// The ways that bytes take on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the place that opens the connection: requests, pings.
    Forth,
    /// To the place that opened it: answers, what the bus delivers, the write-ahead log.
    Back,
    /// Both.
    Both,
}

/// All links of a harness and the rules in force on them. A rule holds for the connections that are there and
/// for those opened while it lasts.
pub struct Links {
    rules: BTreeMap<Link, watch::Sender<Rule>>,
    /// For connections that belong to no link (an observer's): never changed.
    unnamed: watch::Sender<Rule>,
}

/// What holds on a link now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) forth: WayRule,
    pub(crate) back: WayRule,
    /// How often the connections of that time were reset: counted, so that a short fault is not overlooked.
    pub(crate) resets: u64,
}

/// What holds on one way of a link now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WayRule {
    pub(crate) delay: Duration,
    pub(crate) cut: bool,
    pub(crate) held: bool,
    pub(crate) black_hole: bool,
    /// How often a black hole opened here: counted, likewise.
    pub(crate) black_holes: u64,
}

impl Links {
    pub(crate) fn new(links: impl IntoIterator<Item = Link>) -> Self {
        let rules = links.into_iter().map(|link| (link, watch::Sender::default())).collect();
        Self { rules, unnamed: watch::Sender::default() }
    }

    /// Every link there is, to pick from: all links of a node, for example.
    pub fn all(&self) -> impl Iterator<Item = Link> {
        self.rules.keys().copied()
    }

    /// Adds a latency: whatever is sent from now on arrives that much later, in order; what is under way keeps
    /// its pace, and the throughput stays. (Opening a connection is not delayed.)
    pub fn delay(&self, link: Link, way: Way, delay: Duration) -> Result<(), HarnessError> {
        self.change(link, |rule| rule.each(way, |way| way.delay = delay))
    }

    /// A partition: nothing arrives, neither bytes nor the end of a connection, and no new connection comes
    /// about. All of it waits, and arrives in order after [`heal`](Self::heal), as TCP sends again what was lost.
    pub fn cut(&self, link: Link, way: Way) -> Result<(), HarnessError> {
        self.change(link, |rule| rule.each(way, |way| way.cut = true))
    }

    /// What is sent waits, in order, for [`release`](Self::release); connections can be opened meanwhile, and what is under
    /// way arrives.
    pub fn hold(&self, link: Link, way: Way) -> Result<(), HarnessError> {
        self.change(link, |rule| rule.each(way, |way| way.held = true))
    }

    /// What was held goes on its way.
    pub fn release(&self, link: Link, way: Way) -> Result<(), HarnessError> {
        self.change(link, |rule| rule.each(way, |way| way.held = false))
    }

    /// Half-open connections: both ends keep a socket that is open, and whatever is sent this way, or was under way,
    /// vanishes for good. New connections end the same way. Healing admits new connections only.
    pub fn black_hole(&self, link: Link, way: Way) -> Result<(), HarnessError> {
        self.change(link, |rule| {
            rule.each(way, |way| {
                way.black_hole = true;
                way.black_holes += 1;
            });
        })
    }

    /// Ends the connections there are with RST, at both ends, swallowed ones too; not a rule: new ones are
    /// admitted.
    pub fn reset(&self, link: Link) -> Result<(), HarnessError> {
        self.change(link, |rule| rule.resets += 1)
    }

    /// Lifts delay, cut and black hole on the link, both ways.
    pub fn heal(&self, link: Link) -> Result<(), HarnessError> {
        self.heal_way(link, Way::Both)
    }

    /// The same on one way.
    pub fn heal_way(&self, link: Link, way: Way) -> Result<(), HarnessError> {
        self.change(link, |rule| rule.each(way, WayRule::heal))
    }

    /// Lifts every rule on every link.
    pub fn heal_all(&self) {
        for rule in self.rules.values() {
            rule.send_modify(Rule::lift);
        }
    }

    /// The rule to carry a connection by.
    pub(crate) fn rule(&self, link: Option<Link>) -> watch::Receiver<Rule> {
        link.and_then(|link| self.rules.get(&link)).unwrap_or(&self.unnamed).subscribe()
    }

    fn change(&self, link: Link, change: impl FnOnce(&mut Rule)) -> Result<(), HarnessError> {
        self.sender(link)?.send_modify(change);
        Ok(())
    }

    fn sender(&self, link: Link) -> Result<&watch::Sender<Rule>, HarnessError> {
        self.rules.get(&link).ok_or(HarnessError::UnknownLink(link))
    }
}

impl Rule {
    fn each(&mut self, way: Way, change: impl Fn(&mut WayRule)) {
        if way != Way::Back {
            change(&mut self.forth);
        }
        if way != Way::Forth {
            change(&mut self.back);
        }
    }

    fn lift(&mut self) {
        self.each(Way::Both, |way| {
            way.heal();
            way.held = false;
        });
    }

    /// Whether no connection can be opened.
    pub(crate) fn is_cut(&self) -> bool {
        self.forth.cut || self.back.cut
    }
}

impl WayRule {
    fn heal(&mut self) {
        *self = Self { held: self.held, black_holes: self.black_holes, ..Self::default() };
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(server, node) => write!(f, "data:{server}>{node}"),
            Self::Bus(server, node) => write!(f, "bus:{server}>{node}"),
            Self::Sql(server, node) => write!(f, "sql:{server}>{node}"),
            Self::Gossip(from, to) => write!(f, "gossip:{from}>{to}"),
            Self::Replication(from, to) => write!(f, "replication:{from}>{to}"),
            Self::Wal(replica) => write!(f, "wal:{replica}>pg-primary"),
        }
    }
}
