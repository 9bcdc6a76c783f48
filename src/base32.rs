//! Symbols of the codes that people type: Crockford's base 32, which has no I, L, O and U.

use crate::name::is_separator;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns the symbol of a drawn byte: its five lowest bits count.
pub(crate) fn symbol(byte: u8) -> u8 {
    ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0')
}

/// Reads the symbols of a typed or pasted text: either case, O for 0, I and L for 1; dashes, white space and
/// invisible characters count for nothing. `None` stands for any other character.
pub(crate) fn symbols(typed: &str) -> impl Iterator<Item = Option<u8>> {
    typed.chars().filter(|typed| !is_separator(*typed)).map(|typed| {
        let canonical = match u8::try_from(typed).ok()?.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        ALPHABET.contains(&canonical).then_some(canonical)
    })
}
