//! What the page says when the lab breaks after its start: plain elements beside the lab's own, which nothing draws any
//! more. Progress is in the browser already, and the address holds the view; so there is always a way on.
//!
//! Two things tell of it: the panic hook, and the trap that ends the module without a panic (no memory, no stack).

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{
    Document, Element, ErrorEvent, HtmlElement, HtmlInputElement, Location, PromiseRejectionEvent,
};

use crate::link::Link;
use crate::text::{Lang, ui};

/// The message, which stands once: what breaks after a break says nothing new.
const ID: &str = "broken";

/// Tells of every way in which the lab can break, from now on.
pub(crate) fn watch() {
    // Not the standard library's own: the framework would put another one in its place.
    yew::set_custom_panic_hook(Box::new(|panic| {
        let why = panic.to_string();
        // The message names the file whole, as it lay where the lab was built.
        let why = match panic.location() {
            Some(at) => why.replacen(at.file(), from_crate(at.file()), 1),
            None => why,
        };
        web_sys::console::error_1(&JsValue::from_str(&why));
        // Nothing is left to do where even this cannot be shown.
        let _ = show(&why);
    }));
    let Some(window) = web_sys::window() else { return };
    let trap = Closure::<dyn Fn(JsValue)>::new(|event: JsValue| {
        let error = match event.dyn_into::<ErrorEvent>() {
            Ok(event) => event.error(),
            Err(event) => event.unchecked_into::<PromiseRejectionEvent>().reason(),
        };
        if let Ok(error) = error.dyn_into::<js_sys::WebAssembly::RuntimeError>() {
            let _ = show(&String::from(error.to_string()));
        }
    });
    for name in ["error", "unhandledrejection"] {
        let _ = window.add_event_listener_with_callback(name, trap.as_ref().unchecked_ref());
    }
    trap.forget();
}

/// A file from its crate's name on: where that lay when the lab was built helps nobody who reads of it. A file of the
/// lab itself is named from the root of its repository already.
fn from_crate(file: &str) -> &str {
    const CRATES: &str = "/registry/src/";
    const SOURCES: &str = "/src/";
    if !file.starts_with('/') {
        return file;
    }
    // Below the crates stands a name of the registry, then the crate's own.
    let below = file.split_once(CRATES).and_then(|(_, below)| below.split_once('/'));
    if let Some((_, own)) = below {
        return own;
    }
    let sources = file.rfind(SOURCES).unwrap_or(file.len());
    file[..sources].rfind('/').map_or(file, |before| &file[before + 1..])
}

/// Shows it.
fn show(why: &str) -> Result<(), JsValue> {
    let (Some(window), none) = (web_sys::window(), JsValue::NULL) else { return Ok(()) };
    let document = window.document().ok_or(none.clone())?;
    if document.get_element_by_id(ID).is_some() {
        return Ok(());
    }
    let root = document.document_element().ok_or(none.clone())?;
    let lang = Lang::of_tag(&root.get_attribute("lang").unwrap_or_default());
    let card = document.create_element("div")?;
    card.set_id(ID);
    card.set_attribute("role", "alertdialog")?;
    card.set_attribute("aria-labelledby", "broken-title")?;
    add(&document, &card, "h2", ui::BROKEN.get(lang))?.set_id("broken-title");
    add(&document, &card, "p", ui::BROKEN_KEPT.get(lang))?;
    let ways = add(&document, &card, "div", "")?;
    let reload = add_ways(&document, &ways, &window.location(), lang)?;
    add(&document, &card, "p", ui::BROKEN_REPORT.get(lang))?;
    add(&document, &card, "code", why)?;
    let field = add(&document, &card, "input", "")?.dyn_into::<HtmlInputElement>()?;
    field.set_read_only(true);
    field.set_value(&window.location().href()?);
    field.set_attribute("aria-label", ui::SHARE_LINK.get(lang))?;
    document.body().ok_or(none)?.append_child(&card)?;
    reload.focus()
}

/// Adds an element with a text.
fn add(document: &Document, parent: &Element, tag: &str, text: &str) -> Result<Element, JsValue> {
    let element = document.create_element(tag)?;
    element.set_text_content(Some(text));
    parent.append_child(&element)?;
    Ok(element)
}

/// The ways on: this view again, and the beginning of the lesson, in case that it is the view that breaks. Neither needs
/// anything of the module that broke.
fn add_ways(document: &Document, ways: &Element, at: &Location, lang: Lang) -> Result<HtmlElement, JsValue> {
    ways.set_class_name("acts");
    let reload = add(document, ways, "button", ui::BROKEN_RELOAD.get(lang))?.dyn_into::<HtmlElement>()?;
    reload.set_class_name("btn pri");
    let function = Reflect::get(at, &JsValue::from_str("reload"))?.dyn_into::<Function>()?;
    reload.set_onclick(Some(&function.bind0(at)));
    let anew = add(document, ways, "a", ui::BROKEN_ANEW.get(lang))?;
    anew.set_class_name("btn");
    let lesson = Link::parse(&at.hash()?).spec.scenario;
    // With another query it is another address, which the browser loads; with another hash alone it would not.
    let query = if at.search()?.is_empty() { "?anew" } else { "?" };
    anew.set_attribute("href", &format!("{query}#{lesson}/predict"))?;
    Ok(reload)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::from_crate;

    #[test]
    fn a_panic_names_no_path_of_the_machine_that_built_the_lab() {
        for (file, told) in [
            ("lab-web/src/stage/fit.rs", "lab-web/src/stage/fit.rs"),
            (
                "/home/me/.cargo/registry/src/index.example-0123/yew-0.22.0/src/dom/src/node.rs",
                "yew-0.22.0/src/dom/src/node.rs",
            ),
            ("/home/me/.cargo/git/checkouts/yew-0123/89ab/packages/yew/src/node.rs", "yew/src/node.rs"),
            ("/rustc/0123456789abcdef/library/core/src/option.rs", "core/src/option.rs"),
            ("/home/me/build/out/text.rs", "text.rs"),
        ] {
            assert_eq!(from_crate(file), told);
        }
    }
}
