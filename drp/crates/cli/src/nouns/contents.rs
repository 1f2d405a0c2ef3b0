//! Content bundles: uploaded from files and directories, and turned from one form into another.

use crate::commands::Context;
use crate::grammar::Globals;
use crate::noun::{Noun, noun};
use crate::{Failure, Format, Hooks, Printer, input};
use clap::{ArgMatches, FromArgMatches, Subcommand, ValueHint};
use drp_client::{Query, path};
use drp_content::ContentError;
use drp_protocol::Bundle;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Verbs of content alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Add content that is not there yet
    Create {
        /// Bundle: a file, a directory, - for standard input, or the text itself
        bundle: String,
        /// Drop writable objects that the content would hide
        #[arg(long)]
        replace_writable: bool,
    },
    /// Replace content that is there
    Update {
        /// Name of the content
        id: String,
        /// Bundle: a file, a directory, - for standard input, or the text itself
        bundle: String,
        /// Drop writable objects that the content would hide
        #[arg(long)]
        replace_writable: bool,
    },
    /// Add content, or replace what is there under its name
    Upload {
        /// Bundle: a file, a directory, - for standard input, or the text itself
        bundle: String,
        /// Drop writable objects that the content would hide
        #[arg(long)]
        replace_writable: bool,
    },
    /// Make a bundle of a directory. Needs no daemon
    Bundle {
        /// File to write, - for standard output; .json is JSON, else YAML
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Fields of its meta that differ from those of the directory, for instance Version=v1.2.0
        #[arg(value_name = "FIELD=VALUE")]
        meta: Vec<String>,
        /// The directory
        #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
        from: PathBuf,
    },
    /// Make a directory of a bundle. Needs no daemon
    Unbundle {
        /// Bundle: a file, or - for standard input
        bundle: String,
        /// The directory
        #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
        into: PathBuf,
    },
    /// Print the documentation of a bundle as Markdown. Needs no daemon
    Document {
        /// Bundle: a file, a directory, or - for standard input
        bundle: String,
    },
    /// Make a bundle of writable objects and print it, values of secure params in the open
    Convert {
        /// Name of the bundle
        name: String,
        /// Which objects: TYPE or TYPE:KEY [default: all of the types that content is made of]
        #[arg(value_name = "TYPE[:KEY]")]
        objects: Vec<String>,
        /// Version of the bundle
        #[arg(long, value_name = "VERSION", default_value = "v1.0.0")]
        as_version: String,
        /// Upload it instead: the objects then belong to the content, and are no longer writable
        #[arg(long)]
        upload: bool,
    },
}

pub(super) const NOUN: Noun = noun!("contents", "", Verb, run, alone);

/// What content is made of.
const TYPES: [&str; 9] =
    ["bootenvs", "contexts", "params", "profiles", "roles", "stages", "tasks", "templates", "workflows"];
/// What the daemon says about an object, and no bundle.
const SAID: [&str; 7] = ["Validated", "Available", "Errors", "ReadOnly", "Bundle", "Endpoint", "Partial"];

fn alone(
    globals: &Globals,
    printer: &Printer,
    matches: &ArgMatches,
    _: &dyn Hooks,
) -> Option<Result<(), Failure>> {
    match Verb::from_arg_matches(matches).ok()? {
        Verb::Bundle { file, meta, from } => Some(bundle(&file, &meta, &from, printer)),
        Verb::Unbundle { bundle, into } => Some(unbundle(&bundle, &into, globals.force, printer)),
        Verb::Document { bundle } => {
            let page = read(&bundle).map(|bundle| drp_content::document(&bundle));
            Some(page.and_then(|page| printer.text(page.trim_end())))
        }
        _ => None,
    }
}

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create { bundle, replace_writable } => {
            send(cx, "POST", &[], &read(&bundle)?, replace_writable).await
        }
        Verb::Update { id, bundle, replace_writable } => {
            let bundle = read(&bundle)?;
            send(cx, "PUT", &[&id], &bundle, replace_writable).await
        }
        Verb::Upload { bundle, replace_writable } => upload(cx, &read(&bundle)?, replace_writable).await,
        Verb::Convert { name, objects, as_version, upload: false } => {
            let bundle = convert(cx, &name, &objects, as_version).await?;
            let text = match cx.globals.format {
                Some(Format::Json) => drp_content::to_json(&bundle),
                _ => drp_content::to_yaml(&bundle),
            };
            cx.printer.text(text.map_err(wrong)?.trim_end())
        }
        Verb::Convert { name, objects, as_version, upload: true } => {
            let bundle = convert(cx, &name, &objects, as_version).await?;
            upload(cx, &bundle, true).await
        }
        // Done before, without a daemon.
        Verb::Bundle { .. } | Verb::Unbundle { .. } | Verb::Document { .. } => Ok(()),
    }
}

/// The bundle an argument stands for.
fn read(argument: &str) -> Result<Bundle, Failure> {
    let inline = argument.trim_start().starts_with('{') || argument.contains('\n');
    if argument == "-" || inline {
        let what = if inline { "the argument" } else { "standard input" };
        return drp_content::parse(what, &input::text(argument)?).map_err(wrong);
    }
    drp_content::read_path(Path::new(argument.strip_prefix('@').unwrap_or(argument))).map_err(wrong)
}

fn wrong(error: ContentError) -> Failure {
    match &error {
        ContentError::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::io(path.display(), source)
                .hint("a bundle is a file of JSON or YAML, a directory, or - for standard input")
        }
        _ => Failure::usage(error.to_string()),
    }
}

