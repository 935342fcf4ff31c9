//! What says of each scenario whether its situation arose, over traces written by hand: one trace in which it did, and
//! beside it the same trace with one thing changed, in which it did not.

use lab_core::cluster::Actor;
use lab_core::fault::Fault;
use lab_core::scenario::{self, ScenarioId, Settings};
use lab_core::trace::{
    Event, Kind, MessageId, NoticeKind, OperationId, Outcome, RequestKind, Trace, Verb, Why,
};
use lab_core::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};

/// A line of a trace.
#[derive(Clone)]
struct Line {
    /// What a test calls it by.
    name: &'static str,
    event: Event,
}

/// A trace that is written line by line; each event is a millisecond after the one before.
#[derive(Clone, Default)]
struct Script {
    lines: Vec<Line>,
    now_ms: u64,
}

impl Script {
    fn line(mut self, name: &'static str, actor: Actor, kind: Kind, fill: impl FnOnce(&mut Event)) -> Self {
        self.now_ms += 1;
        let (at, key) = (Instant(self.now_ms * 1_000_000), Some(Key::new("product:1")));
        let (version, cause, operation, message, source) = (None, None, None, None, None);
        let mut event = Event { at, actor, kind, key, version, cause, operation, message, source };
        fill(&mut event);
        self.lines.push(Line { name, event });
        self
    }

    fn phase(self, name: &'static str) -> Self {
        self.line(name, Actor::Lab, Kind::Phase { name: name.to_owned() }, |_| {})
    }

    fn waits(mut self, millis: u64) -> Self {
        self.now_ms += millis;
        self
    }

    /// The client with the number of the operation sends a request to a server, which receives it.
    fn asks(self, operation: u32, server: u8, request: RequestKind) -> Self {
        let client = Actor::Client(ClientId(u16::try_from(operation).expect("few clients")));
        let sent = Kind::Requested { request, server: ServerId(server) };
        let numbered = move |event: &mut Event| event.operation = Some(OperationId(operation));
        self.line("sent", client, sent, numbered).line(
            "received",
            self::server(server),
            Kind::Received { request },
            numbered,
        )
    }

    fn answered(self, name: &'static str, operation: u32, version: u64, tier: Tier) -> Self {
        let client = Actor::Client(ClientId(u16::try_from(operation).expect("few clients")));
        let (outcome, value) = (Outcome::Done, Some(Value::new("x")));
        self.line(name, client, Kind::Completed { outcome, value, tier: Some(tier) }, |event| {
            (event.operation, event.version) = (Some(OperationId(operation)), Some(Version(version)));
        })
    }

    fn stores(self, name: &'static str, server: u8) -> Self {
        self.line(name, self::server(server), Kind::L1Stored { value: None, ttl_ms: 1 }, |_| {})
    }

    fn publishes(self, name: &'static str, server: u8, message: u32) -> Self {
        let kind = Kind::Called { to: Actor::Bus, verb: Verb::PublishInvalidate };
        self.line(name, self::server(server), kind, |event| {
            (event.operation, event.message) = (Some(OperationId(100)), Some(MessageId(message)));
        })
    }

    fn delivers(self, name: &'static str, server: u8, message: u32) -> Self {
        let kind = Kind::Delivered { notice: NoticeKind::Invalidate, from: ServerId(1) };
        self.line(name, self::server(server), kind, |event| event.message = Some(MessageId(message)))
    }

    fn commits(self, name: &'static str) -> Self {
        let kind = Kind::Served { verb: Verb::Update, outcome: Outcome::Done, value: None, lsn: None };
        self.line(name, Actor::Primary, kind, |_| {})
    }

    fn dies(self, name: &'static str, server: u8) -> Self {
        let fault = Fault::Kill(self::server(server));
        self.line(name, Actor::Lab, Kind::Injected { fault }, |_| {})
    }

