//! The operator's pages as a process beside a gate.

use crate::chromium::Chromium;
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

/// Every page in a real browser that runs no script: narrow and wide, light and dark, by keyboard alone.
#[test]
fn a_browser_shows_them_and_the_keyboard_is_enough() {
    let site = Site::new("browser");
    let Some(mut browser) = Chromium::start(&site.dir.join("profile")) else { return };
    site.edit(|text| text.replace("grant = \"code\"", "grant = \"approved\""));
    let _gate = site.run();
    let anchor = site.dir.join("anchor.pem");
    let wait = |machine: &str, name: &str| {
        let machine = site.machine(machine);
        let answers = [format!("name={name}"), "device=<b onclick=alert(1)>laptop</b>".into()];
        let enrol = ["enrol", "-", "--unattended", "--set", &answers[0], "--set", &answers[1], "--anchor"];
        let enrol = [&enrol[..], &[anchor.to_str().unwrap()]].concat();
        let ran = machine.ask(&enrol, &format!("halfkey://127.0.0.1:{}/?server=localhost", site.port));
        assert!(ran.status.success(), "{ran:?}");
        machine
    };
    let long = "a-name-of-which-every-part-is-longer-than-anybody-would-want-it@subsidiary.example.com";
    let (ann, _ben) = (wait("ann", long), wait("ben", "ben"));
    let _carol = site.enrolled("carol");
    site.serve(&[("wiki", "tcp = \"127.0.0.1:1\"", 1)]);

    let (_pages, url) = site.ui("127.0.0.1:0");
    let home = url.split("/open").next().unwrap().to_owned();
    browser.without_scripts();
    browser.look(960, false);
    browser.go(&url);
    browser.sees("2 applicants wait for an answer");
    assert_eq!(browser.ask("location.pathname"), "/");
    // The page is styled, loads again by itself, and has left the key behind.
    assert_eq!(browser.ask("getComputedStyle(document.querySelector('main')).maxWidth"), "736px");
    browser.until("location.search === '?again'");

    let key = site.admin(&["list", "--name", "carol", "--json"]);
    let key = between(&key, "\"key_id\":\"", "\"").to_owned();
    let listed = site.admin(&["waiting", "list", "--name", "ben", "--json"]);
    let ticket = between(&listed, "\"ticket_id\":\"", "\"").to_owned();
    let registration = format!("/registrations/{key}");
    let paths = [
        ("overview", "/?still=1".to_owned()),
        ("waiting", "/waiting?still=1".into()),
        ("application", format!("/waiting/{ticket}?name=ben")),
        ("registrations", "/registrations".into()),
        ("registration", registration.clone()),
        ("question", format!("{registration}/revoke")),
        ("configuration", "/configuration?still=1".into()),
        ("events", "/events?still=1".into()),
        ("nothing", "/nothing".into()),
    ];
    for (name, path) in &paths {
        browser.go(&format!("{home}{path}"));
        browser.shots(name);
    }
    // What lies below a list belongs to it.
    browser.go(&format!("{home}{registration}"));
    assert_eq!(browser.ask("document.querySelector('[aria-current=page]').innerText"), "Registrations");

    // Approve the one, refuse the other, suspend the third.
    browser.go(&format!("{home}/waiting?still=1"));
    browser.sees("<b onclick=alert(1)>laptop</b>");
    browser.tab_to("button", long);
    browser.press("Enter");
    browser.sees("Approved.");
    let agent = ann.start();
    ann.connected(LONG);
    drop(agent);
    browser.go(&format!("{home}/waiting?still=1"));
    browser.tab_to("a", "Refuse");
    browser.press("Enter");
    browser.sees("What the applicant is told");
    browser.tab_to("button", "Refuse");
    browser.press("Enter");
    browser.sees("There is a problem");
    browser.is_in_order();
    browser.tab_to("[type=radio]", "");
    browser.press(" ");
    browser.tab_to("button", "Refuse");
    browser.press("Enter");
    browser.sees("Refused.");
    browser.go(&format!("{home}{registration}"));
    browser.tab_to("a", "Suspend");
    browser.press("Enter");
    browser.sees("Suspend carol?");
    browser.tab_to("button", "");
    browser.press("Enter");
    browser.sees("Open sessions end within two seconds.");
    let state = site.admin(&["list", "--name", "carol", "--json"]);
    assert!(state.contains("\"state\":\"suspended\""), "{state}");
}
