//! The API after a run that failed: the run says why in a typed problem, and the next one works.

mod support;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use lab_server::api::app;
use lab_server::api::runs::{Runs, Source};
use serde_json::{Value, json};
use support::api::{HOST, served};
use support::owner::Owner;
use tokio::sync::watch;
use tower::ServiceExt;

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.expect("the router always answers");
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

/// Asks for a run, and answers its id.
async fn post(app: &Router, body: Value) -> String {
    let request = Request::post("/api/runs").header(header::HOST, HOST);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string().into());
    let (status, started) = ask(app, request.expect("a request")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{started}");
    let started: Value = serde_json::from_str(&started).expect("JSON");
    started["id"].as_str().expect("an id").to_owned()
}

async fn get(app: &Router, path: &str) -> String {
    let request = Request::get(path).header(header::HOST, HOST).body(Body::empty());
    ask(app, request.expect("a request")).await.1
}

/// Gives a run up.
async fn delete(app: &Router, id: &str) -> StatusCode {
    let request = Request::delete(format!("/api/runs/{id}")).header(header::HOST, HOST).body(Body::empty());
    ask(app, request.expect("a request")).await.0
}

/// Waits for the end of a run, and answers how it ended.
async fn end_of(app: &Router, id: &str) -> Value {
    // The stream of its events ends with it.
    get(app, &format!("/api/runs/{id}/events")).await;
    serde_json::from_str(&get(app, &format!("/api/runs/{id}")).await).expect("JSON")
}

fn lock(compute_ms: u64) -> Value {
    json!({ "scenario": "stampede-lock", "policy": "lock", "settings": { "compute-ms": compute_ms } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_run_the_next_one_works() {
    let owner = Owner::start().await;
    let (redis, postgres) = owner.urls();
    let (runs, worker) =
        Runs::new(Source { redis: vec![redis], postgres: Some(postgres), ..Source::default() });
    let app = app(served(runs, None));
    let (stop, stopped) = watch::channel(false);
    let working = tokio::spawn(worker.work(stopped));

    let () = owner.ask(&["SET", "orders:17", "a customer's"]).await;
    let refused = end_of(&app, &post(&app, lock(100)).await).await;
    assert_eq!(refused["state"], "failed", "{refused}");
    assert_eq!(refused["problem"]["type"], "urn:cache-lab:problem:no-servers", "{refused}");
    assert!(refused["problem"]["detail"].as_str().is_some_and(|detail| detail.contains("orders:17")));
    assert_eq!(owner.ask::<String>(&["GET", "orders:17"]).await, "a customer's");
    let () = owner.ask(&["DEL", "orders:17"]).await;

    let fault = json!({ "scenario": "invalidation-delay", "policy": "lesson" });
    let failed = end_of(&app, &post(&app, fault).await).await;
    assert_eq!(failed["problem"]["type"], "urn:cache-lab:problem:run-failed", "{failed}");

    let done = end_of(&app, &post(&app, lock(100)).await).await;
    assert_eq!(done["state"], "done", "{done}");
    owner.expect_clean("a run of the API").await;

    // Given up in the midst of a run, and while waiting. Neither holds up the next one.
    let (slow, waiting) = (post(&app, lock(2_000)).await, post(&app, lock(2_000)).await);
    owner.begun().await;
    for id in [&slow, &waiting, &slow] {
        assert_eq!(delete(&app, id).await, StatusCode::NO_CONTENT);
    }
    for id in [slow, waiting] {
        let given_up = end_of(&app, &id).await;
        assert_eq!(given_up["problem"]["type"], "urn:cache-lab:problem:given-up", "{given_up}");
    }
    owner.expect_clean("runs that were given up").await;
    assert_eq!(delete(&app, "999").await, StatusCode::NOT_FOUND);
    let done = end_of(&app, &post(&app, lock(100)).await).await;
    assert_eq!(done["state"], "done", "{done}");

    // Stopped in the midst of a run, with another one waiting.
    let (slow, waiting) = (post(&app, lock(2_000)).await, post(&app, lock(2_000)).await);
    owner.begun().await;
    stop.send_replace(true);
    working.await.expect("the worker ends when it is asked to");
    for id in [slow, waiting] {
        let given_up = end_of(&app, &id).await;
        assert_eq!(given_up["problem"]["type"], "urn:cache-lab:problem:stopped", "{given_up}");
    }
    owner.expect_clean("a run that was given up").await;
}
