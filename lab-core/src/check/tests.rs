//! Each condition of each check, over traces written by hand: one trace that breaks the check, and beside it the same
//! trace with one thing changed, which alone turns the verdict.

#![allow(clippy::float_cmp, reason = "these figures are counts and whole milliseconds")]

use super::*;
use crate::cluster::Actor;
use crate::report::figure;
use crate::trace::{MessageId, NoticeKind, OperationId, Outcome, Trace, Verb};
use crate::value::{ClientId, Key, ServerId, Value, Version};

const LOOK: &str = "look";

/// A request, as a trace tells it.
#[derive(Clone)]
struct Told {
    kind: RequestKind,
    client: u16,
    key: &'static str,
    outcome: Outcome,
    version: Option<u64>,
    value: Option<&'static str>,
    tier: Option<Tier>,
}

fn write(version: u64) -> Told {
    let (outcome, version) = (Outcome::Done, Some(version));
    Told { kind: RequestKind::Write, client: 1, key: "a", outcome, version, value: None, tier: None }
}

fn read(version: u64) -> Told {
    let (value, tier) = (Some("x"), Some(Tier::L1));
    Told { kind: RequestKind::Read, client: 1, outcome: Outcome::Hit, value, tier, ..write(version) }
}

/// A trace that grows by one event a millisecond.
#[derive(Clone, Default)]
struct Script(Trace);

impl Script {
    fn event(mut self, actor: Actor, kind: Kind, fill: impl FnOnce(&mut Event)) -> Self {
        let at = Instant(self.0.events.len() as u64 * 1_000_000);
        let mut event = Event {
            at,
            actor,
            kind,
            key: None,
            version: None,
            cause: None,
            operation: None,
            message: None,
            source: None,
        };
        fill(&mut event);
        self.0.events.push(event);
        self
    }

    fn phase(self, name: &str) -> Self {
        self.event(Actor::Lab, Kind::Phase { name: name.to_owned() }, |_| {})
    }

    fn sent(self, operation: u32, told: &Told) -> Self {
        let kind = Kind::Requested { request: told.kind, server: ServerId(1) };
        self.event(Actor::Client(ClientId(told.client)), kind, |event| {
            event.operation = Some(OperationId(operation));
            event.key = Some(Key::new(told.key));
        })
    }

    fn done(self, operation: u32, told: &Told) -> Self {
        let (outcome, value) = (told.outcome.clone(), told.value.map(Value::new));
        let kind = Kind::Completed { outcome, value, tier: told.tier };
        self.event(Actor::Client(ClientId(told.client)), kind, |event| {
            event.operation = Some(OperationId(operation));
            event.key = Some(Key::new(told.key));
            event.version = told.version.map(Version);
        })
    }

    /// A request from its sending to its completion.
    fn whole(self, operation: u32, told: &Told) -> Self {
        self.sent(operation, told).done(operation, told)
    }

    fn served(self, actor: Actor, verb: Verb, message: Option<u32>) -> Self {
        let kind = Kind::Served { verb, outcome: Outcome::Hit, value: None, lsn: None };
        self.event(actor, kind, |event| event.message = message.map(MessageId))
    }

