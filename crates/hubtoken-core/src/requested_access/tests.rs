#![allow(clippy::unwrap_used)]
use super::*;

fn access(role: Option<&str>, repository: Option<&str>, permissions: &[&str]) -> RequestedAccess {
    parsed(role, repository, permissions).unwrap().unwrap()
}

fn parsed(
    role: Option<&str>,
    repository: Option<&str>,
    permissions: &[&str],
) -> Result<Option<RequestedAccess>, Error> {
    let permissions: Vec<String> = permissions.iter().map(ToString::to_string).collect();
    RequestedAccess::new(
        role.map(|role| Role::parse(role).unwrap()),
        repository.map(|text| (text.to_owned(), RepositoryType::Model)),
        &permissions,
    )
}

fn identity(role: &str, fine_grained: &str) -> Identity {
    let body = format!(
        r#"{{"name":"alice","orgs":[{{"name":"acme","roleInOrg":"write"}}],
            "auth":{{"type":"access_token","accessToken":{{"role":"{role}",
            "fineGrained":{fine_grained}}}}}}}"#
    );
    Identity::parse(body.as_bytes(), &Endpoint::default_hub()).unwrap()
}

#[test]
fn nothing_is_asked_for_unless_something_is_named() {
    assert!(parsed(None, None, &[]).unwrap().is_none());
    for (repository, permissions) in [
        (Some("acme/tiny"), &[][..]),
        (Some("acme/tiny"), &["job.write"]),
        (Some("a b"), &["repo.write"]),
        (Some(""), &["repo.write"]),
        (Some("../x"), &["repo.write"]),
        (None, &["repo-write"]),
        (None, &["repo.writ"]),
        (None, &[""]),
        (None, &["\u{1b}[31m"]),
    ] {
        let error = parsed(None, repository, permissions).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let secret = "hf_FakeFakeFakeFakeFakeFakeFakeFakeFa";
    let error = parsed(Some("read"), Some(secret), &[]).unwrap_err();
    assert!(!error.to_string().contains(secret));
}

#[test]
fn the_form_is_filled_in_with_what_was_asked_for() {
    let page = |access: RequestedAccess| {
        let page = access.page(&Endpoint::default_hub(), |name| name == "alice");
        let query = page
            .strip_prefix("https://huggingface.co/settings/tokens/new?")
            .unwrap();
        query.to_owned()
    };
    for (asked, query) in [
        (access(Some("read"), None, &[]), "tokenType=read"),
        (access(Some("write"), None, &[]), "tokenType=write"),
        // One token has both.
        (
            access(Some("read"), None, &["job.write"]),
            "tokenType=write",
        ),
        (
            access(Some("write"), Some("tiny"), &[]),
            "tokenType=fineGrained&ownUserPermissions=repo.write",
        ),
        (
            access(Some("read"), Some("alice/tiny"), &[]),
            "tokenType=fineGrained&ownUserPermissions=repo.content.read",
        ),
        (
            access(Some("write"), Some("datasets/acme/tiny"), &["job.write"]),
            "tokenType=fineGrained&orgs=acme&orgPermissions=repo.write&ownUserPermissions=job.write",
        ),
        (
            access(None, None, &["inference.serverless.write", "post.write"]),
            "tokenType=fineGrained&ownUserPermissions=inference.serverless.write\
             &globalPermissions=post.write",
        ),
        (access(None, None, &["org.read"]), "tokenType=fineGrained"),
        (
            access(None, Some("acme/tiny"), &["repo.write", "org.read"]),
            "tokenType=fineGrained&orgs=acme&orgPermissions=repo.write&orgPermissions=org.read",
        ),
    ] {
        assert_eq!(page(asked), query);
    }
}

#[test]
fn what_a_link_cannot_say_is_said_in_words() {
    let text = access(Some("write"), Some("acme/tiny"), &[]).instruction("https://x.example/new");
    assert!(text.contains("https://x.example/new") && text.contains("For acme/tiny alone"));
    let text = access(None, None, &["org.read"]).instruction("https://x.example/new");
    assert!(text.ends_with("Choose the organization for org.read"));
    let text = access(Some("write"), None, &["org.read"]).instruction("https://x.example/new");
    assert_eq!(text, "Create a token at https://x.example/new and paste it");
}

#[test]
fn what_a_token_has_beyond_is_named() {
    let write = identity("write", "null");
    let read = identity("read", "null");
    let on = |scoped: &str, rest: &str| {
        identity("fineGrained", &format!(r#"{{"scoped":[{scoped}]{rest}}}"#))
    };
    let scope = |kind: &str, name: &str, permissions: &str| {
        format!(
            r#"{{"entity":{{"_id":"0","type":"{kind}","name":"{name}"}},"permissions":{permissions}}}"#
        )
    };
    let tiny = || access(Some("write"), Some("acme/tiny"), &[]);
    let exact = scope(
        "model",
        "acme/tiny",
        r#"["repo.write","repo.content.read","repo.access.read"]"#,
    );
    for (asked, identity, expected) in [
        (access(Some("write"), None, &[]), &write, &[][..]),
        (access(Some("read"), None, &[]), &read, &[]),
        (
            access(Some("read"), None, &[]),
            &write,
            &["it writes wherever alice may write"],
        ),
        (tiny(), &write, &["it writes wherever alice may write"]),
        (
            access(None, None, &["user.billing.read"]),
            &read,
            &["it reads whatever alice can read"],
        ),
        (tiny(), &on(&exact, ""), &[]),
        (
            tiny(),
            &on(&scope("org", "acme", r#"["repo.write"]"#), ""),
            &["repo.write on all of acme"],
        ),
        (
            tiny(),
            &on(
                &format!(
                    "{exact},{}",
                    scope("user", "alice", r#"["job.write","repo.write"]"#)
                ),
                r#","global":["post.write"],"canReadGatedRepos":true"#,
            ),
            &[
                "job.write on alice",
                "repo.write on alice",
                "post.write everywhere",
                "reading public gated repositories",
            ],
        ),
        (
            access(None, None, &["job.write", "post.write"]),
            &on(
                &scope("user", "alice", r#"["job.write"]"#),
                r#","global":["post.write"]"#,
            ),
            &[],
        ),
        // A data set of the same name is another repository.
        (
            tiny(),
            &on(&scope("dataset", "acme/tiny", r#"["repo.write"]"#), ""),
            &["repo.write on acme/tiny"],
        ),
        // An OAuth token: whoami does not say.
        (tiny(), &identity("", "null"), &[]),
    ] {
        assert_eq!(asked.excess(identity, false), expected, "{asked:?}");
    }
    let wide = on(&scope("org", "acme", r#"["repo.write"]"#), "");
    assert_eq!(tiny().excess(&wide, true), [""; 0]);
}

#[test]
fn a_warning_has_the_narrower_link_and_an_end() {
    let many: Vec<String> = (0..20).map(|number| format!("\"a.b{number}\"")).collect();
    let scoped = format!(
        r#"{{"scoped":[{{"entity":{{"_id":"0","type":"user","name":"alice"}},
            "permissions":[{}]}}]}}"#,
        many.join(",")
    );
    let warning = access(Some("write"), Some("tiny"), &[])
        .excess_warning(&identity("fineGrained", &scoped), false)
        .unwrap();
    assert!(warning.contains("; and 14 more"), "{warning}");
    assert!(warning.ends_with("?tokenType=fineGrained&ownUserPermissions=repo.write"));
}
