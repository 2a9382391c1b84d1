//! Tests what configurations may contain, and the errors for anything else.
#![allow(clippy::unwrap_used)]
use super::*;

const FAKE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

fn project(text: &str) -> Result<Configuration, Error> {
    parse(text, Path::new("hubtoken.toml"), Owner::Project)
}

#[test]
fn a_project_chooses_among_what_the_user_has() {
    let configuration =
        project("profile = \"ci\"\nrole = \"write\"\nrepo = \"acme/x\"\nsources = [\"config\"]")
            .unwrap();
    assert_eq!(configuration.profile.as_deref(), Some("ci"));
    assert_eq!(configuration.sources, Some(vec!["config".to_owned()]));
}

#[test]
fn a_long_name_is_no_token() {
    let repo = "acme/hf_llama_finetuned_on_questions_v2";
    let configuration = project(&format!("repo = \"{repo}\"")).unwrap();
    assert_eq!(configuration.repo.as_deref(), Some(repo));
}

#[test]
fn a_project_does_not_steer_secrets() {
    for key in [
        "endpoint",
        "token_command",
        "token_file",
        "insecure_hosts",
        "safe_directories",
    ] {
        let error = project(&format!("{key} = \"https://evil.example\"")).unwrap_err();
        assert!(
            error.to_string().contains("not for a project's file"),
            "{error}"
        );
    }
    let user = parse(
        "endpoint = \"http://127.0.0.1:1\"\ntoken_file = \"/run/secrets/hf\"",
        Path::new("config.toml"),
        Owner::User,
    );
    assert!(user.is_ok());
}

#[test]
fn a_token_in_a_configuration_is_refused_and_not_shown() {
    for text in [
        format!("token = \"{FAKE}\""),
        format!("profile = \"{FAKE}\""),
        format!("{FAKE} = 1"),
        format!("sources = [\"{FAKE}\"]"),
        format!("profile = {FAKE}"),
        format!("[nested]\nx = \"Bearer {FAKE}\""),
    ] {
        let message = project(&text).unwrap_err().to_string();
        assert!(!message.contains("FakeFake"), "{message}");
    }
}

#[test]
fn what_is_broken_is_told_by_line_or_key() {
    for (text, part) in [
        ("profile = ", "line 1"),
        ("a = 1\nb b", "line 2"),
        ("profile = 3", "`profile`"),
        ("role = \"god\"", "`role`"),
        ("sources = [\"env\"]", "always come first"),
        ("sources = \"config\"", "`sources`"),
        ("color = \"red\"", "`color`"),
    ] {
        let message = project(text).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_command_is_a_list_of_words() {
    let user = |text: &str| parse(text, Path::new("config.toml"), Owner::User);
    let found = user("token_command = [\"op\", \"read\", \"op://a b/c\"]").unwrap();
    let words = found.token_command.unwrap();
    assert_eq!(words, ["op", "read", "op://a b/c"]);
    for wrong in [
        "\"op read\"",
        "[]",
        "[\"\"]",
        "[3]",
        "[\"./op\"]",
        "[\"a/op\"]",
        "[\"op\", \"a\\u0000b\"]",
    ] {
        let message = user(&format!("token_command = {wrong}"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("list of strings"), "{wrong}: {message}");
    }
    let message = user(&format!("token_command = [\"echo\", \"{FAKE}\"]"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("holds a token") && !message.contains("Fake"));
}

#[test]
fn exceptions_are_whole_paths() {
    let user = |text: &str| {
        parse(
            &format!("safe_directories = {text}"),
            Path::new("config.toml"),
            Owner::User,
        )
    };
    let found = user("[\"/srv/x\", \"~/shared\"]").unwrap();
    assert_eq!(
        found.safe_directories(Some(Path::new("/home/alice"))),
        [Path::new("/srv/x"), Path::new("/home/alice/shared")]
    );
    for wrong in ["\"/srv/x\"", "[\"srv\"]", "[\"*\"]", "[3]", "[\"~bob/x\"]"] {
        let message = user(wrong).unwrap_err().to_string();
        assert!(message.contains("absolute paths"), "{wrong}: {message}");
    }
}
