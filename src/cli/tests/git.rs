//! git's verbs: what git receives, and what it does not.

use super::*;
use crate::cli::run_git_helper;

const QUESTION: &str = "protocol=https\nhost=huggingface.co\n\n";

impl Machine {
    /// Runs the verb and the standalone program, whose output must be the same. The output contains
    /// the token, so it is not searched for secrets.
    fn credential(&self, operation: &str, question: &str) -> Ran {
        let verb = self.ask(question, |context| {
            run(
                ["hubtoken", "git-credential", operation].map(Into::into),
                context,
            )
        });
        let alone = self.alone(&[operation], question);
        assert_eq!(
            (verb.code, &verb.out, &verb.err),
            (alone.code, &alone.out, &alone.err)
        );
        verb
    }

    fn alone(&self, arguments: &[&str], question: &str) -> Ran {
        let arguments = ["git-credential-hubtoken"].iter().chain(arguments);
        self.ask(question, |context| {
            run_git_helper(arguments.map(Into::into), context)
        })
    }

    fn ask(&self, question: &str, start: impl FnOnce(&Context<'_>) -> u8) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let input = (question.as_bytes(), &Nobody as &dyn Exec);
        let code = self.in_world((&mut out, &mut err), None, &NeverInterrupted, input, start);
        Ran {
            code,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        }
    }
}

#[test]
fn git_gets_the_token_for_its_own_hub() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    let ran = machine.credential("get", QUESTION);
    let expected = format!("username=hf_user\npassword={FIRST}\n");
    assert_eq!((ran.code, ran.out, ran.err), (0, expected, String::new()));
    for other in [
        "protocol=http\nhost=huggingface.co\n\n",
        "protocol=https\nhost=huggingface.co:8443\n\n",
        "protocol=https\nhost=github.com\n\n",
        "host=huggingface.co\n",
        "",
        // Not a form that every parser reads the same way.
        "protocol=https\nhost=huggingface.co:\n\n",
        "protocol=https\nhost=huggingface.co:0443\n\n",
        "protocol=https\nhost=huggingface.co.\n\n",
        "protocol=https\nhost=huggingface%2eco\n\n",
        "protocol=https\nhost=huggingface.co\nusername=evil.example\\\n\n",
        "url=https://huggingface%2eco/\n\n",
        "url=https://huggingface.co\\@evil.example/\n\n",
        "url=https://evil.example\\@huggingface.co/\n\n",
    ] {
        let ran = machine.credential("get", other);
        assert_eq!((ran.code, ran.out + &ran.err), (0, String::new()));
    }
}

#[test]
fn git_gets_no_key_of_another_service() {
    let key = "ghp_FakeFakeFakeFakeFakeFakeFakeFakeFake";
    let machine = Machine::with(&[("HF_TOKEN", key)]);
    let ran = machine.credential("get", QUESTION);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("a token of GitHub") && ran.err.contains("HF_TOKEN"));
    assert!(!ran.err.contains("Fake"), "{}", ran.err);
    // No token would be sent, so there is nothing to report.
    let ran = machine.credential("get", "protocol=https\nhost=github.com\n\n");
    assert_eq!((ran.code, ran.out + &ran.err), (0, String::new()));
}

#[test]
fn nothing_is_stored_erased_or_said_to_other_operations() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    for operation in ["store", "erase", "capability", "dance"] {
        for input in [QUESTION, "", "broken\r\n", "password=x\n"] {
            let ran = machine.credential(operation, input);
            assert_eq!((ran.code, ran.out + &ran.err), (0, String::new()));
        }
    }
    assert_eq!(machine.home.path().read_dir().unwrap().count(), 0);
    let at_a_terminal = machine.run_with(&["git-credential", "dance"], Some(80), &NeverInterrupted);
    assert_eq!((at_a_terminal.code, at_a_terminal.out.as_str()), (0, ""));
    assert!(at_a_terminal.err.contains("get, store and erase"));
}

