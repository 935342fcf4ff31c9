//! The checks and the figures over traces written by hand: each condition has a trace in which it decides.

use lab_core::check::{self, History, Part};
use lab_core::cluster::Actor;
use lab_core::nemesis::{self, Promise};
use lab_core::policy::{Policy, Publish};
use lab_core::report::{Bound, Check, Report, Verdict, figure};
use lab_core::trace::{
    Event, EventId, Kind, MessageId, NoticeKind, OperationId, Outcome, RequestKind, Trace, Verb,
};
use lab_core::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};

use super::stage::acknowledged;

/// A trace that is written line by line; each event is a millisecond after the one before.
#[derive(Default)]
struct Script(Trace);

impl Script {
    fn event(&mut self, actor: Actor, kind: Kind) -> &mut Event {
        let at = Instant(self.0.events.len() as u64 * 1_000_000);
        let (key, version, cause) = (Some(Key::new("a")), None, None);
        let event =
            Event { at, actor, kind, key, version, cause, operation: None, message: None, source: None };
        self.0.events.push(event);
        self.0.events.last_mut().expect("it was pushed")
    }

    fn last(&mut self) -> &mut Event {
        self.0.events.last_mut().expect("something was written")
    }

    fn phase(&mut self, name: &str) {
        self.event(Actor::Lab, Kind::Phase { name: name.to_owned() });
    }

    fn sends(&mut self, operation: u32, client: u16, request: RequestKind, key: &str) {
        let kind = Kind::Requested { request, server: ServerId(1) };
        let event = self.event(Actor::Client(ClientId(client)), kind);
        (event.operation, event.key) = (Some(OperationId(operation)), Some(Key::new(key)));
    }

    fn answered(&mut self, operation: u32, key: &str, outcome: Outcome, version: Option<u64>, tier: Tier) {
        let value = version.map(|version| Value::new(version.to_string()));
        let event =
            self.event(Actor::Client(ClientId(1)), Kind::Completed { outcome, value, tier: Some(tier) });
        (event.operation, event.key) = (Some(OperationId(operation)), Some(Key::new(key)));
        event.version = version.map(Version);
    }

    fn request(&mut self, operation: u32, client: u16, request: RequestKind, key: &str, version: u64) {
        let outcome = if request == RequestKind::Read { Outcome::Hit } else { Outcome::Done };
        self.sends(operation, client, request, key);
        self.answered(operation, key, outcome, Some(version), Tier::L1);
    }

    fn committed(&mut self, version: u64) {
        let kind = Kind::Served { verb: Verb::Update, outcome: Outcome::Done, value: None, lsn: None };
        self.event(Actor::Primary, kind).version = Some(Version(version));
    }

    /// Whether it keeps a promise, and how many answers were held against it.
    fn keeps(&self, promise: Promise) -> (bool, u64) {
        let (violations, checked) = nemesis::judge(&[promise], &self.0);
        (violations.is_empty(), checked)
    }

