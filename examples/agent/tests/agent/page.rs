//! The user's page, by HTTP.

use crate::agent::{Machine, PIN, until};
use crate::browser::{Browser, Ui};
use crate::gate::Gate;
use halfkey::UserName;
use halfkey::policy::Policy;
use halfkey::template::{Field, FieldKind, Template};
use std::sync::atomic::Ordering;
use std::time::Duration;

const ECHO: &str = r#"{"name": "echo", "listen": "127.0.0.1:0"}"#;

/// Fields of every kind.
pub(crate) fn fields() -> Vec<Field> {
    vec![
        Field::required("name", FieldKind::UserName).labelled("Your name"),
        Field::optional("branch", FieldKind::Text { max_len: 64 }).labelled("Branch"),
        Field::required("floor", FieldKind::Integer { min: -1, max: 9 }).labelled("Floor"),
        Field::required("terms", FieldKind::Boolean).labelled("Do you accept the terms of use?"),
        Field::required("system", FieldKind::Choice(vec!["Laptop".into(), "Desk".into()]))
            .labelled("Machine"),
        Field::optional("team", FieldKind::Choice((1..=9).map(|n| format!("Team {n}")).collect()))
            .labelled("Team"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_registers_from_nothing() {
    let (gate, machine) = (Gate::asking(Policy::default(), fields()).await, Machine::new());
    let ui = Ui::start(&machine, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.sees("<h1>Register with a gate</h1>");
    browser.submit("/register/invitation", &[("uri", "halfkey://gate.example/")]).await;
    assert_eq!(browser.page.status, 422);
    browser.sees("<title>Error: ");
    browser.sees("no port");
    // A mail program has broken the line.
    let uri = gate.uri("alice");
    let broken = format!("  {}\r\n {}", &uri[..60], &uri[60..]);
    browser.submit("/register/invitation", &[("uri", &broken)]).await;
    browser.sees("<strong>gate.example</strong>");
    browser.sees("with an activation code");
    browser.does_not_see("halfkey://");

    browser.submit("/register/pin", &[("new", "2468"), ("again", "2469")]).await;
    browser.sees("the two are not the same");
    browser.submit("/register/pin", &[("new", "246"), ("again", "246")]).await;
    browser.sees("4 to 64");
    assert!(!machine.dir.join("token").exists());
    browser.submit("/register/pin", &[("new", PIN), ("again", PIN)]).await;
    browser.sees("<h1>Put this code away</h1>");
    let code = browser.page.body.split("id=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(code.len(), 19);
    // It is still there when the page is loaded again, and not after it was put away.
    browser.go("/register").await;
    browser.sees(&code);
    assert_eq!(gate.registrations().len(), 0);
    browser.submit("/register/go", &[]).await;
    browser.sees("<h1>gate.example asks</h1>");
    browser.sees("has shown a certificate");
    browser.sees("value=\"alice\"");
    browser.does_not_see(&code);

    let answers = [("field-1", "Nord & Süd"), ("field-2", "12"), ("field-4", "Desk"), ("field-5", "Team 7")];
    browser.submit("/register/form", &[&[("field-0", "")], &answers[..]].concat()).await;
    for wrong in [
        "“Your name” must be filled in",
        "“Floor” must be a whole number from -1 to 9",
        "“Do you accept the terms of use?” must be answered",
    ] {
        browser.sees(wrong);
    }
    browser.sees("value=\"Nord &amp; Süd\"");
    browser.sees("value=\"Desk\" required checked");
    browser.sees("value=\"Team 7\" selected");
    assert_eq!(gate.registrations().len(), 0);
    let answers = [("field-0", "Alice"), ("field-2", "3"), ("field-3", "yes"), ("field-4", "Desk")];
    browser.submit("/register/form", &answers).await;
    browser.sees("<h1>You are registered</h1>");
    assert_eq!(gate.registrations().len(), 1);

    // The page holds the token no longer: the agent starts beside it.
    gate.entitle(ECHO, None).await;
    let child = machine.up(&[]).await;
    machine.connected().await;
    machine.listening("echo").await;
    browser.go("/").await;
    browser.sees("The agent runs.");
    browser.sees("<strong>echo</strong>");
    machine.stop(child).await;
    browser.submit("/close", &[]).await;
    browser.sees("The page is closed");
    let (key, log) = (ui.url.split("key=").nth(1).unwrap().to_owned(), machine.log());
    ui.ended().await;
    for secret in [PIN, &code, &key, &uri] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_shows_what_the_agent_does_and_asks_it() {
    let (gate, mut machine) = (Gate::new().await, Machine::new());
    assert_eq!(machine.enrol(&gate.uri("alice")).await.code, 0);
    gate.entitle(ECHO, None).await;
    let child = machine.up(&[]).await;
    machine.connected().await;
    machine.listening("echo").await;
    let ui = Ui::start(&machine, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.sees("connected</span>");
    browser.sees("echo");
    browser.does_not_see("type=\"password\"");
    let key = machine.status().await["gates"][0]["key_id"].clone();
    browser.go("/renew/gate.example").await;
    browser.submit("/renew/gate.example", &[]).await;
    browser.sees("The key for gate.example is renewed.");
    browser.go("/").await;
    browser.does_not_see("is renewed");
    assert_ne!(machine.status().await["gates"][0]["key_id"], key);

    // While the agent holds the token, nobody registers.
    browser.go("/register").await;
    browser.sees("Stop the agent");
    browser.go("/pin").await;
    browser.submit("/pin", &[("pin", "1111"), ("new", "97531"), ("again", "97531")]).await;
    assert_eq!(browser.page.status, 422);
    browser.sees("wrong PIN; 4 tries left");
    browser.submit("/pin", &[("pin", PIN), ("new", "97531"), ("again", "97531")]).await;
    browser.sees("The PIN is changed.");
    machine.pin = "97531".into();

    browser.go("/forget/gate.example").await;
    browser.submit("/forget/gate.example", &[]).await;
    browser.sees("gate.example is forgotten here.");
    browser.sees("There is no gate yet.");
    assert_eq!(machine.status().await["gates"], serde_json::json!([]));
    browser.go("/register").await;
    browser.submit("/stop", &[]).await;
    drop(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_asks_for_the_pin_where_no_agent_runs() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let enrolled = machine.enrol(&gate.uri("alice")).await;
    let code = enrolled.out[0]["unblocking_code"].as_str().unwrap();
    let ui = Ui::start(&machine, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.sees("No agent runs");
    browser.does_not_see("User id");
    browser.submit("/", &[("pin", "1111")]).await;
    assert_eq!(browser.page.status, 422);
    browser.sees("wrong PIN; 4 tries left");
    browser.submit("/", &[("pin", PIN)]).await;
    browser.sees("User id");
    browser.sees("/staff");
    browser.go("/renew/gate.example").await;
    browser.submit("/renew/gate.example", &[("pin", "")]).await;
    browser.sees("a PIN has 4 to 64 bytes");
    browser.submit("/renew/gate.example", &[("pin", PIN)]).await;
    browser.sees("is renewed");
    assert_eq!(gate.registrations().len(), 2);
    for _ in 0..5 {
        browser.go("/forget/gate.example").await;
        browser.submit("/forget/gate.example", &[("pin", "1111")]).await;
    }
    browser.go("/").await;
    browser.sees("The token is blocked");
    browser.go("/unblock").await;
    browser.submit("/unblock", &[("code", code), ("new", "1357"), ("again", "1357")]).await;
    browser.sees("The PIN is changed.");
    browser.go("/forget/gate.example").await;
    browser.submit("/forget/gate.example", &[("pin", "1357")]).await;
    browser.sees("is forgotten here");
    // Another invitation for the token that is there.
    browser.go("/register").await;
    browser.submit("/register/invitation", &[("uri", &gate.uri("bob"))]).await;
    browser.does_not_see("New PIN");
    browser.submit("/register/pin", &[("pin", "1111")]).await;
    browser.sees("wrong PIN");
    browser.submit("/register/pin", &[("pin", "1357")]).await;
    browser.sees("gate.example asks");
    browser.submit("/register/leave", &[]).await;
    browser.sees("Register with a gate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_waits_for_the_operator() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let uri = gate.bare_uri().with_name(UserName::new("alice").unwrap()).reveal().unwrap().to_string();
    // The PIN comes from a descriptor: the page does not ask for it.
    let ui = Ui::start(&machine, &["--pin-fd", "0"], &format!("{PIN}\n")).await;
    let mut browser = Browser::open(&ui).await;
    browser.submit("/register/invitation", &[("uri", &uri)]).await;
    browser.sees("none: the operator decides");
    browser.does_not_see("type=\"password\"");
    browser.submit("/register/pin", &[]).await;
    browser.submit("/register/go", &[]).await;
    browser.submit("/register/form", &[("field-0", "alice")]).await;
    browser.sees("The operator is to decide");
    browser.sees("http-equiv=\"refresh\"");
    browser.submit("/register/leave", &[]).await;
    browser.go("/").await;
    browser.submit("/", &[]).await;
    browser.sees("the operator has not decided");
    browser.go("/resume/gate.example").await;
    browser.submit("/resume/gate.example", &[]).await;
    browser.sees("The operator is to decide");
    gate.inner.open.store(true, Ordering::Relaxed);
    until("registered", 20, || async { gate.registrations().len() == 1 }).await;
    for _ in 0..50 {
        browser.go("/register").await;
        if browser.page.body.contains("You are registered") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    browser.sees("You are registered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_is_not_there_is_tried_again() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let uri = gate.uri("alice");
    gate.kill().await;
    let ui = Ui::start(&machine, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.submit("/register/invitation", &[("uri", &uri)]).await;
    browser.submit("/register/pin", &[("new", PIN), ("again", PIN)]).await;
    browser.submit("/register/go", &[]).await;
    browser.sees("It did not get through");
    gate.start().await;
    browser.submit("/register/go", &[]).await;
    browser.sees("gate.example asks");
    // The gate goes while the form is open; what was typed is sent when it is back.
    gate.kill().await;
    browser.submit("/register/form", &[("field-0", "alice"), ("field-1", "7")]).await;
    browser.sees("It did not get through");
    gate.start().await;
    browser.submit("/register/go", &[]).await;
    browser.sees("You are registered");
    assert_eq!(gate.registrations().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_lapses_while_the_form_is_open_is_made_again() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    gate.change(|settings| settings.offer_ttl = 1).await;
    let ui = Ui::start(&machine, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.submit("/register/invitation", &[("uri", &gate.uri("alice"))]).await;
    browser.submit("/register/pin", &[("new", PIN), ("again", PIN)]).await;
    browser.submit("/register/go", &[]).await;
    browser.sees("gate.example asks");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    browser.submit("/register/form", &[("field-0", "alice"), ("field-1", "7")]).await;
    browser.sees("You are registered");

    // Its questions may have changed meanwhile: then they are asked, with what was typed.
    let again = Machine::new();
    let ui = Ui::start(&again, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.submit("/register/invitation", &[("uri", &gate.uri("bob"))]).await;
    browser.submit("/register/pin", &[("new", PIN), ("again", PIN)]).await;
    browser.submit("/register/go", &[]).await;
    gate.change(|settings| {
        settings.offer_ttl = 600;
        settings.template = Template::new(fields()).unwrap();
    })
    .await;
    browser.submit("/register/form", &[("field-0", "bob"), ("field-1", "7")]).await;
    browser.sees("It did not get through");
    browser.submit("/register/go", &[]).await;
    browser.sees("value=\"bob\"");
    browser.sees("value=\"7\"");
    let answers = [("field-0", "bob"), ("field-2", "7"), ("field-3", "no"), ("field-4", "Laptop")];
    browser.submit("/register/form", &answers).await;
    browser.sees("You are registered");
    assert_eq!(gate.registrations().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_asks_more_when_a_key_is_renewed_is_answered() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let enrolled = machine
        .with_input(
            &["enrol", "-", "--pin", "-", "--set", "floor=3"],
            &format!("{}\n{PIN}\n", gate.uri("alice")),
        )
        .await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    gate.change(|settings| settings.template = Template::new(fields()).unwrap()).await;
    let child = machine.up(&[]).await;
    machine.connected().await;
    let ui = Ui::start(&machine, &[], "").await;
    let mut browser = Browser::open(&ui).await;
    browser.go("/renew/gate.example").await;
    browser.submit("/renew/gate.example", &[]).await;
    browser.sees("it asks what it did not ask before");
    machine.stop(child).await;
    browser.go("/renew/gate.example").await;
    browser.submit("/renew/gate.example", &[("pin", PIN)]).await;
    browser.sees("gate.example asks");
    browser.sees("value=\"alice\"");
    let answers = [("field-0", "alice"), ("field-2", "3"), ("field-3", "yes"), ("field-4", "Desk")];
    browser.submit("/register/form", &answers).await;
    browser.sees("You are registered");
    assert_eq!(gate.registrations().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_for_one_browser_and_no_other_page() {
    let machine = Machine::new();
    let ui = Ui::start(&machine, &[], "").await;
    let browser = Browser::open(&ui).await;
    let path = ui.url.strip_prefix(&format!("http://{}", ui.host)).unwrap();
    let own = format!("http://{}", ui.host);
    let token = browser.page.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("token={token}&uri=x");
    let port = ui.host.split(':').nth(1).unwrap();
    let evil = format!("evil.example:{port}");
    for (method, path, headers, status) in [
        ("GET", path, vec![("cookie", "")], 303),
        ("GET", "/", vec![("host", evil.as_str())], 421),
        ("GET", "/", vec![("sec-fetch-site", "same-site")], 403),
        ("POST", "/register/invitation", vec![("origin", own.as_str())], 422),
        ("POST", "/register/invitation", vec![], 403),
        ("POST", "/register/invitation", vec![("origin", "http://127.0.0.1:1")], 403),
        (
            "POST",
            "/register/invitation",
            vec![("origin", own.as_str()), ("sec-fetch-site", "same-site")],
            403,
        ),
        (
            "POST",
            "/register/invitation",
            vec![("origin", "http://evil.example"), ("host", evil.as_str())],
            421,
        ),
    ] {
        let page = browser.ask(method, path, &headers, &body).await;
        assert_eq!(page.status, status, "{method} {path} {headers:?}");
        assert!(page.head.contains("content-security-policy: default-src 'none'"));
    }
    let other = browser.ask("POST", "/close", &[("origin", &own)], "token=AAAA").await;
    assert_eq!(other.status, 403);
    // Still there; an interrupt ends it.
    let id = ui.child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    ui.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_led_in_by_a_file_that_nobody_else_reads() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let path = machine.dir.join("bin");
    std::fs::create_dir_all(&path).unwrap();
    // Not a browser, but as one is started.
    let opener = path.join(if cfg!(target_os = "macos") { "open" } else { "xdg-open" });
    std::fs::write(&opener, "#!/bin/sh\necho \"$@\" >\"$HALFKEY_DIR/opened.new\" && mv \"$HALFKEY_DIR/opened.new\" \"$HALFKEY_DIR/opened\"\n").unwrap();
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o700)).unwrap();
    let search = format!("{}:/usr/bin:/bin", path.display());
    let ui = Ui::start_in(&machine, &["--open"], "", &[("PATH", &search)]).await;
    let opened = machine.dir.join("opened");
    until("opened", 10, || async { opened.exists() }).await;
    let file = std::fs::read_to_string(&opened).unwrap().trim().to_owned();
    assert!(!file.contains("key="), "{file}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains(&ui.url));
    let mut browser = Browser::open(&ui).await;
    browser.go("/register").await;
    browser.sees("Register with a gate");
    let id = ui.child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    ui.ended().await;
    assert!(!std::path::Path::new(&file).exists());
}
