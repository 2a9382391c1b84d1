//! Tests tokens of an OIDC exchange.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::host::Host;
use super::super::in_effect::InEffect;
use super::super::placed;
use super::*;
use crate::error::ResponseDetails;
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::oauth::{Exchange, Exchanger, TokenResponse};
use crate::source::Placement;
use crate::token_reference::TokenReference;

/// A Hub that issues a token of its own for each exchange, or refuses.
#[derive(Default)]
struct Issuer {
    exchanges: AtomicUsize,
    refuses: bool,
}

impl Exchanger for Issuer {
    fn exchange(&self, exchange: &Exchange) -> Result<TokenResponse, Error> {
        let number = self.exchanges.fetch_add(1, Ordering::SeqCst);
        if self.refuses {
            return Err(Error::Login {
                message: format!("{} was refused", exchange.describe()),
                code: Some("invalid_grant".to_owned()),
                response: ResponseDetails::default(),
            });
        }
        let body = format!(r#"{{"access_token": "hf_jwt_eyFakeFakeFake.ey{number}.Fake"}}"#);
        Ok(TokenResponse::parse(body.as_bytes()).unwrap())
    }
}

struct Job(Arc<Issuer>);

impl Job {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn refusing() -> Self {
        Self(Arc::new(Issuer {
            refuses: true,
            ..Issuer::default()
        }))
    }

    fn exchanges(&self) -> usize {
        self.0.exchanges.load(Ordering::SeqCst)
    }
}

impl Host for Job {
    fn exchanger(&self, _: &Endpoint) -> Option<Arc<dyn Exchanger>> {
        Some(self.0.clone())
    }

