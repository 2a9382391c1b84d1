//! Revoking tokens at an embedded Hub.

use super::live::Site;
use super::*;

impl Site {
    /// A token that is stored under its name.
    fn stored(&mut self, name: &str) -> String {
        let value = self.token(name, &["--role", "write"]);
        self.machine.stdin.clone_from(&value);
        self.machine.secrets.push(value.clone());
        let ran = self.machine.run(&["login", "--token-stdin"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        value
    }

    fn names(&self) -> Vec<String> {
        let listed = self.machine.json(&["list"], 0);
        let tokens = listed["tokens"].as_array().unwrap().iter();
        tokens
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Runs the verb with something on standard input, or at a terminal.
    fn revoke(&self, arguments: &[&str], input: &str, width: Option<usize>) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let arguments = [&["revoke"], arguments].concat();
        let streams: (&mut dyn Write, &mut dyn Write) = (&mut out, &mut err);
        let given = (input.as_bytes(), &Nobody as &dyn Exec);
        let code = self
            .machine
            .run_in(&arguments, streams, width, &NeverInterrupted, given);
        let ran = Ran {
            code,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        };
        for secret in &self.machine.secrets {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret));
        }
        ran
    }
}

#[test]
fn a_revoked_token_is_dead_and_forgotten() {
    let mut site = Site::new(None);
    site.stored("laptop");
    site.stored("ci");
    let ran = site.revoke(&["laptop"], "", None);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("--yes") && ran.err.contains("Nothing was revoked"),
        "{ran:?}"
    );
    let ran = site.revoke(&["laptop", "--yes"], "", None);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("dead") && ran.out.contains("removed from this machine: laptop"),
        "{ran:?}"
    );
    assert_eq!(site.names(), ["ci"]);
    // The one that is used here.
    let ran = site.revoke(&["--yes", "--json"], "", None);
    assert_eq!(ran.code, 0, "{ran:?}");
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["tokens"][0]["state"], "dead");
    assert_eq!(
        (&answer["active"], &answer["error"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(site.names(), [""; 0]);
    assert_eq!(site.machine.run(&["whoami"]).code, 1);
    assert_eq!(site.revoke(&["--yes"], "", None).code, 1);
}

#[test]
fn the_question_names_the_token_and_wants_a_yes() {
    let mut site = Site::new(None);
    site.stored("ci");
    for (answer, code) in [("\n", 2), ("no\n", 2), ("", 2), ("YES\n", 0)] {
        let ran = site.revoke(&["ci"], answer, Some(200));
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(
            ran.err.contains("Revoke hf_") && ran.err.contains("the stored token `ci`"),
            "{ran:?}"
        );
        assert!(ran.err.contains(site.hub.endpoint()), "{ran:?}");
    }
    assert_eq!(site.names(), [""; 0]);
}

#[test]
fn a_leak_is_found_in_any_file() {
    let mut site = Site::new(None);
    let (first, second) = (site.stored("first"), site.stored("second"));
    let file = site.machine.home.path().join("build.log");
    let text = format!(
        "+ curl -H 'Authorization: Bearer {first}'\n{{\"t\": \"{second}\", \"o\": \
         \"sk-proj-FakeFakeFakeFakeFakeFakeFake\"}} {first}\n"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let ran = site.revoke(&["--leaked", file, "--yes"], "", None);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("2 dead") && ran.out.contains("first, second"),
        "{ran:?}"
    );
    assert_eq!(site.names(), [""; 0]);
    std::fs::write(file, "nothing").unwrap();
    let ran = site.revoke(&["--leaked", file, "--yes"], "", None);
    assert!(
        ran.code == 1 && ran.err.contains("there is no token of a Hub in"),
        "{ran:?}"
    );
    assert_eq!(
        site.revoke(&["--leaked", "/nowhere", "--yes"], "", None)
            .code,
        2
    );
}

#[test]
fn standard_input_has_values_of_any_form() {
    let mut site = Site::new(None);
    let value = site.stored("ci");
    let long = format!("hf_oauth_{}", "x".repeat(300));
    let ran = site.revoke(
        &["--stdin", "--yes"],
        &format!("{value}\nsome-value-of-ours\n"),
        None,
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("2 dead"), "{ran:?}");
    let ran = site.revoke(&["--stdin", "--yes"], &long, None);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("not sent") && ran.out.contains("200"),
        "{ran:?}"
    );
    assert!(!ran.out.contains("xxxxx"));
}

#[test]
fn what_the_hub_does_not_say_is_not_verified() {
    let mut site = Site::new(None);
    let value = site.token("ci", &["--role", "read"]);
    site.machine.secrets.push(value.clone());
    site.machine.set("HF_TOKEN", &value);
    site.machine.set("HF_ENDPOINT", "http://127.0.0.1:9");
    let ran = site.revoke(&["--yes"], "", None);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.err.contains("127.0.0.1:9") && ran.out.contains("1 not sent"),
        "{ran:?}"
    );
    site.machine
        .set("HF_ENDPOINT", site.hub.endpoint().to_owned().as_str());
    site.machine.set("HF_HUB_OFFLINE", "1");
    assert_eq!(site.revoke(&["--yes"], "", None).code, 3);
}
