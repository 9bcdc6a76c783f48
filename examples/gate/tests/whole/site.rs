//! Gates, operators and agents: each a process, each with files of its own.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time for anything on a machine that is busy.
pub const LONG: Duration = Duration::from_secs(60);
/// Within which a change of the operator's takes effect.
pub const SOON: Duration = Duration::from_secs(2);
/// Time that a poll of these tests, and the start of a process in it, may take besides.
pub const SLACK: Duration = Duration::from_secs(1);

/// A binary of the workspace, which lies beside the gate's.
pub fn binary(name: &str) -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_halfkey-gate")).with_file_name(name);
    assert!(
        binary.is_file(),
        "{} is missing: build all programs before, by cargo build --workspace --bins",
        binary.display()
    );
    binary
}

/// A directory of this test's own.
pub fn scratch(name: &str) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("halfkey-whole-{}-{made}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::DirBuilder::new().mode(0o700).create(&directory).unwrap();
    directory
}

/// A port that nothing listens on, below those that the system hands to clients: it is to stay free while nobody
/// listens.
pub fn port() -> u16 {
    static MADE: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id().wrapping_mul(64).wrapping_add(MADE.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + next % 10_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        sleep(Duration::from_millis(50));
    }
}

pub fn skipped(why: &str) {
    // The harness keeps what is printed, but not what is written.
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED: {name}: {why}");
}

/// A process that does not outlive its test.
pub struct Running(pub Child);

impl Running {
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap().success());
    }

    /// Ends it at once, as a loss of power does.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An installation made by `halfkey-gate init`, once for all tests here.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = scratch("made").join("gate");
        init(&directory, "localhost");
        directory
    })
}

