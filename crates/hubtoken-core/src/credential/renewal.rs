//! When a stored OAuth token is renewed, and what has replaced it in this process.
//!
//! A program may hold a token for weeks, while the token itself lasts for hours. What it holds is
//! the first value; the renewed ones follow from it ([`Credential::latest`]).
//!
//! `huggingface_hub` renews a token in the last day of its life. A token that lives for eight hours
//! is always in its last day, so here the last quarter of its life counts if that is shorter: every
//! new process would renew it otherwise.

use std::fmt;
use std::sync::{Arc, RwLock};

use super::Credential;
use crate::source::Source;
use crate::sync::{read_ignoring_poison, write_ignoring_poison};
use crate::token::Digest;

/// `huggingface_hub` renews this many seconds before the end.
const MARGIN: i64 = 24 * 60 * 60;
/// The part of its life that is left when a token is renewed: a quarter.
const PART: i64 = 4;
/// A token that was issued this many seconds in the future was issued before the clock was set back.
const CLOCK_TOLERANCE: i64 = 5 * 60;

/// The renewal of one value of a stored token. All times are in Unix seconds, by this machine's
/// clock.
pub struct Renewal {
    profile: String,
    expires_at: i64,
    due_at: i64,
    issued_at: Option<i64>,
    replaces: Option<Digest>,
    successor: RwLock<Option<Arc<Credential>>>,
}

impl Renewal {
    /// The renewal of the stored token `profile`, which expires at `expires_at`. It lives for
    /// `lifetime` seconds, if that is known.
    ///
    /// ```
    /// use hubtoken_core::credential::Renewal;
    ///
    /// let hour = 60 * 60;
    /// let due = |lifetime| Renewal::new("ci".to_owned(), 100 * hour, lifetime).due_at() / hour;
    /// assert_eq!(due(Some(8 * hour)), 98);
    /// assert_eq!(due(Some(30 * 24 * hour)), 76);
    /// assert_eq!(due(None), 76);
    /// ```
    #[must_use]
    pub fn new(profile: String, expires_at: i64, lifetime: Option<i64>) -> Self {
        let margin = lifetime.map_or(MARGIN, |lifetime| (lifetime / PART).clamp(0, MARGIN));
        Self {
            profile,
            expires_at,
            due_at: expires_at.saturating_sub(margin),
            issued_at: None,
            replaces: None,
            successor: RwLock::default(),
        }
    }

    /// The renewal of a value that the store has replaced already.
    #[must_use]
    pub fn replaced(profile: String) -> Self {
        Self::new(profile, i64::MIN, None)
    }

    /// The same for a value that was issued at a time known by this machine's clock, and replaced
    /// another one then.
    #[must_use]
    pub fn issued(self, at: Option<i64>, replaces: Option<Digest>) -> Self {
        Self {
            issued_at: at,
            replaces,
            ..self
        }
    }

    /// The name of the stored token.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// When the value expires, as far as is known.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// When it is due.
    #[must_use]
    pub fn due_at(&self) -> i64 {
        self.due_at
    }

    /// When the value was issued, if that is known by this machine's clock.
    #[must_use]
    pub fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }

    /// The value before this one, if it is known.
    #[must_use]
    pub fn replaces(&self) -> Option<Digest> {
        self.replaces
    }

    /// Whether it is due: the time has come, or the clock was set back since the value was issued, so
    /// that nothing can be said of its end.
    #[must_use]
    pub fn is_due(&self, now: i64) -> bool {
        let future = now.saturating_add(CLOCK_TOLERANCE);
        now >= self.due_at || self.issued_at.is_some_and(|issued| issued > future)
    }

    /// Records what has replaced the value.
    pub fn succeed(&self, successor: &Arc<Credential>) {
        *write_ignoring_poison(&self.successor) = Some(Arc::clone(successor));
    }

    fn successor(&self) -> Option<Arc<Credential>> {
        read_ignoring_poison(&self.successor).clone()
    }
}

impl Clone for Renewal {
    fn clone(&self) -> Self {
        Self {
            profile: self.profile.clone(),
            successor: RwLock::new(self.successor()),
            ..*self
        }
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Renewal")
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// Whether another value follows without anybody's help: the store renews it, the job exchanges
    /// its id token again, or a command is asked again.
    #[must_use]
    pub fn renews_itself(&self) -> bool {
        self.renewal.is_some()
            || matches!(self.source.origin(), Source::Oidc(_) | Source::Command(_))
    }

    /// The value that has replaced this one in this process, or this one. Costs nothing for a token
    /// that is not renewed, and does no I/O for any.
    #[must_use]
    pub fn latest(self: &Arc<Self>) -> Arc<Self> {
        let mut latest = Arc::clone(self);
        let mut steps = 0_u32;
        while let Some(next) = latest
            .renewal
            .as_ref()
            .and_then(|renewal| renewal.successor())
        {
            latest = next;
            steps += 1;
        }
        if steps > 1
            && let Some(renewal) = &self.renewal
        {
            // What is in between is dropped, or a program that runs for years would keep it all.
            renewal.succeed(&latest);
        }
        latest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::tests::credential;

    fn renewable() -> Arc<Credential> {
        let renewal = Renewal::new("ci".to_owned(), 1_000, Some(400));
        Arc::new(Credential {
            renewal: Some(Box::new(renewal)),
            ..credential(Source::Store("ci".to_owned()), "https://huggingface.co")
        })
    }

    #[test]
    fn a_token_is_renewed_in_the_last_part_of_its_life() {
        let due_at =
            |expires_at, lifetime| Renewal::new("ci".to_owned(), expires_at, lifetime).due_at();
        assert_eq!(due_at(MARGIN, None), 0);
        assert_eq!(due_at(MARGIN, Some(i64::MAX)), 0);
        assert_eq!(due_at(3_600, Some(3_600)), 2_700);
        assert_eq!(due_at(3_600, Some(-1)), 3_600);
        assert_eq!(due_at(i64::MIN, None), i64::MIN);
        let renewal = renewable();
        let renewal = renewal.renewal.as_ref().unwrap();
        assert!(!renewal.is_due(899) && renewal.is_due(900) && renewal.is_due(i64::MAX));
        assert!(!renewal.is_due(i64::MIN));
        let set_back = (**renewal).clone().issued(Some(600), None);
        assert!(set_back.is_due(299) && !set_back.is_due(300));
    }

    #[test]
    fn what_is_between_the_first_and_the_latest_is_dropped() {
        let first = renewable();
        let between = renewable();
        let last = renewable();
        assert!(Arc::ptr_eq(&first.latest(), &first));
        first.renewal.as_ref().unwrap().succeed(&between);
        assert!(Arc::ptr_eq(&first.latest(), &between));
        between.renewal.as_ref().unwrap().succeed(&last);
        let gone = Arc::downgrade(&between);
        drop(between);
        assert!(Arc::ptr_eq(&first.latest(), &last));
        assert!(gone.upgrade().is_none());
        let copy = first.with_source(&Source::Argument).unwrap();
        assert!(Arc::ptr_eq(&copy.latest(), &last));
    }
}
