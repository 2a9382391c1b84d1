//! The service accounts of one organization.
//!
//! Accounts and tokens may be given by ID or by display name. A name is looked up first, and must
//! be the only one of its kind: a change never hits another account than the one that was meant.
//!
//! Source: the Hub's `OpenAPI` document, `/api/organizations/{name}/service-accounts`.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::hub_api::{HubApi, Operation};
use super::name_lookup::only;
use super::service_account::{AccountToken, ServiceAccount, id, is_object_id, last_characters};
use super::token_change::TokenChange;
use crate::credential::Credential;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::http::{Response, Settings};
use crate::identity::client::Client;
use crate::interrupt::Interrupt;
use crate::repository::RepositoryType;
use crate::sanitize::contains_secret;
use crate::source::Source;
use crate::target::Target;
use crate::token::Token;

const READ: &str = "org.serviceAccounts.read";
const WRITE: &str = "org.serviceAccounts.write";

/// The service accounts of one organization, as one token may see and change them.
pub struct ServiceAccounts {
    api: HubApi,
    organization: String,
}

/// A token with its value, which the Hub shows only once.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token. Its source is this call.
    pub credential: Arc<Credential>,
    /// What the Hub says about it.
    pub info: AccountToken,
}

/// The answer to a creation or a rotation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedAnswer {
    token: String,
    #[serde(default)]
    token_info: Value,
}

impl ServiceAccounts {
    /// The service accounts of an organization. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if no organization can have the name.
    pub fn new(
        client: &Client,
        credential: Arc<Credential>,
        settings: Settings,
        organization: &str,
        timeout: Duration,
    ) -> Result<Self, Error> {
        Target::namespace_named(organization)?;
        Ok(Self {
            api: HubApi::new(client, credential, settings, timeout),
            organization: organization.to_owned(),
        })
    }

    /// All accounts, oldest first, without their tokens.
    ///
    /// # Errors
    ///
    /// [`Error::AccessDenied`] if the token may not see them, [`Error::InvalidToken`],
    /// [`Error::Hub`] if there is no such organization, [`Error::Unknown`] without an answer.
    pub fn list(&self, interrupt: &dyn Interrupt) -> Result<Vec<ServiceAccount>, Error> {
        let operation = self.reading("list the service accounts of");
        let answer = self.get(&operation, &[], interrupt)?;
        let value: Vec<Value> = parsed(&answer, |_| Some(()))
            .and_then(|(value, ())| serde_json::from_value(value).ok())
            .ok_or_else(|| self.api.unreadable(&operation, &answer))?;
        Ok(value.iter().filter_map(ServiceAccount::parse).collect())
    }

