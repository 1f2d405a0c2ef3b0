//! Taking an uploaded executable (wire-protocol §1.11).

use super::{Catalogue, Seen, Signature, check_name, reason};
use crate::cache::Unpacked;
use crate::{HostError, Provider, ProviderChange};
use drp_protocol::PluginProvider;
use futures_util::{Stream, StreamExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;

impl Catalogue {
    /// Takes an uploaded executable. One that does not define or unpack itself, or whose definition the daemon
    /// refuses, leaves a working provider of that name as it is: file, definition, unpacked files and instances.
    pub(crate) async fn upload<S, E>(&self, name: &str, data: S) -> Result<(Arc<Provider>, u64), HostError>
    where
        S: Stream<Item = Result<bytes::Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        check_name(name)?;
        let part =
            Part(self.dir.join(format!(".{name}.{}.part", self.parts.fetch_add(1, Ordering::Relaxed))));
        let size = self.write(name, &part.0, data).await?;
        let path = self.dir.join(name);
        let mut seen = self.seen.lock().await;
        let defined = self.define(name, &part.0).await;
        if let (Ok(definition), Some(_)) = (&defined, self.get(name)) {
            let provider = self.exchange(definition.clone(), &part.0, &path, &mut seen).await?;
            return Ok((provider, size));
        }
        if defined.is_ok() || self.get(name).is_none() {
            std::fs::rename(&part.0, &path).map_err(|e| HostError::io("cannot write", &path, e))?;
        }
        let definition = match defined {
            Ok(definition) => definition,
            Err(e) => {
                let e = at_path(e, &path);
                if let Ok(meta) = path.metadata() {
                    seen.taken.insert(name.to_owned(), (&meta).into());
                }
                if self.get(name).is_none() {
                    self.problem(&path, reason(&e));
                }
                return Err(e);
            }
        };
        let meta = path.metadata().map_err(|e| HostError::io("cannot look at", &path, e))?;
        let signature = Signature::from(&meta);
        let sha256 = self.hash(name, &path, &signature).await?;
        self.cache.keep(&sha256, &definition);
        let provider = self.complete(definition, &path, sha256, false).await?;
        seen.taken.insert(name.to_owned(), signature);
        self.adopt(&path, provider, true).await?;
        let provider =
            self.get(name).ok_or_else(|| HostError::NoSuchProvider { provider: name.to_owned() })?;
        Ok((provider, size))
    }

    /// Puts a new version in the place of a known one, once the daemon has taken it.
    async fn exchange(
        &self,
        definition: PluginProvider,
        part: &Path,
        path: &Path,
        seen: &mut Seen,
    ) -> Result<Arc<Provider>, HostError> {
        let name = definition.name.clone();
        let look = |path: &Path| {
            path.metadata().map(|m| Signature::from(&m)).map_err(|e| HostError::io("cannot look at", path, e))
        };
        let sha256 = self.hash(&name, part, &look(part)?).await?;
        let files = self.unpack(&name, part).await.map_err(|e| at_path(e, path))?;
        let unpack_dir = self.unpack_root.join(&name);
        let provider = Arc::new(Provider { definition, path: path.to_owned(), sha256, unpack_dir });
        let refused = |error| HostError::Refused { provider: name.clone(), error: Box::new(error) };
        let change = ProviderChange::Changed(Arc::clone(&provider));
        self.backend.provider_changed(change).await.map_err(refused)?;
        std::fs::rename(part, path).map_err(|e| HostError::io("cannot write", path, e))?;
        self.no_problem(path);
        self.put(&name, Some(Arc::clone(&provider)));
        self.cache.keep(&provider.sha256, &provider.definition);
        seen.taken.insert(name.clone(), look(path)?);
        let unpacked = Unpacked { sha256: provider.sha256.clone(), made: self.swap(&name, &files)? };
        self.cache.set_unpacked(&name, Some(unpacked));
        Ok(provider)
    }

    async fn write<S, E>(&self, name: &str, part: &Path, data: S) -> Result<u64, HostError>
    where
        S: Stream<Item = Result<bytes::Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        let io = |e| HostError::io("cannot write", part, e);
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o700).open(part).await.map_err(io)?;
        let mut size = 0;
        let mut data = pin!(data);
        while let Some(chunk) = data.next().await {
            let chunk = chunk
                .map_err(|e| HostError::UploadBroken { provider: name.to_owned(), why: e.to_string() })?;
            size += chunk.len() as u64;
            if size > self.limits.upload {
                return Err(HostError::UploadTooLarge {
                    provider: name.to_owned(),
                    limit: self.limits.upload,
                });
            }
            file.write_all(&chunk).await.map_err(io)?;
        }
        file.flush().await.map_err(io)?;
        file.sync_all().await.map_err(io)?;
        std::fs::set_permissions(part, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
        Ok(size)
    }
}

/// Removes the file of an upload that did not become a provider.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Removes what uploads of an earlier host left.
pub(super) fn remove_parts(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|n| n.starts_with('.') && n.ends_with(".part")) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn at_path(error: HostError, path: &Path) -> HostError {
    match error {
        HostError::Define { why, .. } => HostError::Define { path: path.to_owned(), why },
        HostError::Unpack { why, .. } => HostError::Unpack { path: path.to_owned(), why },
        other => other,
    }
}
