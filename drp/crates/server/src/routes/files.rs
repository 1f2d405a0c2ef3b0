//! Files and ISO images (wire-protocol §3.9). Unpacked plugin providers lie among the files.

use crate::app::App;
use crate::http::{Answer, Call, Failure, Reply, Upload, conflict, drain, file_answer};
use drp_protocol::{BlobInfo, Error};
use futures_util::StreamExt;
use http::header::{IF_NONE_MATCH, IF_RANGE};
use http::{HeaderMap, Method, StatusCode};
use ring::digest;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Largest upload in bytes.
const LIMIT: u64 = 64 << 30;
/// A download waits for the entity tag of a file up to this size, in bytes.
const AT_ONCE: u64 = 64 << 20;
/// Entries of a recursive listing at most.
const ENTRIES: usize = 100_000;

/// `/files/…` and `/isos/…`; `area` is one of the two words.
pub(super) async fn route(call: Call, area: &str, path: &[&str]) -> Answer {
    let root = call.app.place.settings.file_root.join(area);
    let key = path.join("/");
    match (path, call.method()) {
        ([], &Method::GET | &Method::HEAD) => {
            if !call.sees(area, "") {
                return Ok(Reply::ok(&[(); 0]));
            }
            list(&call, area, &root).await
        }
        ([], _) => call.not_allowed(),
        (_, &Method::GET | &Method::HEAD) => {
            call.claim(area, "get", &key)?;
            let found = regular(&root, &key).await;
            let path = found.ok_or_else(|| wrong(404, call.method(), area, &key, "Not a regular file"))?;
            let sum = sum(&call.app, call.method(), call.headers(), &path).await;
            file_answer(call.method(), call.headers(), &path, sum.as_deref()).await
        }
        (_, &Method::POST) => {
            call.claim(area, "post", &key)?;
            upload(call, area, &root, &key).await
        }
        (_, &Method::DELETE) => {
            call.claim(area, "delete", &key)?;
            let unable = || wrong(404, &Method::DELETE, area, &key, "Unable to delete");
            let path = safe_join(&root, &key).ok_or_else(unable)?;
            tokio::fs::remove_file(&path).await.map_err(|_| unable())?;
            Ok(Reply::none())
        }
        _ => call.not_allowed(),
    }
}

/// GET `/static/cert`: the certificate chain that the daemon shows, as PEM. It is no secret: every handshake has it.
pub(super) fn certificate(call: &Call) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    let mut response = http::Response::new(axum::body::Body::from(call.app.place.certificate.clone()));
    let kind = http::HeaderValue::from_static("application/x-pem-file");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    Ok(Reply(response))
}

/// Keys in errors have a leading slash, for files and images alike.
fn wrong(code: u16, method: &Method, area: &str, key: &str, text: impl Into<String>) -> Failure {
    Error::new(code, method.as_str(), text).on(area, format!("/{key}")).into()
}

/// A path below a root, or `None` when it would leave it.
pub(crate) fn safe_join(root: &Path, relative: &str) -> Option<PathBuf> {
    let relative = Path::new(relative);
    // What no file system takes is no path.
    let inside =
        relative.components().all(|part| matches!(part, Component::Normal(name) if name.len() < 256))
            && relative.as_os_str().len() < 4_000;
    if !inside || relative.as_os_str().is_empty() || relative.to_string_lossy().contains('\0') {
        return None;
    }
    Some(root.join(relative))
}

/// A regular file below the root. A symbolic link may not lead out of it.
async fn regular(root: &Path, key: &str) -> Option<PathBuf> {
    let path = safe_join(root, key)?;
    let real = tokio::fs::canonicalize(&path).await.ok()?;
    let root = tokio::fs::canonicalize(root).await.ok()?;
    let meta = tokio::fs::metadata(&real).await.ok()?;
    (meta.is_file() && real.starts_with(root)).then_some(real)
}

async fn list(call: &Call, area: &str, root: &Path) -> Answer {
    let below = call.query.get("path").unwrap_or_default().trim_matches('/').to_owned();
    let outside = || wrong(404, &Method::GET, area, &below, "Not a directory");
    let directory = match below.as_str() {
        "" | "." => root.to_owned(),
        below => safe_join(root, below).ok_or_else(outside)?,
    };
    let recursive = call.query.is_set("all");
    let at_root = directory == *root;
    let listed = tokio::task::spawn_blocking(move || {
        let mut names = Vec::new();
        entries(&directory, "", recursive, &mut names).map(|()| names)
    });
    let mut names = match listed.await {
        Ok(Ok(names)) => names,
        Ok(Err(_)) if at_root => Vec::new(),
        _ => return Err(outside()),
    };
    names.sort();
    Ok(Reply::ok(&names))
}

fn entries(directory: &Path, before: &str, recursive: bool, names: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || names.len() >= ENTRIES {
            continue;
        }
        let is_dir = entry.file_type()?.is_dir();
        if is_dir && recursive {
            entries(&entry.path(), &format!("{before}{name}/"), true, names)?;
        } else {
            names.push(format!("{before}{name}{}", if is_dir { "/" } else { "" }));
        }
    }
    Ok(())
}

