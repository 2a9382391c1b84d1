//! What would narrow the token in use: `hubtoken status --advice`.
//!
//! Each advice compares what is known of the token with what is known of its use: what the project
//! requires in its configuration, what it has asked for so far ([`crate::project_uses`]), and where
//! the token comes from. Where nothing is known, nothing is advised.

use std::path::Path;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::context::Context;
use super::layout::Layout;
use super::stored::Stored;
use super::token_context;
use crate::credential::Credential;
use crate::identity::Settings;
use crate::identity::model::Identity;
use crate::login::tokens_page;
use crate::paths::home;
use crate::project_uses::{ProjectUse, ProjectUses, project_of};
use crate::repository::RepositoryType;
use crate::requested_access::RequestedAccess;
use crate::require::Requirement;
use crate::resolve::project_defaults::Defaults;
use crate::role::Required;
use crate::sanitize::{redacted, redacted_path};

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
        let uses = ProjectUses::of(&Settings::read(context.environment));
        let uses = uses.map(|uses| uses.read()).unwrap_or_default();
        let home = home(context.environment);
        let folder = context.folder.as_deref();
        let project = folder.map(|folder| project_of(folder, home.as_deref()));
        let need = Need::of(&defaults, project, &uses, token.credential);
        let found = [
            need.as_ref().and_then(|need| need.excess(token)),
            end(token, need.as_ref()),
            projects(token, project, &uses).or_else(|| sharing(token, need.as_ref())),
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
    access: RequestedAccess,
    /// Whether some of it is known only because it was asked for.
    was_asked: bool,
}

impl Need {
    fn of(
        defaults: &Defaults,
        project: Option<&Path>,
        uses: &[ProjectUse],
        credential: &Credential,
    ) -> Option<Self> {
        let from_file = defaults.role.map(|role| Requirement {
            required: Required::Role(role),
            repository: defaults
                .repo
                .clone()
                .map(|repo| (repo, RepositoryType::Model)),
            namespace: None,
            must_exist: false,
            needed_until: None,
        });
        let mut requirements: Vec<Requirement> = from_file.into_iter().collect();
        let configured = requirements.len();
        for each in uses {
            let is_here = Some(each.project.as_path()) == project;
            if is_here && each.endpoint == credential.endpoint {
                let is_same = |known: &Requirement| {
                    known.required == each.requirement.required
                        && known.repository == each.requirement.repository
                        && known.namespace == each.requirement.namespace
                };
                if !requirements.iter().any(is_same) {
                    requirements.push(each.requirement.clone());
                }
            }
        }
        let was_asked = requirements.len() > configured;
        let access = RequestedAccess::of(requirements)?;
        Some(Self { access, was_asked })
    }

    /// "`read` on acme/model".
    fn words(&self) -> String {
        let requirements = self.access.requirements();
        let mut words: Vec<String> = requirements.iter().take(SHOWN).map(wanted).collect();
        if requirements.len() > SHOWN {
            words.push(format!("{} more", requirements.len() - SHOWN));
        }
        words.join(" and ")
    }

    /// The login that stores a token for it, if one command can say it.
    fn login(&self) -> Option<String> {
        let [only] = self.access.requirements() else {
            return None;
        };
        let Required::Role(role) = &only.required else {
            return None;
        };
        let repo = only.repository.as_ref();
        let repo = repo.map(|repo| format!(" --repo {}", written(repo)));
        Some(format!(
            "hubtoken login --role {}{}",
            role.name(),
            repo.unwrap_or_default()
        ))
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
                "this project {} {}, and the token can do more: {}{more}. A narrower one",
                if self.was_asked {
                    "has asked for"
                } else {
                    "needs"
                },
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

/// "`write` on acme/model", or without a place.
fn wanted(requirement: &Requirement) -> String {
    let place = match (&requirement.repository, &requirement.namespace) {
        (Some(repo), _) => format!(" on {}", written(repo)),
        (None, Some(namespace)) => format!(" on {namespace}"),
        (None, None) => String::new(),
    };
    format!("`{}`{place}", requirement.required.name())
}

/// A repository as commands take it: with its type, if it has a namespace.
fn written((repo, kind): &(String, RepositoryType)) -> String {
    if repo.contains('/') {
        format!("{}{repo}", kind.prefix())
    } else {
        repo.clone()
    }
}

/// The active token, which all projects use, in a project that has needs of its own.
fn sharing(token: &TokenInUse<'_>, need: Option<&Need>) -> Option<Advice> {
    let need = need?;
    token.credential.source.origin().file()?;
    let how = match need.login() {
        Some(login) => format!(", which `{login}` stores and `hubtoken use NAME` selects"),
        None => ", which `hubtoken use NAME` selects".to_owned(),
    };
    Some(Advice {
        about: "sharing",
        text: format!(
            "this is the active token, which every project on this machine uses. One for this \
             project alone{how}"
        ),
        url: Some(need.page(token)),
    })
}

/// A token that several projects have used.
fn projects(token: &TokenInUse<'_>, here: Option<&Path>, uses: &[ProjectUse]) -> Option<Advice> {
    let mut others: Vec<&Path> = uses
        .iter()
        .filter(|each| each.is_of(token.credential))
        .map(|each| each.project.as_path())
        .filter(|project| Some(*project) != here)
        .collect();
    others.dedup();
    let more = others.len().saturating_sub(SHOWN);
    let mut names: Vec<String> = others
        .iter()
        .take(SHOWN)
        .map(|path| redacted_path(path))
        .collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    (!names.is_empty()).then(|| Advice {
        about: "sharing",
        text: format!(
            "the token is also used in {}: if one project leaks it, all of them need another. One \
             for each project, which `hubtoken use NAME` selects",
            names.join(" and ")
        ),
        url: Some(tokens_page(&token.credential.endpoint)),
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
