//! The plugin directory: which files are providers (wire-protocol §1.11).

mod upload;

use crate::cache::{Cache, Signature, Unpacked};
use crate::host::Problem;
use crate::once::Once;
use crate::{Backend, HostError, Limits, Provider, ProviderChange, Removal};
use drp_protocol::{Level, Line, PluginProvider, Secret, Time};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

/// Providers by name, and what is wrong with other files.
pub(crate) struct Catalogue {
    dir: PathBuf,
    unpack_root: PathBuf,
    backend: Arc<dyn Backend>,
    once: Once,
    cache: Arc<Cache>,
    limits: Arc<Limits>,
    parts: AtomicU64,
    providers: RwLock<BTreeMap<String, Arc<Provider>>>,
    problems: RwLock<BTreeMap<PathBuf, String>>,
    /// What the files looked like when they were taken last. Held while files are taken, so that two
    /// scans never run the same provider; nothing that a plugin calls back into waits for it.
    seen: tokio::sync::Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    taken: BTreeMap<String, Signature>,
    /// Changed files that wait for a second look, because they may still be written.
    changing: BTreeMap<String, Signature>,
}

type Files = BTreeMap<String, (PathBuf, Signature)>;

/// How eager a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eagerness {
    /// Take every new or changed file now.
    Now,
    /// Take a file when it looked the same twice.
    WhenSettled,
    /// Take every file again without the cache.
    Anew,
}

