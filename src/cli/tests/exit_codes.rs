//! The table of outcomes in `docs/command-line.md`, row by row: what is not found, or not done.

use super::live::Site;
use super::*;
use crate::endpoint::Endpoint;
use crate::paths::Paths;
use crate::store::TokenMetadata;
use crate::store::token_store::TokenStore;
use crate::token::Token;

const DOCUMENT: &str = include_str!("../../../docs/command-line.md");
const HEADER: &str = "| verb | outcome | code |";
const STORED: &str = ".cache/huggingface/stored_tokens";
const PASSWORD: &str = "correct horse battery staple";

/// Verb, outcome, and code.
type Row = (String, String, u8);

/// The rows of the table.
fn documented() -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [verb, outcome, code] = cells[..] else {
            panic!("{line}");
        };
        (verb.to_owned(), outcome.to_owned(), code.parse().unwrap())
    };
    let (_, table) = DOCUMENT.split_once(HEADER).unwrap();
    let lines = table.trim_start().lines().skip(1);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(row)
        .collect()
}

/// A machine with two stored tokens, none of them active.
fn machine() -> Machine {
    let machine = Machine::new();
    let stored = format!("[ci]\nhf_token = {FIRST}\n\n[lab]\nhf_token = {SECOND}\n");
    machine.write(STORED, &stored);
    machine
}

/// The same, with a token of another Hub.
fn machine_of_two_hubs() -> Machine {
    let machine = machine();
    let endpoint = |text: &str| Endpoint::parse(text).unwrap();
    let paths = Paths::new(&machine.environment);
    let token_store = TokenStore::new(
        &paths,
        endpoint("https://huggingface.co"),
        &NeverInterrupted,
    );
    let metadata = TokenMetadata::unverified(endpoint("http://127.0.0.1:9"));
    let token = Token::parse(FIRST).unwrap().unwrap();
    token_store.save("team", &token, &metadata, true).unwrap();
    machine
}

/// A machine whose stored tokens are a folder, which no user can read or write as a file.
fn unreadable() -> Machine {
    let machine = Machine::new();
    std::fs::create_dir_all(machine.home.path().join(STORED)).unwrap();
    machine
}

fn with_file(name: &str, text: &str) -> Machine {
    let machine = machine();
    machine.write(name, text);
    machine
}

/// A machine on which a password is piped in.
fn typing(password: &str) -> Machine {
    let mut machine = Machine::new();
    password.clone_into(&mut machine.stdin);
    machine
}

/// What the table says of verbs that change what is stored here.
fn of_stored_tokens(code_of: &mut impl FnMut(&'static str, &'static str, &Machine, &[&str])) {
    let not_stored = "no token of that name is stored";
    code_of("`logout`", "no token is active", &machine(), &["logout"]);
    code_of("`logout NAME`", not_stored, &machine(), &["logout", "gone"]);
    let nothing = "there is nothing to remove";
    code_of(
        "`logout --all`",
        nothing,
        &Machine::new(),
        &["logout", "--all"],
    );
    code_of("`switch NAME`", not_stored, &machine(), &["switch", "gone"]);
    let elsewhere = "the token belongs to another Hub than `HF_ENDPOINT`";
    code_of(
        "`switch NAME`",
        elsewhere,
        &machine_of_two_hubs(),
        &["switch", "team"],
    );
    let rename = "`rename OLD NEW`";
    code_of(
        rename,
        "no token `OLD` is stored",
        &machine(),
        &["rename", "gone", "x"],
    );
    code_of(
        rename,
        "the name `NEW` is taken",
        &machine(),
        &["rename", "ci", "lab"],
    );
    code_of(
        rename,
        "the names are the same",
        &machine(),
        &["rename", "ci", "ci"],
    );
    code_of("`use NAME`", not_stored, &machine(), &["use", "gone"]);
    let broken = "the folder's file is invalid";
    for text in ["[", "color = 1", "token_file = \"/x\""] {
        let machine = with_file("hubtoken.toml", text);
        code_of("`use`", broken, &machine, &["use", "ci"]);
        code_of("`use`", broken, &machine, &["use", "--undo"]);
    }
    let undone = "the folder names no token";
    code_of("`use --undo`", undone, &machine(), &["use", "--undo"]);
    for arguments in [
        &["token", "--profile", "gone"][..],
        &["whoami", "--profile", "gone"],
        &["require", "read", "--profile", "gone"],
        &["run", "--profile", "gone", "--", "x"],
    ] {
        code_of("`--profile NAME`", not_stored, &machine(), arguments);
    }
    for arguments in [
        &["logout"][..],
        &["logout", "ci"],
        &["logout", "--all"],
        &["list"],
        &["switch", "ci"],
        &["rename", "ci", "x"],
        &["use", "ci"],
    ] {
        let outcome = "the stored tokens cannot be read or written";
        code_of("any of these, `list`", outcome, &unreadable(), arguments);
    }
}

