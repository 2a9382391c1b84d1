#![allow(clippy::unwrap_used)]

use std::net::TcpListener;

use super::*;
use crate::endpoint::Endpoint;
use crate::error::{DenialKind, UnknownKind};
use crate::expiry::Expiry;
use crate::interrupt::NeverInterrupted;
use crate::manage::token_change::TokenChange;
use crate::oauth::fake_hub::{FakeHub, FakeRequest};
use crate::source::Source;
use crate::token::Token;

const MANAGER: &str = "hf_ManagerFakeFakeFakeFakeFakeFakeFakeFA";
const VALUE: &str = "hf_app_FakeFakeFakeFakeFakeFakeFakeFake";
const ACCOUNT: &str = "64b0c0ffee0000000000c001";
const TOKEN: &str = "64b0c0ffee0000000000f001";

struct Always;

impl Interrupt for Always {
    fn is_set(&self) -> bool {
        true
    }
}

fn accounts(endpoint: &Endpoint) -> ServiceAccounts {
    let credential = Credential {
        token: Token::parse(MANAGER).unwrap().unwrap(),
        source: Source::Argument,
        endpoint: endpoint.clone(),
        expires_at: Expiry::default(),
        renewal: None,
    };
    let (client, settings) = (Client::default(), Settings::default());
    let timeout = Duration::from_mins(1);
    ServiceAccounts::new(&client, Arc::new(credential), settings, "acme", timeout).unwrap()
}

/// A Hub with one account, `Nightly build`, that has one token, `runner`.
fn hub(request: &FakeRequest) -> (u16, String) {
    let account = json!({
        "_id": ACCOUNT, "user": "acme--nightly-build", "name": "Nightly build",
        "createdAt": "2026-01-02T03:04:05.000Z",
    });
    let token = json!({ "_id": TOKEN, "displayName": "runner", "permissions": ["repo.write"] });
    let issued = json!({ "token": VALUE, "tokenInfo": token });
    let path = request
        .line
        .replace("/api/organizations/acme/service-accounts", "");
    let (status, body) = match path.as_str() {
        "GET " => (200, json!([account])),
        "POST " => (201, account),
        "GET /64b0c0ffee0000000000c001" => {
            let mut shown = account;
            shown["accessTokens"] = json!([token]);
            (200, shown)
        }
        "POST /64b0c0ffee0000000000c001/tokens" => (201, issued),
        "POST /64b0c0ffee0000000000c001/tokens/64b0c0ffee0000000000f001/rotate" => (200, issued),
        "PATCH /64b0c0ffee0000000000c001/tokens/64b0c0ffee0000000000f001" => (200, token),
        "DELETE /64b0c0ffee0000000000c001"
        | "DELETE /64b0c0ffee0000000000c001/tokens/64b0c0ffee0000000000f001" => {
            return (204, String::new());
        }
        "GET /api/datasets/acme/x" => (200, json!({ "_id": "64b0c0ffee0000000000d001" })),
        _ => (404, json!({ "error": "no such thing" })),
    };
    (status, body.to_string())
}

#[test]
fn an_account_and_its_tokens_are_managed() {
    let hub = FakeHub::start(|request| Some(hub(request)));
    let accounts = accounts(&hub.endpoint);
    let never = &NeverInterrupted;
    assert_eq!(accounts.list(never).unwrap()[0].name, "Nightly build");
    let made = accounts
        .create("Nightly build", Some("at night"), never)
        .unwrap();
    assert_eq!((made.id.as_str(), made.tokens), (ACCOUNT, None));
    let new = TokenChange {
        name: Some("runner".to_owned()),
        permissions: Some(vec!["repo.content.read".to_owned()]),
        repos: Some(vec!["datasets/acme/x".to_owned(), ACCOUNT.to_uppercase()]),
        repo_permissions: Some(vec!["repo.write".to_owned()]),
        ..TokenChange::default()
    };
    let issued = accounts.create_token("Nightly build", new, never).unwrap();
    assert_eq!(issued.credential.token.expose(), VALUE);
    assert_eq!(issued.credential.endpoint, hub.endpoint);
    assert!(!format!("{issued:?}").contains(&VALUE[10..]));
    let sent: Value = serde_json::from_str(&hub.requests().last().unwrap().body).unwrap();
    assert_eq!(
        sent,
        json!({
            "displayName": "runner",
            "permissions": ["repo.content.read"],
            "repoIds": ["64b0c0ffee0000000000d001", ACCOUNT],
            "repoPermissions": ["repo.write"],
        })
    );
    // By the name that logs show, by ID, and by display name.
    let user = "acme--nightly-build";
    assert!(accounts.rotate_token(user, "runner", never).is_ok());
    let change = TokenChange {
        permissions: Some(Vec::new()),
        ..TokenChange::default()
    };
    let changed = accounts
        .change_token(ACCOUNT, TOKEN, change, never)
        .unwrap();
    assert_eq!(changed.permissions, ["repo.write"]);
    let sent: Value = serde_json::from_str(&hub.requests().last().unwrap().body).unwrap();
    assert_eq!(sent, json!({ "permissions": [] }));
    assert_eq!(accounts.delete_token(ACCOUNT, TOKEN, never).unwrap(), TOKEN);
    assert_eq!(accounts.delete("Nightly build", never).unwrap(), ACCOUNT);
    let bearer = ("authorization".to_owned(), format!("Bearer {MANAGER}"));
    for request in hub.requests() {
        assert!(request.headers.contains(&bearer), "{}", request.line);
        assert!(!request.line.contains("hf_"), "{}", request.line);
    }
}