/// Runs `halfkey-gate init`.
pub fn init(directory: &Path, name: &str) {
    let mut init = Command::new(binary("halfkey-gate"));
    let ran = init.arg("init").arg(directory).args(["--name", name]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

/// Copies a directory with its modes, into one that is there.
pub fn copy(from: &Path, to: &Path) {
    let ran = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

/// A gate's machine.
pub struct Site {
    /// As `halfkey-gate init` has made it.
    pub dir: PathBuf,
    pub port: u16,
    pub operator: u16,
    /// What runs its programs: nothing, or what puts them into a namespace of the network.
    pub within: Vec<String>,
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Site {
    /// An installation of its own, on free ports, with a store in a file.
    pub fn new(name: &str) -> Self {
        Self::over(scratch(name), "store.db")
    }

    /// An installation in this directory, with its store at this place; not yet made where it is a database.
    pub fn over(dir: PathBuf, store: &str) -> Self {
        copy(made(), &dir);
        let site = Self { dir, port: port(), operator: port(), within: Vec::new() };
        site.edit(|text| {
            text.replace("\"[::]:4400\"", &format!("\"127.0.0.1:{}\"", site.port))
                .replace("127.0.0.1:4480", &format!("127.0.0.1:{}", site.operator))
                .replace("place = \"store.db\"", &format!("place = \"{store}\""))
                .replace("[limits]", "[limits]\nregistrations_per_second = 1000\ndrain = 2")
        });
        site
    }

    /// Changes the configuration.
    pub fn edit(&self, edit: impl FnOnce(String) -> String) {
        let path = self.dir.join("gate.toml");
        let text = edit(fs::read_to_string(&path).unwrap());
        fs::write(path, text).unwrap();
    }

    /// Sets the services: their names, where their application servers are, and where agents listen for them. All
    /// staff is entitled to them.
    pub fn serve(&self, services: &[(&str, &str, u16)]) {
        self.upstreams(services);
        self.entitle(services);
    }

    pub fn upstreams(&self, services: &[(&str, &str, u16)]) {
        self.edit(|text| {
            let kept = text.split("\n[services.").next().unwrap().to_owned();
            let tables =
                services.iter().map(|(name, upstream, _)| format!("\n[services.{name}]\n{upstream}\n"));
            kept + &tables.collect::<String>()
        });
    }

    pub fn entitle(&self, services: &[(&str, &str, u16)]) {
        let list = services
            .iter()
            .map(|(name, _, port)| format!("{{\"name\": \"{name}\", \"listen\": \"127.0.0.1:{port}\"}}"));
        let list = list.collect::<Vec<_>>().join(", ");
        let file = self.dir.join("services.json");
        fs::write(&file, format!("{{\"services\": [{list}]}}")).unwrap();
        self.admin(&["entitle", "set", "path:/staff", "services", "--file", file.to_str().unwrap()]);
    }

    fn command(&self, program: &str) -> Command {
        let mut words = self.within.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
        words.push(binary(program).into());
        let mut command = Command::new(words.remove(0));
        command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null());
        command
    }

    /// What the operator does; `Err` is what was said.
    pub fn try_admin(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command("admin");
        let ran = command.arg("--gate").arg(&self.dir).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if ran.status.success() { Ok(text(ran.stdout)) } else { Err(text(ran.stderr)) }
    }

    #[track_caller]
    pub fn admin(&self, arguments: &[&str]) -> String {
        self.try_admin(arguments).unwrap()
    }

    /// An enrolment URI with a code for this user.
    #[track_caller]
    pub fn uri(&self, user: &str) -> String {
        let connect = format!("127.0.0.1:{}", self.port);
        self.admin(&["code", "issue", user, "--uri", "--connect", &connect])
    }

    /// Starts the gate, and waits until it is ready.
    pub fn run(&self) -> Running {
        let running = self.start();
        until("the gate is ready", LONG, || self.page("/readyz").is_some_and(|page| page.contains(" 200 ")));
        running
    }

    pub fn start(&self) -> Running {
        let mut command = self.command("halfkey-gate");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log")).unwrap();
        command.args(["run", "--config"]).arg(&self.dir).stdout(Stdio::null()).stderr(log);
        Running(command.spawn().unwrap())
    }

    /// Starts the operator's pages, and gives what they say first.
    pub fn ui(&self, listen: &str) -> (Running, String) {
        let mut command = self.command("halfkey-gate");
        command.args(["ui", "--listen", listen, "--config"]).arg(&self.dir);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Running(child), line.trim().to_owned())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap()
    }

    /// One of the operator's pages.
    pub fn page(&self, path: &str) -> Option<String> {
        get(self.operator, path)
    }

    /// A number of the metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.page("/metrics").unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }

    /// A user's machine, with nothing on it.
    pub fn machine(&self, user: &str) -> Machine {
        Machine { dir: self.dir.join(format!("of-{user}")), within: Vec::new() }
    }

    /// A user's machine that is enrolled.
    #[track_caller]
    pub fn enrolled(&self, user: &str) -> Machine {
        let machine = self.machine(user);
        let ran = machine.enrol(&self.uri(user));
        assert!(ran.status.success(), "{ran:?}");
        machine
    }
}

/// A user's machine.
pub struct Machine {
    pub dir: PathBuf,
    pub within: Vec<String>,
}

impl Machine {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.within.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
        words.push(binary("halfkey").into());
        let mut command = Command::new(words.remove(0));
        command.args(words).args(arguments).env_clear().env("HALFKEY_DIR", &self.dir).stdin(Stdio::null());
        command
    }

    /// Runs a command with this on its standard input.
    pub fn ask(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    pub fn enrol(&self, uri: &str) -> Output {
        self.ask(&["enrol", "-", "--unattended"], uri)
    }

    /// Starts the agent.
    pub fn start(&self) -> Running {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log")).unwrap();
        let mut command = self.command(&["up"]);
        Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Starts the agent, and waits until it is connected.
    #[track_caller]
    pub fn up(&self) -> Running {
        let running = self.start();
        self.connected(LONG);
        running
    }

    pub fn status(&self) -> Value {
        let ran = self.command(&["status", "--json"]).output().unwrap();
        serde_json::from_slice(&ran.stdout).unwrap_or(Value::Null)
    }

    /// The state of the link to each gate.
    pub fn links(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let status = self.status();
        let gates = status["gates"].as_array().cloned().unwrap_or_default();
        gates.iter().map(|gate| (text(&gate["server"]), text(&gate["link"]))).collect()
    }

    /// Waits until all gates are connected.
    #[track_caller]
    pub fn connected(&self, within: Duration) {
        let holds = || {
            let links = self.links();
            !links.is_empty() && links.values().all(|link| link == "connected")
        };
        until(&format!("{} is connected", self.dir.display()), within, holds);
    }
}

/// Asks for a page; `None` where nobody answers, or not to the end.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A web server of Python's over a directory with one file, `hello`.
pub struct Web {
    pub port: u16,
    _running: Running,
}

impl Web {
    pub fn new() -> Self {
        let (port, directory) = (port(), scratch("web"));
        fs::write(directory.join("hello"), "good morning").unwrap();
        let mut python = Command::new("python3");
        python.args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1", "--directory"]);
        let python = python.arg(directory).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let running = Running(python.expect("python3 is missing"));
        until("the web server listens", LONG, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, _running: running }
    }

    /// The service as a gate's configuration has it.
    pub fn upstream(&self) -> String {
        format!("http = \"127.0.0.1:{}\"", self.port)
    }
}

/// Tells whether the web server is reached through an agent's listener.
pub fn reached(port: u16) -> bool {
    get(port, "/hello").is_some_and(|page| page.ends_with("good morning"))
}
