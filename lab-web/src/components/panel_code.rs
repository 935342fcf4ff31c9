//! The Code: the real source of the cache, with the line that the followed request is at.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lab_core::source;
use lab_core::trace::{Kind, OperationId, RequestKind, Source};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::code_lines::{function_around, line, scroll_to};
use super::marks::gutter;
use super::rich;
use super::top_bar::LabProps;
use crate::replay::{Operation, Replay, Shown};
use crate::state::{Action, Lab};
use crate::text::{Lang, moment, sentence, ui};

/// Where the followed request is.
struct Place<'a> {
    operation: OperationId,
    request: &'a Operation,
    source: &'a Source,
    event: usize,
    waits: bool,
}

fn is_cache(source: &Source) -> bool {
    source.file.starts_with("lab-core/src/") && !source.file.contains("/scenario/")
}

impl<'a> Place<'a> {
    fn find(lab: &Lab, replay: &'a Replay) -> Option<Self> {
        let operation = lab.followed.or_else(|| replay.followed(lab.index))?;
        let request = replay.operation(operation)?;
        let (event, source) = replay.line_of(operation, lab.index, is_cache).or_else(|| {
            // Before its first line of the cache, the request is about to enter it: the line that it will be at.
            request.events.iter().find_map(|own| {
                let source = replay.event(*own)?.source.as_ref().filter(|source| is_cache(source))?;
                Some((*own, source))
            })
        })?;
        let waits = event <= lab.index
            && replay.event(event).is_some_and(|event| match (&event.kind, event.message) {
                (Kind::Called { .. }, Some(message)) => {
                    replay.call(message).is_some_and(|call| call.returned.is_none_or(|back| back > lab.index))
                }
                (Kind::Waiting { .. }, _) => true,
                _ => false,
            });
        Some(Self { operation, request, source, event, waits })
    }
}

/// The pane.
#[component]
pub(crate) fn PanelCode(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let container = use_node_ref();
    let place = lab.shown().and_then(|replay| Place::find(lab, replay));
    let at = place.as_ref().map(|place| (place.source.file.to_string(), place.source.line));
    {
        let container = container.clone();
        use_effect_with(at, move |_| scroll_to(&container, ".l.exec"));
    }
    let (Some(replay), Some(place)) = (lab.shown(), place) else {
        return html! {
            <div class="pane"><h2>{ ui::TAB_CODE.get(lang) }</h2><p class="note">{ ui::NO_LINE.get(lang) }</p></div>
        };
    };
    let file = place.source.file.as_ref();
    let Some(text) = source::text(file) else {
        return html! { <div class="pane"><p class="note">{ ui::NO_SOURCE.with(lang, &[file]) }</p></div> };
    };
    let name = function_around(text, place.source.line as usize).unwrap_or_default();
    html! {
        <div class="pane p-code-pane" data-testid="code">
            <div class="phd">
                <h2 class="mono">{ name }</h2>
                <span class="pill acc">{ place.request.server.to_string() }</span>
            </div>
            <p class="path">{ file.to_owned() }</p>
            <div class="code" ref={container} tabindex="0" role="region" aria-label={ui::TAB_CODE.get(lang)}>
                { lines(lab, replay, &place, text) }
            </div>
            { here_and_now(lab, replay, &place) }
        </div>
    }
}

fn lines(lab: &Lab, replay: &Replay, place: &Place<'_>, text: &'static str) -> Html {
    let lang = lab.lang;
    let file = place.source.file.as_ref();
    let events = place.request.events_until(lab.index).iter().filter_map(|own| replay.event(*own));
    let ran: BTreeSet<u32> = events
        .filter_map(|event| event.source.as_ref())
        .filter(|source| source.file == file)
        .map(|source| source.line)
        .collect();
    let others = others(lab, replay, place, file);
    let shown = text.split("#[cfg(test)]").next().unwrap_or(text);
    html! { { for (1_u32..).zip(shown.lines()).map(|(number, content)| {
        let here = number == place.source.line;
        let class = classes!(here.then_some("exec"), (ran.contains(&number) && !here).then_some("ran"));
        let sign = if here { gutter("exg", "M3 2l6 4-6 4z") } else { Html::default() };
        html! { <>
            { line(number as usize, content, class, sign, here.then_some("current-line")) }
            if here { { who(replay, place, lab.index, lang) } }
            if let Some(names) = others.get(&number) {
                <div class="who mut" key={format!("others-{number}")}>{ rich(&format!("**{names}** {}", ui::ALSO_HERE.get(lang))) }</div>
            }
        </> }
    }) } }
}

