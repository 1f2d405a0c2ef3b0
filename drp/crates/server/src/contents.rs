//! Bundles that people uploaded: layers live in memory, so each is kept as a file and put back at start.

use crate::listen::{private_dir, write_private};
use crate::{Backend, ServeError, Settings};
use drp_objects::{LayerKind, Objects};
use drp_protocol::{Bundle, Error};
use std::fmt::Write;
use std::path::PathBuf;

/// The files of uploaded bundles; none for a store in memory.
pub(crate) struct Kept(Option<PathBuf>);

impl Kept {
    pub(crate) fn open(settings: &Settings) -> Result<Self, ServeError> {
        if settings.backend == Backend::Memory {
            return Ok(Self(None));
        }
        let dir = settings.base_root.join("contents");
        private_dir("content directory", &dir, 0o700)?;
        Ok(Self(Some(dir)))
    }

    /// Puts every kept bundle back. One that no longer fits is named in the log and left where it is.
    pub(crate) async fn load(&self, objects: &Objects) {
        let Some(dir) = &self.0 else { return };
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        files.retain(|path| path.extension().is_some_and(|ext| ext == "json"));
        files.sort();
        for path in files {
            let bundle = std::fs::read(&path).map_err(|e| e.to_string());
            let bundle =
                bundle.and_then(|text| serde_json::from_slice::<Bundle>(&text).map_err(|e| e.to_string()));
            let put = match bundle {
                Ok(bundle) => objects
                    .put_layer(bundle, LayerKind::Dynamic, false)
                    .await
                    .map(drop)
                    .map_err(|e| e.to_string()),
                Err(error) => Err(error),
            };
            if let Err(error) = put {
                tracing::error!(file = %path.display(), error, "a content bundle cannot be loaded");
            }
        }
    }

    /// Keeps a bundle, whole or not at all. It may hold secrets, so only its owner may read it.
    pub(crate) fn keep(&self, bundle: &Bundle) -> Result<(), Error> {
        let Some(path) = self.path(&bundle.meta.name) else { return Ok(()) };
        let wrong = |text: String| {
            Error::new(500, "POST", format!("the bundle cannot be kept: {text}"))
                .on("contents", &bundle.meta.name)
        };
        let text = serde_json::to_vec(bundle).map_err(|e| wrong(e.to_string()))?;
        write_private(&path, &text).map_err(|e| wrong(e.to_string()))
    }

    /// Forgets a bundle.
    pub(crate) fn forget(&self, name: &str) {
        if let Some(path) = self.path(name)
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(file = %path.display(), %error, "a content bundle cannot be removed");
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|dir| dir.join(format!("{}.json", file_name(name))))
    }
}

/// A name as a file name: all but letters, digits, dash and underscore percent-encoded.
fn file_name(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_make_safe_files() {
        assert_eq!(file_name("lamps-1_a"), "lamps-1_a");
        assert_eq!(file_name("../a b.é"), "%2E%2E%2Fa%20b%2E%C3%A9");
    }
}
