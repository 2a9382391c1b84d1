//! Reads what an unsuccessful answer says: the Hub's message, and the ID of the request.
//!
//! Everything in an answer is untrusted. It may steer a terminal, be longer than anybody reads, or
//! repeat the token: the whole value, or the part of it that a proxy did not cut off.

use serde_json::Value;

use super::Response;
use crate::error::ResponseDetails;
use crate::sanitize::{mask_value, redacted};
use crate::token::Token;

/// How much of a message is read, in characters.
const MAXIMUM_TEXT: usize = 4_096;
/// How much of a message is shown, in characters.
const MAXIMUM_MESSAGE: usize = 500;
/// How much of a request ID is shown, in characters.
const MAXIMUM_ID: usize = 128;
/// Where the ID is, as `huggingface_hub` looks for it: the Hub's own, the load balancer's, and that
/// of the network in front of it.
const ID_HEADERS: [&str; 3] = ["x-request-id", "x-amzn-trace-id", "x-amz-cf-id"];

/// The request ID and the message of an answer to a request that carried a token.
#[must_use]
pub fn details(answer: &Response, token: &Token) -> ResponseDetails {
    of_answer(answer, token.expose())
}

/// The same for a request with another secret than a token.
#[must_use]
pub fn of_answer(answer: &Response, secret: &str) -> ResponseDetails {
    let id = ID_HEADERS
        .into_iter()
        .find_map(|name| shown(answer.header(name)?, secret, MAXIMUM_ID));
    let words = raw_message(answer).or_else(|| prose(answer));
    let message = words.and_then(|words| shown(&words, secret, MAXIMUM_MESSAGE));
    ResponseDetails::new(id, message)
}

/// The same details, without a body that is a page of some proxy rather than the Hub's message.
#[must_use]
pub fn without_page(answer: &Response, details: &ResponseDetails) -> ResponseDetails {
    let words = raw_message(answer).and(details.server_message());
    ResponseDetails::new(
        details.request_id().map(str::to_owned),
        words.map(str::to_owned),
    )
}

/// Details from a file that is not trusted.
#[must_use]
pub fn from_record(id: Option<&str>, message: Option<&str>) -> ResponseDetails {
    ResponseDetails::new(
        id.and_then(|id| shown(id, "", MAXIMUM_ID)),
        message.and_then(|message| shown(message, "", MAXIMUM_MESSAGE)),
    )
}

/// The Hub's message in the form in which a Hub sends one, cut to one line.
#[must_use]
pub fn message(answer: &Response) -> Option<String> {
    shown(&raw_message(answer)?, "", MAXIMUM_MESSAGE)
}

