//! On servers that somebody else runs, nobody loses anything: the lab refuses where there is data, and leaves clean
//! servers clean, however its run ends. The somebody is a harness of the test's.

mod support;

use std::time::Duration;

use lab_core::policy::Policy;
use lab_core::scenario::{RunSpec, ScenarioId};
use lab_core::value::{Key, Value};
use lab_core::world::{ClusterSpec, World, WorldError};
use lab_server::adapters::observer::Recorder;
use lab_server::real;
use lab_server::real::error::{RunError, StoresError};
use lab_server::real::world::RealWorld;
use support::owner::Owner;
use support::runs::{run, slow, spec};

/// Longer than the limit of any query, shorter than for ever.
const SOON: Duration = Duration::from_secs(20);

async fn keys_of_somebody_else_are_not_touched(owner: &Owner) {
    let () = owner.ask(&["SET", "orders:17", "a customer's"]).await;
    let stores = owner.invite().await;
    for _ in 0..2 {
        let refused = run(&stores, &spec("lock")).await.expect_err("somebody's data is there");
        let RunError::Stores(StoresError::NotEmpty { keys: 1, example, of_the_lab: false, .. }) = &refused
        else {
            panic!("{refused}");
        };
        assert_eq!(example, "orders:17");
        assert!(refused.to_string().contains("name an empty one"), "{refused}");
    }
    assert_eq!(owner.ask::<String>(&["GET", "orders:17"]).await, "a customer's");
    assert!(!owner.has_schema().await, "PostgreSQL was not touched either");
    let () = owner.ask(&["DEL", "orders:17"]).await;
}

async fn tables_of_somebody_else_are_not_touched(owner: &Owner) {
    owner.execute("CREATE SCHEMA cache_lab; CREATE TABLE cache_lab.data (key text); INSERT INTO cache_lab.data VALUES ('x')").await;
    let stores = owner.invite().await;
    let refused = run(&stores, &spec("lock")).await.expect_err("the schema is somebody's");
    let RunError::Stores(StoresError::Taken { of_the_lab: false, .. }) = &refused else {
        panic!("{refused}")
    };
    assert!(refused.to_string().contains("name another database"), "{refused}");
    assert_eq!(owner.count("cache_lab.data").await, 1);

    owner.execute("COMMENT ON SCHEMA cache_lab IS 'Cache Lab, run 1'").await;
    let refused = run(&stores, &spec("lock")).await.expect_err("the schema is another run's");
    let RunError::Stores(StoresError::Taken { of_the_lab: true, .. }) = &refused else { panic!("{refused}") };
    assert!(refused.to_string().contains("DROP TABLE cache_lab.data"), "{refused}");
    assert_eq!(owner.count("cache_lab.data").await, 1);
    assert_eq!(owner.keys().await, 0);
    owner.execute("DROP SCHEMA cache_lab CASCADE").await;
}

async fn every_ending_leaves_clean_servers_clean(owner: &Owner) {
    owner.execute("CREATE TABLE public.data (key text); INSERT INTO public.data VALUES ('mine')").await;
    let stores = owner.invite().await;
    // As between two seeds of one command.
    for _ in 0..2 {
        let done = run(&stores, &spec("lock-push")).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(done.report.goal_held(), "{:#?}", done.report);
        owner.expect_clean("a run").await;
    }
    let fault = RunSpec::preset(ScenarioId::InvalidationDelay, "lesson", 1).expect("a preset");
    let refused = run(&stores, &fault).await.expect_err("somebody's servers are not broken");
    assert!(matches!(refused, RunError::World(WorldError::Unsupported { .. })), "{refused}");
    owner.expect_clean("a fault that is refused").await;

    let panics = async |world: RealWorld| {
        world.start(ClusterSpec::new(Policy::lesson())).await?;
        panic!("a mistake in the body")
    };
    let never = std::future::pending();
    let failed = real::run_with(&stores, &spec("lock"), Recorder::start(), never, panics).await;
    let Err(RunError::Panicked(words)) = &failed else { panic!("{failed:?}") };
    assert!(words.contains("a mistake in the body"), "{words}");
    owner.expect_clean("a panic").await;

    let interrupted = real::run(&stores, &slow(), Recorder::start(), owner.begun()).await;
    assert!(matches!(interrupted, Err(RunError::Interrupted)));
    owner.expect_clean("an interruption").await;
    assert_eq!(owner.count("public.data").await, 1);
    owner.execute("DROP TABLE public.data").await;
}

/// What somebody stores while a run goes on is theirs, even in the midst of what is ours.
async fn what_comes_meanwhile_is_kept(owner: &Owner) {
    let stores = owner.invite().await;
    let spec = slow();
    let meanwhile = async {
        owner.begun().await;
        let () = owner.ask(&["SET", "orders:18", "a customer's"]).await;
        owner
            .execute("CREATE TABLE cache_lab.notes (line text); INSERT INTO cache_lab.notes VALUES ('mine')")
            .await;
    };
    let (left, ()) = tokio::join!(run(&stores, &spec), meanwhile);
    let left = left.expect_err("the schema cannot go");
    assert!(left.to_string().contains("DROP SCHEMA"), "{left}");
    assert_eq!(owner.count("cache_lab.notes").await, 1);
    assert_eq!(owner.ask::<String>(&["GET", "orders:18"]).await, "a customer's");
    assert_eq!(owner.keys().await, 1, "ours are gone");
}

/// PostgreSQL that takes connections and statements and says nothing.
async fn silence_is_not_waited_for(owner: &Owner) {
    let stores = owner.invite().await;
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    owner.execute("BEGIN; LOCK TABLE cache_lab.data IN ACCESS EXCLUSIVE MODE").await;
    let (key, value) = (Key::new("item:1"), Value::new("late"));
    let silent = tokio::time::timeout(SOON, stores.insert(&key, &value)).await.expect("it gives up");
    let silent = silent.expect_err("the table is locked").to_string();
    assert!(silent.contains("insert item:1") && silent.contains("within 5s"), "{silent}");
    owner.execute("COMMIT").await;
    assert_eq!(stores.leave().await, []);
    owner.expect_clean("a statement without an answer").await;

    owner.primary_server().pause().expect("it can be stopped");
    let stopped = tokio::time::timeout(SOON, run(&stores, &spec("lock"))).await;
    owner.primary_server().resume();
    let stopped = stopped.expect("it gives up").expect_err("nobody answers").to_string();
    assert!(stopped.contains("connect to") && stopped.contains("has the server stopped"), "{stopped}");
    owner.expect_clean("a connection without an answer").await;
}

/// One test, since two clusters at a time would make a small machine miss deadlines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_takes_nothing_and_leaves_nothing() {
    let owner = Owner::start().await;
    keys_of_somebody_else_are_not_touched(&owner).await;
    tables_of_somebody_else_are_not_touched(&owner).await;
    every_ending_leaves_clean_servers_clean(&owner).await;
    what_comes_meanwhile_is_kept(&owner).await;
    let () = owner.ask(&["DEL", "orders:18"]).await;
    owner.execute("DROP SCHEMA cache_lab CASCADE").await;
    silence_is_not_waited_for(&owner).await;
}