#[test]
fn a_name_must_be_the_only_one() {
    let twice = FakeHub::start(|request| {
        let account = |id: &str| json!({ "_id": id, "user": format!("acme--{id}"), "name": "ci" });
        let list = json!([account("c1"), account("c2")]);
        request
            .line
            .starts_with("GET")
            .then(|| (200, list.to_string()))
    });
    let accounts = accounts(&twice.endpoint);
    let error = accounts
        .delete("ci", &NeverInterrupted)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("more than one") && error.contains("c1, c2"),
        "{error}"
    );
    for wanted in ["CI", "", "x\u{1b}[2J", MANAGER] {
        let error = accounts.delete(wanted, &NeverInterrupted).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Hub { .. }), "{message}");
        assert!(message.contains("there is `ci`, `ci`"), "{message}");
        assert!(
            !message.contains('\u{1b}') && !message.contains("Manager"),
            "{message}"
        );
    }
    assert!(
        twice
            .requests()
            .iter()
            .all(|request| request.line.starts_with("GET"))
    );
}

#[test]
fn a_lost_answer_says_what_may_have_happened() {
    let failing = |answer: Option<(u16, String)>| {
        FakeHub::start(move |request| {
            if request.line.starts_with("GET") {
                Some(hub(request))
            } else {
                answer.clone()
            }
        })
    };
    let secret = format!("{{\"tokens\":\"{VALUE}\"}}");
    for answer in [
        None,
        Some((500, String::new())),
        Some((200, secret.clone())),
        Some((201, VALUE.to_owned())),
    ] {
        let hub = failing(answer.clone());
        let accounts = accounts(&hub.endpoint);
        let never = &NeverInterrupted;
        let errors = [
            accounts.create("ci", None, never).map(drop).unwrap_err(),
            accounts
                .create_token(ACCOUNT, TokenChange::default(), never)
                .map(drop)
                .unwrap_err(),
            accounts
                .rotate_token(ACCOUNT, TOKEN, never)
                .map(drop)
                .unwrap_err(),
        ];
        for (error, expected) in errors.iter().zip([
            "may have been created: list those of acme",
            "may have been created, with a value that nobody knows",
            "may have a new value that nobody knows",
        ]) {
            let message = error.to_string();
            assert!(matches!(error, Error::Unknown { .. }), "{message}");
            assert!(message.contains(expected), "{answer:?}: {message}");
            assert!(!message.contains("FakeFake"), "{message}");
        }
        // What can simply be done again has no such consequence.
        let error = accounts.delete(ACCOUNT, never);
        if let Err(error) = error {
            assert!(!error.to_string().contains("may have"), "{error}");
        }
    }
}

#[test]
fn a_value_is_kept_whatever_else_an_answer_has() {
    for info in [
        "",
        ",\"tokenInfo\":null",
        ",\"tokenInfo\":{\"displayName\":7}",
    ] {
        let answer = format!("{{\"token\":\"{VALUE}\"{info}}}");
        let hub = FakeHub::start(move |request| {
            if request.line.starts_with("GET") {
                Some(hub(request))
            } else {
                Some((201, answer.clone()))
            }
        });
        let accounts = accounts(&hub.endpoint);
        let never = &NeverInterrupted;
        let change = TokenChange {
            name: Some("runner".to_owned()),
            ..TokenChange::default()
        };
        let created = accounts.create_token(ACCOUNT, change, never).unwrap();
        assert_eq!(created.credential.token.expose(), VALUE);
        assert_eq!(created.info.name, "runner");
        let rotated = accounts.rotate_token(ACCOUNT, "runner", never).unwrap();
        assert_eq!(rotated.credential.token.expose(), VALUE);
        assert_eq!(rotated.info.id, TOKEN);
        assert_eq!(
            rotated.info.last4.as_deref(),
            Some(&VALUE[VALUE.len() - 4..])
        );
        assert!(!format!("{created:?} {rotated:?}").contains("FakeFake"));
        assert_eq!(rotated.info.permissions, ["repo.write"]);
    }
}

