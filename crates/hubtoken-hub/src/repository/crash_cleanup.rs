//! Removes what a killed Hub left in a repository's folder: lock files and temporary files.
//!
//! None of it was ever acknowledged. It is removed before a repository is first used, when nothing
//! else can be writing there.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Removes all leftovers.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    let is_lock = |name: &str| {
        Path::new(name)
            .extension()
            .is_some_and(|ending| ending == "lock")
    };
    sweep(folder, false, &is_lock)?;
    sweep(&folder.join("refs"), true, &is_lock)?;
    // `tmp_objdir-…` is a push that was not accepted. The others are objects and packs.
    let is_temporary = |name: &str| name.starts_with("tmp_") || name.starts_with(".tmp-");
    sweep(&folder.join("objects"), true, &is_temporary)
}

fn sweep(folder: &Path, recursive: bool, is_leftover: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (path, is_folder) = (entry.path(), entry.file_type()?.is_dir());
        let should_remove = entry.file_name().to_str().is_some_and(is_leftover);
        match (should_remove, is_folder) {
            (true, true) if recursive => fs::remove_dir_all(path)?,
            (true, false) => fs::remove_file(path)?,
            (false, true) if recursive => sweep(&path, true, is_leftover)?,
            _ => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_goes_and_what_was_finished_stays() {
        let outer = tempfile::TempDir::new().unwrap();
        let begun = [
            "HEAD.lock",
            "refs/heads/a/b.lock",
            "objects/tmp_objdir-incoming-x/pack/tmp_pack_y",
            "objects/pack/tmp_idx_x",
            "objects/0a/tmp_obj_x",
            "objects/tmp_object_git2_x",
        ];
        let finished = [
            "HEAD",
            "refs/heads/a/c",
            "objects/pack/pack-1.pack",
            "objects/0a/b",
        ];
        for path in begun.iter().chain(&finished) {
            let path = outer.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        remove_leftovers(outer.path()).unwrap();
        assert!(finished.iter().all(|path| outer.path().join(path).exists()));
        assert!(!begun.iter().any(|path| outer.path().join(path).exists()));
        assert!(!outer.path().join("objects/tmp_objdir-incoming-x").exists());
    }
}
