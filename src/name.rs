//! What names may be: user names as RFC 8265 UsernameCaseMapped (section 3.3), servers' names, and the free
//! text of a registration form.
//!
//! A user name is one userpart: no space in it, and spaces around what was typed are not trimmed but
//! refused. It is refused rather than repaired wherever the RFC leaves a choice:
//! * ZERO WIDTH JOINER and NON-JOINER are never allowed (RFC 5892 appendices A.1 and A.2 would allow some).
//! * The characters before and after mapping must both be in the IdentifierClass, so a decomposed Hangul
//!   syllable or "L·L" is refused, and mapping the outcome again must not change it.
//! * An upper-case letter that has no lower-case form in the tables at hand is refused: a later table may
//!   give it one, and the name would change.
//!
//! Case is mapped letter by letter: a capital sigma becomes σ even at the end of a word, as in other
//! implementations, so that the mapping does not depend on what surrounds a letter.
//!
//! Names that only look alike (Latin and Cyrillic "a") stay different names; an operator who allows more
//! than one script must look at them.

mod error;
mod punycode;
mod server;

use alloc::string::String;
use unicode_bidi::{BidiClass, bidi_class};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

pub use error::NameError;
pub(crate) use server::{check_server_name, normalise_server_name};

/// The longest input that is looked at, in bytes: no spelling of a name of 255 bytes needs more.
const TYPED_MAX: usize = 1024;

/// Maps the user name that a person typed; see [`UserName::normalise`](crate::UserName::normalise).
pub(crate) fn normalise_user_name(typed: &str) -> Result<String, NameError> {
    if typed.len() > TYPED_MAX { Err(NameError::TooLong(TYPED_MAX)) } else { enforce(typed) }
}

/// Accepts exactly what [`normalise_user_name`] maps to itself; the caller has checked the length.
pub(crate) fn check_user_name(name: &str) -> Result<(), NameError> {
    if enforce(name)? == name { Ok(()) } else { Err(NameError::NotNormalised) }
}

/// Printable ASCII without space: nothing to normalise, nothing to misread.
pub(crate) fn check_visible(name: &str) -> Result<(), NameError> {
    NameError::first(name, |c| c.is_ascii_graphic()).map_or(Ok(()), Err)
}

/// Free text in a field of a registration form, composed (NFC) and on one line; may be empty.
///
/// Refuses more than `max_len` bytes after composing (or four times as many before), controls, line and
/// paragraph separators, format characters and all others that are invisible by default (among them the
/// controls of bidirectional text), and characters that are unassigned or private. The outcome maps to itself.
pub(crate) fn normalise_text(typed: &str, max_len: usize) -> Result<String, NameError> {
    // Composing makes text shorter by less than this factor, and it must not work on input without bound.
    if typed.len() > max_len.saturating_mul(4) {
        return Err(NameError::TooLong(max_len));
    }
    let text: String = typed.nfc().collect();
    if text.len() > max_len {
        return Err(NameError::TooLong(max_len));
    }
    if text.chars().any(forbidden_in_text) { Err(NameError::Character) } else { Ok(text) }
}

/// Tells whether a character in a typed or pasted code counts for nothing: dashes of every kind, white space, and
/// characters that show nothing.
pub(crate) fn is_separator(c: char) -> bool {
    use GeneralCategory as Gc;
    c.is_whitespace()
        || c == '\u{2212}'
        || matches!(c.general_category(), Gc::DashPunctuation | Gc::Format)
        || invisible(c)
}

fn forbidden_in_text(c: char) -> bool {
    use GeneralCategory as Gc;
    invisible(c)
        || matches!(
            c.general_category(),
            Gc::Control
                | Gc::Format
                | Gc::LineSeparator
                | Gc::ParagraphSeparator
                | Gc::Unassigned
                | Gc::PrivateUse
                | Gc::Surrogate
        )
}

/// Default_Ignorable_Code_Point of DerivedCoreProperties.txt, without those that are format characters or
/// unassigned.
const fn invisible(c: char) -> bool {
    matches!(c,
        '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180D}' | '\u{180F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{E0100}'..='\u{E01EF}')
}

/// RFC 8265 section 3.3.3, once: preparation (section 3.3.2), then the case, normalisation and
/// directionality rules. That mapping did not lead out of the IdentifierClass shows when it is done again.
fn enforce(typed: &str) -> Result<String, NameError> {
    let prepared: String = typed.chars().flat_map(width_mapped).collect();
    identifier_class(&prepared)?;
    let name: String = prepared.chars().flat_map(char::to_lowercase).nfc().collect();
    if name.chars().any(|c| c.general_category() == GeneralCategory::UppercaseLetter) {
        return Err(NameError::Character);
    }
    bidi_rule(&name)?;
    Ok(name)
}

