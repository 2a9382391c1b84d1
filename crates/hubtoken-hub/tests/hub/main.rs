//! Integration tests of the embedded Hub: its HTTP in-process, and complete Hubs over loopback.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic"
)]

mod admin;
mod attacks;
mod audit;
mod backups;
mod basic;
mod commits;
mod content;
mod faults;
mod git_http;
mod git_refusals;
mod handle;
mod inference;
mod inference_streams;
mod lfs;
mod monitoring;
mod names_of_permissions;
mod oauth;
mod overviews;
mod pages;
mod pages_actions;
mod pages_attacks;
mod pages_audit;
mod pages_logins;
mod pages_organization;
mod pages_sign_in;
mod policies;
mod public;
mod publishers;
mod repositories;
mod service_accounts;
mod support;
mod unknown_paths;
mod upgrade;
mod whoami;
mod xet;
mod xet_faults;
