//! `status --advice`: what would narrow the token in use.

use super::live::Site;
use super::*;

/// What is advised, by what it is about.
fn advice(site: &Site) -> Vec<(String, String, Value)> {
    let value = site.machine.json(&["status"], 0);
    let advice = value["advice"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    advice
        .map(|each| {
            (
                text(&each["about"]),
                text(&each["text"]),
                each["url"].clone(),
            )
        })
        .collect()
}

fn site(role: &str, expires: bool) -> Site {
    let mut site = Site::new(None);
    let expiry = if expires {
        &["--expires-in", "864000"][..]
    } else {
        &[]
    };
    let value = site.token("laptop", &[&["--role", role], expiry].concat());
    site.log_in(value);
    site
}

#[test]
fn a_write_token_in_a_readers_job_is_named_with_the_form_for_a_narrower_one() {
    let site = site("write", true);
    assert_eq!(advice(&site), []);
    site.machine
        .write("hubtoken.toml", "role = \"read\"\nrepo = \"acme/model\"\n");
    let [(about, text, url)] = &advice(&site)[..] else {
        unreachable!()
    };
    assert_eq!(about, "access");
    assert!(text.contains("needs `read` on acme/model"), "{text}");
    assert!(text.contains("writes wherever alice may write"), "{text}");
    let url = url.as_str().unwrap();
    assert!(url.starts_with(site.hub.endpoint()), "{url}");
    assert!(
        url.contains("orgs=acme&orgPermissions=repo.content.read"),
        "{url}"
    );
    let ran = site.machine.run(&["status", "--advice"]);
    assert!(ran.out.contains(url), "{ran:?}");
    let ran = site.machine.run(&["status"]);
    assert!(!ran.out.contains(url), "{ran:?}");
    assert!(
        ran.out
            .contains("it can be narrowed: `hubtoken status --advice`"),
        "{ran:?}"
    );
}

#[test]
fn a_token_that_fits_needs_no_advice() {
    let site = site("read", true);
    site.machine.write("hubtoken.toml", "role = \"read\"\n");
    assert_eq!(advice(&site), []);
    let ran = site.machine.run(&["status", "--advice"]);
    assert!(ran.out.contains("none: nothing is known"), "{ran:?}");
    assert!(!site.machine.run(&["status"]).out.contains("advice"));
}

#[test]
fn a_token_without_an_end_is_named() {
    let site = site("read", false);
    let [(about, text, url)] = &advice(&site)[..] else {
        unreachable!()
    };
    assert_eq!(about, "end");
    assert!(text.contains("never expires"), "{text}");
    assert!(url.as_str().unwrap().ends_with("/settings/tokens"), "{url}");
}

#[test]
fn the_active_token_in_a_project_and_two_names_of_one_token() {
    let mut site = Site::new(None);
    let value = site.token("laptop", &["--role", "read", "--expires-in", "864000"]);
    site.machine.secrets.push(value.clone());
    for name in ["one", "two"] {
        site.machine.stdin.clone_from(&value);
        let ran = site
            .machine
            .run(&["login", "--token-stdin", "--name", name]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    site.machine.write("hubtoken.toml", "role = \"read\"\n");
    let found = advice(&site);
    let texts: Vec<&str> = found.iter().map(|(_, text, _)| text.as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].contains("every project on this machine"),
        "{texts:?}"
    );
    assert!(
        texts[0].contains("`hubtoken login --role read`"),
        "{texts:?}"
    );
    assert!(texts[1].contains("stored as `one` and `two`"), "{texts:?}");
}

#[test]
fn nothing_is_advised_about_a_token_that_is_not_known() {
    let mut machine = Machine::with(&[("HF_ENDPOINT", "http://127.0.0.1:9")]);
    machine.set("HF_TOKEN", FIRST);
    machine.write("hubtoken.toml", "role = \"read\"\n");
    let value = machine.json(&["status", "--advice"], 3);
    assert_eq!(value["advice"], serde_json::json!([]));
}

#[test]
fn what_the_project_has_asked_for_counts_as_its_need() {
    let site = site("write", true);
    let to = ["--repo", "alice/x", "--repo-type", "dataset"];
    let ran = site.machine.run(&[&["require", "write"], &to[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = advice(&site);
    let (about, text, url) = &found[0];
    assert_eq!(about, "access");
    assert!(
        text.contains("this project has asked for `write` on datasets/alice/x, and"),
        "{text}"
    );
    let url = url.as_str().unwrap();
    assert!(url.contains("ownUserPermissions=repo.write"), "{url}");
    let ran = site.machine.run(&["require", "write", "--no-repo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // A job that writes anywhere needs what the token has.
    assert!(advice(&site).iter().all(|(about, _, _)| about != "access"));
}

#[test]
fn what_was_denied_or_is_not_recorded_is_no_need() {
    let mut site = site("read", true);
    let ran = site.machine.run(&["require", "write"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(advice(&site), []);
    site.machine.set("HUBTOKEN_DISABLE_CACHE", "1");
    let ran = site.machine.run(&["require", "read"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        !site
            .machine
            .home
            .path()
            .join(".cache/huggingface/hubtoken/uses")
            .exists()
    );
    assert_eq!(advice(&site), []);
}

#[test]
fn a_token_that_other_projects_use_is_named_with_them() {
    let mut site = site("read", true);
    for project in ["one", "two"] {
        site.machine.write(&format!("{project}/pyproject.toml"), "");
        site.machine.enter(project);
        let ran = site.machine.run(&["require", "read"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let found = advice(&site);
    let [(about, text, _)] = &found[..] else {
        unreachable!("{found:?}")
    };
    assert_eq!(about, "sharing");
    assert!(text.contains("the token is also used in "), "{text}");
    assert!(text.contains("one"), "{text}");
    assert!(!text.contains("/two"), "{text}");
}