async fn upload(cx: &Context<'_>, bundle: &Bundle, replace: bool) -> Result<(), Failure> {
    let name = bundle.meta.name.as_str();
    if cx.client.exists("contents", name).await? {
        send(cx, "PUT", &[name], bundle, replace).await
    } else {
        send(cx, "POST", &[], bundle, replace).await
    }
}

async fn send(
    cx: &Context<'_>,
    method: &str,
    below: &[&str],
    bundle: &Bundle,
    replace: bool,
) -> Result<(), Failure> {
    let names = [&["contents"], below].concat();
    let query = if replace { Query::new().with("replaceWritable", "true") } else { Query::new() };
    if cx.dry(method, &names.join("/"), &json!(bundle))? {
        return Ok(());
    }
    let clash = |error: drp_client::ClientError| {
        let hides = error.to_string().contains("would override layer writable-");
        let failure = Failure::from(error);
        if hides { failure.hint("--replace-writable drops the writable objects") } else { failure }
    };
    let done = cx.client.raw(method, &path(&names, &query)?, Some(&json!(bundle))).await.map_err(clash)?;
    for warning in done.get("Warnings").and_then(Value::as_array).into_iter().flatten() {
        cx.printer.warn(warning.as_str().unwrap_or_default());
    }
    cx.printer.value(&done)
}

fn bundle(file: &Path, meta: &[String], from: &Path, printer: &Printer) -> Result<(), Failure> {
    let mut bundle = drp_content::read_dir(from).map_err(wrong)?;
    for entry in meta {
        let Some((field, value)) = entry.split_once('=') else {
            return Err(Failure::usage(format!("`{entry}` has no ="))
                .hint("write FIELD=VALUE, for instance Version=v1.2.0"));
        };
        drp_content::set_field(&mut bundle.meta, field, value).map_err(wrong)?;
    }
    drp_content::settle(&mut bundle.meta);
    let json = file.extension().is_some_and(|e| e == "json");
    let text = if json { drp_content::to_json(&bundle) } else { drp_content::to_yaml(&bundle) };
    let text = text.map_err(wrong)?;
    if file.as_os_str() == "-" {
        return printer.text(text.trim_end());
    }
    let mut part = file.as_os_str().to_owned();
    part.push(format!(".part{}", std::process::id()));
    let part = PathBuf::from(part);
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, file));
    written.map_err(|e| {
        let _ = std::fs::remove_file(&part);
        Failure::io(file.display(), &e)
    })?;
    printer.value(&json!({ "path": file.display().to_string(), "meta": drp_content::summary(&bundle).meta,
        "Counts": drp_content::summary(&bundle).counts }))
}

fn unbundle(argument: &str, into: &Path, force: bool, printer: &Printer) -> Result<(), Failure> {
    let bundle = read(argument)?;
    // What an earlier bundle left in the directory goes: it must be one of content, or have nothing to lose.
    if !force && holds_something_else(into) {
        return Err(Failure::usage(format!("{} holds other directories and no content", into.display()))
            .hint("--into DIR names another one; --force writes here, and removes JSON and YAML files of its directories"));
    }
    drp_content::write_dir(&bundle, into, drp_content::Format::Yaml).map_err(wrong)?;
    printer
        .value(&json!({ "path": into.display().to_string(), "Counts": drp_content::summary(&bundle).counts }))
}

fn holds_something_else(dir: &Path) -> bool {
    let entries: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().collect();
    let name = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().into_owned();
    let content = entries.iter().map(name).any(|n| n.starts_with("._") && n.ends_with(".meta"));
    !content && entries.iter().any(|e| e.path().is_dir() && !name(e).starts_with('.'))
}

async fn convert(
    cx: &Context<'_>,
    name: &str,
    objects: &[String],
    version: String,
) -> Result<Bundle, Failure> {
    let chosen: Vec<(&str, Option<&str>)> = if objects.is_empty() {
        TYPES.iter().map(|prefix| (*prefix, None)).collect()
    } else {
        objects.iter().map(|o| o.split_once(':').map_or((o.as_str(), None), |(p, k)| (p, Some(k)))).collect()
    };
    let mut bundle = Bundle::default();
    bundle.meta.name = name.to_owned();
    bundle.meta.version = version;
    drp_content::settle(&mut bundle.meta);
    for (prefix, key) in chosen {
        let mut query = Query::new().with("ReadOnly", "false");
        if crate::types::find(prefix).is_none_or(|kind| kind.params) {
            query = query.decode();
        }
        if let Some(key) = key {
            query = query.eq("Key", key);
        }
        let found = cx.client.list::<Map<String, Value>>(prefix, &query).await?;
        if let (Some(key), true) = (key, found.items.is_empty()) {
            return Err(Failure::new(crate::Exit::NotFound, format!("there is no writable {prefix}/{key}")));
        }
        for mut object in found.items {
            SAID.iter().for_each(|field| drop(object.remove(*field)));
            let Some(key) = object.get(drp_content::key_field(prefix)).and_then(Value::as_str) else {
                continue;
            };
            // It always exists, and is always writable.
            if (prefix, key) == ("profiles", "global") {
                continue;
            }
            let key = key.to_owned();
            bundle.sections.entry(prefix.to_owned()).or_default().insert(key, object);
        }
    }
    Ok(bundle)
}
