//! The tokens of service accounts: created, changed, rotated, deleted.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{ServiceAccounts, parsed};
use crate::credential::Credential;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::http::Response;
use crate::interrupt::Interrupt;
use crate::manage::hub_api::Operation;
use crate::manage::service_account::{AccountToken, ServiceAccount, is_object_id, last_characters};
use crate::manage::token_change::TokenChange;
use crate::source::Source;
use crate::token::Token;

const NOTHING: &str = "there is nothing to change: give a name, permissions, repos, repo_permissions, \
                       endpoint_patterns, or skip_network_security";

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
    /// As for [`create_token`](Self::create_token), and [`Error::InvalidArgument`] for a change of
    /// nothing, which a Hub would take without a word.
    pub fn change_token(
        &self,
        account: &str,
        token: &str,
        change: TokenChange,
        interrupt: &dyn Interrupt,
    ) -> Result<AccountToken, Error> {
        if change.is_empty() {
            return Err(Error::InvalidArgument(NOTHING.to_owned()));
        }
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
}
