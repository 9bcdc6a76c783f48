//! Places for connections: how many there are, and who has to go when there are too many.
//!
//! A connection without a session may be sent away for a newcomer; one with a session never is. The peer with
//! the most such connections loses one first, a newcomer's own included. Among equals the one goes that came
//! first, where a connection that has sent a frame counts as [`CREDIT`] younger than one that is silent.

use super::ending::Ending;
use crate::id::KeyId;
use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How much younger a connection counts for having sent a frame.
const CREDIT: Duration = Duration::from_secs(5);

/// The reason why a connection has no place, or has lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// All are taken, by sessions.
    Full,
    /// A newcomer took it.
    SentAway,
    /// The server is shutting down.
    ShuttingDown,
}

/// The places of one acceptor.
pub(super) struct Places {
    state: Mutex<State>,
    /// Told when a place or a piece of work becomes free.
    freed: Notify,
}

type Peer = Arc<[u8]>;
/// When a connection came, with its credit, and its number.
type Rank = (Instant, u64);

#[derive(Default)]
struct State {
    most: usize,
    most_per_peer: usize,
    stopping: bool,
    next: u64,
    /// Turns under way.
    work: usize,
    open: HashMap<u64, Entry>,
    /// The sessions of each key.
    keys: HashMap<KeyId, Vec<u64>>,
    peers: HashMap<Peer, OfPeer>,
    /// Peers that have a connection to lose: how many, and the rank of the first to go.
    losers: BTreeSet<(usize, Reverse<Rank>)>,
}

#[derive(Default)]
struct OfPeer {
    connections: usize,
    /// Those without a session.
    unproven: BTreeSet<Rank>,
}

struct Entry {
    peer: Peer,
    came: Instant,
    spoke: bool,
    /// Some once it has a session: the key and the session.
    session: Option<(KeyId, Weak<dyn Ending>)>,
    sign: Arc<Sign>,
}

impl Entry {
    fn rank(&self, id: u64) -> Rank {
        let credit = if self.spoke { CREDIT } else { Duration::ZERO };
        (self.came.checked_add(credit).unwrap_or(self.came), id)
    }

    fn session(&self) -> Option<Weak<dyn Ending>> {
        self.session.as_ref().map(|(_, session)| Weak::clone(session))
    }
}

/// Tells a connection that it has to go.
#[derive(Default)]
struct Sign {
    why: Mutex<Option<NoPlace>>,
    told: Notify,
}

impl Sign {
    fn tell(&self, why: NoPlace) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.told.notify_one();
    }
}

/// A connection's place. Dropped, it is free.
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    sign: Arc<Sign>,
}

/// A turn under way. A shutdown waits for it.
pub(super) struct Work(Arc<Places>);

impl Places {
    pub(super) fn new(most: usize, most_per_peer: usize) -> Arc<Self> {
        let state = State { most, most_per_peer, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new() })
    }

    /// Sets how many there are from now on. Nobody has to go for it.
    pub(super) fn limit(&self, most: usize, most_per_peer: usize) {
        let mut state = self.lock();
        (state.most, state.most_per_peer) = (most, most_per_peer);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, if need be another's.
    pub(super) fn enter(self: &Arc<Self>, peer: &Peer) -> Result<Place, NoPlace> {
        let mut state = self.lock();
        if state.stopping {
            return Err(NoPlace::ShuttingDown);
        }
        let (all, own) = (state.open.len(), state.peers.get(peer).map_or(0, |peer| peer.connections));
        if own >= state.most_per_peer {
            let victim = state.first_of(peer).ok_or(NoPlace::Full)?;
            state.send_away(victim);
        } else if all >= state.most {
            let victim = state.victim_for(peer).ok_or(NoPlace::Full)?;
            state.send_away(victim);
        }
        let (id, sign) = (state.next, Arc::<Sign>::default());
        state.next = state.next.wrapping_add(1);
        let entry = Entry {
            peer: Arc::clone(peer),
            came: Instant::now(),
            spoke: false,
            session: None,
            sign: Arc::clone(&sign),
        };
        state.enter(id, entry);
        Ok(Place { places: Arc::clone(self), id, sign })
    }

    /// Notes a turn under way.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        let mut state = self.lock();
        state.work = state.work.saturating_add(1);
        Work(Arc::clone(self))
    }

    /// Admits nobody any more, tells everybody, and gives the sessions that are open.
    pub(super) fn stop(&self) -> Vec<Weak<dyn Ending>> {
        let mut state = self.lock();
        state.stopping = true;
        state.open.values().for_each(|entry| entry.sign.tell(NoPlace::ShuttingDown));
        state.sessions()
    }

    /// The sessions that are open.
    pub(super) fn sessions(&self) -> Vec<Weak<dyn Ending>> {
        self.lock().sessions()
    }

    /// The open sessions of a key.
    pub(super) fn sessions_of(&self, key_id: &KeyId) -> Vec<Weak<dyn Ending>> {
        let state = self.lock();
        let of_key = state.keys.get(key_id).into_iter().flatten();
        of_key.filter_map(|id| state.open.get(id)?.session()).collect()
    }

    /// Waits until every place is free and no turn is under way.
    pub(super) async fn empty(&self) {
        loop {
            let mut freed = core::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let empty = {
                let state = self.lock();
                state.open.is_empty() && state.work == 0
            };
            if empty {
                return;
            }
            freed.await;
        }
    }
}

