//! The user's page in Chromium: by keyboard alone, on a narrow screen, and with other sites beside it.

use crate::agent::{Machine, PIN};
use crate::browser::Ui;
use crate::chromium::Chromium;
use crate::gate::Gate;
use crate::page::fields;
use halfkey::policy::Policy;
use serde_json::json;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ECHO: &str =
    r#"{"name": "echo", "listen": "127.0.0.1:0"}, {"name": "payroll", "listen": "127.0.0.1:0"}"#;

/// Where screenshots are kept.
fn screenshots() -> PathBuf {
    let directory = std::env::var_os("HALFKEY_SCREENSHOTS").map(PathBuf::from);
    let directory =
        directory.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots"));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_registers_and_every_page_fits() {
    let (gate, machine) = (Gate::asking(Policy::default(), fields()).await, Machine::new());
    let Some(mut browser) = Chromium::start(&machine.dir.join("chromium")).await else { return };
    let (ui, shots) = (Ui::start(&machine, &[], "").await, screenshots());
    browser.navigate(&ui.url).await;
    browser.heading("Register with a gate").await;
    browser.shots(&shots, "1-invitation").await;
    browser.press("Tab").await;
    assert_eq!(browser.eval("document.activeElement.className").await, "skip");
    browser.tab_to("#uri").await;
    browser.type_in("halfkey://gate.example").await;
    browser.tab_to("button").await;
    browser.press("Enter").await;
    // What is wrong has the focus, and a link leads to the field.
    browser.until("document.activeElement.getAttribute('role') === 'alert'").await;
    browser.shots(&shots, "1-invitation-wrong").await;
    browser.tab_to("a[href='#uri']").await;
    browser.press("Enter").await;
    browser.until("document.activeElement.id === 'uri'").await;
    browser.type_in(&gate.uri("alice")).await;
    browser.tab_to("button").await;
    browser.press("Enter").await;

    browser.heading("Your invitation").await;
    browser.shots(&shots, "2-pin").await;
    for field in ["#new", "#again"] {
        browser.tab_to(field).await;
        browser.type_in(PIN).await;
    }
    browser.press("Enter").await;
    browser.heading("Put this code away").await;
    browser.shots(&shots, "3-code").await;
    browser.tab_to("button").await;
    browser.press("Enter").await;

    browser.heading("gate.example asks").await;
    assert_eq!(browser.eval("document.querySelector('#server').innerText").await, "gate.example");
    browser.shots(&shots, "4-form").await;
    browser.tab_to("#field-1").await;
    browser.type_in("Nord").await;
    browser.tab_to("#field-2").await;
    browser.type_in("12").await;
    browser.tab_to("[name=field-3]").await;
    browser.press(" ").await;
    browser.tab_to("[name=field-4]").await;
    browser.press("ArrowDown").await;
    browser.tab_to("#field-5").await;
    browser.type_in("Team 7").await;
    browser.tab_to("button").await;
    browser.press("Enter").await;
    browser.until("document.activeElement.getAttribute('role') === 'alert'").await;
    let wrong = browser.eval("document.querySelector('#field-2-error').textContent").await;
    assert_eq!(wrong, "Error: “Floor” must be a whole number from -1 to 9");
    assert_eq!(browser.eval("document.querySelectorAll('[aria-invalid]').length").await, 1);
    assert_eq!(browser.eval("document.querySelector('#field-5').value").await, "Team 7");
    browser.shots(&shots, "4-form-wrong").await;
    browser.tab_to("a[href='#field-2']").await;
    browser.press("Enter").await;
    browser.until("document.activeElement.id === 'field-2'").await;
    browser.eval("document.activeElement.select()").await;
    browser.type_in("3").await;
    // Enter in a field sends the form as well.
    browser.press("Enter").await;
    browser.heading("You are registered").await;
    browser.shots(&shots, "5-registered").await;
    assert_eq!(gate.registrations().len(), 1);

    browser.navigate(&format!("http://{}/", ui.host)).await;
    browser.heading("How things stand").await;
    browser.shots(&shots, "6-no-agent").await;
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
        browser.navigate(&format!("http://{}{path}", ui.host)).await;
        browser.heading(heading).await;
        browser.shots(&shots, name).await;
    }
    machine.stop(child).await;
    // No page has asked for anything from elsewhere.
    let elsewhere = "performance.getEntriesByType('resource').filter(one => !one.name.startsWith(location.origin)).length";
    assert_eq!(browser.eval(elsewhere).await, 0);
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
    let Some(mut browser) = Chromium::start(&machine.dir.join("chromium")).await else { return };
    let mut ui = Ui::start(&machine, &[], "").await;
    browser.navigate(&ui.url).await;
    browser.heading("Register with a gate").await;
    let token = browser.eval("document.querySelector('[name=token]').value").await;
    let page = format!("http://{}", ui.host);

    // It has even found the token out, and the browser sends the cookie: to it, another port is the same site.
    let form = format!(
        "<form method=post action='{page}/close'><input name=token value={token}></form>\
         <iframe src='{page}/'></iframe>"
    );
    let other = site(form).await;
    browser.navigate(&other).await;
    let fetched = format!(
        "Promise.all(['GET', 'POST'].map(method => fetch({0}, {{method, credentials: 'include'}}).then(() => 'read', () => 'refused'))).then(all => all.join())",
        json!(format!("{page}/"))
    );
    assert_eq!(browser.eval(&fetched).await, "refused,refused");
    let blind = format!(
        "fetch({}, {{mode: 'no-cors', credentials: 'include'}}).then(() => 'read', () => 'refused')",
        json!(format!("{page}/style.css"))
    );
    assert_eq!(browser.eval(&blind).await, "refused");
    assert_eq!(
        browser
            .eval("(() => { try { return frames[0].document.body.innerText } catch { return 'refused' } })()")
            .await,
        "refused"
    );
    browser.eval("document.forms[0].submit()").await;
    browser.heading("Not from there").await;
    browser.shots(&screenshots(), "11-not-from-there").await;
    assert!(ui.child.try_wait().unwrap().is_none());

    // A name that leads here by another's DNS.
    let port = ui.host.split(':').nth(1).unwrap().to_owned();
    browser.navigate(&format!("http://evil.example:{port}/")).await;
    browser.heading("Not under this name").await;
    browser.navigate(&format!("http://evil.example:{port}/open?key=x")).await;
    browser.heading("Not under this name").await;

    // A link leads in, once; without the cookie nothing does.
    browser.navigate(&page).await;
    browser.heading("Register with a gate").await;
    let second = Ui::start(&machine, &[], "").await;
    let link = site(format!("<a href='{}'>in</a>", second.url)).await;
    browser.navigate(&link).await;
    browser.eval("document.querySelector('a').click()").await;
    browser.heading("Register with a gate").await;
    browser.navigate(&format!("http://localhost:{port}/")).await;
    browser.heading("You are not in").await;
    browser.shots(&screenshots(), "11-not-in").await;
    assert!(ui.child.try_wait().unwrap().is_none());
}
