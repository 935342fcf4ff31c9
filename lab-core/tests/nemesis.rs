//! What greens promise holds whatever the nemesis does; what is no green breaks; and what broke once is kept.

use lab_core::consistency::Level;
use lab_core::nemesis::{self, Action, Plan, Promise, Step, Strike, Trouble};
use lab_core::policy::{Policy, SharedWrite, Switch};
use lab_core::scenario::{Role, ScenarioId};
use lab_core::trace::{Actor, Event, Kind, Outcome, RequestKind, Verb};
use lab_core::value::ServerId;
use lab_core::world::Link;

/// A share of what `cargo xtask soak` tries.
const SEEDS: u64 = 300;

fn acknowledged() -> Policy {
    Policy::lesson().with(Switch::AcknowledgedInvalidation, true)
}

/// Compares with the stored value only: an empty slot takes anything.
fn compares_only() -> Policy {
    let mut policy = acknowledged();
    policy.write.shared = SharedWrite::SetIfNewer;
    policy
}

fn run_against(promises: &[Promise], plan: &Plan) -> nemesis::Found {
    nemesis::run_against(promises, plan).unwrap_or_else(|error| panic!("{error}: {plan:?}"))
}

fn breaks(promise: Promise, plan: &Plan) -> bool {
    !run_against(&[promise], plan).violations.is_empty()
}

#[test]
fn greens_keep_what_they_promise() {
    let greens =
        [acknowledged().with(Switch::Outbox, true), Policy::lesson().with(Switch::StrongReads, true)];
    for policy in greens {
        let mut checked = 0;
        for seed in 1..=SEEDS {
            let plan = Plan::draw(&policy, seed);
            let found = nemesis::run(&plan).unwrap_or_else(|error| panic!("{error}: {plan:?}"));
            assert_eq!(found.violations, [], "{policy:?}, seed {seed}");
            checked += found.checked;
        }
        assert!(checked > SEEDS * 50, "{policy:?}: only {checked} answers were held against a promise");
    }
}

#[test]
fn the_lesson_keeps_none_of_it() {
    let promises = [
        Promise::FreshAfterAcknowledgement,
        Promise::ReadYourWrites,
        Promise::Linearizable,
        Promise::ConvergesWhenQuiet,
    ];
    for promise in promises {
        let broken = (1..=SEEDS).any(|seed| breaks(promise, &Plan::draw(&Policy::lesson(), seed)));
        assert!(broken, "{promise:?} survived {SEEDS} seeds of the lesson's own code");
    }
}

/// Where freshness is what a scenario is about, whoever is no green of the first breaks it. (Herds and locks promise nothing
/// that the nemesis asks for.)
#[test]
fn every_red_and_wrong_policy_of_freshness_is_found() {
    let about = [ScenarioId::InvalidationDelay, ScenarioId::LostInvalidation, ScenarioId::StaleSetRace];
    let presets =
        about.into_iter().flat_map(|id| id.scenario().presets.iter().map(move |preset| (id, preset)));
    for (scenario, preset) in presets.filter(|(_, preset)| !matches!(preset.role, Role::Green(_))) {
        let policy = (preset.policy)();
        let mut seeds = 1..=SEEDS;
        let found = seeds.any(|seed| breaks(Promise::FreshAfterAcknowledgement, &Plan::draw(&policy, seed)));
        assert!(found, "{scenario} {} keeps its freshness under {SEEDS} seeds", preset.name);
    }
}

/// A write that was acknowledged is in the database, whatever the caches promise.
#[test]
fn a_write_that_nobody_committed_is_a_lost_one() {
    let plan = Plan::draw(&Policy::lesson(), 1);
    let promises = [Promise::NoLostWrite];
    let mut trace = run_against(&promises, &plan).trace;
    assert_eq!(nemesis::judge(&promises, &trace).0, []);
    let is_commit = |event: &Event| {
        event.actor == Actor::Primary && matches!(event.kind, Kind::Served { verb: Verb::Update, .. })
    };
    let is_write = |event: &&Event| matches!(event.kind, Kind::Requested { request: RequestKind::Write, .. });
    let writes: Vec<_> = trace.events.iter().filter(is_write).map(|event| event.operation).collect();
    let is_acknowledged = |event: &&Event| {
        let done = matches!(event.kind, Kind::Completed { outcome: Outcome::Done, .. });
        done && writes.contains(&event.operation)
    };
    let version = trace.events.iter().rfind(is_acknowledged).expect("some write is acknowledged").version;
    let commit = trace.events.iter_mut().find(|event| is_commit(event) && event.version == version);
    commit.expect("it was committed").version = None;
    let lost = nemesis::judge(&promises, &trace).0;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!((lost[0].promise, Some(lost[0].owed)), (Promise::NoLostWrite, version));
}

