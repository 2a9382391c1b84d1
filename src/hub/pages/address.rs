//! The Hub's own address, as a browser sees it, and the addresses to which a page may send one on.

/// What a browser sends as `Host`, in lower case and without the scheme's own port.
pub(super) fn authority(endpoint: &str) -> String {
    let (scheme, authority) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let authority = authority.split('/').next().unwrap_or_default();
    plain(scheme, authority)
}

/// Whether a `Host` header names the endpoint.
pub(super) fn is_own_host(endpoint: &str, host: &str) -> bool {
    let scheme = endpoint
        .split_once("://")
        .map_or("http", |(scheme, _)| scheme);
    plain(scheme, host) == authority(endpoint)
}

/// Whether an `Origin` header names the endpoint.
pub(super) fn is_own_origin(endpoint: &str, origin: &str) -> bool {
    let scheme = endpoint
        .split_once("://")
        .map_or("http", |(scheme, _)| scheme);
    origin
        .split_once("://")
        .is_some_and(|(theirs, host)| theirs == scheme && is_own_host(endpoint, host))
}

pub(super) fn is_https(endpoint: &str) -> bool {
    endpoint.starts_with("https://")
}

fn plain(scheme: &str, authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    authority
        .strip_suffix(port)
        .map(ToOwned::to_owned)
        .unwrap_or(authority)
}

/// Where to go after signing in: a page of this Hub, or nowhere. `//elsewhere.example`, `/\elsewhere.example` and
/// `https:…` are other sites to a browser, so only what begins with one of our own pages is followed.
pub(super) fn next_page(wanted: &str) -> Option<&str> {
    let path = wanted.split(['?', '#']).next().unwrap_or_default();
    let is_page = ["/settings", "/organizations"].iter().any(|own| {
        path.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let is_plain = wanted
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    // A browser resolves `..` before it asks, and would leave the pages with it.
    let stays = !path.contains("..") && !path.contains("//") && !path.contains('%');
    (is_page && is_plain && stays && wanted.len() <= 4096).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_host_in_every_spelling() {
        let own = "http://127.0.0.1:8080";
        assert!(is_own_host(own, "127.0.0.1:8080"));
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "evil.example",
            "",
        ] {
            assert!(!is_own_host(own, host), "{host}");
        }
        let team = "https://Hub.example.org";
        for host in ["hub.example.org", "HUB.EXAMPLE.ORG:443"] {
            assert!(is_own_host(team, host), "{host}");
        }
        assert!(!is_own_host(team, "hub.example.org:80"));
        assert!(!is_own_host(team, "hub.example.org.evil.example"));
    }

    #[test]
    fn the_own_origin_has_the_own_scheme() {
        assert!(is_own_origin(
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080"
        ));
        assert!(is_own_origin(
            "https://hub.example.org",
            "https://hub.example.org"
        ));
        for origin in [
            "https://127.0.0.1:8080",
            "null",
            "",
            "http://evil.example",
            "127.0.0.1:8080",
        ] {
            assert!(!is_own_origin("http://127.0.0.1:8080", origin), "{origin}");
        }
    }

    #[test]
    fn only_own_pages_are_gone_to() {
        for page in [
            "/settings/tokens",
            "/settings/tokens/new?tokenType=write&ownUserPermissions=repo.write",
            "/settings/tokens?next=https://elsewhere.example/%2e%2e",
            "/organizations/acme/settings/members",
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
            "/api/models",
        ] {
            assert_eq!(next_page(page), None, "{page}");
        }
    }
}
