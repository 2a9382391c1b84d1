//! What a place that processes share must be able to do.
//!
//! The [disk](crate::identity::disk) is one for the processes of a machine; a server that many
//! machines can reach would be another. Such a place keeps bytes and judges nothing, and what
//! fails in it fails silently: the answer is then *nothing is known*, or *there are no claims
//! here*. Its methods are called between the steps of a request, so each must return within
//! milliseconds, also when the place is far away and does not answer: it bounds its own time.
//!
//! `disk.rs` is the only backend so far; the tests have one in memory that satisfies the same
//! contract. A backend on a network would be chosen in `places.rs`.

use crate::endpoint::Endpoint;
use crate::token::Digest;

/// The largest content that is kept, in bytes; an identity has one or two thousand.
pub const MAXIMUM_SIZE: u64 = 256 * 1024;

/// What is kept of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Who it belongs to.
    Identity,
    /// That the Hub does not know it.
    Rejection,
    /// That the Hub wants to hear no whoami for a while.
    Limit,
    /// That the Hub wants to be left alone altogether for a while.
    HubLimit,
    /// That somebody asked in vain. For those who waited for that question, and nobody else.
    Failure,
    /// How often questions about it were answered with *no*.
    Denials,
}

/// What a rate limit is about.
///
/// The Hub limits whoami by a stricter measure of its own. If that counted for the auth-check too,
/// an identity that is known would be of no use for minutes. What limits any other question is the
/// measure for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// Whoami alone.
    Whoami,
    /// Every question.
    Hub,
}

impl LimitScope {
    /// What is kept of such a limit.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Whoami => Kind::Limit,
            Self::Hub => Kind::HubLimit,
        }
    }
}

/// Where the content about one token at one Hub lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The start of the token's digest, in hexadecimal.
    pub token: String,
    /// The start of the digest of the Hub's address, in hexadecimal.
    pub hub: String,
}

impl Place {
    /// The part of the name that stands for a token.
    #[must_use]
    pub fn of_token(digest: &Digest) -> String {
        let mut text = digest.hex();
        text.truncate(32);
        text
    }

    /// The part of the name that stands for a Hub.
    #[must_use]
    pub fn of_hub(endpoint: &Endpoint) -> String {
        let mut text = Digest::of(endpoint.as_str()).hex();
        text.truncate(16);
        text
    }
}

/// The sign of life of somebody who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// A random number that tells this claim from all others.
    pub claim: u64,
    /// How often it was renewed.
    pub beats: u64,
}

/// The outcome of a try to be the one who asks.
pub enum Claim {
    /// Nobody else is, until this is dropped.
    Held(Box<dyn Lease>),
    /// Somebody else is, and this is the last that they showed.
    Busy(Mark),
    /// There are no claims here; everybody asks for themselves.
    Impossible,
}

/// A claim that is held. It is given back when it is dropped, and when its process ends.
pub trait Lease: Send + Sync {
    /// The number of this claim.
    fn claim(&self) -> u64;
    /// Shows that its holder lives.
    fn renew(&mut self);
}

/// A place that processes share.
pub trait SharedCache: Send + Sync {
    /// The content, of at most [`MAXIMUM_SIZE`] bytes.
    fn get(&self, place: &Place, kind: Kind) -> Option<Vec<u8>>;
    /// Replaces the content as a whole.
    fn put(&self, place: &Place, kind: Kind, content: &[u8]);
    /// Removes the content.
    fn remove(&self, place: &Place, kind: Kind);
    /// Removes all content about a token, about a Hub, or about a token at a Hub.
    fn forget(&self, token: Option<&str>, hub: Option<&str>);
    /// Tries to be the only one who asks about a token; does not wait.
    fn try_claim(&self, place: &Place) -> Claim;
    /// A glance between two tries: whether the claim may still be held. It must cost next to
    /// nothing, and may say *yes* for as long as it likes; *no* sends who waits to look.
    fn is_claimed(&self, _place: &Place) -> bool {
        true
    }
    /// Ends a claim that has shown nothing new since `mark`; one that has is left alone.
    fn take_over(&self, place: &Place, mark: Mark);
}