fn step(after_ms: u64, server: u8, action: Action) -> Step {
    Step { after_ms, server: ServerId(server), key: 0, action }
}

/// Server 4 does not get the primary's answers for a while. Its first write is given up, and empties the slot, in which
/// server 1's newer version stood; its second, older than that one, is answered late.
fn late_answer(policy: Policy) -> Plan {
    let writes = [
        vec![step(100, 4, Action::Write)],
        vec![step(600, 4, Action::Write)],
        vec![step(800, 1, Action::Write), step(2_700, 2, Action::Read)],
    ];
    let answers = Link::From(Actor::Primary, Actor::Server(ServerId(4)));
    let strike = Strike { at_ms: 50, for_ms: 3_250, trouble: Trouble::Cut(answers) };
    Plan {
        policy,
        seed: 1,
        busy: false,
        servers: 4,
        keys: 1,
        clients: writes.to_vec(),
        strikes: vec![strike],
    }
}

#[test]
fn an_empty_slot_takes_no_older_version() {
    let promise = Promise::FreshAfterAcknowledgement;
    assert!(breaks(promise, &late_answer(compares_only())), "comparing with the stored value is not enough");
    assert!(!breaks(promise, &late_answer(acknowledged())));
}

#[test]
fn what_is_told_is_as_small_as_it_can_be() {
    let promise = Promise::FreshAfterAcknowledgement;
    let broken =
        (1..=SEEDS).map(|seed| Plan::draw(&Policy::lesson(), seed)).find(|plan| breaks(promise, plan));
    let plan = broken.expect("the lesson's code breaks this in some run");
    let steps = |plan: &Plan| plan.clients.iter().map(Vec::len).sum::<usize>();
    let small = nemesis::shrink(plan.clone(), |plan| breaks(promise, plan));
    assert!(breaks(promise, &small));
    // A read to warm a server, a write, a read: nothing can be taken away.
    assert!((2..=4).contains(&steps(&small)) && steps(&small) < steps(&plan), "{small:?}");
    let told = serde_json::to_string(&small).expect("a plan is JSON");
    assert_eq!(serde_json::from_str::<Plan>(&told).expect("and comes back"), small);
}

#[test]
fn every_kind_of_trouble_comes_up() {
    let mut met = [0; 12];
    for seed in 1..=SEEDS {
        for strike in Plan::draw(&acknowledged(), seed).strikes {
            met[match strike.trouble {
                Trouble::Delay(..) => 0,
                Trouble::Cut(_) => 1,
                Trouble::BlackHole(_) => 2,
                Trouble::Kill(_) => 3,
                Trouble::Bounce(_) => 4,
                Trouble::Pause(_) => 5,
                Trouble::Skew(..) => 6,
                Trouble::Reset(_) => 7,
                Trouble::Hold(_) => 8,
                Trouble::Slow(_) => 9,
                Trouble::BouncePrimary => 10,
                Trouble::PausePrimary => 11,
                Trouble::BounceRedis(_) | Trouble::PauseRedis(_) => {
                    unreachable!("it is drawn where it is asked for")
                }
            }] += 1;
        }
    }
    assert!(met.iter().all(|count| *count > 8), "{met:?}");
}

/// What a policy is said to survive of the faults of Redis' nodes it survives; all that is left then is what was written.
#[test]
fn what_does_not_lean_on_redis_survives_its_nodes() {
    let session = || Policy { level: Level::Session, ..acknowledged().with(Switch::Outbox, true) };
    let policies = [
        acknowledged().with(Switch::Outbox, true),
        Policy::lesson().with(Switch::StrongReads, true),
        session(),
    ];
    for policy in policies {
        let mut met = 0;
        for seed in 1..=SEEDS {
            let plan = Plan::draw(&policy, seed).with_redis_strikes();
            let found = nemesis::run(&plan).unwrap_or_else(|error| panic!("{error}: {plan:?}"));
            assert_eq!(found.violations, [], "{policy:?}, seed {seed}");
            let elects = |event: &Event| matches!(event.kind, Kind::RoleChanged { .. });
            met += u64::from(found.trace.events.iter().any(elects));
        }
        assert!(met > SEEDS / 4, "{policy:?}: a replica was elected in {met} runs only");
    }
}

