//! A browser that is no more than HTTP, a cookie and the forms of the page before.

use crate::agent::{Machine, within};
use serde_json::Value;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

/// The program with its page.
pub(crate) struct Ui {
    pub(crate) child: Child,
    /// The address that opens the page once.
    pub(crate) url: String,
    pub(crate) host: String,
}

impl Ui {
    /// Starts it, with a line on its standard input.
    pub(crate) async fn start(machine: &Machine, arguments: &[&str], input: &str) -> Self {
        Self::start_in(machine, arguments, input, &[]).await
    }

    pub(crate) async fn start_in(
        machine: &Machine,
        arguments: &[&str],
        input: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        std::fs::create_dir_all(&machine.dir).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(machine.dir.join("log")).unwrap();
        let mut command = machine.command(&["ui", "--json"]);
        command
            .envs(environment.iter().copied())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        within(30, stdout.read_line(&mut line)).await.unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let url = said["url"].as_str().unwrap().to_owned();
        let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        Self { child, url, host }
    }

    pub(crate) async fn ended(mut self) {
        assert!(within(20, self.child.wait()).await.unwrap().success());
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A browser with one page open.
pub(crate) struct Browser {
    host: String,
    cookie: String,
    pub(crate) page: Page,
}

impl Browser {
    /// Opens the page.
    pub(crate) async fn open(ui: &Ui) -> Self {
        let path = ui.url.strip_prefix(&format!("http://{}", ui.host)).unwrap();
        let page = send(&ui.host, "GET", path, &[], "").await;
        assert_eq!(page.status, 303, "{page:?}");
        let set = page.header("set-cookie").unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let mut browser = Self { host: ui.host.clone(), cookie, page };
        browser.follow().await;
        browser
    }

    async fn follow(&mut self) {
        while self.page.status == 303 {
            let path = self.page.header("location").unwrap();
            self.get(&path).await;
        }
    }

    /// Goes to a path, and to where it leads.
    pub(crate) async fn go(&mut self, path: &str) {
        self.get(path).await;
        self.follow().await;
    }

    async fn get(&mut self, path: &str) {
        let headers = [("cookie", self.cookie.as_str())];
        self.page = send(&self.host, "GET", path, &headers, "").await;
    }

    /// Sends the form of this page that goes to `path`, with these fields.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) {
        let form = self.page.body.split("<form").find(|form| form.contains(&format!("action=\"{path}\"")));
        let form = form.unwrap_or_else(|| panic!("no form to {path} on: {}", self.page.body));
        let token = form.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        for (name, _) in fields {
            assert!(form.contains(&format!("name=\"{name}\"")), "no field {name} on: {form}");
        }
        let mut body = format!("token={token}");
        for (name, value) in fields {
            body.push_str(&format!("&{name}={}", encoded(value)));
        }
        let origin = format!("http://{}", self.host);
        let headers =
            [("cookie", self.cookie.as_str()), ("origin", &origin), ("sec-fetch-site", "same-origin")];
        self.page = send(&self.host, "POST", path, &headers, &body).await;
        self.follow().await;
    }

    /// Asks anything, with the cookie.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let cookie = [("cookie", self.cookie.as_str())];
        send(&self.host, method, path, &[&cookie, headers].concat(), body).await
    }

    /// Asserts that the page says this.
    pub(crate) fn sees(&self, text: &str) {
        assert!(self.page.body.contains(text), "not seen: {text}: {}", self.page.body);
    }

    pub(crate) fn does_not_see(&self, text: &str) {
        assert!(!self.page.body.contains(text), "seen: {text}: {}", self.page.body);
    }
}

impl Page {
    fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.into()).next()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn send(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        request.push_str("content-type: application/x-www-form-urlencoded\r\n");
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(60, stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { status, head: head.into(), body: body.into() }
}