    /// Without the lines of that name.
    fn without(mut self, name: &str) -> Self {
        let before = self.lines.len();
        self.lines.retain(|line| line.name != name);
        assert!(self.lines.len() < before, "no line is called {name}");
        self
    }

    /// With the lines of that name changed.
    fn with(mut self, name: &str, change: impl Fn(&mut Event)) -> Self {
        let mut named = self.lines.iter_mut().filter(|line| line.name == name).peekable();
        assert!(named.peek().is_some(), "no line is called {name}");
        named.for_each(|line| change(&mut line.event));
        self
    }

    /// With the line of that name before the other one.
    fn sooner(mut self, name: &str, before: &str) -> Self {
        let place = |lines: &[Line], name: &str| {
            lines
                .iter()
                .position(|line| line.name == name)
                .unwrap_or_else(|| panic!("no line is called {name}"))
        };
        let line = self.lines.remove(place(&self.lines, name));
        self.lines.insert(place(&self.lines, before), line);
        self
    }

    /// Whether the scenario's situation arose in it.
    fn shows(&self, id: ScenarioId) -> bool {
        let trace = Trace { events: self.lines.iter().map(|line| line.event.clone()).collect() };
        scenario::judge(id, &trace, &Settings::defaults(id)).demonstration
    }
}

fn server(number: u8) -> Actor {
    Actor::Server(ServerId(number))
}

fn fails(outcome: Outcome) -> impl Fn(&mut Event) {
    move |event| {
        if let Kind::Completed { outcome: told, .. } = &mut event.kind {
            *told = outcome.clone();
        }
    }
}

use RequestKind::{Compute, Read, Write};

/// Servers 2 to 4 hold the old price, and are told late.
fn delayed() -> Script {
    let warm = (2..=4).fold(Script::default().phase("warm"), |script, server| script.stores("held", server));
    let act = warm.phase("act").publishes("published", 1, 7).waits(50);
    act.delivers("to 2", 2, 7).delivers("to 3", 3, 7).delivers("to 4", 4, 7)
}

#[test]
fn an_invalidation_was_late_where_it_could_be_missed() {
    let shows = |script: &Script| script.shows(ScenarioId::InvalidationDelay);
    assert!(shows(&delayed()), "the case that the others differ from");
    assert!(!shows(&Script::default().phase("act")), "nothing happened");
    assert!(!shows(&delayed().without("published")), "nothing was published");
    assert!(!shows(&delayed().with("published", |event| event.operation = None)), "by no request");
    for slow in ["to 2", "to 3", "to 4"] {
        assert!(!shows(&delayed().without(slow)), "{slow} it was not delivered");
        assert!(!shows(&delayed().with(slow, |event| event.message = Some(MessageId(8)))), "{slow} another");
        assert!(
            !shows(&delayed().with(slow, |event| event.at = Instant(6_000_000))),
            "{slow} it was in time"
        );
        let filled = Kind::Delivered { notice: NoticeKind::Filled, from: ServerId(1) };
        assert!(!shows(&delayed().with(slow, |event| event.kind = filled.clone())), "{slow} no invalidation");
    }
    assert!(!shows(&delayed().without("held")), "nobody held the old price, nor read");
    for gone in [Kind::L1Dropped { why: Why::Asked, held: true }, Kind::L1Flushed { why: Why::Gap }] {
        let forgotten = delayed().line("gone", server(3), gone, |_| {}).sooner("gone", "act");
        assert!(!shows(&forgotten), "server 3 had forgotten it");
    }
}

#[test]
fn who_reads_before_the_notice_comes_could_miss_it_too() {
    let shows = |script: &Script| script.shows(ScenarioId::InvalidationDelay);
    let reading = |request| {
        let read = |script: Script, server: u8| script.asks(server.into(), server, request);
        let act = (2..=4).fold(Script::default().phase("act").publishes("published", 1, 7), read).waits(50);
        act.delivers("to 2", 2, 7).delivers("to 3", 3, 7).delivers("to 4", 4, 7)
    };
    assert!(shows(&reading(Read)));
    assert!(!shows(&reading(Write)), "a writer could not");
    assert!(!shows(&reading(Read).sooner("to 2", "received")), "it came first");
}

