//! One sentence for each event: the narration, the log line and the screen reader's line.
//!
//! The event is the typed message; a language renders it. Both renderings match on every kind, so a new kind of
//! event does not compile until it has its sentence in both. `**…**` marks what is set in bold.

mod en;
mod ja;

use lab_core::cluster::{Role, Topology};
use lab_core::scenario::ScenarioId;
use lab_core::trace::{Event, Kind, Outcome, RequestKind, Verb};
use lab_core::value::{Key, Value, Version};

use super::{Lang, names};
use crate::replay::{Operation, Replay};

/// What a sentence may need to know beyond its own event.
pub(crate) struct Context<'a> {
    event: &'a Event,
    /// Whose words name the parts of the run.
    scenario: ScenarioId,
    key: String,
    version: Option<Version>,
    /// How long ago the version was superseded in the database, in nanoseconds, if it was.
    stale_ns: Option<u64>,
    /// Whether this is the answer of a stale read: it began after the acknowledgement of something newer.
    stale_read: bool,
    /// Whether its answer is older than what was committed when it began, acknowledged or not.
    behind: bool,
    /// Whether this answer breaks the goal.
    violates: bool,
}

/// The sentence for the event at `index`.
pub(crate) fn sentence(replay: &Replay, index: usize, lang: Lang) -> String {
    let Some(event) = replay.event(index) else { return String::new() };
    let stale_ns = match (&event.key, event.version) {
        (Some(key), Some(version)) => {
            replay.superseded(key, version, index).map(|since| event.at.0.saturating_sub(since.0))
        }
        _ => None,
    };
    let operation = event.operation.and_then(|operation| replay.operation(operation));
    let context = Context {
        event,
        scenario: replay.spec.scenario,
        key: event.key.as_ref().map_or_else(String::new, Key::to_string),
        version: event.version,
        stale_ns,
        stale_read: operation.is_some_and(Operation::is_stale),
        behind: operation.is_some_and(|operation| operation.behind),
        violates: event.operation.is_some_and(|operation| replay.violates(operation)),
    };
    match lang {
        Lang::En => en::sentence(&context),
        Lang::Ja => ja::sentence(&context),
    }
}

impl Context<'_> {
    /// The value and its version as text: `100 (v2)`.
    fn content(&self, value: Option<&Value>, none: &str) -> String {
        let value = value.map_or_else(|| none.to_owned(), |value| shortened(value.as_str()));
        self.version.map_or_else(|| value.clone(), |version| format!("{value} ({version})"))
    }
}

/// A value that fits into a sentence.
pub(crate) fn shortened(value: &str) -> String {
    if value.is_empty() {
        // An empty text is a value, and must be seen to be one.
        return "\"\"".to_owned();
    }
    if value.chars().count() <= 12 {
        return value.to_owned();
    }
    value.chars().take(10).chain(std::iter::once('…')).collect()
}

