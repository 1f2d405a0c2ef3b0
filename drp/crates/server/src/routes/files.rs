//! Files and ISO images (wire-protocol §3.9). Unpacked plugin providers lie among the files.

use crate::http::{Answer, Call, Failure, Reply, Upload, conflict, drain, file_answer};
use drp_protocol::{BlobInfo, Error};
use futures_util::StreamExt;
use http::{Method, StatusCode};
use ring::digest;
use std::fmt::Write;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;
use tokio::io::AsyncWriteExt;

/// Largest upload in bytes.
const LIMIT: u64 = 64 << 30;
/// Files up to this size are hashed for their entity tag; larger ones are told apart by size and time.
const HASHED: u64 = 32 << 20;
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
            let (tag, sum) = etag(&path).await;
            file_answer(call.method(), call.headers(), &path, &tag, sum.as_deref()).await
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
    if call.query.is_set("explode") {
        return Err(fail(
            400,
            "explode is not supported: unpack the archive and upload its files".to_owned(),
        ));
    }
    let Some(path) = safe_join(root, key).filter(|path| !hidden(path)) else {
        return Err(fail(400, format!("{key:?} is not a path below {area}")));
    };
    let mut data = call.upload(area, &format!("/{key}"))?;
    let Some(_alone) = call.app.write_alone(path.clone()) else {
        return Err(conflict("POST", area, &format!("/{key}"), format!("upload: {key} already uploading")));
    };
    let parent = path.parent().unwrap_or(root).to_owned();
    if tokio::fs::create_dir_all(&parent).await.is_err() || path.is_dir() {
        return Err(fail(409, format!("Failed to ensure final directory for {key} exists")));
    }
    let size = match store(&mut data, &parent, &path).await {
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

/// Writes an upload beside its place and then into it. The error is a status and what went wrong.
async fn store(data: &mut Upload, parent: &Path, path: &Path) -> Result<u64, (u16, String)> {
    let io = |e: io::Error| {
        let code = if e.kind() == io::ErrorKind::StorageFull { 507 } else { 500 };
        (code, format!("cannot be written: {e}"))
    };
    let aside = tempfile::Builder::new().prefix(".upload").tempfile_in(parent).map_err(io)?;
    let mut file = tokio::fs::File::from_std(aside.reopen().map_err(io)?);
    let mut size = 0_u64;
    while let Some(piece) = data.next().await {
        let piece = piece.map_err(|e| (400, format!("broke off: {e}")))?;
        size += piece.len() as u64;
        if size > LIMIT {
            return Err((413, format!("is larger than {LIMIT} bytes")));
        }
        file.write_all(&piece).await.map_err(io)?;
    }
    file.flush().await.map_err(io)?;
    file.sync_all().await.map_err(io)?;
    std::fs::set_permissions(aside.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .map_err(io)?;
    aside.persist(path).map_err(|e| io(e.error))?;
    Ok(size)
}

/// Names with a dot in front are uploads under way.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// The entity tag of a file, and its SHA-256 when it was small enough to take.
pub(crate) async fn etag(path: &Path) -> (String, Option<String>) {
    let path = path.to_owned();
    let tag = tokio::task::spawn_blocking(move || -> io::Result<(String, Option<String>)> {
        let mut file = std::fs::File::open(&path)?;
        let meta = file.metadata()?;
        if meta.len() > HASHED {
            let changed = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            return Ok((format!("\"{}-{changed}\"", meta.len()), None));
        }
        let mut context = digest::Context::new(&digest::SHA256);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => context.update(&buffer[..n]),
            }
        }
        let hex = context.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Ok((format!("\"SHA256:{hex}\""), Some(hex)))
    });
    tag.await.ok().and_then(Result::ok).unwrap_or_else(|| ("\"\"".to_owned(), None))
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
        let (tag, sum) = etag(&root.join("open")).await;
        assert_eq!(tag, format!("\"SHA256:{}\"", sum.unwrap()));
    }
}
