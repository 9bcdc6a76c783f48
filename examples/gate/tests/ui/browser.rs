//! A browser, as far as pages without a script need one.

use crate::world::PROGRAM;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use halfkey_common::page::Hosts;
use halfkey_gate::Config;
use halfkey_gate::ui::{Desk, door, pages};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) const HOST: &str = "127.0.0.1:4711";
const ORIGIN: &str = "http://127.0.0.1:4711";

/// A browser that is in.
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) cookie: String,
    pub(crate) token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Answered {
    #[track_caller]
    pub(crate) fn shows(self, texts: &[&str]) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is not in {}", self.text);
        }
        self
    }

    #[track_caller]
    pub(crate) fn lacks(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.text.contains(text), "{text:?} is in {}", self.text);
        }
        self
    }

    /// The address of the first link with this text.
    pub(crate) fn link(&self, text: &str) -> String {
        let before = self.text.split(&format!(">{text}")).next().unwrap();
        assert!(before.len() < self.text.len(), "no {text:?} in {}", self.text);
        let href = before.rsplit("href=\"").next().unwrap();
        href.split('"').next().unwrap().replace("&amp;", "&")
    }
}

impl Browser {
    pub(crate) async fn new(config: &Config) -> Self {
        let door = door(Hosts::Port(4711));
        let path = door.invite();
        let router = pages(Desk::open(config, PROGRAM).unwrap(), door);
        let mut browser = Self { router, cookie: String::new(), token: String::new() };
        let request = Request::get(path.as_str()).header("host", HOST).body(Body::empty()).unwrap();
        let opened = browser.router.clone().oneshot(request).await.unwrap();
        let cookie = opened.headers()["set-cookie"].to_str().unwrap();
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let to = response.headers().get("location").map_or("", |to| to.to_str().unwrap()).to_owned();
        assert!(
            response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'")
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answered { status, to, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        let request = Request::get(path).header("host", HOST).header("cookie", &self.cookie);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Loads a page with a form, and remembers its token.
    pub(crate) async fn look(&mut self, path: &str) -> Answered {
        let page = self.get(path).await;
        let field = page.text.split("name=\"token\" value=\"").nth(1);
        self.token = field.unwrap_or_else(|| panic!("no form in {page:?}")).split('"').next().unwrap().into();
        page
    }

    pub(crate) async fn post(&self, path: &str, body: &str, change: &[(&str, &str)]) -> Answered {
        let mut request = Request::post(path);
        for (name, value) in [
            ("host", HOST),
            ("cookie", &self.cookie),
            ("origin", ORIGIN),
            ("content-type", "application/x-www-form-urlencoded"),
        ] {
            let changed = change.iter().find(|(other, _)| *other == name).map_or(value, |(_, value)| value);
            if !changed.is_empty() {
                request = request.header(name, changed);
            }
        }
        self.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn does(&self, path: &str, fields: &str) -> Answered {
        self.post(path, &format!("{fields}&token={}", self.token), &[]).await
    }
}
