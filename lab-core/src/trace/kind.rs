//! What can happen: the closed list of kinds of event, with the words of the field.

use serde::{Deserialize, Serialize};

use super::Actor;
use crate::cluster::{Role, Topology};
use crate::fault::Fault;
use crate::value::{ServerId, Tier, Token, Value};

/// What happened. No kind holds an instant: an event has one, and everything else follows from other events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    // ── the scenario ──────────────────────────────────────────────────────────────────────────────────────────
    /// The scenario enters a named part: `start`, `update`, `read at once`, … The load and the checks count from
    /// the phase called `act`.
    Phase {
        /// The part's name.
        name: String,
    },
    /// A fault begins.
    Injected {
        /// Which.
        fault: Fault,
    },

    // ── one client's request ──────────────────────────────────────────────────────────────────────────────────
    /// The client sends a request (actor: the client).
    Requested {
        /// What it asks.
        request: RequestKind,
        /// The server that the balancer, or the scenario, chose.
        server: ServerId,
    },
    /// The request reaches the server (actor: the server).
    Received {
        /// What it asks.
        request: RequestKind,
    },
    /// The server sends its answer (actor: the server).
    Answered {
        /// How it went.
        outcome: Outcome,
        /// What was read or computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        /// Where it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tier: Option<Tier>,
    },
    /// The answer reaches the client (actor: the client).
    Completed {
        /// How it went.
        outcome: Outcome,
        /// What was read or computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        /// Where it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tier: Option<Tier>,
    },

    // ── inside a server (actor: the server) ───────────────────────────────────────────────────────────────────
    /// L1 holds the key and may serve it.
    L1Hit,
    /// L1 does not hold the key.
    L1Miss,
    /// L1 holds the key but may not serve it.
    L1Unfit {
        /// Why not.
        why: Why,
    },
    /// L1 now holds the key.
    L1Stored {
        /// The content, `None` for a row known to be absent.
        value: Option<Value>,
        /// How long it may be served.
        ttl_ms: u64,
    },
    /// L1 did not take the value in.
    L1Refused {
        /// Why not.
        why: Why,
    },
    /// L1 no longer holds the key.
    L1Dropped {
        /// Why.
        why: Why,
        /// Whether it held the key at all.
        held: bool,
    },
    /// L1 is empty now.
    L1Flushed {
        /// Why.
        why: Why,
    },
    /// This request reads for all requests of the server that want the key.
    FlightLed,
    /// This request waits for the one that already reads.
    FlightJoined,
    /// An invalidation parted later readers from the flight in progress.
    FlightDetached,
    /// The request waits.
    Waiting {
        /// For what.
        on: WaitFor,
    },
    /// The request goes on.
    Woken {
        /// What it waited for.
        on: WaitFor,
    },
    /// The application begins an expensive computation.
    ComputeStarted,
    /// The computation is done.
    Computed {
        /// Its result.
        value: Value,
    },

    // ── a message to a store or to the bus ────────────────────────────────────────────────────────────────────
    /// A server calls (actor: the server; `source`: the line that waits).
    Called {
        /// Whom.
        to: Actor,
        /// What for.
        verb: Verb,
    },
    /// The call waits for a connection of the server's pool (actor: the server).
    Queued {
        /// Calls that wait before it.
        ahead: u32,
    },
    /// The call takes effect at the node (actor: the node). A write that took effect tells the node's new content.
    Served {
        /// What was asked.
        verb: Verb,
        /// What the node answers.
        outcome: Outcome,
        /// What the node holds now, or the row that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        /// The position in the write-ahead log, for a commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lsn: Option<u64>,
    },
    /// The answer is back (actor: the server).
    Returned {
        /// What was asked.
        verb: Verb,
        /// What was answered; [`Outcome::Unknown`] when no answer came.
        outcome: Outcome,
    },
    /// A replica now holds what its master or primary wrote (actor: the replica).
    Replayed {
        /// What was written.
        verb: Verb,
        /// What the replica holds now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        /// The position replayed up to, for `PostgreSQL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lsn: Option<u64>,
    },
    /// A notice reaches a subscriber (actor: the server). Its `message` is the publication's.
    Delivered {
        /// Which notice.
        notice: NoticeKind,
        /// Who published it.
        from: ServerId,
    },
    /// A subscriber finds that it missed notices (actor: the server).
    GapNoticed {
        /// Whose notices.
        from: ServerId,
        /// How many.
        missed: u64,
    },

    // ── the cluster ───────────────────────────────────────────────────────────────────────────────────────────
    /// The servers start; from here on the run has these nodes.
    Started {
        /// Which nodes there are, and who owns which slots.
        topology: Topology,
    },
    /// A Redis node has another role now: it was elected, or another was in its place (actor: the node).
    RoleChanged {
        /// The role.
        role: Role,
    },
}

impl Kind {
    /// The same without what is drawn by chance: tokens, and contents, of which the version tells enough.
    pub(super) fn without_chance(&self) -> Self {
        let mut kind = self.clone();
        match &mut kind {
            Self::Answered { outcome, value, .. }
            | Self::Completed { outcome, value, .. }
            | Self::Served { outcome, value, .. } => {
                outcome.forget_token();
                *value = None;
            }
            Self::Returned { outcome, .. } => outcome.forget_token(),
            Self::L1Stored { value, .. } | Self::Replayed { value, .. } => *value = None,
            Self::Computed { value } => *value = Value::new(""),
            _ => {}
        }
        kind
    }
}

