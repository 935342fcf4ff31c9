//! Why a file cannot be opened as a recording, in words.

use lab_core::recording::{BYTES_MAX, EVENTS_MAX, FORMAT, LINE_BYTES_MAX, RecordingError};

use super::{Lang, grouped, ui};

/// What is wrong with the file, and what to do.
pub(crate) fn refusal(error: &RecordingError, lang: Lang) -> String {
    let number = |number: u64| grouped(number);
    match error {
        RecordingError::Empty => ui::FILE_EMPTY.get(lang).to_owned(),
        RecordingError::TooBig(bytes) => too_big(*bytes as f64, lang),
        RecordingError::NoHeader => ui::FILE_NO_HEADER.get(lang).to_owned(),
        RecordingError::UnknownFormat(format) => {
            ui::FILE_FORMAT.with(lang, &[&format.to_string(), &FORMAT.to_string()])
        }
        RecordingError::BadHeader(why) => ui::FILE_BAD_HEADER.with(lang, &[why]),
        RecordingError::Impossible(why) => ui::FILE_IMPOSSIBLE.with(lang, &[why]),
        RecordingError::TooManyEvents(events) => {
            ui::FILE_MANY.with(lang, &[&number(*events), &number(EVENTS_MAX)])
        }
        RecordingError::LongLine(line) => {
            ui::FILE_LONG_LINE.with(lang, &[&line.to_string(), &number(LINE_BYTES_MAX as u64)])
        }
        RecordingError::BadEvent { line, why } => ui::FILE_BAD_EVENT.with(lang, &[&line.to_string(), why]),
        RecordingError::WrongCount { found, wanted } => {
            ui::FILE_CUT_OFF.with(lang, &[&number(*found), &number(*wanted)])
        }
        RecordingError::WrongDigest => ui::FILE_CHANGED.get(lang).to_owned(),
    }
}

/// The file is larger than what is read.
pub(crate) fn too_big(bytes: f64, lang: Lang) -> String {
    let megabytes = |bytes: f64| format!("{:.0}", (bytes / 1024.0 / 1024.0).ceil());
    ui::REAL_FILE_BIG.with(lang, &[&megabytes(bytes), &megabytes(BYTES_MAX as f64)])
}
