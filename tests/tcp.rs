//! `issuer`, `tcp_server` and `tcp_client` as processes that are killed: at each message, and at any moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may panic"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// An example's program. `cargo test` builds them all; `cargo test --test tcp` does not.
fn program(name: &str) -> PathBuf {
    const NAMES: [&str; 5] = ["issuer", "tcp_server", "tcp_client", "custom_store", "hsm_token"];
    static BUILT: Once = Once::new();
    let here = std::env::current_exe().unwrap();
    let dir = here.parent().unwrap().parent().unwrap().join("examples");
    let path = |name: &str| dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    BUILT.call_once(|| {
        // Another test may have built some of them.
        if !NAMES.iter().all(|name| path(name).exists()) {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo).args(["build", "--quiet", "--examples"]).status().unwrap();
            assert!(built.success());
        }
    });
    path(name)
}

/// Runs an example to its end.
fn run(name: &str, words: &[&str]) -> Output {
    Command::new(program(name)).args(words).stdin(Stdio::null()).output().unwrap()
}

/// Runs an example to a good end.
fn ok(name: &str, words: &[&str]) {
    let output = run(name, words);
    assert!(output.status.success(), "{name} {words:?}: {output:?}");
}

/// A directory that goes when the test ends well.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tcp-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The four steps from no keys to a server with a certificate: files go from one directory to the other.
    fn certification(&self) -> [(&'static str, Vec<String>); 4] {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let (gate, issuer) = (&*self.of("gate"), &*self.of("issuer"));
        let (request, chain) = (&*self.of("gate/request.pem"), &*self.of("chain.pem"));
        [
            ("issuer", words(&["--dir", issuer, "init"])),
            ("tcp_server", words(&["--dir", gate, "--request"])),
            ("issuer", words(&["--dir", issuer, "certify", request, chain])),
            ("tcp_server", words(&["--dir", gate, "--certificate", chain])),
        ]
    }

    /// Has the issuer certify the server, unless it has.
    fn certify(&self) {
        if !Path::new(&self.of("gate/certificate.pem")).exists() {
            for (name, words) in self.certification() {
                ok(name, &words.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }

    fn of(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().into()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A server's process. Dropping it kills it as a power cut would, with no word to it.
struct Server {
    child: Child,
    address: String,
    said: Vec<String>,
}

impl Server {
    fn start(place: &Place, more: &[&str]) -> Self {
        place.certify();
        let mut child = Command::new(program("tcp_server"))
            .args(["--dir", &place.of("gate"), "--listen", "127.0.0.1:0"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines.next().expect("the server listens").unwrap();
            if let Some((_, address)) = line.split_once(" listens on ") {
                break address.to_owned();
            }
            said.push(line);
        };
        // A process that writes to a pipe without a reader blocks at some point.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, said }
    }

    /// Kills it and starts it again.
    fn restart(&mut self, place: &Place) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(place, &[]);
    }

    fn line(&self, start: &str) -> &str {
        self.said.iter().find_map(|line| line.strip_prefix(start)).expect("the server says so")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A token's directory, and the way to its server.
struct Holder<'p> {
    place: &'p Place,
    name: &'p str,
}

impl Holder<'_> {
    fn command(&self, address: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program("tcp_client"));
        command
            .args(["--dir", &self.place.of(self.name), "--anchor", &self.place.of("issuer/anchor.pem")])
            .args(["--pin", "2468", "--quick", "--connect", address])
            .args(words)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, server: &Server, words: &[&str]) -> Output {
        self.command(&server.address, words).output().unwrap()
    }

    /// Runs to a good end, and gives what was said.
    fn ok(&self, server: &Server, words: &[&str]) -> String {
        let output = self.run(server, words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, server: &Server, words: &[&str]) -> String {
        let output = self.run(server, words);
        assert!(!output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn register(&self, server: &Server, more: &[&str]) -> String {
        self.ok(server, &[&["register", "--name", self.name], more].concat())
    }

    /// The token has one registration, active, and nothing left to do.
    fn is_registered(&self, server: &Server) {
        let status = self.ok(server, &["status"]);
        let lines: Vec<_> = status.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(lines.len(), 1, "{status}");
        assert!(lines[0].contains(": active, user "), "{status}");
    }
}

#[test]
fn the_issuers_key_never_comes_to_the_server() {
    let place = Place::new("issuer");
    let (gate, other) = (place.of("gate"), place.of("other"));
    // Without the issuer's answer there is no server, and the error says what to do.
    ok("tcp_server", &["--dir", &gate, "--request"]);
    let refused = run("tcp_server", &["--dir", &gate, "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("request.pem"), "{refused:?}");
    let server = Server::start(&place, &[]);
    Holder { place: &place, name: "alice" }.register(&server, &[]);
    drop(server);

    let key = fs::read_to_string(place.of("issuer/key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    for entry in fs::read_dir(&gate).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.is_file(), "{path:?}");
        assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(secret), "{path:?}");
    }
    let issuers: Vec<_> =
        fs::read_dir(place.of("issuer")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!issuers.iter().any(|name| name == "kem-key.pem"), "{issuers:?}");

    // An answer to another server's request is refused, and changes nothing.
    ok("tcp_server", &["--dir", &other, "--request"]);
    let (request, chain) = (place.of("other/request.pem"), place.of("others.pem"));
    ok("issuer", &["--dir", &place.of("issuer"), "certify", &request, &chain]);
    let refused = run("tcp_server", &["--dir", &gate, "--certificate", &chain]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("other keys"), "{refused:?}");
    assert!(!Path::new(&place.of("gate/next-certificate.pem")).exists());
}

#[test]
fn both_keep_what_they_know_over_restarts() {
    let place = Place::new("restarts");
    fs::write(place.of("mail"), "one").unwrap();
    let mail = place.of("mail");
    let alice = Holder { place: &place, name: "alice" };

    let server = Server::start(&place, &["--entitle", "mail", &mail]);
    alice.register(&server, &[]);
    drop(server);

    let server = Server::start(&place, &[]);
    let said = alice.ok(&server, &["session", "--app", "mail"]);
    assert!(said.contains("the server says: it is me"), "{said}");
    assert!(said.contains("Installed"), "{said}");
    assert_eq!(fs::read_to_string(place.of("alice/mail.conf")).unwrap(), "one");
    drop(server);

    fs::write(&mail, "two").unwrap();
    let server = Server::start(&place, &["--entitle", "mail", &mail]);
    assert!(alice.ok(&server, &["configure", "mail"]).contains("Installed"));
    assert!(alice.ok(&server, &["configure", "mail"]).contains("Unchanged"));
    assert_eq!(fs::read_to_string(place.of("alice/mail.conf")).unwrap(), "two");
    alice.ok(&server, &["renew", "--name", "alice"]);
    drop(server);

    let server = Server::start(&place, &["--withdraw", "mail"]);
    assert!(alice.ok(&server, &["configure", "mail", "--location", "home"]).contains("Removed"));
    assert!(!Path::new(&place.of("alice/mail.conf")).exists());
    alice.is_registered(&server);
    drop(server);

    let server = Server::start(&place, &["--revoke", "alice"]);
    assert!(alice.fails(&server, &["session"]).contains("revoked"));
    // The token remembers it, and a dead key is in nobody's way.
    assert!(alice.ok(&server, &["status"]).contains(": revoked, user "));
    let other = alice.ok(&server, &["register", "--name", "alice.b"]);
    assert!(other.contains("registered as ") && !other.contains("already"), "{other}");
    assert!(!alice.ok(&server, &["status"]).contains("revoked"));
    let other = Holder { place: &place, name: "other" };
    assert!(other.fails(&server, &["register", "--name", "alice"]).contains("the name is taken"));
}

#[test]
fn a_token_killed_at_any_message_ends_up_with_one_active_registration() {
    let place = Place::new("messages");
    let mut server = Server::start(&place, &[]);
    let moments =
        ["before-R0", "after-R1", "before-R2", "after-R2", "after-R3", "before-R4", "after-R4", "after-R5"];
    for restarted in [false, true] {
        for moment in moments {
            let name = format!("{moment}-{restarted}").to_lowercase();
            let holder = Holder { place: &place, name: &name };
            let died = holder.run(&server, &["register", "--name", &name, "--die", moment]);
            assert!(!died.status.success());
            assert!(String::from_utf8_lossy(&died.stderr).contains("dying"), "{moment}: {died:?}");
            if restarted {
                // The offer's ephemeral key is gone: only an R2 that was answered still counts.
                server.restart(&place);
            }
            holder.register(&server, &[]);
            holder.is_registered(&server);
            assert!(holder.ok(&server, &["session"]).contains("it is me"), "{moment}");
        }
    }
    // Of a session too, and the alias that it would have brought.
    let holder = Holder { place: &place, name: "sessions" };
    holder.register(&server, &[]);
    for moment in ["after-S0", "after-S1", "before-S2", "after-S2", "after-S3"] {
        let died = holder.run(&server, &["session", "--die", moment]);
        assert!(!died.status.success(), "{moment}");
        assert!(holder.ok(&server, &["session"]).contains("it is me"), "{moment}");
    }
    for moment in ["before-R2", "after-R2", "before-R4", "after-R4"] {
        let died = holder.run(&server, &["renew", "--name", "sessions", "--die", moment]);
        assert!(!died.status.success(), "{moment}");
        holder.ok(&server, &["resume"]);
        holder.is_registered(&server);
    }
}

#[test]
fn the_first_session_settles_what_r4_left_open() {
    let place = Place::new("first-session");
    let server = Server::start(&place, &[]);
    let alice = Holder { place: &place, name: "alice" };
    alice.run(&server, &["register", "--name", "alice", "--die", "before-R4"]);
    alice.ok(&server, &["session"]);
    alice.is_registered(&server);
}

#[test]
fn codes_and_waiting_outlive_restarts() {
    let place = Place::new("codes");
    let (alice, bob) = (Holder { place: &place, name: "alice" }, Holder { place: &place, name: "bob" });
    let server = Server::start(&place, &["--closed", "--activation", "Alice"]);
    let code = server.line("activation code for alice: ").to_owned();
    drop(server);
    let server = Server::start(&place, &["--closed"]);
    assert!(bob.fails(&server, &["register", "--name", "bob"]).contains("activation code is needed"));
    let wrong = bob.fails(&server, &["register", "--name", "bob", "--code", &code]);
    assert!(wrong.contains("no reason given"), "{wrong}");
    alice.register(&server, &["--code", &code.to_lowercase()]);
    alice.is_registered(&server);
    drop(server);

    let server = Server::start(&place, &["--wait"]);
    assert!(bob.register(&server, &[]).contains("ask again in"));
    drop(server);
    std::thread::sleep(Duration::from_millis(1100));
    let server = Server::start(&place, &["--wait"]);
    assert!(bob.register(&server, &[]).contains("registered as"));
    bob.is_registered(&server);
}

/// Kills both at moments of the clock's choosing, again and again.
#[test]
fn killed_at_any_moment() {
    let place = Place::new("any-moment");
    // Each step of the set-up is cut short, wherever that is, and done again.
    for (name, words) in place.certification() {
        for milliseconds in [1, 5, 30, 150, 600] {
            let mut step = Command::new(program(name))
                .args(&words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(milliseconds));
            step.kill().unwrap();
            step.wait().unwrap();
        }
        ok(name, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut server = Server::start(&place, &[]);
    let begun = Instant::now();
    let whole = Holder { place: &place, name: "whole" };
    whole.register(&server, &[]);
    let usual = u32::try_from(begun.elapsed().as_millis()).unwrap();
    for round in 0..8 {
        let name = format!("user-{round}");
        let holder = Holder { place: &place, name: &name };
        let milliseconds = usual * (round + 2) / 10;
        let mut child = holder
            .command(&server.address, &["register", "--name", &name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
        if round % 2 == 0 {
            child.kill().unwrap();
        }
        server.restart(&place);
        child.wait().unwrap();
        holder.register(&server, &[]);
        holder.is_registered(&server);
        holder.ok(&server, &["session"]);
    }
    whole.ok(&server, &["session"]);
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let place = Place::new("shared");
    let server = Server::start(&place, &[]);
    let second = run("tcp_server", &["--dir", &place.of("gate")]);
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use"), "{second:?}");
    drop(server);
}

#[test]
fn the_small_examples_end_well() {
    for name in ["custom_store", "hsm_token"] {
        let output = Command::new(program(name)).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn hostile_streams_leave_the_server_serving() {
    let place = Place::new("hostile");
    let server = Server::start(&place, &[]);
    let connect = || {
        let stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    };
    let gone = |mut stream: TcpStream| {
        let mut rest = Vec::new();
        // The end, or a reset where bytes of ours were not read.
        let _ = stream.read_to_end(&mut rest);
        rest
    };
    for bytes in [&[0, 0, 0, 0][..], &[0xFF; 64], &[0, 1, 0, 1, 7], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = connect();
        stream.write_all(bytes).unwrap();
        assert_eq!(gone(stream), [], "{bytes:?}");
    }
    // A frame of nonsense is refused, once, and the connection goes on.
    let mut stream = connect();
    for _ in 0..3 {
        stream.write_all(&[0, 0, 0, 2, 0xA0, 0x00]).unwrap();
        let mut refusal = [0; 9];
        stream.read_exact(&mut refusal[..4]).unwrap();
        let length = usize::from(refusal[3]);
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0xA2, 0x00, 0x06, 0x01, 0x00]);
    }
    // More connections than one address may have: the last ones are told `busy` and sent away, the others stay.
    let crowd: Vec<_> = (0..40).map(|_| connect()).collect();
    let busy = [0, 0, 0, 5, 0xA2, 0x00, 0x06, 0x01, 0x02];
    assert_eq!(gone(crowd.into_iter().next_back().unwrap()), busy);
    drop(stream);
    // When it has noticed that they are gone.
    let alice = Holder { place: &place, name: "alice" };
    let until = Instant::now() + Duration::from_secs(60);
    while !alice.run(&server, &["register", "--name", "alice"]).status.success() {
        assert!(Instant::now() < until, "nobody is served any more");
    }
    alice.is_registered(&server);
}
