//! The list of keys, and things to say over everything else.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

use super::faults::legend;
use super::marks::{Icon, icon};
use super::share::ByHand;
use super::top_bar::LabProps;
use crate::state::Action;
use crate::text::ui;

/// The list of keys.
#[component]
pub(crate) fn KeySheet(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let keys = [
        ("Space", ui::KEYS_SPACE),
        ("← →", ui::KEYS_ARROWS),
        ("Shift ← →", ui::KEYS_SHIFT),
        ("Home End", ui::KEYS_HOME),
        ("N P", ui::KEYS_N),
        ("[ ]", ui::KEYS_SPEED),
        ("1–5", ui::KEYS_STEPS),
        ("S T C O E", ui::KEYS_TABS),
        ("W", ui::KEYS_WORLD),
        ("L", ui::KEYS_VIEW),
        ("Enter", ui::KEYS_ENTER),
        ("/", ui::KEYS_SLASH),
        ("?", ui::KEYS_HELP),
    ];
    let (close, letters, on) = (lab.dispatcher(), lab.dispatcher(), lab.letters);
    let sheet = use_node_ref();
    {
        // As a modal one it holds the focus; when it is closed, the browser gives the focus back to where it was.
        let sheet = sheet.clone();
        use_effect_with((), move |()| {
            let dialog = sheet.cast::<HtmlDialogElement>();
            let _ = dialog.as_ref().map(HtmlDialogElement::show_modal);
            move || {
                let _ = dialog.map(|dialog| dialog.close());
            }
        });
    }
    html! {
        <dialog ref={sheet} class="sheetback" aria-label={ui::KEYS_TITLE.get(lang)} data-testid="keys">
            <div class="keysheet">
                <div class="phd">
                    <h2>{ ui::KEYS_TITLE.get(lang) }</h2>
                    <button class="btn sq" aria-label={ui::CLOSE.get(lang)} onclick={move |_| close.dispatch(Action::Keys(false))}>
                        { icon(Icon::Close) }
                    </button>
                </div>
                <dl>{ for keys.iter().map(|(key, does)| html! { <><dt><kbd>{ *key }</kbd></dt><dd>{ does.get(lang) }</dd></> }) }</dl>
                <h3>{ ui::LEGEND.get(lang) }</h3>
                { legend(lang) }
                <button class={classes!("tog", on.then_some("on"))} role="switch" aria-checked={on.to_string()}
                    onclick={move |_| letters.dispatch(Action::Letters(!on))}>
                    <span><b>{ ui::KEYS_ON.get(lang) }</b></span><i aria-hidden="true"></i>
                </button>
            </div>
        </dialog>
    }
}

/// What there is to say: parts of a link that were ignored, a lesson that is coming; and a link to be copied by hand.
#[component]
pub(crate) fn Notices(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let dispatcher = lab.dispatcher();
    let any = !lab.notices.is_empty() || lab.by_hand.is_some();
    html! {
        <div class="notices" role="status">
            if any {
                <div class="notice" data-testid="notice">
                    <div>
                        { for lab.notices.iter().map(|notice| html! { <p>{ notice }</p> }) }
                        if let Some(link) = lab.by_hand.clone() { <ByHand {link} {lang} /> }
                    </div>
                    <button class="btn" onclick={move |_| dispatcher.dispatch(Action::Dismiss)} data-testid="dismiss">
                        { ui::DISMISS.get(lang) }
                    </button>
                </div>
            }
        </div>
    }
}
