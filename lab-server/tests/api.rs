//! The API: what it answers to bad input and to strangers, and a real run from its request to its last event.

mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use lab_server::api::BODY_BYTES_MAX;
use lab_server::api::runs::{FOLLOWERS_MAX, QUEUE_MAX};
use serde_json::{Value, json};
use support::api::{HOST, answer, api, api_at, asking, enqueue, get, posting, problem, state, text};
use tokio::sync::watch;

#[tokio::test]
async fn the_course_is_told_in_full() {
    let response = get("/api/scenarios").await;
    assert_eq!(response.status(), StatusCode::OK);
    let course: Value = serde_json::from_str(&text(response).await).expect("JSON");
    assert_eq!(course.as_array().map(Vec::len), Some(15));
    assert_eq!(course[0]["slug"], "invalidation-delay");
    assert!(course[0]["presets"][0]["policy"]["local"]["ttl_ms"].is_u64());
    assert_eq!(get("/api/health").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    for path in [
        "/api/nothing",
        "/api",
        "/api/runs/1",
        "/api/runs/x/events",
        "/api/runs/18446744073709551616/trace",
        "/",
    ] {
        problem(get(path).await, StatusCode::NOT_FOUND).await;
    }
    problem(get("/api/runs").await, StatusCode::METHOD_NOT_ALLOWED).await;
    let delete = Request::delete("/api/health").header(header::HOST, HOST).body(Body::empty());
    problem(answer(&api(), delete.expect("a request")).await, StatusCode::METHOD_NOT_ALLOWED).await;
}

#[tokio::test]
async fn bad_requests_for_runs_say_what_to_send() {
    let policy = || serde_json::to_value(lab_core::policy::Policy::lesson()).expect("JSON");
    let with = |pointer: &str, value: Value| {
        let mut policy = policy();
        *policy.pointer_mut(pointer).expect("a field of the policy") = value;
        json!({ "scenario": "stampede-lock", "policy": policy })
    };
    let cases = [
        (json!(null), StatusCode::BAD_REQUEST, "looks like"),
        (json!({ "scenario": "stampede-lock" }), StatusCode::BAD_REQUEST, "policy"),
        (json!({ "scenario": "stampede-lock", "policy": "lock", "sed": 1 }), StatusCode::BAD_REQUEST, "sed"),
        (json!({ "scenario": "stampede-lock", "policy": "lock", "seed": -1 }), StatusCode::BAD_REQUEST, "-1"),
        (
            json!({ "scenario": "nothing", "policy": "lock" }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "stampede-lock",
        ),
        (
            json!({ "scenario": "stampede-lock", "policy": "lease" }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "lock-push",
        ),
        (json!({ "scenario": "stampede-lock", "policy": {} }), StatusCode::UNPROCESSABLE_ENTITY, "scenarios"),
        (
            json!({ "scenario": "stampede-lock", "policy": "lock", "settings": { "x": 1 } }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "compute-ms",
        ),
        (
            json!({ "scenario": "stampede-lock", "policy": "lock", "settings": { "requests": 1000 } }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "between",
        ),
        (with("/local/capacity", json!(u32::MAX)), StatusCode::UNPROCESSABLE_ENTITY, "capacity"),
        (with("/bus/beat_ms", json!(1)), StatusCode::UNPROCESSABLE_ENTITY, "beat_ms"),
    ];
    let app = api();
    for (body, status, hint) in cases {
        let detail = problem(answer(&app, posting(body.to_string())).await, status).await;
        assert!(detail.contains(hint), "{body} is answered {detail:?}, without {hint:?}");
    }
    for broken in ["", "{", "[]", "\u{0}", &"[".repeat(10_000)] {
        problem(answer(&app, posting(broken.to_owned())).await, StatusCode::BAD_REQUEST).await;
    }
    problem(answer(&app, posting(vec![0xff, 0xfe])).await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn a_body_is_bounded_and_json() {
    let large = " ".repeat(BODY_BYTES_MAX + 1);
    problem(answer(&api(), posting(large)).await, StatusCode::PAYLOAD_TOO_LARGE).await;
    for media_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        let mut request = posting("{}");
        request.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(media_type) = media_type {
            request.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().expect("a header"));
        }
        problem(answer(&api(), request).await, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    }
    let mut request = posting("{}");
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, "Application/JSON; charset=utf-8".parse().expect("a header"));
    problem(answer(&api(), request).await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn only_our_names_are_answered() {
    let of = |host: &str| Request::get("/api/health").header(header::HOST, host).body(Body::empty());
    for ours in
        [HOST, "localhost:8787", "LOCALHOST:8787", "[::1]:8787", "localhost", "lab.example", "lab.example:99"]
    {
        let response = answer(&api(), of(ours).expect("a request")).await;
        assert_eq!(response.status(), StatusCode::OK, "{ours}");
    }
    for foreign in
        ["evil.example", "127.0.0.1:80", "localhost.evil.example:8787", "127.0.0.1:8787.evil", "", "[::1"]
    {
        let response = answer(&api(), of(foreign).expect("a request")).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{foreign}");
    }
    let none = Request::get("/api/health").body(Body::empty()).expect("a request");
    problem(answer(&api(), none).await, StatusCode::FORBIDDEN).await;
    let two = asking("/api/health").header(header::HOST, HOST).body(Body::empty()).expect("a request");
    problem(answer(&api(), two).await, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn only_our_pages_may_ask() {
    let from = |origin: &str| asking("/api/health").header(header::ORIGIN, origin).body(Body::empty());
    for ours in ["http://127.0.0.1:8787", "http://localhost:8080", "http://127.0.0.1:8080"] {
        let response = answer(&api(), from(ours).expect("a request")).await;
        assert_eq!(response.status(), StatusCode::OK, "{ours}");
    }
    for foreign in
        ["null", "http://evil.example", "http://127.0.0.1:8788", "file://", "http://127.0.0.1:8787.evil"]
    {
        problem(answer(&api(), from(foreign).expect("a request")).await, StatusCode::FORBIDDEN).await;
    }
}

#[tokio::test]
async fn the_queue_has_an_end() {
    // The worker stands still, so whatever is asked for waits.
    let (app, _worker) = api_at(None);
    let body = json!({ "scenario": "stampede-lock", "policy": "lock" }).to_string();
    let mut ids = Vec::new();
    for _ in 0..QUEUE_MAX {
        ids.push(enqueue(&app).await);
    }
    let full = problem(answer(&app, posting(body)).await, StatusCode::TOO_MANY_REQUESTS).await;
    assert!(full.contains("try again"), "{full}");
    let ask = |path: &str| asking(path).body(Body::empty()).expect("a request");
    let state = state(&app, &ids[0]).await;
    assert_eq!(
        (&state["id"], &state["state"], &state["policy"]),
        (&json!(ids[0]), &json!("queued"), &json!("lock"))
    );
    problem(answer(&app, ask(&format!("/api/runs/{}/trace", ids[0]))).await, StatusCode::CONFLICT).await;
}

/// A browser comes back by itself after the server was started again: it must not get the rest of another run.
#[tokio::test]
async fn a_run_of_the_last_life_is_no_run_of_this_one() {
    let (before, _worker) = api_at(None);
    let old = enqueue(&before).await;
    let (now, _worker) = api_at(None);
    let new = enqueue(&now).await;
    assert_ne!(old, new);
    for path in [format!("/api/runs/{old}"), format!("/api/runs/{old}/events")] {
        let again = asking(&path).header("last-event-id", "7").body(Body::empty()).expect("a request");
        problem(answer(&now, again).await, StatusCode::NOT_FOUND).await;
    }
}

#[tokio::test]
async fn a_worker_that_is_gone_is_told_apart_from_a_full_queue() {
    let (app, worker) = api_at(None);
    let body = json!({ "scenario": "stampede-lock", "policy": "lock" }).to_string();
    let id = enqueue(&app).await;
    drop(worker);
    let detail = problem(answer(&app, posting(body)).await, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(detail.contains("`lab serve`"), "{detail}");

    // Nobody waits for ever for a run that was accepted before.
    let state = state(&app, &id).await;
    assert_eq!((&state["state"], &state["problem"]["status"]), (&json!("failed"), &json!(503)), "{state}");
    let events = asking(&format!("/api/runs/{id}/events")).body(Body::empty()).expect("a request");
    assert!(text(answer(&app, events).await).await.contains("event: failed"));
}

#[tokio::test]
async fn the_built_lab_is_served_beside_the_api() {
    let dist = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dist.path().join("index.html"), "<!doctype html><title>the lab</title>").expect("a page");
    let (app, _worker) = api_at(Some(dist.path().to_owned()));
    let page = answer(&app, asking("/").body(Body::empty()).expect("a request")).await;
    assert_eq!(
        (page.status(), &page.headers()[header::CONTENT_TYPE]),
        (StatusCode::OK, &"text/html".parse().expect("a value"))
    );
    let nothing = answer(&app, asking("/api/nothing").body(Body::empty()).expect("a request")).await;
    problem(nothing, StatusCode::NOT_FOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_followed_to_its_end_and_kept() {
    let (app, worker) = api_at(None);
    let (stop, stopped) = watch::channel(false);
    let working = tokio::spawn(worker.work(stopped));
    let body =
        json!({ "scenario": "stampede-lock", "policy": "lock-push", "settings": { "compute-ms": 200 } });
    let started: Value =
        serde_json::from_str(&text(answer(&app, posting(body.to_string())).await).await).expect("JSON");
    let id = started["id"].as_str().expect("an id").to_owned();
    let ask = |path: String| asking(&path).body(Body::empty()).expect("a request");

    // The stream ends by itself when the run does.
    let stream = text(answer(&app, ask(format!("/api/runs/{id}/events"))).await).await;
    let (events, last) = stream.trim_end().rsplit_once("\n\n").expect("more than one event");
    let report: Value = last
        .strip_prefix("event: done\ndata: ")
        .or_else(|| last.split_once("\nevent: done").and_then(|(data, _)| data.strip_prefix("data: ")))
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_else(|| panic!("the last event is {last}"));
    assert_eq!(report["demonstration"], true, "{report}");
    let events: Vec<&str> = events.lines().filter_map(|line| line.strip_prefix("data: ")).collect();

    let trace = text(answer(&app, ask(format!("/api/runs/{id}/trace"))).await).await;
    assert_eq!(trace.lines().skip(1).collect::<Vec<_>>(), events, "the stream and the recording are one");
    let recording = lab_core::recording::Recording::read(&trace).expect("a whole recording");
    assert_eq!(recording.world, lab_core::report::WorldKind::Real);
    assert_eq!(
        recording.spec.settings.iter().find(|(knob, _)| *knob == "compute-ms"),
        Some(("compute-ms", 200))
    );
    assert!(recording.trace.events.len() > 50);

    let state: Value =
        serde_json::from_str(&text(answer(&app, ask(format!("/api/runs/{id}"))).await).await).expect("JSON");
    assert_eq!((&state["state"], &state["report"]), (&json!("done"), &report));

    // A browser that comes back gets only what it has not seen.
    let again =
        asking(&format!("/api/runs/{id}/events")).header("last-event-id", (events.len() - 2).to_string());
    let rest = text(answer(&app, again.body(Body::empty()).expect("a request")).await).await;
    assert_eq!(rest.matches("data: ").count(), 2, "{rest}");
    stop.send_replace(true);
    working.await.expect("the worker ends when it is asked to");
}

/// Whoever waited in vain makes room at once, not when its turn comes.
#[tokio::test]
async fn a_waiting_run_that_is_given_up_frees_its_place() {
    // The worker stands still, so whatever is asked for waits.
    let (app, _worker) = api_at(None);
    let mut ids = Vec::new();
    for _ in 0..QUEUE_MAX {
        ids.push(enqueue(&app).await);
    }
    let events = asking(&format!("/api/runs/{}/events", ids[1])).body(Body::empty()).expect("a request");
    let follower = answer(&app, events).await;
    let delete = Request::delete(format!("/api/runs/{}", ids[1])).header(header::HOST, HOST);
    let given_up = answer(&app, delete.body(Body::empty()).expect("a request")).await;
    assert_eq!(given_up.status(), StatusCode::NO_CONTENT);

    let told = text(follower).await;
    assert!(told.contains("event: failed") && told.contains("given-up"), "{told}");
    let state = state(&app, &ids[1]).await;
    assert_eq!(state["problem"]["type"], "urn:cache-lab:problem:given-up", "{state}");
    enqueue(&app).await;
    let body = json!({ "scenario": "stampede-lock", "policy": "lock" }).to_string();
    problem(answer(&app, posting(body)).await, StatusCode::TOO_MANY_REQUESTS).await;
}

#[tokio::test]
async fn a_run_that_failed_before_it_began_has_no_recording_and_says_why() {
    let (app, worker) = api_at(None);
    let id = enqueue(&app).await;
    drop(worker);
    let trace = asking(&format!("/api/runs/{id}/trace")).body(Body::empty()).expect("a request");
    let detail = problem(answer(&app, trace).await, StatusCode::CONFLICT).await;
    assert!(detail.contains("had happened: `lab serve` is ending"), "{detail}");
}

#[tokio::test]
async fn those_who_follow_are_limited_and_make_room_when_they_leave() {
    let (app, _worker) = api_at(None);
    let id = enqueue(&app).await;
    let events = || asking(&format!("/api/runs/{id}/events")).body(Body::empty()).expect("a request");
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS_MAX {
        followers.push(answer(&app, events()).await);
    }
    assert!(followers.iter().all(|follower| follower.status() == StatusCode::OK));
    problem(answer(&app, events()).await, StatusCode::TOO_MANY_REQUESTS).await;
    followers.pop();
    assert_eq!(answer(&app, events()).await.status(), StatusCode::OK);
}
