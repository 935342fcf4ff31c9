//! The effects of the lab, each a hook: runs, verdicts, playing, keys, links, the real cluster, what is kept, and
//! the document around it.

mod use_kept;
mod use_keys;
mod use_link;
mod use_page;
mod use_playing;
mod use_real;
mod use_run;
mod use_verdict;
mod use_width;

pub(crate) use use_kept::{first, use_kept};
pub(crate) use use_keys::use_keys;
pub(crate) use use_link::{hash, use_link};
pub(crate) use use_page::{focus, use_page};
pub(crate) use use_playing::use_playing;
pub(crate) use use_real::{Real, RealState, Trouble, use_real};
pub(crate) use use_run::use_run;
pub(crate) use use_verdict::{Verdicts, use_verdict};
pub(crate) use use_width::use_size;
