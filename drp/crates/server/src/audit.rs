//! Who did what: a log of its own, kept in files that outlive the daemon.
//!
//! One JSON object a line, written before the caller is answered, so that a killed daemon has told of all it did. The
//! files turn over by size: `audit.log` is the newest, then `audit.log.1` and so on. No value of any object and no
//! query string is ever in it, so no secret is.

mod story;

pub(crate) use story::{Story, place};

use drp_protocol::Time;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Files, the newest among them.
const FILES: u64 = 4;
/// Longest text of a field: names and ids come from callers.
const TEXT: usize = 512;
/// How often what was written goes to the disk, for a loss of power.
const SYNC: Duration = Duration::from_secs(1);

/// One thing that somebody did, or was not let do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
#[schemars(rename = "AuditEntry")]
pub(crate) struct Entry {
    /// 1 for the first there ever was, then without gaps.
    pub(crate) seq: u64,
    /// RFC 3339, when it was over.
    pub(crate) time: String,
    /// `user:<name>`, `plugin:<instance>`, `runner:<machine>`, `local:<user of the host>`.
    pub(crate) who: String,
    /// Address, or `local`.
    pub(crate) from: String,
    /// Request id, as in the daemon's own log.
    pub(crate) request: String,
    /// `login`, `token`, `create`, `update`, `delete`, `password`, `action:<command>`, …
    pub(crate) action: String,
    /// What kind of thing it was done to, as in claims.
    pub(crate) scope: String,
    /// Which one.
    pub(crate) key: String,
    /// `ok`, `refused` when it was not allowed, `failed` when it could not be done.
    pub(crate) outcome: String,
    /// HTTP status of the answer.
    pub(crate) status: u16,
    /// What of it, for instance `update:/Roles`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

/// Which entries are wanted; what is empty does not matter.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) who: String,
    pub(crate) action: String,
    pub(crate) scope: String,
    pub(crate) key: String,
    pub(crate) outcome: String,
    pub(crate) request: String,
    /// RFC 3339; entries from then on.
    pub(crate) since: Option<Time>,
    /// The newest this many.
    pub(crate) limit: usize,
}

impl Wanted {
    fn fits(&self, entry: &Entry) -> bool {
        let same = |wanted: &str, have: &str| wanted.is_empty() || wanted == have;
        let since = |since: &Time| {
            let time = serde_json::from_value::<Time>(entry.time.as_str().into()).unwrap_or_default();
            time.unix_nanos() >= since.unix_nanos()
        };
        same(&self.who, &entry.who)
            && same(&self.action, &entry.action)
            && same(&self.scope, &entry.scope)
            && same(&self.key, &entry.key)
            && same(&self.outcome, &entry.outcome)
            && same(&self.request, &entry.request)
            && self.since.as_ref().is_none_or(since)
    }
}

/// The log of who did what.
pub(crate) struct Audit {
    path: PathBuf,
    /// Bytes of one file; 0 keeps nothing.
    size: u64,
    open: Mutex<Open>,
    /// Somebody was told that it cannot be written.
    troubled: AtomicBool,
    rare: Mutex<Option<(Instant, u64)>>,
}

struct Open {
    file: Option<File>,
    length: u64,
    seq: u64,
    unsynced: bool,
}

