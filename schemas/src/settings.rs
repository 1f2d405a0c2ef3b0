//! How documents are evaluated.

use crate::SchemaError;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds and places of an [`crate::Evaluator`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The worker program, `drp-nickel`.
    pub worker: PathBuf,
    /// Where imports are looked for; normally the folder that [`crate::install`] filled.
    pub import_paths: Vec<PathBuf>,
    /// The folders whose files documents may import, beside `import_paths`. `None`: any file that this process could
    /// read, for documents of whoever started it.
    pub roots: Option<Vec<PathBuf>>,
    /// Longest time for one document.
    pub deadline: Duration,
    /// Most memory of one worker (address space), in bytes.
    pub memory: u64,
    /// Most workers at once.
    pub workers: usize,
    /// Most requests that may wait for one.
    pub waiting: usize,
    /// A worker is replaced after so many documents, because each leaves a few kilobytes behind.
    pub documents_per_worker: u32,
    /// Longest document, in bytes.
    pub document_bytes: usize,
    /// Most results kept.
    pub cached_results: usize,
}

impl Settings {
    /// The usual bounds, with a given worker program.
    #[must_use]
    pub fn with_worker(worker: impl Into<PathBuf>) -> Self {
        Self {
            worker: worker.into(),
            import_paths: Vec::new(),
            roots: None,
            deadline: Duration::from_secs(10),
            memory: 512 << 20,
            workers: 2,
            waiting: 64,
            documents_per_worker: 2000,
            document_bytes: 4 << 20,
            cached_results: 512,
        }
    }

    /// The usual bounds, with the `drp-nickel` that lies beside the running program, or one folder above it (where
    /// Cargo puts it for tests), or on `PATH`.
    ///
    /// # Errors
    /// [`SchemaError::Worker`] when there is none.
    pub fn beside_this_program() -> Result<Self, SchemaError> {
        let name = PathBuf::from("drp-nickel");
        let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from));
        let above = beside.as_ref().and_then(|dir| dir.parent().map(PathBuf::from));
        let path = std::env::var_os("PATH").unwrap_or_default();
        beside
            .into_iter()
            .chain(above)
            .chain(std::env::split_paths(&path))
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(&name))
            .find(|file| file.is_file())
            .map(Self::with_worker)
            .ok_or_else(|| SchemaError::Worker {
                what: "find",
                path: name,
                source: std::io::ErrorKind::NotFound.into(),
            })
    }
}
