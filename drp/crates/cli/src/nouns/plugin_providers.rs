//! Executables of plugin providers.

use crate::Failure;
use crate::commands::{Context, objects};
use crate::noun::{Noun, noun};
use clap::{Subcommand, ValueHint};
use drp_client::Query;
use drp_protocol::PluginProvider;
use serde_json::{Value, json};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Verbs of plugin providers alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Install or replace a plugin provider
    Upload {
        /// The executable; also FILE as NAME, or NAME from FILE
        #[arg(required = true, num_args = 1..=3, value_name = "FILE", value_hint = ValueHint::ExecutablePath)]
        words: Vec<String>,
        /// Name of the provider [default: the file's name]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Drop writable objects that its content would hide
        #[arg(long)]
        replace_writable: bool,
    },
    /// Fetch the executable of a plugin provider
    Download {
        /// Name of the provider
        name: String,
        /// File to write, - for standard output [default: the provider's name]
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

pub(super) const NOUN: Noun = noun!("plugin_providers", "", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Upload { words, name, replace_writable } => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (file, name) = match words[..] {
                [file] => (file, name),
                [file, "as", name] | [name, "from", file] => (file, Some(name.to_owned())),
                _ => return Err(Failure::usage("write FILE, FILE as NAME, or NAME from FILE")),
            };
            upload(cx, Path::new(file), name, replace_writable).await
        }
        Verb::Download { name, file } => download(cx, &name, file).await,
    }
}

async fn upload(cx: &Context<'_>, file: &Path, name: Option<String>, replace: bool) -> Result<(), Failure> {
    let own = || file.file_name().and_then(|n| n.to_str()).map(str::to_owned);
    let name = name.or_else(own).ok_or_else(|| {
        Failure::usage(format!("{} gives no name for the provider", file.display()))
            .hint("name it with --as NAME")
    })?;
    let trouble = |e| Failure::io(file.display(), &e);
    let executable = tokio::fs::File::open(file).await.map_err(trouble)?;
    let meta = executable.metadata().await.map_err(trouble)?;
    if !meta.is_file() {
        return Err(Failure::usage(format!("{} is not a file", file.display())));
    }
    if cx.dry("POST", &format!("plugin_providers/{name}"), &json!({ "bytes": meta.len() }))? {
        return Ok(());
    }
    let done = cx.client.upload_provider(&name, executable, Some(meta.len()), replace).await?;
    cx.printer.value(&json!(done))?;
    without_plugin(cx, &name).await;
    Ok(())
}

/// A provider that does not start by itself does nothing until there is a plugin of it.
async fn without_plugin(cx: &Context<'_>, name: &str) {
    let Ok(provider) = cx.client.get::<PluginProvider>("plugin_providers", name).await else { return };
    let plugins = cx.client.list::<Value>("plugins", &Query::new().with("Provider", name)).await;
    if !provider.auto_start && plugins.is_ok_and(|found| found.items.is_empty()) {
        cx.printer.hint(&format!(
            "it runs once it has a plugin: `drp plugins create '{{\"Name\": \"{name}-1\", \"Provider\": \"{name}\"}}'`"
        ));
    }
}

async fn download(cx: &Context<'_>, name: &str, file: Option<PathBuf>) -> Result<(), Failure> {
    let download =
        objects::known(cx, "plugin_providers", name, cx.client.provider_binary(name).await).await?;
    let path = file.unwrap_or_else(|| PathBuf::from(name));
    if path.as_os_str() == "-" {
        download.write_to(&mut tokio::io::stdout()).await?;
        return Ok(());
    }
    let size = save(&path, 0o755, async |out| Ok(download.write_to(out).await?)).await?;
    cx.printer.value(&json!({ "path": path.display().to_string(), "size": size }))
}

/// Writes a new file beside its place first, so that a broken transfer leaves nothing half.
pub(crate) async fn save(
    path: &Path,
    mode: u32,
    write: impl AsyncFnOnce(&mut tokio::fs::File) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    let trouble = |e: std::io::Error| Failure::io(path.display(), &e);
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".part{}", std::process::id()));
    let part = PathBuf::from(part);
    let out =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part).map_err(trouble)?;
    let mut out = tokio::fs::File::from_std(out);
    let done = async {
        let size = write(&mut out).await?;
        out.sync_all().await.map_err(trouble)?;
        std::fs::rename(&part, path).map_err(trouble)?;
        Ok(size)
    };
    let done = done.await;
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done
}
