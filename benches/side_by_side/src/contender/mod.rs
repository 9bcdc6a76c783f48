//! Contenders: two programs with a connection between them, one beside the client and one beside the
//! application server.

mod bare;
mod halfkey;
mod haproxy;
mod ssh;
mod stunnel;

use crate::Outcome;
use crate::process::Process;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Within which a contender must be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pair of programs that carry connections.
pub(crate) struct Contender {
    /// Name in the table.
    pub(crate) name: &'static str,
    /// The program beside the client.
    pub(crate) near: Process,
    /// The program beside the application server.
    pub(crate) far: Process,
    /// Where clients connect to. More than one only where one takes few connections at once.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Way to start a contender.
pub(crate) type Start = fn(&Site) -> Outcome<Contender>;

/// All of them. The first one after `bare` that is named haproxy mTLS is what the others are compared with.
pub(crate) const ALL: [(&str, Start); 8] = [
    ("bare", bare::start),
    (REFERENCE, haproxy::full),
    ("haproxy mTLS, resumed", haproxy::resumed),
    ("stunnel mTLS", stunnel::mutual),
    ("stunnel PSK", stunnel::psk),
    ("ssh -L aes256-gcm", ssh::start),
    ("halfkey psk-kem", halfkey::psk_kem),
    ("halfkey psk", halfkey::psk),
];

/// Name of the contender that the others are compared with.
pub(crate) const REFERENCE: &str = "haproxy mTLS";

/// Place of a contender: its directory, the application server, and certificates that all share.
pub(crate) struct Site<'a> {
    pub(crate) dir: PathBuf,
    pub(crate) upstream: SocketAddr,
    pub(crate) certificates: &'a Path,
}

impl Site<'_> {
    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Starts a program of this contender.
    fn run(&self, command: Command) -> Outcome<Process> {
        Process::start(command, &self.log())
    }

    fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.dir.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    fn certificate(&self, name: &str) -> String {
        self.certificates.join(name).display().to_string()
    }
}

/// Returns an address of the loopback interface that nothing listens on.
fn free() -> Outcome<SocketAddr> {
    Ok(bound()?.local_addr()?)
}

/// Returns so many of them, which are not the same.
fn many_free(count: usize) -> Outcome<Vec<SocketAddr>> {
    let bound = (0..count).map(|_| bound()).collect::<Outcome<Vec<_>>>()?;
    bound.iter().map(|listener| Ok(listener.local_addr()?)).collect()
}

fn bound() -> Outcome<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)
}

/// Waits until somebody listens.
fn listens(address: SocketAddr) -> Outcome {
    let began = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        if began.elapsed() > PATIENCE {
            return Err(format!("nobody listens on {address}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Runs a command to its end.
pub(crate) fn done(command: &mut Command) -> Outcome<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ran = command.output().map_err(|error| format!("{name}: {error}"))?;
    if ran.status.success() {
        Ok(ran.stdout)
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&ran.stderr)).into())
    }
}
