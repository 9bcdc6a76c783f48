//! Every name of the code that stands in GLOSSARY.md exists in the sources.

use std::path::Path;

/// Names that are no item of the sources: a program, and modes by their name in the protocol.
const OTHERWISE: &[&str] = &["admin", "psk", "psk-kem"];

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_name_in_the_glossary_is_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let glossary = std::fs::read_to_string(root.join("GLOSSARY.md")).unwrap();
    let (terms, renamed) = glossary.split_once("## Renamed before the first release").unwrap();
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    let words: std::collections::BTreeSet<&str> =
        code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let mut missing = Vec::new();
    for (text, index) in [(terms, 3), (renamed, 2)] {
        for row in text.lines().filter(|line| line.starts_with("| ")) {
            let cell = row.split('|').nth(index).unwrap_or_default();
            for name in cell.split('`').skip(1).step_by(2) {
                let known = |part: &str| words.contains(part) || part.ends_with('…');
                let all = name.split("::").all(known);
                if !all && !OTHERWISE.contains(&name) && !name.starts_with("halfkey/1 ") {
                    missing.push(name.to_owned());
                }
            }
        }
    }
    assert!(missing.is_empty(), "in GLOSSARY.md, and not in src: {missing:?}");
}
