//! The service accounts of one organization.
//!
//! Accounts and tokens may be given by ID or by display name. A name is looked up first, and must
//! be the only one of its kind: a change never hits another account than the one that was meant.
//!
//! Source: the Hub's `OpenAPI` document, `/api/organizations/{name}/service-accounts`.

mod token_body;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

pub use self::tokens::IssuedToken;
use super::hub_api::{HubApi, Operation};
use super::name_lookup::only;
use super::service_account::{ServiceAccount, is_object_id};
use crate::credential::Credential;
use crate::error::Error;
use crate::http::{Response, Settings};
use crate::identity::client::Client;
use crate::interrupt::Interrupt;
use crate::sanitize::contains_secret;
use crate::target::Target;

const READ: &str = "org.serviceAccounts.read";
const WRITE: &str = "org.serviceAccounts.write";

/// The service accounts of one organization, as one token may see and change them.
pub struct ServiceAccounts {
    api: HubApi,
    organization: String,
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
