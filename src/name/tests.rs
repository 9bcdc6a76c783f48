use super::*;
use crate::id::UserName;
use alloc::format;
use alloc::string::ToString;
use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::Profile;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn normalise(typed: &str) -> Result<String, NameError> {
    UserName::normalise(typed).map(|name| name.as_str().into())
}

#[test]
fn names_of_rfc_8265_section_3_5() {
    for (typed, name) in [
        ("juliet@example.com", "juliet@example.com"),
        ("fussball", "fussball"),
        ("fu\u{DF}ball", "fu\u{DF}ball"),
        ("\u{3C0}", "\u{3C0}"),
        ("\u{3A3}", "\u{3C3}"),
        ("\u{3C3}", "\u{3C3}"),
        ("\u{3C2}", "\u{3C2}"),
    ] {
        assert_eq!(normalise(typed).as_deref(), Ok(name), "{typed}");
    }
    // A space, a compatibility character (henry + ROMAN NUMERAL FOUR), a symbol (BLACK CHESS KING).
    for typed in ["foo bar", "henry\u{2163}", "\u{265A}"] {
        assert_eq!(normalise(typed), Err(NameError::Character), "{typed}");
    }
    assert_eq!(normalise(""), Err(NameError::Empty));
    // Prepared first: what only the case or the composition would make allowed is refused, and not mapped.
    for typed in ["\u{212B}", "\u{958}", "\u{FB1D}"] {
        assert_eq!(normalise(typed), Err(NameError::Character), "{typed}");
    }
}

#[test]
fn mapped() {
    for (typed, name) in [
        ("Juliet", "juliet"),
        ("\u{FF2A}\u{FF55}\u{FF4C}\u{FF10}", "jul0"),
        ("\u{FF8A}\u{FF9E}", "\u{30D0}"),
        ("u\u{308}", "\u{FC}"),
        ("U\u{308}", "\u{FC}"),
        ("\u{1E9E}", "\u{DF}"),
        // No final sigma, in whatever order it was typed.
        ("\u{39F}\u{3A3}", "\u{3BF}\u{3C3}"),
        ("\u{130}", "i\u{307}"),
    ] {
        assert_eq!(normalise(typed).as_deref(), Ok(name), "{typed}");
        assert_eq!(UserName::new(name).unwrap().as_str(), name);
        assert_eq!(UserName::new(typed), Err(NameError::NotNormalised), "{typed}");
    }
}

#[test]
fn refused_characters() {
    for typed in [
        " juliet",
        "juliet ",
        "a\tb",
        "a\0",
        "a\u{7F}",
        "a\u{A0}b",
        "\u{3000}",
        "a\u{AD}b",
        "a\u{200B}b",
        "\u{915}\u{94D}\u{200D}\u{937}",
        "a\u{200D}b",
        "a\u{202E}b",
        "a\u{FE0F}",
        "a\u{E0100}",
        "\u{1100}\u{1161}",
        "\u{FFA0}",
        "\u{3164}",
        "\u{FB01}",
        "\u{212A}",
        "\u{640}",
        "\u{378}",
        "\u{E000}",
        "\u{FFFE}",
        "\u{1F600}",
        // Compatibility and title case, and a digit that cannot begin a right-to-left name.
        "\u{1D400}",
        "\u{1C5}",
        "\u{660}",
    ] {
        assert_eq!(normalise(typed), Err(NameError::Character), "{typed:?}");
        assert_eq!(UserName::new(typed), Err(NameError::Character), "{typed:?}");
    }
}

#[test]
fn characters_in_context() {
    for (good, bad) in [
        ("l\u{B7}l", "l\u{B7}a"),
        ("col\u{B7}lega", "\u{B7}l"),
        ("\u{375}\u{3B1}", "\u{375}a"),
        ("\u{5D0}\u{5F3}", "\u{5F3}\u{5D0}"),
        ("\u{5D0}\u{5F4}\u{5D1}", "a\u{5F4}"),
        ("\u{30A2}\u{30FB}", "a\u{30FB}"),
        ("\u{FF65}\u{4E00}", "\u{30FB}\u{30FC}"),
        ("\u{628}\u{661}", "\u{628}\u{661}\u{6F1}"),
        ("\u{628}\u{6F1}", "\u{628}\u{6F1}\u{661}"),
        ("\u{5E9}\u{5B8}\u{5DC}", "L\u{B7}L"),
        ("\u{30FB}\u{3042}", "\u{30FB}\u{3D000}"),
        // Composing takes the second l away.
        ("l\u{B7}l\u{307}", "l\u{B7}l\u{327}"),
    ] {
        assert!(normalise(good).is_ok(), "{good}");
        assert_eq!(normalise(bad), Err(NameError::Character), "{bad}");
    }
}

#[test]
fn bidi() {
    // Condition by condition of RFC 5893 section 2; 5 and 6 cannot be met with a right-to-left character.
    for (good, bad) in [
        ("\u{5D0}1", "1\u{5D0}"),
        ("\u{5D0}-\u{5D1}", "\u{5D0}a\u{5D1}"),
        ("\u{5D0}\u{5B8}", "\u{5D0}-"),
        ("\u{628}1", "\u{628}1\u{661}"),
        ("\u{5D0}", "a\u{5D0}"),
        ("\u{627}\u{64E}\u{628}", "\u{64E}\u{628}"),
    ] {
        assert!(normalise(good).is_ok(), "{good}");
        assert_eq!(normalise(bad), Err(NameError::Character), "{bad}");
    }
}

#[test]
fn lengths() {
    assert!(normalise(&"a".repeat(255)).is_ok());
    assert_eq!(normalise(&"a".repeat(256)), Err(NameError::TooLong(255)));
    assert!(normalise(&"\u{FF21}".repeat(255)).is_ok());
    assert_eq!(normalise(&" ".repeat(1025)), Err(NameError::TooLong(1024)));
}

