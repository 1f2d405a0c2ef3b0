//! Content from files that the operator names: `local-content` and `default-content` (wire-protocol §2.5).

use crate::{ServeError, Settings};
use drp_objects::{LayerKind, Objects};
use drp_protocol::Bundle;
use std::path::{Path, PathBuf};

/// What was read, not yet in its place.
pub(crate) struct ContentFiles(Vec<(LayerKind, &'static str, PathBuf, Bundle)>);

impl ContentFiles {
    /// Reads the files and directories that the settings name.
    ///
    /// # Errors
    /// Everything that cannot be read, at once, with file and line.
    pub(crate) fn read(settings: &Settings) -> Result<Self, ServeError> {
        let named = [
            (LayerKind::Default, "default-content", &settings.default_content),
            (LayerKind::Local, "local-content", &settings.local_content),
        ];
        let (mut read, mut wrong) = (Vec::new(), Vec::new());
        for (kind, name, path) in named {
            let Some(path) = path else { continue };
            match drp_content::read_path(path) {
                Ok(bundle) => read.push((kind, name, path.clone(), bundle)),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
        if wrong.is_empty() { Ok(Self(read)) } else { Err(ServeError::Content(wrong.join("\n"))) }
    }

    /// Puts them into their layers. What does not fit is left out, and told: a daemon that other things depend on does
    /// not stay down because somebody uploaded an object of the same name.
    pub(crate) async fn place(self, objects: &Objects) -> Vec<String> {
        let mut problems = Vec::new();
        for (kind, name, path, bundle) in self.0 {
            if let Err(error) = objects.put_layer(bundle, kind, false).await {
                let text = format!("{name} {} is left out: {}", path.display(), error.messages.join("; "));
                tracing::error!("{text}");
                problems.push(text);
            }
        }
        problems
    }
}

/// The path of a setting. Digital Rebar writes it as `file:///…` or `directory:///…?codec=yaml`.
pub(crate) fn path_of(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let path = if scheme.is_empty() { rest } else { rest.split('?').next().unwrap_or_default() };
    let known = matches!(scheme, "" | "file" | "directory") && !path.is_empty();
    known.then(|| std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::path_of;
    use std::path::Path;

    #[test]
    fn both_spellings_of_a_path() {
        for text in ["/etc/drp/local", "directory:///etc/drp/local?codec=yaml", "file:///etc/drp/local"] {
            assert_eq!(path_of(text).as_deref(), Some(Path::new("/etc/drp/local")), "{text}");
        }
        for text in ["", "memory:///", "https://example.com/x", "file://"] {
            assert_eq!(path_of(text), None, "{text}");
        }
    }
}
