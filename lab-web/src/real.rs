//! The API of `lab serve`, and recordings from a file. Both end as a [`Replay`], like a simulated run.
//!
//! The API stands beside the page, at whatever path that is: its addresses are relative.

use std::rc::Rc;

use gloo_net::http::Request;
use lab_core::recording::Recording;
use lab_core::report::{Report, WorldKind};
use lab_core::scenario::{Run, RunSpec, judge};
use lab_core::trace::{Event, Trace};
use serde::Deserialize;
use serde_json::json;

use crate::replay::Replay;

/// A problem as `lab serve` tells it (RFC 9457).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
}

impl Problem {
    fn text(&self) -> String {
        match (self.title.as_str(), self.detail.as_str()) {
            ("", detail) => detail.to_owned(),
            (title, "") => title.to_owned(),
            (title, detail) => format!("{title}: {detail}"),
        }
    }
}

#[derive(Deserialize)]
struct Started {
    id: String,
}

/// Whether a lab server answers beside this page.
pub(crate) async fn probe() -> bool {
    let Ok(answer) = Request::get("api/scenarios").send().await else { return false };
    let is_json = answer.headers().get("content-type").is_some_and(|kind| kind.contains("json"));
    answer.ok() && is_json
}

/// Starts a real run and says its id.
pub(crate) async fn start(spec: &RunSpec) -> Result<String, String> {
    let body = json!({
        "scenario": spec.scenario,
        "policy": spec.policy,
        "seed": spec.seed,
        "settings": spec.settings,
    });
    let request = Request::post("api/runs").json(&body).map_err(|error| error.to_string())?;
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if !answer.ok() {
        return Err(problem(&text));
    }
    serde_json::from_str::<Started>(&text).map(|started| started.id).map_err(|error| error.to_string())
}

/// Tells the server that nobody wants the run any more. Where that does not reach it, it finishes the run by itself.
pub(crate) async fn give_up(id: &str) {
    let _ = Request::delete(&format!("api/runs/{id}")).send().await;
}

/// The words of a problem; the text itself where it is none.
pub(crate) fn problem(text: &str) -> String {
    let told = serde_json::from_str::<Problem>(text).map(|problem| problem.text()).unwrap_or_default();
    if told.is_empty() { text.to_owned() } else { told }
}

/// A real run that was followed: from its events and, where the server judged it, its report.
pub(crate) fn followed(spec: RunSpec, events: Vec<Event>, report: Option<Report>) -> Rc<Replay> {
    let trace = Trace { events };
    let report = report.unwrap_or_else(|| judge(spec.scenario, &trace, &spec.settings));
    Rc::new(Replay::new(spec, WorldKind::Real, Run { trace, report }))
}

/// A run from a file, judged here: a file can say of itself what it likes.
pub(crate) fn opened(recording: &Recording) -> Rc<Replay> {
    let Recording { spec, world, trace, .. } = recording.clone();
    let report = judge(spec.scenario, &trace, &spec.settings);
    let mut replay = Replay::new(spec, world, Run { trace, report });
    replay.from_file = true;
    Rc::new(replay)
}
