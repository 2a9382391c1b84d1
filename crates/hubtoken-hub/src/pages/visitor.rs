//! Identifies the visitor of a page.
//!
//! A visitor has a random id in a cookie even before signing in, so that the sign-in form can be
//! tied to the browser that requested it. Otherwise another site could sign a visitor in to a
//! different account and have tokens created there. Signing in assigns a new id, so that an id
//! planted beforehand becomes worthless.
//!
//! The CSRF token in the forms is a digest of the id with a prefix. It needs no storage, changes
//! with the id, and reveals neither the id nor the digest under which the registry stores it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;

use super::cookie;
use super::error::PageError;
use super::view::Frame;
use crate::error::HubError;
use crate::registry::{Actor, AuditContext, Session};
use crate::secret::{self, Digest, Secret};
use crate::state::HubState;
use hubtoken_core::hexadecimal;

/// The precision of `seen_at`, as a fraction of the idle lifetime. Loading a page is not worth a
/// write each time.
const SEEN_PARTS: i32 = 60;

/// The sender of a request, signed in or not.
#[derive(Clone, Debug)]
pub(super) struct Visitor(Arc<VisitorInner>);

#[derive(Debug)]
struct VisitorInner {
    id: Secret,
    /// Whether the browser already has the id.
    has_cookie: bool,
    session: Option<Session>,
    address: Option<IpAddr>,
}

impl Visitor {
    /// Identifies the visitor.
    pub(super) async fn find(
        state: &HubState,
        headers: &axum::http::HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<Self, HubError> {
        let Some(id) = cookie::read(headers, &state.endpoint) else {
            return Ok(Self(Arc::new(VisitorInner {
                id: Secret::random_id()?,
                has_cookie: false,
                session: None,
                address,
            })));
        };
        let now = state.clock.now();
        let session = state
            .registry
            .session(&id.digest(), now, state.limiters.sign_in.lifetimes())
            .await?;
        if let Some(session) = &session
            && now - session.seen_at >= state.limiters.sign_in.lifetimes().idle / SEEN_PARTS
        {
            state.registry.touch_session(&session.digest, now).await?;
        }
        Ok(Self(Arc::new(VisitorInner {
            id,
            has_cookie: true,
            session,
            address,
        })))
    }

    /// The actor of the request, as recorded in the audit log.
    pub(super) fn audit_context(&self, state: &HubState) -> AuditContext {
        let actor = self.session().map_or(Actor::Nobody, Session::actor);
        self.audit_context_of(actor, state)
    }

    /// The same, for a visitor who is about to sign in or fails to.
    pub(super) fn audit_context_of(&self, actor: Actor, state: &HubState) -> AuditContext {
        AuditContext {
            actor,
            address: self.0.address,
            at: state.clock.now(),
        }
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.0.session.as_ref()
    }

    /// The CSRF token of this visitor's forms.
    pub(super) fn csrf(&self) -> String {
        hexadecimal::encode(&secret::digest(&format!("form:{}", self.0.id.reveal())))
    }

    /// The frame of a page with a form, for a visitor who is not signed in.
    pub(super) fn frame(&self) -> Frame {
        Frame {
            csrf: self.csrf(),
            ..Frame::bare()
        }
    }

    /// Whether a form's CSRF token is this visitor's.
    pub(super) fn is_valid_csrf(&self, token: &str) -> bool {
        secret::constant_time_eq(&secret::digest(token), &secret::digest(&self.csrf()))
    }

    /// The cookie to set, if the browser has none.
    pub(super) fn new_cookie(&self, endpoint: &str) -> Option<String> {
        (!self.0.has_cookie).then(|| cookie::set(endpoint, &self.0.id))
    }

    /// The digest of the single-use key of a form.
    pub(super) fn form_digest(key: &str) -> Digest {
        secret::digest(&format!("once:{key}"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, PageError> {
        // Inserted by `guard`; every page is behind it.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(PageError::not_found)
    }
}

/// A visitor who is signed in. Others are redirected to the sign-in page.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    visitor: Visitor,
    session: Session,
}

impl SignedIn {
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn user(&self) -> &str {
        &self.session.user.name
    }

    pub(super) fn audit_context(&self, state: &HubState) -> AuditContext {
        self.visitor.audit_context(state)
    }

    /// The frame of a page, with the notice that the previous action left.
    pub(super) async fn frame(&self, state: &HubState, nav_entry: &str) -> Result<Frame, HubError> {
        let session = &self.session;
        let organizations = session.memberships.iter();
        let frame = Frame {
            csrf: self.visitor.csrf(),
            user: Some(session.user.name.clone()),
            organizations: organizations
                .map(|membership| membership.organization.name.clone())
                .collect(),
            nav_entry: nav_entry.to_owned(),
            notice: session.notice.clone(),
            ..Frame::bare()
        };
        if session.notice.is_some() {
            state.registry.set_notice(&session.digest, None).await?;
        }
        Ok(frame)
    }

    /// Stores a notice for the next page.
    pub(super) async fn set_notice(&self, state: &HubState, notice: &str) -> Result<(), HubError> {
        state
            .registry
            .set_notice(&self.session.digest, Some(notice))
            .await
    }

    /// Uses up the single-use key of a form.
    pub(super) async fn use_form_once(&self, state: &HubState, key: &str) -> Result<(), PageError> {
        let digest = Visitor::form_digest(key);
        let first = state
            .registry
            .use_form(&self.session.digest, &digest, state.clock.now())
            .await?;
        if key.len() == 64 && first {
            Ok(())
        } else {
            Err(PageError::used_up())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        if let Some(session) = visitor.session().cloned() {
            return Ok(Self { visitor, session });
        }
        let address = parts
            .uri
            .path_and_query()
            .map_or("", axum::http::uri::PathAndQuery::as_str);
        Err(
            if parts.method == Method::GET || parts.method == Method::HEAD {
                PageError::sign_in_first(address)
            } else {
                PageError::signed_out(address)
            },
        )
    }
}
