//! A PostgreSQL server of a test's own: made in a temporary directory, killed and started again at will.
//!
//! It is as durable as in earnest: `fsync` is on. `HALFKEY_POSTGRES`, a connection string like
//! `host=db user=me`, names a server to test on instead; that one is never stopped, and keeps the
//! databases `halfkey_test_*`.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, fs, process};

const NAMED: &str = "HALFKEY_POSTGRES";

/// Settings of every server here; the host, the port and the socket are added to them.
const SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=300",
    "shared_buffers=16MB",
    // A killed server leaves nothing outside of its directory.
    "dynamic_shared_memory_type=mmap",
];

/// Kills the server and removes its directory when this process is gone, however it went: what stands
/// in a `static` is never dropped. It reads process ids, the last one of which is the server's.
const WARDEN: &str = r#"
trap '' INT TERM HUP
while read -r line; do pid=$line; done
if [ "${pid:-0}" -gt 1 ]; then
    kill -QUIT "$pid"
    tries=0
    while kill -0 "$pid" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf "$0"
"#;

/// A fresh database on the server named by `HALFKEY_POSTGRES`, or on one that all tests of this binary
/// share: how to connect to it. `None`, and said so, where there is no server to be had.
pub fn database() -> Option<String> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    match env::var(NAMED) {
        Ok(named) => Some(create(&named)),
        Err(_) => SHARED.get_or_init(Server::installed).as_ref().map(Server::database),
    }
}

/// Runs what is asynchronous to its end, on a runtime of this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A server that may be killed. Dropped, it is stopped and removed.
pub struct Server {
    directory: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    port: u16,
    running: Mutex<Option<Running>>,
    warden: Mutex<Child>,
}

struct Running {
    postmaster: Child,
    /// Ends when the last process of the server has: all of them hold the other end of the pipe.
    log: JoinHandle<String>,
}

impl Server {
    /// A new server, running. `None`, and said so, where a server is named, which may not be killed,
    /// or none is installed.
    pub fn new() -> Option<Self> {
        if env::var_os(NAMED).is_some() {
            skipped("a named server is not killed");
            return None;
        }
        Self::installed()
    }

