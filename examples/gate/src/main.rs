//! `halfkey-gate`: runs a gate, checks its configuration, makes a small one, shows one.

use clap::{Parser, Subcommand};
use halfkey::server_files::ServerFiles;
use halfkey::{NameError, ServerName};
use halfkey_common::{Exit, Program, ProgramError, parse};
use halfkey_gate::ui::{Desk, Listen, Listening};
use halfkey_gate::{Config, ConfigError, Gate, GateError, InitError, Made, Plan, init};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// A gate in front of application servers: devices enrol themselves, and what each may reach is a row in a database.
#[derive(Parser)]
#[command(name = "halfkey-gate", version, propagate_version = true)]
struct Arguments {
    /// Answers in JSON, the log too.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until it is told to stop: SIGTERM drains, SIGHUP reloads certificates, services and rates.
    Run {
        /// The configuration, or the directory that `init` has made.
        #[arg(long, short, env = "HALFKEY_GATE_CONFIG", default_value = "/etc/halfkey/gate.toml")]
        config: PathBuf,
    },
    /// Makes a small installation: an issuer, the gate's keys and certificate, a store and a configuration.
    Init {
        /// The directory, which is made; it may not hold anything.
        directory: PathBuf,
        /// The gate's name, as its certificate has it; usually that of the machine.
        #[arg(long)]
        name: String,
        /// Where it listens.
        #[arg(long, default_value = "[::]:4400")]
        listen: SocketAddr,
    },
    /// Shows the operator's pages to a browser on this machine: who waits, registrations, configurations, events.
    ///
    /// It works on the store, also while gates run. The address that it prints opens the pages once, for one browser; they end
    /// with the program, or when nobody has used them for an hour.
    Ui {
        /// The configuration, or the directory that `init` has made.
        #[arg(long, short, env = "HALFKEY_GATE_CONFIG", default_value = "/etc/halfkey/gate.toml")]
        config: PathBuf,
        /// A loopback address, or unix:PATH for a socket of the file system that is led to otherwise (`ssh -L`, say).
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: Listen,
    },
    /// Shows a gate with two application servers and an agent, all on the loopback interface.
    Demo,
    /// Says whether a configuration is one that the gate can work with.
    Check {
        /// The configuration, or the directory that `init` has made.
        #[arg(long, short, env = "HALFKEY_GATE_CONFIG", default_value = "/etc/halfkey/gate.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the demonstration")]
    Demo(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0} cannot be listened at")]
    Listen(Listen, #[source] std::io::Error),
    #[error("the operating system")]
    System(#[from] std::io::Error),
    #[error("the metrics")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

impl ProgramError for Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Gate(GateError::Config(_) | GateError::Settings(_) | GateError::Name(_)) => Exit::Usage,
            _ => Exit::Unavailable,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::Gate(GateError::Config(_)) => "config",
            Self::Gate(GateError::Uncertified(_)) => "uncertified",
            Self::Gate(GateError::Store(_)) => "store",
            Self::Gate(_) => "gate",
            Self::Init(_) => "init",
            Self::Name(_) => "name",
            Self::Demo(_) => "demo",
            Self::Listen(..) => "listen",
            Self::System(_) | Self::Metrics(_) => "system",
        }
    }
}

fn main() -> ExitCode {
    let arguments: Arguments = match parse("halfkey-gate") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let program = Program { name: "halfkey-gate", json: arguments.json };
    program.end(match arguments.command {
        Command::Run { config } => run(program, &config),
        Command::Init { directory, name, listen } => make(program, directory, &name, listen),
        Command::Ui { config, listen } => ui(program, &config, &listen),
        Command::Demo => demo(program),
        Command::Check { config } => check(program, &config),
    })
}

fn make(program: Program, directory: PathBuf, name: &str, listen: SocketAddr) -> Result<(), Failure> {
    let name = ServerName::normalise(name)?;
    program.note("making keys; this takes some seconds ...");
    let Made { config, anchor, store, key, services, .. } =
        init(&Plan { directory, name, listen, rsa_bits: ServerFiles::RSA_BITS })?;
    let (config, anchor, services) = (config.display(), anchor.display(), services.display());
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "configuration  {config}\nanchor         {anchor}\nservices       {services}");
    let _ = writeln!(out, "store          {}\nstorage key    {}", store.display(), key.display());
    program.note("the issuer's directory beside them belongs on another machine");
    Ok(())
}

fn check(program: Program, path: &Path) -> Result<(), Failure> {
    Config::read(path)?;
    program.note(&format!("{}: well", path.display()));
    Ok(())
}

fn run(program: Program, path: &Path) -> Result<(), Failure> {
    log(program);
    let config = Config::read(path)?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let path = path.to_path_buf();
    runtime.block_on(async {
        let (mut end, mut again) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let gate = Gate::begin(config, program, Some(metrics), move || Config::read(&path)).await?;
        for address in gate.addresses() {
            tracing::info!(%address, "listens");
        }
        if let Some(address) = gate.operator() {
            tracing::info!(%address, "the operator's pages");
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        loop {
            tokio::select! {
                _ = again.recv() => gate.reload(),
                _ = end.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        gate.stop().await;
        Ok(())
    })
}

/// The line of JSON of `ui`.
#[derive(serde::Serialize)]
struct Opens<'a> {
    url: &'a str,
}

fn ui(program: Program, path: &Path, listen: &Listen) -> Result<(), Failure> {
    log(program);
    let config = Config::read(path)?;
    let desk = Desk::open(&config, program).map_err(GateError::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // The store is dropped last: it may have a runtime of its own.
    let kept = desk.clone();
    let served = runtime.block_on(async {
        let (mut end, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listening =
            Listening::begin(listen, desk).await.map_err(|error| Failure::Listen(listen.clone(), error))?;
        let url = listening.url()?;
        let mut out = halfkey_common::Output::new(program);
        let said = out.done(&Opens { url: &url }, &url).and_then(|()| out.flush());
        said.map_err(|error| error.0)?;
        if let Listen::Unix(place) = listen {
            program.note(&format!(
                "{} is to be led to: ssh -L 8080:{0} HOST, and then the port 8080",
                place.display()
            ));
        }
        let end = async {
            tokio::select! { _ = end.recv() => {}, _ = interrupt.recv() => {} }
        };
        Ok(listening.serve(end).await?)
    });
    drop(runtime);
    drop(kept);
    served
}

fn demo(program: Program) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = std::env::temp_dir().join(format!("halfkey-demo-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let say = |line: &str| {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    };
    let shown = runtime.block_on(halfkey_gate::demo(program, &dir, say));
    let _ = std::fs::remove_dir_all(&dir);
    shown.map_err(Failure::Demo)
}

fn log(program: Program) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if program.json { log.json().init() } else { log.init() }
}
