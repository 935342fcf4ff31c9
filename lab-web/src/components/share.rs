//! Share: copies a link to this very view, or shows it to be copied by hand where the browser has no clipboard to give
//! (a page that did not come over https, an article that embeds the lab, a person who said no).

use gloo_timers::callback::Timeout;
use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Clipboard, HtmlInputElement};
use yew::prelude::*;

use super::marks::{Icon, icon};
use super::top_bar::LabProps;
use crate::state::Action;
use crate::text::{Lang, ui};

/// How long the button says that the link was copied, in milliseconds.
const SAYS_SO_MS: u32 = 1_600;

/// The button.
#[component]
pub(crate) fn Share(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let copied = use_state(|| false);
    let onclick = {
        let (lab, copied) = (lab.clone(), copied.setter());
        Callback::from(move |_: MouseEvent| {
            let (lab, copied) = (lab.clone(), copied.clone());
            let link = address(&lab.link().format(true));
            spawn_local(async move {
                if copy(&link).await.is_some() {
                    copied.set(true);
                    Timeout::new(SAYS_SO_MS, move || copied.set(false)).forget();
                } else {
                    lab.dispatch(Action::ByHand(link));
                }
            });
        })
    };
    let (sign, text) = if *copied { (Icon::Done, ui::SHARED) } else { (Icon::Share, ui::SHARE) };
    html! { <>
        <button class="btn share" aria-label={ui::SHARE.get(lang)} title={ui::SHARE.get(lang)} data-testid="share" {onclick}>
            { icon(sign) }<span aria-hidden="true">{ text.get(lang) }</span>
        </button>
        <span class="unseen" role="status">if *copied { { ui::SHARED.get(lang) } }</span>
    </> }
}

/// The address of this page with another view.
fn address(hash: &str) -> String {
    let here = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
    format!("{}{hash}", here.split('#').next().unwrap_or_default())
}

/// Puts the text on the clipboard; `None` where there is none, or where it is refused.
async fn copy(text: &str) -> Option<()> {
    let navigator = web_sys::window()?.navigator();
    let clipboard = Reflect::get(&navigator, &JsValue::from_str("clipboard")).ok()?;
    if clipboard.is_undefined() || clipboard.is_null() {
        return None;
    }
    JsFuture::from(clipboard.unchecked_into::<Clipboard>().write_text(text)).await.ok().map(|_| ())
}

/// What the field shows.
#[derive(Properties, PartialEq)]
pub(crate) struct ByHandProps {
    /// The link.
    pub(crate) link: String,
    /// The language.
    pub(crate) lang: Lang,
}

/// The link in a field, selected: one press of the keys for Copy is left to do.
#[component]
pub(crate) fn ByHand(ByHandProps { link, lang }: &ByHandProps) -> Html {
    let field = use_node_ref();
    {
        let field = field.clone();
        use_effect_with(link.clone(), move |_| {
            if let Some(field) = field.cast::<HtmlInputElement>() {
                let _ = field.focus();
                field.select();
            }
        });
    }
    let onfocus = |event: FocusEvent| event.target_unchecked_into::<HtmlInputElement>().select();
    html! { <>
        <p>{ ui::SHARE_BY_HAND.get(*lang) }</p>
        <input ref={field} class="fi byhand" type="text" readonly=true value={link.clone()} {onfocus}
            aria-label={ui::SHARE_LINK.get(*lang)} data-testid="share-link" />
    </> }
}
