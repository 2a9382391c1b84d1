#![allow(clippy::unwrap_used)]
use super::*;
use crate::repository::RepositoryType;
use crate::role::Role;

fn key(text: &str) -> Key {
    Key {
        digest: Digest::of(text),
        endpoint: Endpoint::default_hub(),
    }
}

fn alice() -> Arc<Identity> {
    Identity::parse(br#"{"name":"alice"}"#, &Endpoint::default_hub())
        .unwrap()
        .into()
}

const NO_END: Expiry = Expiry::UNKNOWN;

fn once(confirmed: Instant) -> Repeated {
    Repeated {
        confirmed,
        times: 0,
    }
}

/// A rejection that was confirmed once.
fn rejection(asked: Instant) -> Rejection {
    Rejection {
        asked,
        repeated: once(asked),
        response: ResponseDetails::default(),
    }
}

fn limit(left: Duration) -> RateLimit {
    RateLimit {
        left,
        response: ResponseDetails::default(),
    }
}

fn decision(text: &str) -> DecisionKey<'static> {
    DecisionKey {
        key: key(text),
        request: "write".into(),
    }
}

fn check(text: &str) -> AuthCheck {
    AuthCheck {
        key: key(text),
        kind: RepositoryType::Model,
        namespace: "acme".to_owned(),
        name: "tiny".to_owned(),
        role: Role::Read,
    }
}

#[test]
fn a_million_made_up_tokens_evict_nothing_that_is_in_use() {
    let cache = ClientCache::default();
    let start = Instant::now();
    for number in 0..1_000 {
        let name = format!("good {number}");
        cache.insert_identity(&key(&name), start, alice(), NO_END);
        cache.insert_check(&check(&name), start, NO_END);
        cache.insert_grant(decision(&name), start, start, Some(start), NO_END);
    }
    for number in 0..1_000_000_u32 {
        let bad = key(&number.to_string());
        let asked = start + Duration::from_micros(number.into());
        if number % 2 == 0 {
            cache.insert_rejection(&bad, rejection(asked));
        } else {
            cache.insert_limit(
                bad,
                LimitScope::Whoami,
                asked,
                limit(Duration::from_mins(5)),
            );
        }
    }
    for number in 0..1_000 {
        let name = format!("good {number}");
        assert!(cache.identity(&key(&name), Some(start)).is_some());
        assert!(cache.is_allowed(&check(&name), Some(start)).is_some());
        assert!(cache.granted_until(&decision(&name), start, None).is_some());
    }
    assert!(cache.rejections.count() <= REJECTIONS);
    assert!(cache.limits.count() <= REJECTIONS);
    assert_eq!(cache.identities.count(), 1_000);
}

#[test]
fn clearing_drops_all_answers_and_keeps_a_rate_limit() {
    let cache = ClientCache::default();
    let now = Instant::now();
    let (key, dead) = (key("a"), key("dead"));
    cache.insert_identity(&key, now, alice(), NO_END);
    cache.insert_check(&check("a"), now, NO_END);
    cache.insert_grant(decision("a"), now, now, Some(now), NO_END);
    cache.insert_rejection(&dead, rejection(now));
    cache.insert_limit(
        dead.clone(),
        LimitScope::Hub,
        now,
        limit(Duration::from_mins(1)),
    );
    cache.clear();
    assert!(cache.identity(&key, None).is_none());
    assert!(cache.is_allowed(&check("a"), None).is_none());
    assert!(cache.granted_until(&decision("a"), now, None).is_none());
    assert!(cache.rejection(&dead).is_none());
    assert!(cache.limit(&dead, LimitScope::Hub, now).is_some());
}

#[test]
fn memory_is_bounded_however_much_the_hub_says_of_each() {
    let cache = ClientCache::default();
    let scope = r#"{"entity":{"type":"model","name":"acme/model"},"permissions":["repo.write"]}"#;
    let body = format!(
        r#"{{"name":"alice","auth":{{"accessToken":{{"role":"fineGrained","fineGrained":{{"scoped":[{}]}}}}}}}}"#,
        vec![scope; 2_000].join(",")
    );
    let large: Arc<Identity> = Identity::parse(body.as_bytes(), &Endpoint::default_hub())
        .unwrap()
        .into();
    assert!(estimated_size(&large) > body.len());
    let start = Instant::now();
    for number in 0..1_000_u64 {
        let asked = start + Duration::from_millis(number);
        cache.insert_identity(&key(&number.to_string()), asked, large.clone(), NO_END);
    }
    let kept = cache.identities.count();
    assert!(
        kept > 100 && kept * estimated_size(&large) <= IDENTITY_BYTES,
        "{kept}"
    );
    assert!(cache.identity(&key("999"), None).is_some());
}

