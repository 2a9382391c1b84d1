//! What the verbs about stored tokens say: which token counts, whose it is, where it is, at any
//! width.

use unicode_width::UnicodeWidthStr;

use super::live::Site;
use super::*;

impl Machine {
    /// Output as on a terminal of that many columns, without its colors.
    fn at(&self, width: usize, arguments: &[&str]) -> Ran {
        let arguments = [arguments, &["--color", "never"]].concat();
        self.run_with(&arguments, Some(width), &NeverInterrupted)
    }

    fn store_by_hand(&self, tokens: &[(&str, &str)]) {
        let sections: Vec<String> = tokens
            .iter()
            .map(|(name, value)| format!("[{name}]\nhf_token = {value}\n\n"))
            .collect();
        self.write(".cache/huggingface/stored_tokens", &sections.concat());
    }

    fn select(&self, value: &str) {
        self.write(".cache/huggingface/token", value);
    }
}

/// Paths and addresses are not broken.
fn assert_fits(ran: &Ran, width: usize) {
    for line in ran.out.lines().chain(ran.err.lines()) {
        let mut words = line.split(' ');
        let is_address = words.any(|word| word.contains('/') && word.width() > width - 14);
        assert!(
            line.width() <= width || is_address,
            "{width}: {line:?}\n{ran:?}"
        );
    }
}

const CJK: &str = "\u{6a21}\u{578b}\u{8a13}\u{7df4}\u{7528}\u{30c8}\u{30fc}\u{30af}\u{30f3}";

#[test]
fn lines_fit_the_terminal_with_their_label_and_nothing_is_wrapped_elsewhere() {
    let machine = Machine::new();
    let names = [CJK, "\u{1f917} cafe\u{301}"];
    machine.store_by_hand(&[(names[0], FIRST), (names[1], SECOND)]);
    for arguments in [
        &["switch", "nobody"][..],
        &["status"],
        &["list"],
        &["explain"],
        &[
            "whoami",
            "--profile",
            CJK,
            "--endpoint",
            "https://hub.example",
        ],
        &["logout", "gone"],
        &["dance"],
        &["require", "read", "--repo-type", "dataset"],
        &["login"],
    ] {
        for width in [40, 80] {
            assert_fits(&machine.at(width, arguments), width);
        }
    }
    let ran = machine.run(&["switch", "nobody"]);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let wide = machine.at(80, &["list"]).out;
    let columns: Vec<usize> = wide
        .lines()
        .filter_map(|line| Some(line.split_once("hf_")?.0.width()))
        .collect();
    assert_eq!(columns.len(), 2);
    assert_eq!(columns[0], columns[1], "{wide}");
}

#[test]
fn the_tables_of_a_hub_fit_as_well() {
    let mut site = Site::new(None);
    for name in [CJK, "\u{1f917} cafe\u{301} of the whole team", "ci"] {
        let value = site.token(name, &["--role", "write", "--expires-in", "864000"]);
        site.machine.secrets.push(value);
    }
    for arguments in [
        &["hub", "token", "list", "alice"][..],
        &["hub", "user", "list"],
        &["hub", "organization", "list"],
        &["hub", "member", "list", "acme"],
        &["hub", "repository", "list"],
        &["hub", "audit"],
    ] {
        for width in [40, 80] {
            let ran = site.machine.at(width, arguments);
            assert_eq!(ran.code, 0, "{ran:?}");
            assert_fits(&ran, width);
        }
        let piped = site.machine.run(arguments);
        let widest = piped.out.lines().map(UnicodeWidthStr::width).max();
        assert!(
            piped.out.lines().all(|line| !line.is_empty()),
            "{widest:?} {piped:?}"
        );
    }
}

