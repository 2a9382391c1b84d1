//! Previews what another token policy would do to the existing tokens.
//!
//! Fine-grained tokens scoped to the organization are listed by name, since they would appear in
//! its request list anyway. Classic read and write tokens are only counted: their names are their
//! owner's private business.

use time::OffsetDateTime;

use crate::registry::{MemberTokenStatus, Restriction, TokenPolicy};

/// The maximum number of lines; further tokens are counted.
const MAX_LINES: usize = 20;

/// The effect on the members' tokens, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PolicyPreview {
    /// Allowed now, blocked then.
    pub blocked: Vec<String>,
    /// Allowed now, blocked then until approved.
    pub needs_approval: Vec<String>,
    /// Blocked now, allowed then.
    pub allowed: Vec<String>,
    /// Blocked now and then.
    pub still_blocked: Vec<String>,
}

impl PolicyPreview {
    pub(super) fn new(
        tokens: &[MemberTokenStatus],
        before: TokenPolicy,
        after: TokenPolicy,
        now: OffsetDateTime,
    ) -> Self {
        let mut lists = Lists::default();
        let unexpired = tokens.iter().filter(|member_token| {
            member_token.is_subject_to_policy()
                && member_token
                    .token
                    .expires_at
                    .is_none_or(|expires_at| now < expires_at)
        });
        for member_token in unexpired {
            match (
                member_token.restriction(before),
                member_token.restriction(after),
            ) {
                (None, None) => (),
                (None, Some(Restriction::NotRequested | Restriction::Pending)) => {
                    lists.needs_approval.add(member_token);
                }
                (None, Some(_)) => lists.blocked.add(member_token),
                (Some(_), None) => lists.allowed.add(member_token),
                (Some(_), Some(_)) => lists.still_blocked.add(member_token),
            }
        }
        Self {
            blocked: lists.blocked.lines(),
            needs_approval: lists.needs_approval.lines(),
            allowed: lists.allowed.lines(),
            still_blocked: lists.still_blocked.lines(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocked.is_empty() && self.needs_approval.is_empty() && self.allowed.is_empty()
    }
}

#[derive(Default)]
struct Lists<'a> {
    blocked: List<'a>,
    needs_approval: List<'a>,
    allowed: List<'a>,
    still_blocked: List<'a>,
}

/// Tokens in their original order, which is by user.
#[derive(Default)]
struct List<'a> {
    named: Vec<&'a MemberTokenStatus>,
    counted: Vec<(&'a str, usize)>,
}

impl<'a> List<'a> {
    fn add(&mut self, member_token: &'a MemberTokenStatus) {
        if !member_token.scopes.is_empty() {
            self.named.push(member_token);
            return;
        }
        match self.counted.last_mut() {
            Some((user, count)) if *user == member_token.user => *count += 1,
            _ => self.counted.push((&member_token.user, 1)),
        }
    }

