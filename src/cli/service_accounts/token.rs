//! `hubtoken service-accounts token`: manages the tokens of an account.

use clap::Subcommand;
use serde_json::json;

use super::destination::{Delivered, Destination, DestinationArgs};
use super::local_copies::Forgotten;
use super::manager::{AccountArgs, Manager};
use super::properties::{List, Properties};
use super::view;
use crate::cli::confirmation::confirm;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::error::Error;
use crate::manage::{IssuedToken, ServiceAccount, TokenChange};
use crate::sanitize::redacted;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken service-accounts token create acme 'Nightly build' runner \\
      --permission repo.content.read --repo acme/model --repo-permission repo.write
  hubtoken service-accounts token create acme 'Nightly build' runner --fd 9 9>token.txt
  hubtoken service-accounts token create acme 'Nightly build' runner --fd 1 | vault-cli put ci/token -
  hubtoken service-accounts token change acme 'Nightly build' runner --clear repos
  hubtoken service-accounts token rotate acme 'Nightly build' runner

The Hub says the value of a token once. It is stored on this machine, unless --fd or --reveal is given,
and does not become the active token. A rotation replaces the old value where that is stored. The value
is never in the output otherwise, and --reveal needs a terminal. If it cannot be handed over after all,
the message says which token to rotate. Exit codes: as for the other verbs; 2 also if it cannot be
stored or written.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a token, and store its value
    Create {
        #[command(flatten)]
        account: AccountArgs,
        /// The display name [default: the Hub's]
        name: Option<String>,
        #[command(flatten)]
        properties: Properties,
        #[command(flatten)]
        destination: DestinationArgs,
    },
    /// Change a token's name or permissions; what is not given stays as it is
    Change {
        #[command(flatten)]
        which: AccountTokenArgs,
        /// The new display name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        properties: Properties,
        /// Make a list empty; can be repeated
        #[arg(long, value_enum, value_name = "LIST")]
        clear: Vec<List>,
    },
    /// Give a token a new value, and store it; the old one ends at once
    Rotate {
        #[command(flatten)]
        which: AccountTokenArgs,
        #[command(flatten)]
        destination: DestinationArgs,
    },
    /// Delete a token, which ends at once
    Delete {
        #[command(flatten)]
        which: AccountTokenArgs,
        /// Do not ask before it is done
        #[arg(long, short)]
        yes: bool,
    },
}

/// Selects a token.
#[derive(clap::Args)]
struct AccountTokenArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// The token's name or ID
    token: String,
}

/// Runs the verb.
///
/// # Errors
///
/// As for the other verbs; a value that cannot be handed over.
pub fn run(
    arguments: Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Command::Create {
            account,
            name,
            properties,
            destination,
        } => {
            let token = properties.change(name, &[])?;
            create(&account, token, &destination, context, output)
        }
        Command::Change {
            which,
            name,
            properties,
            clear,
        } => {
            let change = properties.change(name, &clear)?;
            self::change(&which, change, context, output)
        }
        Command::Rotate { which, destination } => rotate(&which, &destination, context, output),
        Command::Delete { which, yes } => delete(&which, yes, context, output),
    }
}

fn create(
    which: &AccountArgs,
    token: TokenChange,
    destination: &DestinationArgs,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let destination = destination.check(context, output)?;
    destination.check_name()?;
    let manager = Manager::open(&which.organization, context, output)?;
    let account = manager
        .accounts
        .get_account(&which.account, context.interrupt)?;
    let issued = manager
        .accounts
        .create_token(&account.id, token, context.interrupt)?;
    let delivered = destination.deliver(&manager, context, output, &account, &issued, None);
    let delivered = delivered.map_err(|failure| lost(failure, output, which, &account, &issued))?;
    let done = format!(
        "the token `{}` ({}) was created",
        issued.info.name, issued.info.id
    );
    show_issued(
        &manager,
        output,
        &destination,
        &account,
        &issued,
        &delivered,
        &done,
    );
    Ok(Code::Success)
}

fn rotate(
    which: &AccountTokenArgs,
    destination: &DestinationArgs,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let destination = destination.check(context, output)?;
    let manager = Manager::open(&which.account.organization, context, output)?;
    let account = manager
        .accounts
        .get_account(&which.account.account, context.interrupt)?;
    let token = account.token(&which.token)?;
    let predecessor = destination.predecessor(&manager, context, &account, token)?;
    let issued = manager
        .accounts
        .rotate_known(&account, token, context.interrupt);
    manager.invalidate();
    let issued = issued?;
    let predecessor = predecessor.as_ref();
    let delivered = destination.deliver(&manager, context, output, &account, &issued, predecessor);
    let delivered =
        delivered.map_err(|failure| lost(failure, output, &which.account, &account, &issued))?;
    let done = format!(
        "the token `{}` ({}) has a new value, and the old one no longer works",
        issued.info.name, issued.info.id
    );
    show_issued(
        &manager,
        output,
        &destination,
        &account,
        &issued,
        &delivered,
        &done,
    );
    Ok(Code::Success)
}