/// The width-mapping rule. In this block NFKC is the decomposition mapping wherever that mapping gives an
/// allowed character; IDEOGRAPHIC SPACE, outside it, would only become a space.
fn width_mapped(c: char) -> impl Iterator<Item = char> {
    let (wide, same) = if matches!(c, '\u{FF01}'..='\u{FFEE}') { (Some(c), None) } else { (None, Some(c)) };
    wide.into_iter().nfkc().chain(same)
}

/// RFC 8264 section 4.2, with the contextual rules of RFC 5892 appendix A.
fn identifier_class(name: &str) -> Result<(), NameError> {
    let mut previous = None;
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        if !allowed(c, previous, rest.clone().next(), name) {
            return Err(NameError::Character);
        }
        previous = Some(c);
    }
    Ok(())
}

/// The derived property of `c` (RFC 8264 section 8, in its order), decided for the place where `c` stands.
fn allowed(c: char, previous: Option<char>, next: Option<char>, name: &str) -> bool {
    match c {
        // Exceptions (F), contextual: appendices A.3 to A.9.
        '\u{00B7}' => previous == Some('l') && next == Some('l'),
        '\u{0375}' => next.is_some_and(greek),
        '\u{05F3}' | '\u{05F4}' => previous.is_some_and(|c| matches!(c, '\u{0591}'..='\u{05F4}')),
        '\u{30FB}' => name.chars().any(kana_or_han),
        '\u{0660}'..='\u{0669}' => !name.chars().any(|c| matches!(c, '\u{06F0}'..='\u{06F9}')),
        '\u{06F0}'..='\u{06F9}' => !name.chars().any(|c| matches!(c, '\u{0660}'..='\u{0669}')),
        // Exceptions (F), valid.
        '\u{00DF}' | '\u{03C2}' | '\u{06FD}' | '\u{06FE}' | '\u{0F0B}' | '\u{3007}' => true,
        // Exceptions (F), disallowed.
        '\u{0640}' | '\u{07FA}' | '\u{302E}' | '\u{302F}' | '\u{3031}'..='\u{3035}' | '\u{303B}' => false,
        // ASCII7 (K).
        '\u{21}'..='\u{7E}' => true,
        // OldHangulJamo (I), by block.
        '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97F}' | '\u{D7B0}'..='\u{D7FF}' => false,
        // PrecisIgnorableProperties (M), those that are letters or marks.
        '\u{034F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' => false,
        '\u{E0000}'..='\u{E0FFF}' => false,
        // HasCompat (Q), then LetterDigits (A); all other categories are disallowed, and so is Unassigned.
        _ => c.nfkc().eq([c]) && letter_or_digit(c),
    }
}

fn letter_or_digit(c: char) -> bool {
    use GeneralCategory as Gc;
    matches!(
        c.general_category(),
        Gc::LowercaseLetter
            | Gc::UppercaseLetter
            | Gc::OtherLetter
            | Gc::DecimalNumber
            | Gc::ModifierLetter
            | Gc::NonspacingMark
            | Gc::SpacingMark
    )
}

/// The letters of the Greek script, without the Coptic ones in its block.
fn greek(c: char) -> bool {
    matches!(c, '\u{0370}'..='\u{03E1}' | '\u{03F0}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}')
}

/// Hiragana, Katakana (not its middle dot, nor the length mark that both share) and Han (up to extension J:
/// Seal, beyond, is another script).
fn kana_or_han(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{3096}' | '\u{309D}'..='\u{309F}' | '\u{30A1}'..='\u{30FA}' | '\u{30FD}'..='\u{30FF}'
        | '\u{31F0}'..='\u{31FF}' | '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{20000}'..='\u{3347F}')
}

/// RFC 5893 section 2, which a name must obey if it has a right-to-left character. Such a name cannot begin
/// with L, for condition 5 then forbids that very character; so conditions 1 to 4 are all there is.
fn bidi_rule(name: &str) -> Result<(), NameError> {
    use BidiClass::{AL, AN, BN, CS, EN, ES, ET, NSM, ON, R};
    let classes = || name.chars().map(bidi_class);
    let has = |class| classes().any(|c| c == class);
    if !(has(R) || has(AL) || has(AN)) {
        return Ok(());
    }
    let begins = matches!(classes().next(), Some(R | AL));
    let allowed = classes().all(|c| matches!(c, R | AL | AN | EN | ES | CS | ET | ON | BN | NSM));
    let ends = matches!(classes().rfind(|c| *c != NSM), Some(R | AL | EN | AN));
    let one_kind_of_number = !(has(EN) && has(AN));
    if begins && allowed && ends && one_kind_of_number { Ok(()) } else { Err(NameError::Character) }
}

#[cfg(test)]
mod tests;