#[test]
fn text() {
    assert_eq!(normalise_text("", 0).as_deref(), Ok(""));
    assert_eq!(
        normalise_text("Jose\u{301} Ng, 3\u{BD} \u{1F600}", 64).as_deref(),
        Ok("Jos\u{E9} Ng, 3\u{BD} \u{1F600}")
    );
    assert_eq!(normalise_text("e\u{301}", 2).as_deref(), Ok("\u{E9}"));
    for long in ["abcd", "\u{958}", "aaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(normalise_text(long, 3), Err(NameError::TooLong(3)));
    }
    for bad in [
        '\0',
        '\t',
        '\n',
        '\r',
        '\u{7F}',
        '\u{85}',
        '\u{2028}',
        '\u{2029}',
        '\u{202A}',
        '\u{202E}',
        '\u{2066}',
        '\u{2069}',
        '\u{378}',
        '\u{FFFF}',
        '\u{E000}',
        '\u{10FFFD}',
        // Format characters, and others that show nothing.
        '\u{AD}',
        '\u{61C}',
        '\u{200B}',
        '\u{200C}',
        '\u{200D}',
        '\u{200E}',
        '\u{2060}',
        '\u{FEFF}',
        '\u{E0001}',
        '\u{E0041}',
        '\u{34F}',
        '\u{115F}',
        '\u{1160}',
        '\u{17B5}',
        '\u{180B}',
        '\u{180F}',
        '\u{3164}',
        '\u{FE0F}',
        '\u{FFA0}',
        '\u{E0100}',
    ] {
        assert_eq!(normalise_text(&format!("a{bad}b"), 64), Err(NameError::Character), "{bad:?}");
    }
}

/// Their identifier tables stop at Unicode 6.3, as RFC 8264 would have it.
fn unknown_there(name: &str) -> bool {
    let unassigned = |c: char| {
        let answer = UsernameCaseMapped::new().enforce(c.to_string());
        answer.is_err_and(|error| format!("{error:?}").contains("Unassigned"))
    };
    name.chars().any(unassigned)
}

#[test]
fn each_character_as_elsewhere() {
    for c in '\0'..=char::MAX {
        let typed = c.to_string();
        if !unknown_there(&typed) {
            let theirs = UsernameCaseMapped::new().enforce(typed.as_str());
            assert_eq!(normalise(&typed).ok().as_deref(), theirs.ok().as_deref(), "{:04x}", u32::from(c));
        }
        // Whatever has, or may yet get, a lower-case form is not a name's character.
        let upper =
            |name: String| name.chars().any(|c| c.general_category() == GeneralCategory::UppercaseLetter);
        assert!(!normalise(&typed).is_ok_and(upper), "{:04x}", u32::from(c));
        // The two tables may be of different versions: a letter of a right-to-left block must not slip
        // past the Bidi Rule as left-to-right because its class is not known yet.
        let right =
            matches!(c, '\u{590}'..='\u{8FF}' | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}');
        assert!(!right || !letter_or_digit(c) || bidi_class(c) != BidiClass::L, "{:04x}", u32::from(c));
    }
}

/// Characters that have rules, often enough for the rules to meet, and any others.
fn typed() -> impl Strategy<Value = String> {
    let ruled: alloc::vec::Vec<char> =
        "aLl1-@\u{B7}\u{DF}\u{3A3}\u{3B1}\u{375}\u{308}\u{301}\u{345}\u{130}\u{1E9E}\u{5D0}\u{5B8}\u{5F3}\
         \u{5F4}\u{628}\u{64E}\u{661}\u{6F1}\u{30A2}\u{30FB}\u{30FC}\u{FF65}\u{FF8A}\u{FF9E}\u{FF21}\u{4E00}\
         \u{200D}\u{200C}\u{94D}\u{AC00}\u{13A0}\u{10D0}\u{1C90}"
            .chars()
            .collect();
    let c = prop_oneof![4 => select(ruled), 1 => any::<char>()];
    vec(c, 0..8).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn as_elsewhere(typed in typed()) {
        let theirs = UsernameCaseMapped::new().enforce(typed.as_str()).ok();
        // They refuse a right-to-left name with a mark inside, which the Bidi Rule allows.
        let pointed = |name: &str| {
            let has = |class| name.chars().any(|c| bidi_class(c) == class);
            has(BidiClass::NSM) && (has(BidiClass::R) || has(BidiClass::AL))
        };
        // We refuse joiners, and what is out of place only after mapping.
        let stricter = |name: &str| name.contains(['\u{200C}', '\u{200D}']) || identifier_class(name).is_err();
        match (normalise(&typed).ok(), theirs) {
            (Some(ours), Some(theirs)) => prop_assert_eq!(ours, theirs.as_ref()),
            (Some(ours), None) => prop_assert!(pointed(&ours) || unknown_there(&typed), "took {:?}", typed),
            (None, Some(theirs)) => prop_assert!(stricter(&theirs), "refused {:?}", typed),
            (None, None) => {}
        }
    }

    #[test]
    fn names_stay(typed in typed()) {
        let name = normalise(&typed);
        if let Ok(name) = &name {
            prop_assert_eq!(normalise(name), Ok(name.clone()));
        }
        prop_assert_eq!(UserName::new(&typed).is_ok(), name.as_ref() == Ok(&typed));
    }

    #[test]
    fn text_stays(typed in typed(), max_len in 0usize..24) {
        if let Ok(text) = normalise_text(&typed, max_len) {
            prop_assert!(text.len() <= max_len);
            prop_assert_eq!(normalise_text(&text, max_len), Ok(text));
        }
    }
}
