//! The audit log: the user's own, an organization's for its admins, and the whole log for the Hub's
//! administrators.
//!
//! Users see what they did and what was done to them, but not the address from which another user
//! did it. All three list the newest entries first.
//!
//! A page of the audit log is identified by the last entry of the page before. Every page costs the
//! same at any depth, and entries added in the meantime do not shift it.

mod query;
mod row;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;

use self::query::{AuditQuery, GROUPS, Group};
use self::row::Row;
use super::error::{PageError, PageResult};
use super::organization::{Tabs, membership, nav_entry, require_admin};
use super::view::{FormErrors, Frame, html};
use super::visitor::SignedIn;
use crate::registry::AuditFilter;
use crate::state::HubState;

/// Entries on one page.
const PAGE_SIZE: u32 = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    frame: Frame,
    scope: LogScope<'a>,
    query: AuditQuery,
    groups: &'static [Group],
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
    errors: FormErrors,
}

/// Which of the logs is shown.
struct LogScope<'a> {
    heading: String,
    explanation: &'static str,
    /// The path of the page.
    path: String,
    tabs: Option<Tabs<'a>>,
    /// For an administrator of the Hub: whether this is the whole log.
    is_whole: Option<bool>,
}

pub(super) async fn own(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
) -> PageResult {
    let frame = signed_in.frame(&state, "audit").await?;
    let scope = LogScope {
        heading: "Your audit log".to_owned(),
        explanation: "Your actions, and actions that affected you or your tokens.",
        path: "/settings/audit-log".to_owned(),
        tabs: None,
        is_whole: signed_in.session().is_administrator.then_some(false),
    };
    let user = signed_in.user();
    let filter = AuditFilter {
        user: Some(user.to_owned()),
        ..AuditFilter::default()
    };
    page(&state, frame, scope, (filter, query), Some(user)).await
}

pub(super) async fn of_organization(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let organization = &membership.organization.name;
    let frame = signed_in.frame(&state, &nav_entry(membership)).await?;
    let scope = LogScope {
        heading: format!("Audit log of {organization}"),
        explanation: "Changes to the organization, its members, its repositories, and the tokens that requested \
                      approval.",
        path: format!("/organizations/{organization}/settings/audit-log"),
        tabs: Some(Tabs::of(membership, "audit")),
        is_whole: None,
    };
    let filter = AuditFilter {
        organization: Some(organization.clone()),
        ..AuditFilter::default()
    };
    page(&state, frame, scope, (filter, query), None).await
}

/// For users who do not administer the Hub, this page does not exist.
pub(super) async fn whole(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    RawQuery(query): RawQuery,
) -> PageResult {
    if !signed_in.session().is_administrator {
        return Err(PageError::not_found());
    }
    let frame = signed_in.frame(&state, "audit").await?;
    let scope = LogScope {
        heading: "Audit log of the whole Hub".to_owned(),
        explanation: "All actions on this Hub. You can see them because you administer the Hub.",
        path: "/settings/audit-log/hub".to_owned(),
        tabs: None,
        is_whole: Some(true),
    };
    let filter = AuditFilter::default();
    page(&state, frame, scope, (filter, query), None).await
}

/// One page of a log. `reader` is the user whose own log it is.
async fn page(
    state: &HubState,
    frame: Frame,
    scope: LogScope<'_>,
    (filter, query): (AuditFilter, Option<String>),
    reader: Option<&str>,
) -> PageResult {
    let mut errors = FormErrors::default();
    let query = AuditQuery::from_query(&query.unwrap_or_default());
    let mut entries = match query.narrow(filter, &mut errors) {
        Some(filter) => {
            let filter = AuditFilter {
                // One more than is shown, to find out whether there is another page.
                limit: Some(PAGE_SIZE + 1),
                ..filter
            };
            state.registry.audit(&filter).await?
        }
        // An invalid filter must not return entries as if it had been applied.
        None => Vec::new(),
    };
    let shown = usize::try_from(PAGE_SIZE).unwrap_or(usize::MAX);
    let has_more = entries.len() > shown;
    entries.truncate(shown);
    let last = entries.last().filter(|_| has_more).map(|last| last.id);
    let page = AuditPage {
        frame,
        older: last.map(|id| query.url(&scope.path, Some(id))),
        newest: query.before.is_some().then(|| query.url(&scope.path, None)),
        rows: entries
            .into_iter()
            .map(|entry| Row::new(entry, reader))
            .collect(),
        scope,
        query,
        groups: &GROUPS,
        errors,
    };
    let status = if page.errors.0.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok(html(status, &page))
}
