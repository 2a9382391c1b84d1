//! The credential helper: which token git gets, for which host.
//!
//! git runs it in the folder of the repository, so the ordinary chain gives that folder's token:
//! the profile that its project pins, or whatever else is in use there. The token is told only if
//! git speaks to the token's own Hub; for every other host the helper has nothing to say, and git
//! goes on to its other helpers and to the terminal. So a helper that somebody has set up for all
//! hosts by mistake still tells nobody's secret.
//!
//! Nothing is stored: the tokens have their own place, and git's `store` and `erase` would only
//! repeat, or throw away, what was found there. The Hub is not asked either.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::protocol::Attributes;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::process;
use crate::resolve::trace::Trace;
use crate::resolve::{Argument, Inputs, Request, Resolver};

/// The user's name when git has none. The Hub looks at the token alone; `huggingface_hub` writes
/// the same.
pub const USERNAME: &str = "hf_user";

/// What the helper has to say.
#[derive(Default)]
pub struct Answer {
    /// For git; `None` to say nothing.
    pub attributes: Option<Attributes>,
    /// For the user: sources that were passed over because they are broken.
    pub warnings: Vec<String>,
}

/// Answers git's `get`.
///
/// # Errors
///
/// A source that was asked for by name is broken, or the configuration is. That no source has a
/// token is no error: git then asks the user.
pub fn get(asked: &Attributes, inputs: &Inputs<'_>) -> Result<Answer, Error> {
    let Some(place) = place(asked) else {
        return Ok(Answer::default());
    };
    let request = Request {
        argument: Argument::Ambient,
        endpoint: None,
        profile: None,
    };
    let resolver = Resolver::default();
    let (credential, trace) = match resolver.resolve(&request, inputs) {
        Ok(resolution) => (resolution.credential, Arc::new(resolution.trace)),
        Err(Error::TokenNotFound { trace, .. }) if !names_profile(&trace) => (None, trace),
        Err(error) => return Err(error),
    };
    let mut answer = Answer::default();
    match credential {
        Some(credential) if !credential.endpoint.owns(place.as_str()) => {}
        Some(credential) => {
            answer.attributes = Some(answer_with(asked, &credential, inputs));
            answer.warnings = resolver.warnings(&trace);
        }
        None => answer.warnings = resolver.warnings(&trace),
    }
    Ok(answer)
}

/// Where git is about to go, if a token may go there at all.
fn place(asked: &Attributes) -> Option<Endpoint> {
    let protocol = str::from_utf8(asked.protocol.as_deref()?).ok()?;
    let host = str::from_utf8(asked.host.as_deref()?).ok()?;
    // Everything else has a meaning in a URL, or is another spelling of a host.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !["https", "http"].contains(&protocol) || !host.bytes().all(is_plain) {
        return None;
    }
    Endpoint::parse(&format!("{protocol}://{host}")).ok()
}

/// Whether a configuration names a profile that is not stored. Such a source was asked for, while
/// all others that have no token were only looked at.
fn names_profile(trace: &Trace) -> bool {
    trace
        .steps
        .iter()
        .any(|step| step.source.starts_with("config:"))
}

/// Name and password are what every git understands, so the newer `authtype` is not used even if
/// git announces it. There is never a `quit`: a token that the Hub refuses must not keep git from
/// asking elsewhere.
fn answer_with(asked: &Attributes, credential: &Credential, inputs: &Inputs<'_>) -> Attributes {
    let username = asked
        .username
        .clone()
        .filter(|username| !username.is_empty())
        .unwrap_or_else(|| USERNAME.into());
    Attributes {
        username: Some(username),
        password: Some(Zeroizing::new(credential.token.expose().into())),
        password_expiry_utc: expiry(credential, inputs),
        ..Attributes::default()
    }
}

