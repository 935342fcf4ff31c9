//! What is drawn: one component a file.

pub(crate) mod clients;
pub(crate) mod code_lines;
pub(crate) mod faults;
pub(crate) mod marks;
pub(crate) mod messages;
pub(crate) mod panel;
pub(crate) mod panel_code;
pub(crate) mod panel_events;
pub(crate) mod panel_policy;
pub(crate) mod panel_story;
pub(crate) mod panel_test;
pub(crate) mod progress_menu;
pub(crate) mod rail;
pub(crate) mod real_cluster;
pub(crate) mod results;
pub(crate) mod scene;
pub(crate) mod seed_grid;
pub(crate) mod servers;
pub(crate) mod share;
pub(crate) mod sheet;
pub(crate) mod sparks;
pub(crate) mod spoken;
pub(crate) mod stage;
pub(crate) mod stores;
pub(crate) mod timeline;
pub(crate) mod top_bar;
pub(crate) mod transport;

use yew::prelude::*;

/// A text in which `**…**` is set in bold.
pub(crate) fn rich(text: &str) -> Html {
    text.split("**")
        .enumerate()
        .map(|(place, piece)| {
            if place % 2 == 1 {
                html! { <b>{ piece.to_owned() }</b> }
            } else {
                html! { { piece.to_owned() } }
            }
        })
        .collect()
}
