//! Which messages are under way, and how they are drawn: at most six capsules, the rest merged with a count.

use std::collections::BTreeMap;

use lab_core::ports::l2::{Facts, Leaves};
use lab_core::trace::{Actor, Kind, OperationId, Outcome, RequestKind, Verb};
use lab_core::value::{Instant, ServerId, Value, Version};

use super::{Geometry, Route};
use crate::replay::{Call, Operation, Replay};
use crate::stage_state::{StageState, is_background};
use crate::text::sentence::shortened;

/// More capsules than this are never drawn.
const CAPSULES_MAX: usize = 6;
/// A message stands at least this far along its way, so that it can be seen at the instant it is sent.
const NEAR: f64 = 0.14;

/// How a capsule is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// An answer that breaks the goal.
    Bad,
    /// Changes something: filled.
    Write,
    /// Asks: outlined.
    Read,
    /// Brings an older version: hatched.
    Stale,
    /// Brings the newest version, or a success.
    Fresh,
    /// Says that the slot lives elsewhere.
    Redirect,
}

/// Where a notice on the bus has yet to arrive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    /// The server, counted from 0.
    pub(crate) server: usize,
    /// In how many nanoseconds it lands.
    pub(crate) lands_in: u64,
    /// The way along the bus to its port.
    pub(crate) route: Route,
}

/// A message, or several of one kind on one way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capsule {
    /// Stays the same while it travels.
    pub(crate) id: String,
    /// What it says.
    pub(crate) label: String,
    /// How it is drawn.
    pub(crate) look: Look,
    /// Its way.
    pub(crate) route: Route,
    /// How far along it is.
    pub(crate) share: f64,
    /// Whether the way behind and ahead is drawn.
    pub(crate) trail: bool,
    /// For a notice: where it is still awaited.
    pub(crate) pending: Vec<Pending>,
    /// The node that it is about, for the outline of the card.
    pub(crate) store: Option<Actor>,
    /// How many messages it stands for.
    count: usize,
    current: bool,
}

/// The capsules at event `index`, at the instant `now` (at or after the event's).
pub(crate) fn capsules(
    replay: &Replay,
    state: &StageState,
    geometry: &Geometry,
    index: usize,
    now: Instant,
) -> Vec<Capsule> {
    let event = replay.event(index);
    let mut groups = Groups::default();
    for message in &state.calls {
        let Some(call) = replay.call(*message) else { continue };
        let current = event.is_some_and(|event| event.message == Some(*message));
        if is_background(call.verb) && !current {
            continue;
        }
        let moment = Moment { replay, geometry, index, now, current };
        groups.add(Group::of_call(call, &moment), || of_call(call, &moment));
    }
    for operation in &state.operations {
        if let Some(request) = replay.operation(*operation) {
            let current =
                event.is_some_and(|event| event.operation == Some(*operation) && is_travel(&event.kind));
            let moment = Moment { replay, geometry, index, now, current };
            if let Some(group) = Group::of_request(request, &moment) {
                groups.add(group, || of_request(*operation, request, &moment));
            }
        }
    }
    let mut capsules = groups.by_name();
    capsules.extend(event.and_then(|event| of_replication(geometry, event)));
    capsules.sort_by_key(|capsule| (!capsule.current, capsule.look, usize::MAX - capsule.count));
    capsules.truncate(CAPSULES_MAX);
    // The current message keeps its name; a group of the same kind beside it gets another.
    let current = capsules.first().filter(|capsule| capsule.current).map(|capsule| capsule.id.clone());
    for capsule in capsules.iter_mut().skip(1).filter(|capsule| Some(&capsule.id) == current.as_ref()) {
        capsule.id.push_str("others");
    }
    for capsule in &mut capsules {
        if capsule.count > 1 {
            capsule.label = format!("{} ×{}", capsule.label, capsule.count);
        }
    }
    capsules
}

