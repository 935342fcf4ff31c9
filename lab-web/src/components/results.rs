//! The strip at the bottom: verdict, checks, figures; of the run so far while it is stepped through.

use std::rc::Rc;

use lab_core::report::{Check, WorldKind, figure};
use lab_core::trace::Event;
use yew::prelude::*;

use super::marks::{Known, check_mark};
use super::panel_policy::figure_text;
use super::sparks::{bars, level, line};
use crate::replay::{Replay, Shown};
use crate::text::{Lang, Text, clock, grouped, lesson, names, ui};

/// What the strip shows.
#[derive(Properties, PartialEq)]
pub(crate) struct ResultsProps {
    /// The run.
    pub(crate) replay: Option<Shown>,
    /// The event.
    pub(crate) index: usize,
    /// Whether the future is hidden.
    pub(crate) veiled: bool,
    /// The language.
    pub(crate) lang: Lang,
}

/// What is known of a check at an event.
fn known(replay: &Replay, check: &Check, index: usize, veiled: bool) -> Known {
    if veiled {
        return Known::Open;
    }
    let ended = index >= replay.last();
    let broken_at = replay.broken_at(check);
    match (check.holds, ended) {
        (false, _) if index >= broken_at => Known::Broken,
        (true, true) => Known::Holds,
        _ => Known::Open,
    }
}

/// The strip.
#[component]
pub(crate) fn Results(props: &ResultsProps) -> Html {
    let lang = props.lang;
    let open = use_state(|| false);
    let Some(replay) = &props.replay else {
        return html! {
            <section class="res" aria-label={ui::RESULTS.get(lang)}>
                <div class="rr"><div class="verd"><b>{ ui::VERDICT_NOT_RUN.get(lang) }</b></div></div>
            </section>
        };
    };
    let checks: Vec<(&Check, Known)> = replay
        .0
        .report
        .checks
        .iter()
        .map(|check| (check, known(&replay.0, check, props.index, props.veiled)))
        .collect();
    // What the goal needs stands first, what only informs after it.
    let (goals, informing): (Vec<_>, Vec<_>) = checks.iter().partition(|(check, _)| check.goal);
    let lead = goals.iter().position(|(_, known)| *known == Known::Broken);
    let (class, title, detail) = verdict(&replay.0, &checks, props);
    let (opened, toggle) = (*open, open.clone());
    let more = if opened { ui::CHECKS_LESS } else { ui::CHECKS_ALL }.with(lang, &[&checks.len().to_string()]);
    html! {
        <section class="res" aria-label={ui::RESULTS.get(lang)}>
            <div class={classes!("rr", class, opened.then_some("all"))}>
                <div class="verd" data-testid="run-verdict"><b>{ title.get(lang) }</b><span>{ detail }</span></div>
                <ul class="chk">
                    { for goals.iter().enumerate().map(|(place, (check, known))| {
                        line_of(check, *known, lead == Some(place), props)
                    }) }
                    { for informing.iter().map(|(check, known)| informs(check, *known, props)) }
                </ul>
                <Figures replay={replay.clone()} index={props.index} veiled={props.veiled} {lang} />
                <button class="btn more" aria-expanded={opened.to_string()} data-testid="results-more"
                    onclick={move |_| toggle.set(!opened)}>{ more }</button>
            </div>
        </section>
    }
}

/// The verdict in one line, once there is one.
pub(super) fn verdict_words(replay: &Rc<Replay>, index: usize, veiled: bool, lang: Lang) -> Option<String> {
    let props = ResultsProps { replay: Some(Shown(replay.clone())), index, veiled, lang };
    let checks: Vec<(&Check, Known)> =
        replay.report.checks.iter().map(|check| (check, known(replay, check, index, veiled))).collect();
    let (class, title, detail) = verdict(replay, &checks, &props);
    let open = class == "v-wait" && (veiled || index < replay.last());
    (!open).then(|| ui::VERDICT_SPOKEN.with(lang, &[title.get(lang), &detail]))
}

fn verdict(
    replay: &Replay,
    checks: &[(&Check, Known)],
    props: &ResultsProps,
) -> (&'static str, Text, String) {
    let lang = props.lang;
    let goals: Vec<Known> = checks.iter().filter(|(check, _)| check.goal).map(|(_, known)| *known).collect();
    let broken = goals.iter().filter(|known| **known == Known::Broken).count();
    let count =
        |text: Text, one: usize| text.with(lang, &[&grouped(one as u64), &grouped(goals.len() as u64)]);
    let real = replay.world == WorldKind::Real;
    if props.veiled {
        return ("v-wait", ui::VERDICT_NOT_RUN, ui::VERDICT_PREDICT_FIRST.get(lang).to_owned());
    }
    if broken > 0 {
        let title = if real { ui::VERDICT_RED_REAL } else { ui::VERDICT_RED };
        return ("v-bad", title, count(ui::VERDICT_RED_DETAIL, broken));
    }
    if props.index < replay.last() {
        return ("v-wait", ui::VERDICT_RUNNING, count(ui::VERDICT_SO_FAR, 0));
    }
    if !replay.report.demonstration {
        return ("v-wait", ui::VERDICT_UNPROVEN, ui::VERDICT_UNPROVEN_DETAIL.get(lang).to_owned());
    }
    let title = if real { ui::VERDICT_GREEN_REAL } else { ui::VERDICT_GREEN };
    ("v-ok", title, count(ui::VERDICT_GREEN_DETAIL, goals.len()))
}

