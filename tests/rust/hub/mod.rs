//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod admin;
mod attacks;
mod audit;
mod backups;
mod browser;
mod commits;
mod content;
mod faults;
mod git_http;
mod git_refusals;
mod handle;
mod lfs;
mod monitoring;
mod pages;
mod pages_attacks;
mod pages_audit;
mod pages_deeds;
mod pages_organization;
mod pages_sign_in;
mod policies;
mod public;
mod repositories;
mod upgrade;
mod whoami;
mod world;
