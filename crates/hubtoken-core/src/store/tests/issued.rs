//! Tests what is stored of an OAuth login.

use super::*;
use crate::store::IssuedFields;
use crate::token::RefreshToken;

fn issued(refresh_token: Option<&str>, expires_at: Option<i64>) -> IssuedFields {
    IssuedFields {
        refresh_token: refresh_token.map(|value| RefreshToken::parse(value).unwrap()),
        expires_at,
        issued_at: None,
    }
}

fn save_issued(token_store: &TokenStore<'_>, word: &str, fields: Option<&IssuedFields>) -> Saved {
    let record = record(HUB, "alice");
    token_store
        .save_issued("oauth-alice", &token(word), fields, &record, false)
        .unwrap()
}

fn text(token_store: &TokenStore<'_>) -> String {
    std::fs::read_to_string(token_store.path().unwrap()).unwrap()
}

#[test]
fn a_section_is_as_huggingface_hub_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let fields = issued(Some("hf_oauth__refresh_FakeA"), Some(1_798_761_600));
    let saved = save_issued(&token_store, "A", Some(&fields));
    assert_eq!(saved.expires_at, Some(1_798_761_600));
    let expected = |word: &str| {
        let token = token(word);
        format!(
            "[oauth-alice]\nhf_token = {}\nrefresh_token = hf_oauth__refresh_FakeA\n\
             expires_at = 1798761600\n\n",
            token.expose()
        )
    };
    assert_eq!(text(&token_store), expected("A"));
    // Stored once more without what came with it, the same value keeps that.
    let saved = save_issued(&token_store, "A", None);
    assert_eq!(saved.expires_at, Some(1_798_761_600));
    assert_eq!(text(&token_store), expected("A"));
    save_issued(&token_store, "B", Some(&fields));
    assert_eq!(text(&token_store), expected("B"));
}

#[test]
fn a_new_login_drops_what_renewed_the_old_one_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    let old = token("A");
    let section = format!(
        "[oauth-alice]\nhf_token = {}\nrefresh_token = old\nexpires_at = 7\nnote = mine\n\n",
        old.expose()
    );
    for (word, fields, expected) in [
        ("A", Some(issued(None, None)), ""),
        ("B", None, ""),
        ("B", Some(issued(None, Some(9))), "expires_at = 9\n"),
        (
            "B",
            Some(issued(Some("new"), None)),
            "refresh_token = new\n",
        ),
    ] {
        std::fs::write(token_store.path().unwrap(), &section).unwrap();
        save_issued(&token_store, word, fields.as_ref());
        let text = text(&token_store);
        assert!(!text.contains("old") && !text.contains("= 7"), "{text}");
        assert!(text.contains("note = mine\n"), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
