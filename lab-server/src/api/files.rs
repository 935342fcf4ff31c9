//! The built lab: static files, compressed where they were not compressed beforehand, each with its own media type.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::{Kind, Problem};

/// Serves the files of a directory. An address that names no file is the lab's own: it gets the page.
pub(super) fn serve(directory: &Path) -> Router {
    let page = directory.join("index.html");
    let files = ServeDir::new(directory).precompressed_br().precompressed_gzip();
    let files = files.fallback(tower::service_fn(move |request| other(page.clone(), request)));
    // The page names its files by their content: it is asked for anew each time, and they are not changed.
    let revalidate = HeaderValue::from_static("no-cache");
    Router::new()
        .fallback_service(files)
        .layer(CompressionLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, revalidate))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
}

async fn other(page: PathBuf, request: Request) -> Result<Response, std::convert::Infallible> {
    let path = request.uri().path();
    let names_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if names_a_file {
        let detail =
            format!("there is no file {path}: build the lab anew (`cargo xtask serve`), or reload the page");
        return Ok(Problem::new(Kind::NotFound, detail).into_response());
    }
    // `ServeFile` answers every failure with a status.
    ServeFile::new(page).oneshot(request).await.map(IntoResponse::into_response)
}
