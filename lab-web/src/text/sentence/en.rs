//! The sentences in English.

use lab_core::cluster::Role;
use lab_core::trace::{Kind, NoticeKind, Outcome, RequestKind, Verb, WaitFor, Why};
use lab_core::value::{Tier, Value};
use lab_core::world::Fault;

use super::{Context, is_lock, redis_count};
use crate::text::{Lang, lesson, names, numbered, span};

/// The event in one English sentence.
pub(super) fn sentence(context: &Context<'_>) -> String {
    let (who, key) = (context.event.actor, &context.key);
    match &context.event.kind {
        Kind::Phase { name } => match names::begins(context.scenario, name, Lang::En) {
            Some(sentence) => sentence.to_owned(),
            None => format!("The scenario enters the part “{name}”."),
        },
        Kind::Injected { fault } => injected(*fault),
        Kind::Requested { request, server } => match request {
            RequestKind::Read => format!("**{who}** asks **{server}** for {key}."),
            RequestKind::Write => format!("**{who}** sends **{server}** a new value for {key}."),
            RequestKind::Compute => format!("**{who}** asks **{server}** for the expensive {key}."),
            RequestKind::Forget => format!("**{server}** is told to forget {key}."),
        },
        Kind::Received { request } => match request {
            RequestKind::Read => format!("**{who}** receives the read of {key} and looks into its L1 first."),
            RequestKind::Write => format!("**{who}** receives the write of {key}."),
            RequestKind::Compute => format!("**{who}** receives the request for {key}."),
            RequestKind::Forget => format!("**{who}** receives the order to forget {key}."),
        },
        Kind::Answered { outcome, value, tier } => answered(context, outcome, value.as_ref(), *tier),
        Kind::Completed { outcome, value, .. } => completed(context, outcome, value.as_ref()),
        Kind::Called { to, verb } => format!("**{who}** {}.", call(*verb, key, &to.to_string())),
        Kind::Queued { ahead: 0 } => {
            format!("**{who}** has no free connection to the database; its query is the next in line.")
        }
        Kind::Queued { ahead } => {
            let queries = numbered(u64::from(*ahead), "query waits", "queries wait");
            format!("**{who}** has no free connection to the database: **{queries}** before this one.")
        }
        Kind::Served { verb, outcome, value, .. } => served(context, *verb, outcome, value.as_ref()),
        Kind::Returned { verb, outcome } => {
            format!("**{who}** has the answer to its {}: {}.", verb.as_str(), result(outcome))
        }
        Kind::Replayed { value, .. } => {
            let holds = context.content(value.as_ref(), "nothing");
            format!("**{who}** replays the change: it now holds {key} = **{holds}**.")
        }
        Kind::Delivered { notice, from } => match notice {
            NoticeKind::Invalidate => format!("The invalidation of {key} from **{from}** reaches **{who}**."),
            NoticeKind::Filled => format!("**{who}** hears from **{from}** that {key} is filled."),
            NoticeKind::Acknowledge => {
                format!("**{who}** hears that **{from}** has forgotten the old {key}.")
            }
            NoticeKind::Beat => format!("A sign of life from **{from}** reaches **{who}**."),
        },
        Kind::GapNoticed { from, missed } => {
            let notices = numbered(*missed, "notice", "notices");
            format!("**{who}** notices that it missed **{notices}** of **{from}**.")
        }
        Kind::Started { topology } => format!(
            "The servers start: **{}** app servers before Redis (masters + replicas: **{}**) and PostgreSQL (primary + \
             replicas: **1 + {}**).",
            topology.servers,
            redis_count(topology),
            topology.postgres_replicas
        ),
        Kind::RoleChanged { role: Role::Master } => {
            format!("**{who}** is elected: it leads its shard from now on, with what it has replayed.")
        }
        Kind::RoleChanged { role: Role::Replica } => {
            format!("**{who}** learns that another node leads its shard, and follows that from now on.")
        }
        inside => within(context, inside),
    }
}

fn injected(fault: Fault) -> String {
    if fault.mends() {
        return format!("The scenario ends a fault: {}.", lesson::place(fault, Lang::En));
    }
    format!("The scenario breaks something: {}.", lesson::fault(&fault, Lang::En))
}