/// When the token ends, if that is known without asking the Hub.
fn expiry(credential: &Credential, inputs: &Inputs<'_>) -> Option<i64> {
    inputs.stored_expiry(&credential.token).or_else(|| {
        let identity = process::current().client.recall(credential, None)?;
        Some(identity.expires_at?.unix_timestamp())
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::env::Fixed;

    const TOKEN: &str = "hf_HelperFakeFakeFakeFakeFakeFakeFakeAA";

    fn asked(protocol: &str, host: &str) -> Attributes {
        Attributes {
            protocol: Some(protocol.into()),
            host: Some(host.into()),
            ..Attributes::default()
        }
    }

    fn machine() -> (TempDir, Fixed) {
        let home = tempfile::tempdir().unwrap();
        let mut environment = Fixed::default();
        environment.set("HOME", home.path());
        environment.set("HF_HOME", home.path());
        environment.set("XDG_CONFIG_HOME", home.path().join("config"));
        (home, environment)
    }

    fn answer(asked: &Attributes, home: &TempDir, environment: &Fixed) -> Result<Answer, Error> {
        get(
            asked,
            &Inputs::read(environment, Some(home.path().to_owned())),
        )
    }

    #[test]
    fn the_token_goes_to_its_own_hub_alone() {
        for (endpoint, good) in [
            (
                "https://huggingface.co",
                &[
                    ("https", "huggingface.co"),
                    ("https", "huggingface.co:443"),
                    ("https", "HuggingFace.co"),
                ][..],
            ),
            (
                "https://hub.example:8443/prefix",
                &[("https", "hub.example:8443")],
            ),
            ("http://127.0.0.1:8080", &[("http", "127.0.0.1:8080")]),
            ("http://[::1]:8080", &[("http", "[::1]:8080")]),
        ] {
            let (home, mut environment) = machine();
            environment.set("HF_TOKEN", TOKEN);
            environment.set("HF_ENDPOINT", endpoint);
            for (protocol, host) in good {
                let answer = answer(&asked(protocol, host), &home, &environment).unwrap();
                let attributes = answer.attributes.unwrap();
                assert_eq!(attributes.username.unwrap(), b"hf_user");
                assert_eq!(attributes.password.unwrap().as_slice(), TOKEN.as_bytes());
                assert_eq!(attributes.password_expiry_utc, None);
            }
            for (protocol, host) in [
                ("http", "huggingface.co"),
                ("https", "huggingface.co:8443"),
                ("https", "huggingface.co."),
                ("https", "huggingface.co/x"),
                ("https", "huggingface.co@evil.example"),
                ("https", "evil.example#huggingface.co"),
                ("https", "evil.example\\huggingface.co"),
                ("https", "huggingface。co"),
                ("https", "hugging\tface.co"),
                ("https", "cdn.huggingface.co"),
                ("https", "hub.example"),
                ("http", "hub.example:8443"),
                ("http", "127.0.0.1:8081"),
                ("http", "localhost:8080"),
                ("https", "127.0.0.1:8080"),
                ("ssh", "huggingface.co"),
                ("HTTPS://huggingface.co/?", "x"),
                ("https", ""),
                ("", "huggingface.co"),
                ("smtp", "127.0.0.1:8080"),
            ] {
                let answer = answer(&asked(protocol, host), &home, &environment).unwrap();
                assert!(answer.attributes.is_none(), "{protocol} {host}");
            }
        }
        let (home, mut environment) = machine();
        environment.set("HF_TOKEN", TOKEN);
        for half in [
            Attributes::default(),
            Attributes {
                host: Some("huggingface.co".into()),
                ..Attributes::default()
            },
            Attributes {
                protocol: Some("https".into()),
                ..Attributes::default()
            },
        ] {
            let answer = answer(&half, &home, &environment).unwrap();
            assert!(answer.attributes.is_none());
        }
    }

    #[test]
    fn what_git_says_besides_does_not_disturb() {
        let (home, mut environment) = machine();
        environment.set("HF_TOKEN", TOKEN);
        let mut asked = asked("https", "huggingface.co");
        asked.path = Some(b"acme/\xff.git".to_vec());
        asked.capabilities = vec![b"authtype".to_vec(), b"state".to_vec()];
        asked.wwwauth = vec![b"Bearer realm=x".to_vec()];
        asked.username = Some(b"alice".to_vec());
        let answer = answer(&asked, &home, &environment).unwrap();
        let written = answer.attributes.unwrap().encode().unwrap();
        let expected = format!("username=alice\npassword={TOKEN}\n");
        assert_eq!(written.as_slice(), expected.as_bytes());
    }

    #[test]
    fn the_folder_decides_and_its_tokens_end_is_told() {
        let (home, environment) = machine();
        std::fs::write(
            home.path().join("stored_tokens"),
            format!("[work]\nhf_token = {TOKEN}\nexpires_at = 4102444800\n"),
        )
        .unwrap();
        let question = asked("https", "huggingface.co");
        let nothing = answer(&question, &home, &environment).unwrap();
        assert!(nothing.attributes.is_none() && nothing.warnings.is_empty());

        let project = home.path().join("hubtoken.toml");
        std::fs::write(&project, "profile = \"work\"\n").unwrap();
        let found = answer(&question, &home, &environment).unwrap();
        let attributes = found.attributes.unwrap();
        assert_eq!(attributes.password.unwrap().as_slice(), TOKEN.as_bytes());
        assert_eq!(attributes.password_expiry_utc, Some(4_102_444_800));

        std::fs::write(&project, "profile = \"gone\"\n").unwrap();
        assert!(answer(&question, &home, &environment).is_err());
        std::fs::write(&project, "endpoint = \"https://evil.example\"\n").unwrap();
        assert!(answer(&question, &home, &environment).is_err());
        // Where no token could go anyway, nobody wants to hear of it.
        let elsewhere = asked("http", "hub.example");
        assert!(answer(&elsewhere, &home, &environment).is_ok());
    }

    #[test]
    fn a_broken_ambient_source_is_warned_of() {
        let (home, environment) = machine();
        std::fs::create_dir(home.path().join("token")).unwrap();
        let question = asked("https", "huggingface.co");
        let found = answer(&question, &home, &environment).unwrap();
        assert!(found.attributes.is_none());
        assert_eq!(found.warnings.len(), 1);
    }
}
