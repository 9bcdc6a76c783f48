//! One connection of an agent, from its first byte to its last.

use crate::access::{Access, Entitled};
use crate::config::Service;
use crate::http::{self, Identity};
use crate::observe::store_failed;
use crate::store::Kept;
use crate::upstream::{self, Ends};
use halfkey::configuration::server::Principal;
use halfkey::driver::peer_name;
use halfkey::store::OperatorError;
use halfkey::tokio::{AcceptError, Acceptor, ServerSession, forward};
use halfkey_service::{Answer, Opening, OpeningError, ServiceName};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Server of connections. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Serving<K> {
    pub(crate) acceptor: Acceptor,
    pub(crate) access: Arc<Access<K>>,
    pub(crate) services: Arc<RwLock<Arc<BTreeMap<ServiceName, Service>>>>,
    pub(crate) opening: Duration,
}

/// Why a connection was not served to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Accept(#[from] AcceptError),
    #[error("the opening")]
    Opening(#[from] OpeningError),
    #[error("the agent did not say what its session is for")]
    NoOpening,
    #[error("the store")]
    Store(#[from] OperatorError),
    #[error("the connection")]
    Stream(#[from] io::Error),
    #[error("HTTP")]
    Http(#[from] hyper::Error),
}

type Session = ServerSession<TcpStream>;

impl<K: Kept> Serving<K> {
    /// Serves a connection.
    pub(crate) async fn connection(self, stream: TcpStream) -> Result<(), ServeError> {
        stream.set_nodelay(true)?;
        let ends = Ends { peer: stream.peer_addr()?, local: stream.local_addr()? };
        let began = Instant::now();
        let Some(mut session) = self.acceptor.accept(stream, peer_name(ends.peer.ip())).await? else {
            return Ok(());
        };
        metrics::histogram!("halfkey_gate_session_seconds").record(began.elapsed());
        let opening =
            timeout(self.opening, Opening::read(&mut session)).await.map_err(|_| ServeError::NoOpening)?;
        let Some(opening) = opening? else { return Ok(()) };
        match opening.service.clone() {
            None => self.control(session, opening).await,
            Some(service) => Box::pin(self.service(session, opening, &service, ends)).await,
        }
    }

    /// A control session: the agent says where it is, and is told what it may reach.
    async fn control(&self, mut session: Session, opening: Opening) -> Result<(), ServeError> {
        let who = session.principal().clone();
        let present = self.access.enter(who.clone(), opening.clone(), session.handle());
        present.begun(&who, &opening).await?;
        Answer::Open.write(&mut session).await?;
        session.flush().await?;
        while let Some(opening) = Opening::read(&mut session).await? {
            if opening.service.is_some() {
                break;
            }
            present.moved(opening).await?;
        }
        Ok(session.shutdown().await?)
    }

    /// A connection to a service.
    async fn service(
        &self,
        mut session: Session,
        opening: Opening,
        name: &ServiceName,
        ends: Ends,
    ) -> Result<(), ServeError> {
        let who = session.principal().clone();
        let present = self.access.enter(who.clone(), opening.clone(), session.handle());
        let found = self.find(&who, &opening, name).await;
        let (service, entitled) = match found {
            Ok(found) => found,
            Err(answer) => return refuse(session, answer).await,
        };
        let connected = async {
            let mut stream = upstream::connect(&service).await?;
            upstream::introduce(&service, &mut stream, ends, &who, entitled.name.as_ref()).await?;
            io::Result::Ok(stream)
        };
        let began = Instant::now();
        let connected = connected.await;
        metrics::histogram!("halfkey_gate_upstream_seconds", "service" => name.to_string())
            .record(began.elapsed());
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(service = %name, %error, "the application server does not answer");
                return refuse(session, Answer::Unreachable).await;
            }
        };
        metrics::counter!("halfkey_gate_connections_total", "service" => name.to_string()).increment(1);
        Answer::Open.write(&mut session).await?;
        let http = matches!(service.upstream, crate::config::Upstream::Http { .. });
        drop(service);
        if http {
            let identity = Identity::new(&who, entitled.name.as_ref());
            drop((entitled, who, opening));
            http::serve(session, stream, identity).await?;
        } else {
            drop((entitled, who, opening));
            forward(&mut session, &mut stream).await?;
        }
        drop(present);
        Ok(())
    }

    /// The service, if the user may reach it; otherwise the answer.
    async fn find(
        &self,
        who: &Principal,
        opening: &Opening,
        name: &ServiceName,
    ) -> Result<(Service, Arc<Entitled>), Answer> {
        let failed = |error: OperatorError| {
            store_failed(&error, "a user's services");
            Answer::Busy
        };
        let mut entitled = self.access.entitled(who, opening).await.map_err(failed)?;
        if entitled.services.find(name).is_none() {
            // It may have been given a moment ago.
            entitled = self.access.entitled_now(who, opening).await.map_err(failed)?;
        }
        let service = self.services.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let service = service.filter(|_| entitled.services.find(name).is_some());
        service.map(|service| (service, entitled)).ok_or_else(|| {
            metrics::counter!("halfkey_gate_refusals_total", "cause" => "service").increment(1);
            tracing::info!(user = who.user_id.as_str(), service = %name, "may not be reached");
            Answer::Refused
        })
    }
}

async fn refuse(mut session: Session, answer: Answer) -> Result<(), ServeError> {
    answer.write(&mut session).await?;
    Ok(session.shutdown().await?)
}