#[test]
fn a_name_that_holds_a_token_is_not_sent() {
    let hub = FakeHub::start(|request| Some(hub(request)));
    let accounts = accounts(&hub.endpoint);
    let never = &NeverInterrupted;
    let change = || TokenChange {
        name: Some(format!("of {VALUE}")),
        ..TokenChange::default()
    };
    let errors = [
        accounts.create(VALUE, None, never).map(drop),
        accounts.create("ci", Some(MANAGER), never).map(drop),
        accounts.create_token(ACCOUNT, change(), never).map(drop),
        accounts
            .change_token(ACCOUNT, TOKEN, change(), never)
            .map(drop),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
        assert!(!error.to_string().contains("Fake"), "{error}");
    }
    assert!(hub.requests().is_empty());
}

#[test]
fn what_was_not_sent_was_not_done() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let accounts = accounts(&Endpoint::parse(&address).unwrap());
    let error = accounts
        .create_token(ACCOUNT, TokenChange::default(), &NeverInterrupted)
        .map(drop)
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Unknown {
            kind: UnknownKind::Unreachable,
            ..
        }
    ));
    assert!(!error.to_string().contains("may have"), "{error}");
}

#[test]
fn each_refusal_has_its_class() {
    let answered = |status: u16, message: &'static str| {
        let hub = FakeHub::start(move |_| Some((status, json!({ "error": message }).to_string())));
        let accounts = accounts(&hub.endpoint);
        accounts
            .create_token(ACCOUNT, TokenChange::default(), &NeverInterrupted)
            .map(drop)
            .unwrap_err()
    };
    assert!(matches!(
        answered(401, "Invalid credentials"),
        Error::InvalidToken { .. }
    ));
    let Error::AccessDenied {
        kind,
        denial,
        message,
        ..
    } = answered(403, "No.")
    else {
        panic!("a 403 is a denial");
    };
    assert_eq!(kind, DenialKind::InsufficientRole);
    assert_eq!(denial.required, WRITE);
    assert_eq!(denial.target.as_deref(), Some("acme"));
    let page = denial.remedy_url.unwrap();
    assert!(
        page.ends_with("orgs=acme&orgPermissions=org.serviceAccounts.write"),
        "{page}"
    );
    assert!(
        message.contains("create a token of a service account of acme"),
        "{message}"
    );
    let policy = "Due to the organization token policy, your token needs to be approved";
    assert!(matches!(
        answered(403, policy),
        Error::AccessDenied {
            kind: DenialKind::OrganizationPolicy,
            ..
        }
    ));
    for (status, message) in [
        (404, "This organization does not exist"),
        (400, "No."),
        (409, "No."),
    ] {
        let error = answered(status, message);
        assert!(matches!(error, Error::Hub { .. }), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(!error.to_string().contains("may have"), "{error}");
    }
    assert!(matches!(
        answered(429, "Slow down."),
        Error::Unknown {
            kind: UnknownKind::RateLimited { .. },
            ..
        }
    ));
}

#[test]
fn a_creation_is_not_interrupted() {
    let hub = FakeHub::start(|request| Some(hub(request)));
    let accounts = accounts(&hub.endpoint);
    let made = accounts.create_token(ACCOUNT, TokenChange::default(), &Always);
    assert!(made.is_ok());
    assert!(accounts.rotate_token(ACCOUNT, TOKEN, &Always).is_ok());
}

#[test]
fn nothing_is_sent_for_a_name_that_cannot_be() {
    let client = Client::default();
    for name in ["", "../x", "a b", "acme/x", MANAGER] {
        let credential = Credential {
            token: Token::parse(MANAGER).unwrap().unwrap(),
            source: Source::Argument,
            endpoint: Endpoint::default_hub(),
            expires_at: Expiry::default(),
            renewal: None,
        };
        let settings = Settings::default();
        let made = ServiceAccounts::new(
            &client,
            Arc::new(credential),
            settings,
            name,
            Duration::ZERO,
        );
        assert!(matches!(made, Err(Error::InvalidArgument(_))), "{name}");
    }
    let mut offline = Settings::default();
    offline.offline = true;
    let credential = Credential {
        token: Token::parse(MANAGER).unwrap().unwrap(),
        source: Source::Argument,
        endpoint: Endpoint::default_hub(),
        expires_at: Expiry::default(),
        renewal: None,
    };
    let accounts = ServiceAccounts::new(
        &client,
        Arc::new(credential),
        offline,
        "acme",
        Duration::ZERO,
    );
    assert!(matches!(
        accounts.unwrap().list(&NeverInterrupted),
        Err(Error::Unknown {
            kind: UnknownKind::Offline,
            ..
        })
    ));
}

#[test]
fn a_change_of_nothing_is_refused_and_not_sent() {
    let hub = FakeHub::start(|_| panic!("something was sent"));
    let accounts = accounts(&hub.endpoint);
    let refused = accounts
        .change_token(ACCOUNT, TOKEN, TokenChange::default(), &NeverInterrupted)
        .unwrap_err();
    let Error::InvalidArgument(message) = &refused else {
        panic!("{refused}");
    };
    assert!(message.contains("nothing to change") && message.contains("repo_permissions"));
}
