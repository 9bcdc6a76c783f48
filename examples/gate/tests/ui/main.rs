//! The operator's pages, asked as a browser asks them, over a real store and beside a running gate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the world is for other tests, too")]

mod browser;
#[path = "../../../../tests/support/people.rs"]
mod people;
#[path = "../world/mod.rs"]
mod world;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use browser::{Answered, Browser, HOST};
use halfkey::port::EntitlementStore;
use halfkey::record::{Effect, WaitingRequest};
use halfkey::registration::RejectionCode;
use halfkey::store::operation::{ListRegistrations, ListRequests};
use halfkey::template::Template;
use halfkey::tokio::RegistrationOutcome;
use halfkey::{KeyId, Secret, TicketId, UnixTime};
use halfkey_gate::Granted;
use people::{granted, outcome};
use world::World;

async fn waiting() -> (World, Browser) {
    let world = World::configured(&[], |config| {
        config.registration.grant = Granted::Approved;
        config.limits.registrations_per_second = 1000;
    })
    .await;
    let config = world.config.lock().unwrap().clone();
    let browser = Browser::new(&config).await;
    (world, browser)
}

/// The action of the first form that leads there.
fn action(page: &Answered, end: &str) -> String {
    let actions = page.text.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    actions.into_iter().find(|action| action.ends_with(end)).unwrap_or_else(|| panic!("{page:?}")).to_owned()
}

/// Registers the `n`th user under a name; everything is made of `n`.
fn register(world: &World, n: u8, name: &str) -> KeyId {
    let now = UnixTime::now();
    let new = granted(n, name, now);
    let key_id = new.registered.key_id;
    commit(world, n, Effect::Granted(new.into()));
    world.store.confirm(&key_id, now).unwrap();
    key_id
}

/// The `n`th applicant waits, with this device.
fn wait(world: &World, n: u8, name: &str, device: &str) {
    let template: Template = world.config.lock().unwrap().server.template.clone();
    let waiting = WaitingRequest {
        ticket_id: TicketId::new([n; 16]),
        ticket: Secret::new([n; 32]),
        name: name.parse().unwrap(),
        form: template.fill([("name", name.into()), ("device", device.into())]).unwrap(),
        takes: None,
        hold_until: UnixTime::now().after(3600),
    };
    commit(world, n, Effect::Waiting { application: waiting.into(), instead_of: None });
}

