//! Two hops that only copy: the least that any two programs cost. haproxy without TLS, which copies in the kernel
//! where it can.

use super::haproxy::one;
use super::{Contender, Site, free};
use crate::Outcome;

pub(crate) fn start(site: &Site<'_>) -> Outcome<Contender> {
    let (near, far) = (free()?, free()?);
    let (far, to) = (one(site, "far", far, "", site.upstream, "")?, far);
    Ok(Contender { name: "bare", far, near: one(site, "near", near, "", to, "")?, addresses: vec![near] })
}
