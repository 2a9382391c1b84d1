//! Which hosts may receive a token, in every spelling.

#![allow(clippy::panic, clippy::unwrap_used)]
use super::*;

#[test]
fn only_https_and_loopback_may_see_a_token() {
    for good in [
        "https://huggingface.co",
        "https://hub.example:8443/prefix/",
        "http://localhost:1",
        "http://127.1.2.3:80",
        "http://[::1]:8080",
        "http://localhost.",
        "http://LocalHost.:80",
        "http://hub.localhost:8080",
        "http://a.b.LOCALHOST.:8080/x",
        "http://[::ffff:127.0.0.1]:8080",
        "http://[::FFFF:7f00:2]",
        "https://hub.localhost",
    ] {
        assert!(Endpoint::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "huggingface.co",
        "http://hub.example",
        "http://0.0.0.0:80",
        "http://localhost.evil.example",
        "http://xlocalhost",
        "http://localhost..",
        "http://.localhost",
        "http://a..localhost",
        "http://localhost%2e",
        "http://localhost%00.evil.example",
        "http://local\u{ff0e}localhost",
        "http://\u{24db}ocalhost",
        "http://localhost\u{3002}",
        "http://127.0.0.1.",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.0.0.1.localhost.evil.example",
        "http://[::1%25lo]",
        "http://[::127.0.0.1]",
        "http://[::ffff:0:127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://[::ffff:10.0.0.1]",
        "http://[::]",
        "http://10.0.0.1",
        "ftp://huggingface.co",
        "https://",
        "https://huggingface.co?x=1",
        "file:///etc/passwd",
        " https://huggingface.co",
        "https://huggingface.co\n",
        r"https://huggingface.co\@evil.example",
        "https://huggingface.co:0443",
        "http://127.1:80",
        "http://2130706433",
    ] {
        assert!(Endpoint::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_was_read_last_is_no_answer_to_another_text() {
    for text in [
        "https://a.example/",
        "https://b.example",
        "https://a.example/",
    ] {
        for _ in 0..2 {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.as_str(), text.trim_end_matches('/'));
            assert!(Endpoint::parse("http://hub.example").is_err());
        }
    }
}

#[test]
fn a_name_of_this_machine_is_for_own_requests_alone() {
    for name in ["localhost.", "hub.localhost", "hub.localhost."] {
        let url = format!("http://{name}:8080/x");
        let endpoint = Endpoint::parse(&format!("http://{name}:8080")).unwrap();
        assert!(endpoint.is_loopback() && endpoint.owns(&url) && !endpoint.is_insecure());
        assert_eq!(endpoint.recipient(&url), Ok(Recipient::LookedUp));
        let error = endpoint.check_other_programs().unwrap_err().to_string();
        assert!(error.contains("HUBTOKEN_INSECURE_HOSTS"), "{error}");
        // No other spelling is the same.
        assert!(!endpoint.owns("http://localhost:8080/x"));
        let named = Endpoint::parse_with(endpoint.as_str(), |_| Ok(true)).unwrap();
        assert_eq!(named.recipient(&url), Ok(Recipient::Own));
        assert!(named.check_other_programs().is_ok());
        // TLS says who is there.
        let secure = Endpoint::parse(&format!("https://{name}:8080")).unwrap();
        assert!(secure.is_loopback() && secure.check_other_programs().is_ok());
    }
    for plain in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"] {
        let endpoint = Endpoint::parse(plain).unwrap();
        assert!(endpoint.check_other_programs().is_ok(), "{plain}");
    }
}

#[test]
fn a_mapped_address_is_the_address_that_it_maps() {
    let mapped = Endpoint::parse("http://[::ffff:127.0.0.1]:8080").unwrap();
    assert_eq!(mapped.as_str(), "http://127.0.0.1:8080");
    assert!(mapped.is_loopback() && mapped.owns("http://[::ffff:7f00:1]:8080/x"));
}

#[test]
fn plain_http_to_another_host_is_for_those_that_the_user_named() {
    let hub = |_: &Origin| Ok(true);
    let endpoint = Endpoint::parse_with("http://hub:8080", hub).unwrap();
    assert!(endpoint.is_insecure() && !endpoint.is_loopback());
    assert!(
        endpoint
            .insecure_warning()
            .unwrap()
            .contains("http://hub:8080")
    );
    assert_eq!(endpoint.recipient("http://hub:8080/x"), Ok(Recipient::Own));
    for other in ["https://hub:8080", "http://hub", "http://x.hub:8080"] {
        assert!(!endpoint.owns(other), "{other}");
    }
    assert!(Endpoint::parse_with("http://hub:8080", |_| Ok(false)).is_err());
    for never in [
        "http://huggingface.co",
        "http://hub-ci.huggingface.co",
        "http://hf.co:8080",
        "http://user@hub",
        "ftp://hub",
        "http://hub.",
    ] {
        assert!(Endpoint::parse_with(never, hub).is_err(), "{never}");
        assert!(Endpoint::parse_recorded(never).is_err(), "{never}");
    }
    // No permission is asked for where none is needed.
    let unasked = |_: &Origin| -> Result<bool, Error> { panic!("it was asked") };
    for plain in ["https://hub", "http://localhost:1", "http://[::1]"] {
        assert!(Endpoint::parse_with(plain, unasked).is_ok(), "{plain}");
    }
    // A recorded name of this machine is not thereby one that others may use.
    let recorded = Endpoint::parse_recorded("http://hub.localhost").unwrap();
    assert!(recorded.check_other_programs().is_err());
    assert!(
        Endpoint::parse_recorded("http://hub:8080")
            .unwrap()
            .is_insecure()
    );
}

#[test]
fn a_password_in_an_endpoint_is_refused_and_not_shown() {
    let error = Endpoint::parse("https://user:hunter2@huggingface.co").unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn the_origin_decides_who_owns_a_url() {
    let endpoint = Endpoint::parse("https://huggingface.co").unwrap();
    assert!(endpoint.owns("https://huggingface.co/api/whoami-v2"));
    assert!(endpoint.owns("https://HUGGINGFACE.co:443/x"));
    for other in [
        r"https://huggingface.co\@evil.example/",
        "https://huggingface.co:/x",
        " https://huggingface.co/x",
        "http://huggingface.co/x",
        "https://huggingface.co:8443/x",
        "https://huggingface.co.evil.example/x",
        "https://huggingface.co@evil.example/x",
        "https://cdn.huggingface.co/x",
        "not a url",
    ] {
        assert!(!endpoint.owns(other), "{other}");
    }
    let local = Endpoint::parse("http://127.0.0.1:8080").unwrap();
    assert!(!local.owns("http://localhost:8080/"));
    assert!(
        local
            .recipient(r"http://127.0.0.1:8080\@localhost:1/f")
            .is_err()
    );
}

#[test]
fn the_public_hub_has_hosts_beside_it_where_no_code_of_others_runs() {
    let endpoint = Endpoint::default_hub();
    for host in SIBLING_HOSTS {
        let url = format!("https://{host}/v1/chat/completions");
        assert_eq!(endpoint.recipient(&url), Ok(Recipient::Sibling));
        let staging = Endpoint::parse(STAGING).unwrap();
        for (endpoint, url) in [
            (&endpoint, format!("http://{host}/v1")),
            (&endpoint, format!("https://{host}:8443/v1")),
            (&endpoint, format!("https://x.{host}/v1")),
            (&endpoint, format!("https://{host}.evil.example/v1")),
            (&staging, url),
        ] {
            let recipient = endpoint.recipient(&url).unwrap();
            assert!(matches!(recipient, Recipient::Foreign(_)), "{url}");
        }
    }
    for url in [
        "https://alice-space.hf.space/",
        "https://abc.us-east-1.aws.endpoints.huggingface.cloud/",
        "https://cdn-lfs.huggingface.co/",
        "https://huggingface.cloud/",
    ] {
        let recipient = endpoint.recipient(url).unwrap();
        assert!(matches!(recipient, Recipient::Foreign(_)), "{url}");
    }
}
