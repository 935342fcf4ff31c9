//! The built lab over HTTP: what is sent compressed, what is kept, what is not there.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use lab_server::api::guard::Hosts;
use lab_server::api::runs::{Runs, Source};
use lab_server::api::{Api, app};
use tempfile::TempDir;
use tower::ServiceExt;

const HOST: &str = "127.0.0.1:8787";
const PAGE: &str = "/index.html";
const MODULE: &str = "/lab-web-0123456789abcdef_bg.wasm";
const PLAIN: &[u8] = b"\0asm, not compressed";

/// A directory as the build leaves it, with bodies that tell which file was sent.
fn built() -> TempDir {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let dist = parent.path().join("dist");
    std::fs::create_dir(&dist).expect("a directory");
    let write = |path: &str, bytes: &[u8]| std::fs::write(dist.join(&path[1..]), bytes).expect("a file");
    write(PAGE, b"<!doctype html><title>the lab</title>");
    write(MODULE, PLAIN);
    write(&format!("{MODULE}.br"), b"brotli");
    write(&format!("{MODULE}.gz"), b"gzip");
    write("/worker.js", b"// not worth compressing");
    std::fs::write(parent.path().join("secret.txt"), b"secret").expect("a file");
    parent
}

/// A header of a request.
type Said<'a> = (header::HeaderName, &'a str);

fn serving(parent: &TempDir) -> Router {
    let (runs, _worker) = Runs::new(Source::default());
    let hosts = Hosts::loopback(8787, Vec::new());
    app(Api { hosts, token: None, embedders: Vec::new(), runs, dist: Some(parent.path().join("dist")) })
}

