//! Shows a login by browser: opens the page, and draws its address for the camera of a phone.

use std::fmt::Write as _;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::endpoint::Endpoint;
use crate::login::browser::BrowserLogin;

/// Opens pages in a browser.
pub trait Browser {
    /// Opens an address. Returns whether a browser was started.
    fn open(&self, address: &str) -> bool;
}

/// Opens nothing.
pub struct NoBrowser;

impl Browser for NoBrowser {
    fn open(&self, _address: &str) -> bool {
        false
    }
}

/// The address of a login as a picture of text, with the margin that cameras need. `None` if it does
/// not fit into the terminal, or if a phone cannot reach the page.
#[must_use]
pub fn qr_code(login: &BrowserLogin, endpoint: &Endpoint, width: usize) -> Option<String> {
    if endpoint.is_loopback() {
        return None;
    }
    draw(login.address(), width)
}

fn draw(address: &str, width: usize) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    // Bright modules are drawn, so that the picture is right on a dark background; cameras read it
    // either way.
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Dark)
        .light_color(Dense1x2::Light)
        .build();
    let mut text = String::with_capacity(picture.len() + 64);
    for line in picture.lines() {
        if line.chars().count() >= width {
            return None;
        }
        writeln!(text, "{line}").ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_picture_is_square_and_fits_or_is_left_out() {
        let address = "https://hub.example/oauth/device?user_code=ABCD-EFGH";
        let picture = draw(address, 80).unwrap();
        let widths: Vec<usize> = picture.lines().map(|line| line.chars().count()).collect();
        let width = widths[0];
        assert!(widths.iter().all(|each| *each == width), "{picture}");
        // Each line shows two rows of modules.
        assert_eq!(widths.len(), width.div_ceil(2));
        assert!(draw(address, width + 1).is_some());
        assert_eq!(draw(address, width), None);
        assert_eq!(draw(&"x".repeat(5_000), 1_000), None);
    }
}
