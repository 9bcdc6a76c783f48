//! stunnel at both ends: TLS 1.3 with certificates of both, or with a key that both know.

use super::{Contender, Site, free, listens};
use crate::Outcome;
use std::net::SocketAddr;
use std::process::Command;

pub(crate) fn mutual(site: &Site<'_>) -> Outcome<Contender> {
    let (authority, both) = (site.certificate("ca.pem"), site.certificate("both.pem"));
    let keys = format!("cert = {both}\nCAfile = {authority}\nverifyChain = yes\n");
    start("stunnel mTLS", site, &keys, &keys)
}

pub(crate) fn psk(site: &Site<'_>) -> Outcome<Contender> {
    let secrets =
        site.write("psk", "client:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n")?;
    restrict(&secrets)?;
    let keys = format!("ciphers = PSK\nPSKsecrets = {}\n", secrets.display());
    start("stunnel PSK", site, &keys, &format!("{keys}PSKidentity = client\n"))
}

#[cfg(unix)]
fn restrict(path: &std::path::Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

fn start(name: &'static str, site: &Site<'_>, far_keys: &str, near_keys: &str) -> Outcome<Contender> {
    let (near, far) = (free()?, free()?);
    let one = |name: &str, client: &str, listen: SocketAddr, to: SocketAddr, keys: &str| {
        let text = format!(
            "foreground = quiet\npid =\ndebug = err\nsslVersionMin = TLSv1.3\nsocket = l:TCP_NODELAY=1\n\
             socket = r:TCP_NODELAY=1\n[all]\nclient = {client}\naccept = {listen}\nconnect = {to}\n{keys}"
        );
        let mut command = Command::new("stunnel");
        command.arg(site.write(&format!("{name}.conf"), &text)?);
        let process = site.run(command)?;
        listens(listen)?;
        Outcome::Ok(process)
    };
    let far = (one("far", "no", far, site.upstream, far_keys)?, far);
    let process = one("near", "yes", near, far.1, near_keys)?;
    Ok(Contender { name, far: far.0, near: process, addresses: vec![near] })
}
