//! A machine that changes its address, in namespaces of the network.

use crate::site::{LONG, Machine, Site, binary, init, port, scratch, skipped, until};
use std::process::Command;
use std::time::Duration;

/// Two namespaces with two cables between them, the first of which is plugged in.
struct Net {
    gates: String,
    user: String,
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in [&self.gates, &self.user] {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

fn sh(script: &str) -> bool {
    Command::new("sh").args(["-ec", script]).output().is_ok_and(|ran| ran.status.success())
}

impl Net {
    fn new() -> Option<Self> {
        let id = std::process::id();
        let net = Self { gates: format!("hkg{id}"), user: format!("hku{id}") };
        let Self { gates, user } = &net;
        let script = format!(
            "ip netns add {gates}; ip netns add {user}
            ip -n {gates} link set lo up; ip -n {user} link set lo up
            ip -n {gates} address add 10.77.0.1/32 dev lo
            for n in 1 2; do
                ip link add hg{id}$n netns {gates} type veth peer name hu{id}$n netns {user}
                ip -n {gates} address add 10.77.$n.1/24 dev hg{id}$n
                ip -n {gates} link set hg{id}$n up
            done"
        );
        sh(&script).then_some(net).filter(|net| net.plug(1))
    }

    /// Puts the user's machine at the end of a cable.
    fn plug(&self, n: u8) -> bool {
        let (user, link) = (&self.user, format!("hu{}{n}", std::process::id()));
        sh(&format!(
            "ip -n {user} address replace 10.77.{n}.2/24 dev {link}
            ip -n {user} link set {link} up
            ip -n {user} route replace default via 10.77.{n}.1"
        ))
    }

    fn unplug(&self, n: u8) {
        assert!(sh(&format!("ip -n {} link set hu{}{n} down", self.user, std::process::id())));
    }

    fn within(name: &str) -> Vec<String> {
        ["ip", "netns", "exec", name].map(str::to_owned).to_vec()
    }
}

#[test]
fn an_agent_that_changes_its_address_is_back_within_ten_seconds() {
    let Some(net) = Net::new() else { return skipped("this process may make no namespaces of the network") };
    binary("halfkey");
    let site = |name: &str| {
        let dir = scratch("net");
        std::fs::remove_dir(&dir).unwrap();
        init(&dir, name);
        let site = Site { dir, port: port(), operator: port(), within: Net::within(&net.gates) };
        site.edit(|text| {
            text.replace("[::]:4400", &format!("10.77.0.1:{}", site.port))
                .replace("127.0.0.1:4480", &format!("127.0.0.1:{}", site.operator))
        });
        site
    };
    let sites = [site("one.example"), site("two.example")];
    let _gates = sites.each_ref().map(Site::start);
    let alice = Machine { dir: scratch("net-alice"), within: Net::within(&net.user) };
    for site in &sites {
        until("the gate listens", LONG, || site.log().contains("listens"));
        let connect = format!("10.77.0.1:{}", site.port);
        let uri = site.admin(&["code", "issue", "alice", "--uri", "--connect", &connect]);
        let ran = alice.enrol(&uri);
        assert!(ran.status.success(), "{ran:?}");
    }
    let agent = alice.up();
    assert_eq!(alice.links().len(), 2);
    for n in [2, 1] {
        net.unplug(3 - n);
        assert!(net.plug(n));
        let before = std::fs::read_to_string(alice.dir.join("log")).unwrap().matches(" connected ").count();
        let back = || {
            let log = std::fs::read_to_string(alice.dir.join("log")).unwrap();
            log.matches(" connected ").count() >= before + 2
        };
        until("the agent is back at both gates", Duration::from_secs(10), back);
        alice.connected(Duration::from_secs(1));
    }
    drop(agent);
}