#[test]
fn tokens_in_use_outlive_those_that_came_once() {
    let cache = ClientCache::default();
    let start = Instant::now();
    let minute = |number: u64| start + Duration::from_mins(number);
    // A server's regular tokens are requested again every five minutes; unknown ones come and go.
    for number in 0..100_u64 {
        for regular in 0..1_000 {
            let name = format!("regular {regular}");
            cache.insert_identity(&key(&name), minute(number), alice(), NO_END);
        }
        for stranger in 0..1_000 {
            let name = format!("stranger {number} {stranger}");
            cache.insert_identity(&key(&name), minute(number), alice(), NO_END);
        }
    }
    assert!(cache.identities.count() <= IDENTITIES);
    for regular in 0..1_000 {
        let name = format!("regular {regular}");
        assert!(cache.identity(&key(&name), Some(minute(99))).is_some());
    }
}

#[test]
fn a_rejection_ends_all_that_a_token_had_and_nothing_of_the_others() {
    let cache = ClientCache::default();
    let start = Instant::now();
    for name in ["a", "b"] {
        cache.insert_identity(&key(name), start, alice(), NO_END);
        cache.insert_check(&check(name), start, NO_END);
        cache.insert_grant(decision(name), start, start, None, NO_END);
    }
    let later = start + Duration::from_secs(1);
    assert!(cache.insert_rejection(&key("a"), rejection(later)));
    assert!(cache.identity(&key("a"), None).is_none());
    assert!(cache.is_allowed(&check("a"), None).is_none());
    assert!(cache.granted_until(&decision("a"), later, None).is_none());
    assert_eq!(cache.rejection(&key("a")), Some(rejection(later)));
    assert!(cache.identity(&key("b"), None).is_some());
    assert!(cache.is_allowed(&check("b"), None).is_some());
    assert!(cache.granted_until(&decision("b"), later, None).is_some());
    // A rejection from before the cached identity changes nothing.
    assert!(!cache.insert_rejection(&key("b"), rejection(start)));
    assert!(cache.identity(&key("b"), None).is_some());
    assert_eq!(cache.rejection(&key("b")), None);
}

#[test]
fn a_limit_lasts_an_hour_at_most_and_ends_with_a_success() {
    let cache = ClientCache::default();
    let start = Instant::now();
    cache.insert_limit(
        key("a"),
        LimitScope::Whoami,
        start,
        limit(Duration::from_hours(24 * 365)),
    );
    let hour = Duration::from_hours(1);
    assert_eq!(
        cache.limit(&key("a"), LimitScope::Whoami, start),
        Some(limit(hour))
    );
    assert_eq!(
        cache.limit(&key("a"), LimitScope::Whoami, start + hour),
        None
    );
    cache.insert_limit(
        key("a"),
        LimitScope::Whoami,
        start,
        limit(Duration::from_mins(1)),
    );
    cache.insert_limit(key("a"), LimitScope::Hub, start, limit(hour));
    cache.insert_identity(&key("a"), start, alice(), NO_END);
    assert_eq!(cache.limit(&key("a"), LimitScope::Whoami, start), None);
    // An earlier answer, as shared by another process, does not lift the limit.
    let later = start + Duration::from_secs(1);
    cache.insert_limit(key("a"), LimitScope::Whoami, later, limit(hour));
    cache.insert_unanswered(key("a"), later, Failure::Offline);
    cache.insert_identity(&key("a"), start, alice(), NO_END);
    assert_eq!(
        cache.limit(&key("a"), LimitScope::Whoami, later),
        Some(limit(hour))
    );
    assert!(cache.unanswered(&key("a"), None).is_some());
    // A whoami answer does not lift a limit on other requests.
    assert_eq!(
        cache.limit(&key("a"), LimitScope::Hub, start),
        Some(limit(hour))
    );
}

#[test]
fn what_is_forgotten_is_gone_by_token_and_by_hub() {
    let cache = ClientCache::default();
    let start = Instant::now();
    for name in ["a", "b"] {
        cache.insert_identity(&key(name), start, alice(), NO_END);
        cache.insert_limit(
            key(name),
            LimitScope::Whoami,
            start,
            limit(Duration::from_mins(1)),
        );
        cache.insert_grant(decision(name), start, start, None, NO_END);
    }
    cache.invalidate(&Digest::of("a"));
    assert!(cache.identity(&key("a"), None).is_none());
    assert!(cache.limit(&key("a"), LimitScope::Whoami, start).is_none());
    assert!(cache.identity(&key("b"), None).is_some());
    cache.invalidate_endpoint(&Endpoint::default_hub());
    assert!(cache.identity(&key("b"), None).is_none());
    assert!(cache.granted_until(&decision("b"), start, None).is_none());
}