/// The row's shard is the second. Its replica is far behind when the master dies, over an acknowledged write.
#[test]
fn a_master_that_dies_breaks_freshness_by_acknowledgement() {
    let (promise, master) = (Promise::FreshAfterAcknowledgement, Actor::RedisMaster(1));
    let behind = Trouble::Delay(Link::From(master, Actor::RedisReplica(1)), 2_000);
    let strikes = vec![
        Strike { at_ms: 300, for_ms: 2_000, trouble: behind },
        Strike { at_ms: 500, for_ms: 6_000, trouble: Trouble::BounceRedis(master) },
    ];
    let clients = vec![
        vec![step(100, 2, Action::Read), step(5_000, 3, Action::Read)],
        vec![step(400, 1, Action::Write)],
    ];
    let plan = |policy| Plan {
        policy,
        seed: 1,
        busy: false,
        servers: 4,
        keys: 1,
        clients: clients.clone(),
        strikes: strikes.clone(),
    };
    assert!(!nemesis::survives(&acknowledged(), promise, strikes[1].trouble));
    assert!(breaks(promise, &plan(acknowledged())), "L2 answers what it held before the write");
    assert!(!breaks(promise, &plan(Policy::lesson().with(Switch::StrongReads, true))));
    let without = Plan { strikes: strikes[..1].to_vec(), ..plan(acknowledged()) };
    assert!(!breaks(promise, &without), "that its replica is behind harms nobody while the master lives");
}

/// The master goes on before it hears that another leads, and acknowledges what is lost with its role.
#[test]
fn a_master_that_stood_still_breaks_freshness_by_acknowledgement() {
    let (promise, master) = (Promise::FreshAfterAcknowledgement, Actor::RedisMaster(1));
    let pause = Strike { at_ms: 1_800, for_ms: 3_900, trouble: Trouble::PauseRedis(master) };
    let clients = vec![
        vec![step(0, 3, Action::Read)],
        // Its command waits at the master when that goes on.
        vec![step(5_000, 3, Action::Write), step(0, 3, Action::Read)],
    ];
    let plan = Plan {
        policy: acknowledged(),
        seed: 1,
        busy: false,
        servers: 4,
        keys: 1,
        clients,
        strikes: vec![pause],
    };
    assert!(breaks(promise, &plan));
    let short = Strike { for_ms: 900, at_ms: 4_800, ..pause };
    assert!(!breaks(promise, &Plan { strikes: vec![short], ..plan }), "nobody is elected in a moment");
}

/// What is said not to survive a fault is broken by it, or it would be said for nothing.
#[test]
fn a_clock_that_stands_still_breaks_freshness_by_lease() {
    let promise = Promise::FreshAfterAcknowledgement;
    // Server 2 holds the row, and neither hears nor renews: it thinks that its lease still runs when nobody waits for it.
    let away = Link::From(Actor::Server(ServerId(2)), Actor::Primary);
    let away = Strike { at_ms: 300, for_ms: 8_000, trouble: Trouble::Cut(away) };
    let deaf = Strike { at_ms: 300, for_ms: 8_000, trouble: Trouble::Cut(Link::BusTo(ServerId(2))) };
    let still = Strike { at_ms: 310, for_ms: 8_000, trouble: Trouble::Skew(ServerId(2), -8_000) };
    let clients = vec![
        vec![step(100, 2, Action::Read), step(4_000, 2, Action::Read)],
        vec![step(400, 1, Action::Write)],
    ];
    let plan = Plan {
        policy: acknowledged(),
        seed: 1,
        busy: false,
        servers: 4,
        keys: 1,
        clients,
        strikes: vec![away, deaf, still],
    };
    assert!(!nemesis::survives(&plan.policy, promise, still.trouble));
    assert!(breaks(promise, &plan));
    assert!(
        !breaks(promise, &Plan { strikes: vec![away, deaf], ..plan }),
        "its own clock withholds L1 in time"
    );
}

/// On busy servers tasks wait for their turn, so the same plan takes other orders, and each seed its own.
#[test]
fn busy_servers_take_other_orders_of_their_own() {
    let idle = Plan { strikes: Vec::new(), busy: false, ..Plan::draw(&acknowledged(), 3) };
    let busy = Plan { busy: true, ..idle.clone() };
    let schedule = |plan: &Plan| run_against(&[], plan).trace.schedule();
    assert_ne!(schedule(&idle), schedule(&busy));
    assert_eq!(schedule(&busy), schedule(&busy), "the same plan, the same run");
    let waits = |plan: &Plan| {
        let trace = run_against(&[], plan).trace;
        let calls = |event: &&Event| matches!(event.kind, Kind::Called { .. });
        let calls: Vec<_> = trace.events.iter().filter(calls).map(|event| event.at.0).collect();
        calls.iter().filter(|at| at.is_multiple_of(500_000)).count() * 2 > calls.len()
    };
    assert!(waits(&busy) && !waits(&idle), "turns begin together");
    assert!((1..=SEEDS).any(|seed| Plan::draw(&acknowledged(), seed).busy));
}