/// When and where capsules are looked for.
struct Moment<'a> {
    replay: &'a Replay,
    geometry: &'a Geometry,
    index: usize,
    now: Instant,
    /// Whether the message is the one of the current event, which is drawn by itself.
    current: bool,
}

/// What messages have in common that are drawn as one.
#[derive(PartialEq)]
enum Group<'a> {
    /// The message of the current event.
    Current,
    /// A notice in the bus is drawn by itself.
    Notice(usize),
    /// Calls on one way, out or back.
    Call(Actor, Actor, Verb, bool),
    /// Requests on their way to a server.
    Ask(ServerId, RequestKind),
    /// Answers on their way to the clients of a server.
    Answer(ServerId, Option<&'a Outcome>, Option<&'a Value>, Option<Version>),
}

impl<'a> Group<'a> {
    fn of_call(call: &Call, moment: &Moment<'_>) -> Self {
        if moment.current {
            Self::Current
        } else if call.is_publication() && is_served(call, moment) {
            Self::Notice(call.called)
        } else {
            Self::Call(call.from, call.to, call.verb, has_turned(call, moment))
        }
    }

    /// `None` while the request is at its server: then it is under way nowhere.
    fn of_request(request: &'a Operation, moment: &Moment<'_>) -> Option<Self> {
        let by_now = |at: Option<(usize, Instant)>| at.is_some_and(|(at, _)| at <= moment.index);
        let answered = by_now(request.answered);
        if by_now(request.received) && !answered {
            return None;
        }
        Some(if moment.current {
            Self::Current
        } else if answered {
            let Operation { server, outcome, value, version, .. } = request;
            Self::Answer(*server, outcome.as_ref(), value.as_ref(), *version)
        } else {
            Self::Ask(request.server, request.request)
        })
    }
}

/// Messages by group, each with its capsule. A thousand clients make a thousand messages and a few groups, so a
/// capsule is made once for each group and counted from then on.
#[derive(Default)]
struct Groups<'a>(Vec<(Group<'a>, Option<Capsule>)>);

impl<'a> Groups<'a> {
    fn add(&mut self, group: Group<'a>, capsule: impl FnOnce() -> Option<Capsule>) {
        match self.0.iter_mut().find(|(own, _)| *own == group) {
            Some((_, Some(capsule))) => capsule.count += 1,
            Some((_, None)) => {}
            None => self.0.push((group, capsule())),
        }
    }

    /// One capsule a name, in the order of the names: different outcomes may read the same. The current one stands
    /// by itself, and first.
    fn by_name(self) -> Vec<Capsule> {
        let mut named: BTreeMap<(bool, String), Capsule> = BTreeMap::new();
        for capsule in self.0.into_iter().filter_map(|(_, capsule)| capsule) {
            named
                .entry((!capsule.current, capsule.id.clone()))
                .and_modify(|other| {
                    other.count += capsule.count;
                    other.share = other.share.max(capsule.share);
                })
                .or_insert(capsule);
        }
        named.into_values().collect()
    }
}

fn is_served(call: &Call, moment: &Moment<'_>) -> bool {
    call.served.is_some_and(|served| served <= moment.index)
}

fn has_turned(call: &Call, moment: &Moment<'_>) -> bool {
    is_served(call, moment) || call.turns_at.is_some_and(|turns| turns < moment.now)
}

fn is_travel(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Requested { .. } | Kind::Received { .. } | Kind::Answered { .. } | Kind::Completed { .. }
    )
}

