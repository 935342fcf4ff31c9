//! Who may ask where others than this machine's users can reach the lab: nobody without the token, whatever the Host
//! header says; and what every answer tells a browser.

mod support;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use lab_server::api::guard::Hosts;
use lab_server::api::headers::Embedder;
use lab_server::api::runs::{Runs, Source};
use lab_server::api::token::Token;
use lab_server::api::{Api, app};
use support::api::{answer, asking, problem, served, text};

/// An address that the server need not know: it may be behind another machine's.
const HOST: &str = "203.0.113.7:9000";

/// A lab that others can reach.
fn open() -> (Router, Token) {
    let (runs, _) = Runs::new(Source::default());
    let token = Token::draw(8787).expect("entropy");
    let hosts = Hosts::open(8787, Vec::new());
    (app(Api { hosts, token: Some(token.clone()), ..served(runs, None) }), token)
}

fn ask(path: &str) -> axum::http::request::Builder {
    Request::get(path).header(header::HOST, HOST)
}

fn whole(request: axum::http::request::Builder) -> Request<Body> {
    request.body(Body::empty()).expect("a request")
}

fn header_of(response: &Response<Body>, name: header::HeaderName) -> &str {
    response.headers()[name].to_str().expect("text")
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let (app, token) = open();
    let digits = token.digits();
    let (short, other) = (&digits[1..], Token::draw(8787).expect("entropy"));
    for path in
        ["/", "/api/runs", "/api/health", "/api/scenarios", "/api/runs/1/events", "/?token=", "/lab.wasm"]
    {
        for host in [HOST, "localhost", "127.0.0.1:8787", "[::1]:8787"] {
            let request = whole(Request::get(path).header(header::HOST, host));
            let refused = answer(&app, request).await;
            assert_eq!(header_of(&refused, header::CONNECTION), "close", "it keeps no place");
            assert!(header_of(&refused, header::WWW_AUTHENTICATE).starts_with("Bearer"));
            let detail = problem(refused, StatusCode::UNAUTHORIZED).await;
            assert!(detail.contains("`lab serve`") && !detail.contains(digits), "{detail}");
        }
    }
    for cookie in [
        format!("cache-lab-8788={digits}"),
        format!("cache-lab-8787={short}"),
        format!("cache-lab-8787={}", other.digits()),
        format!("cache-lab-8787={digits}0"),
        "cache-lab-8787=".to_owned(),
        "cache-lab-8787".to_owned(),
        digits.to_owned(),
    ] {
        let request = whole(ask("/api/health").header(header::COOKIE, &cookie));
        assert_eq!(answer(&app, request).await.status(), StatusCode::UNAUTHORIZED, "{cookie}");
    }
    for authorization in
        [format!("Basic {digits}"), format!("Bearer {short}"), "Bearer".to_owned(), digits.to_owned()]
    {
        let request = whole(ask("/api/health").header(header::AUTHORIZATION, &authorization));
        assert_eq!(answer(&app, request).await.status(), StatusCode::UNAUTHORIZED, "{authorization}");
    }
    // The link is for a page: in the API's own addresses it would stand in somebody's log.
    let request = whole(ask(&format!("/api/health?token={digits}")));
    assert_eq!(answer(&app, request).await.status(), StatusCode::UNAUTHORIZED);

    // A person is told in words.
    let request = whole(ask("/?token=wrong").header(header::ACCEPT, "text/html,*/*;q=0.8"));
    let refused = answer(&app, request).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(header_of(&refused, header::CONTENT_TYPE).starts_with("text/html"));
    assert!(text(refused).await.contains("Open the link"));
}

