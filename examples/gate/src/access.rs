//! Entitlements of the application `services`, and the open sessions that depend on them.

use crate::store::Kept;
use halfkey::configuration::server::Principal;
use halfkey::configuration::{ConfigurationSerial, UserInformation};
use halfkey::port::entitlement_store::{Entitlement, EntitlementQuery};
use halfkey::store::OperatorError;
use halfkey::store::operation::InspectRegistration;
use halfkey::tokio::ServerHandle;
use halfkey::{ApplicationName, KeyId, UnixTime, UserName};
use halfkey_service::{APPLICATION, Opening, Services};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long a session may take a configuration that is sent unasked.
const PUSH: Duration = Duration::from_secs(30);

/// Entitlements of the application `services`, and the open sessions that depend on them.
pub(crate) struct Access<K> {
    store: K,
    application: ApplicationName,
    /// Answers of the store since the last look at its log: see [`Access::forget`].
    known: Mutex<HashMap<(KeyId, Place), Arc<Entitled>>>,
    live: Mutex<HashMap<KeyId, Vec<Live>>>,
    next: AtomicU64,
}

/// Where a user is and on what: the location and the system.
type Place = (Option<String>, Option<String>);

/// Entitlement of a user at one place.
#[derive(Debug, Default)]
pub(crate) struct Entitled {
    /// The user's name.
    pub(crate) name: Option<UserName>,
    /// The services that the user may reach.
    pub(crate) services: Services,
    entitlement: Option<Entitlement>,
}

/// A session that is there.
#[derive(Clone)]
struct Live {
    id: u64,
    principal: Arc<Principal>,
    opening: Opening,
    handle: ServerHandle,
    /// In a control session, the serial of the list that the agent has or was sent.
    sent: Option<ConfigurationSerial>,
}

/// The place of a session among those that are there. It is given back when this is dropped.
pub(crate) struct Present<K: Kept> {
    access: Arc<Access<K>>,
    key_id: KeyId,
    id: u64,
}

impl<K: Kept> Access<K> {
    /// Begins with a store, and nobody there.
    ///
    /// # Errors
    /// Never: the application's name is one.
    pub(crate) fn new(store: K) -> Result<Self, halfkey::NameError> {
        Ok(Self {
            store,
            application: ApplicationName::new(APPLICATION)?,
            known: Mutex::default(),
            live: Mutex::default(),
            next: AtomicU64::default(),
        })
    }

