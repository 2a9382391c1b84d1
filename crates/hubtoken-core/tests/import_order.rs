//! Checks the import order of the core's top-level modules, as drawn in `docs/architecture.md`.

use import_order::Imports;

/// Each room imports from those before it alone.
const ROOMS: [&str; 45] = [
    // Tools that know nothing of tokens.
    "sync",
    "interrupt",
    "single_flight",
    "clock",
    "env",
    "edit_distance",
    "hexadecimal",
    "strict_url",
    "timestamp",
    "process_stat",
    // The data types.
    "repository",
    "trace",
    "error",
    "token",
    "sanitize",
    "expiry",
    "endpoint",
    "source",
    "source_timeout",
    "recipient",
    "credential",
    "token_reference",
    "live_tokens",
    "folder",
    "bounded_file",
    "record_folder",
    "file_lock",
    "paths",
    "role",
    "target",
    "runtime",
    "http",
    // Storing tokens.
    "store",
    // Obtaining and renewing tokens.
    "oauth",
    // Finding tokens.
    "resolve",
    // Identifying tokens.
    "similar_repositories",
    "identity",
    "authorization",
    // The uses.
    "login",
    "manage",
    "git",
    "require",
    "requested_access",
    "project_uses",
    "process_state",
];

#[test]
fn no_room_imports_a_later_one() {
    let imports = Imports::of_package(env!("CARGO_MANIFEST_DIR")).expect("the sources are there");
    assert_eq!(imports.upward(&ROOMS), [""; 0]);
}

#[test]
fn no_two_files_import_each_other_but_parent_and_child() {
    let imports = Imports::of_package(env!("CARGO_MANIFEST_DIR")).expect("the sources are there");
    assert_eq!(imports.circles(), [""; 0]);
}
