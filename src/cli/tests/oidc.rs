//! `hubtoken oidc`, and an OIDC exchange in the other verbs.

use std::ffi::OsString;
use std::io::ErrorKind;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::launching::Seen;
use super::*;

/// The signature of every id token here, which nothing shows.
const SIGNATURE: &str = "U2lnbmF0dXJlU2lnbmF0dXJl";

fn id_token(claims: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(claims);
    format!("eyJhbGciOiJSUzI1NiJ9.{payload}.{SIGNATURE}")
}

/// A job whose id token has these claims.
fn job(claims: &str) -> Machine {
    let id_token = id_token(claims);
    let mut machine = Machine::with(&[
        ("HF_OIDC_ID_TOKEN", &id_token),
        ("HF_OIDC_RESOURCE", "datasets/acme/data"),
        ("HF_TOKEN", FIRST),
    ]);
    machine.secrets.push(SIGNATURE.to_owned());
    machine.secrets.push(id_token);
    machine
}

const CLAIMS: &str = r#"{"iss": "https://token.actions.githubusercontent.com", "jti": "7",
    "sub": "repo:acme/training:environment:production", "aud": "https://huggingface.co",
    "repository": "acme/training", "ref": "refs/heads/main", "environment": "production",
    "workflow": "publish", "job_workflow_ref": "acme/training/.github/workflows/publish.yml@main",
    "actor": "a\u001b[31m", "exp": 4000000000}"#;

