//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod admin;
mod attacks;
mod audit;
mod backups;
mod basic;
mod browser;
mod commits;
mod content;
mod faults;
mod handle;
mod inference;
mod inference_streams;
mod monitoring;
mod pages;
mod pages_attacks;
mod pages_sign_in;
mod policies;
mod public;
mod repositories;
mod upgrade;
mod upstream;
mod whoami;
mod world;
