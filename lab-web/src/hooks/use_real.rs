//! The real cluster: is there one, a run on it while it is recorded, and recorded files.

use std::rc::Rc;

use lab_core::report::Report;
use lab_core::scenario::RunSpec;
use lab_core::trace::Event as TraceEvent;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{EventSource, File, MessageEvent};
use yew::prelude::*;

use crate::real::{EVENTS_MAX, FILE_BYTES_MAX, probe, problem, read_trace, recorded, start};
use crate::state::{Action, Lab};
use crate::text::ui;

/// How the real cluster stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum RealState {
    /// Not looked for yet.
    #[default]
    Unknown,
    /// Being looked for.
    Looking,
    /// No server answers.
    Absent,
    /// A server answers.
    Found,
    /// A run is being recorded, with so many events so far.
    Recording(usize),
    /// The last run or file could not be had, and why.
    Failed(String),
}

/// The real cluster, and what can be asked of it.
#[derive(Clone, PartialEq)]
pub(crate) struct Real {
    /// How it stands.
    pub(crate) state: RealState,
    /// Looks for a server.
    pub(crate) look: Callback<()>,
    /// Runs on it.
    pub(crate) run: Callback<RunSpec>,
    /// Stops following the run.
    pub(crate) stop: Callback<()>,
    /// Opens a recorded file.
    pub(crate) open: Callback<File>,
}

/// A run in progress.
struct Following {
    source: EventSource,
    _listeners: Vec<Closure<dyn FnMut(MessageEvent)>>,
}

/// Keeps the state of the real cluster.
#[hook]
pub(crate) fn use_real(lab: &UseReducerHandle<Lab>) -> Real {
    let state = use_state_eq(RealState::default);
    let following = use_mut_ref(|| None::<Following>);
    let look = {
        let state = state.setter();
        Callback::from(move |()| {
            let state = state.clone();
            state.set(RealState::Looking);
            spawn_local(async move {
                state.set(if probe().await { RealState::Found } else { RealState::Absent });
            });
        })
    };
    let run = {
        let (state, following, dispatcher) = (state.setter(), following.clone(), lab.dispatcher());
        Callback::from(move |spec: RunSpec| {
            let (state, following, dispatcher) = (state.clone(), following.clone(), dispatcher.clone());
            state.set(RealState::Recording(0));
            spawn_local(async move {
                match start(&spec).await {
                    Ok(id) => {
                        let followed = follow(&id, spec, state.clone(), dispatcher);
                        match followed {
                            Some(run) => *following.borrow_mut() = Some(run),
                            None => state.set(RealState::Failed(id)),
                        }
                    }
                    Err(why) => state.set(RealState::Failed(why)),
                }
            });
        })
    };
    let stop = {
        let (state, following) = (state.setter(), following);
        Callback::from(move |()| {
            following.borrow_mut().take();
            state.set(RealState::Found);
        })
    };
    let open = {
        let (state, lab) = (state.setter(), lab.clone());
        Callback::from(move |file: File| {
            let (state, lab) = (state.clone(), lab.clone());
            spawn_local(async move {
                match read_file(&file, &lab).await {
                    Ok(events) => lab.dispatch(Action::Recorded(recorded(lab.spec.clone(), events, None))),
                    Err(why) => state.set(RealState::Failed(why)),
                }
            });
        })
    };
    Real { state: (*state).clone(), look, run, stop, open }
}

async fn read_file(file: &File, lab: &Lab) -> Result<Vec<TraceEvent>, String> {
    let bad = |why: &str| format!("{} {why}", ui::REAL_BAD_FILE.get(lab.lang));
    if file.size() > FILE_BYTES_MAX {
        let megabytes = |bytes: f64| format!("{:.0}", bytes / 1024.0 / 1024.0);
        return Err(ui::REAL_FILE_BIG.with(lab.lang, &[&megabytes(file.size()), &megabytes(FILE_BYTES_MAX)]));
    }
    let text = JsFuture::from(file.text()).await.map_err(|_| bad(""))?;
    read_trace(&text.as_string().unwrap_or_default()).map_err(|why| bad(&why))
}

/// A stream that breaks more often than this is given up.
const INTERRUPTIONS_MAX: u32 = 20;

impl Drop for Following {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// Follows a run's events until it is done.
fn follow(
    id: &str,
    spec: RunSpec,
    state: UseStateSetter<RealState>,
    dispatcher: UseReducerDispatcher<Lab>,
) -> Option<Following> {
    let source = EventSource::new(&format!("/api/runs/{id}/events")).ok()?;
    let events = Rc::new(std::cell::RefCell::new(Vec::<TraceEvent>::new()));
    let mut listeners = Vec::new();
    let mut listen = |name: &str, listener: Closure<dyn FnMut(MessageEvent)>| {
        let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        listeners.push(listener);
    };
    {
        let (own, events, state) = (source.clone(), events.clone(), state.clone());
        listen(
            "message",
            Closure::new(move |message: MessageEvent| {
                let event = data(&message).and_then(|text| serde_json::from_str(&text).ok());
                let mut events = events.borrow_mut();
                // A recording with a hole would show what did not happen.
                let Some(event) = event.filter(|_| events.len() < EVENTS_MAX) else {
                    own.close();
                    state.set(RealState::Failed(String::new()));
                    return;
                };
                events.push(event);
                if events.len() % 16 == 1 {
                    state.set(RealState::Recording(events.len()));
                }
            }),
        );
    }
    {
        let (own, state, events) = (source.clone(), state.clone(), events.clone());
        listen(
            "done",
            Closure::new(move |message: MessageEvent| {
                own.close();
                let report = data(&message).and_then(|text| serde_json::from_str::<Report>(&text).ok());
                let run = recorded(spec.clone(), events.take(), report);
                state.set(RealState::Found);
                dispatcher.dispatch(Action::Recorded(run));
            }),
        );
    }
    let (own, failed) = (source.clone(), state.clone());
    listen(
        "failed",
        Closure::new(move |message: MessageEvent| {
            own.close();
            failed.set(RealState::Failed(problem(&data(&message).unwrap_or_default())));
        }),
    );
    let (own, mut interruptions) = (source.clone(), 0);
    listen(
        "error",
        Closure::new(move |_| {
            // An interruption mends itself: the browser asks again, from where it was. A refusal does not.
            interruptions += 1;
            if own.ready_state() == EventSource::CLOSED || interruptions > INTERRUPTIONS_MAX {
                own.close();
                state.set(RealState::Failed(String::new()));
            }
        }),
    );
    Some(Following { source, _listeners: listeners })
}

fn data(message: &MessageEvent) -> Option<String> {
    message.data().as_string()
}