fn of_call(call: &Call, moment: &Moment<'_>) -> Option<Capsule> {
    let Moment { replay, geometry, index, now, current } = *moment;
    let turned = has_turned(call, moment);
    if call.is_publication() && is_served(call, moment) {
        return of_notice(call, moment);
    }
    let way = match call.to {
        Actor::Bus => Some(geometry.to_bus(server_place(call.from)?)),
        to => geometry.to_store(call.from, to),
    }?;
    let share = |from: Instant, to: Option<Instant>| {
        let to = to.unwrap_or(now).0.max(from.0 + 1);
        (now.0.saturating_sub(from.0) as f64 / (to - from.0) as f64).clamp(NEAR, 1.0 - NEAR)
    };
    let (route, share, look, label) = if turned {
        let turns = call.turns_at.unwrap_or(call.sent_at);
        (way.reversed(), share(turns, call.returned_at), reply_look(replay, call, index), reply_label(call))
    } else {
        let look = if call.verb.writes() { Look::Write } else { Look::Read };
        (way, share(call.sent_at, call.turns_at), look, request_label(call))
    };
    let direction = if turned { "back" } else { "out" };
    let verb = call.verb.as_str();
    let id = format!("{}{}{verb}{direction}", call.from, call.to);
    Some(Capsule {
        id,
        label,
        look,
        route,
        share,
        trail: true,
        pending: Vec::new(),
        store: (call.to != Actor::Bus).then_some(call.to),
        count: 1,
        current,
    })
}

/// A notice in the bus: it travels towards the farthest subscriber that has not heard of it.
fn of_notice(call: &Call, moment: &Moment<'_>) -> Option<Capsule> {
    let Moment { replay, geometry, index, now, current } = *moment;
    let from = server_place(call.from)?;
    let left = replay.event(call.served?)?.at;
    let pending: Vec<Pending> = call
        .deliveries
        .iter()
        .filter(|(delivered, server, _)| *delivered > index && server.index() != from)
        .map(|(_, server, at)| Pending {
            server: server.index(),
            lands_in: at.0.saturating_sub(now.0),
            route: geometry.along_bus(from, server.index()),
        })
        .collect();
    let farthest = pending.iter().max_by_key(|pending| (pending.server.abs_diff(from), pending.server))?;
    let total = now.0.saturating_sub(left.0) + farthest.lands_in;
    let share = now.0.saturating_sub(left.0) as f64 / total.max(1) as f64;
    Some(Capsule {
        id: format!("{}bus{}notice{}", call.from, call.verb.as_str(), call.called),
        label: request_label(call),
        look: Look::Write,
        route: farthest.route.clone(),
        share: share.clamp(0.1, 0.86),
        trail: true,
        pending,
        store: None,
        count: 1,
        current,
    })
}

fn of_request(id: OperationId, request: &Operation, moment: &Moment<'_>) -> Option<Capsule> {
    let Moment { replay, geometry, index, now, current } = *moment;
    if request.request == RequestKind::Forget && !current {
        return None;
    }
    let way = geometry.to_client(request.server.index())?;
    let answered = request.answered.filter(|(answered, _)| *answered <= index);
    let received = request.received.is_some_and(|(received, _)| received <= index);
    let share = |from: Instant, to: Option<(usize, Instant)>| {
        let to = to.map_or(now.0, |(_, at)| at.0).max(from.0 + 1);
        (now.0.saturating_sub(from.0) as f64 / (to - from.0) as f64).clamp(0.44, 0.56)
    };
    let (route, share, look, label, direction) = match answered {
        Some((_, at)) => {
            let look = if replay.violates(id) {
                Look::Bad
            } else if request.is_stale() || request.behind {
                Look::Stale
            } else {
                Look::Fresh
            };
            (way, share(at, request.completed), look, answer_label(request), "up")
        }
        None if received => return None,
        None => {
            let look = if request.request == RequestKind::Write { Look::Write } else { Look::Read };
            let share = share(request.requested_at, request.received);
            (way.reversed(), share, look, ask_label(request).to_owned(), "down")
        }
    };
    Some(Capsule {
        id: format!("{}{direction}{label}", request.server),
        label,
        look,
        route,
        share,
        trail: false,
        pending: Vec::new(),
        store: None,
        count: 1,
        current,
    })
}

