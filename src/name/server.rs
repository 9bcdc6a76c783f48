//! Server names as people write them.

use super::{NameError, TYPED_MAX, enforce, punycode};
use alloc::string::String;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// What separates labels, besides the full stop, on some keyboards (RFC 3490, section 3.1).
const STOPS: [char; 4] = ['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'];

/// Maps the server's name that a person typed; see [`ServerName::normalise`](crate::ServerName::normalise). The
/// outcome is yet to be checked.
pub(crate) fn normalise_server_name(typed: &str) -> Result<String, NameError> {
    if typed.len() > TYPED_MAX {
        return Err(NameError::TooLong(TYPED_MAX));
    }
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(NameError::Empty);
    }
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if let Some(error) = NameError::first(typed, allowed) {
        return Err(error);
    }
    let typed_labels = typed.strip_suffix(STOPS).unwrap_or(typed);
    let mut name = String::new();
    for label in typed_labels.split(STOPS) {
        let label = label_of(label).map_err(|error| match error {
            // The first that no name has by itself, if there is one.
            NameError::Character => {
                let alone = |c: char| STOPS.contains(&c) || enforce(c.encode_utf8(&mut [0; 4])).is_ok();
                NameError::first(typed, alone).unwrap_or(NameError::Character)
            }
            error => error,
        })?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&label);
    }
    Ok(name)
}

/// A DNS name in lower-case A-label form (RFC 5890); the caller has checked the length.
pub(crate) fn check_server_name(name: &str) -> Result<(), NameError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if let Some(error) = NameError::first(name, allowed) {
        return Err(error);
    }
    let label =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    if !name.split('.').all(label) {
        return Err(NameError::Label);
    }
    // A name that ends in a number would be read as an IPv4 address (RFC 1123, section 2.1).
    let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if number { Err(NameError::Number) } else { Ok(()) }
}

/// A label in lower case, as an A-label if it has letters beyond ASCII. What a U-label may have in it is what a
/// user name may (RFC 5892 and RFC 8264 derive it alike), except for ASCII's symbols.
fn label_of(typed: &str) -> Result<String, NameError> {
    if typed.is_empty() {
        return Err(NameError::Label);
    }
    if typed.is_ascii() {
        return Ok(typed.to_ascii_lowercase());
    }
    let label = enforce(typed)?;
    if label.is_ascii() {
        return Ok(label);
    }
    // RFC 5891, section 4.2.3: no hyphens at the ends or in the third and fourth place, no mark at the front.
    let hyphens =
        label.starts_with('-') || label.ends_with('-') || label.chars().skip(2).take(2).eq("--".chars());
    let mark = label.chars().next().map(UnicodeGeneralCategory::general_category_group);
    if hyphens || mark == Some(GeneralCategoryGroup::Mark) {
        return Err(NameError::Label);
    }
    let encoded = punycode::encode(&label).ok_or(NameError::Label)?;
    Ok(["xn--", &encoded].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServerName;

    #[test]
    fn server_names_as_people_write_them() {
        for (typed, name) in [
            ("gate.example", "gate.example"),
            ("Gate.Example", "gate.example"),
            ("GATE.EXAMPLE.", "gate.example"),
            (" gate.example\n", "gate.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.Example.", "xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("ｇａｔｅ．ｅｘａｍｐｌｅ", "gate.example"),
            ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"),
            ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        ] {
            let normalised = ServerName::normalise(typed).unwrap();
            assert_eq!(normalised.as_str(), name, "{typed}");
            assert_eq!(ServerName::normalise(name), Ok(normalised));
        }
    }

    #[test]
    fn the_character_that_is_wrong_is_named_with_its_place() {
        let at = |character, place| NameError::CharacterAt { character, place };
        for (typed, error) in [
            ("gate.example:4501", at(':', 13)),
            ("https://gate.example", at(':', 6)),
            ("gate example", at(' ', 5)),
            ("*.example", at('*', 1)),
            ("bü_cher.example", at('_', 3)),
            ("bü\u{200D}cher.example", at('\u{200D}', 3)),
            ("♥.example", at('♥', 1)),
            ("gate..example", NameError::Label),
            ("gate.example..", NameError::Label),
            ("", NameError::Empty),
            (" \n", NameError::Empty),
            (".", NameError::Label),
            ("-gate.example", NameError::Label),
            ("bücher-.example", NameError::Label),
            ("bü--cher.example", NameError::Label),
            ("\u{308}u.example", NameError::Label),
            ("192.0.2.1", NameError::Number),
            ("bücher.example.7", NameError::Number),
        ] {
            assert_eq!(ServerName::normalise(typed), Err(error), "{typed:?}");
        }
        let text = alloc::string::ToString::to_string(&at(':', 13));
        assert!(text.contains("':'") && text.contains("13"), "{text}");
        assert_eq!(ServerName::normalise(&"a".repeat(1025)), Err(NameError::TooLong(1024)));
        assert!(ServerName::normalise(&"ü".repeat(500)).is_err());
        assert_eq!(ServerName::normalise(&"a.".repeat(128)), Err(NameError::TooLong(253)));
    }
}
