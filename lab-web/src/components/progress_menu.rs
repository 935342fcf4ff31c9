//! The learner's progress as a file: export, import, reset.

use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use crate::progress::{FILE_BYTES_MAX, Progress, ProgressError};
use crate::state::{Action, Lab};
use crate::text::{Lang, ui};

const FILE_NAME: &str = "cache-lab-progress.json";

/// What the menu is about.
#[derive(Properties, PartialEq)]
pub(crate) struct MenuProps {
    /// What the learner has done.
    pub(crate) progress: Progress,
    /// The language.
    pub(crate) lang: Lang,
    /// Where actions go.
    pub(crate) dispatcher: UseReducerDispatcher<Lab>,
}

/// The menu.
#[component]
pub(crate) fn ProgressMenu(props: &MenuProps) -> Html {
    let lang = props.lang;
    let sure = use_state(|| false);
    let refusal = use_state(|| None::<String>);
    let export = format!(
        "data:application/json;charset=utf-8,{}",
        String::from(js_sys::encode_uri_component(&props.progress.export()))
    );
    let import = {
        let (dispatcher, refusal) = (props.dispatcher.clone(), refusal.setter());
        Callback::from(move |event: Event| {
            let input = event.target_unchecked_into::<HtmlInputElement>();
            let file = input.files().and_then(|files| files.get(0));
            input.set_value("");
            let Some(file) = file else { return };
            let (dispatcher, refusal) = (dispatcher.clone(), refusal.clone());
            spawn_local(async move {
                match read(&file).await {
                    Ok(progress) => {
                        refusal.set(None);
                        dispatcher.dispatch(Action::Import(progress));
                    }
                    Err(error) => refusal.set(Some(told(&error, lang))),
                }
            });
        })
    };
    let ask = |on: bool| {
        let sure = sure.setter();
        move |_: MouseEvent| sure.set(on)
    };
    let forget = {
        let (dispatcher, sure) = (props.dispatcher.clone(), sure.setter());
        move |_: MouseEvent| {
            sure.set(false);
            dispatcher.dispatch(Action::Forget);
        }
    };
    html! {
        <details class="pmenu" data-testid="progress-menu">
            <summary>{ ui::PROGRESS.get(lang) }</summary>
            if *sure {
                <p>{ ui::PROGRESS_SURE.get(lang) }</p>
                <div class="acts">
                    <button class="btn" onclick={forget} data-testid="progress-forget">{ ui::PROGRESS_RESET.get(lang) }</button>
                    <button class="btn" onclick={ask(false)}>{ ui::CANCEL.get(lang) }</button>
                </div>
            } else {
                <div class="acts">
                    <a class="btn" href={export} download={FILE_NAME} data-testid="progress-export">{ ui::PROGRESS_EXPORT.get(lang) }</a>
                    <label class="btn file">
                        { ui::PROGRESS_IMPORT.get(lang) }
                        <input type="file" accept=".json,application/json" onchange={import} data-testid="progress-import" />
                    </label>
                    <button class="btn" onclick={ask(true)} data-testid="progress-reset">{ ui::PROGRESS_RESET.get(lang) }</button>
                </div>
            }
            if let Some(refusal) = &*refusal { <p class="err" role="alert" data-testid="progress-refused">{ refusal }</p> }
        </details>
    }
}

async fn read(file: &File) -> Result<Progress, ProgressError> {
    if file.size() > FILE_BYTES_MAX as f64 {
        return Err(ProgressError::TooBig);
    }
    let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
    Progress::import(&text.unwrap_or_default())
}

fn told(error: &ProgressError, lang: Lang) -> String {
    let why = match error {
        ProgressError::TooBig => ui::PROGRESS_TOO_BIG.with(lang, &[&(FILE_BYTES_MAX / 1024).to_string()]),
        ProgressError::Unreadable(why) => ui::PROGRESS_UNREADABLE.with(lang, &[why]),
        ProgressError::UnknownFormat(format) => ui::PROGRESS_FORMAT.with(lang, &[&format.to_string()]),
        ProgressError::UnknownLesson(slug) => ui::PROGRESS_LESSON.with(lang, &[slug]),
        ProgressError::UnknownAnswer(slug) => ui::PROGRESS_ANSWER.with(lang, &[slug]),
    };
    format!("{why}{}{}", if lang == Lang::En { " " } else { "" }, ui::PROGRESS_KEPT.get(lang))
}