    /// What a check says of the part from `look` on.
    fn judged(&self, check: impl Fn(Part<'_>) -> Check) -> Check {
        check(Part::since(&History::of(&self.0), LOOK))
    }
}

/// A write, and then a read in the part that is looked at.
fn then(write: &Told, read: &Told) -> Script {
    Script::default().whole(1, write).phase(LOOK).whole(2, read)
}

#[track_caller]
fn stale(script: &Script) -> bool {
    !script.judged(|part| no_stale_read(id::NO_STALE_READ, part)).holds
}

#[test]
fn a_read_is_stale_by_an_acknowledged_newer_write_of_its_row_and_by_nothing_else() {
    assert!(stale(&then(&write(2), &read(1))), "the case that the others differ from");
    assert!(!stale(&then(&write(2), &read(2))), "the newest is answered");
    assert!(!stale(&then(&write(1), &read(1))), "nothing newer was written");
    assert!(
        !stale(&then(&Told { outcome: Outcome::Unknown, ..write(2) }, &read(1))),
        "nobody acknowledged it"
    );
    assert!(!stale(&then(&Told { version: None, ..write(2) }, &read(1))), "nobody knows what was written");
    assert!(!stale(&then(&Told { key: "b", ..write(2) }, &read(1))), "another row was written");
    assert!(!stale(&then(&Told { kind: RequestKind::Compute, ..write(2) }, &read(1))), "nothing was written");
    assert!(!stale(&then(&write(2), &Told { version: None, ..read(1) })), "the read says no version");
}

#[test]
fn a_read_that_was_sent_before_the_acknowledgement_is_not_stale() {
    let (write, read) = (write(2), read(1));
    let after = Script::default().sent(1, &write).phase(LOOK).done(1, &write).whole(2, &read);
    assert!(stale(&after));
    let before = Script::default().sent(1, &write).phase(LOOK).sent(2, &read).done(1, &write).done(2, &read);
    assert!(!stale(&before));
    let never = Script::default().sent(1, &write).phase(LOOK).whole(2, &read);
    assert!(!stale(&never), "the write was never acknowledged");
}

#[test]
fn a_stale_read_is_named_with_its_event_and_counted_among_all_reads() {
    let script = then(&write(2), &read(1)).whole(3, &read(2));
    let check = script.judged(|part| no_stale_read(id::NO_STALE_READ, part));
    assert_eq!((check.seen, check.of, check.offenders), (1, Some(2), vec![OperationId(2)]));
    assert_eq!(check.event, Some(EventId(4)), "the completion of the stale read");
    let fresh = then(&write(2), &read(2)).judged(|part| no_stale_read(id::NO_STALE_READ, part));
    assert_eq!((fresh.offenders, fresh.event), (vec![], None));
}

#[test]
fn a_part_without_a_read_has_shown_nothing() {
    let nothing = Script::default().whole(1, &write(2)).phase(LOOK);
    assert!(stale(&nothing), "none of no reads is no success");
    let earlier = Script::default().whole(1, &write(2)).whole(2, &read(1)).phase(LOOK).whole(3, &read(2));
    assert!(!stale(&earlier), "a read before the part is not asked for");
    let later = then(&write(2), &read(2)).phase("later").whole(3, &read(1));
    assert!(stale(&later), "since a phase means to the end");
    let of = |part: Part<'_>| no_stale_read(id::NO_STALE_READ, Part::of(part.history, LOOK));
    assert!(later.judged(of).holds, "of a phase means to the next one");
    let absent = Script::default().whole(1, &write(2)).whole(2, &read(2));
    assert!(stale(&absent), "a phase that the run never reached");
}

#[test]
fn only_the_tier_that_answered_is_behind() {
    let from = |tier| {
        let script = then(&write(2), &Told { tier: Some(tier), ..read(1) });
        script.judged(|part| no_stale_read_from("l2", part, Tier::L2)).holds
    };
    assert!(!from(Tier::L2));
    assert!(from(Tier::L1));
}

#[test]
fn a_read_is_behind_a_commit_of_its_row_before_it_although_nobody_acknowledged_it() {
    let behind = |commit: (Actor, Verb, Outcome, &str, u64), read: &Told| {
        let (actor, verb, outcome, key, version) = commit;
        let kind = Kind::Served { verb, outcome, value: None, lsn: None };
        let committed = |script: Script| {
            script.event(actor, kind.clone(), |event| {
                (event.key, event.version) = (Some(Key::new(key)), Some(Version(version)));
            })
        };
        let before = committed(Script::default()).phase(LOOK).whole(1, read);
        let after = committed(Script::default().phase(LOOK).sent(1, read)).done(1, read);
        [before, after].map(|script| !script.judged(|part| no_read_behind("behind", part)).holds)
    };
    let commit = || (Actor::Primary, Verb::Update, Outcome::Done, "a", 2);
    assert_eq!(behind(commit(), &read(1)), [true, false], "a commit counts from then on");
    assert_eq!(behind(commit(), &read(2)), [false; 2]);
    assert_eq!(behind(commit(), &Told { version: None, ..read(1) }), [false; 2], "no row was answered");
    assert_eq!(behind(commit(), &Told { key: "b", ..read(1) }), [false; 2], "another row");
    let (actor, verb, outcome, key, version) = commit();
    assert_eq!(behind((Actor::RedisMaster(0), verb, outcome.clone(), key, version), &read(1)), [false; 2]);
    assert_eq!(behind((actor, Verb::Select, outcome, key, version), &read(1)), [false; 2]);
    assert_eq!(behind((actor, verb, Outcome::Failed(String::new()), key, version), &read(1)), [false; 2]);
    let nothing = Script::default().phase(LOOK);
    assert!(!nothing.judged(|part| no_read_behind("behind", part)).holds, "nobody was asked");
}

#[test]
fn who_writes_may_stay_without_an_answer_where_only_reads_are_asked_for() {
    let lost = |told: Told| {
        let script = Script::default().phase(LOOK).whole(1, &read(1)).sent(2, &told);
        [all_answered, all_reads_answered].map(|check| script.judged(check).holds)
    };
    assert_eq!(lost(write(2)), [false, true]);
    assert_eq!(lost(read(2)), [false, false]);
}

#[test]
fn a_session_is_below_its_own_acknowledged_write_of_the_row_and_below_nothing_else() {
    let below = |script: &Script| !script.judged(read_your_writes).holds;
    // A second read that is in order, so that a case is not decided by there being nothing to count.
    let with = |write: &Told, read: &Told| then(write, read).whole(8, &own()).whole(9, &mine());
    assert!(below(&with(&write(2), &read(1))), "the case that the others differ from");
    assert!(!below(&with(&write(2), &read(2))));
    assert!(!below(&with(&Told { client: 2, ..write(2) }, &read(1))), "somebody else wrote");
    assert!(!below(&with(&Told { key: "b", ..write(2) }, &read(1))), "another row");
    assert!(!below(&with(&Told { version: None, ..write(2) }, &read(1))), "nobody knows what was written");
    assert!(!below(&with(&write(2), &Told { outcome: Outcome::Unknown, ..read(1) })), "no answer");
    let (write, read) = (write(2), read(1));
    let early = Script::default().sent(1, &write).phase(LOOK).sent(2, &read).done(1, &write).done(2, &read);
    assert!(!below(&early.whole(8, &own()).whole(9, &mine())), "it was not acknowledged yet");
}

fn own() -> Told {
    Told { client: 7, key: "c", ..write(1) }
}

fn mine() -> Told {
    Told { client: 7, key: "c", ..read(1) }
}

#[test]
fn a_check_that_informs_does_not_decide() {
    assert!(!then(&write(2), &read(1)).judged(read_your_writes).goal);
    assert!(!inform("x", 1, None, Bound::AtMost(0), None).goal);
    assert!(check("x", 1, None, Bound::AtMost(0), None).goal);
}

#[test]
fn answers_are_equal_if_there_is_one_value_and_at_least_one() {
    let of = |values: [Option<&'static str>; 2]| {
        let told = values.map(|value| Told { value, ..read(1) });
        let script = Script::default().phase(LOOK).whole(1, &told[0]).whole(2, &told[1]);
        script.judged(|part| equal_answers(part, RequestKind::Read))
    };
    assert!(of([Some("x"), Some("x")]).holds);
    assert_eq!(of([Some("x"), Some("y")]).offenders, [OperationId(2)]);
    assert!(of([Some("x"), None]).holds, "who was answered nothing is another check's concern");
    assert!(!of([None, None]).holds, "nobody was answered");
    let other_kind = Script::default().phase(LOOK).whole(1, &read(1));
    assert!(!other_kind.judged(|part| equal_answers(part, RequestKind::Compute)).holds);
}

#[test]
fn a_request_is_answered_by_a_row_a_known_absence_or_a_plain_yes() {
    let answered = |outcome: Outcome| {
        let script = Script::default().phase(LOOK).whole(1, &Told { outcome, ..read(1) });
        script.judged(all_answered).holds
    };
    for outcome in [Outcome::Hit, Outcome::Negative, Outcome::Done] {
        assert!(answered(outcome.clone()), "{outcome:?}");
    }
    for outcome in [Outcome::Unknown, Outcome::Failed(String::new()), Outcome::Miss, Outcome::Refused] {
        assert!(!answered(outcome.clone()), "{outcome:?}");
    }
    let silent = Script::default().phase(LOOK).whole(1, &read(1)).sent(2, &read(1)).phase("end");
    let check = silent.judged(all_answered);
    assert_eq!((check.holds, check.seen, check.of), (false, 1, Some(2)));
    assert_eq!((check.offenders, check.event), (vec![OperationId(2)], Some(EventId(4))), "known at the end");
}

#[test]
fn bounds_hold_up_to_themselves() {
    let holds = |bound: Bound| [1, 2, 3].map(|seen| bound.holds(seen));
    assert_eq!(holds(Bound::AtMost(2)), [true, true, false]);
    assert_eq!(holds(Bound::AtLeast(2)), [false, true, true]);
    assert_eq!(holds(Bound::Exactly(2)), [false, true, false]);
}

#[test]
fn a_query_is_a_select_that_the_primary_served_for_somebody() {
    let queries = |script: Script| {
        let figures = figures(Part::since(&History::of(&script.0), LOOK));
        figures[figure::DB_QUERIES].value
    };
    let script = || Script::default().phase(LOOK);
    assert_eq!(queries(script().served(Actor::Primary, Verb::Select, Some(1))), 1.0);
    assert_eq!(queries(script().served(Actor::Replica(1), Verb::Select, Some(1))), 0.0);
    assert_eq!(queries(script().served(Actor::Primary, Verb::Update, Some(1))), 0.0);
    assert_eq!(queries(script().served(Actor::Primary, Verb::Select, None)), 0.0, "the scenario itself");
    assert_eq!(queries(Script::default().served(Actor::Primary, Verb::Select, Some(1)).phase(LOOK)), 0.0);
}

#[test]
fn staleness_is_counted_from_the_acknowledgement_to_the_answer() {
    let script = then(&write(2), &read(1));
    let figures = figures(Part::since(&History::of(&script.0), LOOK));
    assert_eq!(figures[figure::STALE_READS].value, 1.0);
    assert_eq!(figures[figure::STALENESS_MAX].value, 3.0, "one event a millisecond, and three of them");
    assert_eq!((figures[figure::L1_HIT_SHARE].value, figures[figure::READ_P50].value), (1.0, 1.0));
}

fn figure(script: &Script, id: &str) -> f64 {
    figures(Part::since(&History::of(&script.0), LOOK))[id].value
}

#[test]
fn a_waiter_is_who_did_not_compute_itself() {
    let computed = Told { kind: RequestKind::Compute, tier: Some(Tier::Computed), ..read(1) };
    let waited = Told { tier: Some(Tier::L2), ..computed.clone() };
    let script = Script::default().phase(LOOK).whole(1, &computed).sent(2, &waited).phase("x").phase("y");
    assert_eq!(figure(&script.done(2, &waited), figure::WAITER_MEAN), 3.0);
}

#[test]
fn a_sign_of_life_is_no_notice() {
    let delivered = |notice| {
        let kind = Kind::Delivered { notice, from: ServerId(1) };
        let script = Script::default().phase(LOOK).event(Actor::Server(ServerId(2)), kind, |_| {});
        figure(&script, figure::BUS_NOTICES)
    };
    assert_eq!(delivered(NoticeKind::Invalidate), 1.0);
    assert_eq!(delivered(NoticeKind::Beat), 0.0);
}

#[test]
fn who_was_never_answered_has_no_latency() {
    let script = Script::default().phase(LOOK).whole(1, &read(1)).sent(2, &read(1));
    assert_eq!(figure(&script, figure::READ_P50), 1.0);
}
