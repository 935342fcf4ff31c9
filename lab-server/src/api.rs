//! The API: scenarios, runs on real servers, their events live and afterwards; and the built lab as static files.
//!
//! It listens on loopback, and even there a page from elsewhere must not drive it: see `guard`. Elsewhere it asks for a
//! token. Whatever is wrong with a request is answered with a typed [`problem::Problem`], and nothing panics.
//!
//! * [`listen`]: where it can be reached; [`connections`]: how many there may be, and for how long
//! * [`guard`]: who may ask; [`token`]: what must be shown; [`headers`]: what a browser is told with every answer
//! * [`runs`]: the runs, made one at a time on one real cluster; `record`: one of them
//! * `request`: what a client may ask for; `follow`: events as they happen; `files`: the built lab
//! * [`problem`]: what an error looks like

pub mod connections;
mod files;
mod follow;
pub mod guard;
pub mod headers;
pub mod listen;
pub mod problem;
mod record;
mod request;
pub mod runs;
pub mod token;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use crate::catalogue;
use guard::{Guard, Hosts};
use headers::{Embedder, Headers};
use problem::{Kind, Problem};
use record::Record;
use runs::Runs;
use token::Token;

/// The largest body of a request: a policy with every field is 2 kB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The time for a request's body.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// What the API serves.
pub struct Api {
    /// Who may ask.
    pub hosts: Hosts,
    /// What must be shown; `None` where nobody but this machine's users can reach it.
    pub token: Option<Token>,
    /// Who may show the lab in a frame, besides its own pages.
    pub embedders: Vec<Embedder>,
    /// The runs.
    pub runs: Runs,
    /// The built lab, if there is one.
    pub dist: Option<PathBuf>,
}

/// The routes, apart from any socket, so that tests call them without a port.
pub fn app(api: Api) -> Router {
    let Api { hosts, token, embedders, runs, dist } = api;
    let guard = Guard { hosts, token, headers: Headers::new(&embedders) };
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
        .layer(CatchPanicLayer::custom(|_| broken().into_response()))
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::check))
}

async fn health() -> Response {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

async fn scenarios() -> Response {
    Json(catalogue::course()).into_response()
}

async fn start(State(runs): State<Runs>, request: Request) -> Result<Response, Problem> {
    let body = timeout(BODY_WITHIN, Bytes::from_request(request, &())).await.map_err(|_| {
        Problem::new(Kind::TooSlow, format!("a body is waited for {BODY_WITHIN:?}: send it again, at once"))
    })?;
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
    runs.give_up(&*find(&runs, &id)?);
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
    follow::stream(&runs, &record, last.map_or(0, |last| last.saturating_add(1)))
}

async fn trace(State(runs): State<Runs>, Path(id): Path<String>) -> Result<Response, Problem> {
    let recording = find(&runs, &id)?.recording()?;
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

/// What is answered where a route panicked. The panic's own words are on standard error.
fn broken() -> Problem {
    Problem::new(
        Kind::Internal,
        "the output of `lab serve` says more: please report it with the request that led to it",
    )
}

async fn not_built() -> Problem {
    Problem::new(
        Kind::NotFound,
        "the lab is not built here: run `cargo xtask serve`, or `trunk build` and `lab serve --dist dist`",
    )
}