/// What happens inside a server.
fn within(context: &Context<'_>, kind: &Kind) -> String {
    let (who, key) = (context.event.actor, &context.key);
    match kind {
        Kind::L1Hit => match context.stale_ns {
            Some(ns) => format!(
                "**{who}** finds {key} in its L1, at a version that the database replaced **{}** ago.",
                span(ns)
            ),
            None => format!("**{who}** finds {key} in its L1."),
        },
        Kind::L1Miss => format!("**{who}** does not have {key} in its L1."),
        Kind::L1Unfit { why: reason } => {
            format!("**{who}** has {key} in its L1 but may not serve it: {}.", why(*reason))
        }
        Kind::L1Stored { value, ttl_ms } => format!(
            "**{who}** keeps {key} = **{}** in its L1, for {} at most.",
            context.content(value.as_ref(), "“no row”"),
            span(ttl_ms * 1_000_000)
        ),
        Kind::L1Refused { why: reason } => {
            format!("**{who}** does not take {key} into its L1: {}.", why(*reason))
        }
        Kind::L1Dropped { why: reason, held: true } => {
            format!("**{who}** drops {key} from its L1: {}.", why(*reason))
        }
        Kind::L1Dropped { why: reason, held: false } => {
            format!("**{who}** would drop {key}, but its L1 does not hold it ({}).", why(*reason))
        }
        Kind::L1Flushed { why: reason } => format!("**{who}** empties its L1: {}.", why(*reason)),
        Kind::FlightLed => {
            format!("**{who}** lets this request read {key} for all of its requests that want it.")
        }
        Kind::FlightJoined => format!("On **{who}** another request already reads {key}; this one joins it."),
        Kind::FlightDetached => format!("**{who}** parts later readers of {key} from the read in progress."),
        Kind::Waiting { on } => format!("**{who}** waits for {}.", wait(*on)),
        Kind::Woken { on } => format!("**{who}** goes on: it waited for {}.", wait(*on)),
        Kind::ComputeStarted => format!("**{who}** begins to compute {key}."),
        Kind::Computed { .. } => format!("**{who}** has computed {key}."),
        Kind::Phase { .. }
        | Kind::Injected { .. }
        | Kind::Requested { .. }
        | Kind::Received { .. }
        | Kind::Answered { .. }
        | Kind::Completed { .. }
        | Kind::Called { .. }
        | Kind::Queued { .. }
        | Kind::Served { .. }
        | Kind::Returned { .. }
        | Kind::Replayed { .. }
        | Kind::Delivered { .. }
        | Kind::GapNoticed { .. }
        | Kind::Started { .. }
        | Kind::RoleChanged { .. } => unreachable!("told above"),
    }
}

fn answered(context: &Context<'_>, outcome: &Outcome, value: Option<&Value>, tier: Option<Tier>) -> String {
    let who = context.event.actor;
    match outcome {
        Outcome::Hit => {
            let holds = context.content(value, "nothing");
            let from = tier.map_or("", tier_phrase);
            let late =
                context.stale_ns.map(|ns| format!(", {} after a newer version was committed", span(ns)));
            let fails = if context.violates { " This answer will fail the check." } else { "" };
            format!("**{who}** answers **{holds}**{from}{}.{fails}", late.unwrap_or_default())
        }
        Outcome::Negative => format!("**{who}** answers that there is no such row."),
        Outcome::Done => format!("**{who}** answers that it is done."),
        other => format!("**{who}** answers: {}.", result(other)),
    }
}

fn completed(context: &Context<'_>, outcome: &Outcome, value: Option<&Value>) -> String {
    let who = context.event.actor;
    match (outcome, context.version) {
        (Outcome::Hit, _) if context.violates && context.stale_read => format!(
            "**{who}** gets **{}**, although a newer version was acknowledged before it asked. The check fails.",
            context.content(value, "nothing")
        ),
        (Outcome::Hit, _) if context.violates && context.behind => format!(
            "**{who}** gets **{}**, although a newer version was committed before it asked. The check fails.",
            context.content(value, "nothing")
        ),
        (Outcome::Hit, _) => format!("**{who}** gets **{}**.", context.content(value, "nothing")),
        (Outcome::Done, Some(version)) => {
            format!("**{who}** learns that its write is done, as **{version}**.")
        }
        (Outcome::Done, None) => format!("**{who}** learns that it is done."),
        (other, _) => format!("**{who}** gets: {}.", result(other)),
    }
}

fn served(context: &Context<'_>, verb: Verb, outcome: &Outcome, value: Option<&Value>) -> String {
    let (who, key) = (context.event.actor, &context.key);
    let holds = context.content(value, "nothing");
    let what = if is_lock(verb) { "lock" } else { "lease" };
    match (verb, outcome) {
        (Verb::Update, Outcome::Done) => format!("**{who}** commits {key} = **{holds}**."),
        (Verb::Select, Outcome::Negative) => format!("**{who}** has no row {key}."),
        (Verb::Get, Outcome::Negative) => format!("**{who}** holds “no row” for {key}."),
        (Verb::Select, Outcome::Hit) => format!("**{who}** reads the row {key} = **{holds}**."),
        (Verb::Set | Verb::SetIfNewer | Verb::ReplaceOlder | Verb::Fill, Outcome::Done) => {
            format!("**{who}** now holds {key} = **{holds}**.")
        }
        (Verb::ReplaceOlder, Outcome::Voided) => {
            format!("**{who}** held no {key} to replace: the slot stays empty, and a lease in it is void.")
        }
        (Verb::Set | Verb::SetIfNewer | Verb::ReplaceOlder | Verb::Fill, Outcome::Refused) => {
            format!("**{who}** refuses {key}: it holds something newer, or the lease is gone.")
        }
        (Verb::Delete, _) => format!("**{who}** no longer holds {key}."),
        (Verb::Lock | Verb::Lease, Outcome::Granted(_)) => {
            format!("**{who}** grants the {what} for {key}: nobody else has it.")
        }
        (Verb::Lock | Verb::Lease, Outcome::Held) => {
            format!("**{who}** answers that somebody else holds the {what} for {key}.")
        }
        (Verb::Unlock, Outcome::Released) => format!("**{who}** frees the lock for {key}."),
        (Verb::Unlock, Outcome::NotHeld) => {
            format!("**{who}** finds that this token does not hold the lock for {key}.")
        }
        (_, Outcome::Receivers(count)) => {
            let subscribers = numbered(u64::from(*count), "subscriber", "subscribers");
            format!("The **bus** takes {} for **{subscribers}**.", verb.as_str())
        }
        (_, Outcome::Hit) => format!("**{who}** has {key} = **{holds}**."),
        (_, Outcome::Miss) => format!("**{who}** does not have {key}."),
        (_, other) => format!("**{who}** serves {}: {}.", verb.as_str(), result(other)),
    }
}