#[test]
fn status_without_a_token_names_the_stored_ones() {
    let machine = Machine::new();
    machine.store_by_hand(&[("one", FIRST), (CJK, SECOND)]);
    let ran = machine.run(&["status"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("one") && ran.out.contains(CJK), "{ran:?}");
    assert!(ran.out.contains("`hubtoken switch NAME`"), "{ran:?}");
    let value = machine.json(&["status"], 1);
    assert_eq!(value["stored"], machine.json(&["list"], 0)["tokens"]);
    assert_eq!(value["stored"][1]["name"], CJK);
    let empty = Machine::new();
    assert!(!empty.run(&["status"]).out.contains("stored"));
    assert_eq!(empty.json(&["status"], 1)["stored"], serde_json::json!([]));
    let broken = Machine::new();
    broken.write(".cache/huggingface/stored_tokens", "nonsense");
    let ran = broken.run(&["status"]);
    assert!(
        ran.code == 1 && ran.err.contains("cannot be understood"),
        "{ran:?}"
    );
}

/// The names of the active and of the selected stored token, in `list` and in `status`.
fn marked(machine: &Machine) -> [Vec<String>; 2] {
    let listed = machine.run(&["list", "--json"]).out;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let status: Value = serde_json::from_str(&machine.run(&["status", "--json"]).out).unwrap();
    assert_eq!(listed["tokens"], status["stored"]);
    ["active", "selected"].map(|field| {
        let tokens = listed["tokens"].as_array().unwrap().iter();
        let marked = tokens.filter(|token| token[field] == true);
        marked
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect()
    })
}

#[test]
fn active_is_what_counts_here() {
    let mut machine = Machine::with(&[("HF_HUB_OFFLINE", "1")]);
    machine.store_by_hand(&[("one", FIRST), ("two", SECOND)]);
    let nothing: [&[&str]; 2] = [&[], &[]];
    assert_eq!(marked(&machine), nothing.map(<[&str]>::to_vec));
    assert!(machine.run(&["list"]).out.contains("no token is active"));
    machine.select(FIRST);
    assert_eq!(marked(&machine), [["one"], ["one"]]);
    let list = machine.json(&["list"], 0);
    assert_eq!(list["note"], Value::Null);
    assert_eq!(list["token"]["mask"], "hf_…keAA");

    machine.write("hubtoken.toml", "profile = \"two\"\n");
    assert_eq!(marked(&machine), [["two"], ["one"]]);
    let note = machine.json(&["list"], 0)["note"].to_string();
    assert!(
        note.contains("hubtoken.toml") && note.contains("`one` would"),
        "{note}"
    );
    std::fs::remove_file(machine.home.path().join("hubtoken.toml")).unwrap();

    machine.set("HF_TOKEN", SECOND);
    assert_eq!(marked(&machine), [["two"], ["one"]]);
    assert!(machine.run(&["list"]).out.contains("*  two"));
    let third = "hf_ThirdFakeFakeFakeFakeFakeFakeFakeFaCC";
    machine.set("HF_TOKEN", third);
    machine.secrets.push(third.to_owned());
    assert_eq!(marked(&machine), [vec![], vec!["one".to_owned()]]);
    let ran = machine.run(&["list"]);
    assert!(!ran.out.contains('*'), "{ran:?}");
    assert!(ran.out.contains("HF_TOKEN is what counts here"), "{ran:?}");
    assert_eq!(
        machine.json(&["list"], 0)["token"]["source"],
        "env:HF_TOKEN"
    );
    machine.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    assert_eq!(marked(&machine), [vec![], vec!["one".to_owned()]]);
    assert!(
        machine
            .run(&["list"])
            .out
            .contains("HF_HUB_DISABLE_IMPLICIT_TOKEN")
    );
}

#[test]
fn what_would_count_otherwise_is_what_the_chain_says() {
    let third = "hf_ThirdFakeFakeFakeFakeFakeFakeFakeFaCC";
    let mut machine = Machine::with(&[("HF_HUB_OFFLINE", "1")]);
    machine.secrets.push(third.to_owned());
    machine.store_by_hand(&[("one", FIRST), ("two", SECOND)]);
    machine.select(FIRST);
    for variable in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        machine.set(variable, third);
        let note = |machine: &Machine| machine.json(&["list"], 0)["note"].to_string();
        assert!(note(&machine).contains("Without that, `one` would"));
        machine.write("hubtoken.toml", "profile = \"two\"\n");
        assert!(note(&machine).contains("Without that, `two` would"));
        machine.write("hubtoken.toml", "sources = [\"config\"]\n");
        assert!(
            !note(&machine).contains("Without that"),
            "{}",
            note(&machine)
        );
        for broken in ["profile = \"nope\"\n", "token_command = [\"x\"]\n"] {
            machine.write("hubtoken.toml", broken);
            let note = note(&machine);
            assert!(note.contains("there would be an error"), "{note}");
        }
        std::fs::remove_file(machine.home.path().join("hubtoken.toml")).unwrap();
        machine.set(variable, "");
    }
}

