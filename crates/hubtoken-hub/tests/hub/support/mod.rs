//! What these tests share: a Hub with users and repositories, a browser without a window, a server of
//! models, and time.

pub mod browser;
pub mod time;
pub mod upstream;
pub mod world;
pub mod xet;
