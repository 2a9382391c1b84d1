//! Checks the import order of a package's modules. It reads the imports of each file from its `use`
//! lines and its paths, and reports those that point upward or form a cycle.
//!
//! A package stays readable as long as its top-level modules (its rooms) have an order in which
//! each imports only from those before it. Only a test can maintain such an order.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A module path, from the package's root.
type Module = Vec<String>;

/// The files of a package and their imports.
pub struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// Reads the package in a folder, which is `env!("CARGO_MANIFEST_DIR")` in the package's own
    /// tests.
    ///
    /// # Errors
    ///
    /// As for [`Imports::read`].
    pub fn of_package(folder: &str) -> io::Result<Self> {
        Self::read(&Path::new(folder).join("src"))
    }

    /// Reads every file below a `src` folder except tests, which may import anything.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn read(src: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        collect(src, &mut files)?;
        let modules: BTreeMap<Module, PathBuf> = files
            .into_iter()
            .filter_map(|file| Some((module_of(file.strip_prefix(src).ok()?)?, file)))
            .collect();
        let mut imports = BTreeMap::new();
        for (module, file) in &modules {
            let text = fs::read_to_string(file)?;
            let targets = paths::of(&text)
                .into_iter()
                .filter_map(|path| resolve(module, &path, &modules))
                .filter(|target| target != module)
                .collect();
            imports.insert(module.clone(), targets);
        }
        Ok(Self(imports))
    }

    /// Imports that break the order of rooms: those from a later or an unlisted room.
    ///
    /// `rooms` are the names of modules, each of which may import from those before it. A module
    /// belongs to the room with its own name, or else with the name of its nearest listed ancestor:
    /// `git::service` may come before the rest of `git`.
    #[must_use]
    pub fn upward(&self, rooms: &[&str]) -> Vec<String> {
        let place = |module: &Module| {
            (1..=module.len()).rev().find_map(|length| {
                let name = name(&module[..length]);
                rooms.iter().position(|room| **room == *name)
            })
        };
        let mut found = Vec::new();
        for (module, targets) in &self.0 {
            if module.is_empty() {
                continue;
            }
            let Some(own) = place(module) else {
                found.push(format!("{} is not in any room", name(module)));
                continue;
            };
            let later = targets
                .iter()
                .filter(|target| !is_family(module, target))
                .filter(|target| place(target).is_some_and(|other| other > own));
            found.extend(later.map(|target| format!("{} imports {}", name(module), name(target))));
        }
        found
    }

    /// The files that import each other, directly or indirectly, unless one is the other's parent.
    #[must_use]
    pub fn circles(&self) -> Vec<String> {
        let mut left: BTreeMap<&Module, BTreeSet<&Module>> = self
            .0
            .iter()
            .map(|(module, targets)| {
                let targets = targets.iter().filter(|target| !is_family(module, target));
                (module, targets.collect())
            })
            .collect();
        // A file without remaining imports is in no cycle, and neither is one without remaining
        // importers.
        loop {
            let before = left.len();
            let known: BTreeSet<&Module> = left.keys().copied().collect();
            left.retain(|_, targets| targets.iter().any(|target| known.contains(target)));
            let imported: BTreeSet<&Module> = left.values().flatten().copied().collect();
            left.retain(|module, _| imported.contains(module));
            if left.len() == before {
                return left.keys().map(|module| name(module)).collect();
            }
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The module of a file; `None` for tests and programs.
fn module_of(file: &Path) -> Option<Module> {
    let mut names: Module = file
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names.first().is_some_and(|name| name == "bin")
        || names
            .iter()
            .any(|name| name == "tests" || name.ends_with("_tests"))
    {
        return None;
    }
    if names
        .last()
        .is_some_and(|name| name == "mod" || name == "lib")
    {
        names.pop();
    }
    Some(names)
}

/// The file that a path leads to: that of its longest prefix that names a file.
fn resolve(module: &Module, path: &[String], files: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let mut at = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while let Some((first, more)) = rest.split_first()
                && first == "super"
            {
                at.pop()?;
                rest = more;
            }
        }
        child => {
            let mut inner = module.clone();
            inner.push(child.to_owned());
            files.get(&inner)?;
        }
    }
    for name in rest {
        at.push(name.clone());
        if !files.contains_key(&at) {
            at.pop();
            break;
        }
    }
    files.contains_key(&at).then_some(at)
}

/// Whether one is the other's ancestor.
fn is_family(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn name(module: &[String]) -> String {
    module.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> Imports {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Imports::read(folder.path()).unwrap()
    }

    #[test]
    fn an_import_of_a_later_room_is_reported() {
        let imports = package(&[
            ("lib.rs", "pub mod a;\npub mod b;"),
            ("a.rs", "use crate::{b::{One, Two}, c};"),
            ("b/mod.rs", "use crate::a::Three;"),
            (
                "b/inner.rs",
                "fn f() -> crate::a::Three { super::super::a::f() }",
            ),
            ("c.rs", ""),
        ]);
        assert_eq!(imports.upward(&["c", "a", "b"]), ["a imports b"]);
        assert_eq!(
            imports.upward(&["a", "b", "c"]),
            ["a imports b", "a imports c"]
        );
        assert_eq!(
            imports.upward(&["a", "b"]),
            ["a imports b", "c is not in any room"]
        );
    }

    #[test]
    fn a_module_may_have_a_room_apart_from_its_parents() {
        let imports = package(&[
            ("lib.rs", ""),
            ("state.rs", "use crate::git::service::Git;"),
            ("git/mod.rs", "mod service;\nuse crate::state::State;"),
            ("git/service.rs", ""),
        ]);
        assert_eq!(imports.upward(&["git::service", "state", "git"]), [""; 0]);
        assert_eq!(
            imports.upward(&["state", "git"]),
            ["state imports git::service"]
        );
    }

    #[test]
    fn circles_are_reported_but_not_those_of_a_parent_and_its_child() {
        let imports = package(&[
            ("lib.rs", ""),
            ("a.rs", "use crate::b::Name;"),
            ("b.rs", "use crate::c::Name;"),
            ("c.rs", "// crate::nothing\nuse super::a;"),
            ("d.rs", "mod inner;\nuse inner::Name;\nuse crate::a::Name;"),
            ("d/inner.rs", "use super::Other;"),
            (
                "e.rs",
                "#[cfg(test)]\nmod tests {\n    use crate::f::Name;\n}",
            ),
            ("f.rs", "use crate::e::Name;"),
        ]);
        assert_eq!(imports.circles(), ["a", "b", "c"]);
    }
}