/// The failure to hand a value over, which says what is left to do.
fn lost(
    failure: Failure,
    output: &Output<'_, '_>,
    which: &AccountArgs,
    account: &ServiceAccount,
    issued: &IssuedToken,
) -> Failure {
    let advice = redacted(&format!(
        "The token `{}` has a value now that nobody has: rotate it with `hubtoken service-accounts \
         token rotate {} {} {}`, or delete it",
        issued.info.name, which.organization.organization, account.id, issued.info.id
    ));
    match failure {
        Failure::Core(Error::Interrupted) => {
            output.instruction(&advice);
            Failure::Core(Error::Interrupted)
        }
        failure => Error::Store(format!("{}. {advice}", failure.message())).into(),
    }
}

fn show_issued(
    manager: &Manager<'_>,
    output: &Output<'_, '_>,
    destination: &Destination<'_>,
    account: &ServiceAccount,
    issued: &IssuedToken,
    delivered: &Delivered,
    done: &str,
) {
    for warning in &delivered.warnings {
        output.warning(warning);
    }
    let names: Vec<String> = delivered.names.iter().map(|name| redacted(name)).collect();
    if output.is_json() {
        let object = json!({
            "account": { "id": account.id, "user": account.user, "name": redacted(&account.name) },
            "token": view::token_json(&issued.info),
            "stored_as": names,
            "active": delivered.active,
            "fd": delivered.descriptor,
        });
        manager.show_object(output, object, &delivered.warnings);
        return;
    }
    let place = match (names.as_slice(), delivered.descriptor) {
        ([], Some(number)) => format!("; its value was written to descriptor {number}"),
        ([], None) => String::new(),
        (names, _) => format!("; its value is stored as `{}`", names.join("`, `")),
    };
    let active = if delivered.active {
        ", and is the active token, as the old one was"
    } else {
        ""
    };
    let sentence = format!("{}{place}{active}", redacted(done));
    if destination.takes_standard_output() {
        output.note(&sentence);
    } else {
        let mut page = output.page();
        page.paragraph(&sentence);
        output.show(&page);
    }
}

fn change(
    which: &AccountTokenArgs,
    change: TokenChange,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    if change.is_empty() {
        return Err(Failure::Usage(
            "there is nothing to change: give --name, --permission, --repo, --repo-permission, \
             --endpoint-pattern, --skip-network-security, or --clear"
                .to_owned(),
        ));
    }
    let organization = &which.account.organization;
    let manager = Manager::open(organization, context, output)?;
    let account = &which.account.account;
    let changed = manager
        .accounts
        .change_token(account, &which.token, change, context.interrupt);
    manager.invalidate();
    let token = changed?;
    if output.is_json() {
        manager.show_object(output, json!({ "token": view::token_json(&token) }), &[]);
    } else {
        let mut page = output.page();
        view::token_rows(&mut page, &token);
        output.show(&page);
    }
    Ok(Code::Success)
}

fn delete(
    which: &AccountTokenArgs,
    yes: bool,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let organization = &which.account.organization;
    let manager = Manager::open(organization, context, output)?;
    let account = manager
        .accounts
        .get_account(&which.account.account, context.interrupt)?;
    let token = account.token(&which.token)?;
    if !yes {
        let question = redacted(&format!(
            "Delete the token `{}` ({}) of the service account `{}` of {} at {}, which ends at once?",
            token.name,
            token.id,
            account.name,
            organization.organization,
            manager.session.credential.endpoint
        ));
        let words = ("delete the token", "Nothing was deleted");
        confirm(context, output, &question, words)?;
    }
    let deleted = manager
        .accounts
        .delete_token(&account.id, &token.id, context.interrupt);
    manager.invalidate();
    deleted?;
    let forgotten = Forgotten::of(&manager, context, &account, Some(token));
    forgotten.warn(output);
    if output.is_json() {
        let deleted = json!({ "id": token.id, "name": redacted(&token.name) });
        let object = json!({ "deleted": deleted, "removed": forgotten.names_json() });
        manager.show_object(output, object, &forgotten.warnings);
    } else {
        let mut page = output.page();
        page.paragraph(&redacted(&format!(
            "the token `{}` of `{}` was deleted",
            token.name, account.name
        )));
        forgotten.show(&mut page);
        output.show(&page);
    }
    Ok(Code::Success)
}