/// What the table says of a Hub's verbs.
fn of_hubs(code_of: &mut impl FnMut(&'static str, &'static str, &Machine, &[&str])) {
    let init = "`hub init`";
    let arguments = [
        "hub",
        "init",
        "--data",
        "d",
        "--admin",
        "alice",
        "--password-stdin",
    ];
    let machine = typing(PASSWORD);
    assert_eq!(machine.run(&arguments).code, 0);
    code_of(
        init,
        "the Hub has an administrator already",
        &machine,
        &arguments,
    );
    let weak = "the password is weak, or the name is invalid";
    code_of(init, weak, &typing("short"), &arguments);
    let odd = [
        "hub",
        "init",
        "--data",
        "d",
        "--admin",
        "a/b",
        "--password-stdin",
    ];
    code_of(init, weak, &typing(PASSWORD), &odd);
    let unusable = "a Hub is running with the data folder, or it cannot be used";
    machine.write("file", "");
    let into = [
        "hub",
        "init",
        "--data",
        "file",
        "--admin",
        "alice",
        "--password-stdin",
    ];
    code_of(init, unusable, &machine, &into);
    let mut site = Site::new(None);
    site.machine.stdin = PASSWORD.to_owned();
    let running = ["hub", "init", "--admin", "bob", "--password-stdin"];
    code_of(init, unusable, &site.machine, &running);
    for arguments in [
        &["hub", "token", "list", "nobody"][..],
        &["hub", "token", "delete", "alice", "gone"],
        &["hub", "user", "create", "alice"],
        &["hub", "repository", "delete", "alice/gone"],
        &["hub", "policy", "get", "nobody"],
    ] {
        let outcome = "what is named does not exist, or exists already";
        code_of("`hub token`, `user`, …", outcome, &site.machine, arguments);
    }
    let mut alone = Machine::new();
    alone.set("HUBTOKEN_HUB_DATA", "nothing");
    let nobody = "no Hub is running with the data folder";
    code_of(
        "`hub token`, `user`, …",
        nobody,
        &alone,
        &["hub", "user", "list"],
    );
    let late = "no Hub answers in time";
    code_of(
        "`hub wait`",
        late,
        &alone,
        &["hub", "wait", "--timeout", "0"],
    );
    let busy = "the port or the data folder is in use";
    code_of("`hub serve`", busy, &site.machine, &["hub", "serve"]);
    let port = site.hub.endpoint().rsplit(':').next().unwrap().to_owned();
    let taken = ["hub", "serve", "--data", "other", "--port", &port];
    code_of("`hub serve`", busy, &alone, &taken);
    let absent = "there is no Hub, or no backup, to read; the target exists";
    code_of(
        "`hub backup`, `restore`",
        absent,
        &alone,
        &["hub", "backup", "x.tar"],
    );
    code_of(
        "`hub backup`, `restore`",
        absent,
        &alone,
        &["hub", "restore", "x.tar"],
    );
    machine.write("taken.tar", "");
    let onto = ["hub", "backup", "--data", "d", "taken.tar"];
    code_of("`hub backup`, `restore`", absent, &machine, &onto);
}

#[test]
fn the_documents_table_is_what_the_verbs_do() {
    let rows = documented();
    let mut tried: Vec<Row> = Vec::new();
    let mut code_of =
        |verb: &'static str, outcome: &'static str, machine: &Machine, arguments: &[&str]| {
            let ran = machine.run(arguments);
            let row = (verb.to_owned(), outcome.to_owned(), ran.code);
            assert!(rows.contains(&row), "{arguments:?}: {row:?} {ran:?}");
            if ran.code != 0 {
                assert!(
                    ran.err.starts_with("error: ") || ran.out.contains("nothing"),
                    "{ran:?}"
                );
            }
            tried.push(row);
        };
    of_stored_tokens(&mut code_of);
    of_hubs(&mut code_of);
    for row in &rows {
        assert!(tried.contains(row), "not tried: {row:?}");
    }
}
