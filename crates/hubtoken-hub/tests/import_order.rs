//! Enforces the order of the Hub's modules, as drawn in `docs/architecture.md`.

use import_order::Imports;

/// Each module may only import from those before it.
const ROOMS: [&str; 78] = [
    // Tools.
    "clock",
    "error",
    "secret",
    "names",
    "local_url",
    "blocking",
    "password",
    "stream_body",
    "cached_json",
    "rate_limit",
    "middleware::request_id",
    "monitoring::request_counter",
    "monitoring::metrics",
    "monitoring::log",
    "server::strict_framing",
    "server::stall_timeout",
    "data_folder",
    "oauth::jwk_set",
    // Storage.
    "registry",
    "auth::access",
    "repository",
    "backup",
    // Responses.
    "response",
    "route_family",
    "server::allowed_hosts",
    "server::peer",
    // Per-client state.
    "inference::options",
    "inference::upstream",
    "inference::usage",
    "inference::service",
    "seal",
    "git::process_group",
    "git::command",
    "git::pre_receive",
    "git::hook_channel",
    "git::service",
    "oauth::crypto",
    "oauth::options",
    "oauth::keys",
    "oauth::issuer_keys",
    "oauth::service",
    "pages::attempt_limiter",
    "pages::sign_in_limiter",
    "options",
    "server::listen",
    "server::tls",
    "state",
    // Authentication and content.
    "auth",
    "auth::authentication",
    "state::repositories",
    "state::publishers",
    "extract",
    "xet::access_token",
    "xet::issue",
    // Handlers, by client.
    "monitoring",
    "monitoring::health",
    "oauth",
    "admin",
    "git::push_errors",
    "inference",
    "pages",
    "git",
    "api",
    "lfs",
    "xet",
    // Assembly.
    "middleware",
    "router",
    "server",
    "hub",
    // Entry points for fuzzing.
    "fuzzing::chunked_reader",
    "repository::fuzzing",
    "repository::xet::fuzzing",
    "lfs::fuzzing",
    "inference::fuzzing",
    "git::fuzzing",
    "api::fuzzing",
    "oauth::fuzzing",
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