#[tokio::test]
async fn the_link_becomes_a_cookie_and_leaves_the_address() {
    let (app, token) = open();
    let digits = token.digits();
    assert_eq!(digits.len(), 40, "160 bits: {digits}");
    for (link, address) in [
        (format!("/?token={digits}"), "./"),
        (format!("/s/stampede-lock?lang=ja&token={digits}&x=1"), "./stampede-lock?lang=ja&x=1"),
        // Not the other host that this would be the address of.
        (format!("//evil.example?token={digits}"), "./evil.example"),
        (format!("//evil.example/?token={digits}"), "./"),
        (format!("/javascript:alert(1)?token={digits}"), "./javascript:alert(1)"),
    ] {
        let welcome = answer(&app, whole(ask(&link))).await;
        assert_eq!(welcome.status(), StatusCode::SEE_OTHER, "{link}");
        assert_eq!(header_of(&welcome, header::LOCATION), address);
        assert_eq!(header_of(&welcome, header::CACHE_CONTROL), "no-store");
        let cookie = header_of(&welcome, header::SET_COOKIE);
        assert_eq!(cookie, format!("cache-lab-8787={digits}; Path=/; HttpOnly; SameSite=Lax"));
        let told = cookie.split(';').next().expect("a cookie");
        let request = whole(ask("/api/health").header(header::COOKIE, format!("other=1; {told}")));
        assert_eq!(answer(&app, request).await.status(), StatusCode::OK);
    }
    let request = whole(ask("/api/health").header(header::AUTHORIZATION, format!("bearer {digits}")));
    assert_eq!(answer(&app, request).await.status(), StatusCode::OK);

    // An old link does not lock out who has the cookie.
    let known = ask("/?token=old").header(header::COOKIE, format!("cache-lab-8787={digits}"));
    assert_eq!(answer(&app, whole(known)).await.status(), StatusCode::SEE_OTHER);
    assert!(!format!("{token:?}").contains(digits), "a token is not printed by accident");
}

/// The cookie goes with what another port of the same host asks; its page must not drive the lab.
#[tokio::test]
async fn the_token_opens_no_way_for_other_pages() {
    let (app, token) = open();
    let with = |request: axum::http::request::Builder| {
        whole(request.header(header::COOKIE, format!("cache-lab-8787={}", token.digits())))
    };
    for origin in ["http://203.0.113.7:9001", "http://evil.example", "null", "http://localhost:8080"] {
        let request = with(ask("/api/health").header(header::ORIGIN, origin));
        problem(answer(&app, request).await, StatusCode::FORBIDDEN).await;
    }
    let own = with(ask("/api/health").header(header::ORIGIN, format!("http://{HOST}")));
    assert_eq!(answer(&app, own).await.status(), StatusCode::OK);
    for host in ["evil.example", "203.0.113.7.evil.example", "[203.0.113.7]", "1.2.3:8787", ""] {
        let request = with(Request::get("/api/health").header(header::HOST, host));
        problem(answer(&app, request).await, StatusCode::FORBIDDEN).await;
    }
    for host in ["[2001:db8::7]", "[2001:db8::7]:8787", "203.0.113.7", "localhost:8787"] {
        let request = with(Request::get("/api/health").header(header::HOST, host));
        assert_eq!(answer(&app, request).await.status(), StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn every_answer_says_who_may_frame_it_and_passes_no_address_on() {
    let framed_by = async |embedders: &[&str], path: &str| {
        let (runs, _) = Runs::new(Source::default());
        let embedders = embedders.iter().map(|site| site.parse::<Embedder>().expect("a site")).collect();
        let app = app(Api { embedders, ..served(runs, None) });
        let response = answer(&app, whole(asking(path))).await;
        assert_eq!(header_of(&response, header::REFERRER_POLICY), "no-referrer", "{path}");
        assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        let policy = header_of(&response, header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
        policy.rsplit_once("; ").expect("several directives").1.to_owned()
    };
    for path in ["/", "/api/health", "/api/nothing", "/nothing.js"] {
        assert_eq!(framed_by(&[], path).await, "frame-ancestors 'self'", "{path}");
    }
    let schools = ["https://school.example", "http://localhost:3000"];
    let named = framed_by(&schools, "/").await;
    assert_eq!(named, "frame-ancestors 'self' https://school.example http://localhost:3000");
}
