//! The small signs: progress marks, verdict marks, icons. Shape tells them apart, never colour alone.

use yew::prelude::*;

use crate::progress::Mark;

/// The progress mark of a lesson.
pub(crate) fn progress_mark(mark: Mark) -> Html {
    let inside = match mark {
        Mark::Todo => html! { <circle cx="8" cy="8" r="5" class="k-todo" /> },
        Mark::Red => html! { <>
            <circle cx="8" cy="8" r="5.5" class="k-red" />
            <path d="M5.9 5.9l4.2 4.2M10.1 5.9l-4.2 4.2" class="k-redx" />
        </> },
        Mark::Green => html! { <>
            <circle cx="8" cy="8" r="6" class="k-green" />
            <path d="M5.3 8.2l1.9 1.9 3.6-3.9" class="k-chk" />
        </> },
        Mark::Real => html! { <>
            <circle cx="8" cy="8" r="7.2" class="k-ring" />
            <circle cx="8" cy="8" r="5.2" class="k-green" />
            <path d="M5.7 8.1l1.6 1.6 3-3.3" class="k-chk" />
        </> },
    };
    html! { <svg class="mk16" viewBox="0 0 16 16" aria-hidden="true">{ inside }</svg> }
}

/// What is known of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Not run.
    Open,
    /// It holds.
    Holds,
    /// It is broken.
    Broken,
    /// It only informs: the goal does not need it.
    Informs,
}

/// The mark of a check: a disc with a tick, a square with a cross, a dashed ring; an i where it only
/// informs.
pub(crate) fn check_mark(known: Known) -> Html {
    let inside = match known {
        Known::Open => html! { <circle cx="8" cy="8" r="5.5" class="k-wait" /> },
        Known::Holds => html! { <>
            <circle cx="8" cy="8" r="6.5" class="k-green" />
            <path d="M5.1 8.2l2 2 3.8-4.2" class="k-chk" />
        </> },
        Known::Informs => html! { <>
            <circle cx="8" cy="8" r="6" class="k-note" />
            <path d="M8 7.4v3.4M8 4.9v.2" class="k-note" />
        </> },
        Known::Broken => html! { <>
            <rect x="1.8" y="1.8" width="12.4" height="12.4" rx="3" class="k-bad" />
            <path d="M5.5 5.5l5 5M10.5 5.5l-5 5" class="k-chk" />
        </> },
    };
    html! { <svg class="mk16" viewBox="0 0 16 16" aria-hidden="true">{ inside }</svg> }
}

/// The icons of buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    /// Back to the first event.
    ToStart,
    /// One event back.
    Back,
    /// Play.
    Play,
    /// Pause.
    Pause,
    /// One event on.
    Step,
    /// On to the last event.
    ToEnd,
    /// Light or dark.
    Theme,
    /// Share.
    Share,
    /// It is done.
    Done,
    /// The course.
    Menu,
    /// Close.
    Close,
    /// Something to add.
    Plus,
}

/// An icon.
pub(crate) fn icon(icon: Icon) -> Html {
    let inside = match icon {
        Icon::ToStart => html! { <><path d="M3.5 3v10" /><path d="M13 3 6 8l7 5z" /></> },
        Icon::Back => html! { <path d="M11 3 4.5 8 11 13z" /> },
        Icon::Play => html! { <path d="M5 3l8 5-8 5z" /> },
        Icon::Pause => html! { <path d="M4 3h2.6v10H4zM9.4 3H12v10H9.4z" /> },
        Icon::Step => html! { <path d="M5 3l6.5 5L5 13z" /> },
        Icon::ToEnd => html! { <><path d="M12.5 3v10" /><path d="M3 3l7 5-7 5z" /></> },
        Icon::Theme => html! { <>
            <circle cx="8" cy="8" r="5" />
            <path d="M8 3a5 5 0 0 1 0 10z" class="solid" />
        </> },
        Icon::Share => html! {
            <path d="M6.5 9.5 9.5 6.5M7 5l1.5-1.5a2.5 2.5 0 0 1 4 3.5L11 8.5M9 11l-1.5 1.5a2.5 2.5 0 0 1-4-3.5L5 7.5" />
        },
        Icon::Done => html! { <path d="M3.5 8.5 6.5 11.5 12.5 5" /> },
        Icon::Menu => html! { <path d="M3 4.5h10M3 8h10M3 11.5h10" /> },
        Icon::Close => html! { <path d="M4 4l8 8M12 4l-8 8" /> },
        Icon::Plus => html! { <path d="M8 3v10M3 8h10" /> },
    };
    html! { <svg class="ic" viewBox="0 0 16 16" aria-hidden="true">{ inside }</svg> }
}

/// The sign of a cut link.
pub(crate) fn cut_sign() -> Html {
    html! {
        <svg viewBox="0 0 14 12" aria-hidden="true">
            <path d="M0 6h3.5M10.5 6H14" class="ln" />
            <path d="M3.8 10.5 6.3 1.5M7.7 10.5 10.2 1.5" class="cut" />
        </svg>
    }
}

/// The sign of a small gutter in code: ran, failed, skipped, at work.
pub(crate) fn gutter(class: &'static str, path: &'static str) -> Html {
    html! { <svg viewBox="0 0 12 12" aria-hidden="true"><path d={path} class={class} /></svg> }
}
