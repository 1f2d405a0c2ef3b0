//! SHA-256 sums of served files, kept while the files stay as they are.

use ring::digest;
use std::collections::HashMap;
use std::fmt::Write;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Sums kept at most; beyond it they are taken anew.
const KEPT: usize = 20_000;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

/// The sums that are known.
#[derive(Debug, Default)]
pub(crate) struct Sums(Mutex<HashMap<PathBuf, (Stamp, String)>>);

impl Sums {
    /// The sum of a file as 64 hexadecimal digits, if it was taken since the file changed.
    pub(crate) fn known(&self, path: &Path) -> Option<String> {
        let stamp = Stamp::from(&path.metadata().ok()?);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(path).filter(|(then, _)| *then == stamp).map(|(_, sum)| sum.clone())
    }

    /// The sum of a file; reads it when it is not known. Blocks.
    pub(crate) fn of(&self, path: &Path) -> io::Result<String> {
        if let Some(sum) = self.known(path) {
            return Ok(sum);
        }
        let mut file = std::fs::File::open(path)?;
        let stamp = Stamp::from(&file.metadata()?);
        let mut context = digest::Context::new(&digest::SHA256);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => context.update(&buffer[..n]),
            }
        }
        let sum = hex(context);
        // A file that changed while it was read has another stamp by now.
        if Stamp::from(&file.metadata()?) == stamp {
            self.keep(path, stamp, sum.clone());
        }
        Ok(sum)
    }

    /// Takes note of the sum of a file that was just written.
    pub(crate) fn written(&self, path: &Path, context: digest::Context) {
        if let Ok(meta) = path.metadata() {
            self.keep(path, Stamp::from(&meta), hex(context));
        }
    }

    fn keep(&self, path: &Path, stamp: Stamp, sum: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(path.to_owned(), (stamp, sum));
    }
}

fn hex(context: digest::Context) -> String {
    context.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_holds_until_the_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "abc").unwrap();
        let sums = Sums::default();
        assert_eq!(sums.known(&path), None);
        let sum = sums.of(&path).unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sums.known(&path), Some(sum.clone()));
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(sums.known(&path), None);
        assert_ne!(sums.of(&path).unwrap(), sum);
        assert!(sums.of(&dir.path().join("absent")).is_err());
    }
}
