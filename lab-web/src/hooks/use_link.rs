//! Keeps the address of the page and the view in step: the back button works, and a reload shows the same.

use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

use crate::link::Link;
use crate::state::{Action, Lab};

/// The event of the address follows the playhead this much later, in milliseconds: browsers limit how often an
/// address may change.
const SETTLES_MS: u32 = 300;

/// The part of the address from `#` on.
pub(crate) fn hash() -> String {
    web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default()
}

/// Writes the view to the address, and follows the address when it changes.
#[hook]
pub(crate) fn use_link(lab: &UseReducerHandle<Lab>) {
    let dispatcher = lab.dispatcher();
    use_effect_with((), move |()| {
        let listener =
            Closure::<dyn FnMut()>::new(move || dispatcher.dispatch(Action::Open(Link::parse(&hash()))));
        let window = web_sys::window();
        if let Some(window) = &window {
            let _ = window.add_event_listener_with_callback("popstate", listener.as_ref().unchecked_ref());
        }
        move || {
            if let Some(window) = window {
                let _ =
                    window.remove_event_listener_with_callback("popstate", listener.as_ref().unchecked_ref());
            }
        }
    });
    let mut place = lab.link();
    place.at = None;
    place.digest = None;
    use_effect_with(place.clone(), |place| {
        let before = Link { at: None, digest: None, ignored: Vec::new(), ..Link::parse(&hash()) };
        if before != *place {
            write(&place.format(false), hash().is_empty());
        }
    });
    let at = (!lab.playing && lab.simulated.is_some()).then_some(lab.index);
    let link = lab.link();
    use_effect_with((at, place), move |(at, _)| {
        let timeout = at.map(|_| Timeout::new(SETTLES_MS, move || write(&link.format(false), true)));
        move || drop(timeout)
    });
}

fn write(hash: &str, replace: bool) {
    let Some(history) = web_sys::window().and_then(|window| window.history().ok()) else { return };
    let _ = if replace {
        history.replace_state_with_url(&JsValue::NULL, "", Some(hash))
    } else {
        history.push_state_with_url(&JsValue::NULL, "", Some(hash))
    };
}
