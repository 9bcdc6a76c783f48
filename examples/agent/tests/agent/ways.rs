//! Ways to the gate: through proxies, and from another machine.

use crate::agent::{Machine, echo};
use crate::gate::Gate;
use crate::proxy::Proxy;
use std::sync::atomic::Ordering;

const ECHO: &str = r#"{"name": "echo", "listen": "127.0.0.1:0"}"#;

async fn through(proxy: Proxy, scheme: &str) {
    let (gate, mut machine) = (Gate::new().await, Machine::new());
    gate.entitle(ECHO, None).await;
    let uri = gate.uri("alice");
    machine.proxy = Some(format!("{scheme}://{}", proxy.address));
    let refused = machine.enrol(&uri).await;
    assert_eq!((refused.code, refused.error["code"].as_str()), (3, Some("unreachable")), "{refused:?}");
    assert!(refused.error["error"].as_str().unwrap().contains("the proxy"), "{refused:?}");
    assert_eq!(proxy.count.load(Ordering::Relaxed), 0);

    machine.proxy = Some(format!("{scheme}://alice:p@ss@{}", proxy.address));
    let enrolled = machine.enrol(&uri).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    let child = machine.up(&[]).await;
    let address = machine.listening("echo").await;
    echo(&address, &[b'x'; 200_000]).await;
    assert!(proxy.count.load(Ordering::Relaxed) >= 3);
    machine.stop(child).await;
    assert!(!machine.log().contains("p@ss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn from_another_machine() {
    let (gate, old, mut new) = (Gate::new().await, Machine::new(), Machine::new());
    gate.entitle(ECHO, None).await;
    assert_eq!(old.enrol(&gate.uri("alice")).await.code, 0);
    let file = old.dir.join("moved");
    let file = file.to_str().unwrap();
    let give = ["move", "--to", file, "--pin", "-"];
    let short = old.with_input(&give, "2468\nshort\n").await;
    assert_eq!((short.code, short.error["code"].as_str()), (2, Some("usage")), "{short:?}");
    let given = old.with_input(&give, "2468\ncorrect horse battery\n").await;
    assert_eq!(given.code, 0, "{given:?}");
    let again = old.with_input(&give, "2468\ncorrect horse battery\n").await;
    assert_eq!((again.code, again.error["code"].as_str()), (2, Some("usage")), "{again:?}");

    let take = ["move", "--from", file, "--pin", "-"];
    let wrong = new.with_input(&take, "wrong horse battery\n13579\n").await;
    assert_eq!((wrong.code, wrong.error["code"].as_str()), (1, Some("wrong-pin")), "{wrong:?}");
    assert!(!new.dir.join("token").exists());
    let taken = new.with_input(&take, "correct horse battery\n13579\n").await;
    assert_eq!(taken.code, 0, "{taken:?}");
    new.pin = "13579".into();

    // Until the new machine has been connected, the old one is good.
    let child = old.up(&[]).await;
    old.connected().await;
    old.stop(child).await;
    let child = new.up(&[]).await;
    new.connected().await;
    let address = new.listening("echo").await;
    echo(&address, b"hello").await;
    assert_eq!(gate.registrations().len(), 2);
    let retired = old.up(&[]).await;
    old.linked("refused").await;
    old.stop(retired).await;
    new.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_connect() {
    through(Proxy::http().await, "http").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_socks() {
    through(Proxy::socks().await, "socks5").await;
}