    /// Returns what a user is entitled to, now or at the last look at the store's log: enough to let a user in.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn entitled(
        &self,
        who: &Principal,
        opening: &Opening,
    ) -> Result<Arc<Entitled>, OperatorError> {
        let known = lock(&self.known).get(&key_of(who, opening)).map(Arc::clone);
        match known {
            Some(known) => Ok(known),
            None => self.entitled_now(who, opening).await,
        }
    }

    /// Asks the store what a user is entitled to.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn entitled_now(
        &self,
        who: &Principal,
        opening: &Opening,
    ) -> Result<Arc<Entitled>, OperatorError> {
        let entitled = Arc::new(self.ask(who, opening.information()).await?);
        lock(&self.known).insert(key_of(who, opening), Arc::clone(&entitled));
        Ok(entitled)
    }

    async fn ask(&self, who: &Principal, information: UserInformation) -> Result<Entitled, OperatorError> {
        // What is no place at all entitles to nothing that depends on one.
        let information = information.normalised().unwrap_or_default();
        let (user_id, path, application) =
            (who.user_id.clone(), who.access_path.clone(), self.application.clone());
        let mut query = EntitlementQuery::new(who.key_id, user_id, path, application);
        query.information = information;
        let (now, began) = (UnixTime::now(), Instant::now());
        let entitlement = self.store.entitlement(&query, now).await?;
        let entry = self.store.run(InspectRegistration(who.key_id), now).await?;
        metrics::histogram!("halfkey_gate_store_seconds").record(began.elapsed());
        let document = entitlement.as_ref().and_then(|entitlement| entitlement.document.as_ref());
        let services = document.map(|document| Services::read(&document.body)).transpose();
        let services = services.unwrap_or_else(|error| {
            tracing::warn!(
                user = who.user_id.as_str(),
                error = halfkey_common::sentence(&error),
                "the list of services cannot be read"
            );
            None
        });
        Ok(Entitled {
            name: entry.map(|entry| entry.name),
            services: services.unwrap_or_default(),
            entitlement,
        })
    }

    /// Forgets what the store has answered, so that it is asked again.
    pub(crate) fn forget(&self) {
        lock(&self.known).clear();
    }

    /// Enters a session. It is entered before it is judged, so that no change can come between the two.
    pub(crate) fn enter(
        self: &Arc<Self>,
        who: Principal,
        opening: Opening,
        handle: ServerHandle,
    ) -> Present<K> {
        let (id, key_id) = (self.next.fetch_add(1, Ordering::Relaxed), who.key_id);
        let live = Live { id, principal: Arc::new(who), opening, handle, sent: None };
        lock(&self.live).entry(key_id).or_default().push(live);
        Present { access: Arc::clone(self), key_id, id }
    }

    /// The keys of the sessions that are there.
    #[must_use]
    pub(crate) fn keys(&self) -> Vec<KeyId> {
        lock(&self.live).keys().copied().collect()
    }

    /// The number of sessions that are there: control sessions, and connections to services.
    #[must_use]
    pub(crate) fn count(&self) -> (usize, usize) {
        let live = lock(&self.live);
        let controls = live.values().flatten().filter(|live| live.opening.service.is_none()).count();
        (controls, live.values().map(Vec::len).sum::<usize>().saturating_sub(controls))
    }

    /// Has agents go elsewhere: ends their control sessions. Connections to services go on.
    pub(crate) fn send_away(&self) {
        for live in lock(&self.live).values().flatten().filter(|live| live.opening.service.is_none()) {
            let handle = live.handle.clone();
            drop(tokio::spawn(async move { tokio::time::timeout(PUSH, handle.close()).await }));
        }
    }

    /// Judges the sessions of a key anew: ends those to services that it may not reach any more, and sends the list
    /// to its agent where it has changed.
    ///
    /// # Errors
    /// The store's; then nothing is ended.
    pub(crate) async fn judge(self: &Arc<Self>, key_id: &KeyId) -> Result<(), OperatorError> {
        let lives = lock(&self.live).get(key_id).cloned().unwrap_or_default();
        // Where the agent is now, it says in its control session.
        let now = lives.iter().rev().find(|live| live.opening.service.is_none());
        let now = now.map(|control| control.opening.clone());
        // Asked at this moment, and once for each place: an answer of before may have come too late to be forgotten.
        let mut asked = HashMap::<Place, Arc<Entitled>>::new();
        for live in lives {
            let opening = now.as_ref().unwrap_or(&live.opening);
            let entitled = match asked.entry(place_of(opening)) {
                Entry::Occupied(entry) => Arc::clone(entry.get()),
                Entry::Vacant(entry) => {
                    Arc::clone(entry.insert(self.entitled_now(&live.principal, opening).await?))
                }
            };
            match &live.opening.service {
                Some(service) if entitled.services.find(service).is_none() => {
                    tracing::info!(
                        key = %key_id, user = live.principal.user_id.as_str(), %service, "taken away"
                    );
                    metrics::counter!("halfkey_gate_taken_away_total").increment(1);
                    live.handle.cut().await;
                }
                Some(_) => {}
                None => self.tell(&live, &entitled),
            }
        }
        Ok(())
    }

    /// Sends an agent the list, unless it was sent before.
    fn tell(self: &Arc<Self>, live: &Live, entitled: &Arc<Entitled>) {
        let Some(entitlement) = &entitled.entitlement else { return };
        if live.sent == Some(entitlement.serial) {
            return;
        }
        self.note(&live.principal.key_id, live.id, |live| live.sent = Some(entitlement.serial));
        let (access, handle, entitlement) = (Arc::clone(self), live.handle.clone(), entitlement.clone());
        let (key_id, id) = (live.principal.key_id, live.id);
        tokio::spawn(async move {
            let push = handle.push(&access.application, &entitlement);
            if !matches!(tokio::time::timeout(PUSH, push).await, Ok(Ok(()))) {
                access.note(&key_id, id, |live| live.sent = None);
            }
        });
    }

    fn note(&self, key_id: &KeyId, id: u64, note: impl FnOnce(&mut Live)) {
        let mut live = lock(&self.live);
        if let Some(live) = live.get_mut(key_id).and_then(|all| all.iter_mut().find(|live| live.id == id)) {
            note(live);
        }
    }
}

impl<K: Kept> Present<K> {
    /// Notes the serial of the list that the agent will now ask for by itself.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn begun(&self, who: &Principal, opening: &Opening) -> Result<(), OperatorError> {
        let entitled = self.access.entitled_now(who, opening).await?;
        let serial = entitled.entitlement.as_ref().map(|entitlement| entitlement.serial);
        self.access.note(&self.key_id, self.id, |live| live.sent = serial);
        Ok(())
    }

    /// Notes where the agent is now, and judges its sessions by that.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn moved(&self, opening: Opening) -> Result<(), OperatorError> {
        self.access.note(&self.key_id, self.id, |live| live.opening = opening);
        self.access.judge(&self.key_id).await
    }
}

impl<K: Kept> Drop for Present<K> {
    fn drop(&mut self) {
        let mut live = lock(&self.access.live);
        if let Some(all) = live.get_mut(&self.key_id) {
            all.retain(|live| live.id != self.id);
            if all.is_empty() {
                live.remove(&self.key_id);
            }
        }
    }
}

fn key_of(who: &Principal, opening: &Opening) -> (KeyId, Place) {
    (who.key_id, place_of(opening))
}

fn place_of(opening: &Opening) -> Place {
    (opening.location.clone(), opening.system.clone())
}

/// Locks what no panic leaves in disorder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
