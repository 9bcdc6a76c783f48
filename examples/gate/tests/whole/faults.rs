//! Whatever goes wrong: processes that are killed, disks that are full, application servers that are slow.

use crate::site::{LONG, Machine, Running, SLACK, SOON, Site, Web, port, reached, scratch, skipped, until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

/// Enrols as a person does who tries again.
pub fn enrol_at_last(machine: &Machine, uri: &str) {
    let begun = Instant::now();
    loop {
        let ran = machine.enrol(uri);
        // The answer to the one before may have been lost.
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        if ran.status.success() || said.contains("registered already") {
            return;
        }
        assert!(begun.elapsed() < LONG, "{}: {said}", machine.dir.display());
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_gate_that_is_killed_under_load_loses_no_enrolment() {
    let (site, web, wiki) = (Site::new("killed"), Web::new(), port());
    site.serve(&[("wiki", &web.upstream(), wiki)]);
    let mut gate = site.run();
    let alice = site.enrolled("alice");
    let _agent = alice.up();
    until("the wiki is reached", LONG, || reached(wiki));
    let users: Vec<_> = (0..6).map(|n| format!("user{n}")).collect();
    let enrolments: Vec<_> = users.iter().map(|user| (site.machine(user), site.uri(user))).collect();
    scope(|scope| {
        let workers: Vec<_> = enrolments
            .chunks(2)
            .map(|own| scope.spawn(move || own.iter().for_each(|(machine, uri)| enrol_at_last(machine, uri))))
            .collect();
        for _ in 0..3 {
            // While somebody fetches pages as well.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(900) {
                reached(wiki);
            }
            gate.kill();
            sleep(Duration::from_millis(300));
            gate = site.run();
        }
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    until("alice's agent is back by itself", Duration::from_secs(10), || reached(wiki));
    for (machine, _) in &enrolments {
        drop(machine.up());
    }
    let list = site.admin(&["list", "--json"]);
    let active = |user: &String| {
        let name = format!("\"name\":\"{user}\"");
        list.lines().filter(|line| line.contains(&name) && line.contains("\"state\":\"active\"")).count()
    };
    assert!(users.iter().all(|user| active(user) == 1), "{list}");
    drop(gate);
}

/// A connection through an agent's listener, to which somebody answers.
fn open(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn echoes(mut stream: &TcpStream, text: &str) -> bool {
    let mut back = vec![0; text.len()];
    stream.write_all(text.as_bytes()).is_ok()
        && stream.read_exact(&mut back).is_ok()
        && back == text.as_bytes()
}

/// An application server that says back what it is told.
pub fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        for stream in listener.incoming() {
            spawn(move || {
                let (mut read, mut write) = (stream.as_ref().unwrap(), stream.as_ref().unwrap());
                let _ = std::io::copy(&mut read, &mut write);
                let _ = write.shutdown(Shutdown::Write);
            });
        }
    });
    port
}

fn tcp(port: u16) -> String {
    format!("tcp = \"127.0.0.1:{port}\"")
}

#[test]
fn an_agent_that_is_killed_while_it_forwards_is_up_again() {
    let (site, at) = (Site::new("agent"), port());
    site.serve(&[("echo", &tcp(echo()), at)]);
    let _gate = site.run();
    let alice = site.enrolled("alice");
    for _ in 0..2 {
        let mut agent = alice.up();
        until("the agent listens", LONG, || TcpStream::connect(("127.0.0.1", at)).is_ok());
        let stream = open(at);
        assert!(echoes(&stream, "hello"));
        agent.kill();
        assert!(!echoes(&stream, "anybody there?"));
        until("the gate notices", LONG, || site.metric("halfkey_gate_connections") < 1.0);
    }
}

#[test]
fn an_application_server_may_be_slow_and_close_one_way_first() {
    let (site, at) = (Site::new("slow"), port());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    site.serve(&[("slow", &tcp(listener.local_addr().unwrap().port()), at)]);
    let serves = spawn(move || {
        // Before that somebody has looked whether the agent listens.
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            for byte in b"good morning" {
                sleep(Duration::from_millis(50));
                if stream.write_all(&[*byte]).is_err() {
                    break;
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            if !all.is_empty() {
                return all;
            }
        }
        unreachable!()
    });
    let _gate = site.run();
    let alice = site.enrolled("alice");
    let _agent = alice.up();
    until("the agent listens", LONG, || TcpStream::connect(("127.0.0.1", at)).is_ok());
    let (mut stream, mut greeting) = (open(at), String::new());
    stream.read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "good morning");
    // A megabyte the other way, after that way's end.
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n.to_be_bytes()[3]).collect();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(serves.join().unwrap() == sent);
}

/// A file system of memory, of little room.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn new(at: &'a Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        let ran = mount.args(["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"]).arg(at).output();
        ran.is_ok_and(|ran| ran.status.success()).then_some(Self(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_gate_whose_disk_is_full_says_busy_and_goes_on_when_there_is_room() {
    let dir = scratch("full");
    let store = dir.join("gate");
    let Some(small) = Small::new(&store) else { return skipped("this process may not mount") };
    let (site, at) = (Site::over(dir.clone(), "store.db"), port());
    site.serve(&[("echo", &tcp(echo()), at)]);
    let gate = site.run();
    let alice = site.enrolled("alice");
    let _agent = alice.up();
    until("the agent listens", LONG, || TcpStream::connect(("127.0.0.1", at)).is_ok());
    let stream = open(at);
    assert!(echoes(&stream, "hello"));
    let (bob, uri) = (site.machine("bob"), site.uri("bob"));

    let mut filler = fs::File::create(store.join("filler")).unwrap();
    while filler.write_all(&[0; 512]).is_ok() {}
    drop(filler);
    // What is left in the pages that the store has already.
    let mut issued = 0;
    while site.try_admin(&["code", "issue", &format!("nobody{issued}")]).is_ok() {
        issued += 1;
        assert!(issued < 1000);
    }
    let refused = bob.enrol(&uri);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("busy"), "{refused:?}");
    // However often they try, attempts do not pile up.
    for _ in 0..5 {
        assert!(!bob.enrol(&uri).status.success());
    }
    assert!(fs::metadata(bob.dir.join("token")).unwrap().len() < 20_000, "attempts pile up");
    assert!(echoes(&stream, "still there"), "a session that was open");
    assert!(site.page("/healthz").unwrap().ends_with("well\n"));

    fs::remove_file(store.join("filler")).unwrap();
    enrol_at_last(&bob, &uri);
    drop(bob.up());
    assert!(echoes(&open(at), "a new session"));
    drop((gate, site, small));
}

#[test]
fn a_gate_drains_when_it_is_stopped_and_takes_a_new_certificate() {
    let (site, at) = (Site::new("signals"), port());
    site.serve(&[("echo", &tcp(echo()), at)]);
    let mut gate = site.run();
    let alice = site.enrolled("alice");
    let _agent = alice.up();
    until("the agent listens", LONG, || TcpStream::connect(("127.0.0.1", at)).is_ok());

    let path = |name: &str| site.dir.join(name).to_str().unwrap().to_owned();
    let (issuer, request) = (path("issuer"), path("gate/request.pem"));
    let certify = ["issuer", "--dir", &issuer, "certify", &request, "--valid-for", "730d", "--out"];
    site.admin(&[&certify[..], &[&path("gate/next-certificate.pem")]].concat());
    let stream = open(at);
    assert!(echoes(&stream, "before"));
    gate.signal("HUP");
    let days = || site.metric("halfkey_gate_certificate_days_left");
    until("the certificate is the new one", SOON + SLACK, || days() > 700.0);
    assert!(echoes(&stream, "after"), "a session goes on");
    let _bob = site.enrolled("bob");

    gate.signal("TERM");
    until("nobody is let in", SOON, || !site.page("/readyz").is_some_and(|page| page.contains(" 200 ")));
    assert!(echoes(&stream, "during"), "a session goes on for a while");
    let begun = Instant::now();
    let ended = gate.0.wait().unwrap();
    assert!(ended.success() && begun.elapsed() < Duration::from_secs(4), "{ended:?}, {}", site.log());
    assert!(!echoes(&stream, "afterwards"));
    let _gate: Running = site.run();
    alice.connected(Duration::from_secs(10));
}

#[test]
fn a_wrong_pin_is_refused_until_the_token_is_blocked() {
    let site = Site::new("pin");
    let _gate = site.run();
    let alice = site.machine("alice");
    let ran = alice.ask(&["enrol", "-", "--pin", "-"], &format!("{}2468\n", site.uri("alice")));
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout).unwrap();
    let code = said.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap();
    for _ in 0..5 {
        assert_eq!(alice.ask(&["up", "--pin", "-"], "1111\n").status.code(), Some(1));
    }
    let ran = alice.ask(&["up", "--pin", "-"], "2468\n");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("blocked"), "{ran:?}");
    let ran = alice.ask(&["pin", "--unblock", "--pin", "-"], &format!("{code}\n1357\n"));
    assert!(ran.status.success(), "{ran:?}");
    let ran = alice.ask(&["renew", "--pin", "-"], "1357\n");
    assert!(ran.status.success(), "{ran:?}");
}
