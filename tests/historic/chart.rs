//! The claim chart is complete, and every function and test that it names exists.

use std::collections::BTreeSet;

const CHART: &str = include_str!("../../src/historic/chart.md");

/// Every source file of the module, by the path that its items have in the chart.
const SOURCES: [(&str, &str); 12] = [
    ("", include_str!("../../src/historic/key.rs")),
    ("", include_str!("../../src/historic/cipher.rs")),
    ("configuration", include_str!("../../src/historic/configuration.rs")),
    ("registration", include_str!("../../src/historic/registration/pin.rs")),
    ("registration", include_str!("../../src/historic/registration/message.rs")),
    ("registration::authority", include_str!("../../src/historic/registration/authority.rs")),
    ("registration::server", include_str!("../../src/historic/registration/server.rs")),
    ("registration::token", include_str!("../../src/historic/registration/token.rs")),
    ("session", include_str!("../../src/historic/session/proof.rs")),
    ("session::claims", include_str!("../../src/historic/session/claims.rs")),
    ("session::description", include_str!("../../src/historic/session/description.rs")),
    ("session::earlier", include_str!("../../src/historic/session/earlier.rs")),
];

/// Every file of tests, by its module.
const TESTS: [(&str, &str); 15] = [
    ("configuration", include_str!("configuration.rs")),
    ("pin", include_str!("pin.rs")),
    ("registration", include_str!("registration.rs")),
    ("session", include_str!("session.rs")),
    ("attacks::configuration", include_str!("attacks/configuration.rs")),
    ("attacks::fake", include_str!("attacks/fake.rs")),
    ("attacks::forced_key", include_str!("attacks/forced_key.rs")),
    ("attacks::grant", include_str!("attacks/grant.rs")),
    ("attacks::middle", include_str!("attacks/middle.rs")),
    ("attacks::oracle", include_str!("attacks/oracle.rs")),
    ("attacks::passive", include_str!("attacks/passive.rs")),
    ("attacks::reflection", include_str!("attacks/reflection.rs")),
    ("attacks::relay", include_str!("attacks/relay.rs")),
    ("attacks::search", include_str!("attacks/search.rs")),
    ("attacks::stolen", include_str!("attacks/stolen.rs")),
];

/// The cells of every row whose first cell begins with `kind`.
fn rows(kind: &str) -> Vec<Vec<&'static str>> {
    let rows = CHART.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    rows.filter(|row| row[0].starts_with(kind)).collect()
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns true if `code` has a public function of that name outside of any `impl`, or in one of `of`.
fn has_function(code: &str, of: Option<&str>, name: &str) -> bool {
    let defined = |code: &str, indent: &str| {
        let starts = [format!("\n{indent}pub fn {name}("), format!("\n{indent}pub fn {name}<")];
        let constant = [format!("\n{indent}pub const fn {name}(")];
        starts.iter().chain(&constant).any(|start| code.contains(start))
    };
    let Some(of) = of else {
        return defined(code, "");
    };
    let blocks =
        code.split("\nimpl").skip(1).map(|rest| rest.split_once("\n}\n").map_or(rest, |(block, _)| block));
    let mut own = blocks.filter(|block| {
        let head = block.split(" {\n").next().unwrap();
        !head.contains(" for ") && head.split(|c: char| !c.is_alphanumeric()).any(|word| word == of)
    });
    own.any(|block| defined(block, "    "))
}

fn function_exists(path: &str) -> bool {
    let (before, name) = path.rsplit_once("::").unwrap_or(("", path));
    let last = before.rsplit("::").next().unwrap();
    let (module, of) = if last.starts_with(char::is_uppercase) {
        (before.strip_suffix(last).unwrap().trim_end_matches("::"), Some(last))
    } else {
        (before, None)
    };
    SOURCES.iter().any(|(of_module, code)| *of_module == module && has_function(code, of, name))
}

fn test_exists(path: &str) -> bool {
    let (module, name) = path.rsplit_once("::").unwrap();
    let test = format!("#[test]\nfn {name}() {{");
    TESTS.iter().any(|(of_module, code)| *of_module == module && code.contains(&test))
}

#[test]
fn every_numbered_step_and_every_claim_has_a_row() {
    let first = |kind: &str| -> BTreeSet<String> {
        let said = rows(kind).into_iter().map(|row| row[0].strip_prefix(kind).unwrap().trim().to_owned());
        said.collect()
    };
    let steps = (60..=200).step_by(10).chain((300..=390).step_by(10));
    for step in steps {
        assert!(first("step").contains(&step.to_string()), "step {step}");
    }
    let parts = [(1, 'f'), (8, 'j'), (14, 'g'), (21, 'k')];
    let mut claims = BTreeSet::new();
    for claim in 1..=26 {
        match parts.iter().find(|(of, _)| *of == claim) {
            Some((_, last)) => claims.extend(('a'..=*last).map(|part| format!("{claim}{part}"))),
            None => claims.extend([claim.to_string()]),
        }
    }
    assert_eq!(first("claim"), claims);
}

#[test]
fn every_row_names_functions_and_tests_that_exist() {
    let rows = [rows("step"), rows("claim")].concat();
    assert!(rows.len() > 80);
    for row in rows {
        let [what, said, functions, tests] = row[..] else { panic!("{row:?}") };
        assert!(!said.is_empty(), "{what}");
        assert!(quoted(functions).count() > 0 && quoted(tests).count() > 0, "{what}");
        for function in quoted(functions) {
            assert!(function_exists(function), "{what}: no function {function}");
        }
        for test in quoted(tests) {
            assert!(test_exists(test), "{what}: no test {test}");
        }
    }
}

#[test]
fn every_attack_names_a_test_that_succeeds_and_one_that_fails() {
    let (_, attacks) = CHART.split_once("\n## Attacks\n").unwrap();
    let rows: Vec<_> = attacks.lines().filter(|line| line.contains('`') && line.starts_with("| ")).collect();
    assert!(rows.len() >= 15);
    for row in &rows {
        assert_eq!(quoted(row).count(), 2, "{row}");
    }
    for test in rows.into_iter().flat_map(quoted) {
        assert!(test_exists(test), "no test {test}");
    }
    // And the other way round: no attack is left out.
    for (module, code) in TESTS.iter().filter(|(module, _)| module.starts_with("attacks")) {
        for name in code.split("#[test]\nfn ").skip(1).map(|rest| rest.split_once('(').unwrap().0) {
            let left_out = "without_the_card_the_earlier_sessions_recording_holds_no_key";
            assert!(name == left_out || attacks.contains(&format!("`{module}::{name}`")), "{module}::{name}");
        }
    }
}

#[test]
fn what_does_not_exist_is_found_out() {
    assert!(function_exists("registration::server::Server::receive_call"));
    assert!(function_exists("session::challenge"));
    assert!(!function_exists("registration::server::Server::receive_calls"));
    assert!(!function_exists("registration::token::Server::receive_call"));
    assert!(!function_exists("registration::server::NeedAccessPath::receive_call"));
    assert!(!function_exists("session::respond"));
    assert!(!test_exists("session::no_such_test"));
    assert!(!test_exists("pin::the_claims_authenticate_the_client"));
}
