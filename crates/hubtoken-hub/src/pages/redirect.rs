//! Validates the addresses to which a page may redirect a visitor.

/// The page to open after signing in: a page of this Hub, or `None`. Browsers treat
/// `//elsewhere.example`, `/\elsewhere.example` and `https:…` as other sites, so only paths that
/// start with one of this Hub's own pages are accepted.
pub(super) fn next_page(wanted: &str) -> Option<&str> {
    let path = wanted.split(['?', '#']).next().unwrap_or_default();
    let is_page = ["/settings", "/organizations", "/login/device"]
        .iter()
        .any(|own| {
            path.strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    let is_plain = wanted
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    // A browser resolves `..` before sending the request, and could leave the pages that way.
    let stays = !path.contains("..") && !path.contains("//") && !path.contains('%');
    (is_page && is_plain && stays && wanted.len() <= 4096).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_gone_to() {
        for page in [
            "/settings/tokens",
            "/settings/tokens/new?tokenType=write&ownUserPermissions=repo.write",
            "/settings/tokens?next=https://elsewhere.example/%2e%2e",
            "/organizations/acme/settings/members",
            "/login/device",
            "/login/device?user_code=BCDFGHJK",
        ] {
            assert_eq!(next_page(page), Some(page));
        }
        for page in [
            "",
            "/",
            "//evil.example/settings",
            "/\\evil.example",
            "https://evil.example/settings",
            "javascript:alert(1)",
            "/settingsx",
            "/settings/../api/models",
            "/settings/%2e%2e/%2e%2e/api",
            "/settings//evil.example",
            "/settings\r\nSet-Cookie: x=y",
            "/settings/é",
            " /settings",
            "settings",
            "/login",
            "/login?next=/login",
            "/login/devices",
            "/login/device/../../api",
            "/api/models",
        ] {
            assert_eq!(next_page(page), None, "{page}");
        }
    }
}