impl State {
    fn sessions(&self) -> Vec<Weak<dyn Ending>> {
        self.open.values().filter_map(Entry::session).collect()
    }

    /// Changes what is known of a peer, and keeps the order of the losers.
    fn change(&mut self, peer: &Peer, change: impl FnOnce(&mut OfPeer)) {
        let known = self.peers.entry(Arc::clone(peer)).or_default();
        if let Some(first) = known.unproven.first() {
            self.losers.remove(&(known.unproven.len(), Reverse(*first)));
        }
        change(known);
        if let Some(first) = known.unproven.first() {
            self.losers.insert((known.unproven.len(), Reverse(*first)));
        }
        if known.connections == 0 {
            self.peers.remove(peer);
        }
    }

    fn enter(&mut self, id: u64, entry: Entry) {
        let (peer, rank) = (Arc::clone(&entry.peer), entry.rank(id));
        self.open.insert(id, entry);
        self.change(&peer, |known| {
            known.connections = known.connections.saturating_add(1);
            known.unproven.insert(rank);
        });
    }

    fn leave(&mut self, id: u64) -> Option<Entry> {
        let entry = self.open.remove(&id)?;
        let rank = entry.rank(id);
        if let Some((key_id, _)) = &entry.session
            && let Some(of_key) = self.keys.get_mut(key_id)
        {
            of_key.retain(|other| *other != id);
            if of_key.is_empty() {
                self.keys.remove(key_id);
            }
        }
        self.change(&entry.peer, |known| {
            known.connections = known.connections.saturating_sub(1);
            known.unproven.remove(&rank);
        });
        Some(entry)
    }

    fn send_away(&mut self, id: u64) {
        if let Some(entry) = self.leave(id) {
            entry.sign.tell(NoPlace::SentAway);
        }
    }

    fn first_of(&self, peer: &Peer) -> Option<u64> {
        self.peers.get(peer)?.unproven.first().map(|(_, id)| *id)
    }

    fn victim_for(&self, newcomer: &Peer) -> Option<u64> {
        let (most, Reverse((_, first))) = self.losers.last()?;
        let own = self.peers.get(newcomer).map_or(0, |known| known.unproven.len());
        // With the newcomer, its own peer would have the most.
        if own >= *most { self.first_of(newcomer) } else { Some(*first) }
    }
}

impl Place {
    /// Notes that the peer has sent a frame.
    pub(super) fn spoke(&self) {
        let mut state = self.places.lock();
        let Some(entry) = state.open.get_mut(&self.id).filter(|entry| !entry.spoke) else { return };
        let before = entry.rank(self.id);
        entry.spoke = true;
        let (peer, after) = (Arc::clone(&entry.peer), entry.rank(self.id));
        state.change(&peer, |known| {
            known.unproven.remove(&before);
            known.unproven.insert(after);
        });
    }

    /// Notes that the peer has a session: it stays until it goes. Returns how many sessions the key has with it;
    /// none where the place is lost already.
    pub(super) fn prove(&self, session: Weak<dyn Ending>, key_id: KeyId) -> Option<usize> {
        let mut state = self.places.lock();
        let stopping = state.stopping;
        let entry = state.open.get_mut(&self.id).filter(|_| !stopping)?;
        entry.session = Some((key_id, session));
        let (peer, rank) = (Arc::clone(&entry.peer), entry.rank(self.id));
        state.change(&peer, |known| {
            known.unproven.remove(&rank);
        });
        let of_key = state.keys.entry(key_id).or_default();
        of_key.push(self.id);
        Some(of_key.len())
    }

    /// Waits until the connection has to go.
    pub(super) async fn lost(&self) -> NoPlace {
        loop {
            if let Some(why) = self.is_lost() {
                return why;
            }
            self.sign.told.notified().await;
        }
    }

    /// The reason why the connection has to go, if it has to.
    pub(super) fn is_lost(&self) -> Option<NoPlace> {
        *self.sign.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.places.lock().leave(self.id));
        self.places.freed.notify_waiters();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.work = state.work.saturating_sub(1);
        drop(state);
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
