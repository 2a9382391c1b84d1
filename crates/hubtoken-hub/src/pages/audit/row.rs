//! An entry of the audit log, worded for users.

use crate::pages::display_time::{DisplayTime, second};
use crate::registry::{AuditAction, AuditEntry, Subject};

pub(super) struct Row {
    pub at: DisplayTime,
    pub who: String,
    /// Whether it was done with an access token.
    pub by_token: bool,
    pub what: &'static str,
    /// The name of the action in the log.
    pub word: &'static str,
    /// The object of the action: its name, the last characters of a token, and other details.
    pub subject: String,
    pub last4: Option<String>,
    pub rest: String,
    pub address: String,
}

impl Row {
    /// `reader` is the user whose own log it is, if any.
    pub(super) fn new(entry: AuditEntry, reader: Option<&str>) -> Self {
        let is_of_another = entry
            .actor_name
            .as_deref()
            .is_some_and(|name| reader.is_some_and(|reader| reader != name));
        let address = if is_of_another {
            "not shown".to_owned()
        } else {
            entry.address.unwrap_or_else(|| "none".to_owned())
        };
        let who = match (entry.actor_name, entry.actor.as_str()) {
            (Some(name), _) => name,
            (None, "admin-key") => "The admin key".to_owned(),
            (None, "program") => "The Hub's program".to_owned(),
            (None, _) => "Not signed in".to_owned(),
        };
        let (subject, rest) = subject(&entry.subject);
        Self {
            at: second(entry.at),
            by_token: entry.actor_token.is_some(),
            what: action_label(entry.act),
            word: entry.act.as_str(),
            subject,
            last4: entry.subject.token_last4,
            rest,
            who,
            address,
        }
    }
}

/// The main object of an entry, and its other details.
fn subject(subject: &Subject) -> (String, String) {
    let all = [
        ("", subject.token_name.as_ref()),
        ("", subject.repository.as_ref()),
        ("of ", subject.user.as_ref()),
        ("in ", subject.organization.as_ref()),
    ];
    let mut named = all
        .into_iter()
        .filter_map(|(word, name)| name.map(|name| (word, name)));
    let first = named.next().map(|(_, name)| name.clone());
    let mut rest: Vec<String> = named.map(|(word, name)| format!("{word}{name}")).collect();
    if subject.repository.is_some() {
        // The name of a repository already includes its owner; the user is the one whose access to
        // it changed.
        rest.clear();
        if let Some(user) = &subject.user {
            rest.push(format!("for {user}"));
        }
    }
    if let Some(detail) = &subject.detail {
        rest.push(detail.clone());
    }
    (first.unwrap_or_default(), rest.join(", "))
}

pub(super) fn action_label(act: AuditAction) -> &'static str {
    match act {
        AuditAction::TokenCreate => "Created a token",
        AuditAction::TokenRefresh => "Refreshed a token",
        AuditAction::TokenRename => "Renamed a token",
        AuditAction::TokenChange => "Changed a token's permissions",
        AuditAction::TokenDelete => "Deleted a token",
        AuditAction::TokenRevoke => "Revoked a token by its value",
        AuditAction::ServiceAccountCreate => "Created a service account",
        AuditAction::ServiceAccountDelete => "Deleted a service account",
        AuditAction::LoginApprove => "Approved a program's login",
        AuditAction::LoginDeny => "Denied a program's login",
        AuditAction::LoginRefuse => "Refused a code or token of a login",
        AuditAction::LoginIssue => "Issued a token for a login",
        AuditAction::LoginRefresh => "Refreshed a login",
        AuditAction::LoginReplay => "Ended a login: its refresh token was used twice",
        AuditAction::LoginEnd => "Ended a login",
        AuditAction::PublisherAdd => "Added a trusted publisher",
        AuditAction::PublisherRemove => "Removed a trusted publisher",
        AuditAction::PublisherRefuse => "Refused an id token",
        AuditAction::SigningKeyRotate => "Made a new signing key",
        AuditAction::LoginSucceeded => "Signed in",
        AuditAction::LoginFailed => "Failed to sign in",
        AuditAction::Logout => "Signed out",
        AuditAction::UserCreate => "Created a user",
        AuditAction::UserPassword => "Set a password",
        AuditAction::OrganizationCreate => "Created an organization",
        AuditAction::MemberSet => "Added or changed a member",
        AuditAction::MemberRemove => "Removed a member",
        AuditAction::PolicySet => "Set the token policy",
        AuditAction::ApprovalRequest => "Requested a token's approval",
        AuditAction::ApprovalApprove => "Approved a token",
        AuditAction::ApprovalDeny => "Denied a token",
        AuditAction::ApprovalRevoke => "Revoked a token",
        AuditAction::RepositoryCreate => "Created a repository",
        AuditAction::RepositorySettings => "Changed a repository's settings",
        AuditAction::RepositoryDelete => "Deleted a repository",
        AuditAction::AccessGrant => "Granted access to a gated repository",
        AuditAction::AccessRevoke => "Revoked access to a gated repository",
        AuditAction::RepositoryUpload => "Began an upload of large files",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn entry(actor: &str, actor_name: Option<&str>, subject: Subject) -> AuditEntry {
        AuditEntry {
            id: 1,
            at: datetime!(2026-01-02 03:04:05 UTC),
            act: AuditAction::TokenCreate,
            actor: actor.to_owned(),
            actor_name: actor_name.map(ToOwned::to_owned),
            actor_token: None,
            address: Some("192.0.2.1".to_owned()),
            subject,
        }
    }

    #[test]
    fn the_address_of_others_is_theirs() {
        let address =
            |actor, name, reader| Row::new(entry(actor, name, Subject::default()), reader).address;
        assert_eq!(address("user", Some("alice"), Some("alice")), "192.0.2.1");
        assert_eq!(address("user", Some("bob"), Some("alice")), "not shown");
        // Users should see failed sign-ins to their own account.
        assert_eq!(address("nobody", None, Some("alice")), "192.0.2.1");
        assert_eq!(address("user", Some("bob"), None), "192.0.2.1");
    }

    #[test]
    fn what_it_was_done_to() {
        let parts = |subject| {
            let row = Row::new(entry("user", Some("alice"), subject), None);
            (row.subject, row.rest)
        };
        let both = |first: &str, rest: &str| (first.to_owned(), rest.to_owned());
        let token = Subject {
            token_name: Some("ci".to_owned()),
            ..Subject::user("bob")
        };
        assert_eq!(
            parts(token.in_organization("acme").with_detail("read")),
            both("ci", "of bob, in acme, read")
        );
        assert_eq!(
            parts(
                Subject::user("bob")
                    .in_organization("acme")
                    .with_detail("admin")
            ),
            both("bob", "in acme, admin")
        );
        assert_eq!(
            parts(Subject::repository("acme/m".to_owned()).in_organization("acme")),
            both("acme/m", "")
        );
        let gate = Subject {
            user: Some("bob".to_owned()),
            ..Subject::repository("acme/m".to_owned())
        };
        assert_eq!(parts(gate), both("acme/m", "for bob"));
        assert_eq!(parts(Subject::organization("acme")), both("acme", ""));
        assert_eq!(parts(Subject::default()), both("", ""));
    }
}
