//! The size of the window, for what CSS alone cannot decide: which stage geometry is drawn.

use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// Width and height of the window in CSS pixels.
#[hook]
pub(crate) fn use_size() -> (f64, f64) {
    let size = use_state_eq(read);
    let setter = size.setter();
    use_effect_with((), move |()| {
        let listener = Closure::<dyn FnMut()>::new(move || setter.set(read()));
        if let Some(window) = web_sys::window() {
            let _ = window.add_event_listener_with_callback("resize", listener.as_ref().unchecked_ref());
        }
        move || {
            if let Some(window) = web_sys::window() {
                let _ =
                    window.remove_event_listener_with_callback("resize", listener.as_ref().unchecked_ref());
            }
        }
    });
    *size
}

fn read() -> (f64, f64) {
    let Some(window) = web_sys::window() else { return (1440.0, 900.0) };
    let read = |value: Result<JsValue, JsValue>| value.ok().and_then(|value| value.as_f64());
    (read(window.inner_width()).unwrap_or(1440.0), read(window.inner_height()).unwrap_or(900.0))
}
