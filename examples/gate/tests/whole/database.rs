//! Several gates over one database, and a database that moves to another machine.

use crate::faults::{echo, enrol_at_last};
use crate::sections;
use crate::server::Server;
use crate::site::{LONG, Machine, SLACK, SOON, Site, Web, copy, port, reached, scratch, until};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

/// Gates of one name and one master secret, over one database.
fn gates(store: &str) -> [Site; 2] {
    let one = Site::over(scratch("one"), store);
    one.admin(&["init"]);
    let two = Site { dir: scratch("two"), port: port(), operator: port(), within: Vec::new() };
    copy(&one.dir, &two.dir);
    let ports = |site: &Site| [site.port, site.operator].map(|port| format!(":{port}"));
    two.edit(|text| {
        let pairs = ports(&one).into_iter().zip(ports(&two));
        pairs.fold(text, |text, (old, new)| text.replace(&old, &new))
    });
    [one, two]
}

#[test]
fn gates_over_one_database_are_equal() {
    let Some(postgres) = Server::new() else { return };
    let name = postgres.database().rsplit_once("dbname=").unwrap().1.to_owned();
    let [one, two] = gates(&format!("postgres://postgres@127.0.0.1:{}/{name}", postgres.port()));
    let (web, wiki, other) = (Web::new(), port(), port());
    let services =
        [("wiki", &*web.upstream(), wiki), ("echo", &format!("tcp = \"127.0.0.1:{}\"", echo()), other)];
    one.serve(&services);
    two.upstreams(&services);
    let (gate, _gate) = (one.run(), two.run());

    // Registered at the one, it opens sessions at the other.
    let alice = one.enrolled("alice");
    let gates = alice.dir.join("gates.json");
    let text = std::fs::read_to_string(&gates).unwrap();
    assert!(text.contains(&one.port.to_string()));
    std::fs::write(&gates, text.replace(&one.port.to_string(), &two.port.to_string())).unwrap();
    drop(gate);
    let agent = alice.up();
    until("the wiki is reached by the other gate", LONG, || reached(wiki));
    let gate = one.run();
    let bob = one.enrolled("bob");

    // What the operator does takes effect at both.
    let bobs = bob.up();
    one.entitle(&services[..1]);
    let listens = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
    until("one service is left", SOON + SLACK, || !listens(other) && reached(wiki));
    one.admin(&["suspend", "alice", "bob"]);
    let refused = |machine: &Machine| machine.links().values().all(|link| link == "refused");
    until("both are out", SOON + SLACK, || refused(&alice) && refused(&bob));
    two.admin(&["resume", "alice", "bob"]);
    drop((agent, bobs));
    drop((alice.up(), bob.up()));
    drop(gate);
}

#[test]
fn a_standby_takes_over_with_every_enrolment_that_was_acknowledged() {
    let (Some(primary), Some(standby)) = (Server::new(), Server::empty()) else { return };
    let of = |server: &Server| format!("host={} port={} user=postgres", server.host(), server.port());
    let (db1, db2) = (of(&primary), of(&standby));
    let guide = |mark: &str| {
        let variables = [("db1", &*db1), ("db2", &*db2)];
        standby.shell(&sections::script("## 6.", &format!("sh {mark}")), &variables);
    };
    primary.shell(&format!("psql \"{db1} dbname=postgres\" -c 'CREATE DATABASE halfkey'"), &[]);
    let both = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/halfkey?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    );
    let site = Site::over(scratch("failover"), &both);
    site.admin(&["init"]);
    let (web, wiki) = (Web::new(), port());
    site.serve(&[("wiki", &web.upstream(), wiki)]);
    guide("standby");
    standby.start();
    guide("synchronous");
    let _gate = site.run();
    let alice = site.enrolled("alice");
    let _agent = alice.up();
    until("the wiki is reached", LONG, || reached(wiki));

    let users: Vec<_> = (0..4).map(|n| format!("user{n}")).collect();
    let enrolments: Vec<_> = users.iter().map(|user| (site.machine(user), site.uri(user))).collect();
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, stop) = (&done, &stop);
    scope(|scope| {
        let fetches = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                reached(wiki);
            }
        });
        let workers: Vec<_> = enrolments
            .chunks(2)
            .map(|own| {
                scope.spawn(move || {
                    for (machine, uri) in own {
                        enrol_at_last(machine, uri);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        until("one is enrolled", LONG, || done.load(Ordering::Relaxed) > 0);
        primary.kill();
        sleep(Duration::from_millis(500));
        guide("failover");
        guide("alone");
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        until("the wiki is reached again", LONG, || reached(wiki));
        stop.store(true, Ordering::Relaxed);
        fetches.join().unwrap();
    });
    for (machine, _) in &enrolments {
        drop(machine.up());
    }
    alice.connected(LONG);
}