/// A replica that replays now shows the write-ahead log on its way.
fn of_replication(geometry: &Geometry, event: &lab_core::trace::Event) -> Option<Capsule> {
    let (Kind::Replayed { .. }, Actor::Replica(number)) = (&event.kind, event.actor) else { return None };
    let (primary, node) = (geometry.postgres.first()?, geometry.postgres.get(usize::from(number))?);
    Some(Capsule {
        id: format!("wal{number}"),
        label: event.version.map_or_else(|| "WAL".to_owned(), |version| format!("WAL {version}")),
        look: Look::Read,
        route: geometry.wal_route(primary, node),
        share: 0.72,
        trail: true,
        pending: Vec::new(),
        store: Some(event.actor),
        count: 1,
        current: true,
    })
}

fn server_place(actor: Actor) -> Option<usize> {
    match actor {
        Actor::Server(server) => Some(server.index()),
        _ => None,
    }
}

fn versioned(version: Option<Version>) -> String {
    version.map_or_else(String::new, |version| format!(" {version}"))
}

fn content(value: Option<&Value>, version: Option<Version>) -> String {
    value.map_or_else(String::new, |value| format!("{}{}", shortened(value.as_str()), versioned(version)))
}

fn request_label(call: &Call) -> String {
    let verb = call.verb.as_str();
    let stores = Facts::named(call.verb).is_some_and(|command| command.leaves == Leaves::Value);
    if stores || call.verb == Verb::PublishInvalidate {
        format!("{verb}{}", versioned(call.version))
    } else {
        verb.to_owned()
    }
}

fn reply_label(call: &Call) -> String {
    match &call.outcome {
        Some(Outcome::Hit) => content(call.value.as_ref(), call.version),
        Some(Outcome::Miss) => "miss".to_owned(),
        Some(Outcome::Negative) => "no row".to_owned(),
        Some(Outcome::Refused) => "refused".to_owned(),
        Some(Outcome::Voided) => "void".to_owned(),
        Some(Outcome::Granted(_)) => "granted".to_owned(),
        Some(Outcome::Held) => "held".to_owned(),
        Some(Outcome::NotHeld) => "not held".to_owned(),
        Some(Outcome::Moved(node)) => format!("MOVED {node}"),
        Some(Outcome::Failed(_)) => "failed".to_owned(),
        Some(Outcome::Unknown) => "unknown".to_owned(),
        Some(Outcome::Members(count)) => format!("{count} members"),
        Some(Outcome::Done | Outcome::Released | Outcome::Receivers(_)) | None => "ok".to_owned(),
    }
}

fn reply_look(replay: &Replay, call: &Call, index: usize) -> Look {
    match &call.outcome {
        Some(Outcome::Moved(_)) => Look::Redirect,
        Some(Outcome::Failed(_) | Outcome::Unknown) => Look::Bad,
        Some(
            Outcome::Miss
            | Outcome::Held
            | Outcome::NotHeld
            | Outcome::Negative
            | Outcome::Refused
            | Outcome::Voided,
        ) => Look::Read,
        Some(Outcome::Hit) => match (&call.key, call.version) {
            (Some(key), Some(version)) if replay.superseded(key, version, index).is_some() => Look::Stale,
            _ => Look::Fresh,
        },
        _ => Look::Fresh,
    }
}

fn ask_label(request: &Operation) -> &'static str {
    match request.request {
        RequestKind::Read | RequestKind::Compute => "GET",
        RequestKind::Write => "PUT",
        RequestKind::Forget => "FORGET",
    }
}

fn answer_label(request: &Operation) -> String {
    match &request.outcome {
        Some(Outcome::Hit) => content(request.value.as_ref(), request.version),
        Some(Outcome::Done) => format!("ok{}", versioned(request.version)),
        Some(Outcome::Negative) => "no row".to_owned(),
        _ => "error".to_owned(),
    }
}
