//! Rust source as numbered lines. Keywords take the accent, everything else greys: code must not borrow the colours
//! that mean fresh, stale and failed.

use yew::prelude::*;

const KEYWORDS: [&str; 36] = [
    "as", "async", "await", "break", "const", "continue", "crate", "else", "enum", "false", "fn", "for",
    "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self",
    "static", "struct", "super", "trait", "true", "type", "use", "where", "while", "dyn",
];

/// One line of code, coloured.
fn coloured(line: &str) -> Html {
    let mut pieces: Vec<Html> = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let (class, length) = if rest.starts_with("//") {
            ("cm", rest.len())
        } else if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
            ("sr", end)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (if KEYWORDS.contains(&&rest[..end]) { "kw" } else { "" }, end)
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            ("nu", end)
        } else {
            ("", first.len_utf8())
        };
        let (piece, after) = rest.split_at(length);
        // Where a long line may go on below: before a call in a chain, and inside brackets.
        if piece == "." && after.starts_with(|c: char| c.is_alphabetic()) {
            pieces.push(html! { <wbr /> });
        }
        let breaks_after = matches!(piece, "(" | "{" | "|");
        let piece = piece.to_owned();
        pieces.push(if class.is_empty() {
            html! { { piece } }
        } else {
            html! { <i class={class}>{ piece }</i> }
        });
        if breaks_after {
            pieces.push(html! { <wbr /> });
        }
        rest = after;
    }
    pieces.into_iter().collect()
}

/// rustfmt indents a step by so many spaces; the panel is narrower than a terminal and has a narrower step.
const SPACES_A_STEP: usize = 4;

#[derive(Properties, PartialEq)]
struct LineProps {
    number: usize,
    text: &'static str,
    class: Classes,
    sign: Html,
    testid: Option<&'static str>,
}

/// It is a component so that a line is taken to pieces once, and drawn again only when its marks change.
#[component]
fn Line(props: &LineProps) -> Html {
    let code = props.text.trim_start();
    let indent = props.text.len() - code.len();
    html! {
        <div class={classes!("l", props.class.clone())} data-line={props.number.to_string()} data-testid={props.testid}>
            <span class="g">{ props.sign.clone() }</span>
            <span class="no">{ props.number }</span>
            <span class="c" style={format!("--indent: {}", indent / SPACES_A_STEP)}>{ coloured(code) }</span>
        </div>
    }
}

/// One line with its number and a sign in the gutter. A long line goes on below, deeper than it began.
pub(crate) fn line(
    number: usize,
    text: &'static str,
    class: Classes,
    sign: Html,
    testid: Option<&'static str>,
) -> Html {
    html! { <Line key={number} {number} {text} {class} {sign} {testid} /> }
}

/// The name of the function around a line, as the title of the panel.
pub(crate) fn function_around(source: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let before = lines.get(..line.min(lines.len()))?;
    before.iter().rev().find_map(|text| {
        let (_, rest) = text.split_once("fn ")?;
        if text.trim_start().starts_with("//") {
            return None;
        }
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (!name.is_empty()).then_some(name)
    })
}

/// Brings the marked line of the code into view, without moving the page.
pub(crate) fn scroll_to(container: &NodeRef, selector: &str) {
    use web_sys::{Element, HtmlElement};
    let Some(container) = container.cast::<HtmlElement>() else { return };
    let Ok(Some(line)) = container.query_selector(selector) else { return };
    let bounds = |element: &Element| element.get_bounding_client_rect();
    let (outer, inner) = (bounds(&container), bounds(&line));
    let (top, bottom) = (inner.top() - outer.top(), inner.bottom() - outer.top());
    if top < 40.0 || bottom > outer.height() - 60.0 {
        let wanted = f64::from(container.scroll_top()) + top - outer.height() * 0.4;
        container.set_scroll_top(wanted.max(0.0) as i32);
    }
}
