//! What an error looks like: problem details (RFC 9457), with a detail that says what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What is wrong, as a client's code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is not what the route wants.
    BadRequest,
    /// The body is well formed, but asks for what cannot be.
    Impossible,
    /// The Host header names another site, or the Origin is another site's.
    Stranger,
    /// The request does not bear the token.
    NoToken,
    /// There is nothing at this address.
    NotFound,
    /// The address is not asked like this.
    WrongMethod,
    /// The run is not over yet.
    NotOver,
    /// Nothing had happened yet in a run that failed.
    NoRecording,
    /// The body did not come in time.
    TooSlow,
    /// The body is too large.
    TooLarge,
    /// The body is no JSON.
    WrongMediaType,
    /// Too many runs wait, or too many follow one.
    Busy,
    /// Too many connections are open.
    Full,
    /// The real servers could not be had, or are not fit for a run.
    NoServers,
    /// No runs are made any more.
    Stopped,
    /// Nobody wants the run any more.
    GivenUp,
    /// A server died, a store refused or the lab stood still: what was seen says nothing.
    NoVerdict,
    /// The run broke, or asked for what real servers cannot do.
    RunFailed,
    /// A mistake of ours.
    Internal,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Impossible => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Stranger => StatusCode::FORBIDDEN,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotOver | Self::NoRecording | Self::GivenUp => StatusCode::CONFLICT,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Full | Self::NoServers | Self::NoVerdict | Self::Stopped => StatusCode::SERVICE_UNAVAILABLE,
            Self::RunFailed | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The problem's type, and its title.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", "The request cannot be read"),
            Self::Impossible => ("impossible", "The request asks for what cannot be"),
            Self::Stranger => ("stranger", "The request comes from another site"),
            Self::NoToken => ("no-token", "The lab asks for a token"),
            Self::NotFound => ("not-found", "There is nothing here"),
            Self::WrongMethod => ("wrong-method", "This is not asked like that"),
            Self::NotOver => ("not-over", "The run is not over"),
            Self::NoRecording => ("no-recording", "There is no recording of this run"),
            Self::TooSlow => ("too-slow", "The body did not come in time"),
            Self::TooLarge => ("too-large", "The body is too large"),
            Self::WrongMediaType => ("wrong-media-type", "The body must be JSON"),
            Self::Busy => ("busy", "The lab has enough to do"),
            Self::Full => ("full", "Too many connections are open"),
            Self::NoServers => ("no-servers", "The real servers could not be had"),
            Self::Stopped => ("stopped", "No runs are made any more"),
            Self::GivenUp => ("given-up", "The run was given up"),
            Self::NoVerdict => ("no-verdict", "The run has no verdict"),
            Self::RunFailed => ("run-failed", "The run did not come to its end"),
            Self::Internal => ("internal", "The lab made a mistake"),
        }
    }
}

/// An error as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A name for this kind of problem, as a URI.
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    /// A problem; `detail` says what is wrong here, and what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (name, title) = kind.words();
        let uri = format!("urn:cache-lab:problem:{name}");
        Self { uri, title, status: kind.status().as_u16(), detail: detail.into() }
    }

    /// What is wrong here, and what to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response
    }
}
