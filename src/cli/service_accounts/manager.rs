//! What every one of these verbs works with: the administrator's token, and the organization.

use serde_json::{Value, json};

use crate::cli::args::{TimeoutArgs, TokenArgs};
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::token_context::{self, Session};
use crate::identity::Settings;
use crate::manage::ServiceAccounts;

/// Selects the organization, and the token that administers it.
#[derive(clap::Args)]
pub struct OrganizationArgs {
    /// The organization
    pub organization: String,
    #[command(flatten)]
    which: TokenArgs,
    #[command(flatten)]
    wait: TimeoutArgs,
}

/// Selects an account.
#[derive(clap::Args)]
pub struct AccountArgs {
    #[command(flatten)]
    pub organization: OrganizationArgs,
    /// The account's name or ID
    pub account: String,
}

/// The service accounts of an organization, as a token sees them.
pub struct Manager<'a> {
    /// The token.
    pub session: Session<'a>,
    /// The accounts.
    pub accounts: ServiceAccounts,
    settings: Settings,
    /// The organization.
    pub organization: String,
}

impl<'a> Manager<'a> {
    /// Finds the token, and writes the warnings about it. Sends nothing.
    ///
    /// # Errors
    ///
    /// No token; no organization can have the name.
    pub fn open(
        arguments: &OrganizationArgs,
        context: &'a Context<'_>,
        output: &Output<'_, '_>,
    ) -> Result<Self, Failure> {
        let session = Session::open_explicitly(context, &arguments.which)?;
        for warning in &session.warnings {
            output.warning(warning);
        }
        let settings = Settings::read(context.environment);
        let options = token_context::options(None, arguments.wait.timeout);
        let accounts = ServiceAccounts::new(
            &session.client,
            session.credential.clone(),
            settings.http.clone(),
            &arguments.organization,
            options.timeout,
        )?;
        Ok(Self {
            session,
            accounts,
            settings,
            organization: arguments.organization.clone(),
        })
    }

    /// Drops what is cached about the Hub's tokens, after a change: which token it was is known to the
    /// Hub alone, and so is whether a change was made whose answer was lost.
    pub fn invalidate(&self) {
        let endpoint = &self.session.credential.endpoint;
        self.session
            .client
            .invalidate_endpoint_shared(&self.settings, endpoint);
    }

    /// Writes a verb's JSON object: its own fields, and those that all of them have.
    pub fn show_object(&self, output: &Output<'_, '_>, mut object: Value, warnings: &[String]) {
        object["endpoint"] = self.session.credential.endpoint.as_str().into();
        object["organization"] = self.organization.as_str().into();
        let all = self.session.warnings.iter().chain(warnings);
        object["warnings"] = json!(all.collect::<Vec<_>>());
        object["error"] = Value::Null;
        output.object(&object);
    }
}
