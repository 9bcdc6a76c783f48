//! Measures gate and agent beside other ways to carry connections: README.md here says what, how and with which result.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it measures, and prints"
)]

mod contender;
mod load;
mod process;
mod table;

use clap::Parser;
use contender::{ALL, Contender, Site};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use table::{Figure, Figures};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures gate and agent beside other ways to carry connections, in one interleaved run.
#[derive(Parser)]
struct Arguments {
    /// Rounds; each has every contender once, and the medians of all rounds are told.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of the one stream, in MiB.
    #[arg(long, default_value_t = 1024)]
    stream: u64,
    /// Connections made, at 1, 32 and 256 at once; 0 leaves them out.
    #[arg(long, default_value_t = 2000)]
    connections: usize,
    /// Connections that idle; 0 leaves them out.
    #[arg(long, default_value_t = 0)]
    idle: usize,
    /// Contenders by their names in the table; all, where it is not said.
    #[arg(long)]
    only: Vec<String>,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let dir = std::env::temp_dir().join(format!("halfkey-side-by-side-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(run(&arguments, &dir));
    if measured.is_ok() {
        std::fs::remove_dir_all(&dir)?;
    } else {
        println!("the logs are in {}", dir.display());
    }
    measured
}

async fn run(arguments: &Arguments, dir: &Path) -> Outcome {
    let upstream = load::server().await?;
    let certificates = certificates(dir)?;
    let chosen = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut running = Vec::new();
    for (place, (name, start)) in ALL.into_iter().enumerate().filter(|(_, (name, _))| chosen(name)) {
        let site = Site { dir: dir.join(place.to_string()), upstream, certificates: &certificates };
        std::fs::create_dir(&site.dir)?;
        match start(&site) {
            Ok(contender) => running.push(contender),
            Err(error) => println!("SKIPPED: {name}: {error}"),
        }
    }
    let mut figures = Figures::default();
    for round in 0..arguments.rounds {
        for contender in &running {
            eprintln!("round {} of {}: {}", round + 1, arguments.rounds, contender.name);
            measure(arguments, contender, &mut figures).await?;
        }
    }
    if arguments.idle > 0 {
        for contender in &running {
            eprintln!("idle: {}", contender.name);
            idle(contender, arguments.idle, &mut figures).await?;
        }
    }
    print!("{}", figures.table(&running.iter().map(|one| one.name).collect::<Vec<_>>()));
    Ok(())
}

async fn measure(arguments: &Arguments, contender: &Contender, figures: &mut Figures) -> Outcome {
    let address = first(contender)?;
    // Whatever is made at the first connection is there before.
    load::connections(address, 20, 4).await?;
    let mut note = |figure, value| figures.note(contender.name, figure, value);
    if arguments.stream > 0 {
        let (near, far) = (contender.near.used(), contender.far.used());
        let took = load::stream(address, arguments.stream << 20).await?;
        settle().await;
        let gib = arguments.stream as f64 / 1024.0;
        let spent = contender.near.used().seconds - near.seconds + contender.far.used().seconds - far.seconds;
        note(Figure::StreamCpu, spent / gib);
        note(Figure::StreamRate, gib / took.as_secs_f64());
    }
    for at_once in [1, 32, 256] {
        if arguments.connections == 0 {
            break;
        }
        let (near, far) = (contender.near.used(), contender.far.used());
        let mut times = load::connections(address, arguments.connections, at_once).await?;
        settle().await;
        let each = |used: f64| used / arguments.connections as f64 * 1e6;
        note(Figure::ServerCpu(at_once), each(contender.far.used().seconds - far.seconds));
        note(Figure::ClientCpu(at_once), each(contender.near.used().seconds - near.seconds));
        times.sort_unstable();
        for (percent, figure) in [(50, Figure::Median(at_once)), (99, Figure::P99(at_once))] {
            let place = times.len() * percent / 100;
            note(figure, times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3));
        }
    }
    Ok(())
}

async fn idle(contender: &Contender, count: usize, figures: &mut Figures) -> Outcome {
    let before = contender.far.used().memory;
    let open = load::idle(&contender.addresses, count).await;
    let Ok(open) = open else {
        println!("SKIPPED: {}: {count} connections are too many", contender.name);
        return Ok(());
    };
    settle().await;
    let each = contender.far.used().memory.saturating_sub(before) as f64 / open.len() as f64;
    figures.note(contender.name, Figure::Idle, each);
    Ok(())
}

fn first(contender: &Contender) -> Outcome<SocketAddr> {
    contender.addresses.first().copied().ok_or_else(|| "no address".into())
}

/// Lets programs finish with what has ended.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Makes an authority and a certificate that it has signed, for both ends: ECDSA with P-256, as such programs have now.
fn certificates(dir: &Path) -> Outcome<PathBuf> {
    let dir = dir.join("certificates");
    std::fs::create_dir(&dir)?;
    let openssl = |arguments: &str| {
        contender::done(Command::new("openssl").args(arguments.split(' ')).current_dir(&dir))
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -x509 -days 30";
    openssl(&format!("req {key} -keyout ca.key -out ca.pem -subj /CN=authority"))?;
    let extensions = "-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
    openssl(&format!(
        "req {key} -keyout one.key -out one.pem -subj /CN=localhost {extensions} -CA ca.pem -CAkey ca.key"
    ))?;
    let both = std::fs::read_to_string(dir.join("one.pem"))? + &std::fs::read_to_string(dir.join("one.key"))?;
    std::fs::write(dir.join("both.pem"), both)?;
    Ok(dir)
}