    fn variables(&self) -> StaticEnvironment {
        StaticEnvironment::default()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        &NeverInterrupted
    }
}

/// The machine of a job of GitHub Actions that asks for an exchange.
fn github() -> Machine {
    let mut machine = Machine::new();
    for (name, value) in [
        ("HF_TOKEN", FIRST),
        ("HF_OIDC_RESOURCE", "acme/x"),
        ("GITHUB_ACTIONS", "true"),
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "https://github.example/?a=1",
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
    ] {
        machine.set(name, value);
    }
    machine
}

fn token(machine: &Machine, job: &Job) -> Arc<Credential> {
    machine.ask_with_host(job).unwrap().credential.unwrap()
}

/// The sources and what they answered, in order.
fn steps(trace: &Trace) -> Vec<(&str, &'static str)> {
    let steps = trace.steps.iter();
    steps
        .map(|step| (step.source.as_str(), step.status.name()))
        .collect()
}

#[test]
fn an_exchange_goes_after_the_argument_and_before_the_environment() {
    let (mut machine, job) = (github(), Job::new());
    let found = token(&machine, &job);
    assert_eq!(found.source, Source::Oidc("acme/x".to_owned()));
    assert_eq!(found.source.to_string(), "oidc");
    assert!(found.expires_at.unix_milliseconds().is_some());
    // Once for all calls.
    assert!(Arc::ptr_eq(&token(&machine, &job), &found));
    // A changed resource exchanges anew, also back and forth.
    machine.set("HF_OIDC_RESOURCE", "acme/y");
    let other = token(&machine, &job);
    assert!(other.token != found.token && other.source.resource() == Some("acme/y"));
    machine.set("HF_OIDC_RESOURCE", " acme/x ");
    assert!(Arc::ptr_eq(&token(&machine, &job), &found));
    assert_eq!(job.exchanges(), 2);
    for argument in [Argument::Value(SECOND), Argument::Anonymous] {
        let inputs = machine.inputs();
        let request = Request {
            argument,
            endpoint: None,
            profile: None,
        };
        let answer = machine.resolver.resolve(&request, &inputs.with_host(&job));
        let source = answer.unwrap().credential.map(|found| found.source.clone());
        assert!(source.is_none_or(|source| source == Source::Argument));
    }
    assert_eq!(job.exchanges(), 2);
    for blank in ["", " \n"] {
        machine.set("HF_OIDC_RESOURCE", blank);
        assert_eq!(token(&machine, &job).token.expose(), FIRST);
    }
    machine.set("HF_OIDC_RESOURCE", "acme/x");
    machine.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    let nothing = machine.ask_with_host(&job).err();
    assert!(matches!(nothing, Some(Error::TokenNotFound { .. })));
}

#[test]
fn a_failure_falls_back_to_nothing() {
    let machine = github();
    let error = machine.ask_with_host(&Job::refusing()).err().unwrap();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    assert!(!error.to_string().contains(FIRST));
    for (name, value, expected) in [
        (
            "HF_OIDC_RESOURCE",
            "models/acme/x",
            "HF_OIDC_RESOURCE is `models/acme/x`",
        ),
        ("GITHUB_ACTIONS", "", "there is no id token"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", " ", "id-token: write"),
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "http://github.example/",
            "plain http",
        ),
        ("HF_OIDC_ID_TOKEN", "junk", "not a JWT"),
        ("HF_ENDPOINT", "http://hub.example", "HF_ENDPOINT"),
    ] {
        let (mut machine, job) = (github(), Job::new());
        machine.set(name, value);
        let error = machine.ask_with_host(&job).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(job.exchanges(), 0);
        // Nor may it be asked to explain that.
        let inputs = machine.inputs();
        assert!(
            machine
                .resolver
                .explain(&AMBIENT, &inputs.with_host(&job))
                .is_err()
        );
    }
    // A program that sends no requests says so.
    let error = machine.error(None).to_string();
    assert!(error.contains("`hubtoken run`"), "{error}");
}

#[test]
fn a_token_for_another_hub_is_not_exchanged_for() {
    let (machine, job) = (github(), Job::new());
    let inputs = machine.inputs();
    let request = Request {
        argument: Argument::Ambient,
        endpoint: Some(Endpoint::parse("https://other.example").unwrap()),
        profile: None,
    };
    let error = machine.resolver.resolve(&request, &inputs.with_host(&job));
    assert!(matches!(error, Err(Error::UntrustedEndpoint(_))));
    assert_eq!(job.exchanges(), 0);
}

#[test]
fn explaining_and_listing_exchange_nothing() {
    let (mut machine, job) = (github(), Job::new());
    machine.write(FILE, THIRD);
    let explain = |machine: &Machine| {
        let inputs = machine.inputs();
        machine
            .resolver
            .explain(&AMBIENT, &inputs.with_host(&job))
            .unwrap()
    };
    let trace = explain(&machine);
    let file = machine.home.path().join(FILE);
    let file = format!("file:{}", file.display());
    let expected = [
        ("argument", "absent"),
        ("oidc", "found"),
        ("env:HF_TOKEN", "shadowed"),
        ("env:HUGGING_FACE_HUB_TOKEN", "absent"),
        ("config", "absent"),
        (file.as_str(), "shadowed"),
    ];
    assert_eq!(steps(&trace), expected);
    assert_eq!(trace.endpoint.as_deref(), Some("https://huggingface.co"));
    let step = trace.found().unwrap();
    assert_eq!(step.mask, None);
    assert_eq!(
        step.detail,
        "an id token from GitHub Actions will be exchanged for a token that writes to `acme/x` alone"
    );
    assert!(trace.steps[2].detail.contains("shadowed by oidc"));
    let in_effect = |machine: &Machine| {
        let inputs = machine.inputs();
        machine.resolver.in_effect(&inputs.with_host(&job)).unwrap()
    };
    let InEffect::Unasked(source) = in_effect(&machine) else {
        unreachable!("it was exchanged");
    };
    assert_eq!(source, Source::Oidc("acme/x".to_owned()));
    let described = in_effect(&machine).describe().unwrap();
    assert!(described.contains("not exchanged for this"), "{described}");
    assert_eq!(job.exchanges(), 0);
    // Once it was exchanged, it is shown.
    let found = token(&machine, &job);
    assert_eq!(
        explain(&machine).found().unwrap().mask,
        Some(found.token.mask())
    );
    assert!(in_effect(&machine).is(&found.token));
    // A job without an id token still lists its stored tokens.
    machine.set("GITHUB_ACTIONS", "no");
    assert!(matches!(
        in_effect(&machine),
        InEffect::Unasked(Source::Oidc(_))
    ));
    // An argument goes first.
    let inputs = machine.inputs();
    let request = Request {
        argument: Argument::Value(SECOND),
        ..AMBIENT
    };
    let trace = machine.resolver.explain(&request, &inputs.with_host(&job));
    assert_eq!(trace.unwrap().steps.first().unwrap().source, "argument");
}

#[test]
fn a_child_uses_the_token_that_its_parent_exchanged() {
    let (mut machine, job) = (github(), Job::new());
    let found = token(&machine, &job);
    for by in [Placement::Run, Placement::Environ] {
        machine.set("HF_TOKEN", found.token.expose());
        machine.set("HUBTOKEN_TOKEN_ORIGIN", &placed::origin(&found, by));
        let child = Job::new();
        let inherited = token(&machine, &child);
        assert!(inherited.token == found.token && child.exchanges() == 0);
        assert_eq!(inherited.source.resource(), Some("acme/x"));
        assert_eq!(inherited.source.to_string(), "oidc");
        // Not one for another resource.
        machine.set("HF_OIDC_RESOURCE", "acme/y");
        machine.resolver.clear_cache();
        token(&machine, &child);
        assert_eq!(child.exchanges(), 1);
        machine.set("HF_OIDC_RESOURCE", "acme/x");
        // Nor one that ends soon.
        let old = Credential {
            token: crate::token::Token::parse(found.token.expose())
                .unwrap()
                .unwrap(),
            source: found.source.clone(),
            endpoint: found.endpoint.clone(),
            expires_at: crate::expiry::Expiry::at_unix_seconds(1_000),
            renewal: None,
        };
        machine.set("HUBTOKEN_TOKEN_ORIGIN", &placed::origin(&old, by));
        machine.resolver.clear_cache();
        token(&machine, &child);
        assert_eq!(child.exchanges(), 2);
    }
    machine.set("HUBTOKEN_TOKEN_ORIGIN", "made up");
    assert!(token(&machine, &job).source == Source::Oidc("acme/x".to_owned()));
}

#[test]
fn the_variable_stays_for_programs_that_can_repeat_the_exchange() {
    let (mut machine, job) = (github(), Job::new());
    let found = token(&machine, &job);
    let keeps = |machine: &Machine, credential: &Credential| {
        let mut removed = placed::overriding(credential, &machine.environment);
        !removed.any(|name| name == "HF_OIDC_RESOURCE")
    };
    assert!(keeps(&machine, &found));
    assert!(machine.inputs().huggingface_hub_exchanges(&found));
    // The Hub of a child is that of its token.
    machine.set("HF_ENDPOINT", "https://other.example");
    assert!(keeps(&machine, &found) && !machine.inputs().huggingface_hub_exchanges(&found));
    machine.environment.unset("HF_ENDPOINT");
    let argument = machine.ask(Argument::Value(SECOND), None).unwrap();
    assert!(!keeps(&machine, &argument.credential.unwrap()));
    for (name, value) in [
        ("HF_OIDC_RESOURCE", "acme/y"),
        ("HF_OIDC_ID_TOKEN", "eyFake.eyFake.Fake"),
    ] {
        machine.set(name, value);
        assert!(!keeps(&machine, &found), "{name}");
        machine.set("HF_OIDC_RESOURCE", "acme/x");
    }
    machine.environment.unset("HF_OIDC_ID_TOKEN");
    machine.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "");
    assert!(!keeps(&machine, &found));
}

