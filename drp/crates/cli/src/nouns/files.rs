//! Files and ISO images.

use super::plugin_providers::save;
use crate::commands::{Context, objects};
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, hints};
use clap::{Subcommand, ValueHint};
use drp_client::{ClientError, Download};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, ReadBuf, SeekFrom};

/// Verbs of files and ISO images.
#[derive(Debug, Subcommand)]
enum Verb {
    /// List names; those of directories end in /
    List {
        /// Directory to list
        #[arg(default_value = "")]
        path: String,
        /// With all that is in directories
        #[arg(long)]
        all: bool,
    },
    /// Exit with 0 when the file exists, with 3 when not
    Exists {
        /// Its name
        name: String,
    },
    /// Show the size and checksum of a file
    Show {
        /// Its name
        name: String,
    },
    /// Upload a file and check that it arrived whole
    Upload {
        /// The file here, - for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The word as
        #[arg(value_name = "as", value_parser = ["as"], hide_possible_values = true, requires = "name")]
        word: Option<String>,
        /// Its name there [default: the name it has here]
        name: Option<String>,
        /// Unpack an archive where it lands
        #[arg(long)]
        explode: bool,
    },
    /// Download a file and check that it arrived whole
    Download {
        /// Its name
        name: String,
        /// File to write, - for standard output [default: the name it has there]
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Fetch only what a part that is here already lacks
        #[arg(long = "continue")]
        further: bool,
    },
    /// Delete files
    Destroy {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

pub(super) const FILES: Noun = noun!("files", "Files that the daemon keeps and serves", Verb, run);
pub(super) const ISOS: Noun = noun!("isos", "ISO images that the daemon keeps", Verb, run);

async fn run(cx: &Context<'_>, kind: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { path, all } => {
            let names = if all {
                cx.client.files_below(kind, &path).await
            } else {
                cx.client.files(kind, &path).await
            };
            cx.printer.value(&json!(names?))
        }
        Verb::Exists { name } => {
            let tag = cx.client.tag(kind, name.trim_start_matches('/'), &drp_client::Poll::default()).await;
            match tag {
                Ok(_) => Ok(()),
                Err(error) => Err(absent(cx, kind, &name, error).await),
            }
        }
        Verb::Show { name } => match cx.client.file_info(kind, &name).await {
            Ok((size, sum)) => cx.printer.value(&json!({ "Path": name, "Size": size, "SHA256": sum })),
            Err(error) => Err(absent(cx, kind, &name, error).await),
        },
        Verb::Upload { file, name, explode, .. } => {
            let own = || file.file_name().and_then(|n| n.to_str()).map(str::to_owned);
            let Some(name) = name.or_else(own).filter(|name| name != "-") else {
                return Err(Failure::usage(format!("{} gives no name", file.display()))
                    .hint(format!("name it: `drp {kind} upload FILE as NAME`")));
            };
            upload(cx, kind, &file, &name, explode).await
        }
        Verb::Download { name, file, further } => download(cx, kind, &name, file, further).await,
        Verb::Destroy { names } => destroy(cx, kind, &names).await,
    }
}

/// A missing file, with the names that look like it.
async fn absent(cx: &Context<'_>, kind: &str, name: &str, error: ClientError) -> Failure {
    if !error.is_not_found() {
        return error.into();
    }
    let name = name.trim_start_matches('/');
    let (directory, last) = name.rsplit_once('/').unwrap_or(("", name));
    let failure = Failure::new(Exit::NotFound, format!("{kind}/{name} does not exist"));
    let Ok(names) = cx.client.files(kind, directory).await else { return failure };
    match hints::did_you_mean(last, names.iter().map(String::as_str)) {
        Some(hint) => failure.hint(hint),
        None => failure.hint(format!("`drp {kind} list {directory}` shows what there is").replace(" `", "`")),
    }
}

/// Sends a file, counting its checksum meanwhile, and compares that with the one the daemon has afterwards.
pub(super) async fn upload(
    cx: &Context<'_>,
    kind: &str,
    file: &Path,
    name: &str,
    explode: bool,
) -> Result<(), Failure> {
    let trouble = |e| Failure::io(file.display(), &e);
    let (content, length): (Box<dyn AsyncRead + Send + Sync + Unpin>, Option<u64>) = if file == Path::new("-")
    {
        (Box::new(tokio::io::stdin()), None)
    } else {
        let open = tokio::fs::File::open(file).await.map_err(trouble)?;
        let meta = open.metadata().await.map_err(trouble)?;
        if !meta.is_file() {
            return Err(Failure::usage(format!("{} is not a file", file.display())));
        }
        (Box::new(open), Some(meta.len()))
    };
    if cx.dry("POST", &format!("{kind}/{name}"), &json!({ "bytes": length }))? {
        return Ok(());
    }
    let sum = Arc::new(Mutex::new(Sha256::new()));
    let content = Summed { inner: content, sum: sum.clone() };
    let done = cx.client.upload_file(kind, name, content, length, explode).await?;
    if !explode {
        let here = hex(&sum);
        let (_, there) = cx.client.file_info(kind, name).await?;
        if there.is_some_and(|there| !there.eq_ignore_ascii_case(&here)) {
            return Err(Failure::new(Exit::General, format!("{kind}/{name} did not arrive as it was sent"))
                .hint("somebody else may have written it meanwhile: try again"));
        }
    }
    cx.printer.value(&json!(done))
}