/// What a client asks of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// Read a row.
    Read,
    /// Write a row.
    Write,
    /// Get an expensive value, computed if need be.
    Compute,
    /// Forget a key in L1 (and tell when it is done).
    Forget,
}

/// What a notice on the bus is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A row changed: forget it.
    Invalidate,
    /// A value was filled: waiters may read it.
    Filled,
    /// An invalidation was carried out.
    Acknowledge,
    /// Nothing but a sign of life, with the last sequence number.
    Beat,
}

/// What a call asks, in the protocol's own word ([`Verb::as_str`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `GET`.
    Get,
    /// `SET … PX`.
    Set,
    /// Store unless a newer version is there (a script).
    SetIfNewer,
    /// `DEL`.
    Delete,
    /// `SET … NX PX` of a lock's token.
    Lock,
    /// Compare-and-delete of a lock's token (a script).
    Unlock,
    /// Read the value, or else take a lease in its slot (a script).
    Lease,
    /// Store a value in place of one's own lease (a script).
    Fill,
    /// `PUBLISH` of an invalidation.
    PublishInvalidate,
    /// `PUBLISH` of a wake-up.
    PublishFilled,
    /// `PUBLISH` of an acknowledgement.
    PublishAcknowledge,
    /// `PUBLISH` of a beat.
    PublishBeat,
    /// `SELECT` of a row.
    Select,
    /// `INSERT … ON CONFLICT DO UPDATE` of a row.
    Update,
    /// Renew one's membership.
    Renew,
    /// Read the live members.
    Members,
    /// Store in place of an older value, else void what is there (a script).
    ReplaceOlder,
    /// Find out whether a write happened, and else make sure that it never will: `INSERT … ON CONFLICT` of its name.
    Settle,
    /// Look into the outbox, or tidy it.
    Outbox,
    /// Bar members that do not acknowledge.
    Bar,
    /// Give one's membership back.
    Leave,
}

impl Verb {
    /// The word on the capsule.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Set => "SET",
            Self::SetIfNewer => "SET IF NEWER",
            Self::Delete => "DEL",
            Self::Lock => "SET NX PX",
            Self::Unlock => "UNLOCK",
            Self::Lease => "LEASE",
            Self::Fill => "FILL",
            Self::PublishInvalidate => "INVALIDATE",
            Self::PublishFilled => "FILLED",
            Self::PublishAcknowledge => "ACK",
            Self::PublishBeat => "BEAT",
            Self::Select => "SELECT",
            Self::Update => "UPDATE",
            Self::Renew => "RENEW",
            Self::Members => "MEMBERS",
            Self::ReplaceOlder => "REPLACE OLDER",
            Self::Settle => "SETTLE",
            Self::Outbox => "OUTBOX",
            Self::Bar => "BAR",
            Self::Leave => "LEAVE",
        }
    }

    /// Whether it is upkeep that a trace leaves out: signs of life, renewals, looks into the outbox, many a second and
    /// always alike.
    pub fn is_quiet(self) -> bool {
        matches!(self, Self::PublishBeat | Self::Renew | Self::Outbox)
    }

    /// Whether it changes what a node holds (a filled capsule), or only asks (an outlined one).
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::Select | Self::Members)
    }
}

/// How a call or a request went. An outcome that is not known is neither a success nor a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The row was found (its version is the event's).
    Hit,
    /// The row is known not to exist.
    Negative,
    /// Nothing was found.
    Miss,
    /// Stored, deleted, written, published, renewed.
    Done,
    /// A conditional store found something newer, or its lease gone.
    Refused,
    /// A lock or a lease is now one's own.
    Granted(Token),
    /// Somebody else holds the lock or the lease.
    Held,
    /// The lock was one's own and is free.
    Released,
    /// The lock was not one's own (any more).
    NotHeld,
    /// The bus handed the notice to so many subscribers.
    Receivers(u32),
    /// So many members are live.
    Members(u32),
    /// The slot lives elsewhere.
    Moved(Actor),
    /// It failed for certain, and why.
    Failed(String),
    /// No answer came: it may have happened or not.
    Unknown,
    /// There was no older value to replace: the slot is empty, and a lease in it is void.
    Voided,
}

impl Outcome {
    fn forget_token(&mut self) {
        if let Self::Granted(token) = self {
            *token = Token(0);
        }
    }
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// The flight that another request of this server leads.
    Flight,
    /// The next try at the lock.
    Retry,
    /// The notice that the holder of the lease has filled.
    Push,
    /// Acknowledgements of every live member.
    Acknowledgements,
}

/// Why L1 dropped, refused or would not serve something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// An invalidation came.
    Invalidated,
    /// This server wrote the row itself.
    Written,
    /// Its time to live has run out.
    Expired,
    /// The read's consistency level asks for something fresher.
    TooOld,
    /// An invalidation came while the value was on its way.
    EpochMoved,
    /// L2 refused the value, or nobody knows whether it took it.
    L2Refused,
    /// The server's own membership lease has run out.
    LeaseRanOut,
    /// Notices were missed.
    Gap,
    /// The bus has given no sign of life for too long.
    Silence,
    /// The scenario asked for it.
    Asked,
    /// L1 holds a newer version already.
    NewerHeld,
    /// What it holds does not count as a hit: it is falsy, or no row at all.
    NoHit,
}
