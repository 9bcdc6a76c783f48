//! The example `registration` keeps its promises: every break is refused or recovered, and the
//! diagram in the README shows the actual run.
#![cfg(feature = "std")]

#[allow(dead_code, reason = "the test runs the parts of the example, not its command line")]
#[path = "../examples/registration/main.rs"]
mod registration;

use registration::narrator::{Narrator, Voice};
use registration::{breaks, cast::Keys, mermaid, story};
use std::collections::BTreeSet;
use std::sync::OnceLock;

const BEGIN: &str = "<!-- registration diagram -->";
const END: &str = "<!-- /registration diagram -->";

#[allow(clippy::unwrap_used, reason = "a test without keys cannot go on")]
fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::make(|_, _, _| {}).unwrap())
}

#[test]
fn every_break_is_refused_or_recovered() {
    let names: BTreeSet<_> = breaks::ALL.iter().map(|known| known.name).collect();
    assert_eq!(names.len(), breaks::ALL.len(), "each name stands for one break");
    let failed: Vec<String> = breaks::ALL
        .iter()
        .filter_map(|known| {
            let error = known.run(&Narrator::new(Voice::Silent), keys(), None).err()?;
            Some(format!("{}: {error}", known.name))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_diagram_is_what_happens() {
    let narrator = Narrator::new(Voice::Silent);
    story::tell(&narrator, keys()).unwrap();
    let diagram = mermaid::diagram(&narrator.trace());
    let renew = "renew it: cargo run --example registration -- --mermaid > examples/registration/diagram.mmd";
    assert_eq!(diagram, include_str!("../examples/registration/diagram.mmd"), "{renew}");

    let readme = include_str!("../README.md");
    let block = readme.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let (block, _) = block.expect("README.md has the two marks of the diagram");
    assert_eq!(block.trim(), format!("```mermaid\n{diagram}```"), "{renew}, and copy it to README.md");
}
