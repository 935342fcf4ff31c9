//! What L2 is asked: one command a file, with all that there is to say of it.
//!
//! A command's file holds its name in the trace, what Redis is sent (a plain command or a script), whether it writes,
//! what it does to a slot, what it leaves there for the view to draw, and the clause of the contract that it keeps. The
//! simulator's Redis **is** [`Command::apply`]; a real Redis is sent [`Command::text`]; a test of random sequences holds
//! the one against the other. Adding a command is a file, its line at the end of this one, and its name
//! ([`Verb`](crate::trace::Verb)).
//!
//! * [`slot`]: what a key holds
//! * [`reply`]: what a command answers, and what of it a caller wants to know
//! * [`wire`]: how entries, tokens and times are written for Redis, and how its answers are read

mod reply;
mod slot;
mod wire;

use std::time::Duration;

use super::Ports;
use super::contract::{Kept, Violation};
use crate::trace::Verb;
use crate::value::{Entry, Instant, Token};

pub use reply::{Leased, Locked, Replaced, Reply, Stored, Unlocked};
pub use slot::{Change, Content, Slot};
pub use wire::{Foreign, Raw, Text, entry_of};

/// What a command's file says of it. Each is one round trip, atomic, on one slot.
pub(super) trait Spec {
    /// Its name in the trace, and the word on its capsule.
    const VERB: Verb;
    /// What Redis is sent, before the key.
    const TEXT: Text;
    /// Whether it may change its slot.
    const WRITES: bool;
    /// What the slot holds when it has taken effect.
    const LEAVES: Leaves;
    /// What it promises, in words.
    const CLAUSE: &'static str;

    /// What it does to a slot. Nothing but the slot and the time decides the reply.
    fn apply(&self, slot: &mut Slot, now: Instant) -> Reply;

    /// What Redis is sent, after the key.
    fn arguments(&self) -> Vec<String>;

    /// What Redis' answer to it means.
    fn read(raw: Raw) -> Result<Reply, Foreign>;

    /// The entry that it stores, if it gets to.
    fn entry(&self) -> Option<&Entry> {
        None
    }

    /// The token that it asks for a lock or a lease with.
    fn asks_with(&self) -> Option<Token> {
        None
    }

    /// Its clause of the contract, over the ports of two servers of one cluster.
    async fn contract<P: Ports>(one: &P, other: &P) -> Kept;
}

/// What a slot holds after a command that took effect, as the view draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// What it held before.
    Unchanged,
    /// The value that was sent.
    Value,
    /// The token of a lock or of a lease.
    Token,
    /// Nothing.
    Nothing,
}

/// What is known of a command without its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its name in the trace, and the word on its capsule.
    pub verb: Verb,
    /// What Redis is sent, before the key.
    pub text: Text,
    /// Whether it may change its slot.
    pub writes: bool,
    /// What the slot holds when it has taken effect.
    pub leaves: Leaves,
    /// What it promises, in words.
    pub clause: &'static str,
}

impl Facts {
    const fn of<C: Spec>() -> Self {
        Self { verb: C::VERB, text: C::TEXT, writes: C::WRITES, leaves: C::LEAVES, clause: C::CLAUSE }
    }

    /// What is known of the command of that name; `None` where it is none of L2's.
    pub fn named(verb: Verb) -> Option<&'static Self> {
        Command::ALL.iter().find(|facts| facts.verb == verb)
    }
}

/// Durations are sent in whole milliseconds, and one that is shorter counts as one. The longest is what Redis takes:
/// it refuses what would pass the end of its clock.
pub fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, TTL_MAX_MS)
}

const TTL_MAX_MS: u64 = 1 << 50;

/// Makes of a list of files the modules, the enum, the list and the dispatch.
macro_rules! commands {
    ($($file:ident::$name:ident),+ $(,)?) => {
        $(mod $file;)+
        $(pub use $file::$name;)+

        /// A command with its arguments.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is told in its own file")]
        pub enum Command {
            $($name($name)),+
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })+

        impl Command {
            /// What is known of every command.
            pub const ALL: &[Facts] = &[$(Facts::of::<$name>()),+];

            /// What is known of it.
            pub fn facts(&self) -> Facts {
                match self {
                    $(Self::$name(_) => Facts::of::<$name>()),+
                }
            }

            /// What it does to a slot.
            pub fn apply(&self, slot: &mut Slot, now: Instant) -> Reply {
                match self {
                    $(Self::$name(command) => command.apply(slot, now)),+
                }
            }

            /// What Redis is sent, after the key.
            pub fn arguments(&self) -> Vec<String> {
                match self {
                    $(Self::$name(command) => command.arguments()),+
                }
            }

            /// What Redis' answer to it means.
            ///
            /// # Errors
            /// When no command of the lab is answered so, or the slot holds what the lab did not store.
            pub fn read(&self, raw: Raw) -> Result<Reply, Foreign> {
                match self {
                    $(Self::$name(_) => $name::read(raw)),+
                }
            }

            /// The entry that it stores, if it gets to.
            pub fn entry(&self) -> Option<&Entry> {
                match self {
                    $(Self::$name(command) => command.entry()),+
                }
            }

            /// The token that it asks for a lock or a lease with.
            pub fn asks_with(&self) -> Option<Token> {
                match self {
                    $(Self::$name(command) => command.asks_with()),+
                }
            }
        }

        /// Every command's clause.
        pub(super) async fn contract<P: Ports>(one: &P, other: &P) -> Result<(), Violation> {
            $(
                let kept = $name::contract(one, other).await;
                kept.map_err(|what| Violation { clause: $name::CLAUSE, what })?;
            )+
            Ok(())
        }
    };
}

impl Command {
    /// Its name in the trace, and the word on its capsule.
    pub fn verb(&self) -> Verb {
        self.facts().verb
    }

    /// What Redis is sent, before the key.
    pub fn text(&self) -> Text {
        self.facts().text
    }
}

commands! {
    get::Get,
    set::Set,
    set_if_newer::SetIfNewer,
    replace_older::ReplaceOlder,
    delete::Delete,
    get_or_lease::GetOrLease,
    fill::Fill,
    lock::Lock,
    unlock::Unlock,
}
