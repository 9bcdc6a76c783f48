//! The map, and the search for circles.

use crate::source::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// The map of DESIGN.md: modules in the order in which they may import one another.
pub(crate) struct Map {
    order: Vec<(String, Presence)>,
}

#[derive(PartialEq, Eq)]
enum Presence {
    /// The module exists.
    Now,
    /// The module has its place and may not exist yet: it stands in parentheses.
    Planned,
}

impl Map {
    /// Reads the code block marked `map` in DESIGN.md. A `#` begins a comment.
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/DESIGN.md")).unwrap();
        let block = text.split_once("```map\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
        let words = block.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
        let order: Vec<_> = words
            .map(|word| match word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
                Some(planned) => (planned.into(), Presence::Planned),
                None => (word.into(), Presence::Now),
            })
            .collect();
        let names: BTreeSet<_> = order.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), order.len(), "a module stands twice in the map");
        Self { order }
    }

    /// Returns the module's place in the order. A module may import those before it.
    pub(crate) fn place(&self, module: &str) -> Option<usize> {
        self.order.iter().position(|(name, _)| name == module)
    }

    /// Lists the modules that must exist.
    pub(crate) fn present(&self) -> impl Iterator<Item = &String> {
        self.order.iter().filter(|(_, presence)| *presence == Presence::Now).map(|(name, _)| name)
    }
}

/// Finds the groups of files of which each reaches every other by its imports.
///
/// A module may name its own children: it re-exports them.
pub(crate) fn circles(tree: &Tree) -> Vec<Vec<String>> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in tree.imports() {
        let folder = import.from.strip_suffix("mod.rs").map(String::from);
        let folder = folder.unwrap_or_else(|| import.from.replace(".rs", "/"));
        if !import.to.starts_with(&folder)
            && import.from != "lib.rs"
            && import.to != "lib.rs"
            && import.from != import.to
        {
            edges.entry(&import.from).or_default().insert(&import.to);
        }
    }
    let reached: BTreeMap<_, _> = edges.keys().map(|file| (*file, reach(file, &edges))).collect();
    let mut found = BTreeSet::new();
    for (file, goals) in &reached {
        let back = |goal: &&&str| reached.get(**goal).is_some_and(|goals| goals.contains(file));
        let group: Vec<_> = goals.iter().filter(back).map(|file| String::from(*file)).collect();
        if group.len() > 1 {
            found.insert(group);
        }
    }
    found.into_iter().collect()
}

/// Collects every file that imports lead to from `start`.
fn reach<'t>(start: &str, edges: &BTreeMap<&'t str, BTreeSet<&'t str>>) -> BTreeSet<&'t str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for next in edges.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}