#[test]
fn a_holder_gets_the_current_token() {
    use crate::oauth::IdTokenSource;
    let (mut machine, job) = (github(), Job::new());
    let found = token(&machine, &job);
    assert!(machine.resolver.is_current(&found));
    let argument = machine.ask(Argument::Value(SECOND), None).unwrap();
    assert!(machine.resolver.is_current(&argument.credential.unwrap()));
    let old = |end: i64| {
        Arc::new(Credential {
            token: crate::token::Token::parse("hf_jwt_eyFake.eyOld.Fake")
                .unwrap()
                .unwrap(),
            source: Source::Oidc("acme/y".to_owned()),
            endpoint: Endpoint::default_hub(),
            expires_at: crate::expiry::Expiry::at_unix_seconds(end),
            renewal: None,
        })
    };
    let renew = |machine: &Machine, old: &Arc<Credential>, job: &Job| {
        let id_tokens = IdTokenSource::read(&machine.environment);
        let resolver = Resolver::default();
        assert!(!resolver.is_current(old));
        resolver.renew(old, id_tokens, job)
    };
    let seconds = |delta: i64| time::OffsetDateTime::now_utc().unix_timestamp() + delta;
    // Also while the variable is set aside; for the token's own resource.
    machine.environment.unset("HF_OIDC_RESOURCE");
    let ended = old(seconds(-1));
    let renewed = renew(&machine, &ended, &job).unwrap().credential;
    assert!(renewed.token != ended.token && renewed.source.resource() == Some("acme/y"));
    assert!(matches!(
        renew(&machine, &ended, &Job::refusing()),
        Err(Error::Login { .. })
    ));
    // One that is good for a minute is kept, with a warning.
    let ending = old(seconds(60));
    let kept = renew(&machine, &ending, &Job::refusing()).unwrap();
    assert!(kept.credential.token == ending.token && kept.warning.is_some());
    // A given id token is not tried before, and no id token is an error at the end only.
    for (name, value) in [
        ("HF_OIDC_ID_TOKEN", "eyFake.eyFake.Fake"),
        ("HF_OIDC_ID_TOKEN", "junk"),
    ] {
        machine.set(name, value);
        let kept = renew(&machine, &ending, &Job::refusing()).unwrap();
        assert!(kept.credential.token == ending.token && kept.warning.is_none());
        assert!(renew(&machine, &ended, &Job::refusing()).is_err());
    }
}