fn call(verb: Verb, key: &str, to: &str) -> String {
    match verb {
        Verb::Get => format!("asks **{to}** for {key}"),
        Verb::Set => format!("stores {key} in **{to}**"),
        Verb::SetIfNewer => format!("stores {key} in **{to}**, unless something newer is there"),
        Verb::ReplaceOlder => format!("stores {key} in **{to}** in place of an older value, if there is one"),
        Verb::Delete => format!("deletes {key} from **{to}**"),
        Verb::Lock => format!("tries to take the lock for {key} at **{to}**"),
        Verb::Unlock => format!("gives its lock for {key} back to **{to}**"),
        Verb::Lease => format!("asks **{to}** for {key}, or else for the lease to fill it"),
        Verb::Fill => format!("fills {key} in **{to}** in place of its lease"),
        Verb::PublishInvalidate => format!("publishes the invalidation of {key} on the **bus**"),
        Verb::PublishFilled => format!("tells the **bus** that {key} is filled"),
        Verb::PublishAcknowledge => {
            format!("acknowledges on the **bus** that it has forgotten the old {key}")
        }
        Verb::PublishBeat => "sends a sign of life to the **bus**".to_owned(),
        Verb::Select => format!("asks **{to}** for the row {key}"),
        Verb::Update => format!("writes the row {key} at **{to}**"),
        Verb::Renew => format!("renews its membership at **{to}**"),
        Verb::Members => format!("asks **{to}** which servers are live"),
        Verb::Settle => format!("asks **{to}** whether its write happened, and else forbids it"),
        Verb::Outbox => format!("looks into the outbox at **{to}**"),
        Verb::Bar => format!("bars at **{to}** whoever does not acknowledge"),
        Verb::Leave => format!("gives its membership back to **{to}**"),
    }
}

fn result(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Hit => "found".to_owned(),
        Outcome::Negative => "there is no such row".to_owned(),
        Outcome::Miss => "nothing there".to_owned(),
        Outcome::Done => "done".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Granted(_) => "granted".to_owned(),
        Outcome::Held => "somebody else holds it".to_owned(),
        Outcome::Released => "released".to_owned(),
        Outcome::NotHeld => "it was not its own any more".to_owned(),
        Outcome::Receivers(count) => {
            format!("handed to {}", numbered(u64::from(*count), "subscriber", "subscribers"))
        }
        Outcome::Members(count) => numbered(u64::from(*count), "server is live", "servers are live"),
        Outcome::Moved(node) => format!("the slot lives on {node}"),
        Outcome::Failed(why) => format!("failed ({why})"),
        Outcome::Voided => "there was nothing to replace".to_owned(),
        Outcome::Unknown => "no answer; it may have happened or not".to_owned(),
    }
}

fn tier_phrase(tier: Tier) -> &'static str {
    match tier {
        Tier::L1 => " from its L1",
        Tier::L2 => " from Redis",
        Tier::Database => " from PostgreSQL",
        Tier::Computed => ", which it computed",
    }
}

/// Why L1 did what it did.
pub(super) fn why(why: Why) -> &'static str {
    match why {
        Why::Invalidated => "an invalidation came",
        Why::Written => "this server wrote the row itself",
        Why::Expired => "its time to live has run out",
        Why::TooOld => "the read asks for something fresher",
        Why::EpochMoved => "an invalidation came while the value was on its way",
        Why::NewerHeld => "L1 holds a newer version already",
        Why::NoHit => "it is falsy or no row, which counts as a miss here",
        Why::L2Refused => "L2 refused the value, or nobody knows whether it took it",
        Why::LeaseRanOut => "the server’s membership has run out",
        Why::Gap => "notices were missed",
        Why::Silence => "the bus has been silent for too long",
        Why::Asked => "the scenario asked for it",
    }
}

/// What is waited for.
pub(super) fn wait(on: WaitFor) -> &'static str {
    match on {
        WaitFor::Flight => "the request that already reads",
        WaitFor::Retry => "the next try at the lock",
        WaitFor::Push => "the notice that the holder has filled the value",
        WaitFor::Acknowledgements => "the acknowledgement of every live server",
    }
}
