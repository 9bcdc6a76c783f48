//! Holds the `use` lines of `src/` against the map in DESIGN.md: layers in their order, no two files that
//! import each other, and nothing inside that goes through the crate's facade.
//!
//! A known violation stands in the lists below. A test fails when an entry is no longer needed, so that the
//! lists only shrink.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod glossary;
mod patent;
mod rules;
mod source;

use rules::Map;
use source::Tree;
use std::collections::BTreeSet;

/// Imports of a module that stands later in the map: the file and the module it imports.
const UPWARD: &[(&str, &str)] = &[];

/// Groups of files that import each other, directly or through others.
const CIRCLES: &[&[&str]] = &[];

/// Files that import through the re-exports of `lib.rs`.
const FACADE: &[&str] = &[];

#[test]
fn the_map_names_every_module() {
    let (map, tree) = (Map::read(), Tree::read());
    let there = tree.modules();
    let unnamed: Vec<_> = there.iter().filter(|module| map.place(module).is_none()).collect();
    assert!(unnamed.is_empty(), "not in DESIGN.md's map: {unnamed:?}");
    let gone: Vec<_> = map.present().filter(|module| !there.contains(*module)).collect();
    assert!(gone.is_empty(), "in DESIGN.md's map, and not in src: {gone:?}");
}

#[test]
fn nobody_imports_upward() {
    let (map, tree) = (Map::read(), Tree::read());
    let found = tree.imports().filter(|import| map.place(&import.to_module) > map.place(&import.from_module));
    let found: BTreeSet<_> = found.map(|import| (import.from.clone(), import.to_module.clone())).collect();
    let known = UPWARD.iter().map(|(file, module)| ((*file).into(), (*module).into())).collect();
    compare("upward imports", &found, &known);
}

#[test]
fn no_files_import_each_other() {
    let found = rules::circles(&Tree::read()).into_iter().collect();
    let known = CIRCLES.iter().map(|files| files.iter().map(|file| (*file).into()).collect()).collect();
    compare("circles", &found, &known);
}

#[test]
fn nobody_imports_through_the_facade() {
    let found = Tree::read().facade().collect();
    let known = FACADE.iter().map(|file| (*file).into()).collect();
    compare("imports through lib.rs", &found, &known);
}

/// Compares what was found with the known violations, both ways.
fn compare<T: Ord + std::fmt::Debug>(what: &str, found: &BTreeSet<T>, known: &BTreeSet<T>) {
    let new: Vec<_> = found.difference(known).collect();
    assert!(new.is_empty(), "new {what}: {new:#?}");
    let mended: Vec<_> = known.difference(found).collect();
    assert!(mended.is_empty(), "mended {what}, to be taken off the list: {mended:#?}");
}