/// In the header, or in the JSON body as `error` or `errors`.
fn raw_message(answer: &Response) -> Option<String> {
    if let Some(text) = answer.header("x-error-message") {
        return Some(text.to_owned());
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let list = |value: &Value| {
        let texts: Vec<&str> = value
            .as_array()?
            .iter()
            .filter_map(|item| item.as_str().or_else(|| item.get("message")?.as_str()))
            .collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    };
    let of = |value: &Value| value.as_str().map(str::to_owned).or_else(|| list(value));
    body.get("error")
        .and_then(of)
        .or_else(|| body.get("errors").and_then(of))
}

/// A body that is plain text, and neither a page nor data.
fn prose(answer: &Response) -> Option<String> {
    let text = std::str::from_utf8(&answer.body).ok()?;
    let is_prose = !text.trim_start().starts_with(['<', '{', '[']);
    is_prose.then(|| text.chars().take(MAXIMUM_TEXT + 1).collect())
}

/// How long to wait after a 429, read as the Hub's own client does: the `RateLimit` header if
/// nothing remains, else `Retry-After`. Of several limits, the longest.
#[must_use]
pub fn retry_after(answer: &Response) -> Option<u64> {
    let limits = answer
        .headers
        .get_all("ratelimit")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    let spent = limits.filter_map(|limit| {
        let field = |name: &str| {
            limit
                .split(';')
                .find_map(|part| part.trim().strip_prefix(name)?.parse::<u64>().ok())
        };
        (field("r=") == Some(0)).then(|| field("t="))?
    });
    spent
        .max()
        .or_else(|| answer.header("retry-after")?.trim().parse().ok())
}

/// The beginning of a text on one line, without secrets; `None` if it is blank.
///
/// Secrets are masked before the text is cut: half a secret is not recognized as one.
fn shown(text: &str, secret: &str, length: usize) -> Option<String> {
    let mut start: String = text.chars().take(MAXIMUM_TEXT).collect();
    if start.len() < text.len() {
        // The last word may be half a secret.
        let end = start.rfind(char::is_whitespace).unwrap_or(0);
        start.truncate(end);
    }
    let safe = redacted(&mask_value(start.trim(), secret));
    let line: String = safe.chars().take(length).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    fn answer(headers: &[(&'static str, &str)], body: &str) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.insert(HeaderName::from_static(name), value);
        }
        Response {
            status: 500,
            headers: map,
            body: body.as_bytes().to_vec(),
        }
    }

    fn token(text: &str) -> Token {
        Token::parse(text).unwrap().unwrap()
    }

    fn words(body: &str) -> Option<String> {
        let token = token(&format!("hf_{}", "Ab1".repeat(12)));
        details(&answer(&[], body), &token)
            .server_message()
            .map(str::to_owned)
    }

    #[test]
    fn the_message_is_found_where_hubs_put_it() {
        for (body, expected) in [
            (r#"{"error":"No."}"#, Some("No.")),
            (r#"{"error":["No.","Never."]}"#, Some("No.; Never.")),
            (r#"{"errors":[{"message":"No."},{"code":1}]}"#, Some("No.")),
            (r#"{"error":{"code":1}}"#, None),
            ("upstream timed out\n", Some("upstream timed out")),
            ("<html>502</html>", None),
            ("[1]", None),
            ("  ", None),
        ] {
            assert_eq!(words(body).as_deref(), expected, "{body}");
        }
        let both = answer(&[("x-error-message", "Header")], r#"{"error":"Body"}"#);
        assert_eq!(message(&both).as_deref(), Some("Header"));
    }

    #[test]
    fn the_request_has_the_first_id_that_is_there() {
        let token = token(&format!("hf_{}", "Ab1".repeat(12)));
        for (headers, expected) in [
            (
                &[("x-request-id", "a"), ("x-amz-cf-id", "b")][..],
                Some("a"),
            ),
            (&[("x-amzn-trace-id", "b")], Some("b")),
            (&[("x-request-id", " "), ("x-amz-cf-id", "c")], Some("c")),
            (&[], None),
        ] {
            let details = details(&answer(headers, ""), &token);
            assert_eq!(details.request_id(), expected);
        }
    }

    #[test]
    fn no_part_of_the_token_is_repeated() {
        for value in [
            format!("hf_{}", "Ab1".repeat(12)),
            // Without any prefix that gives it away.
            "q7Zp2Lm9Xv4Rt8Wy".to_owned(),
        ] {
            let secret = token(&value);
            let half = &value[..value.len() / 2];
            let late = format!("{}{value}", "x ".repeat(2_040));
            let at_the_end = format!("{}{value}", "x".repeat(490));
            for text in [
                &value,
                half,
                &format!("Bearer {value}!"),
                &late,
                &at_the_end,
            ] {
                let repeated = answer(&[("x-request-id", text), ("x-error-message", text)], "");
                let details = details(&repeated, &secret);
                let shown = details.append_to("no");
                assert!(!shown.contains(&value[4..12]), "{shown}");
                assert!(shown.chars().count() < 800, "{shown}");
            }
        }
    }

    #[test]
    fn what_steers_a_terminal_is_replaced_and_what_is_long_is_cut() {
        let long = answer(&[], &format!("a\u{1b}[31m\n{}", "long ".repeat(2_000)));
        let details = details(&long, &token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX1"));
        let message = details.server_message().unwrap();
        assert!(message.starts_with("a\u{fffd}[31m\u{fffd}long"));
        assert!(message.chars().count() <= MAXIMUM_MESSAGE);
    }
}