impl Audit {
    /// Opens the log in the base root, and goes on with the number after the last one. `megabytes` bounds all files
    /// together.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(base: &Path, megabytes: u64) -> io::Result<Arc<Self>> {
        Self::sized(base, megabytes.saturating_mul(1 << 20) / FILES)
    }

    fn sized(base: &Path, size: u64) -> io::Result<Arc<Self>> {
        let path = base.join("audit.log");
        let open = if size == 0 {
            Open { file: None, length: 0, seq: 0, unsynced: false }
        } else {
            let mut file = file(&path)?;
            let length = file.seek(SeekFrom::End(0))?;
            if length > 0 && !ends_well(&mut file)? {
                // A loss of power cut the last line: what follows begins on its own.
                file.write_all(b"\n")?;
            }
            let seq = (0..FILES).find_map(|at| last(&numbered(&path, at))).unwrap_or(0);
            Open { file: Some(file), length, seq, unsynced: false }
        };
        Ok(Arc::new(Self {
            path,
            size,
            open: Mutex::new(open),
            troubled: AtomicBool::new(false),
            rare: Mutex::default(),
        }))
    }

    /// Sends what was written to the disk now and then, until the log is gone.
    pub(crate) fn keep_synced(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SYNC).await;
                let Some(audit) = weak.upgrade() else { return };
                let _ = tokio::task::spawn_blocking(move || audit.sync()).await;
            }
        })
    }

    /// Sends what was written to the disk.
    pub(crate) fn sync(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut open.unsynced) {
            return;
        }
        let file = open.file.as_ref().and_then(|file| file.try_clone().ok());
        drop(open);
        if let Some(Err(error)) = file.map(|file| file.sync_data()) {
            self.trouble(&error);
        }
    }

    /// Writes an entry; its number and time are given here. A log that cannot be written stops nobody: the daemon's own
    /// log says so, once.
    pub(crate) fn record(&self, mut entry: Entry) {
        if self.size == 0 {
            return;
        }
        for text in [&mut entry.who, &mut entry.request, &mut entry.action, &mut entry.key, &mut entry.detail]
        {
            shorten(text);
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.seq += 1;
        entry.seq = open.seq;
        entry.time = Time::now().to_string();
        let mut line = serde_json::to_vec(&entry).unwrap_or_default();
        line.push(b'\n');
        if let Err(error) = self.append(&mut open, &line) {
            drop(open);
            self.trouble(&error);
        }
    }

    /// Writes an entry of a kind that strangers can make as many of as they like: one a second, with how many there
    /// were.
    pub(crate) fn record_rarely(&self, mut entry: Entry) {
        {
            let mut rare = self.rare.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *rare {
                Some((since, more)) if since.elapsed() < Duration::from_secs(1) => {
                    *more += 1;
                    return;
                }
                Some((_, more)) if *more > 0 => {
                    entry.detail = format!("{} and {more} more before", entry.detail)
                }
                _ => {}
            }
            *rare = Some((Instant::now(), 0));
        }
        self.record(entry);
    }

    fn append(&self, open: &mut Open, line: &[u8]) -> io::Result<()> {
        if open.length + line.len() as u64 > self.size && open.length > 0 {
            if let Some(file) = &open.file {
                file.sync_data()?;
            }
            for at in (1..FILES).rev() {
                match fs::rename(numbered(&self.path, at - 1), numbered(&self.path, at)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            open.file = None;
        }
        if open.file.is_none() {
            let mut fresh = file(&self.path)?;
            open.length = fresh.seek(SeekFrom::End(0))?;
            open.file = Some(fresh);
        }
        let Some(file) = &mut open.file else { return Ok(()) };
        file.write_all(line)?;
        open.length += line.len() as u64;
        open.unsynced = true;
        Ok(())
    }

    fn trouble(&self, error: &io::Error) {
        if !self.troubled.swap(true, Ordering::Relaxed) {
            tracing::error!(path = %self.path.display(), %error, "the audit log cannot be written; make room or mend it, then restart");
        }
    }

    /// The newest entries that are wanted, oldest first. Reads files: not for the runtime's own threads.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn read(&self, wanted: &Wanted) -> io::Result<Vec<Entry>> {
        let mut found: Vec<Entry> = Vec::new();
        for at in 0..FILES {
            let left = wanted.limit.saturating_sub(found.len());
            let file = match File::open(numbered(&self.path, at)) {
                Ok(file) if left > 0 => file,
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut here = std::collections::VecDeque::new();
            for line in lines(file) {
                let Ok(entry) = serde_json::from_slice::<Entry>(&line?) else { continue };
                if wanted.fits(&entry) {
                    if here.len() == left {
                        here.pop_front();
                    }
                    here.push_back(entry);
                }
            }
            found = here.into_iter().chain(found).collect();
        }
        // A file may have turned over meanwhile and been read twice.
        found.sort_by_key(|entry| entry.seq);
        found.dedup_by_key(|entry| entry.seq);
        Ok(found)
    }
}

fn numbered(path: &Path, at: u64) -> PathBuf {
    if at == 0 { path.to_owned() } else { path.with_extension(format!("log.{at}")) }
}

fn file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn ends_well(file: &mut File) -> io::Result<bool> {
    let mut end = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut end)?;
    Ok(end == *b"\n")
}

fn lines(file: File) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    BufReader::with_capacity(1 << 16, file).split(b'\n')
}

/// The number of the last entry of a file.
fn last(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(64 << 10))).ok()?;
    let numbers = lines(file).filter_map(|line| Some(serde_json::from_slice::<Entry>(&line.ok()?).ok()?.seq));
    numbers.max()
}

fn shorten(text: &mut String) {
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> Entry {
        Entry { who: "user:ann".into(), action: "update".into(), key: key.into(), ..Entry::default() }
    }

    fn all() -> Wanted {
        Wanted { limit: 10_000, ..Wanted::default() }
    }

    #[test]
    fn entries_go_on_where_they_ended_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        for start in 0..5 {
            let audit = Audit::sized(dir.path(), 1000).unwrap();
            for at in 0..10 {
                audit.record(entry(&format!("{start}-{at}")));
            }
        }
        let audit = Audit::sized(dir.path(), 1000).unwrap();
        let found = audit.read(&all()).unwrap();
        let seqs: Vec<u64> = found.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (51 - seqs.len() as u64..=50).collect::<Vec<_>>());
        assert_eq!(found.last().unwrap().key, "4-9");
        let files: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).collect();
        assert!(files.len() == 4 && files.iter().all(|length| *length <= 1000), "{files:?}");
        let two = audit.read(&Wanted { limit: 2, ..Wanted::default() }).unwrap();
        assert_eq!(two.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["4-8", "4-9"]);
        let one = Wanted { key: "4-3".into(), ..all() };
        assert_eq!(audit.read(&one).unwrap().len(), 1);
        let later =
            Wanted { since: Some(serde_json::from_str("\"2999-01-01T00:00:00Z\"").unwrap()), ..all() };
        assert!(audit.read(&later).unwrap().is_empty());
    }

    #[test]
    fn a_cut_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        Audit::sized(dir.path(), 10_000).unwrap().record(entry("a"));
        let path = dir.path().join("audit.log");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
        let audit = Audit::sized(dir.path(), 10_000).unwrap();
        audit.record(entry("b"));
        let keys: Vec<_> = audit.read(&all()).unwrap().into_iter().map(|e| (e.seq, e.key)).collect();
        assert_eq!(keys, [(1, "a".to_owned()), (2, "b".to_owned())]);
    }

    #[test]
    fn texts_are_cut_and_floods_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::sized(dir.path(), 1 << 20).unwrap();
        audit.record(entry(&"ü".repeat(10_000)));
        for _ in 0..100 {
            audit.record_rarely(entry("x"));
        }
        let found = audit.read(&all()).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[0].key.len() < 520);
        assert!(Audit::sized(dir.path(), 0).unwrap().path.ends_with("audit.log"));
    }
}
