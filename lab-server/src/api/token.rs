//! The token that is asked for where others than this machine's users can reach the server.
//!
//! The link that `lab serve` prints bears it. Whoever opens that gets it back as a cookie, with a redirect to the same
//! address without it, so that the page needs to know nothing of it and it stays in no history. Programs send it as
//! `Authorization: Bearer`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::uri::Uri;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use subtle::ConstantTimeEq as _;

use super::problem::{Kind, Problem};

/// Bytes of entropy in a token.
const BYTES: usize = 20;

/// How a token is called in a link.
const PARAMETER: &str = "token=";

/// What a person sees who comes without it.
const ASKED_FOR: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Cache Lab</title>\
    <p>This lab asks for a token. Open the link that <code>lab serve</code> printed where it was started; a link of \
    an earlier start is good no more.</p></html>";

/// A token, and the name of the cookie that bears it. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Token {
    digits: Arc<str>,
    cookie: Arc<str>,
}

impl Token {
    /// Draws one from the operating system's entropy, for a server that listens on `port`.
    ///
    /// # Errors
    /// When the system has no entropy to give.
    pub fn draw(port: u16) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        });
        // Browsers send a cookie to every port of a host: two labs there must not take each other's for their own.
        Ok(Self { digits: digits.into(), cookie: format!("cache-lab-{port}").into() })
    }

    /// The token itself, to be shown to the user alone.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Lets a request through that bears the token; anything else is answered here.
    pub(super) fn admit(&self, request: &Request) -> Result<(), Box<Response>> {
        let (headers, uri) = (request.headers(), request.uri());
        let known = self.is_in_cookie(headers) || self.is_bearer(headers);
        let navigates = request.method() == Method::GET && !uri.path().starts_with("/api");
        match linked(uri).filter(|_| navigates) {
            Some(told) if known || self.is(told) => Err(Box::new(self.welcome(uri))),
            None if known => Ok(()),
            _ => Err(Box::new(refuse(headers))),
        }
    }

    /// Compares in a time that tells nothing of where they differ.
    fn is(&self, told: &str) -> bool {
        self.digits.as_bytes().ct_eq(told.as_bytes()).into()
    }

    fn is_bearer(&self, headers: &HeaderMap) -> bool {
        let told = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let told = told.and_then(|value| value.split_once(' '));
        told.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("Bearer") && self.is(token.trim()))
    }

    fn is_in_cookie(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies =
            lists.flat_map(|list| list.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.into_iter().any(|(name, value)| name == &*self.cookie && self.is(value))
    }

    /// Hands the token over as a cookie, and leads to the same address without it. `Lax`, since with `Strict` a link
    /// that stands on another page would lead to a refusal; what a link can ask for changes nothing.
    fn welcome(&self, uri: &Uri) -> Response {
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Lax", self.cookie, self.digits);
        let headers = [
            (header::LOCATION, without_token(uri)),
            (header::SET_COOKIE, cookie),
            (header::CACHE_CONTROL, "no-store".to_owned()),
        ];
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// A token is no thing to be printed by accident.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").finish_non_exhaustive()
    }
}

/// The token in a link.
fn linked(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|parameter| parameter.strip_prefix(PARAMETER))
}

/// The way to the same address without its token. It is relative, so that it names no other host, whatever the path
/// is, and holds behind a proxy that serves the lab under a path of its own.
fn without_token(uri: &Uri) -> String {
    let rest = uri.query().unwrap_or_default().split('&');
    let rest: Vec<&str> =
        rest.filter(|parameter| !parameter.is_empty() && !parameter.starts_with(PARAMETER)).collect();
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    let question = if rest.is_empty() { "" } else { "?" };
    format!("./{last}{question}{}", rest.join("&"))
}

fn refuse(headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut refusal = if accepted.contains("text/html") {
        (StatusCode::UNAUTHORIZED, Html(ASKED_FOR)).into_response()
    } else {
        let detail = "`lab serve` has printed a link with its token: open that, or send the token as \
                      `Authorization: Bearer TOKEN`";
        Problem::new(Kind::NoToken, detail).into_response()
    };
    let scheme = HeaderValue::from_static("Bearer realm=\"Cache Lab\"");
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    refusal.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    refusal
}