    /// An account with its tokens.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list), and [`Error::Hub`] if there is no such account or more than one.
    pub fn get_account(
        &self,
        account: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<ServiceAccount, Error> {
        let id = self.account_id(account, interrupt)?;
        let operation = self.reading("show a service account of");
        let answer = self.get(&operation, &[&id], interrupt)?;
        parsed(&answer, ServiceAccount::parse)
            .map(|(_, account)| account)
            .ok_or_else(|| self.api.unreadable(&operation, &answer))
    }

    /// Creates an account without tokens.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list), and [`Error::Hub`] if the Hub refuses the name.
    pub fn create(
        &self,
        name: &str,
        description: Option<&str>,
        interrupt: &dyn Interrupt,
    ) -> Result<ServiceAccount, Error> {
        check_shown("name", Some(name))?;
        check_shown("description", description)?;
        let operation = Operation {
            lost: Some(format!(
                "The service account may have been created: list those of {} before trying again",
                self.organization
            )),
            ..self.writing("create a service account of")
        };
        let mut body = json!({ "name": name });
        if let Some(description) = description {
            body["description"] = description.into();
        }
        let answer = self.send(&operation, Method::POST, &[], Some(body), interrupt)?;
        parsed(&answer, ServiceAccount::parse)
            .map(|(_, account)| account)
            .ok_or_else(|| self.api.unreadable(&operation, &answer))
    }

    /// Deletes an account and all of its tokens, which end at once. Returns its ID.
    ///
    /// # Errors
    ///
    /// As for [`get_account`](Self::get_account).
    pub fn delete(&self, account: &str, interrupt: &dyn Interrupt) -> Result<String, Error> {
        let id = self.account_id(account, interrupt)?;
        let operation = self.writing("delete a service account of");
        self.send(&operation, Method::DELETE, &[&id], None, interrupt)?;
        Ok(id)
    }

    /// Creates a token. The value is in this answer and nowhere else, so the call cannot be
    /// interrupted.
    ///
    /// # Errors
    ///
    /// As for [`get_account`](Self::get_account), and [`Error::Hub`] if the Hub refuses a property.
    /// If the answer is lost, the error says that there may be a token whose value nobody knows.
    pub fn create_token(
        &self,
        account: &str,
        token: TokenChange,
        interrupt: &dyn Interrupt,
    ) -> Result<IssuedToken, Error> {
        let name = token.name.clone().unwrap_or_default();
        let body = self.body(token, interrupt)?;
        let account = self.account_id(account, interrupt)?;
        let operation = Operation {
            lost: Some(
                "The token may have been created, with a value that nobody knows: look through \
                 the account's tokens, delete it, and try again"
                    .to_owned(),
            ),
            ..self.writing("create a token of a service account of")
        };
        let path = [account.as_str(), "tokens"];
        let answer = self.send(&operation, Method::POST, &path, Some(body), interrupt)?;
        self.issued(&operation, answer, |info| {
            info.unwrap_or_else(|| AccountToken::unidentified(name))
        })
    }

    /// Changes a token's name or permissions, which apply at once.
    ///
    /// # Errors
    ///
    /// As for [`create_token`](Self::create_token).
    pub fn change_token(
        &self,
        account: &str,
        token: &str,
        change: TokenChange,
        interrupt: &dyn Interrupt,
    ) -> Result<AccountToken, Error> {
        let body = self.body(change, interrupt)?;
        let [account, token] = self.token_ids(account, token, interrupt)?;
        let operation = self.writing("change a token of a service account of");
        let path = [account.as_str(), "tokens", token.as_str()];
        let answer = self.send(&operation, Method::PATCH, &path, Some(body), interrupt)?;
        parsed(&answer, AccountToken::parse)
            .map(|(_, token)| token)
            .ok_or_else(|| self.api.unreadable(&operation, &answer))
    }

    /// Gives a token a new value. The old one ends at once, so the call cannot be interrupted.
    ///
    /// # Errors
    ///
    /// As for [`create_token`](Self::create_token).
    pub fn rotate_token(
        &self,
        account: &str,
        token: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<IssuedToken, Error> {
        let account = self.get_account(account, interrupt)?;
        self.rotate_known(&account, account.token(token)?, interrupt)
    }

    /// The same for a token of an account that was read before.
    ///
    /// # Errors
    ///
    /// As for [`rotate_token`](Self::rotate_token).
    pub fn rotate_known(
        &self,
        account: &ServiceAccount,
        token: &AccountToken,
        interrupt: &dyn Interrupt,
    ) -> Result<IssuedToken, Error> {
        let operation = Operation {
            lost: Some(
                "The token may have a new value that nobody knows, and then the old one no longer \
                 works: rotate it again"
                    .to_owned(),
            ),
            ..self.writing("rotate a token of a service account of")
        };
        let path = [account.id.as_str(), "tokens", token.id.as_str(), "rotate"];
        let answer = self.send(&operation, Method::POST, &path, None, interrupt)?;
        self.issued(&operation, answer, |info| match info {
            Some(info) => info.after(token),
            None => AccountToken {
                last4: None,
                ..token.clone()
            },
        })
    }

    /// Deletes a token, which ends at once. Returns its ID.
    ///
    /// # Errors
    ///
    /// As for [`get_account`](Self::get_account).
    pub fn delete_token(
        &self,
        account: &str,
        token: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<String, Error> {
        let [account, token] = self.token_ids(account, token, interrupt)?;
        let operation = self.writing("delete a token of a service account of");
        let path = [account.as_str(), "tokens", token.as_str()];
        self.send(&operation, Method::DELETE, &path, None, interrupt)?;
        Ok(token)
    }

    fn reading(&self, purpose: &str) -> Operation<'_> {
        Operation {
            purpose: format!("{purpose} {}", self.organization),
            organization: &self.organization,
            permission: READ,
            lost: None,
        }
    }

    fn writing(&self, purpose: &str) -> Operation<'_> {
        Operation {
            permission: WRITE,
            ..self.reading(purpose)
        }
    }

    fn get(
        &self,
        operation: &Operation<'_>,
        parts: &[&str],
        interrupt: &dyn Interrupt,
    ) -> Result<Response, Error> {
        self.send(operation, Method::GET, parts, None, interrupt)
    }

    fn send(
        &self,
        operation: &Operation<'_>,
        method: Method,
        parts: &[&str],
        body: Option<Value>,
        interrupt: &dyn Interrupt,
    ) -> Result<Response, Error> {
        let mut path = format!("/api/organizations/{}/service-accounts", self.organization);
        for part in parts {
            path.push('/');
            path.push_str(part);
        }
        self.api.ask(operation, (method, path), body, interrupt)
    }

    /// The token in the answer to a creation or a rotation. The value is not given up if the rest of
    /// the answer is not as expected: `known` then says what is known of it.
    fn issued(
        &self,
        operation: &Operation<'_>,
        answer: Response,
        known: impl FnOnce(Option<AccountToken>) -> AccountToken,
    ) -> Result<IssuedToken, Error> {
        // Holds the value.
        let body = Zeroizing::new(answer.body);
        let head = Response {
            body: Vec::new(),
            ..answer
        };
        let read = || {
            let issued: IssuedAnswer = serde_json::from_slice(&body).ok()?;
            let value = Zeroizing::new(issued.token);
            let token = Token::parse(&value).ok().flatten()?;
            let info = AccountToken::parse(&issued.token_info);
            Some((info.filter(|info| !info.holds(token.expose())), token))
        };
        let (info, token) = read().ok_or_else(|| self.api.unreadable(operation, &head))?;
        let mut info = known(info);
        if info.last4.is_none() && token.mask().ends_with(&last_characters(token.expose())) {
            info.last4 = Some(last_characters(token.expose()));
        }
        let credential = Credential {
            token,
            source: Source::Argument,
            endpoint: self.api.credential().endpoint.clone(),
            expires_at: Expiry::from(info.expires_at),
            renewal: None,
        };
        Ok(IssuedToken {
            credential: Arc::new(credential),
            info,
        })
    }

    /// The ID of an account that is given by ID, by the name that logs show, or by display name.
    fn account_id(&self, wanted: &str, interrupt: &dyn Interrupt) -> Result<String, Error> {
        if is_object_id(wanted) {
            return Ok(wanted.to_ascii_lowercase());
        }
        let accounts = self.list(interrupt)?;
        if let Some(account) = accounts.iter().find(|account| account.user == wanted) {
            return Ok(account.id.clone());
        }
        let what = format!("service account of {}", self.organization);
        let known = accounts.iter().map(|account| (&account.name, &account.id));
        only(&what, wanted, known)
    }

    /// The IDs of an account and of one of its tokens.
    fn token_ids(
        &self,
        account: &str,
        token: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<[String; 2], Error> {
        if is_object_id(token) {
            return Ok([
                self.account_id(account, interrupt)?,
                token.to_ascii_lowercase(),
            ]);
        }
        let account = self.get_account(account, interrupt)?;
        let token = account.token(token)?.id.clone();
        Ok([account.id, token])
    }

    /// The JSON of a change, with the repositories looked up.
    fn body(&self, change: TokenChange, interrupt: &dyn Interrupt) -> Result<Value, Error> {
        check_shown("name", change.name.as_deref())?;
        let repos = change.repos.as_deref().map(|repos| {
            let ids = repos.iter().map(|repo| self.repository_id(repo, interrupt));
            ids.collect::<Result<Vec<_>, _>>()
        });
        let repo_ids = repos.transpose()?;
        Ok(change.into_json(repo_ids))
    }

    /// The ID of a repository that is given by ID or by name; a bare name is the organization's.
    fn repository_id(&self, wanted: &str, interrupt: &dyn Interrupt) -> Result<String, Error> {
        if is_object_id(wanted) {
            return Ok(wanted.to_ascii_lowercase());
        }
        let target = Target::repository(wanted, RepositoryType::Model, &self.organization)?;
        let Target::Repository {
            kind,
            namespace,
            name,
        } = &target
        else {
            return Err(Error::InvalidArgument("that is no repository".to_owned()));
        };
        let operation = Operation {
            purpose: format!(
                "find the repository {target} for a service account of {}",
                self.organization
            ),
            permission: "repo.content.read",
            ..self.reading("")
        };
        let path = format!("/api/{}/{namespace}/{name}", kind.plural());
        let answer = self
            .api
            .ask(&operation, (Method::GET, path), None, interrupt)?;
        parsed(&answer, id)
            .map(|(_, id)| id)
            .ok_or_else(|| self.api.unreadable(&operation, &answer))
    }
}

/// Refuses a text that holds a secret, since everybody who may read the accounts sees it.
fn check_shown(what: &str, text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) if contains_secret(text) => Err(Error::InvalidArgument(format!(
            "the {what} holds a token, or the key of another service. It is stored on the Hub and \
             shown unmasked: choose another one"
        ))),
        _ => Ok(()),
    }
}

/// The JSON of an answer, and what is read from it.
fn parsed<T>(answer: &Response, read: impl FnOnce(&Value) -> Option<T>) -> Option<(Value, T)> {
    let value = serde_json::from_slice(&answer.body).ok()?;
    let read = read(&value)?;
    Some((value, read))
}

#[cfg(test)]
mod tests;
