//! The token: PINs, renewals, and gates that are forgotten.

use crate::agent::{Machine, echo, until};
use crate::gate::Gate;
use halfkey::UnixTime;
use halfkey::policy::Policy;
use halfkey::record::Lifecycle;
use halfkey::store::operation::Revoke;

const ECHO: &str = r#"{"name": "echo", "listen": "127.0.0.1:0"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_costs_a_try_and_the_last_one_blocks() {
    let (gate, mut machine) = (Gate::new().await, Machine::new());
    let enrolled = machine.enrol(&gate.uri("alice")).await;
    let code = enrolled.out[0]["unblocking_code"].as_str().unwrap().to_owned();
    machine.pin = "1111".into();
    for left in (1..5).rev() {
        let wrong = machine.run(&["up"]).await;
        assert_eq!((wrong.code, wrong.error["code"].as_str()), (1, Some("wrong-pin")), "{wrong:?}");
        assert_eq!(machine.status().await["tries_left"], left);
    }
    let blocked = machine.run(&["up"]).await;
    assert_eq!((blocked.code, blocked.error["code"].as_str()), (1, Some("blocked")), "{blocked:?}");
    machine.pin = "2468".into();
    let blocked = machine.run(&["renew"]).await;
    assert_eq!((blocked.code, blocked.error["code"].as_str()), (1, Some("blocked")), "{blocked:?}");

    let wrong = machine.with_input(&["pin", "--unblock", "--pin", "-"], "0000-0000-0000-0000\n1357\n").await;
    assert_eq!((wrong.code, wrong.error["code"].as_str()), (1, Some("wrong-pin")), "{wrong:?}");
    let opened = machine.with_input(&["pin", "--unblock", "--pin", "-"], &format!("{code}\n1357\n")).await;
    assert_eq!(opened.code, 0, "{opened:?}");
    machine.pin = "1357".into();
    let changed = machine.with_input(&["pin", "--pin", "-"], "1357\n97531\n").await;
    assert_eq!(changed.code, 0, "{changed:?}");
    machine.pin = "97531".into();
    let child = machine.up(&[]).await;
    machine.connected().await;
    machine.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_that_runs_does_what_other_commands_ask() {
    let (gate, mut machine) = (Gate::new().await, Machine::new());
    assert_eq!(machine.enrol(&gate.uri("alice")).await.code, 0);
    gate.entitle(ECHO, None).await;
    let none = machine.with_input(&["stop"], "").await;
    assert_eq!((none.code, none.error["code"].as_str()), (1, Some("not-running")), "{none:?}");
    let child = machine.up(&[]).await;
    machine.connected().await;
    let second = machine.run(&["up"]).await;
    assert_eq!((second.code, second.error["code"].as_str()), (1, Some("running")), "{second:?}");

    let before = machine.status().await["gates"][0]["key_id"].clone();
    let renewed = machine.with_input(&["renew"], "").await;
    assert_eq!((renewed.code, &renewed.out[0]["server"]), (0, &"gate.example".into()), "{renewed:?}");
    machine.connected().await;
    assert_ne!(machine.status().await["gates"][0]["key_id"], before);
    let states: Vec<_> = gate.registrations().into_iter().map(|one| one.lifecycle).collect();
    let superseded = states.iter().any(|state| matches!(state, Lifecycle::Superseded));
    let active = states.iter().any(|state| matches!(state, Lifecycle::Active));
    assert!(superseded && active, "{states:?}");
    let address = machine.listening("echo").await;
    echo(&address, b"hello").await;

    let wrong = machine.with_input(&["pin", "--pin", "-"], "1111\n97531\n").await;
    assert_eq!((wrong.code, wrong.error["code"].as_str()), (1, Some("wrong-pin")), "{wrong:?}");
    let changed = machine.with_input(&["pin", "--pin", "-"], "2468\n97531\n").await;
    assert_eq!(changed.code, 0, "{changed:?}");
    machine.pin = "97531".into();

    let other = machine.with_input(&["forget", "other.example"], "").await;
    assert_eq!((other.code, other.error["code"].as_str()), (1, Some("no-such")), "{other:?}");
    let forgotten = machine.with_input(&["forget"], "").await;
    assert_eq!((forgotten.code, &forgotten.out[0]["server"]), (0, &"gate.example".into()), "{forgotten:?}");
    assert_eq!(machine.status().await["gates"], serde_json::json!([]));
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
    machine.stop(child).await;
    let nothing = machine.run(&["renew"]).await;
    assert_eq!((nothing.code, nothing.error["code"].as_str()), (1, Some("no-such")), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_renews_itself_before_it_expires() {
    let gate = Gate::with(Policy { lifetime: Some(9), ..Policy::default() }).await;
    let machine = Machine::new();
    assert_eq!(machine.enrol(&gate.uri("alice")).await.code, 0);
    let child = machine.up(&[]).await;
    machine.connected().await;
    until("renewed twice", 30, || async { gate.registrations().len() >= 3 }).await;
    machine.connected().await;
    machine.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_opens_nothing() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    assert_eq!(machine.enrol(&gate.uri("alice")).await.code, 0);
    gate.entitle(ECHO, None).await;
    let child = machine.up(&[]).await;
    let address = machine.listening("echo").await;
    gate.store().run(&Revoke(gate.registrations()[0].key_id), UnixTime::now()).unwrap();
    gate.kill().await;
    gate.start().await;
    machine.linked("refused").await;
    until("closed", 10, || async { tokio::net::TcpStream::connect(&address).await.is_err() }).await;
    assert!(machine.status().await["gates"][0]["reason"].as_str().unwrap().contains("revoked"));
    machine.stop(child).await;
}
