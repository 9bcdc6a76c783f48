//! Who gets in.

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST};
use base64ct::{Base64UrlUnpadded, Encoding};
use halfkey::{RandomSource, SystemRandom};
use maud::{Markup, html};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Time for an invitation to be used.
const INVITATION: Duration = Duration::from_secs(600);
/// Longest time that a browser stays in.
pub(super) const STAY: Duration = Duration::from_secs(12 * 3600);
/// The most invitations that are open, and the most browsers that are in: the oldest makes room.
const MOST: usize = 8;
/// Name of the field of a form that has the token.
pub(super) const TOKEN: &str = "token";
/// Names of this machine that nobody else can give.
const NAMES: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Hosts that a browser may ask for.
#[derive(Clone, Debug)]
pub enum Hosts {
    /// This machine's loopback names with the port that is listened on.
    Port(u16),
    /// This machine's loopback names with any port: for a socket that something else leads to, such as `ssh -L`.
    Loopback,
}

impl Hosts {
    /// Hosts for a listener on a loopback address.
    #[must_use]
    pub const fn of(address: SocketAddr) -> Self {
        Self::Port(address.port())
    }

    fn allow(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (name, port.parse::<u16>().ok())
            }
            // A browser leaves out the port of http alone.
            _ => (host, Some(80)),
        };
        let there = match self {
            Self::Port(own) => port == Some(*own),
            Self::Loopback => port.is_some(),
        };
        there && NAMES.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Door in front of pages. Clones are the same door.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    program: &'static str,
    again: &'static str,
    hosts: Hosts,
    cookie: String,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    invitations: Vec<(Zeroizing<String>, Instant)>,
    sessions: Vec<(Arc<Keyed>, Instant)>,
    used: Option<Instant>,
}

struct Keyed {
    cookie: Zeroizing<String>,
    token: Zeroizing<String>,
}

/// Browser that is in.
#[derive(Clone)]
pub struct Session(Arc<Keyed>);

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("program", &self.0.program).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// Text of 32 random bytes.
fn draw() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom.fill(&mut *bytes);
    Zeroizing::new(Base64UrlUnpadded::encode_string(&*bytes))
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

impl Door {
    /// Makes a door that nobody is invited to yet. `program` is the name that pages show; `again` says how to get a new
    /// invitation, after "To come in, ".
    #[must_use]
    pub fn new(program: &'static str, again: &'static str, hosts: Hosts) -> Self {
        // Of its own: browsers show the cookies of one port to every port of the same host.
        let cookie = format!("halfkey-{}", draw().get(..8).unwrap_or_default());
        Self(Arc::new(Inner { program, again, hosts, cookie, keys: Mutex::default() }))
    }

    /// Invites one browser: returns the path and query of a URL that opens the door once, within ten minutes.
    ///
    /// It is a secret, and gets into no log.
    #[must_use]
    pub fn invite(&self) -> Zeroizing<String> {
        let key = draw();
        let path = Zeroizing::new(format!("/open?key={}", key.as_str()));
        let mut keys = self.keys();
        if keys.invitations.len() >= MOST {
            keys.invitations.remove(0);
        }
        keys.invitations.push((key, Instant::now()));
        path
    }

    /// Returns how long nobody has used the pages: since the last request that a person made, or since the first call.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.keys().used.get_or_insert_with(Instant::now).elapsed()
    }

    /// Shows everybody out, and takes all invitations back.
    pub fn close(&self) {
        let mut keys = self.keys();
        keys.invitations.clear();
        keys.sessions.clear();
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn program(&self) -> &'static str {
        self.0.program
    }

    pub(super) fn again(&self) -> &'static str {
        self.0.again
    }

    /// The host that is asked for, where it is one of ours.
    pub(super) fn host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next()?.to_str().ok()?;
        (hosts.next().is_none() && self.0.hosts.allow(host)).then_some(host)
    }

    /// Uses an invitation up. Returns the cookie to be set.
    pub(super) fn open(&self, key: &str) -> Option<Zeroizing<String>> {
        let mut keys = self.keys();
        keys.invitations.retain(|(_, at)| at.elapsed() < INVITATION);
        let place = keys.invitations.iter().position(|(one, _)| same(one, key))?;
        keys.invitations.remove(place);
        let keyed = Keyed { cookie: draw(), token: draw() };
        let cookie = Zeroizing::new(format!(
            "{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict",
            self.0.cookie,
            keyed.cookie.as_str(),
            STAY.as_secs()
        ));
        if keys.sessions.len() >= MOST {
            keys.sessions.remove(0);
        }
        keys.sessions.push((Arc::new(keyed), Instant::now()));
        Some(cookie)
    }

    /// The browser that a request's cookie belongs to. `person` is set where a person asks, and not the page by itself.
    pub(super) fn session(&self, headers: &HeaderMap, person: bool) -> Option<Session> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut keys = self.keys();
        keys.sessions.retain(|(_, since)| since.elapsed() < STAY);
        let mut found = None;
        for (_, value) in pairs.filter(|(name, _)| *name == self.0.cookie) {
            for (keyed, _) in &keys.sessions {
                if same(&keyed.cookie, value) {
                    found = Some(Session(Arc::clone(keyed)));
                }
            }
        }
        if found.is_some() && person {
            keys.used = Some(Instant::now());
        }
        found
    }
}

impl Session {
    /// Returns the hidden field that each form has.
    #[must_use]
    pub fn token(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.0.token.as_str()); }
    }

    pub(super) fn has(&self, token: &str) -> bool {
        same(&self.0.token, token)
    }
}
