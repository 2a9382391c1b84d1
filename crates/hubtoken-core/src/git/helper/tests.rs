//! Tests for which Hubs the helper responds, and with which attributes.

use tempfile::TempDir;

use super::*;
use crate::env::StaticEnvironment;

const TOKEN: &str = "hf_HelperFakeFakeFakeFakeFakeFakeFakeAA";

pub(super) fn asked(protocol: &str, host: &str) -> Attributes {
    Attributes {
        protocol: Some(protocol.into()),
        host: Some(host.into()),
        ..Attributes::default()
    }
}

pub(super) fn machine() -> (TempDir, StaticEnvironment) {
    let home = tempfile::tempdir().unwrap();
    let mut environment = StaticEnvironment::default();
    environment.set("HOME", home.path());
    environment.set("HF_HOME", home.path());
    environment.set("XDG_CONFIG_HOME", home.path().join("config"));
    (home, environment)
}

pub(super) fn answer(
    asked: &Attributes,
    home: &TempDir,
    environment: &StaticEnvironment,
) -> Result<HelperResponse, Error> {
    get(
        asked,
        &Inputs::read(environment, Some(home.path().to_owned())),
        &|token| Ok((Arc::clone(token), Vec::new())),
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
    asked.wwwauth = vec![b"Basic realm=x".to_vec()];
    asked.username = Some(b"alice".to_vec());
    let answer = answer(&asked, &home, &environment).unwrap();
    let written = answer.attributes.unwrap().encode().unwrap();
    let expected = format!("username=alice\npassword={TOKEN}\n");
    assert_eq!(written.as_slice(), expected.as_bytes());
}

#[test]
fn a_server_that_wants_a_bearer_token_alone_gets_one_from_a_git_that_can() {
    let (home, mut environment) = machine();
    environment.set("HF_TOKEN", TOKEN);
    let written = |capabilities: &[&str], wwwauth: &[&str]| {
        let mut asked = asked("https", "huggingface.co");
        asked.username = Some(b"alice".to_vec());
        asked.capabilities = capabilities.iter().map(|&word| word.into()).collect();
        asked.wwwauth = wwwauth.iter().map(|&header| header.into()).collect();
        let answer = answer(&asked, &home, &environment).unwrap();
        answer.attributes.unwrap().encode().unwrap()
    };
    let bearer = format!("capability[]=authtype\nauthtype=Bearer\ncredential={TOKEN}\n");
    for headers in [
        &["Bearer realm=\"Authentication required\", charset=\"UTF-8\""][..],
        &["bearer"],
        &["Negotiate", "NTLM, Bearer realm=x"],
    ] {
        let given = written(&["state", "authtype"], headers);
        assert_eq!(given.as_slice(), bearer.as_bytes(), "{headers:?}");
    }
    let basic = format!("username=alice\npassword={TOKEN}\n");
    for (capabilities, headers) in [
        (&["authtype"][..], &[][..]),
        (&["state"], &["Bearer"]),
        (&[], &["Bearer"]),
        (&["authtype"], &["Basic realm=x", "Bearer"]),
        (&["authtype"], &["Bearer realm=x, BASIC realm=y"]),
        (&["authtype"], &["Negotiate"]),
        (&["authtype"], &["Bearers realm=x"]),
    ] {
        let given = written(capabilities, headers);
        assert_eq!(given.as_slice(), basic.as_bytes(), "{headers:?}");
    }
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
    // For a host that cannot get a token anyway, the problem is not reported.
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