#[test]
fn the_program_that_does_nothing_else_takes_an_operation_and_no_more() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    for arguments in [&[][..], &["get", "get"], &["get", "--json"]] {
        let ran = machine.alone(arguments, QUESTION);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("hubtoken setup-git"), "{ran:?}");
    }
    for operation in ["--help", "--json", FIRST] {
        let ran = machine.alone(&[operation], QUESTION);
        assert_eq!((ran.code, ran.out + &ran.err), (0, String::new()));
    }
}

#[test]
fn what_is_wrong_is_said_to_the_user_and_not_to_git() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    for question in [
        "protocol=https\r\nhost=huggingface.co\r\n\r\n",
        "protocol=https\nhost=huggingface.co\0\n",
        "url=https://evil.example%0ahost=huggingface.co/\n",
        "protocol=https\nhost\n",
        &"x".repeat(100_000),
        &format!("wwwauth[]={}\n\n", "x".repeat(70_000)),
    ] {
        let ran = machine.credential("get", question);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.starts_with("error: ") && !ran.err.contains("evil"));
    }
    let machine = Machine::new();
    machine.write("hubtoken.toml", "endpoint = \"https://evil.example\"\n");
    let ran = machine.credential("get", QUESTION);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    machine.write("hubtoken.toml", "profile = \"gone\"\n");
    let ran = machine.credential("get", QUESTION);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("gone"), "{ran:?}");
    let refused = machine.json(&["git-credential", "get"], 2);
    assert_eq!(refused["error"]["kind"], "UsageError");
}