    fn installed() -> Option<Self> {
        let server = Self::empty()?;
        let made = server
            .program("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.start();
        Some(server)
    }

    /// A place for a server, whose data (`data`) somebody puts there.
    pub fn empty() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "PostgreSQL is missing");
            skipped("PostgreSQL is missing");
            return None;
        };
        static MADE: AtomicU32 = AtomicU32::new(0);
        // Another process of this number may have left one.
        let (made, directory) = loop {
            let made = MADE.fetch_add(1, Ordering::Relaxed);
            let directory = env::temp_dir().join(format!("halfkey-{}-{made}", process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&directory) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made_it => break (made, made_it.map(|()| directory).unwrap()),
            }
        };
        let warden = Command::new("sh")
            .args([OsString::from("-c"), WARDEN.into(), directory.clone().into()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // PostgreSQL refuses to run as root.
        let owner = (fs::metadata(&directory).unwrap().uid() == 0).then(unprivileged);
        if let Some((user, group)) = owner {
            chown(&directory, Some(user), Some(group)).unwrap();
        }
        let warden = Mutex::new(warden);
        Some(Self { directory, programs, owner, port: port(made), running: None.into(), warden })
    }

    fn program(&self, name: &str) -> Command {
        let mut command = self.command(self.programs.join(name));
        command.arg("-D").arg(self.directory.join("data"));
        command
    }

    /// Runs a script in its directory, as its owner, with the programs of PostgreSQL.
    pub fn shell(&self, script: &str, variables: &[(&str, &str)]) {
        let path = env::var_os("PATH").unwrap();
        let path = [self.programs.clone()].into_iter().chain(env::split_paths(&path));
        let mut shell = self.command("sh");
        shell
            .args(["-c", script])
            .env("PATH", env::join_paths(path).unwrap())
            .envs(variables.iter().copied());
        let ran = shell.output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        assert!(ran.status.success(), "{script}\n{}", String::from_utf8_lossy(&said));
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).stdin(Stdio::null());
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it, and comes back when it takes connections: a killed one has recovered by then.
    pub fn start(&self) {
        let mut running = self.running.lock().unwrap();
        assert!(running.is_none(), "it runs");
        let mut command = self.program("postgres");
        let (port, socket) =
            (format!("port={}", self.port), format!("unix_socket_directories={}", self.directory.display()));
        for setting in SETTINGS.into_iter().chain([&*port, &*socket]) {
            command.args(["-c", setting]);
        }
        let mut postmaster = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        self.tell(postmaster.id());
        let (ready, is_ready) = mpsc::channel();
        let stderr = BufReader::new(postmaster.stderr.take().unwrap());
        let log = thread::spawn(move || {
            let mut log = String::new();
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                if line.contains("ready to accept ") {
                    let _ = ready.send(());
                }
                log.extend([&*line, "\n"]);
            }
            log
        });
        if is_ready.recv_timeout(Duration::from_secs(120)).is_err() {
            postmaster.kill().unwrap();
            panic!("PostgreSQL does not start: {}", log.join().unwrap());
        }
        *running = Some(Running { postmaster, log });
    }

    /// Ends all of its processes at once with SIGKILL; gives what it had logged since it was started.
    pub fn kill(&self) -> String {
        self.end("KILL", children)
    }

    /// Lets it break off what it is at, and shut down in order; gives what it had logged.
    pub fn stop(&self) -> String {
        self.end("INT", |_| Vec::new())
    }

    fn end(&self, signal: &str, others: impl Fn(u32) -> Vec<u32>) -> String {
        let Running { mut postmaster, log } = self.running.lock().unwrap().take().expect("it runs");
        let mut ids = others(postmaster.id());
        ids.push(postmaster.id());
        let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
        // `kill` is part of every shell, and not of every system. Some may be gone already.
        let _ = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", ids.join(" "))])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        postmaster.wait().unwrap();
        self.tell(0);
        log.join().unwrap()
    }

    fn tell(&self, id: u32) {
        let mut warden = self.warden.lock().unwrap();
        writeln!(warden.stdin.as_mut().unwrap(), "{id}").unwrap();
    }

    /// How to connect over its socket to a database made for the caller.
    pub fn database(&self) -> String {
        create(&format!("host={} port={} user=postgres", self.directory.display(), self.port))
    }

    /// The directory of its socket, which is a host to its clients.
    pub fn host(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut warden = self.warden.lock().unwrap();
        drop(warden.stdin.take());
        let _ = warden.wait();
        if let Some(mut running) = self.running.lock().unwrap().take() {
            let _ = running.postmaster.wait();
        }
    }
}

fn skipped(why: &str) {
    // The harness keeps what is printed, but not what is written.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {}: {why}", thread::current().name().unwrap_or("a test"));
}

/// The directory of the server's programs: in the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let mut places: Vec<_> = env::split_paths(&env::var_os("PATH")?).collect();
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    places.extend(versions.iter().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))));
    places.into_iter().find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

/// The user and group for which the package of PostgreSQL is made, or nobody's.
fn unprivileged() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let mut fields =
            users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':');
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).expect("a user to run PostgreSQL as")
}

/// A port that nothing listens on, and below those that the system hands to clients: such a one could be
/// taken while the server is down.
fn port(made: u32) -> u16 {
    let first = process::id().wrapping_mul(16).wrapping_add(made);
    (0..10_000)
        .map(|try_| 20_000 + (first.wrapping_add(try_) % 10_000) as u16)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// The processes that this one started, where /proc tells; elsewhere they see their parent's end.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |process: &Path| {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        let parent_id: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent_id == parent).then_some(())
    };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let id = path.file_name()?.to_str()?.parse().ok()?;
            is_child(&path).map(|()| id)
        })
        .collect()
}

fn create(server: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("halfkey_test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&format!("{server} dbname=postgres"), tokio_postgres::NoTls)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        client.simple_query(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        client.simple_query(&format!("CREATE DATABASE {name}")).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    });
    format!("{server} dbname={name}")
}
