//! Ways to the gate: through proxies.

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
async fn by_connect() {
    through(Proxy::http().await, "http").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_socks() {
    through(Proxy::socks().await, "socks5").await;
}
