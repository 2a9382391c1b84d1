//! What is rejected, and that nothing else decides where a request goes.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[test]
fn plain_urls_are_read() {
    for (text, origin) in [
        ("https://huggingface.co", "https://huggingface.co"),
        (
            "HTTPS://HuggingFace.CO:443/x/é?q=ü#f",
            "https://huggingface.co",
        ),
        ("https://hub.example:8443/p", "https://hub.example:8443"),
        ("http://127.1.2.3:80/", "http://127.1.2.3"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
        ("http://my_hub:65535?x", "http://my_hub:65535"),
        (
            "https://xn--bcher-kva.example/",
            "https://xn--bcher-kva.example",
        ),
        ("https://huggingface.co/a@b:c%2f", "https://huggingface.co"),
    ] {
        assert_eq!(Origin::of(text).unwrap().to_string(), origin);
    }
}

#[test]
fn urls_that_are_read_in_two_ways_are_refused() {
    use UrlProblem::{Address, Backslash, NoHost, NotAUrl, Port, Scheme, UserInfo, WhiteSpace};
    for (text, problem) in [
        ("", NotAUrl),
        ("huggingface.co", NotAUrl),
        ("https:huggingface.co", NotAUrl),
        ("https:/huggingface.co", NotAUrl),
        ("//huggingface.co/x", NotAUrl),
        ("://huggingface.co", NotAUrl),
        ("ftp://huggingface.co", Scheme),
        ("https:///huggingface.co", NoHost),
        ("https://", NoHost),
        ("https://:443/", NoHost),
        ("https://user@huggingface.co/", UserInfo),
        ("https://user:secret@huggingface.co/", UserInfo),
        ("https://@huggingface.co/", UserInfo),
        (r"https://huggingface.co\@evil.example/", Backslash),
        (r"http://127.0.0.1:1\@localhost:2/f", Backslash),
        (r"https:\\huggingface.co/", Backslash),
        (r"https://huggingface.co/a\b", Backslash),
        (" https://huggingface.co", WhiteSpace),
        ("https://huggingface.co\n", WhiteSpace),
        ("https://hugging\tface.co/", WhiteSpace),
        ("https://huggingface.co/a b", WhiteSpace),
        ("https://huggingface.co/\u{a0}", WhiteSpace),
        ("https://huggingface.co/\u{0}", WhiteSpace),
        ("https://huggingface.co/\u{7f}", WhiteSpace),
        ("https://hugging%66ace.co/", UrlProblem::Host),
        ("https://huggingface%2eco/", UrlProblem::Host),
        ("https://ｈuggingface.co/", UrlProblem::Host),
        ("https://huggingface。co/", UrlProblem::Host),
        ("https://bücher.example/", UrlProblem::Host),
        ("https://huggingface.co./", UrlProblem::Host),
        ("https://.huggingface.co/", UrlProblem::Host),
        ("https://huggingface..co/", UrlProblem::Host),
        ("https://-huggingface.co/", UrlProblem::Host),
        ("https://hugging,face.co/", UrlProblem::Host),
        ("https://xn--a/", UrlProblem::Host),
        ("http://127.1/", Address),
        ("http://0x7f.1/", Address),
        ("http://0x7f000001/", Address),
        ("http://2130706433/", Address),
        ("http://017700000001/", Address),
        ("http://127.0.0.01/", Address),
        ("http://127.0.0.1./", UrlProblem::Host),
        ("http://127.0.0.256/", Address),
        ("http://1.2.3.4.5/", Address),
        ("http://[::1/", Address),
        ("http://[::1]x/", Address),
        ("http://::1/", Port),
        ("http://[fe80::1%25eth0]/", Address),
        ("http://[v1.x]/", Address),
        ("https://huggingface.co:/", Port),
        ("https://huggingface.co:0/", Port),
        ("https://huggingface.co:0443/", Port),
        ("https://huggingface.co:65536/", Port),
        ("https://huggingface.co:+443/", Port),
        ("https://huggingface.co:443x/", Port),
        ("https://huggingface.co:443:443/", Port),
        ("https://huggingface.co:٤٤٣/", Port),
    ] {
        assert_eq!(Origin::of(text), Err(problem), "{text}");
    }
}

#[test]
fn proxies_may_have_a_password_and_no_second_reading() {
    for good in [
        "http://proxy.example:3128",
        "proxy.example:3128",
        "socks5h://user:pa%40ss@127.0.0.1:1080",
        "http://[::1]:3128/",
    ] {
        assert_eq!(check_proxy(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "http://",
        r"http://proxy.example\@evil.example:3128",
        "http://a@b@proxy.example:3128",
        "http://proxy.example:99999",
        "http://proxy.example:",
        "http://0x7f.1:3128",
        "http://pröxy.example:3128",
        "http://proxy.example :3128",
    ] {
        assert!(check_proxy(bad).is_err(), "{bad}");
    }
}

#[test]
fn redirects_are_read_as_they_are_written() {
    for good in [
        "/x?y#z",
        "x/y",
        "?q",
        "https://huggingface.co/x",
        "//huggingface.co/x",
    ] {
        assert_eq!(check_reference(good), Ok(()), "{good}");
    }
    for bad in [
        r"/\evil.example",
        r"\\evil.example",
        "https:/evil.example",
        "https:x",
        "/a b",
        "//user@huggingface.co/",
        "//huggingface.co:/",
    ] {
        assert!(check_reference(bad).is_err(), "{bad}");
    }
}

/// Two hosts, joined by something that parsers read differently.
fn quarrels() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("127.0.0.1"),
        Just("localhost"),
        Just("evil.example"),
        Just("huggingface.co"),
        Just("0x7f.1"),
        Just("[::1]"),
        Just("@"),
        Just("\\"),
        Just("/"),
        Just("//"),
        Just(":"),
        Just("?"),
        Just("#"),
        Just("%40"),
        Just("%2f"),
        Just("."),
        Just("\t"),
        Just("\n"),
        Just(" "),
        Just(":80"),
        Just(":8080"),
        Just("a"),
        Just("é"),
        Just("。"),
        Just(";"),
        Just("[",),
        Just("]"),
        Just("https://"),
        Just("http:"),
    ];
    let scheme = prop_oneof![
        Just("http://"),
        Just("https://"),
        Just("http:/"),
        Just("HTTP://"),
        Just("")
    ];
    (scheme, proptest::collection::vec(piece, 0..8))
        .prop_map(|(scheme, pieces)| format!("{scheme}{}", pieces.concat()))
}

proptest! {
    #[test]
    fn what_is_approved_begins_with_the_origin_it_is_approved_for(text in quarrels()) {
        if let Ok(origin) = Origin::of(&text) {
            let lower = text.to_ascii_lowercase();
            let shown = origin.to_string();
            let usual = if origin.is_secure() { ":443" } else { ":80" };
            let rest = lower
                .strip_prefix(&format!("{shown}{usual}"))
                .or_else(|| lower.strip_prefix(&shown));
            prop_assert!(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#'])), "{text} {shown}");
        }
    }

    #[test]
    fn nothing_panics_and_no_problem_repeats_the_url(text in "\\PC{0,40}") {
        if let Err(problem) = Origin::of(&text) {
            let shown = problem.to_string();
            prop_assert!(text.len() < 12 || !shown.contains(&text));
        }
        let _ = (check_proxy(&text), check_reference(&text));
    }
}

#[test]
fn advice_is_for_who_wrote_the_address() {
    for location in [
        "http:/ok",
        "http://",
        "https://u@h/",
        "https://h%61/",
        "https://1.2/",
    ] {
        let Err(problem) = check_reference(location) else {
            panic!("{location}");
        };
        assert!(!problem.of_server().contains("write"), "{problem:?}");
    }
}
