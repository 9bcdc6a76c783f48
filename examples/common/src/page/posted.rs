//! Fields that a form brought.

use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Fields of a form that a browser posted: each is wiped when it is dropped, and shown by no `Debug`.
///
/// The buffers of the HTTP server below it are not wiped.
#[derive(Clone, Default)]
pub struct Posted(BTreeMap<String, Zeroizing<String>>);

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posted")
    }
}

impl Posted {
    /// Reads `application/x-www-form-urlencoded`; of two fields of one name the first counts.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            let value = Zeroizing::new(value.into_owned());
            fields.entry(name.into_owned()).or_insert(value);
        }
        Self(fields)
    }

    /// Returns the value of a field; an absent one is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.as_str())
    }
}
