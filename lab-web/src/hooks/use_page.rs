//! What the document around the lab is told: its language, its theme, its title, where the focus goes, and what is in
//! view.

use wasm_bindgen::JsCast;
use web_sys::{Document, FocusOptions, HtmlElement, ScrollIntoViewOptions, ScrollLogicalPosition};
use yew::prelude::*;

use crate::state::{Lab, Step, Tab};
use crate::text::{lesson, ui};

/// Where the panel stands below the stage, as in `style/narrow.css`.
const SCROLLED: &str = "(max-width: 960px)";

fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// Tells the document.
#[hook]
pub(crate) fn use_page(lab: &UseReducerHandle<Lab>) {
    let tell = |name: &str, value: &str| {
        let root = document().and_then(|document| document.document_element());
        root.map(|root| root.set_attribute(name, value))
    };
    use_effect_with(lab.lang, move |lang| {
        let _ = tell("lang", lang.tag());
    });
    use_effect_with(lab.dark, move |dark| {
        let _ = dark.map(|dark| tell("data-theme", if dark { "dark" } else { "light" }));
    });
    use_effect_with((lab.scenario(), lab.step, lab.lang), |(scenario, step, lang)| {
        let lesson = scenario.words(*lang).title;
        let title = [lesson::step(*step).get(*lang), lesson, ui::BRAND.get(*lang)].join(" · ");
        if let Some(document) = document() {
            document.set_title(&title);
        }
    });
    use_effect_with(lab.arrivals, |arrivals| {
        if *arrivals > 0 {
            focus("#pane h2", false);
        }
    });
    let point = lab.simulated.as_ref().and_then(|_| Point::of(lab));
    use_effect_with((lab.arrivals, point), |(_, point)| {
        if let Some(point) = point {
            point.bring_into_view();
        }
    });
}

/// What a step is about: on a screen on which the panel stands below the stage, not all of it is in view at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// The situation and its question.
    Question,
    /// What happens.
    Stage,
    /// The line that fails, and what it saw.
    Failure,
}

impl Point {
    fn of(lab: &Lab) -> Option<Self> {
        match (lab.step, lab.tab) {
            _ if lab.playing => Some(Self::Stage),
            (Step::Predict, Tab::Story) if lab.veiled() => Some(Self::Question),
            (Step::Fail, Tab::Test) => Some(Self::Failure),
            _ => None,
        }
    }

    fn bring_into_view(self) {
        let Some(window) = web_sys::window() else { return };
        let scrolls = window.match_media(SCROLLED).ok().flatten().is_some_and(|query| query.matches());
        let (selector, edge) = match self {
            Self::Question => ("#panel", ScrollLogicalPosition::Start),
            Self::Stage => ("#lesson", ScrollLogicalPosition::End),
            Self::Failure => (".fail", ScrollLogicalPosition::End),
        };
        let found = document().and_then(|document| document.query_selector(selector).ok().flatten());
        if let Some(element) = found.filter(|_| scrolls) {
            let options = ScrollIntoViewOptions::new();
            options.set_block(edge);
            element.scroll_into_view_with_scroll_into_view_options(&options);
        }
    }
}

/// Puts the focus on what matches, although it may be nothing to act on; and scrolls there, or leaves in view what is.
pub(crate) fn focus(selector: &str, scrolls: bool) {
    let found = document().and_then(|document| document.query_selector(selector).ok().flatten());
    let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) else { return };
    if !element.has_attribute("tabindex") && element.tab_index() < 0 {
        let _ = element.set_attribute("tabindex", "-1");
    }
    let options = FocusOptions::new();
    options.set_prevent_scroll(!scrolls);
    let _ = element.focus_with_options(&options);
}
