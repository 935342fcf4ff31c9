//! The keyboard, as the visual language lists it. Single letters are off in text fields and can be turned off.

use std::cell::Cell;
use std::rc::Rc;

use lab_core::report::WorldKind;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, KeyboardEvent};
use yew::prelude::*;

use crate::ruler::View;
use crate::state::{Action, Lab, Step, Tab};

/// Listens to the keyboard.
#[hook]
pub(crate) fn use_keys(lab: &UseReducerHandle<Lab>) {
    let newest = use_mut_ref(|| lab.clone());
    newest.replace(lab.clone());
    use_effect_with((), move |()| {
        let pointed = Rc::new(Cell::new(false));
        let pointing = {
            let pointed = pointed.clone();
            Closure::<dyn FnMut(KeyboardEvent)>::new(move |_| pointed.set(true))
        };
        let typing = Closure::<dyn FnMut(KeyboardEvent)>::new(move |event: KeyboardEvent| {
            let lab = newest.borrow().clone();
            if event.key() == "Tab" {
                pointed.set(false);
            }
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_taken(&event, pointed.get()) {
                return;
            }
            if let Some(action) = action(&lab, &event) {
                event.prevent_default();
                lab.dispatch(action);
            }
        });
        let document = web_sys::window().and_then(|window| window.document());
        let listeners = [("keydown", typing), ("pointerdown", pointing)];
        for (name, listener) in &listeners {
            let listener = listener.as_ref().unchecked_ref();
            let _ =
                document.as_ref().map(|document| document.add_event_listener_with_callback(name, listener));
        }
        move || {
            for (name, listener) in &listeners {
                let listener = listener.as_ref().unchecked_ref();
                let _ = document
                    .as_ref()
                    .map(|document| document.remove_event_listener_with_callback(name, listener));
            }
        }
    });
}

/// Whether the key belongs to the element that has the focus: a text field, a list, a slider, a pressed button.
fn is_taken(event: &KeyboardEvent, pointed: bool) -> bool {
    // Whoever has a handler of its own for the key has said so.
    if event.default_prevented() {
        return true;
    }
    let Some(target) = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok()) else {
        return false;
    };
    let tag = target.tag_name();
    let key = event.key();
    match tag.as_str() {
        "INPUT" => {
            let kind = target.get_attribute("type").unwrap_or_default();
            !matches!(kind.as_str(), "checkbox" | "radio") || key == " " || key.starts_with("Arrow")
        }
        "TEXTAREA" | "SELECT" => true,
        // Whoever has clicked on the transport goes on with the keys; whoever came there by Tab presses the button.
        "BUTTON" if pointed && key == " " => !target.closest(".tb").is_ok_and(|bar| bar.is_some()),
        "BUTTON" | "A" | "SUMMARY" => key == " " || key == "Enter",
        _ => false,
    }
}

fn action(lab: &Lab, event: &KeyboardEvent) -> Option<Action> {
    let key = event.key();
    let by_name = match key.as_str() {
        "ArrowRight" if event.shift_key() => Some(Action::MoveSame(1)),
        "ArrowLeft" if event.shift_key() => Some(Action::MoveSame(-1)),
        "ArrowRight" => Some(Action::Move(1)),
        "ArrowLeft" => Some(Action::Move(-1)),
        "Home" => Some(Action::Seek(0)),
        "End" => Some(Action::Seek(usize::MAX)),
        " " => Some(Action::Play(!lab.playing)),
        "Enter" if lab.picked.is_some() => Some(Action::Reveal),
        "Escape" if lab.keys_open => Some(Action::Keys(false)),
        "Escape" if lab.rail_open => Some(Action::Rail(false)),
        _ => None,
    };
    if by_name.is_some() || !lab.letters {
        return by_name;
    }
    let letter = match key.to_ascii_lowercase().as_str() {
        "n" => Action::Trouble(1),
        "p" => Action::Trouble(-1),
        "[" => Action::Speed(lab.speed.saturating_sub(1)),
        "]" => Action::Speed(lab.speed + 1),
        "s" => Action::Tab(Tab::Story),
        "t" => Action::Tab(Tab::Test),
        "c" => Action::Tab(Tab::Code),
        "o" => Action::Tab(Tab::Policy),
        "e" => Action::Tab(Tab::Events),
        "/" => {
            focus_filter();
            Action::Tab(Tab::Events)
        }
        "w" => Action::World(match lab.world {
            WorldKind::Sim => WorldKind::Real,
            WorldKind::Real => WorldKind::Sim,
        }),
        "l" => Action::View(match lab.view {
            View::Lanes => View::SpaceTime,
            View::SpaceTime => View::Lanes,
        }),
        "?" => Action::Keys(!lab.keys_open),
        digit => Action::Step(*Step::ALL.get(digit.parse::<usize>().ok()?.checked_sub(1)?)?),
    };
    Some(letter)
}

/// Puts the focus into the filter of the Events list, once it is there.
fn focus_filter() {
    gloo_timers::callback::Timeout::new(30, || {
        let document = web_sys::window().and_then(|window| window.document());
        let field = document.and_then(|document| document.get_element_by_id("event-filter"));
        if let Some(field) = field.and_then(|field| field.dyn_into::<HtmlElement>().ok()) {
            let _ = field.focus();
        }
    })
    .forget();
}
