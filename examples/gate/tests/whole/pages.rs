//! The operator's pages as a process beside a gate.

use crate::server::Server;
use crate::site::{LONG, Site, scratch, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Asks over a connection that ends with the answer.
fn ask(mut stream: impl Read + Write, head: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request =
        format!("{head} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split(before)
        .nth(1)
        .and_then(|rest| rest.split(after).next())
        .unwrap_or_else(|| panic!("{before}: {text}"))
}

/// A browser's walk: the address that opens once, who waits, and the button.
fn approves<S: Read + Write>(connect: impl Fn() -> S, host: &str, path: &str) {
    let opened = ask(connect(), &format!("GET {path}"), &[("Host", host)], "");
    assert!(opened.starts_with("HTTP/1.1 303 "), "{opened}");
    let cookie = between(&opened, "set-cookie: ", ";");
    let again = ask(connect(), &format!("GET {path}"), &[("Host", host)], "");
    assert!(again.starts_with("HTTP/1.1 403 "), "it opens once: {again}");
    let strange = ask(connect(), "GET /", &[("Host", "evil.example"), ("Cookie", cookie)], "");
    assert!(strange.starts_with("HTTP/1.1 421 "), "{strange}");
    let page = ask(connect(), "GET /waiting", &[("Host", host), ("Cookie", cookie)], "");
    assert!(page.contains("<bdi>bob</bdi>"), "{page}");
    let (token, action) =
        (between(&page, "name=\"token\" value=\"", "\""), between(&page, "action=\"", "\""));
    let origin = format!("http://{host}");
    let headers = [
        ("Host", host),
        ("Cookie", cookie),
        ("Origin", &origin),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let done = ask(connect(), &format!("POST {action}"), &headers, &format!("token={token}"));
    assert!(done.starts_with("HTTP/1.1 303 "), "{done}");
}

/// An agent without a code waits, is approved by the pages, and is connected without anybody at it.
fn is_approved(site: &Site, listen: &str) {
    site.edit(|text| text.replace("grant = \"code\"", "grant = \"approved\""));
    let (_gate, bob) = (site.run(), site.machine("bob"));
    let uri = format!("halfkey://127.0.0.1:{}/?server=localhost", site.port);
    let anchor = site.dir.join("anchor.pem");
    let enrol = ["enrol", "-", "--unattended", "--set", "name=bob", "--anchor", anchor.to_str().unwrap()];
    let ran = bob.ask(&enrol, &uri);
    assert!(ran.status.success(), "{ran:?}");
    let _agent = bob.start();
    until("bob waits", LONG, || bob.links().values().all(|link| link == "waiting"));

    let (mut pages, url) = site.ui(listen);
    let (host, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).unwrap();
    let path = format!("/{path}");
    let file = listen.strip_prefix("unix:");
    match file {
        None => approves(|| TcpStream::connect(host).unwrap(), host, &path),
        Some(file) => {
            assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600);
            approves(|| UnixStream::connect(file).unwrap(), "localhost:8080", &path);
        }
    }
    bob.connected(LONG);
    pages.signal("TERM");
    assert!(pages.0.wait().unwrap().success());
    assert!(file.is_none_or(|file| !Path::new(file).exists()), "the socket goes with them");
}

#[test]
fn an_agent_is_approved_on_the_operators_pages() {
    is_approved(&Site::new("pages"), "127.0.0.1:0");
}

#[test]
fn they_work_on_a_database_and_behind_a_socket() {
    let Some(postgres) = Server::new() else { return };
    let name = postgres.database().rsplit_once("dbname=").unwrap().1.to_owned();
    let store = format!("postgres://postgres@127.0.0.1:{}/{name}", postgres.port());
    let site = Site::over(scratch("pages"), &store);
    site.admin(&["init"]);
    is_approved(&site, &format!("unix:{}", site.dir.join("socket").display()));
}

#[test]
fn they_are_for_this_machine_alone() {
    let site = Site::new("public");
    for listen in ["0.0.0.0:4400", "[::]:0", "192.0.2.1:80", "unix:", "localhost"] {
        let (mut pages, said) = site.ui(listen);
        assert_eq!((pages.0.wait().unwrap().code(), said.as_str()), (Some(2), ""), "{listen}");
    }
}
