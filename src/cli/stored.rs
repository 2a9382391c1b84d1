//! The stored tokens as `list`, `status` and `logout` show them.
//!
//! All three say which token is used when none is given, and what is known about each stored one. A
//! shared source keeps them from contradicting each other.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::context::Context;
use super::identity::timestamp;
use super::token_context::{self, Without};
use crate::error::Error;
use crate::identity::Settings;
use crate::identity::client::Client;
use crate::login;
use crate::paths::{self, Paths};
use crate::resolve::in_effect::{InEffect, notebook_around};
use crate::sanitize::redacted;
use crate::source::Source;
use crate::store::Entry;
use crate::token::Token;

/// The stored tokens, and which token is in effect.
pub struct Stored {
    /// The stored tokens, in file order.
    pub entries: Vec<Entry>,
    in_effect: Result<InEffect, Error>,
    path: PathBuf,
    token_path: Option<PathBuf>,
    /// The same path, for display.
    pub place: String,
}

impl Stored {
    /// Reads the files. What this machine has learned about the tokens since they were stored is
    /// shown in place of what was recorded then.
    ///
    /// # Errors
    ///
    /// The files cannot be read.
    pub fn read(context: &Context<'_>, client: &Client) -> Result<Self, Error> {
        let token_store = token_context::token_store(context)?;
        let mut entries = token_store.list()?.collect::<Result<Vec<_>, _>>()?;
        let settings = Settings::read(context.environment);
        for entry in &mut entries {
            update(entry, client, &settings);
        }
        // Without a home folder there is none, and no entry that it would be shown for.
        let path = token_store.path().unwrap_or(Path::new(""));
        Ok(Self {
            entries,
            in_effect: token_context::in_effect(context),
            path: path.to_owned(),
            token_path: Paths::new(context.environment).token,
            place: paths::display(path, paths::home(context.environment).as_deref()),
        })
    }

    /// Whether a stored token is the one that is used when none is given.
    pub fn is_active(&self, entry: &Entry) -> bool {
        let Ok(in_effect) = &self.in_effect else {
            return false;
        };
        match &entry.token {
            Ok(token) => in_effect.is(token),
            Err(_) => in_effect.is_in_keyring(entry),
        }
    }

