//! The files of a folder of templates.

use crate::TemplateError;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Names of files that are looked through for a hint at most.
const LOOKED_AT: usize = 500;

/// A folder, none of whose templates can reach what lies outside.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    /// Its real path.
    root: PathBuf,
    /// Bytes of a template at most.
    most: u64,
}

impl Folder {
    pub(crate) fn open(root: &Path, most: u64) -> Result<Self, TemplateError> {
        let name = || root.display().to_string();
        let unreadable = |reason: String| TemplateError::Unreadable { name: name(), reason };
        let real = root.canonicalize().map_err(|error| unreadable(error.to_string()))?;
        if !real.is_dir() {
            return Err(unreadable("it is no folder".into()));
        }
        Ok(Self { root: real, most })
    }

    /// The text of a template, `None` when there is none of that name.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, TemplateError> {
        let refused = |why| Err(TemplateError::Refused { name: name.chars().take(200).collect(), why });
        if name.is_empty() || name.len() > 1024 || name.contains(['\0', '\\']) {
            return refused("it is no name of a file");
        }
        let path = Path::new(name);
        if path.is_absolute() {
            return refused("it is an absolute path");
        }
        if path.components().any(|part| matches!(part, Component::ParentDir)) {
            return refused("it leads upwards");
        }
        let Ok(real) = self.root.join(path).canonicalize() else { return Ok(None) };
        if !real.starts_with(&self.root) {
            return refused("it is a link that leads out of the folder of templates");
        }
        let unreadable = |reason: String| TemplateError::Unreadable { name: name.to_owned(), reason };
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let about = real.metadata().map_err(|error| unreadable(error.to_string()))?;
        if !about.is_file() {
            return Err(unreadable("it is no file".into()));
        }
        let mut bytes = Vec::new();
        let file = File::open(&real).map_err(|error| unreadable(error.to_string()))?;
        file.take(self.most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > self.most {
            let length = about.len().max(bytes.len() as u64);
            return Err(TemplateError::TooLong { name: name.to_owned(), length, most: self.most });
        }
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count()
                    + 1;
            unreadable(format!("line {line} is not UTF-8"))
        })
    }

    /// Names of templates, for hints: not more than are worth looking at.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![(self.root.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let name = format!("{prefix}{name}");
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && folders.len() < LOOKED_AT => {
                        folders.push((entry.path(), format!("{name}/")));
                    }
                    Ok(kind) if kind.is_file() => names.push(name),
                    _ => {}
                }
                if names.len() >= LOOKED_AT {
                    return names;
                }
            }
        }
        names.sort();
        names
    }
}