async fn download(
    cx: &Context<'_>,
    kind: &str,
    name: &str,
    file: Option<PathBuf>,
    further: bool,
) -> Result<(), Failure> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let path = file.unwrap_or_else(|| PathBuf::from(last));
    let trouble = |e: io::Error| Failure::io(path.display(), &e);
    let to_stdout = path.as_os_str() == "-";
    let mut sum = Sha256::new();
    let mut have = 0;
    let mut part = None;
    if further && !to_stdout && path.is_file() {
        let mut open =
            tokio::fs::OpenOptions::new().read(true).write(true).open(&path).await.map_err(trouble)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = open.read(&mut buffer).await.map_err(trouble)?;
            if count == 0 {
                break;
            }
            sum.update(&buffer[..count]);
            have += count as u64;
        }
        part = Some(open);
    }
    let (size, there) = match cx.client.file_info(kind, name).await {
        Ok(info) => info,
        Err(error) => return Err(absent(cx, kind, name, error).await),
    };
    let sum = Arc::new(Mutex::new(sum));
    let got = match part {
        Some(_) if size == Some(have) => have,
        Some(mut open) if size.is_none_or(|size| have < size) => {
            let download = cx.client.file_from(kind, name, have).await?;
            if download.begins() != have {
                return Err(Failure::new(Exit::General, "the daemon cannot send a part of this file")
                    .hint("leave --continue out"));
            }
            open.seek(SeekFrom::End(0)).await.map_err(trouble)?;
            have + copy(download, &mut open, &sum).await?
        }
        Some(_) => {
            return Err(Failure::new(
                Exit::Refused,
                format!("{} is longer than {kind}/{name}", path.display()),
            ));
        }
        None => {
            let download = match cx.client.file(kind, name).await {
                Ok(download) => download,
                Err(error) => return Err(absent(cx, kind, name, error).await),
            };
            if to_stdout {
                copy(download, &mut tokio::io::stdout(), &sum).await?
            } else {
                // A file that is not what the daemon has must not take the place of one that may be good.
                return save(&path, 0o644, async |out| {
                    let got = copy(download, out, &sum).await?;
                    check(kind, name, there.as_deref(), &sum).map(|()| got)
                })
                .await
                .and_then(|size| report(cx, &path, size, &sum));
            }
        }
    };
    check(kind, name, there.as_deref(), &sum)?;
    if to_stdout { Ok(()) } else { report(cx, &path, got, &sum) }
}

fn report(cx: &Context<'_>, path: &Path, size: u64, sum: &Mutex<Sha256>) -> Result<(), Failure> {
    cx.printer.value(&json!({ "Path": path.display().to_string(), "Size": size, "SHA256": hex(sum) }))
}

fn check(kind: &str, name: &str, there: Option<&str>, sum: &Mutex<Sha256>) -> Result<(), Failure> {
    if there.is_some_and(|there| !there.eq_ignore_ascii_case(&hex(sum))) {
        return Err(Failure::new(
            Exit::General,
            format!("the checksum of {kind}/{name} is another one here"),
        )
        .hint("the file changed or was damaged on its way: try again without --continue"));
    }
    Ok(())
}

async fn copy(
    download: Download,
    out: &mut (impl AsyncWrite + Unpin),
    sum: &Arc<Mutex<Sha256>>,
) -> Result<u64, Failure> {
    Ok(download.write_to(&mut Summed { inner: out, sum: sum.clone() }).await?)
}

async fn destroy(cx: &Context<'_>, kind: &str, names: &[String]) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for name in names {
        if cx.globals.dry_run {
            match cx.client.file_info(kind, name).await {
                Ok(_) => cx.dry("DELETE", &format!("{kind}/{name}"), &Value::Null).map(drop)?,
                Err(error) => failed.push(absent(cx, kind, name, error).await),
            }
            continue;
        }
        match cx.client.delete_file(kind, name).await {
            Ok(()) => {
                cx.printer.item(&json!({ "Deleted": name, "Type": kind }), &format!("Deleted {name}"))?
            }
            Err(error) => failed.push(absent(cx, kind, name, error).await),
        }
    }
    objects::some_failed(cx, failed, names.len())
}

fn hex(sum: &Mutex<Sha256>) -> String {
    let digest = match sum.lock() {
        Ok(sum) => sum.clone().finalize(),
        Err(poisoned) => poisoned.into_inner().clone().finalize(),
    };
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Counts the checksum of what is read or written.
struct Summed<T> {
    inner: T,
    sum: Arc<Mutex<Sha256>>,
}

impl<T> Summed<T> {
    fn add(&self, bytes: &[u8]) {
        if let Ok(mut sum) = self.sum.lock() {
            sum.update(bytes);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Summed<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.add(&buf.filled()[before..]);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Summed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &polled {
            self.add(&bytes[..*count]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
