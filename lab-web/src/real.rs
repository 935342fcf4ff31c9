//! The API of `lab serve`, and recorded traces from a file. Both end as a [`Replay`], like a simulated run.

use std::rc::Rc;

use gloo_net::http::Request;
use lab_core::report::{Report, WorldKind};
use lab_core::scenario::{Run, RunSpec, judge};
use lab_core::trace::{Event, Trace};
use serde::Deserialize;
use serde_json::json;

use crate::replay::Replay;

/// The largest file that is read, in bytes.
pub(crate) const FILE_BYTES_MAX: f64 = 64.0 * 1024.0 * 1024.0;
/// The most events that are taken from a file or a stream.
pub(crate) const EVENTS_MAX: usize = 500_000;

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

/// Whether a lab server answers on this page's own origin.
pub(crate) async fn probe() -> bool {
    let Ok(answer) = Request::get("/api/scenarios").send().await else { return false };
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
    let request = Request::post("/api/runs").json(&body).map_err(|error| error.to_string())?;
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if !answer.ok() {
        return Err(problem(&text));
    }
    serde_json::from_str::<Started>(&text).map(|started| started.id).map_err(|error| error.to_string())
}

/// The words of a problem; the text itself where it is none.
pub(crate) fn problem(text: &str) -> String {
    let told = serde_json::from_str::<Problem>(text).map(|problem| problem.text()).unwrap_or_default();
    if told.is_empty() { text.to_owned() } else { told }
}

/// A recorded run, from its events and, where the server judged it, its report.
pub(crate) fn recorded(spec: RunSpec, events: Vec<Event>, report: Option<Report>) -> Rc<Replay> {
    let trace = Trace { events };
    let report = report.unwrap_or_else(|| judge(spec.scenario, &trace, &spec.settings));
    Rc::new(Replay::new(spec, WorldKind::Real, Run { trace, report }))
}

/// Reads a recorded trace: JSON lines, bounded, in order of time.
pub(crate) fn read_trace(text: &str) -> Result<Vec<Event>, String> {
    let mut events: Vec<Event> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if events.len() == EVENTS_MAX {
            return Err(format!("more than {EVENTS_MAX} events"));
        }
        let event: Event =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        if events.last().is_some_and(|last| last.at > event.at) {
            return Err(format!("line {}: time goes back", number + 1));
        }
        events.push(event);
    }
    if events.is_empty() { Err("no event in it".to_owned()) } else { Ok(events) }
}
