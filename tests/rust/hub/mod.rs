//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod admin;
mod audit;
mod commits;
mod content;
mod faults;
mod handle;
mod policies;
mod repositories;
mod whoami;
mod world;
