//! The embedded Hub: its HTTP in-process, and whole Hubs over loopback.

mod world;
