//! The operator's listener: health, readiness, metrics.

use crate::access::Access;
use crate::gate::days_left;
use crate::store::Kept;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use halfkey::UnixTime;
use halfkey::memory::Server;
use halfkey::store::operation::Count;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Within which the store must answer for the gate to be ready.
const READY: Duration = Duration::from_secs(3);

/// Sources of the pages.
pub(crate) struct State<K> {
    store: K,
    access: Arc<Access<K>>,
    server: Arc<Server>,
    metrics: Option<PrometheusHandle>,
    leaving: Arc<AtomicBool>,
}

impl<K: Kept> Clone for State<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            access: Arc::clone(&self.access),
            server: Arc::clone(&self.server),
            metrics: self.metrics.clone(),
            leaving: Arc::clone(&self.leaving),
        }
    }
}

impl<K: Kept> State<K> {
    pub(crate) fn new(
        store: K,
        access: Arc<Access<K>>,
        server: Arc<Server>,
        metrics: Option<PrometheusHandle>,
    ) -> Self {
        Self { store, access, server, metrics, leaving: Arc::default() }
    }

    /// Says that the gate is not ready any more: it is being stopped.
    pub(crate) fn leaving(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Ready when the store answers and nobody is stopping the gate. Without a certificate to offer nobody registers,
    /// but sessions go on: the metrics tell of that.
    async fn ready(&self) -> (StatusCode, &'static str) {
        if self.leaving.load(Ordering::Relaxed) {
            return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
        }
        let asked = self.store.run(Count, UnixTime::now());
        match tokio::time::timeout(READY, asked).await {
            Ok(Ok(_)) => (StatusCode::OK, "ready\n"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
        }
    }

    fn metrics(&self) -> Result<String, StatusCode> {
        let metrics = self.metrics.as_ref().ok_or(StatusCode::NOT_FOUND)?;
        let (controls, connections) = self.access.count();
        let gauge = |name: &'static str, value: u64| {
            metrics::gauge!(name).set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)));
        };
        gauge("halfkey_gate_agents", controls as u64);
        gauge("halfkey_gate_connections", connections as u64);
        gauge("halfkey_gate_certificate_days_left", days_left(&self.server).unwrap_or(0));
        Ok(metrics.render())
    }
}

/// Serves the pages, for ever.
pub(crate) async fn serve<K: Kept>(listener: TcpListener, state: State<K>) {
    let (ready, metrics) = (state.clone(), state);
    let router = Router::new()
        .route("/healthz", get(|| async { "well\n" }))
        .route("/readyz", get(move || async move { ready.ready().await }))
        .route("/metrics", get(move || async move { metrics.metrics() }));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the operator's listener has ended");
    }
}
