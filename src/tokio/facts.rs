//! What a session and its handles know of it from its beginning.

use super::end::End;
use crate::session::Exporter;
use std::sync::Arc;

/// The facts about a session that never change.
pub(super) struct Facts<E: End> {
    pub(super) session_id: [u8; 32],
    pub(super) exporter: Exporter,
    pub(super) peer: Arc<E::Peer>,
}

impl<E: End> Clone for Facts<E> {
    fn clone(&self) -> Self {
        let Self { session_id, exporter, peer } = self;
        Self { session_id: *session_id, exporter: exporter.clone(), peer: Arc::clone(peer) }
    }
}
