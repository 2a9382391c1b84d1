//! Fuzzes `stored_tokens`: any text is parsed or rejected, and an edit changes only the intended
//! entry.
#![no_main]

use hubtoken_core::store::ini_document::IniDocument;
use hubtoken_core::store::{ini, name};
use libfuzzer_sys::fuzz_target;

const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

type Entries = Vec<(String, Option<String>, Option<String>)>;

/// All entries but one: names, and the fields that `huggingface_hub` reads.
fn others(text: &str, except: &str) -> Entries {
    let sections = ini::parse(text).expect("what was written can be read");
    let field = |section: &ini::Section, key| section.get(key).map(|value| value.to_string());
    sections
        .iter()
        .filter(|section| section.name != except)
        .map(|section| {
            let token = field(section, "hf_token");
            (section.name.clone(), token, field(section, "expires_at"))
        })
        .collect()
}

fn sorted(mut entries: Entries) -> Entries {
    entries.sort();
    entries
}

fuzz_target!(|input: (&str, &str)| {
    let (text, wanted) = input;
    let parsed = ini::parse(text);
    let Ok(mut document) = IniDocument::parse(text) else {
        assert!(parsed.is_err(), "a document refuses what the format reads");
        return;
    };
    let name = name::safe(wanted);
    let before = others(document.text(), &name);
    assert_eq!(
        sorted(before.clone()),
        sorted(others(text, &name)),
        "opening changed an entry"
    );

    document
        .set(&name, &[("hf_token", Some(VALUE)), ("expires_at", None)])
        .expect("set");
    let sections = ini::parse(document.text()).expect("readable after set");
    let entry = sections
        .iter()
        .find(|section| section.name == name)
        .expect("the new entry");
    assert_eq!(
        entry.get("hf_token").map(|value| value.as_str()),
        Some(VALUE)
    );
    assert_eq!(
        sorted(others(document.text(), &name)),
        sorted(before.clone())
    );

    let renamed = name::safe(&format!("{name}-2"));
    if !document.has(&renamed).expect("has") {
        document.rename(&name, &renamed).expect("rename");
        assert!(!document.has(&name).expect("has"));
        assert_eq!(
            sorted(others(document.text(), &renamed)),
            sorted(before.clone())
        );
        document.rename(&renamed, &name).expect("rename back");
    }

    assert!(document.remove(&name).expect("remove"));
    assert!(!document.has(&name).expect("has"));
    assert_eq!(sorted(others(document.text(), &name)), sorted(before));
});
