//! Packs of extensions.

use crate::commands::Context;
use crate::grammar::Globals;
use crate::local::{Place, block_on, env, evaluator, module_failure, pack_failure, shown};
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, Hooks, Printer};
use clap::{ArgMatches, Args, FromArgMatches, Subcommand, ValueHint};
use drp_extensions::Identity;
use drp_extensions::modules::ModuleError;
use drp_extensions::packs::{self, Made, PackError, PackSettings, Packer, created_now};
use drp_protocol::ExtensionType;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where a pack goes, and what it is called.
#[derive(Debug, Clone, Args)]
struct Making {
    /// Folder of the pack and its record, instead of those of settings
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,
    /// Version that is written into the packed manifests, instead of their own
    #[arg(id = "wanted-version", long = "version", value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// `drp pack …`.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Pack the contracts that ship with drp
    Core(Making),
    /// Pack a provider
    Provider {
        /// Its name
        name: String,
        #[command(flatten)]
        making: Making,
    },
    /// Pack a task service
    Taskserv {
        /// Its name
        name: String,
        #[command(flatten)]
        making: Making,
    },
    /// Pack a cluster
    Cluster {
        /// Its name
        name: String,
        #[command(flatten)]
        making: Making,
    },
    /// Pack the extension in a folder
    Extension {
        /// The folder
        #[arg(value_hint = ValueHint::DirPath)]
        path: PathBuf,
        #[command(flatten)]
        making: Making,
    },
    /// Pack all providers on the search path
    Providers(Making),
    /// List packs
    List {
        /// Folder of packs and records, instead of those of settings
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        output: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Remove old packs; --dry-run only tells which
    Clean {
        /// Versions of each that are kept
        #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        keep_latest: u16,
        /// Folder of packs and records, instead of those of settings
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        output: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Install a pack: in an infrastructure, where it takes the place of a link, or among your own extensions; --force
    /// replaces what is installed, also when it was edited
    Install {
        /// The pack
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The infrastructure
        #[arg(long, value_name = "INFRA")]
        infra: Option<String>,
        /// Refuse the pack when this is not its SHA-256
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) const NOUN: Noun =
    noun!("pack", "Versioned archives of extensions: make, list, install", Verb, never_asked, alone);

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
        Verb::Core(making) => {
            let made = Setup::new(&making).await?;
            show(printer, &made.packer()?.core().await.map_err(pack_failure)?)
        }
        Verb::Provider { name, making } => named(printer, ExtensionType::Provider, &name, &making).await,
        Verb::Taskserv { name, making } => named(printer, ExtensionType::Taskserv, &name, &making).await,
        Verb::Cluster { name, making } => named(printer, ExtensionType::Cluster, &name, &making).await,
        Verb::Extension { path, making } => {
            if !path.is_dir() {
                return Err(Failure::new(Exit::NotFound, format!("{} is no folder", path.display())));
            }
            let identity = Identity::read(&path).map_err(|why| {
                Failure::new(Exit::Refused, format!("{} is no extension: {why}", path.display()))
            })?;
            one(printer, &identity, &making).await
        }
        Verb::Providers(making) => providers(printer, &making).await,
        Verb::List { output, place } => {
            listed(printer, &packs::list(&settings(&place, output.as_deref()).await?).map_err(pack_failure)?)
        }
        Verb::Clean { keep_latest, output, place } => {
            let settings = settings(&place, output.as_deref()).await?;
            let gone = packs::clean(&settings, keep_latest.into(), globals.dry_run).map_err(pack_failure)?;
            if globals.dry_run {
                printer.remark("nothing was removed; these would be:");
            }
            listed(printer, &gone)
        }
        Verb::Install { file, infra, sha256, place } => {
            install(printer, &file, infra.as_deref(), sha256.as_deref(), globals.force, &place).await
        }
    }
}

/// What all packs of one command share.
struct Setup {
    settings: PackSettings,
    evaluator: drp_schemas::Evaluator,
    version: Option<semver::Version>,
}

impl Setup {
    async fn new(making: &Making) -> Result<Self, Failure> {
        let version = making.version.as_deref().map(|text| {
            semver::Version::parse(text.strip_prefix('v').unwrap_or(text))
                .map_err(|e| Failure::usage(format!("{text:?} is no version such as 1.2.3: {e}")))
        });
        Ok(Self {
            version: version.transpose()?,
            settings: settings(&making.place, making.output.as_deref()).await?,
            evaluator: evaluator()?,
        })
    }