#[test]
fn the_claims_and_a_publisher_that_matches_are_shown() {
    let machine = job(CLAIMS);
    let ran = machine.run(&["oidc"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    for expected in [
        "datasets/acme/data",
        "writes to `datasets/acme/data` alone",
        "https://huggingface.co",
        "from the variable HF_OIDC_ID_TOKEN",
        "2096-10-02 07:06 UTC",
        "repo:acme/training:environment:production",
        "acme/training/.github/workflows/publish.yml@main",
        "issuer https://token.actions.githubusercontent.com",
        "repository = acme/training",
        "ref = refs/heads/main",
        "environment = production",
        "https://huggingface.co/datasets/acme/data/settings",
        "a\u{fffd}[31m",
    ] {
        assert!(ran.out.contains(expected), "{expected}: {ran:?}");
    }
    let object = machine.json(&["oidc"], 0);
    assert_eq!(object["resource"], "datasets/acme/data");
    assert_eq!(object["endpoint"], "https://huggingface.co");
    assert_eq!(object["id_token"]["source"], "variable");
    assert_eq!(object["id_token"]["expires_at"], "2096-10-02T07:06:40Z");
    assert_eq!(object["id_token"]["claims"]["workflow"], "publish");
    let publisher = &object["publisher"];
    assert_eq!(
        publisher["issuer"],
        "https://token.actions.githubusercontent.com"
    );
    let claims = serde_json::json!({
        "repository": "acme/training", "ref": "refs/heads/main", "environment": "production"
    });
    assert_eq!(publisher["claims"], claims);
    assert_eq!(object["warnings"], serde_json::json!([]));
}

#[test]
fn what_the_hub_would_refuse_is_warned_about() {
    for (claims, expected) in [
        (
            r#"{"aud": "https://other.example", "exp": 4000000000}"#,
            "is https://other.example, and",
        ),
        (
            r#"{"exp": 4000000000}"#,
            "is missing, and https://huggingface.co accepts",
        ),
        (
            r#"{"aud": "https://huggingface.co", "exp": 1000}"#,
            "the id token has expired",
        ),
        ("[]", "no claims that can be read"),
    ] {
        let ran = job(claims).run(&["oidc"]);
        assert!(ran.code == 0 && ran.err.contains(expected), "{ran:?}");
        let warnings = job(claims).json(&["oidc"], 0)["warnings"].to_string();
        assert!(warnings.contains(expected), "{warnings}");
    }
    let mut machine = job(CLAIMS);
    machine.environment.unset("HF_OIDC_RESOURCE");
    let ran = machine.run(&["oidc"]);
    assert!(
        ran.code == 0 && ran.err.contains("HF_OIDC_RESOURCE is not set"),
        "{ran:?}"
    );
    assert!(ran.out.contains("acme/training"));
}

#[test]
fn without_an_id_token_the_job_is_told_what_to_add() {
    for (variables, expected) in [
        (&[][..], "HF_OIDC_ID_TOKEN is not set"),
        (&[("GITHUB_ACTIONS", "true")], "id-token: write"),
        (&[("HF_OIDC_ID_TOKEN", FIRST)], "not a JWT"),
        (
            &[
                ("HF_OIDC_ID_TOKEN", "a.b.c"),
                ("HF_OIDC_RESOURCE", "a/b/c/d"),
            ],
            "`a/b/c/d`, which is not a resource",
        ),
    ] {
        let ran = Machine::with(variables).run(&["oidc"]);
        assert!(ran.code != 0 && ran.out.is_empty(), "{ran:?}");
        assert!(ran.err.contains(expected), "{ran:?}");
    }
}

#[test]
fn an_exchange_is_explained_and_listed_and_not_made() {
    let mut machine = job(CLAIMS);
    // Nothing listens there.
    machine.set("HF_ENDPOINT", "http://127.0.0.1:9");
    let ran = machine.run(&["explain"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out
            .starts_with("a token from oidc, for http://127.0.0.1:9\n"),
        "{ran:?}"
    );
    assert!(
        ran.out
            .contains("will be exchanged for a token that writes to"),
        "{ran:?}"
    );
    let object = machine.json(&["explain"], 0);
    assert_eq!(object["token"]["source"], "oidc");
    assert_eq!(object["token"]["mask"], Value::Null);
    let ran = machine.run(&["list"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for verb in [
        &["status"][..],
        &["whoami"],
        &["token"],
        &["run", "--", "x"],
    ] {
        let ran = machine.run(verb);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("datasets/acme/data"), "{ran:?}");
    }
    // git's helper sends no requests.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let input = b"protocol=http\nhost=127.0.0.1:9\n\n";
    let code = machine.run_in(
        &["git-credential", "get"],
        (&mut out, &mut err),
        None,
        &NeverInterrupted,
        (input, &Nobody),
    );
    let err = String::from_utf8(err).unwrap();
    assert!(
        code == 2 && err.contains("`hubtoken run`") && out.is_empty(),
        "{err}"
    );
}

#[test]
fn a_command_gets_an_inherited_exchange_and_the_right_to_repeat_it() {
    let mut machine = Machine::with(&[
        ("HF_OIDC_RESOURCE", "acme/x"),
        ("GITHUB_ACTIONS", "true"),
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "https://github.example/?a=1",
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
        ("HF_TOKEN", FIRST),
    ]);
    let credential = crate::credential::Credential {
        token: crate::token::Token::parse(FIRST).unwrap().unwrap(),
        source: crate::source::Source::Oidc("acme/x".to_owned()),
        endpoint: crate::endpoint::Endpoint::default_hub(),
        expires_at: crate::expiry::Expiry::at_unix_seconds(4_000_000_000),
        renewal: None,
    };
    let origin = crate::resolve::placed::origin(&credential, crate::source::Placement::Run);
    machine.set("HUBTOKEN_TOKEN_ORIGIN", &origin);
    let resource = |seen: Option<Seen>| {
        let seen = seen.unwrap();
        let variable = |name: &str| seen.variables.get(&OsString::from(name)).cloned();
        assert_eq!(variable("HF_TOKEN"), Some(Some(FIRST.into())));
        variable("HF_OIDC_RESOURCE")
    };
    let (_, seen) = machine.start(&["run", "--", "train"], ErrorKind::NotFound);
    // Inherited as it is.
    assert_eq!(resource(seen), None);
    // A given id token was good for one exchange.
    let given = id_token(CLAIMS);
    machine.set("HF_OIDC_ID_TOKEN", &given);
    let (_, seen) = machine.start(&["run", "--", "train"], ErrorKind::NotFound);
    assert_eq!(resource(seen), Some(None));
}
