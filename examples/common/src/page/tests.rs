#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::{get, post};
use axum::{Extension, Router};
use halfkey::template::{Field, FieldError, FieldKind, FormError, Template};
use http_body_util::BodyExt;
use maud::Render;
use std::collections::BTreeMap;
use tower::ServiceExt;

const HOST: &str = "127.0.0.1:4711";
const ORIGIN: &str = "http://127.0.0.1:4711";

struct Site {
    router: Router,
    door: Door,
    cookie: String,
    token: String,
}

async fn form(Extension(session): Extension<Session>) -> Page {
    Page::new("test", "First").body(session.token())
}

async fn echo(Extension(posted): Extension<Posted>) -> String {
    posted.get("said").into()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

fn behind(hosts: Hosts) -> (Router, Door) {
    let door = Door::new("test", "run it again", hosts);
    let router = Router::new().route("/", get(form)).route("/echo", post(echo));
    (protect(router, door.clone()), door)
}

impl Site {
    async fn new() -> Self {
        let (router, door) = behind(Hosts::Port(4711));
        let path = door.invite();
        let opened = router.clone().oneshot(request("GET", &path, &[("host", HOST)], "")).await.unwrap();
        assert_eq!(opened.status(), StatusCode::SEE_OTHER);
        assert_eq!(opened.headers()["location"], "/");
        let set = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Strict") && set.contains("; Path=/;"));
        let cookie = set.split(';').next().unwrap().to_owned();
        let mut site = Self { router, door, cookie, token: String::new() };
        let page = site.get("/", &[]).await;
        assert_eq!(page.status(), StatusCode::OK);
        let page = text(page).await;
        site.token = page.split("value=\"").nth(1).unwrap().split('"').next().unwrap().into();
        site
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "on every answer");
        assert_eq!(response.headers()["cache-control"], "no-store");
        response
    }

    async fn get(&self, path: &str, more: &[(&str, &str)]) -> Response<Body> {
        let headers = [&[("host", HOST), ("cookie", &self.cookie)], more].concat();
        self.ask(request("GET", path, &headers, "")).await
    }

    /// Posts a form; `change` replaces a header, or takes it away where the value is empty.
    async fn post(&self, change: &[(&str, &str)], body: &str) -> Response<Body> {
        let usual = [
            ("host", HOST),
            ("cookie", self.cookie.as_str()),
            ("origin", ORIGIN),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let kept = usual.into_iter().filter(|(name, _)| !change.iter().any(|(other, _)| other == name));
        let headers: Vec<_> =
            kept.chain(change.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        self.ask(request("POST", "/echo", &headers, body)).await
    }

    fn body(&self, said: &str) -> String {
        format!("said={said}&token={}", self.token)
    }
}

#[tokio::test]
async fn a_form_of_our_own_gets_through() {
    let site = Site::new().await;
    let answer = site.post(&[("sec-fetch-site", "same-origin")], &site.body("a+b%26%C3%A9")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(text(answer).await, "a b&é");
}

#[tokio::test]
async fn an_invitation_is_used_once() {
    let site = Site::new().await;
    let path = site.door.invite();
    let ask = |path: &str| site.ask(request("GET", path, &[("host", HOST)], ""));
    // Looking ahead does not use it up.
    assert_eq!(
        site.ask(request("HEAD", &path, &[("host", HOST)], "")).await.status(),
        StatusCode::NO_CONTENT
    );
    let ahead = [("host", HOST), ("sec-purpose", "prefetch;prerender")];
    assert_eq!(site.ask(request("GET", &path, &ahead, "")).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ask(&path).await.status(), StatusCode::SEE_OTHER);
    let again = ask(&path).await;
    assert_eq!(again.status(), StatusCode::FORBIDDEN);
    assert!(again.headers().get("set-cookie").is_none());
    assert!(text(again).await.contains("run it again"));
    for bad in ["/open", "/open?key=", "/open?key=AAAA", "/open?other=1"] {
        assert_eq!(ask(bad).await.status(), StatusCode::FORBIDDEN, "{bad}");
    }
    // Whoever is in stays in.
    let back = site.get(&path, &[]).await;
    assert_eq!((back.status(), back.headers().get("set-cookie")), (StatusCode::SEE_OTHER, None));
    // The oldest of many makes room.
    let first = site.door.invite();
    let all: Vec<_> = (0..8).map(|_| site.door.invite()).collect();
    assert_eq!(ask(&first).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(ask(all.last().unwrap()).await.status(), StatusCode::SEE_OTHER);
    site.door.close();
    assert_eq!(ask(all.first().unwrap()).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(site.get("/", &[]).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_the_cookie_nobody_gets_in() {
    let site = Site::new().await;
    let (name, value) = site.cookie.split_once('=').unwrap();
    for cookie in ["", &format!("{name}="), &format!("{name}=x{value}"), &format!("x{name}={value}")] {
        let headers = if cookie.is_empty() { vec![] } else { vec![("cookie", cookie)] };
        let headers = [vec![("host", HOST)], headers].concat();
        for path in ["/", "/nothing"] {
            assert_eq!(site.ask(request("GET", path, &headers, "")).await.status(), StatusCode::FORBIDDEN);
        }
        assert_eq!(site.post(&[("cookie", cookie)], &site.body("x")).await.status(), StatusCode::FORBIDDEN);
    }
    // What the page of a refusal looks like is no secret.
    let style = site.ask(request("GET", "/style.css", &[("host", HOST)], "")).await;
    assert_eq!(
        (style.status(), style.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/css; charset=utf-8")
    );
    // Beside others of the same host.
    let both = format!("other=1; {}; more=2", site.cookie);
    let headers = [("host", HOST), ("cookie", both.as_str())];
    assert_eq!(site.ask(request("GET", "/", &headers, "")).await.status(), StatusCode::OK);
    assert_eq!(site.get("/nothing", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_name_for_this_machine_leads_nowhere() {
    let site = Site::new().await;
    for bad in [
        "evil.example:4711",
        "127.0.0.1",
        "127.0.0.1:4712",
        "127.0.0.1:4711.evil.example",
        "127.0.0.2:4711",
        "::1:4711",
        "",
    ] {
        let headers = [("host", bad), ("cookie", &site.cookie)];
        for path in ["/", "/open", "/style.css"] {
            let answer = site.ask(request("GET", path, &headers, "")).await;
            assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{bad}");
        }
    }
    let none = site.ask(request("GET", "/", &[("cookie", &site.cookie)], "")).await;
    assert_eq!(none.status(), StatusCode::MISDIRECTED_REQUEST);
    let two = [("host", HOST), ("host", HOST), ("cookie", &site.cookie)];
    assert_eq!(site.ask(request("GET", "/", &two, "")).await.status(), StatusCode::MISDIRECTED_REQUEST);
    let absolute =
        request("GET", "http://evil.example:4711/", &[("host", HOST), ("cookie", &site.cookie)], "");
    assert_eq!(site.ask(absolute).await.status(), StatusCode::MISDIRECTED_REQUEST);
    for good in ["localhost:4711", "[::1]:4711", "LOCALHOST:4711"] {
        let headers = [("host", good), ("cookie", &site.cookie)];
        assert_eq!(site.ask(request("GET", "/", &headers, "")).await.status(), StatusCode::OK, "{good}");
    }
    let (router, _) = behind(Hosts::Loopback);
    for (host, status) in [
        ("localhost:1", StatusCode::FORBIDDEN),
        ("localhost", StatusCode::FORBIDDEN),
        ("localhost:65536", StatusCode::MISDIRECTED_REQUEST),
        ("evil.example:1", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let answer = router.clone().oneshot(request("GET", "/", &[("host", host)], "")).await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
    }
}

#[tokio::test]
async fn no_other_page_posts_here_or_looks_in() {
    let site = Site::new().await;
    for origin in [
        "",
        "null",
        "http://127.0.0.1:4712",
        "http://localhost:4711",
        "https://127.0.0.1:4711",
        "http://evil.example",
    ] {
        let answer = site.post(&[("origin", origin)], &site.body("x")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    for fetch in ["cross-site", "same-site", "other"] {
        assert_eq!(
            site.post(&[("sec-fetch-site", fetch)], &site.body("x")).await.status(),
            StatusCode::FORBIDDEN
        );
        for path in ["/", "/style.css"] {
            let answer = site.get(path, &[("sec-fetch-site", fetch)]).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{fetch} {path}");
        }
    }
    // A link may lead in; what it leads to is asked for by a page of ours.
    let path = site.door.invite();
    let link = [("host", HOST), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    let inward = [&link[..2], &[("sec-fetch-mode", "no-cors")]].concat();
    assert_eq!(site.ask(request("GET", &path, &inward, "")).await.status(), StatusCode::FORBIDDEN);
    let opened = site.ask(request("GET", &path, &link, "")).await;
    assert_eq!(opened.status(), StatusCode::OK);
    assert!(opened.headers().contains_key("set-cookie"));
    assert!(text(opened).await.contains("content=\"0; url=/\""));
    assert_eq!(site.get("/", &[("origin", "http://127.0.0.1:4712")]).await.status(), StatusCode::FORBIDDEN);
    let put = request("PUT", "/", &[("host", HOST), ("cookie", &site.cookie)], "");
    assert_eq!(site.ask(put).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(site.get("/", &[("sec-fetch-site", "none")]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_form_has_its_own_browsers_token() {
    let site = Site::new().await;
    let path = site.door.invite();
    let other = site.ask(request("GET", &path, &[("host", HOST)], "")).await;
    let cookie = other.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(site.post(&[("cookie", &cookie)], &site.body("x")).await.status(), StatusCode::FORBIDDEN);
    for bad in [
        "said=x".into(),
        "said=x&token=".into(),
        format!("said=x&token=x{}", site.token),
        format!("token=x&token={}", site.token),
    ] {
        assert_eq!(site.post(&[], &bad).await.status(), StatusCode::FORBIDDEN, "{bad}");
    }
    for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
        let answer = site.post(&[("content-type", kind)], &site.body("x")).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}

#[tokio::test]
async fn a_form_is_of_bounded_length() {
    let site = Site::new().await;
    let frame = site.body("").len();
    let fits = site.post(&[], &site.body(&"x".repeat(256 * 1024 - frame))).await;
    assert_eq!(fits.status(), StatusCode::OK);
    let long = site.post(&[], &site.body(&"x".repeat(256 * 1024 - frame + 1))).await;
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_page_that_loads_by_itself_is_not_in_use() {
    let site = Site::new().await;
    std::thread::sleep(std::time::Duration::from_millis(20));
    let idle = site.door.idle();
    assert_eq!(site.get("/?again", &[]).await.status(), StatusCode::OK);
    assert!(site.door.idle() >= idle);
    assert_eq!(site.get("/", &[]).await.status(), StatusCode::OK);
    assert!(site.door.idle() < idle);
    let page = Page::new("test", "Wait").again(7).render().into_string();
    assert!(page.contains(r#"http-equiv="refresh" content="7; url=?again""#));
}

#[test]
fn each_kind_of_field_has_its_control() {
    let many = (0..9).map(|n| format!("\"{n}\"")).collect();
    let template = Template::new(vec![
        Field::required("name", FieldKind::UserName).labelled("Your <name>"),
        Field::optional("branch", FieldKind::Text { max_len: 64 }),
        Field::required("floor", FieldKind::Integer { min: -1, max: 9 }),
        Field::required("far", FieldKind::Integer { min: i64::MIN, max: i64::MAX }),
        Field::required("terms", FieldKind::Boolean),
        Field::optional("colour", FieldKind::Choice(vec!["red".into(), "blue".into()])),
        Field::required("many", FieldKind::Choice(many)),
    ])
    .unwrap();
    let given: BTreeMap<_, _> = [("name", "al\"ice"), ("colour", "blue"), ("many", "\"3\"")]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    let wrong =
        FormError(vec![("floor".into(), FieldError::OutOfRange), ("terms".into(), FieldError::Missing)]);
    let controls = controls(&template, &given, &wrong);
    let html = |place: usize| controls.get(place).unwrap().render().into_string();
    assert!(html(0).contains("Your &lt;name&gt;") && html(0).contains("value=\"al&quot;ice\""));
    assert!(html(0).contains("autocomplete=\"username\""));
    assert!(
        html(1).contains("maxlength=\"64\"")
            && html(1).contains("(optional)")
            && !html(1).contains(" required")
    );
    assert!(html(2).contains("type=\"number\"") && html(2).contains("min=\"-1\" max=\"9\""));
    assert!(html(2).contains("aria-invalid=\"true\" aria-describedby=\"field-2-hint field-2-error\""));
    assert!(html(2).contains("id=\"field-2-error\""));
    assert!(html(3).contains("type=\"text\""));
    assert!(html(4).contains("type=\"radio\"") && html(4).contains("value=\"no\""));
    assert!(html(5).contains("value=\"blue\" checked") && html(5).contains("No answer"));
    assert!(html(6).contains("<select") && html(6).contains("value=\"&quot;3&quot;\" selected"));
    let problems = problems(&controls).into_string();
    assert!(
        problems.contains("role=\"alert\"")
            && problems.contains("href=\"#field-2\"")
            && problems.contains("href=\"#field-4-0\"")
    );
    assert!(
        problems.contains("“floor” must be a whole number from -1 to 9")
            && problems.contains("“terms” must be answered")
    );

    let posted = Posted::read(b"field-0=Alice+A&field-2=3&field-4=yes&field-5=&field-9=x");
    let answers: Vec<_> = answers(&template, &posted).into_iter().collect();
    assert_eq!(
        answers,
        [("floor", "3"), ("name", "Alice A"), ("terms", "yes")].map(|(a, b)| (a.into(), b.into()))
    );
    assert_eq!(format!("{posted:?}"), "Posted");
}
