//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod admin;
mod attacks;
mod backups;
mod commits;
mod content;
mod handle;
mod monitoring;
mod public;
mod repositories;
mod upgrade;
mod whoami;
mod world;
