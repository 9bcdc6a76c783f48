//! The observer of the library's drivers: limits each peer, counts, and keeps the log.

use crate::config::Limits;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use halfkey::driver::Observer;
use halfkey::exchange::{RequestKind, ServerEvent};
use halfkey::store::OperatorError;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

/// Limits each peer, counts, and keeps the log.
pub(crate) struct Door {
    rates: RwLock<Arc<Rates>>,
}

struct Rates {
    registrations: DefaultKeyedRateLimiter<Vec<u8>>,
    sessions: DefaultKeyedRateLimiter<Vec<u8>>,
}

impl Rates {
    fn new(limits: &Limits) -> Self {
        let each =
            |rate| RateLimiter::keyed(Quota::per_second(NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)));
        Self {
            registrations: each(limits.registrations_per_second),
            sessions: each(limits.sessions_per_second),
        }
    }
}

impl Door {
    /// A door with these limits.
    #[must_use]
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { rates: RwLock::new(Arc::new(Rates::new(limits))) }
    }

    /// Sets other limits.
    pub(crate) fn limit(&self, limits: &Limits) {
        *self.rates.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Rates::new(limits));
    }

    /// Forgets peers that have not come for a while.
    pub(crate) fn forget(&self) {
        let rates = self.rates();
        for limiter in [&rates.registrations, &rates.sessions] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    fn rates(&self) -> Arc<Rates> {
        Arc::clone(&self.rates.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Door {
    fn admits(&self, peer: &[u8], kind: RequestKind) -> bool {
        let rates = self.rates();
        let limiter = match kind {
            RequestKind::Session | RequestKind::Response => &rates.sessions,
            _ => &rates.registrations,
        };
        let admitted = limiter.check_key(&peer.to_vec()).is_ok();
        if !admitted {
            metrics::counter!("halfkey_gate_limited_total").increment(1);
        }
        admitted
    }

    fn event(&self, peer: &[u8], event: &ServerEvent) {
        let peer = String::from_utf8_lossy(peer);
        let count = |name: &'static str| metrics::counter!(name).increment(1);
        let refused = |cause: &str| {
            metrics::counter!("halfkey_gate_refusals_total", "cause" => cause.to_owned()).increment(1)
        };
        match event {
            ServerEvent::Offered => count("halfkey_gate_offers_total"),
            ServerEvent::CertificateEnds(end) => {
                tracing::warn!(%end, "the certificate ends: install another")
            }
            ServerEvent::Granted(key_id) => tracing::info!(%peer, key = %key_id, "granted"),
            // Each time that its agent asks; the log of the store has it once.
            ServerEvent::Waiting => tracing::debug!(%peer, "an applicant waits for the operator"),
            ServerEvent::Rejected(record) => {
                refused(&format!("{:?}", record.cause));
                tracing::info!(%peer, cause = ?record.cause, "an application is refused");
            }
            ServerEvent::Repeated => count("halfkey_gate_repeated_total"),
            ServerEvent::Confirmed(key_id) => {
                count("halfkey_gate_registrations_total");
                tracing::info!(%peer, key = %key_id, "registered");
            }
            ServerEvent::Opened(key_id) => {
                count("halfkey_gate_sessions_total");
                tracing::debug!(%peer, key = %key_id, "a session is opened");
            }
            ServerEvent::NotActive(key_id, status) => {
                refused(&format!("{status:?}"));
                tracing::info!(%peer, key = %key_id, ?status, "a session is refused");
            }
            ServerEvent::Ended(key_id, status) => {
                tracing::info!(%peer, key = %key_id, ?status, "a session is ended");
            }
            // An agent has a session for each connection.
            ServerEvent::Concurrent(_) => {}
            ServerEvent::Configured(key_id, result) => {
                tracing::info!(%peer, key = %key_id, ?result, "configured")
            }
            ServerEvent::RegistrationFailed(error) => failed(&peer, "registration", error),
            ServerEvent::SessionFailed(error) => failed(&peer, "session", error),
            ServerEvent::ChannelFailed(error) => failed(&peer, "channel", error),
            ServerEvent::ConfigurationFailed(error) => failed(&peer, "configuration", error),
            _ => {}
        }
    }
}

fn failed(peer: &str, what: &'static str, error: &(dyn std::error::Error + 'static)) {
    metrics::counter!("halfkey_gate_failures_total", "of" => what).increment(1);
    tracing::info!(peer, what, error = halfkey_common::sentence(error), "failed");
}

/// Takes note of a store that did not answer, and of what it was asked for.
pub(crate) fn store_failed(error: &OperatorError, wanted: &'static str) {
    metrics::counter!("halfkey_gate_store_errors_total").increment(1);
    tracing::error!(wanted, error = halfkey_common::sentence(error), "the store");
}
