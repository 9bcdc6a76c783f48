//! A token in a file, whose process is killed (SIGKILL) at any moment, again and again. Every change that it
//! acknowledged is there afterwards, no change is there in part, and the run in progress can go on.
//!
//! ```text
//! HALFKEY_KILLS=1000 cargo test --release --test token_crash -- --nocapture
//! ```
//!
//! A kill leaves the operating system's caches alone, unlike the loss of power: that what is
//! acknowledged was synchronised first is seen in the calls that are made.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test may panic"
)]

#[path = "token_crash/child.rs"]
mod child;
#[path = "token_crash/device.rs"]
mod device;
#[cfg(unix)]
#[path = "token_crash/failing.rs"]
mod failing;
#[path = "token_crash/model.rs"]
mod model;
#[path = "token_crash/server.rs"]
mod server;

use child::{Dice, Life, PINS, word};
use model::Model;
use server::Gate;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Kills of one token before it makes room for a blank one, whose making is under fire as well.
const LIVES: u64 = 25;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Entry to the process that is killed; a test only in name.
#[test]
#[ignore = "is started by the tests here"]
fn child_process() {
    match word("PART").as_str() {
        "live" => {
            let mut life = Life::begin();
            life.list("begun");
            life.recover();
            while word("LAST").is_empty() {
                life.live();
            }
        }
        other => device::part(other),
    }
}

/// This very program again, as the process that is killed.
fn child(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_process", "--ignored", "--nocapture", "--quiet"]);
    command.env("HALFKEY_CHILD_PART", part);
    command
}

/// An empty directory of this process alone, gone when the test ends well.
struct Directory(PathBuf);

fn directory(name: &str) -> Directory {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let (process, made) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let directory = Directory(
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-crash-{process}-{made}-{name}")),
    );
    directory.remove();
    fs::create_dir_all(&directory).unwrap();
    directory
}

impl Directory {
    fn remove(&self) {
        // A test may have left it while nobody could write there.
        #[cfg(unix)]
        let _ = fs::set_permissions(self, std::os::unix::fs::PermissionsExt::from_mode(0o755));
        let _ = fs::remove_dir_all(self);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.remove();
        }
    }
}

impl Deref for Directory {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Directory {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

struct Hunt {
    gate: std::sync::Arc<Gate>,
    dir: Directory,
    dice: Dice,
    model: Model,
    newest: u64,
    /// Duration of a registration.
    pace: Duration,
}

impl Hunt {
    /// One life of the token's process; with `kill` it is cut short.
    fn life(&mut self, kill: bool) {
        let file = self.dir.join("token");
        if self.model.code.is_none() {
            // No user received its unblocking code, so a new token is made; the file is whole, or absent.
            if file.exists() {
                let quick = halfkey::software::PinSettings::for_tests();
                let token =
                    halfkey::software::SoftwareToken::open(&file, quick, Box::new(halfkey::SystemRandom));
                token.unwrap().unlock(&PINS[0].into()).unwrap();
                fs::remove_file(&file).unwrap();
            }
            self.model.pins = vec![PINS[0].into()];
        }
        let mut command = child("live");
        for (name, value) in [
            ("FILE", file.to_str().unwrap()),
            ("ADDRESS", &self.gate.address),
            ("ANCHORS", &self.gate.anchors.as_slice()[0].to_pem().unwrap()),
            ("SEED", &self.dice.below(u64::MAX).to_string()),
            ("PINS", &self.model.pins.join(",")),
            ("CODE", self.model.code.as_deref().unwrap_or_default()),
            ("LAST", if kill { "" } else { "yes" }),
        ] {
            command.env(format!("HALFKEY_CHILD_{name}"), value);
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        // So many beginnings and ends, early ones more often than late, and so many microseconds; in
        // half of the lives a registration has then begun, and not had the time to end.
        let bound = 1 + self.dice.below(24);
        let (moments, registering) = (self.dice.below(bound), self.dice.below(2) == 0);
        let (mut heard, mut began) = (0, None);
        while kill && (heard < moments || (registering && began.is_none())) {
            let Some(line) = lines.next() else { panic!("the token's process ended by itself") };
            heard += u64::from(self.hear(&line));
            if line.starts_with("@ will register") || line.starts_with("@ will renew") {
                began = Some(Instant::now());
            } else if let Some(began) = began.take_if(|_| line.starts_with("@ did")) {
                self.pace = began.elapsed();
            }
        }
        let pace = self.pace.as_micros() as u64;
        let bound = if moments == 0 { 40_000 } else { (pace * 5 / 4).max(1) };
        let delay = Duration::from_micros(self.dice.below(bound));
        if kill {
            std::thread::sleep(delay);
            process.kill().unwrap();
        }
        // Its output before it died counts.
        for line in lines {
            self.hear(&line);
        }
        let status = process.wait().unwrap();
        assert!(if kill { status.code().is_none() } else { status.success() }, "{status}");
        for name in names(&self.dir) {
            assert!(["token", "token.lock", "token.new"].contains(&name.as_str()), "{name}");
        }
    }

    fn hear(&mut self, line: &str) -> bool {
        let Some(line) = line.strip_prefix("@ ") else { return false };
        let moment = self.model.hear(line, self.newest);
        if line.starts_with("did configure") {
            self.newest = self.gate.entitle();
        }
        moment
    }
}

#[test]
fn killed_at_any_moment() {
    let kills = number("HALFKEY_KILLS", 40);
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("HALFKEY_SEED", clock.as_nanos() as u64);
    println!("seed {seed}");
    let (mut done, mut resumed, mut swallowed) = (BTreeMap::<String, u64>::new(), 0, 0);
    let mut hunt = Hunt {
        gate: Gate::open(),
        dir: directory("live"),
        dice: Dice(seed),
        model: Model::default(),
        newest: 1,
        pace: Duration::from_millis(20),
    };
    let mut killed = 0;
    while killed < kills {
        (hunt.dir, hunt.model) = (directory("live"), Model::default());
        for _ in 0..LIVES.min(kills - killed) {
            hunt.life(true);
            killed += 1;
        }
        hunt.life(false);
        assert_eq!(names(&hunt.dir), ["token", "token.lock"]);
        assert_eq!(hunt.gate.unfinished(), 0, "a token has forgotten what it was about");
        std::mem::take(&mut hunt.model.done).into_iter().for_each(|(kind, count)| {
            *done.entry(kind).or_default() += count;
        });
        resumed += hunt.model.resumed;
        swallowed += hunt.model.swallowed;
    }
    let all: u64 = done.values().sum();
    println!(
        "{killed} kills; {all} acknowledged {done:?}; {resumed} lives went on with a registration under way, \
         {swallowed} found a change done whose acknowledgement was lost"
    );
}
