//! Which texts are names, and which are only passed in their place.

use super::*;

#[test]
fn repositories_are_named_as_people_name_them() {
    let parse = |text| {
        Target::repository(text, RepositoryType::Model, "alice").map(|target| target.to_string())
    };
    for (text, expected) in [
        ("tiny", "alice/tiny"),
        ("acme/tiny", "acme/tiny"),
        ("datasets/acme/tiny", "datasets/acme/tiny"),
        ("models/acme/tiny", "acme/tiny"),
    ] {
        assert_eq!(parse(text).ok().as_deref(), Some(expected));
    }
    for text in [
        "",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "../x",
        "a/..",
        "a b/c",
        "https://huggingface.co/a/b",
        "a/b?x",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_namespace_is_read_as_a_name_and_nothing_else() {
    for text in [
        "acme",
        "Acme-2",
        "a_b.c",
        "sk-telecom-research-lab",
        "hf_internal_testing",
    ] {
        let target = Target::namespace_named(text);
        assert_eq!(
            target.ok(),
            Some(Target::Namespace(text.to_owned())),
            "{text}"
        );
    }
    for text in [
        "",
        " ",
        "\t",
        "../x",
        "..",
        ".a",
        "acme inc",
        "acme/",
        "acmee?x=1",
        "evil.example/\n",
        "al\x1b[31mice",
        "al\u{202e}ice",
        "\u{e9}quipe",
        "https://huggingface.co/acme",
        &"a".repeat(97),
    ] {
        let message = Target::namespace_named(text).map_err(|error| error.to_string());
        let message = message.err().unwrap_or_default();
        assert!(message.contains("letters, digits"), "{text:?}: {message}");
        assert!(
            !message.contains(['\n', '\t', '\x1b', '\u{202e}']),
            "{message:?}"
        );
        assert!(message.len() < 250, "{message}");
    }
}

#[test]
fn a_token_in_the_place_of_a_name_is_refused_and_not_shown() {
    let run = "Fake0Fake1Fake2Fake3Fake4Fake5Fake6";
    for text in [
        format!("hf_{run}"),
        format!("sk-{run}"),
        format!("ghp_{run}"),
        format!(" hf_{run} "),
        format!("ghp_{run}\n"),
    ] {
        let as_repository = |name: &str| {
            Target::repository(name, RepositoryType::Model, "alice").map(|_| Target::Anything)
        };
        for answer in [
            Target::namespace_named(&text),
            as_repository(&text),
            as_repository(&format!("alice/{text}")),
            as_repository(&format!("datasets/{text}/x")),
        ] {
            let message = answer.map_err(|error| error.to_string()).err();
            let message = message.unwrap_or_default();
            assert!(!message.is_empty(), "{text:?}");
            assert!(!message.to_lowercase().contains("fa"), "{message}");
        }
    }
}
