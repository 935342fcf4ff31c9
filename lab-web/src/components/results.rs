//! The strip at the bottom: verdict, checks, figures; of the run so far while it is stepped through.

use lab_core::report::{Check, Figure, WorldKind, figure};
use lab_core::trace::EventId;
use yew::prelude::*;

use super::marks::{Known, check_mark};
use super::panel_policy::figure_text;
use super::sparks::{bars, level, line};
use super::stage::Shown;
use crate::replay::Replay;
use crate::text::{Lang, Text, grouped, lesson, names, ui};

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
    let broken_at = check.event.map_or(replay.last(), EventId::index);
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
    let (class, title, detail) = verdict(&replay.0, &checks, props);
    html! {
        <section class="res" aria-label={ui::RESULTS.get(lang)}>
            <div class={classes!("rr", class)}>
                <div class="verd" data-testid="run-verdict"><b>{ title.get(lang) }</b><span>{ detail }</span></div>
                <ul class="chk">{ for checks.iter().map(|(check, known)| line_of(check, *known, props)) }</ul>
                <Figures replay={replay.clone()} veiled={props.veiled} {lang} />
            </div>
        </section>
    }
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

fn line_of(check: &Check, known: Known, props: &ResultsProps) -> Html {
    let lang = props.lang;
    let counted = || {
        check.of.map_or_else(
            || grouped(check.seen),
            |of| ui::OUT_OF.with(lang, &[&grouped(check.seen), &grouped(of)]),
        )
    };
    let detail = match known {
        Known::Open if props.veiled => ui::NOT_RUN.get(lang).to_owned(),
        Known::Open => ui::SO_FAR.get(lang).to_owned(),
        Known::Holds | Known::Broken | Known::Noted => counted(),
    };
    // What only informs is never shown as failed: the goal does not need it.
    let class = match (known, check.goal) {
        (Known::Broken, true) => "bad",
        (Known::Broken, false) | (Known::Noted, _) => "info",
        (Known::Holds, _) => "ok",
        (Known::Open, _) => "wait",
    };
    html! {
        <li class={class} data-testid={format!("check-{}", check.id)} title={if check.goal { None } else { Some(ui::INFORMS.get(lang)) }}>
            { check_mark(if class == "info" { Known::Noted } else { known }) }
            <span>{ names::check(&check.id, lang) }</span><small>{ detail }</small>
        </li>
    }
}

#[derive(Properties, PartialEq)]
struct FiguresProps {
    replay: Shown,
    veiled: bool,
    lang: Lang,
}

/// Up to four figures that this scenario is about, each with what the trace shows of it over time.
#[component]
fn Figures(props: &FiguresProps) -> Html {
    let (replay, lang) = (&props.replay.0, props.lang);
    let figures = &replay.report.figures;
    let one = |id: &str| figures.get(id).filter(|_| !props.veiled);
    let text = |figure: Option<&Figure>| figure.map_or_else(|| ("–".to_owned(), ""), figure_text);
    let show = |id: &str, name: String, (value, unit): (String, &'static str), spark: Html| {
        html! {
            <div class="fig" data-testid={format!("figure-{id}")}>
                <h5>{ name }</h5><p><b>{ value }</b><span>{ unit }</span></p>{ spark }
            </div>
        }
    };
    let named = |id: &str| lesson::figure_name(id, lang);
    let latency =
        (figures.contains_key(figure::READ_P50) && figures.contains_key(figure::READ_P99)).then(|| {
            let (p50, p99) = (text(one(figure::READ_P50)), text(one(figure::READ_P99)));
            let value = if props.veiled { "–".to_owned() } else { format!("{} / {}", p50.0, p99.0) };
            show(
                "latency",
                ui::FIG_LATENCY.get(lang).to_owned(),
                (value, "ms"),
                bars(&replay.latencies(), props.veiled),
            )
        });
    let simple = |id: &'static str| {
        figures.get(id)?;
        let spark = match id {
            figure::L1_HIT_SHARE | figure::HIT_SHARE => line(&replay.hit_shares(), props.veiled),
            figure::STALENESS_MAX => level(one(id).map_or(0.0, |figure| figure.value), replay.longest_ms()),
            _ => bars(&replay.counts(id), props.veiled),
        };
        Some(show(id, named(id), text(one(id)), spark))
    };
    let wanted: [&'static str; 6] = [
        figure::COMPUTATIONS,
        figure::L1_HIT_SHARE,
        figure::DB_QUERIES,
        figure::STALENESS_MAX,
        figure::WAITER_MEAN,
        figure::REDIS_CALLS,
    ];
    let meaningful = |id: &&&'static str| figures.get(**id).is_some_and(|figure| figure.value > 0.0);
    let room = 4 - usize::from(latency.is_some());
    let chosen: Vec<Html> = wanted.iter().filter(meaningful).take(room).filter_map(|id| simple(id)).collect();
    html! { <div class="figs">{ for chosen }{ for latency }</div> }
}
