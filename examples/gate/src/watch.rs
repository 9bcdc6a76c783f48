//! Looks at the store's log for changes that the operator makes, in whatever process, and applies them to the sessions
//! that are open.

use crate::access::Access;
use crate::observe::store_failed;
use crate::store::Kept;
use halfkey::store::operation::{EventFilter, ListEvents, Purge, PurgeEvents};
use halfkey::store::{AuditEvent, AuditEventKind, OperatorError};
use halfkey::tokio::Acceptor;
use halfkey::{EventId, KeyId, UnixTime};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// After which everybody is judged anew, whatever the log says: entitlements may end by themselves.
const ALL: Duration = Duration::from_secs(30);
/// Between two times that expired rows are removed.
const PURGE: Duration = Duration::from_secs(60);
/// Rows of a kind that one transaction removes.
const AT_ONCE: u16 = 200;
/// Seconds by which another process's clock may be behind.
const BEHIND: u64 = 120;
/// Entries read at once.
const MANY: u16 = 500;

/// Kinds after which a registration's sessions end.
const ENDS: [AuditEventKind; 5] = [
    AuditEventKind::Suspended,
    AuditEventKind::Revoked,
    AuditEventKind::RegistrationDeleted,
    AuditEventKind::Superseded,
    AuditEventKind::ExpirySet,
];

/// Kinds after which somebody may be entitled to something else.
const ENTITLES: [AuditEventKind; 6] = [
    AuditEventKind::Entitled,
    AuditEventKind::EntitlementRevoked,
    AuditEventKind::EntitlementCleared,
    AuditEventKind::GroupJoined,
    AuditEventKind::GroupLeft,
    AuditEventKind::EpochRaised,
];

/// The look-out.
pub(crate) struct Watch<K: Kept> {
    access: Arc<Access<K>>,
    store: K,
    acceptor: Acceptor,
    /// Entries that have been applied, of the last minutes.
    seen: HashSet<EventId>,
    /// True where somebody may be entitled to something else and not everybody has been judged since.
    changed: bool,
    judged: Instant,
}

/// News in the log.
#[derive(Default)]
struct News {
    ended: HashSet<KeyId>,
    entitled: bool,
}

impl<K: Kept> Watch<K> {
    pub(crate) fn new(access: Arc<Access<K>>, store: K, acceptor: Acceptor) -> Self {
        Self { access, store, acceptor, seen: HashSet::new(), changed: false, judged: Instant::now() }
    }

    /// Looks every second, for ever.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What the log says already, sessions that are opened from now on know.
        let mut begun = false;
        loop {
            ticks.tick().await;
            let looked = self.look().await;
            // Also where the log cannot be read: what the store said before may be true no more.
            self.access.forget();
            let applied = match looked {
                Ok(news) if begun => self.apply(news).await,
                looked => looked.map(|_| begun = true),
            };
            if let Err(error) = applied {
                store_failed(&error, "changes in the store");
            }
        }
    }

    /// Reads what is new in the log.
    async fn look(&mut self) -> Result<News, OperatorError> {
        let now = UnixTime::now();
        let since = UnixTime::from_secs(now.as_secs().saturating_sub(BEHIND));
        let (mut news, mut seen) = (News::default(), HashSet::new());
        for (kinds, ends) in [(&ENDS[..], true), (&ENTITLES[..], false)] {
            for kind in kinds {
                self.look_for(*kind, ends, since, now, &mut news, &mut seen).await?;
            }
        }
        self.seen = seen;
        Ok(news)
    }

    async fn look_for(
        &self,
        kind: AuditEventKind,
        ends: bool,
        since: UnixTime,
        now: UnixTime,
        news: &mut News,
        seen: &mut HashSet<EventId>,
    ) -> Result<(), OperatorError> {
        let filter = EventFilter {
            kind: Some(kind),
            since: Some(since),
            newest_first: true,
            ..EventFilter::default()
        };
        let mut list = ListEvents { filter, after: None, limit: Some(MANY) };
        loop {
            let page = self.store.run(list.clone(), now).await?;
            for AuditEvent { id, key_id, .. } in &page.entries {
                seen.insert(*id);
                if self.seen.contains(id) {
                    continue;
                }
                news.entitled |= !ends;
                news.ended.extend(key_id.filter(|_| ends));
            }
            let Some(next) = page.next else { return Ok(()) };
            list.after = Some(next);
        }
    }

    /// Applies what is new. Where the store does not answer for a user, everybody is judged again at the next look.
    async fn apply(&mut self, news: News) -> Result<(), OperatorError> {
        for key_id in &news.ended {
            let ended = self.acceptor.end_sessions(key_id);
            if ended > 0 {
                tracing::info!(key = %key_id, sessions = ended, "ended");
                metrics::counter!("halfkey_gate_ended_total")
                    .increment(u64::try_from(ended).unwrap_or(u64::MAX));
            }
        }
        self.changed |= news.entitled;
        if self.changed || self.judged.elapsed() > ALL {
            for key_id in self.access.keys() {
                self.access.judge(&key_id).await?;
            }
            (self.changed, self.judged) = (false, Instant::now());
        }
        Ok(())
    }
}

/// Removes expired rows and old entries of the log, for ever.
pub(crate) async fn purge<K: Kept>(store: K, events_days: u32) {
    let mut ticks = tokio::time::interval(PURGE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = purge_once(&store, events_days).await {
            store_failed(&error, "the removal of expired rows");
        }
    }
}

async fn purge_once<K: Kept>(store: &K, events_days: u32) -> Result<(), OperatorError> {
    while store.run(Purge { limit: AT_ONCE }, UnixTime::now()).await?.more {}
    let now = UnixTime::now();
    let before =
        UnixTime::from_secs(now.as_secs().saturating_sub(u64::from(events_days).saturating_mul(86_400)));
    while store.run(PurgeEvents { before, limit: AT_ONCE }, now).await? == usize::from(AT_ONCE) {}
    Ok(())
}