fn who(replay: &Replay, place: &Place<'_>, index: usize, lang: Lang) -> Html {
    let Some(at) = replay.event(place.event).map(|event| moment(event.at)) else { return Html::default() };
    let text = match (place.waits, place.event > index) {
        (true, _) => ui::WAITS_HERE,
        (false, true) => ui::WILL_BE_HERE,
        (false, false) => ui::WAS_HERE,
    };
    html! { <div class="who" key="who"><b>{ place.request.server.to_string() }</b>{ " " }{ text.with(lang, &[&at]) }</div> }
}

/// Other requests that are at work in the same file, by line: `srv-2, srv-3` or `srv-2 ×38`.
fn others(lab: &Lab, replay: &Replay, place: &Place<'_>, file: &str) -> BTreeMap<u32, String> {
    let state = replay.stage(lab.index);
    let mut by_line: BTreeMap<u32, BTreeMap<String, usize>> = BTreeMap::new();
    for operation in state.operations.iter().filter(|operation| **operation != place.operation).take(64) {
        let Some((_, source)) = replay.line_of(*operation, lab.index, is_cache) else { continue };
        let Some(request) = replay.operation(*operation) else { continue };
        if source.file == file {
            *by_line.entry(source.line).or_default().entry(request.server.to_string()).or_default() += 1;
        }
    }
    let name =
        |(server, count): (String, usize)| if count > 1 { format!("{server} ×{count}") } else { server };
    by_line
        .into_iter()
        .map(|(line, servers)| (line, servers.into_iter().map(name).collect::<Vec<_>>().join(", ")))
        .collect()
}

fn here_and_now(lab: &UseReducerHandle<Lab>, replay: &Rc<Replay>, place: &Place<'_>) -> Html {
    let lang = lab.lang;
    let kind = match place.request.request {
        RequestKind::Read => "read",
        RequestKind::Write => "write",
        RequestKind::Compute => "compute",
        RequestKind::Forget => "forget",
    };
    let key = place.request.key.as_ref().map_or_else(String::new, ToString::to_string);
    let next = place.request.events_after(lab.index).first().copied();
    let next = next.map(|index| {
        let at = replay.event(index).map_or_else(String::new, |event| moment(event.at));
        format!("{} {}", sentence::sentence(replay, index, lang).replace("**", ""), at)
    });
    html! {
        <div class="foot">
            <h3>{ ui::HERE_AND_NOW.get(lang) }</h3>
            <dl class="loc">
                <dt>{ ui::FOLLOW.get(lang) }</dt><dd>
                    <Follow replay={Shown(replay.clone())} followed={lab.followed} dispatcher={lab.dispatcher()} {lang} />
                </dd>
                <dt>{ ui::OPERATION.get(lang) }</dt><dd>{ format!("{kind} · {}", place.request.client) }</dd>
                <dt>{ ui::KEY.get(lang) }</dt><dd>{ key }</dd>
                if let Some(next) = next { <dt>{ ui::NEXT.get(lang) }</dt><dd class="prose">{ next }</dd> }
            </dl>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct FollowProps {
    replay: Shown,
    followed: Option<OperationId>,
    dispatcher: UseReducerDispatcher<Lab>,
    lang: Lang,
}

/// The list of requests that can be followed. It stays as it is while the run is stepped through.
#[component]
fn Follow(props: &FollowProps) -> Html {
    let (lang, replay) = (props.lang, &props.replay.0);
    let listed = replay.trace.events.iter().skip(replay.act()).filter_map(|event| match event.kind {
        Kind::Requested { request, server } => event.operation.map(|operation| (operation, request, server)),
        _ => None,
    });
    let dispatcher = props.dispatcher.clone();
    let onchange = Callback::from(move |event: Event| {
        let chosen = event.target_unchecked_into::<HtmlSelectElement>().value();
        dispatcher.dispatch(Action::Follow(chosen.parse().ok().map(OperationId)));
    });
    html! {
        <select {onchange} aria-label={ui::FOLLOW.get(lang)} data-testid="follow">
            <option value="" selected={props.followed.is_none()}>{ ui::FOLLOW_EVENT.get(lang) }</option>
            { for listed.take(60).map(|(operation, request, server)| html! {
                <option value={operation.0.to_string()} selected={props.followed == Some(operation)}>
                    { format!("#{} {} · {server}", operation.0, word(request)) }
                </option>
            }) }
        </select>
    }
}

fn word(request: RequestKind) -> &'static str {
    match request {
        RequestKind::Read => "read",
        RequestKind::Write => "write",
        RequestKind::Compute => "compute",
        RequestKind::Forget => "forget",
    }
}