#[test]
fn a_yes_ends_with_its_token_wherever_the_end_was_told() {
    let start = Instant::now();
    let over = Expiry::at_unix_seconds(1);
    let body = |end: &str| {
        let text = format!(r#"{{"name":"alice","auth":{{"expiresAt":"{end}"}}}}"#);
        Arc::new(Identity::parse(text.as_bytes(), &Endpoint::default_hub()).unwrap())
    };
    let (past, future) = ("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
    for (identity, end, is_over) in [
        (alice(), NO_END, false),
        (body(future), NO_END, false),
        (body(past), NO_END, true),
        (body(future), over, true),
        (alice(), over, true),
    ] {
        let cache = ClientCache::default();
        cache.insert_identity(&key("a"), start, identity, end);
        // The check and the grant of another source, which does not report the end itself.
        cache.insert_check(&check("a"), start, NO_END);
        assert_eq!(cache.identity(&key("a"), None).is_none(), is_over);
        assert_eq!(cache.is_allowed(&check("a"), None).is_none(), is_over);
    }
    for (end, is_over) in [(NO_END, false), (over, true)] {
        let cache = ClientCache::default();
        cache.insert_check(&check("a"), start, end);
        cache.insert_grant(decision("a"), start, start, None, end);
        assert_eq!(cache.is_allowed(&check("a"), None).is_none(), is_over);
        assert_eq!(
            cache.granted_until(&decision("a"), start, None).is_none(),
            is_over
        );
    }
}

fn with_role(role: &str) -> Arc<Identity> {
    let body = format!(r#"{{"name":"alice","auth":{{"accessToken":{{"role":"{role}"}}}}}}"#);
    Arc::new(Identity::parse(body.as_bytes(), &Endpoint::default_hub()).unwrap())
}

#[test]
fn a_yes_ends_with_another_identity_and_with_another_end() {
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    let end = Expiry::at_unix_seconds(32_503_680_000);
    for (asked, identity, end_of_token, stays) in [
        (later, with_role("write"), NO_END, true),
        (later, with_role("read"), NO_END, false),
        (later, with_role("write"), end, false),
        // An earlier answer changes nothing.
        (start, with_role("read"), NO_END, true),
    ] {
        let cache = ClientCache::default();
        let (before, asked) = (start + Duration::from_millis(500), asked);
        cache.insert_identity(&key("a"), before, with_role("write"), NO_END);
        cache.insert_check(&check("a"), before, NO_END);
        cache.insert_grant(decision("a"), before, before, Some(before), NO_END);
        cache.insert_identity(&key("a"), asked, identity, end_of_token);
        assert_eq!(cache.is_allowed(&check("a"), None).is_some(), stays);
        assert_eq!(
            cache.granted_until(&decision("a"), before, None).is_some(),
            stays
        );
    }
}

#[test]
fn a_yes_that_comes_after_a_later_word_is_not_kept() {
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    let updates: [&dyn Fn(&ClientCache); 3] = [
        &|cache| cache.insert_identity(&key("a"), later, with_role("read"), NO_END),
        &|cache| cache.remove_check(&check("a"), later),
        &|cache| {
            cache.insert_rejection(&key("a"), rejection(later));
        },
    ];
    for update in updates {
        let cache = ClientCache::default();
        update(&cache);
        cache.insert_grant(decision("a"), later, start, Some(start), NO_END);
        assert!(cache.granted_until(&decision("a"), later, None).is_none());
    }
    let cache = ClientCache::default();
    cache.remove_check(&check("a"), later);
    cache.insert_check(&check("a"), start, NO_END);
    assert!(cache.is_allowed(&check("a"), None).is_none());
}

#[test]
fn a_success_ends_a_rejection_and_its_history() {
    let cache = ClientCache::default();
    let start = Instant::now();
    cache.insert_rejection(&key("a"), rejection(start));
    let later = start + Duration::from_secs(1);
    cache.insert_identity(&key("a"), later, alice(), NO_END);
    assert_eq!(cache.rejection(&key("a")), None);
    // An earlier answer does not.
    cache.insert_rejection(&key("b"), rejection(later));
    cache.insert_identity(&key("b"), start, alice(), NO_END);
    assert!(cache.rejection(&key("b")).is_some());
}

#[test]
fn denials_are_bounded_and_go_with_their_token() {
    let cache = ClientCache::default();
    let start = Instant::now();
    for number in 0..20_000_u32 {
        let asked = start + Duration::from_micros(number.into());
        let request = Digest::of(&number.to_string());
        cache.insert_denial(key(&(number % 3).to_string()), request, once(asked));
    }
    assert!(cache.denials.count() <= DENIALS);
    let (last, request) = (key("1"), Digest::of("19999"));
    assert!(cache.denial(&last, &request).is_some());
    cache.remove_denials(&last);
    assert!(cache.denial(&last, &request).is_none());
    assert!(cache.denial(&key("0"), &Digest::of("19998")).is_some());
}
