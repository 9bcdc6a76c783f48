//! The aliases of one key: which may be used, and which may go.

use crate::id::Alias;
use crate::message::Address;
use alloc::vec::Vec;

/// Most aliases of a key that were issued by one address and never used.
const UNUSED: usize = 4;
/// Most aliases of a key in all. A token that opens session after session and never sends a record
/// makes a chain of them, of whose beginning it needs nothing any more.
const ALL: usize = 32;

/// The aliases of one key, in the order in which they were issued.
#[derive(Clone, Default)]
pub(super) struct Aliases(pub(super) Vec<Issued>);

#[derive(Clone)]
pub(super) struct Issued {
    pub(super) alias: Alias,
    /// The address that opened the session it was issued in; `None` for the first, which came in R3.
    pub(super) by: Option<Address>,
    pub(super) used: bool,
}

impl Aliases {
    pub(super) fn first(alias: Alias) -> Self {
        Self(alloc::vec![Issued { alias, by: None, used: false }])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Alias> {
        self.0.iter().map(|issued| &issued.alias)
    }

    /// Issues `alias` in a session opened by `by`, and gives the alias that makes room for it.
    #[must_use]
    pub(super) fn issue(&mut self, alias: Alias, by: Address) -> Option<Alias> {
        for issued in self.0.iter_mut().filter(|issued| Address::Alias(issued.alias) == by) {
            issued.used = true;
        }
        let idle = |issued: &Issued| issued.by == Some(by) && !issued.used;
        let gone = if self.0.iter().filter(|issued| idle(issued)).count() >= UNUSED {
            self.0.iter().position(idle)
        } else if self.0.len() >= ALL {
            self.0.iter().position(|issued| Address::Alias(issued.alias) != by)
        } else {
            None
        };
        let gone = gone.map(|place| self.0.remove(place).alias);
        self.0.push(Issued { alias, by: Some(by), used: false });
        gone
    }

    /// Drops what is older than `heard`.
    #[must_use]
    pub(super) fn heard(&mut self, heard: Address) -> Vec<Alias> {
        let place = match heard {
            Address::Alias(_) => self.0.iter().position(|issued| Address::Alias(issued.alias) == heard),
            // The key's name is as old as the oldest alias it has issued.
            Address::Key(_) => self.0.iter().position(|issued| issued.by == Some(heard)),
        };
        let Some(place) = place else { return Vec::new() };
        // What an address issued is newer than the address.
        let newer = self.0.split_off(place);
        let gone = core::mem::replace(&mut self.0, newer);
        gone.into_iter().map(|issued| issued.alias).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::KeyId;

    const KEY: Address = Address::Key(KeyId::new([0; 16]));

    fn alias(n: u8) -> Alias {
        Alias::new([n; 16])
    }

    fn held(aliases: &Aliases) -> Vec<u8> {
        aliases.iter().map(|alias| alias.as_bytes()[0]).collect()
    }

    #[test]
    fn a_chain_of_sessions() {
        let mut aliases = Aliases::first(alias(0));
        assert_eq!(aliases.issue(alias(1), Address::Alias(alias(0))), None);
        assert_eq!(aliases.issue(alias(2), Address::Alias(alias(0))), None);
        assert_eq!(aliases.issue(alias(3), Address::Alias(alias(2))), None);
        assert_eq!(aliases.heard(Address::Alias(alias(0))), []);
        assert_eq!(aliases.heard(Address::Alias(alias(2))), [alias(0), alias(1)]);
        assert_eq!(held(&aliases), [2, 3]);
        assert_eq!(aliases.heard(Address::Alias(alias(0))), []);
    }

    #[test]
    fn a_late_record_of_an_old_session_drops_nothing_newer() {
        let mut aliases = Aliases::first(alias(0));
        for n in 0..3 {
            assert_eq!(aliases.issue(alias(n + 1), Address::Alias(alias(n))), None);
        }
        assert_eq!(aliases.heard(Address::Alias(alias(1))), [alias(0)]);
        assert_eq!(held(&aliases), [1, 2, 3]);
    }

    #[test]
    fn lost_accepts_push_out_the_oldest_unused_only() {
        let mut aliases = Aliases::first(alias(0));
        for n in 1..=4 {
            assert_eq!(aliases.issue(alias(n), Address::Alias(alias(0))), None);
        }
        assert_eq!(aliases.issue(alias(5), Address::Alias(alias(0))), Some(alias(1)));
        assert_eq!(held(&aliases), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn sessions_by_key_name_keep_the_first_alias_until_a_record_comes() {
        let mut aliases = Aliases::first(alias(0));
        for n in 1..=5 {
            let _ = aliases.issue(alias(n), KEY);
        }
        assert_eq!(held(&aliases), [0, 2, 3, 4, 5]);
        assert_eq!(aliases.heard(KEY), [alias(0)]);
        assert_eq!(held(&aliases), [2, 3, 4, 5]);
    }

    #[test]
    fn silent_sessions_do_not_grow_without_end() {
        let mut aliases = Aliases::first(alias(0));
        for n in 0..100 {
            let _ = aliases.issue(alias(n + 1), Address::Alias(alias(n)));
        }
        assert_eq!(held(&aliases).len(), ALL);
        assert_eq!(held(&aliases).last(), Some(&100));
    }
}
