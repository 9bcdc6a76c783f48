//! Registrations: by a code, or by an operator who takes time.

use crate::agent::{Machine, PIN, until};
use crate::gate::Gate;
use halfkey::record::{RejectionCode, RequestAnswer};
use halfkey::store::operation::{DecideRequest, ListRequests};
use halfkey::{UnixTime, UserName};
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread")]
async fn a_uri_on_standard_input_is_all_that_it_takes() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let uri = gate.uri("alice");
    let enrolled = machine.enrol(&uri).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    assert_eq!(enrolled.out[0]["unblocking_code"].as_str().unwrap().len(), 19);
    assert_eq!(enrolled.out[1]["state"], "active");
    assert_eq!(enrolled.out[1]["access_path"], "/staff");
    assert_eq!(gate.registrations()[0].name.as_str(), "alice");

    let again = machine.enrol(&uri).await;
    assert_eq!((again.code, again.error["code"].as_str()), (1, Some("refused")), "{again:?}");
    assert_eq!(gate.registrations().len(), 1);

    let modes = |name: &str| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(machine.dir.join(name)).unwrap().mode() & 0o777
    };
    assert_eq!((modes(""), modes("token"), modes("gates.json")), (0o700, 0o600, 0o600));
    let known = std::fs::read_to_string(machine.dir.join("gates.json")).unwrap();
    assert!(!known.contains("code"), "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_costs_nothing() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    for (uri, word) in [
        ("halfkey://gate.example/", "usage"),
        ("https://gate.example:4400/", "usage"),
        ("halfkey://gate.example:4400/", "usage"),
    ] {
        let bad = machine.enrol(uri).await;
        assert_eq!((bad.code, bad.error["code"].as_str()), (2, Some(word)), "{bad:?}");
    }
    assert!(!machine.dir.join("token").exists());

    let uri = gate.uri("alice");
    let pins = format!("{uri}\n{PIN}\n");
    let bad = machine.with_input(&["enrol", "-", "--pin", "-", "--set", "floor=third"], &pins).await;
    assert_eq!((bad.code, bad.error["code"].as_str()), (2, Some("form")), "{bad:?}");
    assert!(bad.error["error"].as_str().unwrap().contains("\"floor\" is of the wrong kind"), "{bad:?}");
    let good = machine.with_input(&["enrol", "-", "--pin", "-", "--set", "floor=3"], &pins).await;
    assert_eq!(good.code, 0, "{good:?}");
    assert_eq!(gate.registrations().len(), 1);

    // The anchor of an invitation to one gate is believed for that one alone.
    let stranger = Gate::new().await;
    let other = uri.replace("server=gate.example", "server=other.example");
    let refused = machine.enrol(&other).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    drop(stranger);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_operator_is_remembered() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let name = UserName::new("alice").unwrap();
    let uri = gate.bare_uri().with_name(name).reveal().unwrap().to_string();
    let waiting = machine.enrol(&uri).await;
    assert_eq!((waiting.code, &waiting.out[1]["state"]), (0, &"waiting".into()), "{waiting:?}");
    let again = machine.enrol(&uri).await;
    assert_eq!((again.code, &again.out[0]["state"]), (0, &"waiting".into()), "{again:?}");

    let child = machine.up(&[]).await;
    machine.linked("waiting").await;
    gate.inner.open.store(true, Ordering::Relaxed);
    gate.entitle(r#"{"name": "echo", "listen": "127.0.0.1:0"}"#, None).await;
    // The gate of this test decides by the kind of proof: a ticket is one.
    until("registered", 20, || async { gate.registrations().len() == 1 }).await;
    machine.connected().await;
    machine.listening("echo").await;
    machine.stop(child).await;
}

/// The operator's answer is in the store, whoever put it there.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_why_and_may_ask_again() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    let uri = gate.bare_uri().with_name(UserName::new("alice").unwrap()).reveal().unwrap().to_string();
    let decide = |answer| {
        let waiting = gate.store().run(&ListRequests::default(), UnixTime::now()).unwrap().entries;
        let ticket_id = waiting[0].ticket_id;
        gate.store().run(&DecideRequest { ticket_id, answer }, UnixTime::now()).unwrap();
    };
    assert_eq!(machine.enrol(&uri).await.out[1]["state"], "waiting");
    let child = machine.up(&[]).await;
    machine.linked("waiting").await;
    decide(RequestAnswer::Refused(RejectionCode::ProofNeeded));
    machine.linked("refused").await;
    let told = "the operator refuses: an activation code is needed";
    // It is told still, when there is nothing to ask for any more.
    until("asked again", 30, || async { machine.log().contains(told) }).await;
    for _ in 0..20 {
        let status = machine.status().await;
        let reason = status["gates"][0]["reason"].as_str().unwrap_or_default().to_owned();
        let link = &status["gates"][0]["link"];
        assert!(link != "waiting" && (link == "connecting" || reason.contains(told)), "{status}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    machine.stop(child).await;

    let again = machine.enrol(&uri).await;
    assert_eq!((again.code, &again.out[0]["state"]), (0, &"waiting".into()), "{again:?}");
    decide(RequestAnswer::Refused(RejectionCode::NameTaken));
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let refused = machine.run(&["enrol"]).await;
    assert_eq!((refused.code, refused.error["code"].as_str()), (1, Some("refused")), "{refused:?}");
    assert!(refused.error["error"].as_str().unwrap().contains("the name is taken"), "{refused:?}");
    let nothing = machine.run(&["enrol"]).await;
    assert_eq!(nothing.error["code"], "no-such", "{nothing:?}");
}