    fn check(&self, check: impl Fn(Part<'_>) -> Check) -> bool {
        let history = History::of(&self.0);
        check(Part::whole(&history)).holds
    }

    fn figure(&self, id: &str) -> Option<f64> {
        let history = History::of(&self.0);
        check::figures(Part::whole(&history)).get(id).map(|figure| figure.value)
    }
}

use RequestKind::{Compute, Read, Write};

fn no_stale_read(part: Part<'_>) -> Check {
    check::no_stale_read("no-stale-read", part)
}

/// A read is stale if its own row had a newer version whose write was acknowledged before it was sent; else it is not.
pub(crate) fn staleness(_: u64) -> bool {
    let written = |key: &str, outcome: Outcome, version: u64| {
        let mut script = Script::default();
        script.sends(1, 1, Write, key);
        script.answered(1, key, outcome, Some(version), Tier::Database);
        script.request(2, 2, Read, "a", 1);
        script.check(no_stale_read)
    };
    let mut overlapping = Script::default();
    overlapping.sends(1, 1, Write, "a");
    overlapping.sends(2, 2, Read, "a");
    overlapping.answered(1, "a", Outcome::Done, Some(2), Tier::Database);
    overlapping.answered(2, "a", Outcome::Hit, Some(1), Tier::L1);
    let wanted = !written("a", Outcome::Done, 2)
        && written("b", Outcome::Done, 2)
        && written("a", Outcome::Unknown, 2)
        && written("a", Outcome::Done, 1)
        && overlapping.check(no_stale_read)
        && {
            let mut script = Script::default();
            script.request(1, 1, Write, "a", 2);
            script.request(2, 2, Read, "a", 1);
            let from = |tier| script.check(|part| check::no_stale_read_from("l1", part, tier));
            !from(Tier::L1) && from(Tier::L2)
        }
        // Nothing to count from is no success.
        && !Script::default().check(no_stale_read);
    !wanted
}

/// A session owes what it wrote itself, to its own row, before it asked; and an answer that was lost is none.
pub(crate) fn own_writes(_: u64) -> bool {
    let reading = |writer: u16, key: &str, outcome: Outcome| {
        let mut script = Script::default();
        // Something is owed in any case, and kept.
        script.request(3, 9, Write, "c", 1);
        script.request(4, 9, Read, "c", 1);
        script.request(1, writer, Write, key, 2);
        script.sends(2, 2, Read, "a");
        script.answered(2, "a", outcome, Some(1), Tier::L1);
        script.check(check::read_your_writes)
    };
    let mut overlapping = Script::default();
    overlapping.request(3, 9, Write, "c", 1);
    overlapping.request(4, 9, Read, "c", 1);
    overlapping.sends(1, 2, Write, "a");
    overlapping.sends(2, 2, Read, "a");
    overlapping.answered(1, "a", Outcome::Done, Some(2), Tier::Database);
    overlapping.answered(2, "a", Outcome::Hit, Some(1), Tier::L1);
    let wanted = !reading(2, "a", Outcome::Hit)
        && reading(1, "a", Outcome::Hit)
        && reading(2, "b", Outcome::Hit)
        && reading(2, "a", Outcome::Unknown)
        && overlapping.check(check::read_your_writes)
        && {
            // Who wrote nothing is owed nothing, and not counted.
            let mut script = Script::default();
            script.request(1, 1, Read, "a", 1);
            !script.check(check::read_your_writes)
        };
    !wanted
}

/// A read is behind if its own row was committed as something newer before it was sent, by the primary; else it is not.
pub(crate) fn behind(_: u64) -> bool {
    let reading = |change: fn(&mut Script)| {
        let mut script = Script::default();
        change(&mut script);
        script.request(1, 1, Read, "a", 1);
        script
    };
    let fresh = |script: &Script| script.check(|part| check::no_read_behind("fresh", part));
    let mut later = reading(|_| {});
    later.committed(2);
    let mut silent = Script::default();
    silent.committed(2);
    silent.sends(1, 1, Read, "a");
    let wanted = !fresh(&reading(|script| script.committed(2)))
        && fresh(&reading(|script| script.committed(1)))
        && fresh(&reading(|script| {
            script.committed(2);
            script.last().key = Some(Key::new("b"));
        }))
        && fresh(&reading(|script| {
            script.committed(2);
            script.last().actor = Actor::Replica(1);
        }))
        && fresh(&later)
        && fresh(&silent);
    !wanted
}

/// Choices that do not go together are refused.
pub(crate) fn contradictions(_: u64) -> bool {
    let changes: [fn(&mut Policy); 2] = [
        |policy| policy.write.publish = Publish::BeforeCommit,
        |policy| (policy.bus.beat_ms, policy.bus.silence_ms) = (200, 200),
    ];
    changes.into_iter().any(|change| {
        let mut policy = acknowledged();
        change(&mut policy);
        policy.validate().is_ok()
    })
}

/// A request that is lost is not answered, and differs from no other answer.
pub(crate) fn lost_answers(_: u64) -> bool {
    let mut script = Script::default();
    script.request(1, 1, Compute, "a", 7);
    script.sends(2, 2, Compute, "a");
    let lost = !script.check(check::all_answered);
    script.answered(2, "a", Outcome::Unknown, None, Tier::Computed);
    let unknown = !script.check(check::all_answered);
    let equal = script.check(|part| check::equal_answers(part, Compute));
    script.request(3, 3, Compute, "a", 8);
    let unequal = !script.check(|part| check::equal_answers(part, Compute));
    let mut written = Script::default();
    written.sends(1, 1, Write, "a");
    written.request(2, 2, Read, "a", 1);
    let reads = written.check(check::all_reads_answered) && !written.check(check::all_answered);
    !(lost && unknown && equal && unequal && reads)
}

/// A phase holds what was sent in it, and nothing else.
pub(crate) fn phases(_: u64) -> bool {
    let mut script = Script::default();
    script.request(1, 1, Write, "a", 2);
    script.phase("act");
    script.request(2, 2, Read, "a", 2);
    script.phase("later");
    script.request(3, 2, Read, "a", 1);
    let history = History::of(&script.0);
    let act = check::no_stale_read("no-stale-read", Part::of(&history, "act"));
    let later = check::no_stale_read("no-stale-read", Part::of(&history, "later"));
    let never = check::no_stale_read("no-stale-read", Part::of(&history, "never"));
    !act.holds || act.of != Some(1) || later.holds || never.holds
}

/// Each figure counts what its name says.
pub(crate) fn figures(_: u64) -> bool {
    let mut script = Script::default();
    let served = |verb| Kind::Served { verb, outcome: Outcome::Done, value: None, lsn: None };
    script.event(Actor::Primary, served(Verb::Select)).message = Some(MessageId(1));
    script.event(Actor::Primary, served(Verb::Update)).message = Some(MessageId(2));
    script.event(Actor::Replica(1), served(Verb::Select)).message = Some(MessageId(4));
    // An operator's deletion is no call.
    script.event(Actor::RedisMaster(0), served(Verb::Delete));
    script.event(Actor::RedisMaster(0), served(Verb::Get)).message = Some(MessageId(3));
    for notice in [NoticeKind::Beat, NoticeKind::Invalidate] {
        script.event(Actor::Server(ServerId(1)), Kind::Delivered { notice, from: ServerId(2) });
    }
    // The slowest answer comes first; and three never come.
    script.sends(6, 1, Read, "a");
    script.event(Actor::Lab, Kind::L1Miss);
    script.answered(6, "a", Outcome::Hit, Some(1), Tier::Database);
    script.request(1, 1, Read, "a", 1);
    script.request(5, 1, Read, "a", 1);
    for operation in [2, 7, 8] {
        script.sends(operation, 2, Read, "a");
    }
    script.sends(3, 3, Compute, "c");
    script.answered(3, "c", Outcome::Hit, Some(1), Tier::L2);
    script.sends(4, 4, Compute, "c");
    script.event(Actor::Server(ServerId(1)), Kind::ComputeStarted);
    script.event(Actor::Server(ServerId(1)), Kind::Computed { value: Value::new("1") });
    script.answered(4, "c", Outcome::Hit, Some(1), Tier::Computed);
    let wanted = [
        (figure::DB_QUERIES, 1.0),
        (figure::REDIS_CALLS, 1.0),
        (figure::BUS_NOTICES, 1.0),
        (figure::READ_P99, 2.0),
        (figure::READ_P50, 1.0),
        (figure::L1_HIT_SHARE, 1.0 / 3.0),
        (figure::COMPUTATIONS, 1.0),
        (figure::WAITER_MEAN, 1.0),
    ];
    wanted.into_iter().any(|(id, wanted)| script.figure(id) != Some(wanted))
}

/// Bounds bound, checks that inform are not the goal's, and a run that showed nothing does not hold.
pub(crate) fn verdicts(_: u64) -> bool {
    let bounds = [
        (Bound::AtMost(2), [true, true, false]),
        (Bound::AtLeast(2), [false, true, true]),
        (Bound::Exactly(2), [false, true, false]),
    ];
    let bounded =
        bounds.into_iter().all(|(bound, wanted)| [1, 2, 3].map(|count| bound.holds(count)) == wanted);
    let report =
        |check: Check, demonstration| Report { checks: vec![check], demonstration, figures: [].into() };
    let (held, broken) = (check::check("a", 1, None, Bound::Exactly(1), None), |goal| Check {
        goal,
        ..check::check("a", 2, None, Bound::Exactly(1), None)
    });
    let event = |seen| check::check("a", seen, None, Bound::AtMost(1), Some(EventId(7))).event;
    let informs = check::inform("a", 2, None, Bound::AtMost(1), None);
    let failing = Report { checks: vec![informs.clone(), broken(true)], ..report(broken(true), true) };
    let first = failing.first_failure().map(|check| check.goal);
    let over = [1, 2, 3].map(|count| Bound::AtMost(2).oversteps(count) || Bound::AtLeast(2).oversteps(count));
    let harm = failing.overstepped().map(|check| check.goal).collect::<Vec<_>>();
    let over = (over, harm) == ([false, false, true], vec![true]);
    let told = (event(1), event(2), informs.goal, first) == (None, Some(EventId(7)), false, Some(true));
    let mut verdict = Verdict::default();
    for (seed, report) in [
        (1, report(held.clone(), true)),
        (2, report(held, false)),
        (3, report(broken(true), true)),
        (4, report(broken(false), true)),
    ] {
        verdict.add(seed, &report, seed);
    }
    !(bounded
        && told
        && over
        && (verdict.tried, verdict.held, verdict.demonstrated, verdict.first_failing) == (4, 2, 3, Some(3)))
}

/// A promise is broken by an answer that is older than what was owed by then: to that row, by an answered request of whom
/// the promise names; and by a version that nobody had committed by then.
pub(crate) fn promises(_: u64) -> bool {
    use Promise::{ConvergesWhenQuiet, FreshAfterAcknowledgement, NothingInvented, ReadYourWrites};
    let reading = |writer: u16, key: &str, outcome: Outcome, version: u64| {
        let mut script = Script::default();
        script.sends(1, writer, Write, key);
        script.answered(1, key, outcome, Some(2), Tier::Database);
        script.request(2, 2, Read, "a", version);
        script
    };
    let fresh = |script: &Script| script.keeps(FreshAfterAcknowledgement).0;
    let freshness = !fresh(&reading(1, "a", Outcome::Done, 1))
        && fresh(&reading(1, "a", Outcome::Done, 2))
        && fresh(&reading(1, "b", Outcome::Done, 1))
        && fresh(&reading(1, "a", Outcome::Unknown, 1));
    let own = !reading(2, "a", Outcome::Done, 1).keeps(ReadYourWrites).0
        && reading(1, "a", Outcome::Done, 1).keeps(ReadYourWrites).0;
    let mut lost = Script::default();
    lost.request(1, 1, Write, "a", 2);
    lost.sends(2, 2, Read, "a");
    let (kept, checked) = lost.keeps(FreshAfterAcknowledgement);
    let lost = kept && checked == 0;
    let mut quiet = Script::default();
    quiet.committed(1);
    quiet.phase("look again");
    quiet.request(1, 1, Read, "a", 1);
    let converges = quiet.keeps(ConvergesWhenQuiet) == (true, 1);
    // What is committed afterwards is no excuse, and was owed by nobody.
    quiet.request(2, 1, Read, "a", 2);
    let invented = !quiet.keeps(NothingInvented).0;
    quiet.committed(2);
    let mut written = Script::default();
    written.committed(1);
    written.request(1, 1, Write, "a", 2);
    let nothing_lost = !written.keeps(Promise::NoLostWrite).0;
    // It is committed, and not before the answer.
    written.committed(2);
    let nothing_lost = nothing_lost && !written.keeps(Promise::NoLostWrite).0;
    let mut kept = Script::default();
    kept.committed(2);
    kept.request(1, 1, Write, "a", 2);
    let nothing_lost = nothing_lost && kept.keeps(Promise::NoLostWrite) == (true, 1);
    let wanted = freshness
        && own
        && nothing_lost
        && lost
        && converges
        && invented
        && quiet.keeps(ConvergesWhenQuiet).0
        && !quiet.keeps(NothingInvented).0;
    !wanted
}
