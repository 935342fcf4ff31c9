//! What every answer tells a browser besides its content: what the page may load, who may show it in a frame, and that
//! no address of the lab is passed on.

use std::fmt::Write as _;
use std::str::FromStr;

use axum::http::uri::Uri;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// What the page may load: its own files, and `style` attributes, by which drawings are placed. The page names as much by
/// itself; what only a header can say is who may show it in a frame.
const PAGE: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    style-src-attr 'unsafe-inline'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'";

/// A site whose pages may show the lab in a frame: `https://school.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedder(String);

impl FromStr for Embedder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is no site: write SCHEME://HOST or SCHEME://HOST:PORT, as in https://school.example"
            )
        };
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let scheme =
            uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme)).ok_or_else(refused)?;
        let authority = uri.authority().ok_or_else(refused)?.as_str();
        // What ends a directive or a header must not come through, nor a user's name.
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-.:[]".contains(character);
        let is_whole = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
        if !is_whole || !authority.chars().all(is_plain) || uri.host().is_none_or(str::is_empty) {
            return Err(refused());
        }
        Ok(Self(format!("{scheme}://{authority}")))
    }
}

/// The headers of every answer.
#[derive(Clone, Debug)]
pub(super) struct Headers([(HeaderName, HeaderValue); 4]);

impl Headers {
    /// For a lab that these sites may show, besides its own.
    pub(super) fn new(embedders: &[Embedder]) -> Self {
        let mut policy = PAGE.to_owned();
        for Embedder(site) in embedders {
            // Writing to a string cannot fail.
            let _ = write!(policy, " {site}");
        }
        let fixed = HeaderValue::from_static;
        // A site is plain ASCII, so this never falls back; if it did, nobody could frame the lab.
        let policy = HeaderValue::from_str(&policy).unwrap_or_else(|_| fixed(PAGE));
        Self([
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::REFERRER_POLICY, fixed("no-referrer")),
            (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
            (HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin")),
        ])
    }

    /// Adds them to an answer.
    pub(super) fn add_to(&self, mut answer: Response) -> Response {
        for (name, value) in &self.0 {
            answer.headers_mut().insert(name, value.clone());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_named_in_full_and_by_itself() {
        for (text, site) in [
            ("https://school.example", "https://school.example"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(text.parse(), Ok(Embedder(site.to_owned())), "{text}");
        }
        for text in [
            "",
            "*",
            "school.example",
            "'none'",
            "https://",
            "https://a.example/page",
            "https://a.example?x",
            "https://a.example#x",
            "https://me@a.example",
            "ftp://a.example",
            "data:text/html,x",
            "https://a.example; script-src *",
            "https://a.example,https://b.example",
            "https://a.example\r\nX: y",
        ] {
            assert!(text.parse::<Embedder>().is_err(), "{text:?} is taken");
        }
    }
}
