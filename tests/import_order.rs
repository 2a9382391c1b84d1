//! Checks the import order of the root package: the command must not import the Python layer.

use import_order::Imports;

#[test]
fn no_room_imports_a_later_one() {
    let imports = Imports::of_package(env!("CARGO_MANIFEST_DIR")).expect("the sources are there");
    assert_eq!(
        imports.upward(&["test_clock", "hub_clock", "cli", "python"]),
        [""; 0]
    );
}

#[test]
fn no_two_files_import_each_other_but_parent_and_child() {
    let imports = Imports::of_package(env!("CARGO_MANIFEST_DIR")).expect("the sources are there");
    assert_eq!(imports.circles(), [""; 0]);
}
