//! The real cluster: is there one, a run on it while it is recorded, and recorded files.
//!
//! Only the newest wish counts: whatever an earlier one still brings (an answer, an event, a file) is dropped, and
//! its stream is closed, and its run is given up.

use std::cell::RefCell;
use std::rc::Rc;

use lab_core::recording::{BYTES_MAX, EVENTS_MAX, Recording};
use lab_core::report::Report;
use lab_core::scenario::RunSpec;
use lab_core::trace::Event as TraceEvent;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{EventSource, File, MessageEvent};
use yew::prelude::*;

use crate::real::{followed, give_up, probe, problem, start};
use crate::state::{Action, Lab};
use crate::text::{Lang, recording, ui};

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
    /// A server answers, and was told that the run is not wanted any more.
    Stopped,
    /// A run is being recorded.
    Recording {
        /// Events so far.
        events: usize,
        /// Whether the connection is broken and the browser tries again.
        interrupted: bool,
    },
    /// The last run did not come to its end, and why.
    Failed(Trouble),
    /// The last file could not be opened, and why, in words.
    Refused(String),
}

/// Why a real run did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The server says so, in its words.
    Told(String),
    /// The server was lost after so many events.
    Lost(usize),
    /// The stream brought what is no event, or too many of them.
    Garbled,
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
    /// Gives the run up.
    pub(crate) stop: Callback<()>,
    /// Opens a recorded file.
    pub(crate) open: Callback<File>,
}

/// A stream that breaks so often, with nothing new in between, is given up. The browser waits some seconds before
/// it tries again.
const INTERRUPTIONS_MAX: u32 = 4;

/// What the hook and its callbacks share.
#[derive(Clone)]
struct Desk {
    newest: Rc<RefCell<Newest>>,
    state: UseStateSetter<RealState>,
    dispatcher: UseReducerDispatcher<Lab>,
}

#[derive(Default)]
struct Newest {
    wish: u32,
    following: Option<Following>,
}

/// A run that is followed. Its stream is closed when this is dropped.
struct Following {
    id: String,
    source: EventSource,
    _listeners: Vec<Closure<dyn FnMut(MessageEvent)>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// Keeps the state of the real cluster.
#[hook]
pub(crate) fn use_real(lab: &UseReducerHandle<Lab>) -> Real {
    let state = use_state_eq(RealState::default);
    let newest = use_mut_ref(Newest::default);
    let desk = Desk { newest, state: state.setter(), dispatcher: lab.dispatcher() };
    {
        // A run that is followed belongs to its lesson: whoever leaves it does not wait for it any more.
        let (desk, following) = (desk.clone(), matches!(*state, RealState::Recording { .. }));
        use_effect_with(lab.scenario(), move |_| {
            if following {
                desk.stop();
            }
        });
    }
    {
        let desk = desk.clone();
        use_effect_with((), move |()| {
            move || {
                desk.wish();
            }
        });
    }
    let lang = lab.lang;
    let (look, run, stop, open) = (desk.clone(), desk.clone(), desk.clone(), desk);
    Real {
        state: (*state).clone(),
        look: Callback::from(move |()| look.look()),
        run: Callback::from(move |spec| run.run(spec)),
        stop: Callback::from(move |()| stop.stop()),
        open: Callback::from(move |file| open.open(file, lang)),
    }
}

impl Desk {
    /// Ends whatever was wished for before, and gives the new wish its number.
    fn wish(&self) -> u32 {
        let (number, before) = self.turn();
        if let Some(before) = before {
            let id = before.id.clone();
            spawn_local(async move { give_up(&id).await });
        }
        number
    }

    /// The number of the next wish, and the run that is still followed for the one before.
    fn turn(&self) -> (u32, Option<Following>) {
        let mut newest = self.newest.borrow_mut();
        newest.wish += 1;
        (newest.wish, newest.following.take())
    }

    fn is_newest(&self, wish: u32) -> bool {
        self.newest.borrow().wish == wish
    }

    fn look(&self) {
        let (desk, wish) = (self.clone(), self.wish());
        self.state.set(RealState::Looking);
        spawn_local(async move {
            let found = probe().await;
            if desk.is_newest(wish) {
                desk.state.set(if found { RealState::Found } else { RealState::Absent });
            }
        });
    }

    fn run(&self, spec: RunSpec) {
        let (desk, wish) = (self.clone(), self.wish());
        self.state.set(RealState::Recording { events: 0, interrupted: false });
        spawn_local(async move {
            let started = start(&spec).await;
            match started {
                Ok(id) if desk.is_newest(wish) => desk.follow(id, spec, wish),
                Ok(id) => give_up(&id).await,
                Err(why) if desk.is_newest(wish) => desk.state.set(RealState::Failed(Trouble::Told(why))),
                Err(_) => {}
            }
        });
    }