impl Catalogue {
    pub(crate) fn open(
        config: &crate::HostConfig,
        limits: &Arc<Limits>,
        backend: &Arc<dyn Backend>,
        once: Once,
    ) -> Result<Self, HostError> {
        std::fs::create_dir_all(&config.unpack_root)
            .map_err(|e| HostError::io("cannot create", &config.unpack_root, e))?;
        // A plugin directory that cannot be made is a problem to show, not a reason not to start.
        let _ = std::fs::create_dir_all(&config.plugin_dir);
        upload::remove_parts(&config.plugin_dir);
        Ok(Self {
            dir: config.plugin_dir.clone(),
            unpack_root: config.unpack_root.clone(),
            backend: Arc::clone(backend),
            once,
            cache: Arc::new(Cache::open(&config.cache_dir)?),
            limits: Arc::clone(limits),
            parts: AtomicU64::new(0),
            providers: RwLock::default(),
            problems: RwLock::default(),
            seen: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn all(&self) -> Vec<Arc<Provider>> {
        self.providers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Provider>> {
        self.providers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let problems = self.problems.read().unwrap_or_else(PoisonError::into_inner);
        problems.iter().map(|(path, why)| Problem { path: path.clone(), why: why.clone() }).collect()
    }

    /// What is wrong with the file that a provider of this name would have.
    pub(crate) fn problem_of(&self, name: &str) -> Option<String> {
        let problems = self.problems.read().unwrap_or_else(PoisonError::into_inner);
        problems.get(&self.dir.join(name)).or_else(|| problems.get(&self.dir)).cloned()
    }

    /// Looks at the directory and gives the names of the providers that changed.
    pub(crate) async fn scan(&self, eagerness: Eagerness) -> Vec<String> {
        let mut seen = self.seen.lock().await;
        let files = match list(&self.dir) {
            Ok(files) => files,
            Err(e) => {
                // What is known stays: a directory that is gone for a moment must not stop every plugin.
                self.problem(&self.dir, format!("the plugin directory cannot be read: {e}"));
                return Vec::new();
            }
        };
        self.no_problem(&self.dir);
        let mut changed = self.remove_missing(&mut seen, &files).await;
        let due = due(&mut seen, &files, eagerness);
        let take = due.into_iter().map(|name| {
            let (path, signature) = files[&name].clone();
            async move {
                let taken = self.take(&name, &path, &signature, eagerness == Eagerness::Anew).await;
                (name, path, signature, taken)
            }
        });
        let mut taken =
            pin!(futures_util::stream::iter(take).buffer_unordered(self.limits.define_jobs.max(1)));
        while let Some((name, path, signature, result)) = taken.next().await {
            seen.taken.insert(name.clone(), signature);
            match result {
                Ok(provider) => {
                    let known = self.get(&name).is_some();
                    // One that the daemon refuses is out: its instances stop and say why.
                    if self.adopt(&path, provider, eagerness == Eagerness::Anew).await.unwrap_or(known) {
                        changed.push(name);
                    }
                }
                Err(e) => {
                    self.problem(&path, reason(&e));
                    // The executable that the known provider had is not there any more.
                    if self.remove(&name, Removal::Deleted).await {
                        changed.push(name);
                    }
                }
            }
        }
        if eagerness == Eagerness::Now {
            let hashes: BTreeSet<_> = self.all().iter().map(|p| p.sha256.clone()).collect();
            self.cache.prune(&files.keys().cloned().collect(), &hashes);
        }
        changed
    }

    /// Deletes the executable of a provider.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), HostError> {
        check_name(name)?;
        let mut seen = self.seen.lock().await;
        let path = self.dir.join(name);
        let known = self.get(name).is_some();
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound && known => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(HostError::NoSuchProvider { provider: name.to_owned() });
            }
            Err(e) => return Err(HostError::io("cannot remove", &path, e)),
        }
        seen.taken.remove(name);
        self.no_problem(&path);
        self.remove(name, Removal::Deleted).await;
        self.cache.set_unpacked(name, None);
        let _ = std::fs::remove_dir_all(self.unpack_root.join(name));
        Ok(())
    }

    /// Takes a provider out of the catalogue because one of its instances said so. It stays out until its
    /// file changes.
    pub(crate) async fn withdraw(&self, name: &str, why: String) {
        let _seen = self.seen.lock().await;
        self.problem(&self.dir.join(name), format!("it withdrew itself: {why}"));
        self.remove(name, Removal::Withdrawn(why)).await;
    }

    async fn remove_missing(&self, seen: &mut Seen, files: &Files) -> Vec<String> {
        let gone: Vec<_> = seen.taken.keys().filter(|name| !files.contains_key(*name)).cloned().collect();
        let mut changed = Vec::new();
        for name in gone {
            seen.taken.remove(&name);
            self.no_problem(&self.dir.join(&name));
            if self.remove(&name, Removal::Deleted).await {
                changed.push(name);
            }
        }
        seen.changing.retain(|name, _| files.contains_key(name));
        changed
    }

    /// Makes a provider of a file: definition from the cache or from `define`, then its files.
    async fn take(
        &self,
        name: &str,
        path: &Path,
        signature: &Signature,
        anew: bool,
    ) -> Result<Provider, HostError> {
        let sha256 = self.hash(name, path, signature).await?;
        let cached = if anew { None } else { self.cache.definition(&sha256).filter(|d| d.name == name) };
        let definition = match cached {
            Some(definition) if signature_runs(path) => definition,
            _ => {
                let definition = self.define(name, path).await?;
                self.cache.keep(&sha256, &definition);
                definition
            }
        };
        self.complete(definition, path, sha256, anew).await
    }

    async fn define(&self, name: &str, path: &Path) -> Result<PluginProvider, HostError> {
        let token = self.token(name).await?;
        self.once.define(path, name, &token).await
    }

    async fn token(&self, name: &str) -> Result<Secret, HostError> {
        let refused = |error| HostError::Refused { provider: name.to_owned(), error: Box::new(error) };
        self.backend.define_token(name).await.map_err(refused)
    }

    async fn complete(
        &self,
        definition: PluginProvider,
        path: &Path,
        sha256: String,
        anew: bool,
    ) -> Result<Provider, HostError> {
        let name = definition.name.clone();
        let dir = self.unpack_root.join(&name);
        let fresh =
            self.cache.unpacked(&name).is_some_and(|u| u.sha256 == sha256 && (!u.made || dir.exists()));
        if anew || !fresh {
            let files = self.unpack(&name, path).await?;
            let unpacked = Unpacked { sha256: sha256.clone(), made: self.swap(&name, &files)? };
            self.cache.set_unpacked(&name, Some(unpacked));
        }
        Ok(Provider { definition, path: path.to_owned(), sha256, unpack_dir: dir })
    }

    /// Unpacks beside the files of the version before.
    async fn unpack(&self, name: &str, path: &Path) -> Result<Fresh, HostError> {
        let fresh = Fresh(self.unpack_root.join(format!(".{name}.new")));
        let _ = std::fs::remove_dir_all(&fresh.0);
        let token = self.token(name).await?;
        self.once.unpack(path, &fresh.0, &token).await?;
        Ok(fresh)
    }

    /// Puts unpacked files in the place of those of the version before, which come back when that fails. Gives
    /// whether there are any.
    fn swap(&self, name: &str, fresh: &Fresh) -> Result<bool, HostError> {
        let dir = self.unpack_root.join(name);
        let aside = self.unpack_root.join(format!(".{name}.old"));
        let _ = std::fs::remove_dir_all(&aside);
        let had_files = std::fs::rename(&dir, &aside).is_ok();
        let made = fresh.0.exists();
        if made && let Err(e) = std::fs::rename(&fresh.0, &dir) {
            if had_files {
                let _ = std::fs::rename(&aside, &dir);
            }
            return Err(HostError::io("cannot write", &dir, e));
        }
        let _ = std::fs::remove_dir_all(&aside);
        Ok(made)
    }

    async fn hash(&self, name: &str, path: &Path, signature: &Signature) -> Result<String, HostError> {
        let (cache, signature) = (Arc::clone(&self.cache), signature.clone());
        let (owned_name, owned_path) = (name.to_owned(), path.to_owned());
        let work = tokio::task::spawn_blocking(move || cache.hash(&owned_name, &owned_path, &signature));
        let result = work.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        result.map_err(|e| HostError::io("cannot read", path, e))
    }

    /// Puts a provider into the catalogue. `true` when it is new or differs from the one before.
    async fn adopt(&self, path: &Path, provider: Provider, always: bool) -> Result<bool, HostError> {
        self.no_problem(path);
        let name = provider.definition.name.clone();
        let before = self.get(&name);
        if !always && before.as_ref().is_some_and(|b| **b == provider) {
            return Ok(false);
        }
        let provider = Arc::new(provider);
        // In the catalogue first: with AutoStart the daemon makes the plugin during the call below.
        self.put(&name, Some(Arc::clone(&provider)));
        let change = match &before {
            Some(_) => ProviderChange::Changed(provider),
            None => ProviderChange::Added(provider),
        };
        match self.backend.provider_changed(change).await {
            Ok(()) => Ok(true),
            Err(error) => {
                let gone = HostError::Refused { provider: name.clone(), error: Box::new(error) };
                self.problem(path, gone.to_string());
                self.put(&name, None);
                if before.is_some() {
                    let why = Removal::Withdrawn(gone.to_string());
                    let _ = self.backend.provider_changed(ProviderChange::Removed { name, why }).await;
                }
                Err(gone)
            }
        }
    }

    /// Takes a provider out of the catalogue. `true` when it was in.
    async fn remove(&self, name: &str, why: Removal) -> bool {
        if !self.put(name, None) {
            return false;
        }
        let change = ProviderChange::Removed { name: name.to_owned(), why };
        if let Err(e) = self.backend.provider_changed(change).await {
            self.log(Level::Error, format!("plugin provider {name} is gone, and its content stays: {e}"));
        }
        true
    }

    /// Whether there was one before.
    fn put(&self, name: &str, provider: Option<Arc<Provider>>) -> bool {
        let mut providers = self.providers.write().unwrap_or_else(PoisonError::into_inner);
        match provider {
            Some(provider) => providers.insert(name.to_owned(), provider).is_some(),
            None => providers.remove(name).is_some(),
        }
    }

    fn problem(&self, path: &Path, why: String) {
        let mut problems = self.problems.write().unwrap_or_else(PoisonError::into_inner);
        if problems.insert(path.to_owned(), why.clone()).as_ref() != Some(&why) {
            drop(problems);
            let what = if path == self.dir { "" } else { "not a usable plugin provider: " };
            self.log(Level::Error, format!("{what}{}: {why}", path.display()));
        }
    }

    fn no_problem(&self, path: &Path) {
        self.problems.write().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    fn log(&self, level: Level, message: String) {
        let (time, service) = (Time::now().to_string(), "plugins".to_owned());
        self.backend.log(Line { time, service, level, message, file: "host".to_owned(), ..Line::default() });
    }
}

/// Unpacked files that are not in their place yet; removed when they do not get there.
struct Fresh(PathBuf);

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn list(dir: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        // A dangling link is listed too, so that it can be named as a problem.
        let Ok(meta) = path.metadata().or_else(|_| path.symlink_metadata()) else { continue };
        if !meta.is_dir() {
            files.insert(name, (path, (&meta).into()));
        }
    }
    Ok(files)
}

fn due(seen: &mut Seen, files: &Files, eagerness: Eagerness) -> Vec<String> {
    let mut due = Vec::new();
    for (name, (_, signature)) in files {
        if eagerness != Eagerness::Anew && seen.taken.get(name) == Some(signature) {
            seen.changing.remove(name);
            continue;
        }
        if eagerness == Eagerness::WhenSettled && seen.changing.get(name) != Some(signature) {
            seen.changing.insert(name.clone(), signature.clone());
            continue;
        }
        seen.changing.remove(name);
        due.push(name.clone());
    }
    due
}

/// A cached definition is of no use when the file's mode forbids to run it.
fn signature_runs(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.permissions().mode() & 0o111 != 0)
}

/// The text of an error about a file whose path is shown beside it.
fn reason(error: &HostError) -> String {
    match error {
        HostError::Define { why, .. } | HostError::Unpack { why, .. } => why.clone(),
        other => other.to_string(),
    }
}

/// A provider's name becomes a file name.
fn check_name(name: &str) -> Result<(), HostError> {
    let bad = |why| Err(HostError::BadName { name: name.to_owned(), why });
    match name {
        "" => bad("it is empty"),
        _ if name.starts_with('.') => bad("names that start with a dot are uploads in progress"),
        _ if name.contains('/') || name.chars().any(char::is_control) => {
            bad("it contains a slash or a control character")
        }
        _ if name.len() > 200 => bad("it is longer than 200 bytes"),
        _ => Ok(()),
    }
}

/// The error that the API gives for a provider that is not there.
pub(crate) fn no_such(name: &str) -> HostError {
    HostError::NoSuchProvider { provider: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_cannot_leave_the_directory() {
        for bad in ["", "..", ".lamp.part", "a/b", "../lamp", "a\n", &"n".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in ["lamp", "desk lamp", "lämpchen", "raid-4.2"] {
            check_name(good).unwrap();
        }
    }
}
