//! The program, in a directory of its own.

use serde_json::Value;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

pub(crate) const PIN: &str = "2468";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A machine with the program on it.
pub(crate) struct Machine {
    pub(crate) dir: PathBuf,
    pub(crate) pin: String,
    pub(crate) proxy: Option<String>,
}

/// What a command has answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) code: i32,
    pub(crate) out: Vec<Value>,
    pub(crate) error: Value,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("halfkey-agent-{}-{count}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self { dir, pin: PIN.into(), proxy: None }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfkey"));
        command.env_clear().env("HALFKEY_DIR", &self.dir).args(arguments).kill_on_drop(true);
        if let Some(proxy) = &self.proxy {
            command.env("HALFKEY_PROXY", proxy);
        }
        command
    }

    /// Runs a command to its end, with these lines on its standard input.
    pub(crate) async fn with_input(&self, arguments: &[&str], input: &str) -> Answered {
        let mut command = self.command(arguments);
        command.arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let Output { status, stdout, stderr } = within(60, child.wait_with_output()).await.unwrap();
        let lines = |text: &[u8]| -> Vec<Value> {
            let text = String::from_utf8(text.to_vec()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into())).collect()
        };
        let error = lines(&stderr).pop().unwrap_or(Value::Null);
        Answered { code: status.code().unwrap(), out: lines(&stdout), error }
    }

    /// Runs a command to its end, with the PIN on its standard input where it wants that.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Answered {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--pin", "-"]).collect();
        self.with_input(&arguments, &format!("{}\n", self.pin)).await
    }

    pub(crate) async fn enrol(&self, uri: &str) -> Answered {
        self.with_input(&["enrol", "-", "--pin", "-"], &format!("{uri}\n{}\n", self.pin)).await
    }

    /// Starts the agent, and waits until it can be asked.
    pub(crate) async fn up(&self, arguments: &[&str]) -> Child {
        let mut file = tempfile(&self.pin);
        let mut command = self.command(&["up", "--pin-fd", "0"]);
        command.args(arguments).stdin(Stdio::from(file.take().unwrap())).stdout(Stdio::null());
        let mut log = std::fs::OpenOptions::new();
        let log = log.create(true).append(true).open(self.dir.join("log")).unwrap();
        let child = command.stderr(log).spawn().unwrap();
        until("the agent runs", 30, || async { self.status().await["running"] == true }).await;
        child
    }

    pub(crate) async fn status(&self) -> Value {
        let status = self.with_input(&["status"], "").await;
        assert_eq!(status.code, 0, "{status:?}");
        status.out[0].clone()
    }

    /// Waits until the gate is connected.
    pub(crate) async fn connected(&self) {
        self.linked("connected").await;
    }

    pub(crate) async fn linked(&self, link: &str) {
        until(link, 30, || async { self.status().await["gates"][0]["link"] == link }).await;
    }

    /// Where the agent listens for a service, if it does.
    pub(crate) async fn listens(&self, name: &str) -> Option<String> {
        let status = self.status().await;
        let services = status["gates"][0]["services"].as_array()?.clone();
        let found = services.iter().find(|one| one["name"] == name && one["error"].is_null())?;
        Some(found["listen"].as_str()?.to_owned())
    }

    /// Waits until the agent listens for a service.
    pub(crate) async fn listening(&self, name: &str) -> String {
        until(name, 10, || async { self.listens(name).await.is_some() }).await;
        self.listens(name).await.unwrap()
    }

    pub(crate) async fn stop(&self, mut child: Child) {
        assert_eq!(self.with_input(&["stop"], "").await.code, 0);
        assert!(within(10, child.wait()).await.unwrap().success());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A pipe with a line in it.
fn tempfile(line: &str) -> Option<std::io::PipeReader> {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writeln!(writer, "{line}").unwrap();
    Some(reader)
}

pub(crate) async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future).await.expect("in time")
}

/// Waits until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, seconds: u64, mut is: impl FnMut() -> F) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends something through a listener, and takes it back.
pub(crate) async fn echo(address: &str, text: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut came = Vec::new();
    within(20, async {
        let (mut read, mut write) = stream.split();
        let sending = async {
            write.write_all(text).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let (_, read) = tokio::join!(sending, read.read_to_end(&mut came));
        read.unwrap();
    })
    .await;
    assert!(came == text, "{} bytes came back of {}", came.len(), text.len());
}