    fn stop(&self) {
        self.wish();
        self.state.set(RealState::Stopped);
    }

    fn open(&self, file: File, lang: Lang) {
        let (desk, wish) = (self.clone(), self.wish());
        spawn_local(async move {
            let read = read_file(&file, lang).await;
            if !desk.is_newest(wish) {
                return;
            }
            match read {
                Ok(recording) => {
                    desk.dispatcher.dispatch(Action::Opened(Rc::new(recording)));
                    // Whether a server is there was not known, or is not known any more.
                    desk.look();
                }
                Err(why) => desk.state.set(RealState::Refused(why)),
            }
        });
    }

    /// Follows a run's events until it is done.
    fn follow(&self, id: String, spec: RunSpec, wish: u32) {
        let Ok(source) = EventSource::new(&format!("api/runs/{id}/events")) else {
            return self.state.set(RealState::Failed(Trouble::Lost(0)));
        };
        let feed =
            Feed { desk: self.clone(), wish, spec, events: Rc::default(), interruptions: Rc::default() };
        let hears: [(&str, Hears); 4] = [
            ("message", Feed::event),
            ("done", Feed::done),
            ("failed", Feed::failed),
            ("error", Feed::interrupted),
        ];
        let listeners = hears.map(|(name, hear)| {
            let feed = feed.clone();
            let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
                if feed.desk.is_newest(feed.wish) {
                    hear(&feed, &message);
                }
            });
            let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
            listener
        });
        self.newest.borrow_mut().following = Some(Following { id, source, _listeners: listeners.into() });
    }
}

/// What a stream has brought so far. A run that is lost on the way is dropped: with a hole in it, it would show what
/// did not happen.
#[derive(Clone)]
struct Feed {
    desk: Desk,
    wish: u32,
    spec: RunSpec,
    events: Rc<RefCell<Vec<TraceEvent>>>,
    interruptions: Rc<RefCell<u32>>,
}

type Hears = fn(&Feed, &MessageEvent);

impl Feed {
    fn event(&self, message: &MessageEvent) {
        *self.interruptions.borrow_mut() = 0;
        let event = data(message).and_then(|text| serde_json::from_str(&text).ok());
        let mut events = self.events.borrow_mut();
        let Some(event) = event.filter(|_| (events.len() as u64) < EVENTS_MAX) else {
            return self.end(RealState::Failed(Trouble::Garbled));
        };
        events.push(event);
        if events.len() % 16 == 1 {
            self.desk.state.set(RealState::Recording { events: events.len(), interrupted: false });
        }
    }

    fn done(&self, message: &MessageEvent) {
        let report = data(message).and_then(|text| serde_json::from_str::<Report>(&text).ok());
        let run = followed(self.spec.clone(), self.events.take(), report);
        self.end(RealState::Found);
        self.desk.dispatcher.dispatch(Action::Recorded(run));
    }

    fn failed(&self, message: &MessageEvent) {
        let why = problem(&data(message).unwrap_or_default());
        self.end(RealState::Failed(Trouble::Told(why)));
    }

    /// An interruption mends itself: the browser asks again, from where it was. A refusal does not.
    fn interrupted(&self, message: &MessageEvent) {
        let closed = message.target().and_then(|target| target.dyn_into::<EventSource>().ok());
        let closed = closed.is_none_or(|source| source.ready_state() == EventSource::CLOSED);
        *self.interruptions.borrow_mut() += 1;
        let events = self.events.borrow().len();
        if closed || *self.interruptions.borrow() > INTERRUPTIONS_MAX {
            self.end(RealState::Failed(Trouble::Lost(events)));
        } else {
            self.desk.state.set(RealState::Recording { events, interrupted: true });
        }
    }

    /// The run is over, or cannot be followed: there is nothing to give up.
    fn end(&self, state: RealState) {
        drop(self.desk.turn());
        self.desk.state.set(state);
    }
}

fn data(message: &MessageEvent) -> Option<String> {
    message.data().as_string()
}

async fn read_file(file: &File, lang: Lang) -> Result<Recording, String> {
    let bad = |why: &str| format!("{} {why}", ui::REAL_BAD_FILE.with(lang, &[&file.name()]));
    if file.size() > BYTES_MAX as f64 {
        return Err(bad(&recording::too_big(file.size(), lang)));
    }
    let text = JsFuture::from(file.text()).await.map_err(|_| bad(ui::FILE_UNREADABLE.get(lang)))?;
    Recording::read(&text.as_string().unwrap_or_default())
        .map_err(|error| bad(&recording::refusal(&error, lang)))
}
