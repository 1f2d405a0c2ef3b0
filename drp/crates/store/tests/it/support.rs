//! Both backends, each fresh.

use std::path::PathBuf;
use std::sync::Arc;

use drp_store::{Options, Store, open};
use tempfile::TempDir;

/// A store, and the directory of its file as long as it is used.
pub struct Fresh {
    pub store: Arc<dyn Store>,
    pub directory: TempDir,
}

pub fn file(options: Options) -> Fresh {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("drp.db");
    Fresh { store: open(path.to_str().unwrap(), options).unwrap(), directory }
}

pub fn memory(options: Options) -> Fresh {
    let directory = tempfile::tempdir().unwrap();
    Fresh { store: open("memory:///", options).unwrap(), directory }
}

impl Fresh {
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("drp.db")
    }
}

/// Runs each test body against both backends.
macro_rules! on_both_backends {
    ($($name:ident)*) => {
        mod on_file { $( #[test] fn $name() { super::$name(&$crate::support::file(Default::default())); } )* }
        mod on_memory { $( #[test] fn $name() { super::$name(&$crate::support::memory(Default::default())); } )* }
    };
}
pub(crate) use on_both_backends;