    fn lines(self) -> Vec<String> {
        let named = self.named.iter().map(|member_token| {
            let token = &member_token.token;
            format!(
                "“{}”, hf_…{}, of {}",
                token.name, token.last4, member_token.user
            )
        });
        let counted = self.counted.iter().map(|(user, count)| match count {
            1 => format!("1 token of {user} that is not scoped to this organization"),
            _ => format!("{count} tokens of {user} that are not scoped to this organization"),
        });
        let count = self.named.len() + self.counted.len();
        let mut lines: Vec<String> = named.chain(counted).take(MAX_LINES).collect();
        if count > MAX_LINES {
            lines.push(format!("and {} more", count - MAX_LINES));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{
        ApprovalStatus, Entity, EntityType, FineGrained, GrantedRole, GrantedScope,
        OrganizationRole, TokenInfo,
    };
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn member_token(user: &str, name: &str, role: GrantedRole) -> MemberTokenStatus {
        MemberTokenStatus {
            user: user.to_owned(),
            role_in_organization: OrganizationRole::Write,
            scopes: match &role {
                GrantedRole::FineGrained(fine) => fine.scoped.clone(),
                GrantedRole::Read
                | GrantedRole::Write
                | GrantedRole::Login(_)
                | GrantedRole::Repository(_) => Vec::new(),
            },
            token: TokenInfo {
                id: name.to_owned(),
                name: name.to_owned(),
                role,
                last4: "last".to_owned(),
                created_at: NOW,
                last_used_at: None,
                expires_at: None,
                inference_requests: 0,
            },
            status: None,
        }
    }

    fn fine() -> GrantedRole {
        GrantedRole::FineGrained(FineGrained {
            can_read_gated_repos: false,
            global: Vec::new(),
            scoped: vec![GrantedScope {
                entity: Entity {
                    kind: EntityType::Org,
                    id: "1".to_owned(),
                    name: "acme".to_owned(),
                },
                permissions: vec!["repo.write".to_owned()],
            }],
        })
    }

    fn lists(
        tokens: &[MemberTokenStatus],
        before: TokenPolicy,
        after: TokenPolicy,
    ) -> PolicyPreview {
        PolicyPreview::new(tokens, before, after, NOW)
    }

    #[test]
    fn each_token_is_told_once_and_by_name_only_if_it_is_meant_for_here() {
        let tokens = [
            member_token("alice", "secret project", GrantedRole::Read),
            member_token("alice", "other project", GrantedRole::Write),
            member_token("bob", "ci", fine()),
            member_token("bob", "laptop", GrantedRole::Write),
        ];
        let found = lists(&tokens, TokenPolicy::AllowAll, TokenPolicy::RequireApproval);
        assert_eq!(
            found.blocked,
            [
                "2 tokens of alice that are not scoped to this organization",
                "1 token of bob that is not scoped to this organization"
            ]
        );
        assert_eq!(found.needs_approval, ["“ci”, hf_…last, of bob"]);
        assert_eq!((found.allowed.len(), found.still_blocked.len()), (0, 0));
        let back = lists(&tokens, TokenPolicy::FineGrainedOnly, TokenPolicy::AllowAll);
        assert_eq!(back.allowed, found.blocked);
        assert!(lists(&tokens, TokenPolicy::AllowAll, TokenPolicy::AllowAll).is_empty());
    }

    #[test]
    fn what_can_do_nothing_here_is_left_out() {
        let mut dead = member_token("bob", "dead", GrantedRole::Write);
        dead.token.expires_at = Some(NOW);
        let mut outsider = member_token("carol", "x", GrantedRole::Write);
        outsider.role_in_organization = OrganizationRole::NoAccess;
        let mut elsewhere = member_token("bob", "elsewhere", fine());
        if let GrantedRole::FineGrained(fine) = &mut elsewhere.token.role {
            fine.scoped.clear();
        }
        elsewhere.scopes.clear();
        let found = lists(
            &[dead, outsider, elsewhere],
            TokenPolicy::AllowAll,
            TokenPolicy::RequireApproval,
        );
        assert_eq!(found, PolicyPreview::default());
    }

    #[test]
    fn what_was_decided_counts() {
        let with = |status| {
            let mut token = member_token("bob", "ci", fine());
            token.status = Some(status);
            [token]
        };
        let with_status = |status| {
            lists(
                &with(status),
                TokenPolicy::AllowAll,
                TokenPolicy::RequireApproval,
            )
        };
        assert!(with_status(ApprovalStatus::Approved).is_empty());
        assert_eq!(with_status(ApprovalStatus::Pending).needs_approval.len(), 1);
        assert_eq!(with_status(ApprovalStatus::Denied).blocked.len(), 1);
        assert_eq!(with_status(ApprovalStatus::Revoked).still_blocked.len(), 1);
    }

    #[test]
    fn a_long_list_is_cut_short() {
        let tokens: Vec<MemberTokenStatus> = (0..25)
            .map(|number| member_token("bob", &number.to_string(), fine()))
            .collect();
        let found = lists(&tokens, TokenPolicy::AllowAll, TokenPolicy::RequireApproval);
        assert_eq!(found.needs_approval.len(), MAX_LINES + 1);
        assert_eq!(
            found.needs_approval.last().map(String::as_str),
            Some("and 5 more")
        );
    }
}
