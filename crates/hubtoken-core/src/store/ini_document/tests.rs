#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

type Entries = Vec<(String, Option<String>, Option<String>)>;

fn entries(text: &str) -> Entries {
    ini::parse(text)
        .unwrap()
        .into_iter()
        .map(|section| {
            let get = |key| section.get(key).map(|value| value.to_string());
            (section.name.clone(), get("hf_token"), get("other"))
        })
        .collect()
}

const FILE: &str = "# mine\n[b]\nhf_token = hf_B\nother: kept\n\n# about d\n[d]\n  HF_TOKEN=hf_D\n  \
                    other=x\n   y\n";

#[test]
fn only_what_is_meant_is_touched() {
    let mut document = IniDocument::parse(FILE).unwrap();
    document.set("c", &[("hf_token", Some("hf_C"))]).unwrap();
    assert_eq!(
        document.text(),
        FILE.replace("# about d", "[c]\nhf_token = hf_C\n\n# about d")
    );
    document.set("d", &[("hf_token", Some("hf_E"))]).unwrap();
    document
        .set("b", &[("other", None), ("expires_at", Some("5"))])
        .unwrap();
    document.remove("c").unwrap();
    assert_eq!(
        document.text(),
        FILE.replace("  HF_TOKEN=hf_D", "  hf_token = hf_E")
            .replace("other: kept", "expires_at = 5")
    );
    assert!(document.rename("b", "z]").unwrap());
    assert!(
        document
            .text()
            .starts_with("# mine\n[z]]\nhf_token = hf_B\n")
    );
    assert!(!document.rename("b", "a").unwrap());
    assert!(document.has("z]").unwrap() && !document.has("DEFAULT").unwrap());
}

#[test]
fn a_new_file_is_as_huggingface_hub_writes_it() {
    let mut document = IniDocument::parse("").unwrap();
    document.set("ci", &[("hf_token", Some("hf_A"))]).unwrap();
    document.set("a", &[("hf_token", Some("hf_B"))]).unwrap();
    assert_eq!(
        document.text(),
        "[a]\nhf_token = hf_B\n\n[ci]\nhf_token = hf_A\n\n"
    );
}

#[test]
fn an_indented_section_is_not_swallowed() {
    let mut document = IniDocument::parse("[a]\nx=1\n[c]\n  [b]\n  hf_token=y").unwrap();
    document.remove("c").unwrap();
    assert_eq!(
        entries(document.text()),
        [
            ("a".to_owned(), None, None),
            ("b".to_owned(), Some("y".to_owned()), None)
        ]
    );
}

#[derive(Clone, Debug)]
enum Edit {
    Set(String, String),
    Forget(String),
    Remove(String),
    Rename(String, String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let name = || "[a-c\\]\\[#;=:% ]{0,3}".prop_map(|raw| super::super::name::safe(&raw));
    prop_oneof![
        (name(), "hf_[a-zA-Z]{4}").prop_map(|(name, value)| Edit::Set(name, value)),
        name().prop_map(Edit::Forget),
        name().prop_map(Edit::Remove),
        (name(), name()).prop_map(|(old, new)| Edit::Rename(old, new)),
    ]
}

#[test]
fn a_comment_that_ends_with_a_carriage_return_ends_there() {
    let text = "[a]\n# note\rexpires_at = 1\n[c]\nhf_token = hf_FakeC\n";
    let mut document = IniDocument::parse(text).unwrap();
    document
        .set("b", &[("hf_token", Some("hf_FakeB"))])
        .unwrap();
    document.remove("b").unwrap();
    let sections = ini::parse(document.text()).unwrap();
    assert_eq!(sections[0].get("expires_at").unwrap().as_str(), "1");
}

proptest! {
    #[test]
    fn after_any_edits_the_others_are_as_they_were(
        lines in prop::collection::vec(
            "(  ?)?\\[[a-c]\\]|( |  )?(hf_token|other)[=:] ?[a-z]{1,3}|[#;] ?c|  y|", 0..12),
        ending in "\n|\r\n|\r",
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let text = lines.join(&ending);
        let Ok(mut document) = IniDocument::parse(&text) else {
            prop_assert!(ini::parse(&text).is_err());
            return Ok(());
        };
        prop_assert_eq!(entries(&text), entries(document.text()));
        for edit in edits {
            let before = entries(document.text());
            let (touched, created) = match &edit {
                Edit::Set(name, value) => {
                    document.set(name, &[("hf_token", Some(value))]).unwrap();
                    (name.clone(), Some(name.clone()))
                }
                Edit::Forget(name) => {
                    document.set(name, &[("hf_token", None)]).unwrap();
                    (name.clone(), Some(name.clone()))
                }
                Edit::Remove(name) => {
                    document.remove(name).unwrap();
                    (name.clone(), None)
                }
                Edit::Rename(_, new) if document.has(new).unwrap() => continue,
                Edit::Rename(old, new) => {
                    let done = document.rename(old, new).unwrap();
                    (old.clone(), done.then(|| new.clone()))
                }
            };
            let after = entries(document.text());
            let others = |entries: &Entries| -> Entries {
                entries.iter()
                    .filter(|entry| entry.0 != touched && Some(&entry.0) != created.as_ref())
                    .cloned().collect()
            };
            prop_assert_eq!(others(&before), others(&after));
            if let Some(name) = created {
                prop_assert!(after.iter().any(|entry| entry.0 == name));
            }
            if let Edit::Set(name, value) = &edit {
                let entry = after.iter().find(|entry| entry.0 == *name).unwrap();
                prop_assert_eq!(entry.1.as_ref(), Some(value));
            }
        }
    }
}
