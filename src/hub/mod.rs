//! The embedded Hub.
