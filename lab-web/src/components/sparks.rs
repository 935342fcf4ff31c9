//! Small pictures beside the figures: how the figure came about over the run.

use std::fmt::Write as _;

use yew::prelude::*;

const WIDTH: f64 = 92.0;
const BOTTOM: f64 = 24.0;

/// Bars, one a part of the run.
pub(crate) fn bars(counts: &[usize], veiled: bool) -> Html {
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let pitch = WIDTH / counts.len().max(1) as f64;
    let mut path = String::new();
    for (place, count) in counts.iter().enumerate() {
        let height = if veiled || *count == 0 { 1.5 } else { 2.0 + 18.0 * *count as f64 / most };
        let _ = write!(
            path,
            "M{:.1},{:.1}h{:.1}v{height:.1}h-{:.1}z",
            place as f64 * pitch,
            BOTTOM + 1.5 - height,
            pitch * 0.8,
            pitch * 0.8
        );
    }
    html! { <svg class="spk" viewBox="0 0 92 26" aria-hidden="true"><path d={path} class="br" /></svg> }
}

/// A line of shares from 0 to 1.
pub(crate) fn line(shares: &[f64], veiled: bool) -> Html {
    if veiled || shares.is_empty() {
        return html! { <svg class="spk" viewBox="0 0 92 26" aria-hidden="true"><path d="M0,25 H92" class="ln" /></svg> };
    }
    // One share alone is a level.
    let shares = if let [only] = shares { &[*only, *only] } else { shares };
    let step = WIDTH / (shares.len() - 1) as f64;
    let y = |share: f64| 4.0 + 18.0 * (1.0 - share);
    let mut path = String::new();
    for (place, share) in shares.iter().enumerate() {
        let _ = write!(
            path,
            "{}{:.1},{:.1}",
            if place == 0 { "M" } else { " L" },
            place as f64 * step,
            y(*share)
        );
    }
    let last = shares.last().copied().unwrap_or(0.0);
    html! {
        <svg class="spk" viewBox="0 0 95 26" aria-hidden="true">
            <path d={path} class="sp" /><circle cx={WIDTH.to_string()} cy={y(last).to_string()} r="2.5" class="spd-dot" />
        </svg>
    }
}

/// A bar against the greatest that it could be.
pub(crate) fn level(value: f64, most: f64) -> Html {
    let width = (value / most.max(1e-9)).clamp(0.0, 1.0) * WIDTH;
    html! {
        <svg class="spk" viewBox="0 0 92 26" aria-hidden="true">
            <rect x="0" y="10" width={WIDTH.to_string()} height="8" rx="2" class="lb" />
            <rect x="0" y="10" width={width.to_string()} height="8" rx="2" class="lv" />
        </svg>
    }
}
