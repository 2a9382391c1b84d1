//! Logging in, listing, switching, and logging out against an embedded Hub.

use super::live::Site;
use super::*;

impl Site {
    /// Logs in with a new token; no later output may contain it.
    fn store(&mut self, name: &str, rest: &[&str]) -> String {
        let value = self.token(name, &["--role", "write"]);
        self.machine.stdin = format!("{value}\n");
        self.machine.secrets.push(value.clone());
        let ran = self
            .machine
            .run(&[&["login", "--token-stdin"], rest].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        value
    }
}

#[test]
fn the_life_of_a_stored_token() {
    let mut site = Site::new(None);
    site.store("ci [prod]", &[]);
    let laptop = site.store("laptop", &["--name", "mine"]);
    let listed = site.machine.json(&["list"], 0);
    let tokens = listed["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0]["name"], "ci [prod]");
    assert_eq!(
        (&tokens[1]["user"], &tokens[1]["active"]),
        (&"alice".into(), &true.into())
    );
    assert_eq!(tokens[1]["endpoint"], site.hub.endpoint());
    assert_eq!(site.machine.run(&["switch", "ci [prod]"]).code, 0);
    assert!(site.machine.run(&["list"]).out.contains("*  ci [prod]"));
    assert_eq!(site.machine.run(&["rename", "mine", "theirs"]).code, 0);
    assert_eq!(site.machine.run(&["switch", "mine"]).code, 1);
    let masked = site.machine.json(&["token", "--profile", "theirs"], 0);
    assert_eq!(masked["value"], Value::Null);
    // Shown on request, which the search for secrets must not report.
    site.machine.secrets.retain(|secret| *secret != laptop);
    let shown = site.machine.run(&["token", "--profile", "theirs"]);
    assert_eq!(shown.out, format!("{laptop}\n"));
    let out = site.machine.json(&["logout"], 0);
    assert_eq!(out["names"], serde_json::json!(["ci [prod]"]));
    assert_eq!(site.machine.run(&["logout", "theirs"]).code, 0);
    assert_eq!(site.machine.run(&["logout"]).code, 1);
    assert_eq!(site.machine.run(&["logout", "--all"]).code, 0);
    assert_eq!(
        site.machine.json(&["list"], 0)["tokens"],
        serde_json::json!([])
    );
}

#[test]
fn a_token_that_the_hub_does_not_know_is_not_stored() {
    let mut site = Site::new(None);
    site.machine.stdin = FIRST.to_owned();
    assert_eq!(site.machine.run(&["login", "--token-stdin"]).code, 1);
    site.machine.json(&["login"], 2);
    assert_eq!(
        site.machine.json(&["list"], 0)["tokens"],
        serde_json::json!([])
    );
}

#[test]
fn a_stored_token_goes_to_its_own_hub() {
    let mut site = Site::new(None);
    let endpoint = site.hub.endpoint().to_owned();
    site.machine.set("HF_ENDPOINT", "http://127.0.0.1:9");
    let value = site.token("team", &["--role", "write"]);
    site.machine.stdin.clone_from(&value);
    site.machine.secrets.push(value);
    let login = ["login", "--token-stdin", "--endpoint", &endpoint];
    assert_eq!(site.machine.json(&login, 0)["active"], false);
    let who = site.machine.json(&["whoami", "--profile", "team"], 0);
    assert_eq!(who["endpoint"], *endpoint);
    assert_eq!(site.machine.run(&["switch", "team"]).code, 2);
    assert_eq!(site.machine.run(&["whoami"]).code, 1);
}
