//! What would narrow the token in use: `hubtoken status --advice`.
//!
//! Each advice compares what is known of the token with what is known of its use: what the project
//! requires, and where the token comes from. Where nothing is known, nothing is advised.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::context::Context;
use super::layout::Layout;
use super::stored::Stored;
use super::token_context;
use crate::credential::Credential;
use crate::identity::model::Identity;
use crate::login::tokens_page;
use crate::repository::RepositoryType;
use crate::requested_access::RequestedAccess;
use crate::role::Role;
use crate::sanitize::redacted;

/// How many findings about a token are listed.
const SHOWN: usize = 3;

/// A way to narrow the token in use.
pub struct Advice {
    /// What it is about, as one word.
    about: &'static str,
    /// What is too much, and what to do, as a sentence without the final period.
    text: String,
    /// Where the narrower token is created.
    url: Option<String>,
}

/// What is known of the token in use.
pub struct TokenInUse<'a> {
    pub credential: &'a Credential,
    pub identity: &'a Identity,
    pub stored: Option<&'a Stored>,
    /// The earliest known expiry.
    pub end: Option<OffsetDateTime>,
}

impl Advice {
    /// All advice about a token in this folder.
    pub fn about(token: &TokenInUse<'_>, context: &Context<'_>) -> Vec<Self> {
        let defaults = token_context::defaults(context).unwrap_or_default();
        let need = Need::of(defaults.role, defaults.repo);
        let found = [
            need.as_ref().and_then(|need| need.excess(token)),
            end(token, need.as_ref()),
            sharing(token, need.as_ref()),
            copies(token),
        ];
        found.into_iter().flatten().collect()
    }

    pub fn to_json(&self) -> Value {
        json!({ "about": self.about, "text": self.text, "url": self.url })
    }

    /// Adds it to a page.
    pub fn show(&self, page: &mut Layout) {
        let url = self.url.as_deref();
        let url = url.map_or_else(String::new, |url| format!(": {url}"));
        page.row("advice", &redacted(&format!("{}{url}", self.text)));
    }
}

/// What the project of this folder requires.
struct Need {
    role: Role,
    repo: Option<String>,
    access: RequestedAccess,
}

impl Need {
    fn of(role: Option<Role>, repo: Option<String>) -> Option<Self> {
        let role = role?;
        let repository = repo.clone().map(|repo| (repo, RepositoryType::Model));
        let access = RequestedAccess::new(Some(role), repository, &[]).ok()??;
        Some(Self { role, repo, access })
    }

    /// "`read` on acme/model".
    fn words(&self) -> String {
        let repo = self.repo.as_deref();
        let repo = repo.map_or_else(String::new, |repo| format!(" on {repo}"));
        format!("`{}`{repo}", self.role.name())
    }

    fn page(&self, token: &TokenInUse<'_>) -> String {
        let user = &token.identity.user;
        let is_user = |name: &str| name.eq_ignore_ascii_case(user);
        self.access.page(&token.credential.endpoint, is_user)
    }

    /// What the token can do beyond the need.
    fn excess(&self, token: &TokenInUse<'_>) -> Option<Advice> {
        let mut excess = self.access.excess(token.identity, false);
        if excess.is_empty() {
            return None;
        }
        let more = excess.len().saturating_sub(SHOWN);
        excess.truncate(SHOWN);
        let more = match more {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Some(Advice {
            about: "access",
            text: format!(
                "this project needs {}, and the token can do more: {}{more}. A narrower one",
                self.words(),
                excess.join("; ")
            ),
            url: Some(self.page(token)),
        })
    }
}

/// A token that stays valid until somebody deletes it.
fn end(token: &TokenInUse<'_>, need: Option<&Need>) -> Option<Advice> {
    // A service account's token has no end by design, and what renews itself has one.
    let is_own = token.identity.kind.as_str() == "user" && token.identity.token_name.is_some();
    if token.end.is_some() || token.credential.renews_itself() || !is_own {
        return None;
    }
    Some(Advice {
        about: "end",
        text: "the token never expires: if it leaks, it works until somebody notices. One with an \
               end"
        .to_owned(),
        url: Some(match need {
            Some(need) => need.page(token),
            None => tokens_page(&token.credential.endpoint),
        }),
    })
}

/// The active token, which all projects use, in a project that has needs of its own.
fn sharing(token: &TokenInUse<'_>, need: Option<&Need>) -> Option<Advice> {
    let need = need?;
    token.credential.source.origin().file()?;
    Some(Advice {
        about: "sharing",
        text: format!(
            "this is the active token, which every project on this machine uses. One for this \
             project alone, which `hubtoken login --role {}{}` stores and `hubtoken use NAME` selects",
            need.role.name(),
            match &need.repo {
                Some(repo) => format!(" --repo {repo}"),
                None => String::new(),
            }
        ),
        url: Some(need.page(token)),
    })
}

/// A token that is stored under several names, so that several uses share it.
fn copies(token: &TokenInUse<'_>) -> Option<Advice> {
    let stored = token.stored?.with_value(&token.credential.token);
    let names: Vec<String> = stored.map(|entry| format!("`{}`", entry.name)).collect();
    (names.len() > 1).then(|| Advice {
        about: "sharing",
        text: format!(
            "the same token is stored as {}: revoking it for one use revokes it for all. A token \
             for each",
            names.join(" and ")
        ),
        url: Some(tokens_page(&token.credential.endpoint)),
    })
}
