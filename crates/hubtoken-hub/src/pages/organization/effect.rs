//! Previews what another token policy would do to the existing tokens.
//!
//! Fine-grained tokens scoped to the organization are listed by name, since they would appear in
//! its request list anyway. Classic read and write tokens are only counted: their names are their
//! owner's private business.

use time::OffsetDateTime;

use crate::registry::{Restriction, TokenPolicy, TokenStanding};

/// The maximum number of lines; further tokens are counted.
const MOST_LINES: usize = 20;

/// The effect on the members' tokens, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Allowed now, blocked then.
    pub shut_out: Vec<String>,
    /// Allowed now, blocked then until approved.
    pub to_be_approved: Vec<String>,
    /// Blocked now, allowed then.
    pub let_in: Vec<String>,
    /// Blocked now and then.
    pub still_out: Vec<String>,
}

impl Effect {
    pub(super) fn new(
        tokens: &[TokenStanding],
        before: TokenPolicy,
        after: TokenPolicy,
        now: OffsetDateTime,
    ) -> Self {
        let mut effect = Lists::default();
        let alive = tokens.iter().filter(|standing| {
            standing.is_concerned()
                && standing
                    .token
                    .expires_at
                    .is_none_or(|expires_at| now < expires_at)
        });
        for standing in alive {
            match (standing.restriction(before), standing.restriction(after)) {
                (None, None) => (),
                (None, Some(Restriction::NotAsked | Restriction::Pending)) => {
                    effect.to_be_approved.add(standing);
                }
                (None, Some(_)) => effect.shut_out.add(standing),
                (Some(_), None) => effect.let_in.add(standing),
                (Some(_), Some(_)) => effect.still_out.add(standing),
            }
        }
        Self {
            shut_out: effect.shut_out.lines(),
            to_be_approved: effect.to_be_approved.lines(),
            let_in: effect.let_in.lines(),
            still_out: effect.still_out.lines(),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.shut_out.is_empty() && self.to_be_approved.is_empty() && self.let_in.is_empty()
    }
}

#[derive(Default)]
struct Lists<'a> {
    shut_out: List<'a>,
    to_be_approved: List<'a>,
    let_in: List<'a>,
    still_out: List<'a>,
}

/// Tokens in their original order, which is by user.
#[derive(Default)]
struct List<'a> {
    named: Vec<&'a TokenStanding>,
    counted: Vec<(&'a str, usize)>,
}

impl<'a> List<'a> {
    fn add(&mut self, standing: &'a TokenStanding) {
        if !standing.scopes.is_empty() {
            self.named.push(standing);
            return;
        }
        match self.counted.last_mut() {
            Some((user, count)) if *user == standing.user => *count += 1,
            _ => self.counted.push((&standing.user, 1)),
        }
    }

    fn lines(self) -> Vec<String> {
        let named = self.named.iter().map(|standing| {
            let token = &standing.token;
            format!(
                "“{}”, hf_…{}, of {}",
                token.name, token.last4, standing.user
            )
        });
        let counted = self.counted.iter().map(|(user, count)| match count {
            1 => format!("1 token of {user} that is not scoped to this organization"),
            _ => format!("{count} tokens of {user} that are not scoped to this organization"),
        });
        let count = self.named.len() + self.counted.len();
        let mut lines: Vec<String> = named.chain(counted).take(MOST_LINES).collect();
        if count > MOST_LINES {
            lines.push(format!("and {} more", count - MOST_LINES));
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

    fn standing(user: &str, name: &str, role: GrantedRole) -> TokenStanding {
        TokenStanding {
            user: user.to_owned(),
            role_in_organization: OrganizationRole::Write,
            scopes: match &role {
                GrantedRole::FineGrained(fine) => fine.scoped.clone(),
                GrantedRole::Read | GrantedRole::Write => Vec::new(),
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

    fn effect(tokens: &[TokenStanding], before: TokenPolicy, after: TokenPolicy) -> Effect {
        Effect::new(tokens, before, after, NOW)
    }

    #[test]
    fn each_token_is_told_once_and_by_name_only_if_it_is_meant_for_here() {
        let tokens = [
            standing("alice", "secret project", GrantedRole::Read),
            standing("alice", "other project", GrantedRole::Write),
            standing("bob", "ci", fine()),
            standing("bob", "laptop", GrantedRole::Write),
        ];
        let found = effect(&tokens, TokenPolicy::AllowAll, TokenPolicy::RequireApproval);
        assert_eq!(
            found.shut_out,
            [
                "2 tokens of alice that are not scoped to this organization",
                "1 token of bob that is not scoped to this organization"
            ]
        );
        assert_eq!(found.to_be_approved, ["“ci”, hf_…last, of bob"]);
        assert_eq!((found.let_in.len(), found.still_out.len()), (0, 0));
        let back = effect(&tokens, TokenPolicy::FineGrainedOnly, TokenPolicy::AllowAll);
        assert_eq!(back.let_in, found.shut_out);
        assert!(effect(&tokens, TokenPolicy::AllowAll, TokenPolicy::AllowAll).is_nothing());
    }

    #[test]
    fn what_can_do_nothing_here_is_left_out() {
        let mut dead = standing("bob", "dead", GrantedRole::Write);
        dead.token.expires_at = Some(NOW);
        let mut outsider = standing("carol", "x", GrantedRole::Write);
        outsider.role_in_organization = OrganizationRole::NoAccess;
        let mut elsewhere = standing("bob", "elsewhere", fine());
        if let GrantedRole::FineGrained(fine) = &mut elsewhere.token.role {
            fine.scoped.clear();
        }
        elsewhere.scopes.clear();
        let found = effect(
            &[dead, outsider, elsewhere],
            TokenPolicy::AllowAll,
            TokenPolicy::RequireApproval,
        );
        assert_eq!(found, Effect::default());
    }

    #[test]
    fn what_was_decided_counts() {
        let with = |status| {
            let mut token = standing("bob", "ci", fine());
            token.status = Some(status);
            [token]
        };
        let asked = |status| {
            effect(
                &with(status),
                TokenPolicy::AllowAll,
                TokenPolicy::RequireApproval,
            )
        };
        assert!(asked(ApprovalStatus::Approved).is_nothing());
        assert_eq!(asked(ApprovalStatus::Pending).to_be_approved.len(), 1);
        assert_eq!(asked(ApprovalStatus::Denied).shut_out.len(), 1);
        assert_eq!(asked(ApprovalStatus::Revoked).still_out.len(), 1);
    }

    #[test]
    fn a_long_list_is_cut_short() {
        let tokens: Vec<TokenStanding> = (0..25)
            .map(|number| standing("bob", &number.to_string(), fine()))
            .collect();
        let found = effect(&tokens, TokenPolicy::AllowAll, TokenPolicy::RequireApproval);
        assert_eq!(found.to_be_approved.len(), MOST_LINES + 1);
        assert_eq!(
            found.to_be_approved.last().map(String::as_str),
            Some("and 5 more")
        );
    }
}
