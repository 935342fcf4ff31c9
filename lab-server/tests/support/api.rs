//! The API without a port: requests, and what its answers must look like.

use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use lab_server::api::guard::Hosts;
use lab_server::api::runs::{Runs, Source, Worker};
use lab_server::api::{Api, app};
use serde_json::{Value, json};
use tower::ServiceExt;

/// Where it would listen.
pub(crate) const HOST: &str = "127.0.0.1:8787";

/// Everything that is served, on loopback.
pub(crate) fn served(runs: Runs, dist: Option<PathBuf>) -> Api {
    let hosts = Hosts::loopback(8787, vec!["lab.example".to_owned()]);
    Api { hosts, token: None, embedders: Vec::new(), runs, dist }
}

/// The API, and the worker that nobody has set to work yet.
pub(crate) fn api_at(dist: Option<PathBuf>) -> (Router, Worker) {
    api_on(Source::default(), dist)
}

/// The API on servers of somebody else, or on the lab's own.
pub(crate) fn api_on(source: Source, dist: Option<PathBuf>) -> (Router, Worker) {
    let (runs, worker) = Runs::new(source);
    (app(served(runs, dist)), worker)
}

/// The API alone.
pub(crate) fn api() -> Router {
    api_at(None).0
}

/// A question.
pub(crate) fn asking(path: &str) -> axum::http::request::Builder {
    Request::get(path).header(header::HOST, HOST)
}

/// A request for a run.
pub(crate) fn posting(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/api/runs").header(header::HOST, HOST);
    request.header(header::CONTENT_TYPE, "application/json").body(body.into()).expect("a request")
}

/// What the API answers.
pub(crate) async fn answer(app: &Router, request: Request<Body>) -> Response<Body> {
    app.clone().oneshot(request).await.expect("the router always answers")
}

/// A whole body.
pub(crate) async fn text(response: Response<Body>) -> String {
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
    String::from_utf8(body.to_vec()).expect("text")
}

/// Asserts that the answer is a whole problem of this status, and gives its detail.
pub(crate) async fn problem(response: Response<Body>, status: StatusCode) -> String {
    let media_type = response.headers().get(header::CONTENT_TYPE).cloned();
    assert_eq!(response.status(), status);
    assert_eq!(media_type.expect("a media type"), "application/problem+json");
    let problem: Value = serde_json::from_str(&text(response).await).expect("JSON");
    assert_eq!(problem["status"], status.as_u16());
    assert!(
        problem["type"].as_str().is_some_and(|name| name.starts_with("urn:cache-lab:problem:")),
        "{problem}"
    );
    assert!(problem["title"].is_string(), "{problem}");
    problem["detail"].as_str().expect("a detail").to_owned()
}

/// The answer to a question.
pub(crate) async fn get(path: &str) -> Response<Body> {
    answer(&api(), asking(path).body(Body::empty()).expect("a request")).await
}

/// Asks for a run that is accepted, and answers its id.
pub(crate) async fn enqueue(app: &Router) -> String {
    let body = json!({ "scenario": "stampede-lock", "policy": "lock" }).to_string();
    let response = answer(app, posting(body)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()[header::LOCATION].to_str().expect("text").to_owned();
    let started: Value = serde_json::from_str(&text(response).await).expect("JSON");
    let id = started["id"].as_str().expect("an id").to_owned();
    assert!(id.parse::<u64>().is_ok(), "{id} is a decimal number");
    assert_eq!(location, format!("/api/runs/{id}"));
    id
}

/// How far a run is.
pub(crate) async fn state(app: &Router, id: &str) -> Value {
    let request = asking(&format!("/api/runs/{id}")).body(Body::empty()).expect("a request");
    serde_json::from_str(&text(answer(app, request).await).await).expect("JSON")
}