/// The short detail of an event for the Events list: the facts without the grammar. The row that the run is about
/// is not named again in every line; another one is.
pub(crate) fn detail(event: &Event, replay: &Replay, lang: Lang) -> String {
    let focus = &replay.focus;
    let key = event.key.as_ref().filter(|key| *key != focus).map_or_else(String::new, Key::to_string);
    let version = event.version.map_or_else(String::new, |version| format!(" {version}"));
    let value = |value: &Option<Value>| {
        value.as_ref().map_or_else(String::new, |value| format!("{}{version}", shortened(value.as_str())))
    };
    match &event.kind {
        Kind::Phase { name } => names::phase(replay.spec.scenario, name, lang),
        Kind::Injected { fault } => super::lesson::fault(fault, lang),
        Kind::Requested { request, server } => {
            join(&[request_word(*request), &key, "→", &server.to_string()])
        }
        Kind::Received { request } => join(&[request_word(*request), &key]),
        Kind::Answered { outcome, value: content, tier }
        | Kind::Completed { outcome, value: content, tier } => {
            let tier = tier.map_or("", tier_name);
            join(&[&value(content), tier, &outcome_word(outcome)])
        }
        Kind::L1Stored { value: content, ttl_ms } => {
            join(&[&key, &value(content), &format!("ttl {}", super::span(ttl_ms.saturating_mul(1_000_000)))])
        }
        Kind::L1Unfit { why } | Kind::L1Refused { why } | Kind::L1Dropped { why, .. } => {
            join(&[&key, &version, why_word(*why, lang)])
        }
        Kind::L1Flushed { why } => why_word(*why, lang).to_owned(),
        Kind::Waiting { on } | Kind::Woken { on } => wait_word(*on, lang).to_owned(),
        Kind::Computed { value: content } => shortened(content.as_str()),
        Kind::Called { to, .. } => join(&["→", &to.to_string(), &key, &version]),
        Kind::Queued { ahead } => format!("{ahead}"),
        Kind::Served { outcome, value: content, .. } => {
            join(&[&outcome_word(outcome), &key, &value(content)])
        }
        Kind::Returned { outcome, .. } => join(&["←", &outcome_word(outcome), &key, &version]),
        Kind::Replayed { value: content, .. } => join(&[&key, &value(content)]),
        Kind::Delivered { notice, from } => {
            join(&[notice_word(*notice), &key, &version, "←", &from.to_string()])
        }
        Kind::GapNoticed { from, missed } => format!("{missed} ← {from}"),
        Kind::Started { topology } => {
            format!("{} · {} · 1 + {}", topology.servers, redis_count(topology), topology.postgres_replicas)
        }
        Kind::RoleChanged { role } => role_word(*role).to_owned(),
        Kind::L1Hit
        | Kind::L1Miss
        | Kind::FlightLed
        | Kind::FlightJoined
        | Kind::FlightDetached
        | Kind::ComputeStarted => join(&[&key, &version]),
    }
}

/// Redis' own word for a node's role, in any language.
fn role_word(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Replica => "replica",
    }
}

/// Masters and their replicas, as the stage writes them.
pub(crate) fn redis_count(topology: &Topology) -> String {
    let replicas = topology.shards.iter().filter(|shard| shard.replica).count();
    format!("{} + {replicas}", topology.masters())
}

fn join(parts: &[&str]) -> String {
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn request_word(request: RequestKind) -> &'static str {
    match request {
        RequestKind::Read => "read",
        RequestKind::Write => "write",
        RequestKind::Compute => "compute",
        RequestKind::Forget => "forget",
    }
}

fn tier_name(tier: lab_core::value::Tier) -> &'static str {
    use lab_core::value::Tier;
    match tier {
        Tier::L1 => "L1",
        Tier::L2 => "L2",
        Tier::Database => "PostgreSQL",
        Tier::Computed => "computed",
    }
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Hit => "hit".to_owned(),
        Outcome::Negative => "no row".to_owned(),
        Outcome::Miss => "miss".to_owned(),
        Outcome::Done => "ok".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Granted(_) => "granted".to_owned(),
        Outcome::Held => "held".to_owned(),
        Outcome::Released => "released".to_owned(),
        Outcome::NotHeld => "not held".to_owned(),
        Outcome::Receivers(count) => super::numbered(u64::from(*count), "receiver", "receivers"),
        Outcome::Members(count) => super::numbered(u64::from(*count), "member", "members"),
        Outcome::Moved(node) => format!("MOVED {node}"),
        Outcome::Failed(why) => format!("failed: {why}"),
        Outcome::Voided => "void".to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
    }
}

fn notice_word(notice: lab_core::trace::NoticeKind) -> &'static str {
    use lab_core::trace::NoticeKind;
    match notice {
        NoticeKind::Invalidate => "INVALIDATE",
        NoticeKind::Filled => "FILLED",
        NoticeKind::Acknowledge => "ACK",
        NoticeKind::Beat => "BEAT",
    }
}

fn why_word(why: lab_core::trace::Why, lang: Lang) -> &'static str {
    match lang {
        Lang::En => en::why(why),
        Lang::Ja => ja::why(why),
    }
}

fn wait_word(on: lab_core::trace::WaitFor, lang: Lang) -> &'static str {
    match lang {
        Lang::En => en::wait(on),
        Lang::Ja => ja::wait(on),
    }
}

/// What a call does, as a verb phrase key shared by both languages.
fn is_lock(verb: Verb) -> bool {
    matches!(verb, Verb::Lock | Verb::Unlock)
}