/// What a check counted in the whole run.
pub(super) fn counted(check: &Check, lang: Lang) -> String {
    check.of.map_or_else(
        || grouped(check.seen),
        |of| ui::OUT_OF.with(lang, &[&grouped(check.seen), &grouped(of)]),
    )
}

/// A check of the goal; `lead` is the one that a narrow screen shows.
/// The name of a check of the run that is shown.
fn named(check: &Check, props: &ResultsProps) -> String {
    let scenario = props.replay.as_ref().map(|shown| shown.0.spec.scenario);
    scenario.map_or_else(|| check.id.clone(), |scenario| names::check(scenario, &check.id, props.lang))
}

fn line_of(check: &Check, known: Known, lead: bool, props: &ResultsProps) -> Html {
    let lang = props.lang;
    let replay = props.replay.as_ref().map(|shown| &shown.0);
    let ended = replay.is_none_or(|replay| props.index >= replay.last());
    let detail = match known {
        Known::Open if props.veiled => ui::NOT_RUN.get(lang).to_owned(),
        Known::Open => ui::SO_FAR.get(lang).to_owned(),
        // What the whole run amounts to is not known before its end; when it was broken first is.
        Known::Broken if !ended => {
            let broken = replay.and_then(|replay| replay.event(replay.broken_at(check)));
            let first = |event: &Event| ui::FIRST_AT.with(lang, &[&clock(event.at)]);
            broken.map_or_else(|| counted(check, lang), first)
        }
        Known::Holds | Known::Broken | Known::Informs => counted(check, lang),
    };
    let class = match known {
        Known::Broken => "bad",
        Known::Holds | Known::Informs => "ok",
        Known::Open => "wait",
    };
    html! {
        <li class={classes!(class, lead.then_some("first"))} data-testid={format!("check-{}", check.id)}>
            { check_mark(known) }<span>{ named(check, props) }</span><small>{ detail }</small>
        </li>
    }
}

/// A check that the goal does not need: it is never shown as failed or held.
fn informs(check: &Check, known: Known, props: &ResultsProps) -> Html {
    let lang = props.lang;
    let ended = props.replay.as_ref().is_none_or(|shown| props.index >= shown.0.last());
    let detail = (known != Known::Open && ended).then(|| counted(check, lang));
    html! {
        <li class="info" data-testid={format!("check-{}", check.id)} title={ui::INFORMS_HOW.get(lang)}>
            { check_mark(Known::Informs) }<span>{ named(check, props) }</span>
            <small><em>{ ui::INFORMS.get(lang) }if let Some(detail) = detail { { format!(" · {detail}") } }</em></small>
        </li>
    }
}

#[derive(Properties, PartialEq)]
struct FiguresProps {
    replay: Shown,
    index: usize,
    veiled: bool,
    lang: Lang,
}

/// Up to four figures as of the event, each with what the trace shows of it over time.
#[component]
fn Figures(props: &FiguresProps) -> Html {
    let (replay, lang, veiled) = (&props.replay.0, props.lang, props.veiled);
    let index = if veiled { 0 } else { props.index };
    let so_far = (!veiled && index < replay.last()).then(|| ui::SO_FAR.get(lang));
    let text = |id: &str| {
        let figure = replay.figure(id, index).filter(|_| !veiled);
        figure.as_ref().map_or_else(|| ("–".to_owned(), ""), figure_text)
    };
    let show = |id: &str, name: &str, (value, unit): (String, &'static str), spark: Html| {
        html! {
            <div class="fig" data-testid={format!("figure-{id}")}>
                <span class="fn" title={name.to_owned()}>
                    { if id == figure::STALENESS_MAX { ui::FIG_STALENESS_SHORT.get(lang) } else { name } }
                </span>
                <p><b>{ value }</b><span>{ unit }{ " " }{ so_far }</span></p>
                { spark }
            </div>
        }
    };
    let simple = |id: &'static str| {
        let spark = match id {
            figure::L1_HIT_SHARE | figure::HIT_SHARE => line(&replay.hit_shares(index), veiled),
            figure::STALENESS_MAX => {
                let value = replay.figure(id, index).filter(|_| !veiled).map_or(0.0, |figure| figure.value);
                level(value, replay.longest_ms())
            }
            figure::WAITER_MEAN => bars(&replay.latencies(index), veiled),
            _ => bars(&replay.counts(id, index), veiled),
        };
        show(id, &lesson::figure_name(id, lang), text(id), spark)
    };
    let latency = replay.report.figures.contains_key(figure::READ_P50).then(|| {
        let (p50, p99) = (text(figure::READ_P50), text(figure::READ_P99));
        let value = if p50.0 == "–" { p50.0 } else { format!("{} / {}", p50.0, p99.0) };
        show("latency", ui::FIG_LATENCY.get(lang), (value, p99.1), bars(&replay.latencies(index), veiled))
    });
    let ids = replay.spec.scenario.scenario().figures.iter().copied();
    html! { <div class="figs">{ for ids.map(simple) }{ for latency }</div> }
}
