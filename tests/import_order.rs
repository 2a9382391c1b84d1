//! The order of the faces: the command knows nothing of Python.

use std::path::Path;

use import_order::Imports;

#[test]
fn no_room_imports_a_later_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let imports = Imports::read(&src).expect("the sources are there");
    assert_eq!(imports.upward(&["cli", "python"]), [""; 0]);
}

#[test]
fn no_two_files_import_each_other_but_parent_and_child() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let imports = Imports::read(&src).expect("the sources are there");
    assert_eq!(imports.circles(), [""; 0]);
}
