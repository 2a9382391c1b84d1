//! Enforces the order of the Hub's modules, as drawn in `docs/architecture.md`.

use import_order::Imports;

/// Each module may only import from those before it.
const ROOMS: [&str; 62] = [
    // Tools.
    "clock",
    "error",
    "secret",
    "names",
    "blocking",
    "password",
    "pieces",
    "rendered",
    "rate_limit",
    "request_id",
    "request_log",
    "metrics",
    "journal",
    "framing",
    "patience",
    "data_folder",
    // Storage.
    "registry",
    "access",
    "repository",
    "backup",
    // Responses.
    "answers",
    "address",
    "peer",
    // Per-client state.
    "inference::options",
    "inference::upstream",
    "inference::usage",
    "inference::service",
    "lfs::capability",
    "lfs::service",
    "git::child",
    "git::program",
    "git::question",
    "git::push",
    "git::service",
    "pages::desk",
    "options",
    "listen",
    "tls",
    "state",
    // Authentication and content.
    "authentication",
    "content",
    "extract",
    // Handlers, by client.
    "health",
    "admin",
    "git::refusal",
    "inference",
    "pages",
    "git",
    "api",
    "lfs",
    // Assembly.
    "middleware",
    "router",
    "server",
    "handle",
    "deeds",
    // Entry points for fuzzing.
    "fuzzing::chunked_reader",
    "repository::fuzzing",
    "lfs::fuzzing",
    "inference::fuzzing",
    "git::fuzzing",
    "api::fuzzing",
    "fuzzing",
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