async fn upload(mut call: Call, area: &str, root: &Path, key: &str) -> Answer {
    let fail = |code: u16, text: String| wrong(code, &Method::POST, area, key, text);
    let Some(path) = safe_join(root, key).filter(|path| !hidden(path)) else {
        return Err(fail(400, format!("{key:?} is not a path below {area}")));
    };
    let explode = call.query.is_set("explode");
    let parent = path.parent().unwrap_or(root).to_owned();
    // What is unpacked may be anything below its directory.
    let held = if explode { parent.clone() } else { path.clone() };
    let mut data = call.upload(area, &format!("/{key}"))?;
    let Some(_alone) = call.app.write_alone(held) else {
        return Err(conflict("POST", area, &format!("/{key}"), format!("upload: {key} already uploading")));
    };
    if tokio::fs::create_dir_all(&parent).await.is_err() || (path.is_dir() && !explode) {
        return Err(fail(409, format!("Failed to ensure final directory for {key} exists")));
    }
    let app = &call.app;
    let stored = match store(&mut data, &parent).await {
        Ok(stored) if explode => {
            let below = key.rsplit_once('/').map_or(String::new(), |(below, _)| format!("{below}/"));
            let (claims, area) = (call.who.claims.clone(), area.to_owned());
            unpack(stored, parent, move |path| claims.allow(&area, "post", &format!("{below}{path}"))).await
        }
        Ok(stored) => stored.keep(app, &path),
        Err(error) => Err(error),
    };
    let size = match stored {
        Ok(size) => size,
        Err((code, text)) => {
            drain(data).await;
            return Err(fail(code, format!("upload: {key} {text}")));
        }
    };
    let shown = if area == "files" { format!("/{key}") } else { key.to_owned() };
    let info = BlobInfo { path: shown, size: i64::try_from(size).unwrap_or(i64::MAX) };
    Ok(Reply::json(StatusCode::CREATED, &info))
}

/// A status and what went wrong.
type Wrong = (u16, String);

fn io_error(error: &io::Error) -> Wrong {
    let code = if error.kind() == io::ErrorKind::StorageFull { 507 } else { 500 };
    (code, format!("cannot be written: {error}"))
}

/// An upload that is on the disk but not yet in its place.
struct Stored {
    aside: tempfile::NamedTempFile,
    size: u64,
    sum: digest::Context,
}

impl Stored {
    fn keep(self, app: &App, path: &Path) -> Result<u64, Wrong> {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(self.aside.path(), mode).map_err(|e| io_error(&e))?;
        self.aside.persist(path).map_err(|e| io_error(&e.error))?;
        app.sums.written(path, self.sum);
        Ok(self.size)
    }
}

/// Writes an upload into a file that nobody sees.
async fn store(data: &mut Upload, parent: &Path) -> Result<Stored, Wrong> {
    let io = |e: io::Error| io_error(&e);
    let aside = tempfile::Builder::new().prefix(".upload").tempfile_in(parent).map_err(io)?;
    let mut file = tokio::fs::File::from_std(aside.reopen().map_err(io)?);
    let (mut size, mut sum) = (0_u64, digest::Context::new(&digest::SHA256));
    while let Some(piece) = data.next().await {
        let piece = piece.map_err(|e| (400, format!("broke off: {e}")))?;
        size += piece.len() as u64;
        if size > LIMIT {
            return Err((413, format!("is larger than {LIMIT} bytes")));
        }
        sum.update(&piece);
        file.write_all(&piece).await.map_err(io)?;
    }
    file.flush().await.map_err(io)?;
    file.sync_all().await.map_err(io)?;
    Ok(Stored { aside, size, sum })
}

/// Unpacks an upload into the directory of its path; the archive itself is not kept.
async fn unpack(
    stored: Stored,
    into: PathBuf,
    may: impl Fn(&str) -> bool + Send + 'static,
) -> Result<u64, Wrong> {
    let done = tokio::task::spawn_blocking(move || {
        let files = crate::explode::explode(stored.aside.path(), &into, may)?;
        tracing::info!(files, into = %into.display(), "an uploaded archive is unpacked");
        Ok(stored.size)
    });
    match done.await {
        Ok(done) => done.map_err(|refused: crate::explode::Refused| (refused.code, refused.text)),
        Err(error) => Err((500, format!("cannot be unpacked: {error}"))),
    }
}

/// Names with a dot in front are uploads under way.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// The SHA-256 sum of a file if it is worth waiting for: a plain download of a large file begins at once, and the sum
/// is there the next time.
pub(crate) async fn sum(app: &Arc<App>, method: &Method, headers: &HeaderMap, path: &Path) -> Option<String> {
    if let Some(sum) = app.sums.known(path) {
        return Some(sum);
    }
    let size = tokio::fs::metadata(path).await.ok()?.len();
    let asked =
        *method == Method::HEAD || [IF_NONE_MATCH, IF_RANGE].iter().any(|name| headers.contains_key(name));
    let (app, path) = (Arc::clone(app), path.to_owned());
    let taken = tokio::task::spawn_blocking(move || app.sums.of(&path).ok());
    if size > AT_ONCE && !asked { None } else { taken.await.ok().flatten() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_root() {
        let root = Path::new("/r");
        assert_eq!(safe_join(root, "a/b c"), Some(PathBuf::from("/r/a/b c")));
        for bad in ["", "..", "a/../../b", "/etc/passwd", "./a", "a\0b"] {
            assert_eq!(safe_join(root, bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn links_do_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("files");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::fs::write(root.join("open"), "y").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        assert!(regular(&root, "open").await.is_some());
        assert!(regular(&root, "link").await.is_none());
    }
}
