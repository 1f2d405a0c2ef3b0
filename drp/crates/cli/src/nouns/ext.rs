//! Extensions: validated, registered, made and tested.

use crate::commands::Context;
use crate::grammar::Globals;
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, Hooks, Printer};
use clap::{ArgMatches, FromArgMatches, Subcommand};

mod new;
pub(crate) mod registered;
mod test;
pub(crate) mod validate;

/// Verbs of extensions.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Check an extension in five rules: structure, schema, interface, dependencies, versions. Needs no daemon
    Validate(validate::Validate),
    #[command(flatten)]
    Registered(registered::Verb),
    /// Write a new extension that validates, passes its tests and packs. Needs no daemon
    New(new::New),
    /// Run an extension's own tests, and the dry runs of its operations. Needs no daemon
    Test(test::Test),
}

pub(super) const NOUN: Noun =
    noun!("ext", "Extensions: providers, task services and clusters", Verb, run, alone);

fn alone(
    _: &Globals,
    printer: &Printer,
    matches: &ArgMatches,
    hooks: &dyn Hooks,
) -> Option<Result<(), Failure>> {
    match Verb::from_arg_matches(matches).ok()? {
        Verb::Validate(args) => Some(local(validate::run(args, printer, hooks))),
        Verb::Registered(_) => None,
        Verb::New(args) => Some(new::run(&args, printer)),
        Verb::Test(args) => Some(local(test::run(args, printer, hooks))),
    }
}

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        // Done before, without a daemon.
        Verb::Registered(verb) => registered::run(cx, verb).await,
        Verb::Validate(_) | Verb::New(_) | Verb::Test(_) => Ok(()),
    }
}

/// Does local work that may launch extensions.
pub(crate) fn local(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::io("the runtime cannot be set up", &e))?;
    runtime.block_on(async {
        tokio::select! {
            result = work => result,
            _ = tokio::signal::ctrl_c() => Err(Failure::silent(Exit::Interrupted)),
        }
    })
}
