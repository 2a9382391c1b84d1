//! The rules for names of users, organizations, repositories and tokens.
//!
//! They follow the real Hub's rules, because a name that works here must work there. Names also
//! become parts of URLs, so words that the Hub's own URLs need are reserved.

use super::error::HubError;

const MAX_NAMESPACE_LENGTH: usize = 42;
const MAX_REPOSITORY_LENGTH: usize = 96;
const MAX_TOKEN_LENGTH: usize = 100;

/// First segments of the Hub's own paths; a user with such a name would be unreachable.
const RESERVED: &[&str] = &[
    "-",
    "admin",
    "api",
    "assets",
    "avatars",
    "blog",
    "buckets",
    "chat",
    "collections",
    "datasets",
    "docs",
    "front",
    "healthz",
    "join",
    "kernels",
    "login",
    "logout",
    "metrics",
    "models",
    "new",
    "oauth",
    "organizations",
    "papers",
    "pricing",
    "readyz",
    "search",
    "settings",
    "spaces",
    "static",
    "tasks",
    "users",
    "v1",
];

/// The form under which names are compared: two names with the same key are the same name.
pub(crate) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Checks the name of a user or organization.
pub(crate) fn check_namespace(what: &'static str, name: &str) -> Result<(), HubError> {
    let is_reserved = || RESERVED.contains(&key(name).as_str());
    let invalid_reason =
        invalid_reason(name, MAX_NAMESPACE_LENGTH, "it has more than 42 characters")
            .or_else(|| is_reserved().then_some("it is reserved for the Hub's own pages"));
    check(what, name, invalid_reason)
}

/// Checks the name of a repository, without its namespace.
pub(crate) fn check_repository(name: &str) -> Result<(), HubError> {
    let is_git = || key(name).strip_suffix(".git").is_some();
    let invalid_reason = invalid_reason(
        name,
        MAX_REPOSITORY_LENGTH,
        "it has more than 96 characters",
    )
    .or_else(|| is_git().then_some("it must not end with `.git`"));
    check("a repository", name, invalid_reason)
}

/// The rules that namespaces and repositories share; returns the one that is broken.
fn invalid_reason(name: &str, max_length: usize, too_long: &'static str) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > max_length {
        Some(too_long)
    } else if !name.bytes().all(plain) {
        Some("only letters, digits, `-`, `_` and `.` are allowed")
    } else if name.starts_with(['-', '.']) || name.ends_with(['-', '.']) {
        Some("it must not start or end with `-` or `.`")
    } else if name.contains("--") || name.contains("..") {
        Some("`--` and `..` are not allowed")
    } else {
        None
    }
}

fn check(
    what: &'static str,
    name: &str,
    invalid_reason: Option<&'static str>,
) -> Result<(), HubError> {
    invalid_reason.map_or(Ok(()), |reason| {
        Err(HubError::InvalidName {
            what,
            name: name.to_owned(),
            reason,
        })
    })
}

/// Splits `namespace/name`.
pub(crate) fn split_repository(id: &str) -> Result<(&str, &str), HubError> {
    id.split_once('/')
        .filter(|(namespace, name)| !namespace.is_empty() && !name.contains('/'))
        .ok_or_else(|| HubError::InvalidName {
            what: "a repository",
            name: id.to_owned(),
            reason: "it must be written `namespace/name`",
        })
}

/// Checks the name of a token, which may be any Unicode text and need not be unique.
pub(crate) fn check_token(name: &str) -> Result<(), HubError> {
    let reason = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().count() > MAX_TOKEN_LENGTH {
        "it has more than 100 characters"
    } else if name.chars().any(char::is_control) {
        "control characters are not allowed"
    } else {
        return Ok(());
    };
    // Control characters must not reach a terminal through the message either.
    let name = name
        .chars()
        .take(MAX_TOKEN_LENGTH)
        .map(|each| if each.is_control() { '?' } else { each })
        .collect();
    Err(HubError::InvalidName {
        what: "a token",
        name,
        reason,
    })
}

/// Checks a free-form text: a full name, an e-mail address, a permission.
pub(crate) fn check_text(what: &'static str, text: &str) -> Result<(), HubError> {
    let reason = if text.chars().count() > 200 {
        "it has more than 200 characters"
    } else if text
        .chars()
        .any(|each| each.is_control() || matches!(each, '<' | '>'))
    {
        // `<` and `>` would end the e-mail address in a commit's author line.
        "control characters, `<` and `>` are not allowed"
    } else {
        return Ok(());
    };
    Err(HubError::InvalidName {
        what,
        name: text
            .chars()
            .filter(|each| !each.is_control())
            .take(200)
            .collect(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces() {
        for name in ["alice", "Alice-2", "a", "acme_labs", "a.b", &"a".repeat(42)] {
            assert!(check_namespace("a user", name).is_ok(), "{name}");
        }
        for name in [
            "",
            "-a",
            "a-",
            "a--b",
            "a..b",
            ".a",
            "a/b",
            "a b",
            "é",
            "datasets",
            "API",
            "a\0",
            &"a".repeat(43),
        ] {
            assert!(check_namespace("a user", name).is_err(), "{name}");
        }
    }

    #[test]
    fn repositories() {
        for name in ["tiny", "Tiny-1.5_b", "_x", &"a".repeat(96)] {
            assert!(check_repository(name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "a..b",
            "a--b",
            "a.git",
            "a.GIT",
            "a.",
            "-a",
            "a/b",
            "a\\b",
            "a%2f",
            &"a".repeat(97),
        ] {
            assert!(check_repository(name).is_err(), "{name}");
        }
        assert_eq!(split_repository("alice/x").unwrap(), ("alice", "x"));
        for id in ["x", "/x", "a/b/c"] {
            assert!(split_repository(id).is_err(), "{id}");
        }
    }

    #[test]
    fn tokens_and_texts() {
        for name in ["ci", "Müller's laptop 💻", "[x] # ; % ="] {
            assert!(check_token(name).is_ok(), "{name}");
        }
        for name in ["", "  ", "a\nb", "a\u{1b}[31m", &"x".repeat(101)] {
            let error = check_token(name).unwrap_err();
            assert!(!error.to_string().contains(['\n', '\u{1b}']), "{error}");
        }
        assert!(check_text("a full name", "Alice Doe").is_ok());
        assert!(check_text("an e-mail address", "a@b>\n").is_err());
    }
}