#[test]
fn a_pickle_is_restored_by_its_resource() {
    let (mut machine, job) = (github(), Job::new());
    machine.environment.unset("HF_TOKEN");
    let found = token(&machine, &job);
    let reference = TokenReference::of(&found);
    let restore = |machine: &Machine, host: &dyn Host| {
        let inputs = machine.inputs();
        // As in another process.
        let resolver = Resolver::default();
        resolver.restore(&reference, &inputs.with_host(host))
    };
    let other = restore(&machine, &job).unwrap();
    assert!(other.token != found.token && other.source == found.source);
    // The exchange's own failure is reported.
    let error = restore(&machine, &Job::refusing()).unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    machine.set("HF_OIDC_RESOURCE", "acme/y");
    let error = restore(&machine, &job).unwrap_err();
    assert!(matches!(error, Error::TokenNotFound { .. }), "{error}");
    // What an activation or a parent has placed is for the same resource, whatever its value.
    machine.environment.unset("HF_OIDC_RESOURCE");
    machine.set("HF_TOKEN", other.token.expose());
    machine.set(
        "HUBTOKEN_TOKEN_ORIGIN",
        &placed::origin(&other, Placement::Activation),
    );
    assert!(restore(&machine, &job).unwrap().token == other.token);
    assert_eq!(job.exchanges(), 2);
}
