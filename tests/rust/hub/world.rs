//! A Hub to test against, run in-process.
