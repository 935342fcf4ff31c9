//! The built lab: static files, as the build compressed them, each with its media type and its time to live.
//!
//! The build names most files by their content: such a file is kept for ever. The page itself, the service worker and
//! the script of workers keep their names: they are asked for anew each time, and answered with 304 while they are
//! the same. Their tag is exact where a date is not: an older build that was put back is another page.
//!
//! Only regular files of the build are sent: nothing whose name begins with a dot, and no link that leads out of the
//! directory.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;
use tower_http::services::ServeDir;

use super::problem::{Kind, Problem};

/// How many hexadecimal digits trunk names a file's content with: 64 bits, without the zeros before them.
const HASH_DIGITS: RangeInclusive<usize> = 8..=16;
/// For a file that is named by its content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For all others: kept, but asked for anew each time.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Serves the files of a directory. An address that names no file leads to the page.
pub(super) fn serve(directory: &Path) -> Router {
    let files = ServeDir::new(directory).precompressed_br().precompressed_gzip();
    let files = files.fallback(tower::service_fn(async |request: Request| {
        Ok::<_, Infallible>(other(request.uri().path()))
    }));
    let directory: Arc<Path> = directory.into();
    let answer = move |request: Request| {
        let (mut files, path) = (files.clone(), request.uri().path().to_owned());
        let directory = Arc::clone(&directory);
        async move {
            let named = path.clone();
            // The look at the disk may take its time; where no thread is to be had for it, nothing is sent.
            if !spawn_blocking(move || may_be_sent(&directory, &named)).await.unwrap_or(false) {
                return missing(&path);
            }
            match files.try_call(request).await {
                Ok(response) => response.into_response(),
                // No file has a name as long as that.
                Err(error) if error.kind() == ErrorKind::InvalidFilename => other(&path),
                Err(error) => unreadable(&error),
            }
        }
    };
    Router::new().fallback(answer).layer(middleware::from_fn(with_life))
}

/// Whether nothing that could be sent for this path is hidden, or no regular file of the directory. What is not there
/// may be asked for: the answer says that it is not.
fn may_be_sent(directory: &Path, path: &str) -> bool {
    let Ok(path) = percent_decode_str(path.trim_start_matches('/')).decode_utf8() else { return false };
    if path.split(['/', '\\']).any(|part| part.starts_with('.')) {
        return false;
    }
    let Ok(root) = directory.canonicalize() else { return true };
    let named = root.join(path.trim_start_matches('/'));
    let sent = if named.is_dir() { named.join("index.html") } else { named.clone() };
    let with = |extension: &str| {
        let mut name = sent.clone().into_os_string();
        name.push(extension);
        PathBuf::from(name)
    };
    // A directory by itself leads to what is in it.
    is_within(&root, &named, |real| real.is_file() || real.is_dir())
        && ["", ".br", ".gz"].into_iter().all(|extension| is_within(&root, &with(extension), Path::is_file))
}

/// Whether a path leads, past all links, to something of that kind within a directory, or nowhere.
fn is_within(root: &Path, path: &Path, is_fit: impl Fn(&Path) -> bool) -> bool {
    let Ok(real) = path.canonicalize() else { return true };
    let is_hidden = |inner: &Path| inner.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
    real.strip_prefix(root).is_ok_and(|inner| !is_hidden(inner)) && is_fit(&real)
}

/// The system does not give the file.
fn unreadable(error: &io::Error) -> Response {
    let detail = format!("the file cannot be read: {error}; look after the directory that --dist names");
    Problem::new(Kind::Internal, detail).into_response()
}

/// What is no file: a file that is missing, or the address of no page, which leads to the only one. The way there is
/// relative, because a proxy may show the lab under another path.
fn other(path: &str) -> Response {
    let mut parts = path.split('/').skip(1);
    let is_below = |part: &str| part == ".." || part.eq_ignore_ascii_case("%2e%2e");
    let names_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if names_a_file || parts.clone().any(is_below) {
        return missing(path);
    }
    let up = parts.by_ref().skip(1).map(|_| "../").collect::<String>();
    let page = if up.is_empty() { "./".to_owned() } else { up };
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, page)]).into_response()
}

fn missing(path: &str) -> Response {
    let detail =
        format!("there is no file {path}: build the lab anew (`cargo xtask serve`), or reload the page");
    Problem::new(Kind::NotFound, detail).into_response()
}

/// Says how long an answer lives, and spares those who have it already.
async fn with_life(mut request: Request, next: Next) -> Response {
    let is_hashed = names_its_content(request.uri().path());
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    if known.is_some() {
        // A tag decides alone where there is one (RFC 9110, 13.2.2).
        request.headers_mut().remove(header::IF_MODIFIED_SINCE);
    }
    let mut response = next.run(request).await;
    let is_file = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let tag = tag(response.headers());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, if is_hashed && is_file { FOR_EVER } else { REVALIDATE });
    headers.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Some(tag) = tag.filter(|_| response.status() == StatusCode::OK) else { return response };
    if known.is_some_and(|known| lists(&known, &tag)) {
        return not_modified(response.headers(), tag);
    }
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// A tag for a file as it is sent: when it was written, its length and its coding.
fn tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (written, length) = (text(header::LAST_MODIFIED)?, text(header::CONTENT_LENGTH)?);
    let coding = text(header::CONTENT_ENCODING).unwrap_or("plain");
    HeaderValue::from_str(&format!("W/\"{written} {length} {coding}\"").replace([' ', ','], "-")).ok()
}

/// Whether a list of tags has this one.
fn lists(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.split(',').any(|one| one.trim() == tag || one.trim() == "*")
}

/// The answer to somebody who has the file, with what RFC 9110 (15.4.5) wants of it.
fn not_modified(of: &HeaderMap, tag: HeaderValue) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    for name in [header::CACHE_CONTROL, header::VARY, header::X_CONTENT_TYPE_OPTIONS] {
        if let Some(value) = of.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// Whether trunk named the file by its content: `lab-web-0123456789abcdef_bg.wasm`.
fn names_its_content(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split('-').skip(1).any(|part| {
        let digits = part.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        HASH_DIGITS.contains(&digits) && part[digits..].starts_with(['.', '_'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trunks_names_tell_their_content() {
        for hashed in [
            "/lab-web-0123456789abcdef_bg.wasm",
            "/lab-web-0123456789abcdef.js",
            "/a/frame-00000000deadbeef.css",
        ] {
            assert!(names_its_content(hashed), "{hashed}");
        }
        for named in [
            "/",
            "/index.html",
            "/worker.js",
            "/service-worker.js",
            "/lab-web-0123456.js",
            "/lab-web-0123456789abcdef0.js",
            "/frame-0123456789ABCDEF.css",
            "/a-0123456789abcdef.css/index.html",
        ] {
            assert!(!names_its_content(named), "{named}");
        }
    }
}
