//! haproxy at both ends, with TLS 1.3 and certificates of both between them.

use super::{Contender, REFERENCE, Site, free, listens};
use crate::Outcome;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// Most connections at once: each takes two descriptors.
const CONNECTIONS: usize = 9_900;

/// Each connection with a handshake of its own.
pub(crate) fn full(site: &Site<'_>) -> Outcome<Contender> {
    start(REFERENCE, site, "no-ssl-reuse")
}

/// Connections that resume the session of an earlier one.
pub(crate) fn resumed(site: &Site<'_>) -> Outcome<Contender> {
    start("haproxy mTLS, resumed", site, "")
}

fn start(name: &'static str, site: &Site<'_>, reuse: &str) -> Outcome<Contender> {
    let (near, far) = (free()?, free()?);
    let (authority, both) = (site.certificate("ca.pem"), site.certificate("both.pem"));
    let outer = format!("ssl crt {both} ca-file {authority} verify required ssl-min-ver TLSv1.3");
    let inner = format!("{outer} sni str(localhost) verifyhost localhost {reuse}");
    Ok(Contender {
        name,
        far: one(site, "far", far, &outer, site.upstream, "")?,
        near: one(site, "near", near, "", far, &inner)?,
        addresses: vec![near],
    })
}

/// A haproxy that carries connections from one address to another.
pub(super) fn one(
    site: &Site<'_>,
    name: &str,
    listen: SocketAddr,
    outer: &str,
    to: SocketAddr,
    inner: &str,
) -> Outcome<crate::process::Process> {
    // One thread at each end: the machine is shared by both, the load and the application server.
    let text = format!(
        "global\n nbthread 1\n maxconn {CONNECTIONS}\n\
         defaults\n mode tcp\n timeout connect 10s\n timeout client 1h\n timeout server 1h\n\
         listen all\n bind {listen} backlog 16384 {outer}\n server one {to} {inner}\n"
    );
    let config = site.write(&format!("{name}.cfg"), &text)?;
    let process = site.run(haproxy(&config))?;
    listens(listen)?;
    Ok(process)
}

fn haproxy(config: &Path) -> Command {
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(config);
    command
}