/// Server 3 holds the price and is not told of the write; then the writer dies with its second commit.
fn lost() -> Script {
    let hole = Script::default().phase("warm").stores("held", 3).phase("act").asks(1, 1, Write);
    let again = hole.delivers("told", 2, 7).answered("written", 1, 2, Tier::Database).phase("look again");
    let again = again.asks(2, 2, Read).answered("from L1", 2, 2, Tier::L1);
    again.phase("crash").asks(3, 1, Write).commits("committed").dies("died", 1).phase("afterwards")
}

#[test]
fn an_invalidation_was_lost_where_the_others_were_told() {
    let shows = |script: &Script| script.shows(ScenarioId::LostInvalidation);
    assert!(shows(&lost()), "the case that the others differ from");
    assert!(!shows(&Script::default().phase("act")), "nothing happened");
    assert!(!shows(&lost().without("held")), "server 3 held nothing");
    assert!(!shows(&lost().with("held", |event| event.actor = server(2))), "another server held it");
    assert!(!shows(&lost().without("told")), "nobody was told");
    assert!(!shows(&lost().delivers("to 3", 3, 7).sooner("to 3", "written")), "server 3 was told");
    assert!(!shows(&lost().with("written", fails(Outcome::Unknown))), "nobody knows of the write");
    assert!(!shows(&lost().without("written")), "the write was never answered");
}

#[test]
fn an_invalidation_was_never_sent_where_the_writer_died_with_its_commit() {
    let shows = |script: &Script| script.shows(ScenarioId::LostInvalidation);
    assert!(!shows(&lost().with("from L1", |event| {
        if let Kind::Completed { tier, .. } = &mut event.kind {
            *tier = Some(Tier::L2);
        }
    })));
    assert!(!shows(&lost().without("committed")), "nothing was committed");
    assert!(!shows(&lost().with("committed", |event| event.actor = Actor::Replica(1))), "nor by the primary");
    assert!(!shows(&lost().without("died")), "the writer lives on");
    assert!(!shows(&lost().sooner("died", "committed")), "it died before");
    assert!(
        !shows(&lost().without("died").dies("another", 2).sooner("another", "afterwards")),
        "another died"
    );
    let published = |server| lost().publishes("published", server, 9).sooner("published", "died");
    assert!(!shows(&published(1)), "the writer could still publish");
    assert!(shows(&published(2)), "what others publish is not about this write");
}

/// Twice a reader has its old answer after the write was acknowledged: of the database, and of L2.
fn overtaken() -> Script {
    let act = Script::default().phase("act").asks(1, 2, Read).asks(2, 1, Write);
    let act = act.answered("written", 2, 2, Tier::Database).answered("read", 1, 1, Tier::Database);
    in_flight(act.phase("look"))
}

fn in_flight(script: Script) -> Script {
    let asked = script.phase("in flight").asks(3, 3, Read).asks(4, 1, Write);
    asked
        .answered("written again", 4, 3, Tier::Database)
        .answered("read late", 3, 2, Tier::L2)
        .phase("look again")
}

