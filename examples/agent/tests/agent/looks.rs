//! The user's page in Chromium: by keyboard alone, on a narrow screen, and with other sites beside it.

use crate::agent::{Machine, PIN};
use crate::browser::Ui;
use crate::chromium::Chromium;
use crate::gate::Gate;
use crate::page::fields;
use halfkey::policy::Policy;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ECHO: &str =
    r#"{"name": "echo", "listen": "127.0.0.1:0"}, {"name": "payroll", "listen": "127.0.0.1:0"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_registers_and_every_page_fits() {
    let (gate, machine) = (Gate::asking(Policy::default(), fields()).await, Machine::new());
    let Some(mut browser) = Chromium::start(&machine.dir.join("chromium")) else { return };
    let ui = Ui::start(&machine, &[], "").await;
    browser.go(&ui.url);
    browser.heading("Register with a gate");
    browser.shots("1-invitation");
    browser.press("Tab");
    assert_eq!(browser.ask("document.activeElement.className"), "skip");
    browser.tab_to("#uri", "");
    browser.type_in("halfkey://gate.example");
    browser.tab_to("button", "");
    browser.press("Enter");
    // What is wrong has the focus, and a link leads to the field.
    browser.until("document.activeElement.getAttribute('role') === 'alert'");
    browser.shots("1-invitation-wrong");
    browser.tab_to("a[href='#uri']", "");
    browser.press("Enter");
    browser.until("document.activeElement.id === 'uri'");
    browser.type_in(&gate.uri("alice"));
    browser.tab_to("button", "");
    browser.press("Enter");

    browser.heading("Your invitation");
    browser.shots("2-pin");
    for field in ["#new", "#again"] {
        browser.tab_to(field, "");
        browser.type_in(PIN);
    }
    browser.press("Enter");
    browser.heading("Put this code away");
    browser.shots("3-code");
    browser.tab_to("button", "");
    browser.press("Enter");

    browser.heading("gate.example asks");
    assert_eq!(browser.ask("document.querySelector('#server').innerText"), "gate.example");
    browser.shots("4-form");
    browser.tab_to("#field-1", "");
    browser.type_in("Nord");
    browser.tab_to("#field-2", "");
    browser.type_in("12");
    browser.tab_to("[name=field-3]", "");
    browser.press(" ");
    browser.tab_to("[name=field-4]", "");
    browser.press("ArrowDown");
    browser.tab_to("#field-5", "");
    browser.type_in("Team 7");
    browser.tab_to("button", "");
    browser.press("Enter");
    browser.until("document.activeElement.getAttribute('role') === 'alert'");
    let wrong = browser.ask("document.querySelector('#field-2-error').textContent");
    assert_eq!(wrong, "Error: “Floor” must be a whole number from -1 to 9");
    assert_eq!(browser.ask("document.querySelectorAll('[aria-invalid]').length"), 1);
    assert_eq!(browser.ask("document.querySelector('#field-5').value"), "Team 7");
    browser.shots("4-form-wrong");
    browser.tab_to("a[href='#field-2']", "");
    browser.press("Enter");
    browser.until("document.activeElement.id === 'field-2'");
    browser.ask("document.activeElement.select()");
    browser.type_in("3");
    // Enter in a field sends the form as well.
    browser.press("Enter");
    browser.heading("You are registered");
    browser.shots("5-registered");
    assert_eq!(gate.registrations().len(), 1);

    browser.go(&format!("http://{}/", ui.host));
    browser.heading("How things stand");
    browser.shots("6-no-agent");
    gate.entitle(ECHO, None).await;
    let child = machine.up(&[]).await;
    machine.connected().await;
    machine.listening("payroll").await;
    for (path, heading, name) in [
        ("/", "How things stand", "7-agent"),
        ("/pin", "Change the PIN", "8-pin"),
        ("/unblock", "Unblock the token", "8-unblock"),
        ("/renew/gate.example", "Renew the key for gate.example", "9-renew"),
        ("/forget/gate.example", "Forget gate.example", "9-forget"),
        ("/nothing", "There is no such page", "10-nothing"),
    ] {
        browser.go(&format!("http://{}{path}", ui.host));
        browser.heading(heading);
        browser.shots(name);
    }
    machine.stop(child).await;
    // No page has asked for anything from elsewhere.
    let elsewhere = "performance.getEntriesByType('resource').filter(one => !one.name.startsWith(location.origin)).length";
    assert_eq!(browser.ask(elsewhere), 0);
}

/// A site of somebody else's, at another port of this machine.
async fn site(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_in_the_same_browser_gets_nowhere() {
    let machine = Machine::new();
    let Some(mut browser) = Chromium::start(&machine.dir.join("chromium")) else { return };
    let mut ui = Ui::start(&machine, &[], "").await;
    browser.go(&ui.url);
    browser.heading("Register with a gate");
    let token = browser.ask("document.querySelector('[name=token]').value");
    let page = format!("http://{}", ui.host);

    // It has even found the token out, and the browser sends the cookie: to it, another port is the same site.
    let form = format!(
        "<form method=post action='{page}/close'><input name=token value={token}></form>\
         <iframe src='{page}/'></iframe>"
    );
    let other = site(form).await;
    browser.go(&other);
    let fetched = format!(
        "Promise.all(['GET', 'POST'].map(method => fetch({0}, {{method, credentials: 'include'}}).then(() => 'read', () => 'refused'))).then(all => all.join())",
        json!(format!("{page}/"))
    );
    assert_eq!(browser.promised(&fetched), "refused,refused");
    let blind = format!(
        "fetch({}, {{mode: 'no-cors', credentials: 'include'}}).then(() => 'read', () => 'refused')",
        json!(format!("{page}/style.css"))
    );
    assert_eq!(browser.promised(&blind), "refused");
    assert_eq!(
        browser
            .ask("(() => { try { return frames[0].document.body.innerText } catch { return 'refused' } })()"),
        "refused"
    );
    browser.ask("document.forms[0].submit()");
    browser.heading("Not from there");
    browser.shots("11-not-from-there");
    assert!(ui.child.try_wait().unwrap().is_none());

    // A name that leads here by another's DNS.
    let port = ui.host.split(':').nth(1).unwrap().to_owned();
    browser.go(&format!("http://evil.example:{port}/"));
    browser.heading("Not under this name");
    browser.go(&format!("http://evil.example:{port}/open?key=x"));
    browser.heading("Not under this name");

    // A link leads in, once; without the cookie nothing does.
    browser.go(&page);
    browser.heading("Register with a gate");
    let second = Ui::start(&machine, &[], "").await;
    let link = site(format!("<a href='{}'>in</a>", second.url)).await;
    browser.go(&link);
    browser.ask("document.querySelector('a').click()");
    browser.heading("Register with a gate");
    browser.go(&format!("http://localhost:{port}/"));
    browser.heading("You are not in");
    browser.shots("11-not-in");
    assert!(ui.child.try_wait().unwrap().is_none());
}
