//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod admin;
mod commits;
mod content;
mod handle;
mod repositories;
mod whoami;
mod world;