#[test]
fn git_is_set_up_once_and_back() {
    let mut machine = Machine::new();
    let path = machine.write("gitconfig", "");
    machine.set("GIT_CONFIG_GLOBAL", path.to_str().unwrap());
    machine.set("GIT_CONFIG_NOSYSTEM", "1");
    let value = machine.json(&["setup-git"], 0);
    assert_eq!(value["key"], "credential.https://huggingface.co.helper");
    let program = machine.programs.path().join(PROGRAM);
    let helper = format!("!'{}' git-credential", program.display());
    assert_eq!(value["helper"], helper);
    assert_eq!(
        (&value["scope"], &value["changed"]),
        (&"global".into(), &true.into())
    );
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        machine
            .run(&["setup-git"])
            .out
            .contains("nothing was changed")
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    let other = machine.run(&["setup-git", "--endpoint", "http://127.0.0.1:8080"]);
    assert!(other.out.contains("http://127.0.0.1:8080"), "{other:?}");
    for endpoint in ["https://huggingface.co", "http://127.0.0.1:8080"] {
        let undone = machine.run(&["setup-git", "--undo", "--endpoint", endpoint]);
        assert!(undone.out.contains("no longer"), "{undone:?}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    assert_eq!(machine.json(&["setup-git", "--undo"], 0)["changed"], false);
    assert_eq!(machine.run(&["setup-git", "--global", "--local"]).code, 2);
    assert_eq!(
        machine
            .run(&["setup-git", "--endpoint", "http://hub.example"])
            .code,
        2
    );
    machine.set("PATH", "/nowhere");
    let missing = machine.json(&["setup-git"], 1);
    assert_eq!(missing["error"]["kind"], "GitError");
}

/// A machine whose git reads only a file of its own.
fn machine_with_git(config: &str) -> Machine {
    let mut machine = Machine::new();
    let path = machine.write("gitconfig", config);
    machine.set("GIT_CONFIG_GLOBAL", path.to_str().unwrap());
    machine.set("GIT_CONFIG_NOSYSTEM", "1");
    machine.set("HF_HUB_OFFLINE", "1");
    machine
}

#[test]
fn setting_up_says_which_token_git_gets_and_asks_no_command_for_it() {
    let warnings =
        |machine: &Machine, arguments: &[&str]| machine.json(arguments, 0)["warnings"].to_string();
    let mut machine = machine_with_git("");
    assert!(warnings(&machine, &["setup-git"]).contains("there is no token"));
    machine.set("HF_TOKEN", FIRST);
    assert_eq!(warnings(&machine, &["setup-git"]), "[]");
    machine.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    let disabled = warnings(&machine, &["setup-git"]);
    assert!(
        disabled.contains("HF_HUB_DISABLE_IMPLICIT_TOKEN is set"),
        "{disabled}"
    );

    // A host that is named in the environment.
    let mut machine = machine_with_git("");
    machine.set("HF_ENDPOINT", "http://vm:8080");
    machine.set("HUBTOKEN_INSECURE_HOSTS", "vm");
    machine.set("HF_TOKEN", FIRST);
    assert_eq!(warnings(&machine, &["setup-git"]), "[]");
    // Undoing sends no token, so it needs no permission for the host.
    for endpoint in ["http://vm:8080", "http://other:1"] {
        let arguments = ["setup-git", "--undo", "--endpoint", endpoint];
        machine.set("HUBTOKEN_INSECURE_HOSTS", "");
        let undone = machine.json(&arguments, 0);
        assert_eq!(undone["changed"], endpoint == "http://vm:8080");
    }
    assert_eq!(machine.json(&["setup-git", "--undo"], 0)["changed"], false);
    let nonsense = machine.run(&["setup-git", "--undo", "--endpoint", "http://a@b\\c"]);
    assert_eq!(nonsense.code, 2);
    assert!(nonsense.err.contains("--endpoint"), "{nonsense:?}");
    // It takes back what was set up in the same environment, whatever decides the Hub.
    machine.set("HUGGINGFACE_CO_STAGING", "1");
    let key = machine.json(&["setup-git"], 0)["key"].take();
    let undone = machine.json(&["setup-git", "--undo"], 0);
    assert_eq!((&undone["key"], &undone["changed"]), (&key, &true.into()));

    let machine = machine_with_git("");
    let mark = machine.home.path().join("asked");
    let command = format!(
        "token_command = [\"sh\", \"-c\", \"touch {}; cat {}\"]\n",
        mark.display(),
        machine.write("value", FIRST).display()
    );
    machine.write(".config/hubtoken/config.toml", &command);
    assert_eq!(warnings(&machine, &["setup-git"]), "[]");
    assert!(!mark.exists());
    assert_eq!(machine.run(&["explain"]).code, 0);
    assert!(mark.exists());
}

#[test]
fn a_helper_that_is_not_there_is_not_written_and_one_that_has_gone_is_told() {
    let before = "[credential]\n\thelper = store\n";
    let machine = machine_with_git(before);
    let config = || std::fs::read_to_string(machine.home.path().join("gitconfig")).unwrap();
    let program = machine.programs.path().join(PROGRAM);
    let aside = machine.programs.path().join("aside");
    std::fs::rename(&program, &aside).unwrap();
    let refused = machine.json(&["setup-git"], 1);
    assert_eq!(refused["error"]["kind"], "GitError");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("no program for git to run"), "{message}");
    assert_eq!(config(), before);

    std::fs::rename(&aside, &program).unwrap();
    assert_eq!(machine.json(&["setup-git"], 0)["changed"], true);
    let helpers = machine.json(&["status"], 1)["git_helpers"].take();
    assert_eq!(helpers[0]["url"], "https://huggingface.co");
    assert_eq!(
        (&helpers[0]["exists"], &helpers[1]),
        (&true.into(), &Value::Null)
    );
    assert!(!machine.run(&["status"]).err.contains("not there"));

    std::fs::remove_file(&program).unwrap();
    let status = machine.json(&["status"], 1);
    assert_eq!(status["git_helpers"][0]["exists"], false);
    let warning = status["warnings"][0].as_str().unwrap();
    assert!(warning.contains("is not there") && warning.contains("hubtoken setup-git"));
    let ran = machine.run(&["status"]);
    assert_eq!(ran.err.matches("is not there").count(), 1, "{ran:?}");
    assert_eq!(machine.json(&["setup-git", "--undo"], 0)["changed"], true);
    assert_eq!(config(), before);
    let status = machine.json(&["status"], 1);
    assert_eq!(
        (&status["git_helpers"], &status["warnings"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
}

#[test]
fn a_hub_without_a_token_of_its_own_is_set_up_with_a_line() {
    let mut machine = machine_with_git("");
    let stored = ".cache/huggingface/stored_tokens";
    let ran = machine.run(&["setup-git"]);
    assert!(
        ran.err.contains("no token of https://huggingface.co"),
        "{ran:?}"
    );
    assert!(
        ran.err
            .contains("hubtoken login --endpoint https://huggingface.co"),
        "{ran:?}"
    );
    // Stored, and not in use in this folder.
    machine.write(stored, &format!("[ci]\nhf_token = {FIRST}\n"));
    let warnings = machine.json(&["setup-git"], 0)["warnings"].take();
    assert!(
        warnings[0].as_str().unwrap().contains("hubtoken use ci"),
        "{warnings}"
    );
    machine.write(".cache/huggingface/token", FIRST);
    assert_eq!(
        machine.json(&["setup-git"], 0)["warnings"],
        Value::Array(vec![])
    );
    let other = ["setup-git", "--endpoint", "https://hub.example"];
    let warnings = machine.json(&other, 0)["warnings"].take();
    assert!(
        warnings[0]
            .as_str()
            .unwrap()
            .contains("no token of https://hub.example")
    );
    machine.set("HF_ENDPOINT", "https://hub.example");
    machine.set("HF_TOKEN", SECOND);
    assert_eq!(
        machine.json(&["setup-git"], 0)["warnings"],
        Value::Array(vec![])
    );
}

#[test]
fn an_undo_names_the_files_that_it_does_not_change() {
    let machine = machine_with_git("[include]\n\tpath = more\n");
    let value = "!'/gone/git-credential-hubtoken'";
    let section = "[credential \"https://huggingface.co\"]";
    let more = machine.write("more", &format!("{section}\n\thelper = \"{value}\"\n"));
    let ran = machine.run(&["setup-git", "--undo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("git still asks hubtoken") && ran.err.contains(more.to_str().unwrap())
    );
}

#[test]
fn a_user_in_the_url_gets_their_own_token() {
    let machine = Machine::new();
    let folder = ".cache/huggingface";
    let digest = |value: &str| {
        crate::token::Token::parse(value)
            .unwrap()
            .unwrap()
            .digest()
            .hex()
    };
    let record =
        |user: &str| serde_json::json!({"endpoint": "https://huggingface.co", "user": user});
    machine.write(
        &format!("{folder}/stored_tokens"),
        &format!("[a]\nhf_token = {FIRST}\n\n[b]\nhf_token = {SECOND}\n\n"),
    );
    let mut tokens = serde_json::Map::new();
    tokens.insert(digest(FIRST), record("alice"));
    tokens.insert(digest(SECOND), record("bob"));
    let metadata = serde_json::json!({ "tokens": tokens }).to_string();
    machine.write(&format!("{folder}/hubtoken_endpoints.json"), &metadata);
    machine.write(&format!("{folder}/token"), FIRST);
    for (question, user, value) in [
        (
            "protocol=https\nhost=huggingface.co\nusername=bob\n\n",
            "bob",
            SECOND,
        ),
        (
            "url=https://bob@huggingface.co/acme/model\n\n",
            "bob",
            SECOND,
        ),
        ("url=https://b%6Fb@huggingface.co/\n\n", "bob", SECOND),
        ("url=https://bob:@huggingface.co/\n\n", "bob", SECOND),
        ("url=https://alice@huggingface.co/\n\n", "alice", FIRST),
        ("url=https://hf_user@huggingface.co/\n\n", "hf_user", FIRST),
        (
            "username=bob\nurl=https://huggingface.co/\n\n",
            "hf_user",
            FIRST,
        ),
    ] {
        let ran = machine.credential("get", question);
        let expected = format!("username={user}\npassword={value}\n");
        assert_eq!(
            (ran.code, ran.out, ran.err),
            (0, expected, String::new()),
            "{question}"
        );
    }
    let nobody = machine.credential("get", "url=https://nobody@huggingface.co/\n\n");
    assert_eq!(nobody.out, format!("username=nobody\npassword={FIRST}\n"));
    assert_eq!(nobody.err.lines().count(), 1, "{nobody:?}");
    assert!(nobody.err.starts_with("warning: ") && nobody.err.contains("`nobody`"));
    for operation in ["store", "erase"] {
        let ran = machine.credential(operation, "url=https://bob:x@huggingface.co/\n\n");
        assert_eq!((ran.code, ran.out + &ran.err), (0, String::new()));
    }
}