async fn ask(app: &Router, method: Method, path: &str, headers: &[Said<'_>]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.clone().oneshot(request).await.expect("the router always answers")
}

async fn get(app: &Router, path: &str, headers: &[Said<'_>]) -> Response<Body> {
    ask(app, Method::GET, path, headers).await
}

async fn body(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.expect("a whole body").to_vec()
}

fn told(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().expect("text"))
}

#[tokio::test]
async fn what_the_build_compressed_is_what_is_sent() {
    let dist = built();
    let app = serving(&dist);
    let cases: [(&[Said<'_>], Option<&str>, &[u8]); 6] = [
        (&[(header::ACCEPT_ENCODING, "gzip, deflate, br, zstd")], Some("br"), b"brotli"),
        (&[(header::ACCEPT_ENCODING, "gzip, deflate")], Some("gzip"), b"gzip"),
        (&[(header::ACCEPT_ENCODING, "br;q=0, gzip")], Some("gzip"), b"gzip"),
        (&[(header::ACCEPT_ENCODING, "zstd")], None, PLAIN),
        (&[(header::ACCEPT_ENCODING, "identity")], None, PLAIN),
        (&[], None, PLAIN),
    ];
    for (accepts, coding, sent) in cases {
        let response = get(&app, MODULE, accepts).await;
        assert_eq!(response.status(), StatusCode::OK, "{accepts:?}");
        let headers = response.headers().clone();
        assert_eq!(told(&headers, header::CONTENT_ENCODING), coding, "{accepts:?}");
        assert_eq!(told(&headers, header::CONTENT_TYPE), Some("application/wasm"), "{accepts:?}");
        assert_eq!(told(&headers, header::CONTENT_LENGTH), Some(&*sent.len().to_string()), "{accepts:?}");
        assert_eq!(told(&headers, header::VARY), Some("accept-encoding"), "{accepts:?}");
        assert_eq!(body(response).await, sent, "{accepts:?}");
    }
    // What has no compressed file is sent as it is, and nothing is compressed on the way.
    let response = get(&app, "/worker.js", &[(header::ACCEPT_ENCODING, "br, gzip")]).await;
    assert_eq!(told(response.headers(), header::CONTENT_ENCODING), None);
    assert_eq!(body(response).await, b"// not worth compressing");
}

#[tokio::test]
async fn what_is_named_by_its_content_is_kept_for_ever_and_the_rest_is_asked_for_anew() {
    let dist = built();
    let app = serving(&dist);
    for (path, life) in [
        (MODULE, "public, max-age=31536000, immutable"),
        ("/", "no-cache"),
        (PAGE, "no-cache"),
        ("/worker.js", "no-cache"),
        // A file that is not there may be there later.
        ("/lab-web-ffffffffffffffff.js", "no-cache"),
    ] {
        let response = get(&app, path, &[]).await;
        assert_eq!(told(response.headers(), header::CACHE_CONTROL), Some(life), "{path}");
        assert_eq!(told(response.headers(), header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn who_has_the_page_is_told_so_and_who_has_another_one_gets_it() {
    let dist = built();
    let app = serving(&dist);
    let first = get(&app, "/", &[]).await;
    let tag = told(first.headers(), header::ETAG).expect("a tag").to_owned();
    let date = told(first.headers(), header::LAST_MODIFIED).expect("a date").to_owned();

    let again = get(&app, "/", &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(told(again.headers(), header::ETAG), Some(&*tag));
    assert_eq!(told(again.headers(), header::CACHE_CONTROL), Some("no-cache"));
    assert!(body(again).await.is_empty());
    let by_date = get(&app, "/", &[(header::IF_MODIFIED_SINCE, &date)]).await;
    assert_eq!(by_date.status(), StatusCode::NOT_MODIFIED);

    // An older build is put back: its date is before the one that the browser knows.
    let older =
        std::fs::File::options().write(true).open(dist.path().join("dist/index.html")).expect("the page");
    older
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000))
        .expect("a date");
    let both = [(header::IF_NONE_MATCH, &*tag), (header::IF_MODIFIED_SINCE, &*date)];
    assert_eq!(get(&app, "/", &both).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn head_and_range_are_answered_as_for_any_file() {
    let dist = built();
    let app = serving(&dist);
    let head = ask(&app, Method::HEAD, MODULE, &[(header::ACCEPT_ENCODING, "br")]).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(told(head.headers(), header::CONTENT_LENGTH), Some("6"));
    assert_eq!(told(head.headers(), header::CONTENT_ENCODING), Some("br"));
    assert!(body(head).await.is_empty());

    let part = get(&app, MODULE, &[(header::RANGE, "bytes=1-3")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let range = format!("bytes 1-3/{}", PLAIN.len());
    assert_eq!(told(part.headers(), header::CONTENT_RANGE), Some(&*range));
    assert_eq!(body(part).await, b"asm");
    let beyond = get(&app, MODULE, &[(header::RANGE, "bytes=900-")]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(told(beyond.headers(), header::CACHE_CONTROL), Some("no-cache"));

    let written = ask(&app, Method::PUT, PAGE, &[]).await;
    assert_eq!(written.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn nothing_beside_the_directory_is_sent() {
    let dist = built();
    let app = serving(&dist);
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "//../secret.txt",
        "/./../secret.txt",
        "/index.html/../../secret.txt",
        "/%00/secret.txt",
        "/secret.txt",
        "/..",
        "/%2e%2e/secret",
    ] {
        let response = get(&app, path, &[(header::ACCEPT_ENCODING, "br")]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!body(response).await.windows(6).any(|part| part == b"secret" && !path.contains("secret")));
    }
    let secret = dist.path().join("secret.txt");
    let response = get(&app, secret.to_str().expect("text"), &[]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

/// What somebody keeps beside the built files, or links to from there, is theirs.
#[tokio::test]
async fn only_regular_files_of_the_build_are_sent() {
    use std::os::unix::fs::symlink;

    let parent = built();
    let dist = parent.path().join("dist");
    let secret = parent.path().join("secret.txt");
    let beside = parent.path().join("beside");
    for directory in [dist.join(".git"), beside.clone(), dist.join("inner")] {
        std::fs::create_dir(directory).expect("a directory");
    }
    for hidden in [dist.join(".env"), dist.join(".git/config"), beside.join("index.html")] {
        std::fs::write(hidden, b"secret").expect("a file");
    }
    std::fs::write(dist.join("page.js"), b"plain").expect("a file");
    for (target, link) in [
        (secret.as_path(), "link.txt"),
        (&secret, "page.js.br"),
        (&secret, "inner/index.html"),
        (&beside, "away"),
        (&dist.join(".env"), "seen.txt"),
        (&dist.join("worker.js"), "same.js"),
    ] {
        symlink(target, dist.join(link)).expect("a link");
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dist.join("pipe.js"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a pipe");
    let app = serving(&parent);
    for path in [
        "/link.txt",
        "/page.js",
        "/inner/",
        "/inner/index.html",
        "/away",
        "/away/",
        "/away/index.html",
        "/away%2findex.html",
        "/seen.txt",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/%2Egit/config",
        "//.git//config",
        "/.git%2fconfig",
        "/pipe.js",
        "/%ff.js",
    ] {
        let response = get(&app, path, &[(header::ACCEPT_ENCODING, "br")]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!body(response).await.windows(6).any(|part| part == b"secret"), "{path}");
    }
    // A link within the directory is a name for one of its files, and the directory itself may be one.
    assert_eq!(body(get(&app, "/same.js", &[]).await).await, b"// not worth compressing");
    let other = tempfile::tempdir().expect("a temporary directory");
    symlink(&dist, other.path().join("dist")).expect("a link");
    assert_eq!(get(&serving(&other), "/", &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_address_of_no_page_leads_to_the_page_by_a_relative_way() {
    let dist = built();
    let app = serving(&dist);
    for (path, way) in [("/herd", "./"), ("/s/herd", "../"), ("/s/herd/", "../../"), ("/a/b/c", "../../")] {
        let response = get(&app, path, &[]).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert_eq!(told(response.headers(), header::LOCATION), Some(way), "{path}");
    }
    // Longer than any name, alone or with what a compressed file's has at its end, and longer than any path.
    for path in ["a".repeat(300), "a".repeat(254), "a/".repeat(4000)] {
        let response = get(&app, &format!("/{path}"), &[(header::ACCEPT_ENCODING, "br")]).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{} characters", path.len());
    }
    let response = get(&app, &format!("/{}.js", "a".repeat(300)), &[]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(told(response.headers(), header::CONTENT_TYPE), Some("application/problem+json"));
}
