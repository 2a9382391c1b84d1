//! Tests that a token unpickled without its value is searched for in the fast sources.

use super::*;
use crate::source::Notebook;
use crate::token::Token;
use crate::token_reference::TokenReference;

fn reference(machine: &Machine, source: Source) -> TokenReference {
    TokenReference::of(&Credential {
        token: Token::parse(FIRST).unwrap().unwrap(),
        source,
        endpoint: machine.inputs().endpoint.clone().unwrap(),
        expires_at: crate::expiry::Expiry::UNKNOWN,
        renewal: None,
    })
}

fn restored(machine: &Machine, reference: &TokenReference) -> Option<Arc<Credential>> {
    machine.resolver.clear_cache();
    match machine.resolver.restore(reference, &machine.inputs()) {
        Ok(found) => Some(found),
        Err(Error::TokenNotFound { message, .. }) => {
            assert!(!message.contains(FIRST) && !message.contains(SECOND));
            None
        }
        Err(error) => unreachable!("{error}"),
    }
}

/// Puts a token into one of the fast sources.
type Put = fn(&mut Machine, &str);

const QUICK: [(&str, Put); 6] = [
    ("HF_TOKEN", |machine, value| machine.set("HF_TOKEN", value)),
    ("the older variable", |machine, value| {
        machine.set("HF_TOKEN", SECOND);
        machine.set("HUGGING_FACE_HUB_TOKEN", value);
    }),
    ("the token file", |machine, value| {
        machine.write(FILE, value);
    }),
    ("a stored token", |machine, value| {
        machine.write(FILE, SECOND);
        let text = format!("[one]\nhf_token = {SECOND}\n[two]\nhf_token = {value}\n");
        machine.write(STORED, text);
    }),
    ("the user's token file", |machine, value| {
        let path = machine.write("mine", value);
        let text = format!("token_file = \"{}\"\n", path.display());
        machine.write(".config/hubtoken/config.toml", text);
    }),
    ("behind a broken store", |machine, value| {
        machine.write(STORED, [0xff, 0xfe, 0x00]);
        machine.write(FILE, value);
    }),
];

#[test]
fn every_quick_source_is_compared_with_the_fingerprint() {
    for (name, put) in QUICK {
        for source in [
            Source::Argument,
            Source::Environment("HF_TOKEN".to_owned()),
            Source::File("/gone".into()),
            Source::Store("gone".to_owned()),
            Source::Command("/bin/false".to_owned()),
            Source::Vault(Notebook::Colab),
        ] {
            let mut machine = Machine::new();
            let reference = reference(&machine, source.clone());
            assert!(restored(&machine, &reference).is_none());
            put(&mut machine, SECOND);
            assert!(restored(&machine, &reference).is_none(), "{name}, {source}");
            put(&mut machine, FIRST);
            let found = restored(&machine, &reference).unwrap();
            assert_eq!(found.token.expose(), FIRST, "{name}, {source}");
            // It keeps the source it had when it was pickled.
            assert_eq!(found.source, source);
        }
    }
}

#[test]
fn the_same_value_for_another_hub_is_another_token() {
    for (name, put) in QUICK {
        let mut machine = Machine::new();
        let reference = reference(&machine, Source::Argument);
        put(&mut machine, FIRST);
        machine.set("HF_ENDPOINT", "http://127.0.0.1:9");
        assert!(restored(&machine, &reference).is_none(), "{name}");
    }
}

#[test]
fn a_stored_token_is_followed_when_it_is_rotated_and_before_all_else() {
    let mut machine = Machine::new();
    let reference = reference(&machine, Source::Store("ci".to_owned()));
    machine.write(STORED, format!("[ci]\nhf_token = {SECOND}\n"));
    machine.set("HF_TOKEN", FIRST);
    assert_eq!(
        restored(&machine, &reference).unwrap().token.expose(),
        SECOND
    );
}

#[test]
fn the_trace_says_where_it_was_looked_for() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", SECOND);
    let reference = reference(&machine, Source::Argument);
    let Err(Error::TokenNotFound { trace, .. }) =
        machine.resolver.restore(&reference, &machine.inputs())
    else {
        unreachable!("a token was found");
    };
    let step = &trace.steps[0];
    assert_eq!(step.source, "env:HF_TOKEN");
    assert!(step.detail.contains("another token"));
    assert_eq!(trace.found(), None);
}
