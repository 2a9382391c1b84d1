//! `hubtoken service-accounts`: manages an organization's accounts that belong to no person.

mod destination;
mod local_copies;
mod manager;
mod properties;
mod stored_value;
mod token;
mod view;

use clap::Subcommand;
use serde_json::json;

use self::local_copies::Forgotten;
use self::manager::{AccountArgs, Manager, OrganizationArgs};
use super::confirmation::confirm;
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use crate::sanitize::redacted;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken service-accounts create acme 'Nightly build'
  hubtoken service-accounts token create acme 'Nightly build' runner --permission repo.write
  hubtoken service-accounts show acme 'Nightly build'
  hubtoken service-accounts token rotate acme 'Nightly build' runner
  hubtoken service-accounts delete acme 'Nightly build' --yes

The token that is used is one of the organization's administrators, with the role write or with
org.serviceAccounts.write. An account and a token are given by name, if only one has it, or by ID.
Exit codes: 0 done; 1 not allowed, not found, or refused by the Hub; 2 wrong usage, or no answer to a
question; 3 the Hub could not be reached, or did not say whether it is done.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the accounts of an organization
    List(OrganizationArgs),
    /// Show an account and its tokens
    Show(AccountArgs),
    /// Create an account, without tokens
    Create {
        #[command(flatten)]
        organization: OrganizationArgs,
        /// The display name
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Delete an account and all of its tokens, which end at once
    Delete {
        #[command(flatten)]
        which: AccountArgs,
        /// Do not ask before it is done
        #[arg(long, short)]
        yes: bool,
    },
    /// Create, change, rotate and delete the tokens of an account
    Token(token::Args),
}

/// Runs the verb.
///
/// # Errors
///
/// No token, no rights, no such account, no consent, or no answer from the Hub.
pub fn run(
    arguments: Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Command::List(organization) => list(&organization, context, output),
        Command::Show(which) => show(&which, context, output),
        Command::Create {
            organization,
            name,
            description,
        } => {
            let description = description.as_deref();
            create(&organization, &name, description, context, output)
        }
        Command::Delete { which, yes } => delete(&which, yes, context, output),
        Command::Token(arguments) => token::run(arguments, context, output),
    }
}

fn list(
    organization: &OrganizationArgs,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let manager = Manager::open(organization, context, output)?;
    let accounts = manager.accounts.list(context.interrupt)?;
    if output.is_json() {
        let accounts: Vec<_> = accounts.iter().map(view::account_json).collect();
        manager.show_object(output, json!({ "accounts": accounts }), &[]);
        return Ok(Code::Success);
    }
    let mut page = output.page();
    if accounts.is_empty() {
        page.paragraph(&format!(
            "{} has no service accounts",
            organization.organization
        ));
    } else {
        view::table(&mut page, &accounts);
    }
    output.show(&page);
    Ok(Code::Success)
}

fn show(
    which: &AccountArgs,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let manager = Manager::open(&which.organization, context, output)?;
    let account = manager
        .accounts
        .get_account(&which.account, context.interrupt)?;
    if output.is_json() {
        let account = view::account_json(&account);
        manager.show_object(output, json!({ "account": account }), &[]);
    } else {
        let mut page = output.page();
        view::account_page(&mut page, &account);
        output.show(&page);
    }
    Ok(Code::Success)
}

fn create(
    organization: &OrganizationArgs,
    name: &str,
    description: Option<&str>,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let manager = Manager::open(organization, context, output)?;
    let account = manager
        .accounts
        .create(name, description, context.interrupt)?;
    if output.is_json() {
        let account = view::account_json(&account);
        manager.show_object(output, json!({ "account": account }), &[]);
    } else {
        let mut page = output.page();
        page.paragraph(&redacted(&format!(
            "the service account `{}` was created: {} ({})",
            account.name, account.user, account.id
        )));
        output.show(&page);
    }
    Ok(Code::Success)
}

fn delete(
    which: &AccountArgs,
    yes: bool,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let manager = Manager::open(&which.organization, context, output)?;
    let account = manager
        .accounts
        .get_account(&which.account, context.interrupt)?;
    let tokens = account.tokens.as_deref().unwrap_or_default();
    if !yes {
        let tokens = match tokens.len() {
            0 => "no tokens".to_owned(),
            1 => "one token, which ends at once".to_owned(),
            count => format!("{count} tokens, which end at once"),
        };
        let question = redacted(&format!(
            "Delete the service account `{}` ({}) of {} at {}, with {tokens}?",
            account.name,
            account.user,
            which.organization.organization,
            manager.session.credential.endpoint
        ));
        let words = ("delete the account", "Nothing was deleted");
        confirm(context, output, &question, words)?;
    }
    let deleted = manager.accounts.delete(&account.id, context.interrupt);
    manager.invalidate();
    deleted?;
    let forgotten = Forgotten::of(&manager, context, &account, None);
    forgotten.warn(output);
    if output.is_json() {
        let deleted =
            json!({ "id": account.id, "user": account.user, "name": redacted(&account.name) });
        let object = json!({ "deleted": deleted, "removed": forgotten.names_json() });
        manager.show_object(output, object, &forgotten.warnings);
    } else {
        let mut page = output.page();
        page.paragraph(&redacted(&format!(
            "the service account `{}` ({}) was deleted",
            account.name, account.user
        )));
        forgotten.show(&mut page);
        output.show(&page);
    }
    Ok(Code::Success)
}