#[test]
fn a_switch_says_what_comes_first() {
    let mut machine = Machine::with(&[("HF_HUB_OFFLINE", "1")]);
    machine.store_by_hand(&[("one", FIRST), ("two", SECOND)]);
    let ran = machine.run(&["switch", "one"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("`one` is the active token"));
    machine.write("hubtoken.toml", "profile = \"two\"\n");
    let value = machine.json(&["switch", "one"], 0);
    let warnings = value["warnings"].to_string();
    assert!(warnings.contains("`one` is selected, but"), "{warnings}");
    assert!(
        warnings.contains("hubtoken.toml names comes first here"),
        "{warnings}"
    );
    let ran = machine.run(&["switch", "one"]);
    assert!(!ran.out.contains("is the active token"), "{ran:?}");
    let ran = machine.run(&["switch", "two"]);
    assert!(ran.out.contains("`two` is the active token"), "{ran:?}");
    machine.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    let ran = machine.run(&["switch", "one"]);
    assert!(
        ran.err.contains("HF_HUB_DISABLE_IMPLICIT_TOKEN is set"),
        "{ran:?}"
    );
}

#[test]
fn a_command_or_a_notebook_that_counts_is_named_and_not_asked() {
    let mut machine = Machine::new();
    machine.store_by_hand(&[("one", FIRST)]);
    machine.set("KAGGLE_USER_SECRETS_TOKEN", "eyFake");
    let ran = machine.run(&["list"]);
    assert!(ran.out.contains("Kaggle notebook"), "{ran:?}");
    let ran = machine.run(&["logout", "one"]);
    assert!(ran.out.contains("Kaggle notebook"), "{ran:?}");
    machine.select(FIRST);
    let marker = machine.home.path().join("ran");
    let command = format!(
        "token_command = [\"touch\", {:?}]\n",
        marker.to_str().unwrap()
    );
    machine.write(".config/hubtoken/config.toml", &command);
    machine.store_by_hand(&[("one", FIRST)]);
    let list = machine.json(&["list"], 0);
    assert_eq!(list["tokens"][0]["active"], false);
    assert_eq!(list["token"]["source"], "command:touch");
    assert_eq!(list["token"]["mask"], Value::Null);
    let ran = machine.run(&["logout", "--all"]);
    assert!(ran.out.contains("`touch`") && !marker.exists(), "{ran:?}");
    machine.write("hubtoken.toml", "profile = ");
    let ran = machine.run(&["list"]);
    assert!(
        ran.code == 0 && ran.out.contains("cannot be told"),
        "{ran:?}"
    );
}

#[test]
fn logout_says_which_token_is_used_now() {
    let mut machine = Machine::new();
    machine.store_by_hand(&[("one", FIRST), ("two", SECOND)]);
    machine.select(FIRST);
    let ran = machine.run(&["logout", "two"]);
    assert!(
        ran.out.contains("hf_…keAA") && ran.out.contains("as before"),
        "{ran:?}"
    );
    machine.store_by_hand(&[("one", FIRST), ("two", SECOND)]);
    let ran = machine.run(&["logout", "--token-name", "one"]);
    assert!(
        ran.out.contains("no token is active") && ran.out.contains("`two`"),
        "{ran:?}"
    );
    machine.set("HF_TOKEN", SECOND);
    let out = machine.json(&["logout", "--all"], 0);
    assert_eq!(out["token"]["source"], "env:HF_TOKEN");
    assert!(
        out["note"].as_str().unwrap().contains("counts here"),
        "{out}"
    );
}

#[test]
fn login_without_a_terminal_says_that_a_token_is_there() {
    let mut machine = Machine::new();
    let said = |machine: &Machine, arguments: &[&str]| {
        let answer = machine.json(&[&["login"], arguments].concat(), 2);
        answer["error"]["message"].as_str().unwrap().to_owned()
    };
    let message = said(&machine, &["--force"]);
    assert!(!message.contains("already"), "{message}");
    assert!(
        message.contains("https://huggingface.co/settings/tokens"),
        "{message}"
    );
    machine.set("HF_TOKEN", FIRST);
    let message = said(&machine, &[]);
    assert!(
        message.contains("logged in already") && message.contains("HF_TOKEN"),
        "{message}"
    );
    // Not at that Hub.
    let message = said(&machine, &["--endpoint", "https://hub.example"]);
    assert!(!message.contains("already"), "{message}");
    assert!(
        message.contains("https://hub.example/settings/tokens"),
        "{message}"
    );
}

#[test]
fn login_says_whose_token_is_stored_where_and_whether_it_counts() {
    let mut site = Site::new(None);
    let value = site.token("ci", &["--role", "write"]);
    site.machine.stdin.clone_from(&value);
    site.machine.secrets.push(value);
    let ran = site.machine.run(&["login", "--token-stdin"]);
    let place = "alice (write) is stored as `ci` in ~/.cache/huggingface/stored_tokens for ";
    let expected = format!("{place}{}, and is the active token\n", site.hub.endpoint());
    assert_eq!(ran.out, expected);
    site.machine.set("HF_TOKEN", SECOND);
    let ran = site.machine.run(&["login", "--token-stdin"]);
    assert!(ran.out.contains("is selected, but hf_…akBB"), "{ran:?}");
    let login = site.machine.json(&["login", "--token-stdin"], 0);
    assert_eq!(
        (&login["active"], &login["selected"]),
        (&false.into(), &true.into())
    );
}

#[test]
fn list_and_status_agree_on_what_was_learned() {
    let mut site = Site::new(None);
    let value = site.token("ci", &["--role", "write", "--expires-in", "864000"]);
    site.machine.secrets.push(value.clone());
    // As `hf auth login` stores it.
    site.machine.store_by_hand(&[("ci", &value)]);
    site.machine.select(&value);
    assert_eq!(
        site.machine.json(&["list"], 0)["tokens"][0]["role"],
        Value::Null
    );
    let status = site.machine.json(&["status"], 0);
    let listed = site.machine.json(&["list"], 0);
    assert_eq!(status["stored"], listed["tokens"]);
    for field in ["user", "role"] {
        assert_eq!(
            status["identity"][field], listed["tokens"][0][field],
            "{field}"
        );
    }
    // The earliest known end counts in both.
    let text = format!("[ci]\nhf_token = {value}\nexpires_at = 4070908800\n\n");
    site.machine
        .write(".cache/huggingface/stored_tokens", &text);
    let end = site.machine.json(&["list"], 0)["tokens"][0]["expires_at"].clone();
    assert_ne!(end, "2099-01-01T00:00:00Z");
    let text = text.replace("4070908800", "1");
    site.machine
        .write(".cache/huggingface/stored_tokens", &text);
    for verb in ["list", "status"] {
        let ran = site.machine.run(&[verb]);
        assert!(ran.out.contains("1970-01-01 00:00 UTC"), "{ran:?}");
    }
    assert!(
        site.machine
            .run(&["status"])
            .out
            .contains("stored as     `ci`\n")
    );
}

#[test]
fn a_token_is_stored_unverified_on_request_alone() {
    let mut site = Site::new(None);
    let value = site.token("ci", &["--role", "read"]);
    site.machine.stdin.clone_from(&value);
    site.machine.secrets.push(value);
    site.machine.set("HF_HUB_OFFLINE", "1");
    let refused = site.machine.run(&["login", "--token-stdin"]);
    assert_eq!(refused.code, 3);
    assert!(
        refused
            .err
            .contains("Nothing was stored; `hubtoken login --no-verify`"),
        "{refused:?}"
    );
    let login = site
        .machine
        .json(&["login", "--token-stdin", "--no-verify"], 0);
    assert_eq!(
        (&login["verified"], &login["identity"]),
        (&false.into(), &Value::Null)
    );
    assert_eq!(login["active"], true);
    let listed = site.machine.json(&["list"], 0);
    assert_eq!(listed["tokens"][0]["verified"], false);
    assert!(site.machine.run(&["list"]).out.contains("unverified"));
    assert!(site.machine.run(&["status"]).out.contains(", unverified"));
    // Until its identity is known on this machine; and then the next change records it.
    site.machine.set("HF_HUB_OFFLINE", "0");
    assert_eq!(site.machine.run(&["whoami"]).code, 0);
    let listed = site.machine.json(&["list"], 0);
    assert_eq!(listed["tokens"][0]["verified"], true);
    assert_eq!(listed["tokens"][0]["user"], "alice");
    let record = site
        .machine
        .home
        .path()
        .join(".cache/huggingface/hubtoken_endpoints.json");
    let written = || std::fs::read_to_string(&record).unwrap();
    assert!(written().contains("verified"));
    let name = listed["tokens"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(site.machine.run(&["rename", &name, "mine"]).code, 0);
    assert!(!written().contains("verified"), "{}", written());
    // A token that the Hub rejects is stored only if nobody asks.
    site.machine.stdin = FIRST.to_owned();
    assert_eq!(site.machine.run(&["login", "--token-stdin"]).code, 1);
    assert_eq!(
        site.machine
            .run(&["login", "--token-stdin", "--no-verify", "--name", "x"])
            .code,
        0
    );
    // A key of another service is stored in no case.
    site.machine.stdin = "ghp_FakeFakeFakeFakeFakeFakeFakeFakeFake".to_owned();
    assert_eq!(
        site.machine
            .run(&["login", "--token-stdin", "--no-verify"])
            .code,
        1
    );
}

#[test]
fn gits_own_helper_gets_a_copy_on_request_and_logout_takes_it_back() {
    let mut machine = Machine::new();
    let path = StaticEnvironment::of_process();
    let path = path
        .iter()
        .find(|(name, _)| *name == "PATH")
        .unwrap()
        .1
        .clone();
    machine.environment.set("PATH", path);
    machine.set("GIT_CONFIG_NOSYSTEM", "1");
    machine.stdin = FIRST.to_owned();
    let login = [
        "login",
        "--token-stdin",
        "--no-verify",
        "--add-to-git-credential",
    ];
    let ran = machine.run(&login);
    assert!(ran.code == 0 && ran.err.contains("setup-git"), "{ran:?}");
    let kept = machine.home.path().join("kept");
    let helper = format!(
        "[credential]\n\thelper = \"store --file={}\"\n",
        kept.display()
    );
    machine.write(".gitconfig", &helper);
    let ran = machine.run(&login);
    assert!(ran.out.contains("has a copy"), "{ran:?}");
    let text = || std::fs::read_to_string(&kept).unwrap_or_default();
    assert_eq!(text(), format!("https://hf_user:{FIRST}@huggingface.co\n"));
    let helper = machine.json(&login, 0)["git_helper"].to_string();
    assert!(helper.contains("store --file="), "{helper}");
    assert_eq!(machine.run(&["logout"]).code, 0);
    assert_eq!(text(), "");
}

#[test]
fn use_says_what_huggingface_hub_does_not_read() {
    let machine = Machine::new();
    machine.store_by_hand(&[("ci", FIRST)]);
    let ran = machine.run(&["use", "ci"]);
    assert!(
        ran.out
            .contains("`huggingface_hub` does not read this file"),
        "{ran:?}"
    );
    assert!(machine.json(&["use", "ci"], 0)["note"].is_string());
    assert_eq!(machine.json(&["use", "--undo"], 0)["note"], Value::Null);
}