fn commit(world: &World, n: u8, effect: Effect) {
    let now = UnixTime::now();
    world.store.commit(&outcome(n, effect, now), now).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applicant_is_approved_and_registered() {
    let (world, mut browser) = waiting().await;
    browser.get("/").await.shows(&["Nobody waits for an answer", "Good for "]);
    browser.get("/waiting").await.shows(&["Nobody waits for an answer"]);
    let alice = world.stranger();
    assert!(matches!(alice.apply("alice").await, RegistrationOutcome::Waiting(_)));
    browser.get("/").await.shows(&["<strong>1</strong> applicant waits"]);
    let page = browser.look("/waiting").await;
    let page = page.shows(&["alice", "Waits since", "just now", "None: anybody could have written this"]);
    let approved = browser.does(&action(&page, "/approve"), "").await;
    assert_eq!((approved.status, approved.to.as_str()), (StatusCode::SEE_OTHER, "/waiting?done=approved"));
    browser.get(&approved.to).await.shows(&["Approved. The agent is registered"]).lacks(&["alice"]);
    browser.get("/waiting?all=1").await.shows(&["alice", ">approved<"]);
    assert!(matches!(alice.apply("alice").await, RegistrationOutcome::Active(_)));
    browser.get("/waiting?all=1").await.lacks(&["alice"]);
    browser.get("/events").await.shows(&["request approved", "confirmed", "alice"]);
    // Nobody waits for what was answered.
    let late = browser.does(&action(&page, "/approve"), "").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text.contains("It does not wait any more"), "{late:?}");
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applicant_is_refused_with_a_reason() {
    let (world, mut browser) = waiting().await;
    let mallory = world.stranger();
    assert!(matches!(mallory.apply("mallory").await, RegistrationOutcome::Waiting(_)));
    let list = browser.look("/waiting").await;
    let one = browser.look(&list.link("Refuse …")).await.shows(&["An application", "mallory"]);
    let refuse = action(&one, "/refuse");
    // Without a reason nothing is done, and the page says what is missing.
    for reason in ["", "reason=", "reason=because"] {
        let fields = format!("name=mallory&{reason}");
        let again = browser.does(&refuse, &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        for text in ["Error: An application", "Choose what the applicant is told", "href=\"#reason-0\""] {
            assert!(again.text.contains(text), "{again:?}");
        }
    }
    let asked = world.run(&ListRequests::default()).entries;
    assert_eq!(asked.first().unwrap().answer, None);
    let refused = browser.does(&refuse, "name=mallory&reason=proof-needed").await;
    assert_eq!((refused.status, refused.to.as_str()), (StatusCode::SEE_OTHER, "/waiting?done=refused"));
    browser.get("/waiting?all=1").await.shows(&["refused: proof needed"]);
    let RegistrationOutcome::Refused(told) = mallory.apply("mallory").await else { panic!("not refused") };
    assert_eq!(told.code, RejectionCode::ProofNeeded);
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_does_anything() {
    let (world, mut browser) = waiting().await;
    wait(&world, 1, "alice", "phone");
    let page = browser.look("/waiting").await;
    let approve = action(&page, "/approve");
    let good = format!("token={}", browser.token);
    for (body, change, status) in [
        ("", &[][..], StatusCode::FORBIDDEN),
        ("token=AAAA", &[], StatusCode::FORBIDDEN),
        (&good, &[("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (&good, &[("origin", "null")], StatusCode::FORBIDDEN),
        (&good, &[("origin", "")], StatusCode::FORBIDDEN),
        (&good, &[("host", "evil.example:4711")], StatusCode::MISDIRECTED_REQUEST),
        (&good, &[("cookie", "")], StatusCode::FORBIDDEN),
        (&good, &[("content-type", "text/plain")], StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        assert_eq!(browser.post(&approve, body, change).await.status, status, "{body} {change:?}");
    }
    // A link does nothing either.
    assert_eq!(browser.get(&approve).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.run(&ListRequests::default()).entries.first().unwrap().answer, None);
    for path in ["/", "/waiting", "/registrations", "/configuration", "/events"] {
        let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
        let out = browser.ask(request).await;
        assert_eq!(out.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!out.text.contains("alice") && out.text.contains("run halfkey-gate ui again"), "{out:?}");
    }
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_suspended_resumed_and_revoked_after_a_question() {
    let (world, mut browser) = waiting().await;
    let agent = world.agent("carol").await;
    let list = browser.get("/registrations").await.shows(&["carol", ">active<", "/staff"]);
    let path = list.link("<bdi>carol");
    assert_eq!(path, format!("/registrations/{}", agent.key_id));
    for (change, title, state) in [
        ("suspend", "Suspend …", "suspended"),
        ("resume", "Resume …", "active"),
        ("revoke", "Revoke …", "revoked"),
    ] {
        let page = browser.get(&path).await.shows(&["carol", "Of this key, the newest first", "confirmed"]);
        let ask = page.link(title);
        assert_eq!(ask, format!("{path}/{change}"));
        browser.look(&ask).await.shows(&["carol?", "Leave it as it is"]);
        let changed = browser.does(&ask, "").await;
        assert_eq!(changed.status, StatusCode::SEE_OTHER, "{changed:?}");
        browser.get(&changed.to).await.shows(&["role=\"status\"", &format!(">{state}<")]);
    }
    // What is not possible any more is not offered, and not done.
    browser.get(&path).await.shows(&["revoked"]).lacks(&["Suspend …", "Resume …", "Revoke …"]);
    for change in ["suspend", "resume"] {
        let late = browser.does(&format!("{path}/{change}"), "").await;
        assert_eq!(late.status, StatusCode::CONFLICT);
        assert_eq!(browser.get(&format!("{path}/{change}")).await.status, StatusCode::CONFLICT);
    }
    for nothing in
        ["/registrations/x", "/registrations/00000000000000000000000000000001", &format!("{path}/eat")]
    {
        assert_eq!(browser.get(nothing).await.status, StatusCode::NOT_FOUND, "{nothing}");
    }
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_have_pages() {
    let (world, browser) = waiting().await;
    (1..=120).for_each(|n| {
        register(&world, n, &format!("user-{n:03}"));
    });
    let (mut path, mut seen) = ("/registrations?name=User-".to_owned(), Vec::new());
    loop {
        let page = browser.get(&path).await.shows(&[]);
        seen.extend(page.text.split("<bdi>user-").skip(1).map(|rest| rest[..3].parse::<u8>().unwrap()));
        if !page.text.contains("Next page") {
            assert_eq!(page.link("First page"), "/registrations?name=User-");
            break;
        }
        path = page.link("Next page");
    }
    assert_eq!(seen, (1..=120).collect::<Vec<_>>());
    browser.get("/registrations?state=revoked").await.shows(&["There are none."]);
    // A list that goes on does not load again by itself, which would lead to its beginning.
    let events = browser.get("/events").await.shows(&["http-equiv=\"refresh\"", "Stop that"]);
    browser.get(&events.link("Next page")).await.shows(&["First page"]).lacks(&["http-equiv"]);
    events.shows(&["Show one kind alone"]).lacks(&["<select"]);
    browser
        .get("/events?still=1")
        .await
        .shows(&["Load it again by itself", "<select"])
        .lacks(&["http-equiv"]);
    browser
        .get("/events?kind=granted")
        .await
        .shows(&["granted"])
        .lacks(&["<td role=\"cell\" data-label=\"What\"><span>confirmed"]);
    // Whatever stands in the address, there is a page.
    for odd in [
        "/events?after=%00&kind=x",
        "/registrations?state=%FF&name=%3Cscript%3E",
        "/waiting?after=x&after=y&=&&",
    ] {
        let page = browser.get(odd).await;
        assert!(page.status == StatusCode::OK || page.status == StatusCode::SERVICE_UNAVAILABLE, "{page:?}");
        assert!(!page.text.contains("<script"), "{page:?}");
    }
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_is_only_shown() {
    let (world, mut browser) = waiting().await;
    let name = "<script>alert(1)</script>";
    wait(&world, 1, name, "\"><img src=x onerror=alert(2)> é");
    register(&world, 2, "<b>&amp;\"'");
    let page = browser.look("/waiting").await;
    let page = page.shows(&["&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;img src=x", "é", "Device"]);
    let one = browser.get(&page.link("Refuse …")).await.shows(&["&lt;script&gt;"]);
    let others = [browser.get("/registrations").await, browser.get("/events").await, browser.get("/").await];
    let other = browser.get(&others[0].link("<bdi>&lt;b&gt;")).await.shows(&["&lt;b&gt;&amp;amp;&quot;"]);
    for page in [page, one, other].into_iter().chain(others) {
        let page = page.shows(&[]).lacks(&["<script", "<img", "<b>", "onerror=alert(2)>"]);
        assert!(page.text.starts_with("<!DOCTYPE html>"));
    }
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_shown_who_has_applied_what() {
    let (world, browser) = waiting().await;
    browser.get("/configuration").await.shows(&["Nobody here is entitled to anything in it."]);
    world.entitle(&["wiki"], None);
    let (agent, _) = (world.agent("carol").await, world.agent("dave").await);
    browser.get("/configuration").await.shows(&["<strong>2</strong> of 2.", "yet to come"]);
    let control = agent.control().await;
    agent.told(&["wiki"]).await;
    let applied = async {
        while !browser.get("/configuration").await.text.contains("up to date") {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(world::SOON, applied).await.unwrap();
    browser.get("/configuration").await.shows(&[
        "carol",
        "dave",
        "<strong>1</strong> of 2.",
        ">just now</time>",
    ]);
    browser.get(&format!("/registrations/{}", agent.key_id)).await.shows(&["services", ">just now</time>"]);
    browser.get("/configuration?application=mail").await.shows(&["Nobody here is entitled"]);
    assert_eq!(browser.get("/configuration?application=%20%00x").await.status, StatusCode::NOT_FOUND);
    drop(control);
    world.gate.stop().await;
}

/// The file of the store is taken away from under the pages.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_a_page() {
    let (world, mut browser) = waiting().await;
    wait(&world, 1, "alice", "phone");
    let page = browser.look("/waiting").await;
    let file = world.config.lock().unwrap().directory.join("store.db");
    world.gate.stop().await;
    drop(world.store);
    for end in ["", "-wal", "-shm"] {
        let file = file.with_file_name(format!("store.db{end}"));
        let length = std::fs::metadata(&file).map_or(0, |found| found.len());
        let _ = std::fs::write(&file, vec![0x5A; usize::try_from(length).unwrap()]);
    }
    for path in ["/", "/waiting", "/registrations", "/configuration", "/events"] {
        let failed = browser.get(path).await;
        assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(failed.text.contains("Error: The store does not answer"), "{failed:?}");
    }
    let failed = browser.does(&action(&page, "/approve"), "").await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_used_without_a_script_and_by_keyboard() {
    let (world, browser) = waiting().await;
    wait(&world, 1, "alice", "phone");
    let key_id = register(&world, 2, "bob");
    assert_eq!(world.run(&ListRegistrations::default()).entries.len(), 1);
    let one = format!("/waiting/{}?name=alice", TicketId::new([1; 16]));
    let (registration, question) =
        (format!("/registrations/{key_id}"), format!("/registrations/{key_id}/revoke"));
    for path in
        ["/", "/waiting", &one, "/registrations", &registration, &question, "/configuration", "/events"]
    {
        let page = browser.get(path).await.shows(&["lang=\"en\"", "href=\"#main\"", "aria-label=\"Pages\""]);
        let page = page.lacks(&[
            "<script",
            "style=\"",
            "onclick",
            "javascript:",
            "tabindex=\"1\"",
            "http://",
            "https://",
        ]);
        assert_eq!(page.text.matches("<h1>").count(), 1, "{path}");
        // Each control has a label, and each id is there once.
        let ids: Vec<_> =
            page.text.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(id), "{path}: {id} twice");
        }
        for control in page.text.split("<input ").skip(1).chain(page.text.split("<select ").skip(1)) {
            let control = control.split('>').next().unwrap();
            let id = control.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
            let labelled = id.is_some_and(|id| page.text.contains(&format!("for=\"{id}\"")));
            assert!(labelled || control.contains("type=\"hidden\""), "{path}: {control}");
        }
    }
    world.gate.stop().await;
}
