//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod admin;
mod audit;
mod browser;
mod commits;
mod content;
mod faults;
mod handle;
mod pages;
mod pages_attacks;
mod pages_sign_in;
mod policies;
mod repositories;
mod whoami;
mod world;
