//! Reads the `use` declarations of `src/` and finds the file that each of them names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The source files, by the path of their module.
pub(crate) struct Tree {
    files: BTreeMap<Vec<String>, File>,
    imports: Vec<Import>,
    facade: BTreeSet<String>,
}

struct File {
    /// Path below `src/`.
    name: String,
    /// Paths named by `use`, as written. The last segment is the name that is imported.
    uses: Vec<Use>,
}

struct Use {
    path: Vec<String>,
    /// Name under which the item is known here, after `as` too.
    name: String,
    public: bool,
}

/// One file's import of another.
pub(crate) struct Import {
    /// Importing file, below `src/`.
    pub(crate) from: String,
    /// Imported file, below `src/`.
    pub(crate) to: String,
    /// First segment of the importing module's path.
    pub(crate) from_module: String,
    /// First segment of the imported module's path.
    pub(crate) to_module: String,
}

impl Tree {
    /// Reads all of `src/` but unit tests.
    pub(crate) fn read() -> Self {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        let mut tree = Self { files: BTreeMap::new(), imports: Vec::new(), facade: BTreeSet::new() };
        tree.add(root, &mut Vec::new());
        assert!(tree.files.len() > 100, "src is not where it should be");
        tree.resolve();
        tree
    }

    fn add(&mut self, folder: &Path, module: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                module.push(stem.into());
                self.add(&path, module);
                module.pop();
            } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
                let mut module = module.clone();
                if stem != "mod" && stem != "lib" {
                    module.push(stem.into());
                }
                let name = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
                let uses = uses(&std::fs::read_to_string(&path).unwrap());
                self.files.insert(module, File { name: name.to_str().unwrap().replace('\\', "/"), uses });
            }
        }
    }

    /// Finds the file behind every path that begins with `crate`, `super` or `self`.
    fn resolve(&mut self) {
        let (mut imports, mut facade) = (Vec::new(), BTreeSet::new());
        for (module, file) in &self.files {
            for path in file.uses.iter().map(|one| &one.path) {
                let Some(full) = self.absolute(module, path) else { continue };
                let to = self.defining(&full);
                if to.is_empty() && !module.is_empty() {
                    facade.insert(file.name.clone());
                }
                let (Some(from_module), Some(to_module)) = (module.first(), to.first()) else { continue };
                imports.push(Import {
                    from: file.name.clone(),
                    to: self.files.get(&to).unwrap().name.clone(),
                    from_module: from_module.clone(),
                    to_module: to_module.clone(),
                });
            }
        }
        (self.imports, self.facade) = (imports, facade);
    }

    /// Returns the module that defines what `path` names, through the re-exports of the folders on its way.
    /// The facade's re-exports are not followed.
    fn defining(&self, path: &[String]) -> Vec<String> {
        let mut module = path.to_vec();
        while !self.files.contains_key(&module) {
            module.pop();
        }
        let Some(name) = path.get(module.len()).filter(|_| !module.is_empty()) else { return module };
        let exported =
            self.files.get(&module).unwrap().uses.iter().find(|one| one.public && one.name == *name);
        match exported.and_then(|one| self.absolute(&module, &one.path)) {
            Some(further) if further != path => self.defining(&further),
            _ => module,
        }
    }

    /// Returns the path from the crate's root, or nothing for a path into another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut full = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            child => {
                let full = [module, &[child.into()]].concat();
                self.files.contains_key(&full).then_some(full)?
            }
        };
        while let Some(("super", further)) = rest.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            full.pop();
            rest = further;
        }
        full.extend_from_slice(rest);
        Some(full)
    }

    /// Lists the first segments of all modules' paths.
    pub(crate) fn modules(&self) -> BTreeSet<String> {
        self.files.keys().filter_map(|module| module.first().cloned()).collect()
    }

    /// Lists every import of one file by another.
    pub(crate) fn imports(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter()
    }

    /// Lists the files that import names of the crate's root.
    pub(crate) fn facade(&self) -> impl Iterator<Item = String> {
        self.facade.iter().cloned()
    }
}

/// Reads the `use` declarations of one file, and paths from `crate::` in its code.
///
/// Comments and unit tests are left out.
fn uses(text: &str) -> Vec<Use> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    );
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].rsplit('\n').next().unwrap().trim();
        if before.is_empty() || before.starts_with("pub") {
            let declaration = code[at + 4..].split(';').next().unwrap();
            expand(declaration, &[], !before.is_empty(), &mut found);
        }
    }
    for (at, _) in code.match_indices("crate::") {
        let path = code[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap();
        let inline = !code[..at].ends_with(|c: char| c == '$' || c.is_alphanumeric() || c == '_');
        if inline && !path.ends_with("::") {
            found.push(leaf(&[], path, false));
        }
    }
    found
}

/// Takes a `use` tree apart: `a::{b, c::{self, d as e}}` names `a::b`, `a::c` and `a::c::d`.
fn expand(tree: &str, prefix: &[String], public: bool, found: &mut Vec<Use>) {
    let tree = tree.trim();
    let Some((head, body)) = tree.split_once('{') else {
        if !tree.is_empty() {
            found.push(leaf(prefix, tree, public));
        }
        return;
    };
    let prefix = [prefix, &segments(head)].concat();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                expand(&body[start..at], &prefix, public, found);
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

fn leaf(prefix: &[String], text: &str, public: bool) -> Use {
    let (path, name) = text.split_once(" as ").unwrap_or((text, ""));
    let mut path = [prefix, &segments(path)].concat();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = if name.is_empty() { path.last().cloned().unwrap_or_default() } else { name.trim().into() };
    Use { path, name, public }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(String::from).collect()
}

#[test]
fn every_form_of_use_is_read() {
    let text = "
        use core::fmt;
        use crate::id::{Digest, KeyId as Key, inner::{self, Deep}};
        pub use super::part::Part;
        // use crate::comment::Comment;
        fn f() { crate::inline::call(); }
        #[cfg(test)]
mod tests {
            use crate::unit::Test;
        }";
    let read: Vec<_> =
        uses(&text.replace("        #[cfg", "#[cfg")).into_iter().map(|one| one.path.join("::")).collect();
    let expected = [
        "core::fmt",
        "crate::id::Digest",
        "crate::id::KeyId",
        "crate::id::inner",
        "crate::id::inner::Deep",
        "super::part::Part",
    ];
    assert_eq!(read[..6], expected);
    assert!(read.contains(&"crate::inline::call".into()), "{read:?}");
    assert!(!read.iter().any(|path| path.contains("comment") || path.contains("unit")), "{read:?}");
}