#[test]
fn a_read_was_overtaken_by_a_write() {
    let shows = |script: &Script| script.shows(ScenarioId::StaleSetRace);
    assert!(shows(&overtaken()), "the case that the others differ from");
    assert!(!shows(&Script::default().phase("act")), "nothing happened");
    for (read, written, new) in [("read", "written", 2), ("read late", "written again", 3)] {
        assert!(!shows(&overtaken().sooner(read, written)), "the answer came first");
        assert!(!shows(&overtaken().with(written, fails(Outcome::Unknown))), "nobody knows of the write");
        assert!(!shows(&overtaken().without(written)), "the write was never answered");
        assert!(!shows(&overtaken().without(read)), "the read was never answered");
        let answered =
            |version: Option<u64>| overtaken().with(read, |event| event.version = version.map(Version));
        assert!(!shows(&answered(Some(new))), "it is the new row");
        assert!(!shows(&answered(None)), "nobody knows what was read");
    }
    let after = Script::default().phase("act").asks(1, 1, Write).asks(2, 2, Read);
    let after = after.answered("written", 1, 2, Tier::Database).answered("read", 2, 1, Tier::Database);
    assert!(!shows(&in_flight(after.phase("look"))), "it was sent after the write");
}

/// Everybody reads all rows again, and the absent one is created.
fn read_again() -> Script {
    let again = Script::default().phase("act").phase("read again");
    // Five rounds, four servers, four rows.
    let again = (1..=80).fold(again, |script, operation| script.asks(operation, 1, Read));
    again.phase("create").asks(81, 1, Write).answered("written", 81, 1, Tier::Database)
}

#[test]
fn everybody_read_again_and_the_row_was_created() {
    let shows = |script: &Script| script.shows(ScenarioId::AbsentAndZero);
    assert!(shows(&read_again()), "the case that the others differ from");
    assert!(!shows(&Script::default().phase("act")), "nothing happened");
    let mut once_less = read_again();
    let last = once_less.lines.iter().rposition(|line| line.event.kind == Kind::Received { request: Read });
    once_less.lines.remove(last.expect("they were received"));
    assert!(!shows(&once_less), "one read did not arrive");
    assert!(!shows(&read_again().sooner("create", "received")), "they came too late");
    assert!(
        !shows(&read_again().with("written", fails(Outcome::Failed(String::new())))),
        "no row came to be"
    );
    assert!(!shows(&read_again().without("written")), "nobody knows");
}

/// Ten requests reach their servers before the first computation is done.
fn stampede() -> Script {
    let act =
        (1..=10).fold(Script::default().phase("act"), |script, operation| script.asks(operation, 1, Compute));
    act.line("computed", server(1), Kind::Computed { value: Value::new("7") }, |_| {})
}

#[test]
fn a_stampede_is_there_before_the_first_result() {
    let shows = |script: &Script| script.shows(ScenarioId::StampedeLock);
    assert!(shows(&stampede()), "the case that the others differ from");
    assert!(!shows(&Script::default().phase("act")), "nobody asked");
    assert!(!shows(&stampede().without("computed")), "nothing was computed");
    assert!(!shows(&stampede().without("received")), "nobody arrived");
    assert!(!shows(&stampede().asks(11, 1, Compute)), "one came too late");
    assert!(!shows(&stampede().phase("x").without("act")), "it was not the act");
}

/// Two of twenty readers are there before the first answer of the database.
fn herd() -> Script {
    let read = |script: Script, operation| script.asks(operation, 1, Read);
    let early = (1..=2).fold(Script::default().phase("act"), read);
    let returned = Kind::Returned { verb: Verb::Select, outcome: Outcome::Hit };
    (3..=20).fold(early.line("answered", server(1), returned, |_| {}), read)
}

#[test]
fn a_tenth_of_the_herd_is_there_before_the_first_answer() {
    let shows = |script: &Script| script.shows(ScenarioId::ThunderingHerd);
    assert!(shows(&herd()), "the case that the others differ from");
    assert!(!shows(&Script::default().phase("act")), "nobody asked");
    assert!(!shows(&herd().asks(21, 1, Read)), "it is less than a tenth");
    assert!(!shows(&herd().without("answered")), "no query was answered");
    let other = Kind::Returned { verb: Verb::Get, outcome: Outcome::Miss };
    assert!(
        !shows(&herd().with("answered", |event| event.kind = other.clone())),
        "of Redis, not the database"
    );
    assert!(!shows(&herd().sooner("answered", "received")), "it was answered before");
}
