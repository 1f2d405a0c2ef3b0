//! Providers on this host, and their Nickel modules in infrastructures.

use crate::commands::Context;
use crate::grammar::Globals;
use crate::local::{Place, block_on, module_failure};
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, Hooks, Printer};
use clap::{ArgMatches, FromArgMatches, Subcommand};
use drp_extensions::modules::{Finding, Installed};
use drp_extensions::{is_name, module_name};
use drp_protocol::ExtensionType;
use serde_json::{Value, json};

/// `drp providers …`.
#[derive(Debug, Subcommand)]
enum Verb {
    /// List the providers on the search path
    List {
        /// With their Nickel modules
        #[arg(long, alias = "kcl")]
        nickel: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a provider
    Info {
        /// Its name
        provider: String,
        /// With the files of its Nickel module
        #[arg(long, alias = "kcl")]
        nickel: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Link a provider's Nickel module into an infrastructure; a pack of it that is installed there goes,
    /// by --force also when it was edited
    Install {
        /// The provider
        provider: String,
        /// The infrastructure
        infra: String,
        /// Only when it has this version
        #[arg(id = "wanted-version", long = "version", value_name = "VERSION")]
        version: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Take a provider's module out of an infrastructure again, by --force also when its pack was edited
    Remove {
        /// The provider
        provider: String,
        /// The infrastructure
        infra: String,
        #[command(flatten)]
        place: Place,
    },
    /// List what is installed in an infrastructure
    Installed {
        /// The infrastructure
        infra: String,
        #[command(flatten)]
        place: Place,
    },
    /// Tell whether links, dependencies and records of an infrastructure agree
    Validate {
        /// The infrastructure
        infra: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make links and dependencies of an infrastructure what its records say
    Sync {
        /// The infrastructure
        infra: String,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) const NOUN: Noun = noun!(
    "providers",
    "Providers on this host, and their modules in infrastructures",
    Verb,
    never_asked,
    alone
);

/// Everything is done without a daemon.
async fn never_asked(_: &Context<'_>, _: &str, _: Verb) -> Result<(), Failure> {
    Ok(())
}

fn alone(
    globals: &Globals,
    printer: &Printer,
    matches: &ArgMatches,
    _: &dyn Hooks,
) -> Option<Result<(), Failure>> {
    let verb = Verb::from_arg_matches(matches).map_err(|e| Failure::usage(e.to_string()));
    Some(verb.and_then(|verb| block_on(run(printer, verb, globals))))
}

async fn run(printer: &Printer, verb: Verb, globals: &Globals) -> Result<(), Failure> {
    match verb {
        Verb::List { nickel, place } => list(printer, nickel, &place).await,
        Verb::Info { provider, nickel, place } => info(printer, &provider, nickel, &place).await,
        Verb::Install { provider, infra, version, place } => {
            let extension = place.extension(ExtensionType::Provider, &provider).await?;
            if let Some(wanted) = version.filter(|wanted| wanted.trim_start_matches('v') != extension.version)
            {
                return Err(Failure::new(
                    Exit::Refused,
                    format!("{provider} is there in version {}, not {wanted}", extension.version),
                )
                .hint("`drp pack install FILE --infra INFRA` installs the pack of another version"));
            }
            let infra = place.infra(&infra)?;
            let done = infra.link(&extension, globals.force).map_err(module_failure)?;
            printer.short(&json!(done))
        }
        Verb::Remove { provider, infra, place } => {
            if !is_name(&provider) {
                return Err(Failure::usage(format!("{provider:?} is no name of a provider")));
            }
            let infra = place.infra(&infra)?;
            let module = module_name(ExtensionType::Provider, &provider);
            let gone = infra.remove(&module, globals.force).map_err(module_failure)?;
            printer.short(&json!(gone))
        }
        Verb::Installed { infra, place } => {
            let all = place.infra(&infra)?.installed().map_err(module_failure)?;
            let rows: Vec<Value> = all.iter().map(|one: &Installed| json!(one)).collect();
            let columns = [
                ("Name", "/name"),
                ("Type", "/type"),
                ("Version", "/version"),
                ("Mode", "/mode"),
                ("Module", "/module"),
                ("Source", "/source"),
            ];
            printer.list(&rows, &columns)
        }
        Verb::Validate { infra, place } => {
            let findings = place.infra(&infra)?.validate().map_err(module_failure)?;
            let (warnings, errors): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|f| f.warning);
            if printer.for_eyes() {
                report(printer, &findings)?;
                if errors.is_empty() {
                    printer.text(&format!("{infra}: links, dependencies and records agree"))?;
                }
            } else {
                printer
                    .value(&json!({"valid": errors.is_empty(), "errors": errors, "warnings": warnings}))?;
            }
            if errors.is_empty() { Ok(()) } else { Err(Failure::silent(Exit::General)) }
        }
        Verb::Sync { infra, place } => {
            let infra = place.infra(&infra)?;
            let done = infra.sync(&place.extensions().await?).map_err(module_failure)?;
            if printer.for_eyes() {
                report(printer, &done.problems)?;
                for module in &done.modules {
                    printer.text(&format!("{module}: as its record says"))?;
                }
                for what in &done.removed {
                    printer.text(&format!("{what}: removed, no record speaks of it"))?;
                }
            } else {
                printer.value(&json!(done))?;
            }
            if done.problems.is_empty() { Ok(()) } else { Err(Failure::silent(Exit::Partial)) }
        }
    }
}

fn report(printer: &Printer, findings: &[Finding]) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = findings.iter().map(|finding| json!(finding)).collect();
    printer.list(&rows, &[("Module", "/module"), ("Kind", "/kind"), ("What", "/message"), ("Hint", "/hint")])
}

async fn list(printer: &Printer, nickel: bool, place: &Place) -> Result<(), Failure> {
    let all = place.extensions().await?;
    for bad in &all.bad {
        printer.warn(&format!("{}: {}", bad.path.display(), bad.why));
    }
    let rows: Vec<Value> = all
        .of(ExtensionType::Provider)
        .map(|found| {
            let mut row = json!(found);
            if nickel {
                row["module"] = found.identity.module().into();
                row["schemas"] = json!(found.identity.schemas());
            }
            row
        })
        .collect();
    let mut columns = vec![
        ("Name", "/name"),
        ("Version", "/version"),
        ("Origin", "/origin"),
        ("Description", "/description"),
    ];
    if nickel {
        columns.extend([("Module", "/module"), ("Schemas", "/schemas")]);
    } else {
        columns.push(("Folder", "/root"));
    }
    printer.list(&rows, &columns)
}

async fn info(printer: &Printer, provider: &str, nickel: bool, place: &Place) -> Result<(), Failure> {
    let identity = place.extension(ExtensionType::Provider, provider).await?;
    let mut value = json!(identity);
    value["module"] = identity.module().into();
    value["schemas"] = json!(identity.schemas());
    if nickel && let Some(schemas) = identity.schemas() {
        let entries = std::fs::read_dir(&schemas).map_err(|e| Failure::io(schemas.display(), &e))?;
        let mut files: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(".ncl"))
            .collect();
        files.sort();
        value["files"] = json!(files);
    }
    printer.short(&value)
}