    fn packer(&self) -> Result<Packer<'_>, Failure> {
        let created = created_now(env).map_err(Failure::usage)?;
        Ok(Packer {
            settings: &self.settings,
            evaluator: &self.evaluator,
            version: self.version.as_ref(),
            created,
        })
    }
}

async fn settings(place: &Place, output: Option<&Path>) -> Result<PackSettings, Failure> {
    let settings = place.settings().await?;
    Ok(match output {
        Some(folder) => settings.in_folder(folder),
        None => settings,
    })
}

async fn named(printer: &Printer, kind: ExtensionType, name: &str, making: &Making) -> Result<(), Failure> {
    let identity = making.place.extension(kind, name).await?;
    one(printer, &identity, making).await
}

async fn one(printer: &Printer, identity: &Identity, making: &Making) -> Result<(), Failure> {
    let setup = Setup::new(making).await?;
    show(printer, &setup.packer()?.extension(identity).await.map_err(pack_failure)?)
}

fn show(printer: &Printer, made: &Made) -> Result<(), Failure> {
    remark(printer, made);
    printer.short(&json!(made.record))
}

fn remark(printer: &Printer, made: &Made) {
    if made.replaced {
        printer.warn(&format!(
            "{} was there with other content; a new version would tell the two apart",
            shown(&made.file)
        ));
    }
    printer.remark(&format!("{} and {}", shown(&made.file), shown(&made.record_file)));
}

async fn providers(printer: &Printer, making: &Making) -> Result<(), Failure> {
    let all = making.place.extensions().await?;
    let setup = Setup::new(making).await?;
    let packer = setup.packer()?;
    let mut failed = !all.bad.is_empty();
    all.bad.iter().for_each(|bad| printer.warn(&format!("{}: {}", bad.path.display(), bad.why)));
    let mut rows = Vec::new();
    for found in all.of(ExtensionType::Provider) {
        match packer.extension(&found.identity).await {
            Ok(made) => {
                remark(printer, &made);
                rows.push(json!(made.record));
            }
            Err(error) => {
                failed = true;
                printer.failure(&pack_failure(error));
            }
        }
    }
    let columns = [("Name", "/name"), ("Version", "/version"), ("Size", "/size"), ("SHA-256", "/sha256")];
    printer.list(&rows, &columns)?;
    if failed { Err(Failure::silent(Exit::Partial)) } else { Ok(()) }
}

fn listed(printer: &Printer, all: &[packs::Listed]) -> Result<(), Failure> {
    let rows: Vec<Value> = all.iter().map(|one| json!(one)).collect();
    let columns = [
        ("Name", "/name"),
        ("Version", "/version"),
        ("Type", "/type"),
        ("Size", "/size"),
        ("State", "/state"),
        ("Created", "/created"),
        ("File", "/file"),
    ];
    printer.list(&rows, &columns)
}

async fn install(
    printer: &Printer,
    file: &Path,
    infra: Option<&str>,
    sha256: Option<&str>,
    force: bool,
    place: &Place,
) -> Result<(), Failure> {
    let registry = place.settings().await?.registry;
    let pack = packs::verify(file, &registry, sha256).map_err(pack_failure)?;
    let verification = pack.outcome.name();
    if pack.outcome == packs::Outcome::Unverified {
        printer.warn(&format!("{}: no record speaks of it, so it is unverified", shown(file)));
    }
    let mut answer = match infra {
        Some(name) => {
            let infra = place.infra(name)?;
            let mut refused: Option<PackError> = None;
            let accept = |identity: &Identity| {
                pack.holds(identity).map_err(|error| {
                    let why = error.to_string();
                    refused = Some(error);
                    ModuleError::InTheWay { path: file.to_owned(), why }
                })
            };
            let done = infra.install_pack(&pack.bytes[..], &pack.sha256, accept, force);
            if let Some(error) = refused {
                return Err(pack_failure(error));
            }
            json!(done.map_err(module_failure)?)
        }
        None => json!(packs::install_for_user(&pack, &place.data()?, force).map_err(pack_failure)?),
    };
    answer["verification"] = verification.into();
    printer.short(&answer)
}
