//! What the browser keeps from one visit to the next: language, theme and progress; and the state that a visit
//! begins with.

use yew::prelude::*;

use super::hash;
use crate::link::Link;
use crate::progress::{Progress, storage};
use crate::state::{Action, Lab};
use crate::text::Lang;

const LANG_STORED_AS: &str = "cache-lab-language";
const DARK_STORED_AS: &str = "cache-lab-dark";

/// The state that the address and what was kept make.
pub(crate) fn first() -> Lab {
    let kept = |name: &str| storage().and_then(|storage| storage.get_item(name).ok().flatten());
    let browser = || web_sys::window().and_then(|window| window.navigator().language());
    let lang = Lang::of_tag(&kept(LANG_STORED_AS).or_else(browser).unwrap_or_default());
    let dark = kept(DARK_STORED_AS).map(|text| text == "true");
    Lab::new(&Link::parse(&hash()), lang, dark, Progress::load())
}

/// Keeps it. That progress is not kept is said; a language or a theme is chosen again with one press.
#[hook]
pub(crate) fn use_kept(lab: &UseReducerHandle<Lab>) {
    let keep = |name: &str, value: &str| storage().map(|storage| storage.set_item(name, value));
    use_effect_with(lab.lang, move |lang| {
        let _ = keep(LANG_STORED_AS, lang.tag());
    });
    use_effect_with(lab.dark, move |dark| {
        let _ = dark.map(|dark| keep(DARK_STORED_AS, if dark { "true" } else { "false" }));
    });
    // What was to be forgotten goes before what was learned since is added: effects run in this order.
    use_effect_with(lab.forgotten, |forgotten| {
        if *forgotten > 0 {
            Progress::forget();
        }
    });
    let dispatcher = lab.dispatcher();
    use_effect_with(lab.progress.clone(), move |progress| {
        if progress.store().is_err() {
            dispatcher.dispatch(Action::NotKept);
        }
    });
}
