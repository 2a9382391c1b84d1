//! `hubtoken login` with a role, a repository or permissions, against an embedded Hub.

use super::live::Site;
use super::*;

const STORED: &str = ".cache/huggingface/stored_tokens";

/// Logs in at a terminal in which a token is pasted, and on a screen that shows a browser.
fn paste(site: &mut Site, value: &str, arguments: &[&str]) -> Ran {
    site.machine.typed = Some(value.to_owned());
    site.machine.set("BROWSER", "firefox");
    site.machine.secrets.push(value.to_owned());
    let arguments = [&["login"], arguments].concat();
    site.machine
        .run_with(&arguments, Some(500), &NeverInterrupted)
}

fn is_stored(site: &Site) -> bool {
    site.machine.home.path().join(STORED).exists()
}

#[test]
fn a_token_that_has_what_was_asked_for_is_stored() {
    let mut site = Site::new(None);
    let value = site.token(
        "narrow",
        &["--role", "fine-grained", "--scope", "alice/tiny=repo.write"],
    );
    let ran = paste(
        &mut site,
        &value,
        &["--role", "write", "--repo", "alice/tiny"],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    // Nothing stored here says that alice is a user.
    let page = format!(
        "{}/settings/tokens/new?tokenType=fineGrained&orgs=alice&orgPermissions=repo.write",
        site.hub.endpoint()
    );
    assert!(ran.err.contains(&page), "{ran:?}");
    assert!(!ran.err.contains("warning"), "{ran:?}");
    assert_eq!(*site.machine.opened.lock().unwrap(), [page]);
    assert!(is_stored(&site));
    // Now it is known.
    let ran = paste(
        &mut site,
        &value,
        &["--role", "write", "--repo", "alice/tiny"],
    );
    assert!(
        ran.err.contains("&ownUserPermissions=repo.write"),
        "{ran:?}"
    );
}

#[test]
fn a_token_that_lacks_it_is_not_stored() {
    let mut site = Site::new(None);
    let read = site.token("reader", &["--role", "read"]);
    let other = site.token(
        "other",
        &["--role", "fine-grained", "--scope", "acme=repo.write"],
    );
    for (value, arguments) in [
        (&read, &["--role", "write"][..]),
        (&read, &["--role", "write", "--repo", "tiny"]),
        (&other, &["--role", "write", "--repo", "alice/tiny"]),
        (&other, &["--role", "read"]),
        (&other, &["--permission", "job.write"]),
    ] {
        let ran = paste(&mut site, value, &[arguments, &["--no-browser"]].concat());
        assert_eq!(ran.code, 1, "{arguments:?} {ran:?}");
        assert!(ran.err.contains("nothing was stored"), "{ran:?}");
        assert!(!is_stored(&site));
    }
    assert!(site.machine.opened.lock().unwrap().is_empty());
}

#[test]
fn what_a_token_has_beyond_is_a_warning_and_does_not_keep_it_out() {
    let mut site = Site::new(None);
    let write = site.token("writer", &["--role", "write"]);
    let ran = paste(&mut site, &write, &["--role", "read", "--repo", "tiny"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("it writes wherever alice may write"),
        "{ran:?}"
    );
    assert!(ran.err.contains("A narrower one can be created at"));
    // A program gets it in the object, and the token from standard input.
    site.machine.typed = None;
    site.machine.stdin = write;
    let value = site.machine.json(
        &[
            "login",
            "--token-stdin",
            "--permission",
            "inference.serverless.write",
        ],
        0,
    );
    assert_eq!(value["warnings"].as_array().unwrap().len(), 1, "{value}");
}

#[test]
fn a_repository_that_is_to_come_needs_its_namespace() {
    let mut site = Site::new(None);
    let value = site.token(
        "acme",
        &["--role", "fine-grained", "--scope", "acme=repo.write"],
    );
    let ran = paste(
        &mut site,
        &value,
        &["--role", "write", "--repo", "acme/to-come"],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.err.contains("warning"), "{ran:?}");
}

#[test]
fn unverified_it_is_stored_and_said_to_be_unchecked() {
    let mut site = Site::new(None);
    let read = site.token("reader", &["--role", "read"]);
    let ran = paste(&mut site, &read, &["--role", "write", "--no-verify"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("the Hub was not asked whether"), "{ran:?}");
    assert!(is_stored(&site));
}

#[test]
fn without_a_terminal_the_page_is_named_and_nothing_waits() {
    let mut site = Site::new(None);
    site.machine.set("BROWSER", "firefox");
    let ran = site.machine.run(&["login", "--role", "read"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("/settings/tokens/new?tokenType=read"),
        "{ran:?}"
    );
    assert!(ran.err.contains("--token-stdin"));
    assert!(site.machine.opened.lock().unwrap().is_empty());
    let value = site.machine.json(&["login", "--role", "read"], 2);
    assert!(
        value["error"]["message"]
            .as_str()
            .unwrap()
            .contains("tokenType=read"),
        "{value}"
    );
}

#[test]
fn what_cannot_be_asked_for_is_wrong_usage_before_any_prompt() {
    let mut site = Site::new(None);
    site.machine.typed = Some("hf_NeverRead".to_owned());
    for arguments in [
        &["--repo", "alice/tiny"][..],
        &["--role", "admin"],
        &["--role", "read", "--repo", "a b"],
        &["--permission", "repo.writ"],
        &["--permission", ""],
        &["--repo-type", "dataset"],
    ] {
        let ran = site.machine.run(&[&["login"], arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?} {ran:?}");
    }
    // Nothing pasted is no login by browser, which yields another kind of token.
    site.machine.typed = Some(String::new());
    let ran = site.machine.run(&["login", "--role", "read"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("no token was given"), "{ran:?}");
}
