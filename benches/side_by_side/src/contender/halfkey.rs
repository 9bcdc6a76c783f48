//! Gate and agent, as their users run them.

use super::{Contender, Site, done, free, listens, many_free};
use crate::Outcome;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Services: an agent takes a few hundred connections at once for each.
const SERVICES: usize = 12;

pub(crate) fn psk_kem(site: &Site<'_>) -> Outcome<Contender> {
    start("halfkey psk-kem", site, "policy.modes = [\"psk-kem\"]\npolicy.suites = [\"x25519\"]")
}

pub(crate) fn psk(site: &Site<'_>) -> Outcome<Contender> {
    start("halfkey psk", site, "policy.modes = [\"psk\"]")
}

fn start(name: &'static str, site: &Site<'_>, policy: &str) -> Outcome<Contender> {
    let (gate, operator) = (free()?, free()?);
    let home = site.dir.join("gate");
    done(program("halfkey-gate")?.arg("init").arg(&home).args(["--name", "localhost"]))?;
    let near = many_free(SERVICES)?;
    configure(&home.join("gate.toml"), site.upstream, (gate, operator), policy)?;
    let list = near.iter().enumerate();
    let list = list.map(|(place, near)| format!("{{\"name\": \"s{place}\", \"listen\": \"{near}\"}}"));
    let services =
        site.write("services.json", &format!("{{\"services\": [{}]}}", list.collect::<Vec<_>>().join(", ")))?;
    let admin = || {
        Outcome::Ok({
            let mut admin = program("admin")?;
            admin.arg("--gate").arg(&home);
            admin
        })
    };
    done(admin()?.args(["entitle", "set", "path:/staff", "services", "--file"]).arg(services))?;
    let mut far = program("halfkey-gate")?;
    far.arg("run").arg("--config").arg(&home).env("RUST_LOG", "warn");
    let far = site.run(far)?;
    listens(gate)?;
    let uri = done(admin()?.args(["code", "issue", "alice", "--uri", "--connect", &gate.to_string()]))?;
    let agent = || {
        Outcome::Ok({
            let mut agent = program("halfkey")?;
            agent.env("HALFKEY_DIR", site.dir.join("agent"));
            agent
        })
    };
    let mut enrol = agent()?;
    let mut enrol =
        enrol.args(["enrol", "-", "--unattended"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    enrol.stdin.take().ok_or("no standard input")?.write_all(&uri)?;
    if !enrol.wait()?.success() {
        return Err("halfkey enrol failed".into());
    }
    let mut up = agent()?;
    up.arg("up");
    let up = site.run(up)?;
    near.iter().try_for_each(|near| listens(*near))?;
    Ok(Contender { name, near: up, far, addresses: near })
}

fn configure(
    path: &PathBuf,
    upstream: SocketAddr,
    (gate, operator): (SocketAddr, SocketAddr),
    policy: &str,
) -> Outcome {
    let text = fs::read_to_string(path)?;
    let text = text.split("\n[services.").next().unwrap_or_default();
    let mut text = text
        .replace("\"[::]:4400\"", &format!("\"{gate}\""))
        .replace("127.0.0.1:4480", &operator.to_string())
        .replace("policy.modes = [\"psk-kem\", \"psk\"]", policy)
        .replace(
            "[limits]",
            "[limits]\nconnections = 40000\nconnections_per_peer = 40000\nsessions_per_second = 1000000",
        );
    for place in 0..SERVICES {
        write!(text, "\n[services.s{place}]\ntcp = \"{upstream}\"\n")?;
    }
    Ok(fs::write(path, text)?)
}

/// A program of the workspace, built beside this one.
fn program(name: &str) -> Outcome<Command> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        Ok(Command::new(path))
    } else {
        Err(format!("{} is not built", path.display()).into())
    }
}
