//! What a Hub's answer says about itself: its request ID, and its message.
//!
//! A Hub's operators find a request by its ID, so every error that an answer caused shows the ID
//! beside the Hub's own words. Both are untrusted text: a Hub may repeat the token, or send a page.
//! They are made safe before they get here.

use std::sync::Arc;

/// The request ID and the message of an answer; empty for what no answer caused. Cheap to clone.
///
/// ```
/// use hubtoken_core::error::ResponseDetails;
///
/// let details = ResponseDetails::new(Some("Root=1-2-3".to_owned()), Some("No.".to_owned()));
/// assert_eq!(
///     details.append_to("the token was rejected"),
///     "the token was rejected (the Hub's message: \"No.\"; request ID: Root=1-2-3)"
/// );
/// assert_eq!(ResponseDetails::default().append_to("no answer"), "no answer");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDetails(Option<Arc<Details>>);

#[derive(Debug, PartialEq, Eq)]
struct Details {
    request_id: Option<String>,
    server_message: Option<String>,
}

impl ResponseDetails {
    /// From text that is safe to show.
    #[must_use]
    pub fn new(request_id: Option<String>, server_message: Option<String>) -> Self {
        let is_empty = request_id.is_none() && server_message.is_none();
        Self((!is_empty).then(|| {
            Arc::new(Details {
                request_id,
                server_message,
            })
        }))
    }

    /// The ID under which the Hub logged the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.as_ref()?.request_id.as_deref()
    }

    /// The Hub's own message.
    #[must_use]
    pub fn server_message(&self) -> Option<&str> {
        self.0.as_ref()?.server_message.as_deref()
    }

    /// The message of an error with these details at its end. A message that quotes the Hub already
    /// does not do so twice.
    #[must_use]
    pub fn append_to(&self, message: &str) -> String {
        let words = self
            .server_message()
            .filter(|words| !message.contains(words.trim_end_matches('.')))
            .map(|words| format!("the Hub's message: \"{words}\""));
        let id = self.request_id().map(|id| format!("request ID: {id}"));
        let parts: Vec<String> = words.into_iter().chain(id).collect();
        if parts.is_empty() {
            message.to_owned()
        } else {
            format!("{message} ({})", parts.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_the_hub_does_not_do_so_twice() {
        let details = ResponseDetails::new(None, Some("Access is denied.".to_owned()));
        for message in ["cannot read x: Access is denied", "Access is denied. See y"] {
            assert_eq!(details.append_to(message), message);
        }
    }

    #[test]
    fn an_empty_answer_has_no_details() {
        assert_eq!(ResponseDetails::new(None, None), ResponseDetails::default());
    }
}
