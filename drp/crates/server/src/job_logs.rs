//! The logs of jobs: one file each below the base root, written by agents piece by piece (wire-protocol §3.9).

use bytes::Bytes;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Largest log in bytes. What comes after is left out, and the log says so.
const LIMIT: u64 = 16 << 20;

/// The logs of jobs.
#[derive(Debug, Clone)]
pub(crate) struct JobLogs {
    root: PathBuf,
}

impl JobLogs {
    /// The logs of the daemon with this base root.
    pub(crate) fn under(base_root: &Path) -> Self {
        Self { root: base_root.join("job-logs") }
    }

    /// Where the log of a job is; keys of jobs are UUIDs, and other texts name nothing.
    pub(crate) fn path(&self, job: &str) -> Option<PathBuf> {
        let plain = !job.is_empty() && job.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain.then(|| self.root.join(job))
    }

    /// Adds to the log of a job.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn append(&self, job: &str, piece: Bytes) -> io::Result<()> {
        let path =
            self.path(job).ok_or_else(|| io::Error::other(format!("{job:?} is not the key of a job")))?;
        let root = self.root.clone();
        let written = tokio::task::spawn_blocking(move || append(&root, &path, &piece, LIMIT));
        written.await.map_err(io::Error::other)?
    }

    /// Removes the log of a job that is gone.
    pub(crate) fn remove(&self, job: &str) {
        if let Some(path) = self.path(job)
            && let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "the log of a deleted job cannot be removed");
        }
    }

    /// Removes the logs of jobs that are not known.
    pub(crate) fn prune(&self, known: impl Fn(&str) -> bool) {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return };
        for entry in entries.flatten() {
            if let Some(job) = entry.file_name().to_str().filter(|job| !known(job)) {
                self.remove(job);
            }
        }
    }
}

fn append(root: &Path, path: &Path, piece: &[u8], limit: u64) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    // One write each: pieces of several requests do not mix.
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let left = limit.saturating_sub(file.metadata()?.len());
    if left == 0 {
        return Ok(());
    }
    let fits = usize::try_from(left).unwrap_or(usize::MAX);
    let Some((kept, _)) = piece.split_at_checked(fits).filter(|(_, rest)| !rest.is_empty()) else {
        return file.write_all(piece);
    };
    let mut last = kept.to_vec();
    last.extend_from_slice(format!("\n[the log is full: {limit} bytes are kept]\n").as_bytes());
    file.write_all(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logs_grow_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let logs = JobLogs::under(dir.path());
        logs.append("a-1", "one\n".into()).await.unwrap();
        logs.append("a-1", "two\n".into()).await.unwrap();
        assert_eq!(std::fs::read(logs.path("a-1").unwrap()).unwrap(), b"one\ntwo\n");
        for bad in ["", "..", "a/b", "../x", "a\0"] {
            assert!(logs.append(bad, "x".into()).await.is_err(), "{bad:?}");
        }
        logs.append("b-2", "x".into()).await.unwrap();
        logs.prune(|job| job == "b-2");
        assert!(!logs.path("a-1").unwrap().exists() && logs.path("b-2").unwrap().exists());
        logs.remove("b-2");
        assert!(!logs.path("b-2").unwrap().exists());
    }

    #[test]
    fn a_full_log_says_so_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for piece in ["12345", "678901", "more"] {
            append(dir.path(), &path, piece.as_bytes(), 10).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "1234567890\n[the log is full: 10 bytes are kept]\n");
    }
}
