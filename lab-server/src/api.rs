//! The API: scenarios, runs on real servers, their events live and afterwards; and the built lab as static files.
//!
//! It listens on loopback, and even there a page from elsewhere must not drive it: see `guard`. Whatever is wrong with
//! a request is answered with a typed [`problem::Problem`], and nothing panics.
//!
//! * [`runs`]: the runs, made one at a time on one real cluster; `record`: one of them
//! * `request`: what a client may ask for; `follow`: events as they happen; `files`: the built lab
//! * [`guard`]: who may ask; [`problem`]: what an error looks like

mod files;
mod follow;
pub mod guard;
pub mod problem;
mod record;
mod request;
pub mod runs;

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;

use crate::catalogue;
use guard::Hosts;
use problem::{Kind, Problem};
use record::Record;
use runs::Runs;

/// The largest body of a request: a policy with every field is 2 kB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the API serves.
pub struct Api {
    /// Who may ask.
    pub hosts: Hosts,
    /// The runs.
    pub runs: Runs,
    /// The built lab, if there is one.
    pub dist: Option<PathBuf>,
}

/// The routes, apart from any socket, so that tests call them without a port.
pub fn app(api: Api) -> Router {
    let Api { hosts, runs, dist } = api;
    let routes = Router::new()
        .route("/api/health", get(health))
        .route("/api/scenarios", get(scenarios))
        .route("/api/runs", post(start))
        .route("/api/runs/{id}", get(state).delete(give_up))
        .route("/api/runs/{id}/events", get(events))
        .route("/api/runs/{id}/trace", get(trace))
        .route("/api/{*rest}", get(nothing_here))
        .route("/api", get(nothing_here))
        .with_state(runs);
    let routes = match dist {
        Some(dist) => routes.fallback_service(files::serve(&dist)),
        None => routes.fallback(not_built),
    };
    routes
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(hosts), guard::check))
}

async fn health() -> Response {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

async fn scenarios() -> Response {
    Json(catalogue::course()).into_response()
}

async fn start(State(runs): State<Runs>, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("a body may have {BODY_BYTES_MAX} bytes: send one policy, not a trace");
            Problem::new(Kind::TooLarge, detail)
        }
        _ => Problem::new(Kind::BadRequest, "the body did not arrive whole: send it again"),
    })?;
    let (spec, policy) = request::read(&body)?;
    let id = runs.enqueue(spec, policy)?;
    let location = format!("/api/runs/{id}");
    let started = Json(json!({ "id": id.to_string() }));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], started).into_response())
}

async fn state(State(runs): State<Runs>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(Json(find(&runs, &id)?.tell()).into_response())
}

async fn give_up(State(runs): State<Runs>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    find(&runs, &id)?.give_up();
    Ok(StatusCode::NO_CONTENT)
}

async fn events(
    State(runs): State<Runs>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let record = find(&runs, &id)?;
    // A browser that lost the connection says which event it had last.
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()?.parse::<usize>().ok());
    Ok(follow::stream(&record, last.map_or(0, |last| last.saturating_add(1))))
}

async fn trace(State(runs): State<Runs>, Path(id): Path<String>) -> Result<Response, Problem> {
    let record = find(&runs, &id)?;
    let recording = record.recording().ok_or_else(|| {
        let detail =
            format!("run {id} is not over: follow /api/runs/{id}/events, or come back when it is done");
        Problem::new(Kind::NotOver, detail)
    })?;
    let lines = recording.to_json_lines().map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

fn find(runs: &Runs, id: &str) -> Result<Arc<Record>, Problem> {
    let found = id.parse().ok().and_then(|id| runs.find(id));
    found.ok_or_else(|| {
        let detail =
            format!("there is no run {id:?} (only the last {} are kept): POST /api/runs", runs::KEPT_MAX);
        Problem::new(Kind::NotFound, detail)
    })
}

async fn nothing_here() -> Problem {
    Problem::new(
        Kind::NotFound,
        "there are GET /api/health, GET /api/scenarios, POST /api/runs, GET and DELETE /api/runs/{id}, \
         GET /api/runs/{id}/events and GET /api/runs/{id}/trace",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(
        Kind::WrongMethod,
        "runs are started by POST /api/runs and given up by DELETE /api/runs/{id}; everything else is asked by GET",
    )
}

async fn not_built() -> Problem {
    Problem::new(
        Kind::NotFound,
        "the lab is not built here: run `cargo xtask serve`, or `trunk build` and `lab serve --dist dist`",
    )
}
