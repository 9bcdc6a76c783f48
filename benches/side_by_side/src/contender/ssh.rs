//! `ssh -L`: one connection of SSH, and a channel in it for each connection.

use super::{Contender, Site, done, free, listens};
use crate::Outcome;
use std::process::Command;

pub(crate) fn start(site: &Site<'_>) -> Outcome<Contender> {
    let (near, far) = (free()?, free()?);
    for key in ["host", "user"] {
        done(
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(site.dir.join(key)),
        )?;
    }
    let path = |name: &str| site.dir.join(name).display().to_string();
    std::fs::copy(site.dir.join("user.pub"), site.dir.join("authorized"))?;
    let config = format!(
        "ListenAddress {far}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
         PasswordAuthentication no\nPermitRootLogin prohibit-password\nMaxSessions 100\n",
        path("host"),
        path("authorized")
    );
    let config = site.write("sshd_config", &config)?;
    // Its chroot, which the distribution makes at boot.
    std::fs::create_dir_all("/run/sshd")?;
    let mut daemon = Command::new("/usr/sbin/sshd");
    daemon.arg("-D").arg("-e").arg("-f").arg(config);
    let daemon = (site.run(daemon)?, far);
    listens(far)?;
    let mut client = Command::new("ssh");
    client.args(["-N", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    client.args([
        "-o",
        "ExitOnForwardFailure=yes",
        "-c",
        "aes256-gcm@openssh.com",
        "-p",
        &far.port().to_string(),
    ]);
    client.arg("-i").arg(site.dir.join("user")).arg("-L").arg(format!("{near}:{}", site.upstream));
    client.arg(far.ip().to_string());
    let client = site.run(client)?;
    listens(near)?;
    Ok(Contender { name: "ssh -L aes256-gcm", near: client, far: daemon.0, addresses: vec![near] })
}