    /// The stored tokens with the value of `token`.
    pub fn with_value(&self, token: &Token) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| match &entry.token {
            Ok(stored) => stored == token,
            Err(_) => entry.keyring == Some(token.digest()),
        })
    }

    /// The token in effect as JSON: its mask and its source.
    pub fn in_effect_json(&self) -> Value {
        let Ok(in_effect) = &self.in_effect else {
            return Value::Null;
        };
        in_effect.source().map_or(Value::Null, |source| {
            let mask = in_effect.credential().map(|found| found.token.mask());
            json!({ "mask": mask, "source": source.to_string() })
        })
    }

    /// The stored tokens as JSON.
    pub fn to_json(&self) -> Value {
        self.entries
            .iter()
            .map(|entry| {
                json!({
                    "name": redacted(&entry.name),
                    "mask": entry.token.as_ref().ok().map(Token::mask),
                    "user": entry.user,
                    "role": entry.role,
                    "endpoint": entry.endpoint.as_str(),
                    "created_at": entry.created_at.and_then(moment).and_then(timestamp),
                    "expires_at": entry.expires_at.and_then(moment).and_then(timestamp),
                    "renewable": entry.renewable,
                    "active": self.is_active(entry),
                    "selected": entry.active,
                    "verified": entry.verified,
                    "stored_in": self.path.display().to_string(),
                    "keyring": entry.keyring.is_some(),
                    "problem": match &entry.token {
                        Err(problem) if entry.keyring.is_none() => Some(problem.to_string()),
                        _ => None,
                    },
                })
            })
            .collect()
    }

    /// What counts if it is not simply the selected token, as a sentence without the final period.
    pub fn note(&self, context: &Context<'_>) -> Option<String> {
        let in_effect = match &self.in_effect {
            Ok(in_effect) => in_effect,
            Err(error) => return Some(format!("which token is used here cannot be told: {error}")),
        };
        if let InEffect::Disabled = in_effect {
            let reason = "HF_HUB_DISABLE_IMPLICIT_TOKEN is set: no token is used unless a program \
                          asks for one";
            return Some(reason.to_owned());
        }
        let Some(description) = in_effect.describe() else {
            return self.note_of_none(context);
        };
        let credential = in_effect.credential();
        let name = credential
            .and_then(|found| self.with_value(&found.token).next())
            .map(|entry| redacted(&entry.name));
        let file = in_effect.source().and_then(Source::file);
        if file.is_some() && file == self.token_path.as_deref() {
            return match name {
                Some(_) => None,
                None => Some(format!(
                    "{description} is what counts here; it is not stored under a name"
                )),
            };
        }
        let stored = match name {
            Some(name) => format!("is what counts here; it is stored as `{name}`"),
            None => "is what counts here, and not a stored token".to_owned(),
        };
        let otherwise = self.otherwise(context, in_effect);
        Some(format!(
            "{description} {stored}{}",
            otherwise.unwrap_or_default()
        ))
    }

    /// What would count without the variable or the project's file that comes first: ". Without
    /// that, `ci` would". `None` if that cannot be told.
    fn otherwise(&self, context: &Context<'_>, in_effect: &InEffect) -> Option<String> {
        let without = match in_effect.source()? {
            Source::Environment(_) | Source::Placed { .. } => Without::Variables,
            Source::Configuration { file, .. }
                if !token_context::is_users_configuration(context, file) =>
            {
                Without::Project
            }
            _ => return None,
        };
        let next = match token_context::in_effect_without(context, without) {
            Ok(next) => next,
            Err(error) => return Some(format!(". Without that, there would be an error: {error}")),
        };
        let token = next.credential().map(|next| &next.token);
        if token.is_some_and(|token| in_effect.is(token)) {
            return None;
        }
        let entry = token.and_then(|token| self.with_value(token).next());
        let name = entry.map(|entry| format!("`{}`", redacted(&entry.name)));
        let what = name.or_else(|| next.describe())?;
        Some(format!(". Without that, {what} would"))
    }

    fn note_of_none(&self, context: &Context<'_>) -> Option<String> {
        if let Some(notebook) = notebook_around(context.environment) {
            return Some(format!(
                "no token is active here. In the {notebook} notebook itself its secret HF_TOKEN \
                 counts, if it has one; a command cannot read it"
            ));
        }
        (!self.entries.is_empty()).then(|| format!("no token is active. {}", self.how_to_select()))
    }

    /// Which token counts after a logout, as a sentence without the final period.
    pub fn after_logout(&self, context: &Context<'_>, removed_active: bool) -> String {
        match self.in_effect.as_ref().map(InEffect::describe) {
            Err(error) => format!("which token is used here now cannot be told: {error}"),
            Ok(Some(description)) if removed_active => {
                format!("{description} is what counts here now")
            }
            Ok(Some(description)) => format!("{description} is what counts here, as before"),
            Ok(None) => self
                .note(context)
                .unwrap_or_else(|| "no token is active".to_owned()),
        }
    }

    /// How to make one of the stored tokens the active one.
    pub fn how_to_select(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .map(|entry| format!("`{}`", redacted(&entry.name)))
            .collect();
        format!(
            "Select a stored one with `hubtoken switch NAME`: {}",
            names.join(", ")
        )
    }
}

/// A time in Unix seconds.
pub fn moment(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// Replaces what was recorded at login by what this machine has learned since.
fn update(entry: &mut Entry, client: &Client, settings: &Settings) {
    let digest = entry.token.as_ref().map(Token::digest).ok();
    let Some(digest) = entry.keyring.or(digest) else {
        return;
    };
    let Some(known) = client.known(digest, &entry.endpoint, settings) else {
        return;
    };
    let known = login::metadata(&known);
    entry.user = known.user;
    entry.role = known.role;
    entry.created_at = known.created_at;
    entry.expires_at = entry.expires_at.into_iter().chain(known.expires_at).min();
    entry.verified = Some(true);
}
